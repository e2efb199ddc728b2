package minidump_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// TestPackedMachReasons decodes the exceptions whose code has fields.
func TestPackedMachReasons(t *testing.T) {
	const (
		low     = 0x9abcdef0
		subcode = 0x1112131415161718
	)
	packed := func(exception, flags uint32, low uint64, params int) string {
		all := []uint64{uint64(exception), uint64(flags)<<32 | low, subcode}
		return parse(t, mac().Exception(1, exception, flags, 0, all[:params]...)).CrashReason()
	}
	for want, got := range map[string]string{
		"EXC_RESOURCE / RESOURCE_TYPE_CPU / FLAVOR_CPU_MONITOR interval: 20281789s CPU limit: 112% CPU consumed: 24%":                    packed(11, 0x24123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_CPU / 0x201234569abcdef0 / 0x1112131415161718":                                                     packed(11, 0x20123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_WAKEUPS / FLAVOR_WAKEUPS_MONITOR interval: 354731s wakeups permitted: 3824 wakeups observed: 1816": packed(11, 0x44123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_MEMORY / FLAVOR_HIGH_WATERMARK high watermark limit: 7920MiB":                                      packed(11, 0x64123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_IO / FLAVOR_IO_LOGICAL_WRITES interval: 79225s I/O limit: 24304% I/O observed: 5912%":              packed(11, 0x88123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_THREADS / FLAVOR_THREADS_HIGH_WATERMARK high watermark limit: 24304":                               packed(11, 0xa4123456, low, 3),
		"EXC_RESOURCE / 0xe0123456": packed(11, 0xe0123456, low, 3),
		"EXC_RESOURCE / RESOURCE_TYPE_MEMORY / 0x0000000000000000 / 0x0000000000000000": packed(11, 0x64123456, low, 1),
		"EXC_GUARD / GUARD_TYPE_NONE": packed(12, 5, low, 3),
		"EXC_GUARD / GUARD_TYPE_MACH_PORT / GUARD_EXC_INVALID_RIGHT port name: 119 subcode: 1230066625199609624":    packed(12, 0x20000100, 119, 3),
		"EXC_GUARD / GUARD_TYPE_MACH_PORT / GUARD_EXC_STRICT_REPLY port name: 119":                                  packed(12, 0x20000040, 119, 2),
		"EXC_GUARD / GUARD_TYPE_FD / GUARD_EXC_CLOSE file descriptor: 3 guard identifier: 1230066625199609624":      packed(12, 0x40000001, 3, 3),
		"EXC_GUARD / GUARD_TYPE_USER/ namespace: 119 guard identifier: 1230066625199609624":                         packed(12, 0x60000000, 119, 3),
		"EXC_GUARD / GUARD_TYPE_VN / GUARD_EXC_UNLINK pid: 42 guard identifier: 1230066625199609624":                packed(12, 0x80000004, 42, 3),
		"EXC_GUARD / GUARD_TYPE_VIRT_MEMORY / GUARD_EXC_DEALLOC_GAP offset: 1230066625199609624":                    packed(12, 0xa0000001, 42, 3),
		"EXC_GUARD / GUARD_TYPE_REJECTED_SC / GUARD_EXC_MACH_TRAP syscall: 1230066625199609624":                     packed(12, 0xc0000000, 42, 3),
		"EXC_GUARD / GUARD_TYPE_FD / 0x4000008000000077 / 0x1112131415161718":                                       packed(12, 0x40000080, 0x77, 3),
		"EXC_GUARD / GUARD_TYPE_MACH_PORT / GUARD_EXC_THREAD_SET_STATE port name: 119 subcode: 1230066625199609624": packed(12, 0x20000005, 119, 3),
		"Simulated Exception": packed(0x43507378, 7, 0, 1),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestReasons names exceptions by the code and the first of its details.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		cpu         minidump.CPU
		os          minidump.OS
		code, flags uint32
		params      []uint64
		want        string
	}{
		{minidump.CPUAMD64, minidump.Windows, 0xe0434352, 0, nil, "MANAGED_EXCEPTION_CODE_V4"},
		{minidump.CPUAMD64, minidump.Windows, 0xc0000006, 0, []uint64{0, 0x10, 0}, "EXCEPTION_IN_PAGE_ERROR_READ / STATUS_SUCCESS"},
		{minidump.CPUAMD64, minidump.Windows, 0xc0000006, 0, []uint64{1, 0x10, 0xc000cf20}, "EXCEPTION_IN_PAGE_ERROR_WRITE / STATUS_CLOUD_FILE_DEHYDRATION_DISALLOWED"},
		{minidump.CPUARM64, minidump.IOS, 1, 0x104, nil, "EXC_BAD_ACCESS / EXC_ARM_SWP"},
		{minidump.CPUARM64, minidump.MacOS, 1, 0x105, nil, "EXC_BAD_ACCESS / EXC_ARM_PAC_FAIL"},
		{minidump.CPUAMD64, minidump.MacOS, 1, 0x105, nil, "EXC_BAD_ACCESS / 0x00000105"},
		{minidump.CPUPPC, minidump.MacOS, 1, 0x102, nil, "EXC_BAD_ACCESS / EXC_PPC_BADSPACE"},
		{minidump.CPUPPC, minidump.MacOS, 3, 9, nil, "EXC_ARITHMETIC / EXC_PPC_ALTIVECASSIST"},
		{minidump.CPUAMD64, minidump.MacOS, 5, 0x10100, nil, "EXC_SOFTWARE / EXC_PPC_MIGRATE"},
	} {
		if got := parse(t, minidumptest.New(c.cpu, c.os).Exception(1, c.code, c.flags, 0, c.params...)).CrashReason(); got != c.want {
			t.Errorf("%#x, %#x: got %q, want %q", c.code, c.flags, got, c.want)
		}
	}
}

func TestWindowsErrorText(t *testing.T) {
	for code, want := range map[uint32]string{
		0:          "ERROR_SUCCESS",
		514:        "ERROR_BLOCK_SHARED", // in newer headers only
		1722:       "RPC_S_SERVER_UNAVAILABLE",
		0x102:      "STATUS_TIMEOUT",
		10054:      "WSAECONNRESET",
		0x80000033: "STATUS_RETURN_ADDRESS_HIJACK_ATTEMPT",
		0xc0000005: "STATUS_ACCESS_VIOLATION",
		0xc06d007f: "FACILITY_VISUALCPP / ERROR_PROC_NOT_FOUND",
		0xc0000911: "STATUS_SECTION_DIRECT_MAP_ONLY", // of newer SDKs
		0xc0ee020d: "STATUS_PRM_INTERFACE_INACCESSIBLE",
		0x80010001: "DBG_EXCEPTION_NOT_HANDLED",
		0xc0001234: "unknown 0xc0001234",
		0xffffffff: "unknown 0xffffffff",
	} {
		if got := minidump.WindowsErrorText(code); got != want {
			t.Errorf("%#x: got %q, want %q", code, got, want)
		}
	}
}

func TestCPUInfo(t *testing.T) {
	// The builder writes "GenuineIntel" there for every CPU.
	for _, c := range []struct {
		cpu  minidump.CPU
		want string
	}{
		{minidump.CPUX86, "GenuineIntel family 6 model 42 stepping 7"},
		{minidump.CPUARM, "ARMv6 vendor(0x75) part(0x75006540) features: swp,26bit,fpa,vfpv2,iwmmxt,crunch,thumbee,vfpv3,vfpv3d16,vfpv4,idivt"},
	} {
		d := parse(t, minidumptest.New(c.cpu, minidump.Android))
		if d.System.CPUInfo != c.want {
			t.Errorf("%v: %q", c.cpu, d.System.CPUInfo)
		}
	}
}
