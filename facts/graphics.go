package facts

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"

	"aftershock/schema"
)

//go:embed pci.ids
var pciIDs string

// pciNames are the names of pci.ids: of a vendor under vvvv, of a device under vvvv:dddd,
// in small hexadecimal digits.
var pciNames = sync.OnceValue(func() map[string]string {
	names, vendor := map[string]string{}, ""
	for line := range strings.Lines(pciIDs) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "\t"):
			if id, name, ok := strings.Cut(line[1:], "\t"); ok {
				names[vendor+":"+id] = name
			}
		default:
			var name string
			if vendor, name, _ = strings.Cut(line, "\t"); name != "" {
				names[vendor] = name
			}
		}
	}
	return names
})

var pciID = regexp.MustCompile(`^(?:0[xX])?([0-9A-Fa-f]{1,8})$`)

// graphics names the graphics adapter. Systems without PCI give names of their own instead
// of numbers: these are shown where they are those of a list.
func (d *derivation) graphics() {
	vendor, device := d.any("AdapterVendorID"), d.any("AdapterDeviceID")
	if vendor == "" {
		return
	}
	id, ok := pciDigits(vendor)
	if !ok {
		if name := mobileVendors[strings.ToLower(vendor)]; name != "" {
			d.pub.GPUVendor = &name
		} else if !mesaVendor.MatchString(vendor) {
			d.note(schema.NoteAdapterMalformed)
		}
		return
	}
	d.pub.GPUVendor = text(pciNames()[id])
	if of, ok := pciDigits(device); ok {
		d.pub.GPUDevice = text(pciNames()[id+":"+of])
	} else if device != "" {
		d.note(schema.NoteAdapterMalformed)
	}
}

// pciDigits are the four digits of an id.
func pciDigits(id string) (digits string, ok bool) {
	m := pciID.FindStringSubmatch(id)
	if m == nil {
		return "", false
	}
	digits = strings.ToLower(strings.TrimLeft(m[1], "0"))
	if len(digits) > 4 {
		return "", false
	}
	return strings.Repeat("0", 4-len(digits)) + digits, true
}

// mobileVendors are the vendors of adapters in phones, as their drivers call them.
var mobileVendors = map[string]string{
	"qualcomm": "Qualcomm", "arm": "ARM", "imagination technologies": "Imagination Technologies", "samsung": "Samsung", "nvidia": "NVIDIA",
	"broadcom": "Broadcom", "vivante corporation": "Vivante", "huawei": "Huawei", "apple": "Apple", "mesa": "Mesa", "google": "Google",
}

// mesaVendor is what Mesa's drivers on Linux say: mesa/iris.
var mesaVendor = regexp.MustCompile(`^[a-z0-9]{1,16}/[a-z0-9_-]{1,24}$`)
