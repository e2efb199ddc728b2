// Command pciids makes facts/pci.ids of the PCI ID Repository's file, which Debian has as
// /usr/share/misc/pci.ids (package pci.ids), and the crate pci-ids as pciids/pci.ids; the
// newer one counts:
//
//	go run ./script/pciids < pciids/pci.ids > facts/pci.ids
//
// It keeps vendors of graphics adapters and of virtual machines, and of vendors that make
// other things as well the devices whose names say graphics.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	if err := excerpt(os.Stdin, out); err != nil {
		fmt.Fprintf(os.Stderr, "pciids: %v\n", err)
		os.Exit(1)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintf(os.Stderr, "pciids: %v\n", err)
		os.Exit(1)
	}
}

// graphics are vendors of graphics adapters, mixed those of other things, too.
var (
	graphics = set("1002 10de 1414 15ad 80ee 1234 102b 1a03 5333 126f 5143 13b5 1010 1ed5 1a96")
	mixed    = set("8086 1af4 1b36 1106 1039 106b 14e4 1d17 0014")

	display = regexp.MustCompile(`(?i)Graphics|GPU|Display|VGA|Video|Iris|Arc|QXL|Virtio|UHD|GMA|Chrome|Mirage`)
	// What adapters bring with them, and chipsets of the same vendors.
	other = regexp.MustCompile(`Audio|USB|UCSI|Bridge|PCIe|SATA|SMBus|Ethernet|LPC|IDE|IOMMU|Host|Encryption|Sensor|Memory Controller|RAID|HDMI|GBE|NVMe|VMD|SD Controller|Modem|Serial|` +
		`Controller \(IMC|Thermal|Management Engine|Firewire|I2C|UART|SPI|NAND|DMA|Root Complex|Switch|NVSwitch|Dummy`)
	adapter = regexp.MustCompile(`Graphics|VGA|Radeon|GeForce|Quadro|Tesla`)
	version = regexp.MustCompile(`^#\s*Version:\s*(\S+)`)
)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// excerpt reads lines "vvvv  name", "\tdddd  name" and "\t\t…" of subsystems, up to the
// classes.
func excerpt(in io.Reader, out io.Writer) error {
	lines, vendor, released := bufio.NewScanner(in), "", ""
	begun := false
	for lines.Scan() {
		line := lines.Text()
		if m := version.FindStringSubmatch(line); m != nil {
			released = m[1]
		}
		switch {
		case strings.HasPrefix(line, "C "):
			return lines.Err()
		case line == "", strings.HasPrefix(line, "#"), strings.HasPrefix(line, "\t\t"):
			continue
		}
		if !begun {
			begun = true
			if _, err := fmt.Fprintf(out, header, released); err != nil {
				return err
			}
		}
		id, name, _ := strings.Cut(strings.TrimPrefix(line, "\t"), "  ")
		indent := ""
		if strings.HasPrefix(line, "\t") {
			indent = "\t"
			shown := graphics[vendor] || mixed[vendor] && display.MatchString(name)
			if !shown || other.MatchString(name) && !adapter.MatchString(name) {
				continue
			}
		} else if vendor = id; !graphics[id] && !mixed[id] {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s%s\t%s\n", indent, id, name); err != nil {
			return err
		}
	}
	return lines.Err()
}

const header = `# Names of graphics adapters by PCI vendor and device: an excerpt of the PCI ID Repository
# (pci.ids, version %s; https://pci-ids.ucw.cz/), of vendors of graphics adapters and of
# virtual machines. Copyright Martin Mares, Albert Pool and other volunteers; distributed
# under the 3-clause BSD License, as theirs may be (or GPL 2 or later).
# Made by script/pciids.
`
