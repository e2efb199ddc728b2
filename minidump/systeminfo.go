package minidump

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"aftershock/internal/cursor"
)

// OS is the operating system, from the platform id.
type OS uint8

// The operating systems that platform ids name.
const (
	OSUnknown OS = iota
	Windows
	MacOS
	IOS
	Linux
	Android
	Solaris
	PS3
	NaCl
)

var osNames = [...]string{"unknown", "Windows NT", "Mac OS X", "iOS", "Linux", "Android", "Solaris", "PS3", "NaCl"}

// String is the name that Breakpad's tools print.
func (o OS) String() string { return osNames[o] }

// Apple tells whether crash codes are Mach exceptions.
func (o OS) Apple() bool { return o == MacOS || o == IOS }

func osOf(platform uint32) OS {
	switch platform {
	case 2, 3: // VER_PLATFORM_WIN32_NT, _CE
		return Windows
	case 0x8101:
		return MacOS
	case 0x8102:
		return IOS
	case 0x8201:
		return Linux
	case 0x8202:
		return Solaris
	case 0x8203:
		return Android
	case 0x8204:
		return PS3
	case 0x8205:
		return NaCl
	}
	return OSUnknown
}

// CPU is the processor architecture of the process.
type CPU uint8

// The processors that system info can name.
const (
	CPUUnknown CPU = iota
	CPUX86
	CPUAMD64
	CPUARM
	CPUARM64
	CPUMIPS
	CPUMIPS64
	CPUPPC
	CPUPPC64
	CPUSPARC
	CPURISCV
	CPURISCV64
)

var cpuNames = [...]string{
	"unknown", "x86", "amd64", "arm", "arm64", "mips", "mips64", "ppc", "ppc64", "sparc", "riscv", "riscv64",
}

// String is the name that Breakpad's tools print.
func (c CPU) String() string { return cpuNames[c] }

// WordBytes is the size of a pointer, 8 for an unknown CPU.
func (c CPU) WordBytes() int {
	switch c {
	case CPUX86, CPUARM, CPUMIPS, CPUPPC, CPUSPARC, CPURISCV:
		return 4
	default:
		return 8
	}
}

// architectureARM64Old is Breakpad's number for arm64 from before Microsoft had
// one. Contexts have another layout under it.
const architectureARM64Old = 0x8003

// cpuOf maps PROCESSOR_ARCHITECTURE_* of winnt.h and Breakpad's additions.
func cpuOf(architecture uint16) CPU {
	switch architecture {
	case 0, 10: // INTEL, IA32_ON_WIN64
		return CPUX86
	case 1:
		return CPUMIPS
	case 3:
		return CPUPPC
	case 5:
		return CPUARM
	case 9:
		return CPUAMD64
	case 12, architectureARM64Old:
		return CPUARM64
	case 0x8001:
		return CPUSPARC
	case 0x8002:
		return CPUPPC64
	case 0x8004:
		return CPUMIPS64
	case 0x8005:
		return CPURISCV
	case 0x8006:
		return CPURISCV64
	}
	return CPUUnknown
}

// SystemInfo is MINIDUMP_SYSTEM_INFO with what other streams add to it.
type SystemInfo struct {
	OS  OS
	CPU CPU
	// Platform and Architecture are the raw ids, for when OS or CPU is unknown.
	Platform     uint32
	Architecture uint16
	// Version is "major.minor.build"; Build the service pack or kernel build
	// text, "" for none. On Linux both may come from the uname text.
	Version, Build string
	// CPUInfo is "family F model M stepping S" with the vendor before it on
	// x86; "" when unknown.
	CPUInfo  string
	CPUCount int
	// Microcode is the revision from /proc/cpuinfo, valid if HasMicrocode.
	Microcode    uint64
	HasMicrocode bool
}

// OSVersion is Version and Build in one text.
func (s *SystemInfo) OSVersion() string {
	return strings.TrimSpace(s.Version + " " + s.Build)
}

func (d *Dump) readSystemInfo(c *cursor.Cursor) bool {
	var s SystemInfo
	s.Architecture = c.U16()
	level, revision := c.U16(), c.U16()
	s.CPUCount = int(c.U8())
	c.Skip(1) // product type
	major, minor, build := c.U32(), c.U32(), c.U32()
	s.Platform = c.U32()
	csdRVA := c.U32()
	c.Skip(4)             // suite mask, reserved
	var variant [3]uint32 // x86: the vendor's name; arm: CPUID and hardware capabilities
	for i := range variant {
		variant[i] = c.U32()
	}
	c.Skip(12) // x86: version information, features, AMD features
	if c.Err() != nil {
		return false
	}
	s.OS, s.CPU = osOf(s.Platform), cpuOf(s.Architecture)
	s.Version = dotted(major, minor, build)
	if csd, ok := d.textAt(uint64(csdRVA)); ok {
		// With a wrong size it goes on into memory of the process.
		csd, _, _ = strings.Cut(csd[:min(len(csd), maxBuildBytes)], "\x00")
		s.Build = strings.TrimSpace(strings.ToValidUTF8(csd, ""))
	}
	if (s.OS == Linux || s.OS == Android) && s.Version == "0.0.0" {
		s.Version, s.Build = parseUname(s.Build)
	}
	family := "family " + strconv.Itoa(int(level)) + " model " + strconv.Itoa(int(revision>>8)) + " stepping " + strconv.Itoa(int(revision&0xff))
	switch s.CPU {
	case CPUX86:
		var vendor []byte
		for _, v := range variant {
			vendor = binary.LittleEndian.AppendUint32(vendor, v)
		}
		var text []byte
		for _, b := range vendor { // ASCII; other bytes are shown as Latin-1
			text = utf8.AppendRune(text, rune(b))
		}
		s.CPUInfo = string(text) + " " + family
	case CPUAMD64:
		s.CPUInfo = family
	case CPUARM:
		s.CPUInfo = armInfo(level, variant[0], variant[1])
	default:
	}
	if !d.contextSupported(s.CPU) {
		d.find(FindingCPUUnsupported, -1)
	}
	d.System = &s
	return true
}

// parseUname takes "Linux VERSION BUILD... ARCH" apart, the text that
// Breakpad's Linux writer puts where Windows has the service pack.
func parseUname(uname string) (version, build string) {
	fields := strings.Split(uname, " ")
	if len(fields) < 2 {
		return "0.0.0", uname
	}
	rest := fields[2:]
	for i, f := range rest {
		switch f {
		case "i386", "i586", "i686", "x86_64", "amd64", "arm", "armv7l", "armv8l", "aarch64", "arm64", "mips", "mips64", "ppc64", "riscv64", "GNU/Linux":
			rest = rest[:i]
		default:
			continue
		}
		break
	}
	return fields[1], strings.Join(rest, " ")
}

// cpuOrUnknown is the CPU, also without system info.
func (d *Dump) cpuOrUnknown() CPU {
	if d.System == nil {
		return CPUUnknown
	}
	return d.System.CPU
}

// on tells whether the dump is from one of these systems.
func (d *Dump) on(systems ...OS) bool {
	return d.System != nil && slices.Contains(systems, d.System.OS)
}

// finishSystemInfo adds the microcode revision, which Linux tells in
// /proc/cpuinfo.
func (d *Dump) finishSystemInfo() {
	if d.System == nil {
		return
	}
	microcode := keyValue(d.linuxText(StreamLinuxCPUInfo), ':', "microcode")
	if v, err := strconv.ParseUint(strings.TrimPrefix(microcode, "0x"), 16, 64); err == nil {
		d.System.Microcode, d.System.HasMicrocode = v, true
	}
}
