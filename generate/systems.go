package generate

import (
	"fmt"

	"aftershock/facts"
	"aftershock/schema"
)

// platform is a system that programs run on.
type platform int

const (
	windows platform = iota
	mac
	linux
	android
	ios
	platforms
)

var osNames = [platforms]string{"Windows NT", "Mac OS X", "Linux", "Android", "iOS"}

// release is a version of a system on an architecture.
type release struct {
	platform platform
	share    float64 // of the platform's machines
	version  string
	arch     string
}

var releases = []release{
	{windows, 30, "10.0.26100 4652", "amd64"},
	{windows, 22, "10.0.22631 5624", "amd64"},
	{windows, 27, "10.0.19045 6093", "amd64"},
	{windows, 4, "10.0.19045 3803", "amd64"},
	{windows, 3, "10.0.17763 7558", "amd64"},
	{windows, 4, "10.0.19045 6093", "x86"},
	{windows, 4, "6.1.7601 Service Pack 1", "x86"},
	{windows, 3, "6.1.7601 Service Pack 1", "amd64"},
	{windows, 2, "10.0.26100 4652", "arm64"},
	{windows, 1, "6.3.9600", "amd64"},
	{mac, 34, "15.6.0 24G84", "arm64"},
	{mac, 14, "14.7.7 23H723", "arm64"},
	{mac, 8, "26.0.0 25A354", "arm64"},
	{mac, 20, "15.6.0 24G84", "amd64"},
	{mac, 14, "13.7.8 22H730", "amd64"},
	{mac, 10, "10.15.7 19H2026", "amd64"},
	{linux, 40, "6.8.0 -60-generic #63-Ubuntu SMP PREEMPT_DYNAMIC x86_64", "amd64"},
	{linux, 20, "6.15.6 -arch1-1 #1 SMP PREEMPT_DYNAMIC x86_64", "amd64"},
	{linux, 18, "6.1.0 -37-amd64 #1 SMP PREEMPT_DYNAMIC Debian x86_64", "amd64"},
	{linux, 14, "5.15.0 -143-generic #153-Ubuntu SMP x86_64", "amd64"},
	{linux, 5, "6.6.74 -v8+ #1 SMP PREEMPT aarch64", "arm64"},
	{linux, 3, "5.10.0 -35-686-pae #1 SMP i686", "x86"},
	{android, 30, "34", "arm64"},
	{android, 26, "33", "arm64"},
	{android, 18, "35", "arm64"},
	{android, 10, "31", "arm64"},
	{android, 6, "30", "arm"},
	{android, 7, "29", "arm"},
	{android, 3, "30", "amd64"},
	{ios, 55, "18.5.0 22F76", "arm64"},
	{ios, 30, "17.7.2 21H221", "arm64"},
	{ios, 15, "16.7.11 20H360", "arm64"},
}

// digits is how many hexadecimal digits an address has.
func (r *release) digits() int {
	if r.arch == "x86" || r.arch == "arm" {
		return 8
	}
	return 16
}

// cpus are processors by architecture.
var cpus = map[string][]string{
	"amd64": {"GenuineIntel family 6 model 154 stepping 3", "GenuineIntel family 6 model 142 stepping 12", "GenuineIntel family 6 model 183 stepping 1", "AuthenticAMD family 25 model 80 stepping 0", "AuthenticAMD family 23 model 113 stepping 0", "GenuineIntel family 6 model 94 stepping 3"},
	"x86":   {"GenuineIntel family 6 model 58 stepping 9", "GenuineIntel family 6 model 23 stepping 10", "AuthenticAMD family 16 model 6 stepping 3"},
	"arm64": {"", "ARMv8 family 8 model 1 stepping 0"},
	"arm":   {"", "ARMv7 family 7 model 0 stepping 5"},
}

// adapters are vendors and devices that facts/pci.ids names.
var adapters = [][2]string{
	{"0x8086", "0x9a49"},
	{"0x8086", "0x3ea0"},
	{"0x8086", "0x5917"},
	{"0x8086", "0x46a6"},
	{"0x8086", "0xa782"},
	{"0x8086", "0x5912"},
	{"0x8086", "0x0412"},
	{"0x8086", "0xa7a0"},
	{"0x10de", "0x1f9d"},
	{"0x10de", "0x2504"},
	{"0x10de", "0x1c03"},
	{"0x10de", "0x24e0"},
	{"0x10de", "0x1e84"},
	{"0x10de", "0x2786"},
	{"0x10de", "0x1b81"},
	{"0x1002", "0x67df"},
	{"0x1002", "0x164f"},
	{"0x1002", "0x1638"},
	{"0x1002", "0x731f"},
	{"0x1002", "0x73bf"},
	{"0x15ad", "0x0405"},
}

var drivers = []string{"32.0.15.7283", "31.0.101.5590", "30.0.13023.4001", "27.20.100.8681", "32.0.101.6647", "31.0.24033.1003"}

// phones are Android's devices: brand, manufacturer, model, and whose adapter they have.
var phones = [][4]string{
	{"samsung", "samsung", "SM-G991B", "ARM"},
	{"samsung", "samsung", "SM-A528B", "Qualcomm"},
	{"google", "Google", "Pixel 8", "ARM"},
	{"google", "Google", "Pixel 6a", "ARM"},
	{"Redmi", "Xiaomi", "Redmi Note 12", "Qualcomm"},
	{"POCO", "Xiaomi", "POCO X3 Pro", "Qualcomm"},
	{"OnePlus", "OnePlus", "OnePlus 11", "Qualcomm"},
	{"motorola", "motorola", "moto g power", "Imagination Technologies"},
	{"HUAWEI", "HUAWEI", "ELE-L29", "ARM"},
	{"OPPO", "OPPO", "CPH2495", "ARM"},
}

var abis = map[string]string{"arm64": "arm64-v8a", "arm": "armeabi-v7a", "amd64": "x86_64"}

var distributions = []string{"Ubuntu 24.04.2 LTS", "Ubuntu 22.04.5 LTS", "Arch Linux", "Debian GNU/Linux 12 (bookworm)", "Fedora Linux 42 (Workstation Edition)", "Linux Mint 22.1", "openSUSE Tumbleweed", "Home-made by " + Marker + " 1.0"}

var distributors = [platforms][]string{
	windows: {"mozilla", "mozilla", "mozilla", "mozilla-MSIX", "yearly-" + Marker},
	mac:     {"mozilla"},
	linux:   {"canonical-002", "archlinux", "debian", "fedora", "mozilla-flatpak", "mint-001", "built-by-" + Marker},
	android: {""}, ios: {""},
}

// machine is what installs have in common that run on the same kind of machine.
type machine struct {
	release     *release
	releaseAt   int // among releases
	system      schema.System
	memory      int64 // bytes
	annotations []schema.Annotation
	kinds       []annotation // of annotations
	unfit       annotationSet
	dump        facts.Dump
	of          facts.Facts // what all that gives
}

// machinesOf each platform there are.
var machinesOf = [platforms]int{700, 120, 320, 400, 60}

// machinePower: the kinds of machine that many people have.
const machinePower = 1.7

func newMachines(registry *schema.Registry) (all [platforms][]*machine) {
	for p := range platforms {
		var share []float64
		var at []int
		for i := range releases {
			if releases[i].platform == p {
				share, at = append(share, releases[i].share), append(at, i)
			}
		}
		w := newWeights(share)
		for n := range machinesOf[p] {
			s := streamOf(uint64(p), ofMachine, uint64(n)) // the world is the same for every seed
			all[p] = append(all[p], newMachine(&s, at[w.draw(&s)], registry))
		}
	}
	return all
}

func newMachine(s *stream, at int, registry *schema.Registry) *machine {
	r := &releases[at]
	m := &machine{release: r, releaseAt: at, memory: one(s, []int64{2, 4, 8, 8, 16, 16, 16, 32, 64})<<30 - int64(s.below(300))<<20}
	m.system = schema.System{OS: osNames[r.platform], OSVersion: r.version, CPUArch: r.arch, CPUInfo: one(s, cpus[r.arch]), CPUCount: int32(one(s, []int{2, 4, 4, 8, 8, 12, 16, 24}))}
	add := func(kind annotation, value string) {
		if value != "" {
			a := kind.with(value)
			m.annotations, m.kinds = append(m.annotations, a), append(m.kinds, kind)
			if publicAnnotations[kind] && !a.Public { // telephones give names where others give numbers
				m.unfit |= setOf(kind)
			}
		}
	}
	switch r.platform {
	case windows, linux, mac:
		if r.arch != "arm64" {
			adapter := one(s, adapters)
			add(adapterDevice, adapter[1])
			if r.platform == windows {
				add(adapterDriver, one(s, drivers))
			}
			add(adapterVendor, adapter[0])
			add(cpuMicrocode, fmt.Sprintf("0x%x", s.between(0x10, 0x500)))
		} else if r.platform == mac {
			add(adapterVendor, "0x106b")
		}
	case android:
		phone := one(s, phones)
		add(adapterVendor, phone[3])
		add(androidBrand, phone[0])
		add(androidABI, abis[r.arch])
		add(androidManufacturer, phone[1])
		add(androidModel, phone[2])
		add(androidVersion, r.version+" (REL)")
		m.memory = one(s, []int64{3, 4, 6, 8, 12})<<30 - int64(s.below(400))<<20
	default: // Apple's telephones say nothing
	}
	add(distributionID, one(s, distributors[r.platform]))
	switch {
	case r.platform == linux:
		m.dump.LinuxDescription = one(s, distributions)
	case r.platform == mac && s.chance(0.02):
		m.dump.MacBootArgs = "-v keepsyms=1 user=" + Marker
	}
	m.of = facts.Derive(facts.Input{Crash: &schema.ProcessedCrash{System: m.system, Annotations: m.annotations}, Registry: registry, Dump: m.dump})
	return m
}
