package minidump

import "fmt"

// Mach exceptions whose codes are packed into 64 bits.
const (
	excResource = 11
	excGuard    = 12
)

// machPacked names an EXC_RESOURCE or EXC_GUARD. Both have their type in the
// highest three bits of the code, of which Flags are the upper half; code and
// subcode stand whole in the second and third parameter. ok is false for a type
// without a name.
func machPacked(name string, e *Exception) (text string, ok bool) {
	var code, subcode uint64
	if len(e.Parameters) > 1 {
		code = e.Parameters[1]
	}
	if len(e.Parameters) > 2 {
		subcode = e.Parameters[2]
	}
	types, detail := resourceTypes, resourceDetail
	if e.Code == excGuard {
		types, detail = guardTypes, guardDetail
	}
	typ := e.Flags >> 29
	typeName, ok := types[typ]
	if !ok {
		return "", false
	}
	text, ok = detail(typ, code, subcode)
	if !ok {
		text = fmt.Sprintf(" / 0x%016x / 0x%016x", code, subcode)
	}
	return name + " / " + typeName + text, true
}

// resourceTypes and flavors are RESOURCE_TYPE_* and FLAVOR_* of XNU's
// sys/resource headers (osfmk/kern/exc_resource.h).
var resourceTypes = map[uint32]string{
	1: "RESOURCE_TYPE_CPU", 2: "RESOURCE_TYPE_WAKEUPS", 3: "RESOURCE_TYPE_MEMORY", 4: "RESOURCE_TYPE_IO", 5: "RESOURCE_TYPE_THREADS",
}

func resourceDetail(typ uint32, code, subcode uint64) (string, bool) {
	field := func(v uint64, shift, bits uint) uint64 { return v >> shift & (1<<bits - 1) }
	switch flavor := field(code, 58, 3); {
	case typ == 1 && (flavor == 1 || flavor == 2):
		// The reference takes the low three bits of the percentages only.
		return fmt.Sprintf(" / %s interval: %ds CPU limit: %d%% CPU consumed: %d%%",
			[...]string{"FLAVOR_CPU_MONITOR", "FLAVOR_CPU_MONITOR_FATAL"}[flavor-1], field(code, 7, 25), field(code, 0, 7), field(subcode, 0, 7)), true
	case typ == 2 && flavor == 1:
		return fmt.Sprintf(" / FLAVOR_WAKEUPS_MONITOR interval: %ds wakeups permitted: %d wakeups observed: %d",
			field(code, 20, 20), field(code, 0, 12), field(subcode, 0, 12)), true
	case typ == 3 && flavor == 1:
		return fmt.Sprintf(" / FLAVOR_HIGH_WATERMARK high watermark limit: %dMiB", field(code, 0, 13)), true
	case typ == 4 && (flavor == 1 || flavor == 2):
		return fmt.Sprintf(" / %s interval: %ds I/O limit: %d%% I/O observed: %d%%",
			[...]string{"FLAVOR_IO_PHYSICAL_WRITES", "FLAVOR_IO_LOGICAL_WRITES"}[flavor-1], field(code, 15, 17), field(code, 0, 15), field(subcode, 0, 15)), true
	case typ == 5 && flavor == 1:
		return fmt.Sprintf(" / FLAVOR_THREADS_HIGH_WATERMARK high watermark limit: %d", field(code, 0, 15)), true
	}
	return "", false
}

// Types of EXC_GUARD (osfmk/kern/exc_guard.h).
const (
	guardNone = iota
	guardMachPort
	guardFD
	guardUser
	guardVN
	guardVirtMemory
	guardRejectedSyscall
)

var guardTypes = map[uint32]string{
	guardNone: "GUARD_TYPE_NONE", guardMachPort: "GUARD_TYPE_MACH_PORT", guardFD: "GUARD_TYPE_FD", guardUser: "GUARD_TYPE_USER",
	guardVN: "GUARD_TYPE_VN", guardVirtMemory: "GUARD_TYPE_VIRT_MEMORY", guardRejectedSyscall: "GUARD_TYPE_REJECTED_SC",
}

// guardFlavors are the bits between type and target (osfmk/mach/port.h,
// bsd/sys/guarded.h, osfmk/mach/vm_statistics.h).
var guardFlavors = map[uint32]map[uint32]string{
	guardMachPort: {
		1 << 0: "GUARD_EXC_DESTROY", 1 << 1: "GUARD_EXC_MOD_REFS", 3: "GUARD_EXC_INVALID_OPTIONS", 1 << 2: "GUARD_EXC_SET_CONTEXT", 5: "GUARD_EXC_THREAD_SET_STATE", 1 << 3: "GUARD_EXC_UNGUARDED",
		1 << 4: "GUARD_EXC_INCORRECT_GUARD", 1 << 5: "GUARD_EXC_IMMOVABLE", 1 << 6: "GUARD_EXC_STRICT_REPLY", 1 << 7: "GUARD_EXC_MSG_FILTERED",
		1 << 8: "GUARD_EXC_INVALID_RIGHT", 1 << 9: "GUARD_EXC_INVALID_NAME", 1 << 10: "GUARD_EXC_INVALID_VALUE",
		1 << 11: "GUARD_EXC_INVALID_ARGUMENT", 1 << 12: "GUARD_EXC_RIGHT_EXISTS", 1 << 13: "GUARD_EXC_KERN_NO_SPACE",
		1 << 14: "GUARD_EXC_KERN_FAILURE", 1 << 15: "GUARD_EXC_KERN_RESOURCE", 1 << 16: "GUARD_EXC_SEND_INVALID_REPLY",
		1 << 17: "GUARD_EXC_SEND_INVALID_VOUCHER", 1 << 18: "GUARD_EXC_SEND_INVALID_RIGHT", 1 << 19: "GUARD_EXC_RCV_INVALID_NAME",
		1 << 20: "GUARD_EXC_RCV_GUARDED_DESC", 1 << 21: "GUARD_EXC_MOD_REFS_NON_FATAL", 1 << 22: "GUARD_EXC_IMMOVABLE_NON_FATAL",
		1 << 23: "GUARD_EXC_REQUIRE_REPLY_PORT_SEMANTICS", 1 << 24: "GUARD_EXC_EXCEPTION_BEHAVIOR_ENFORCE",
	},
	guardFD: {
		1 << 0: "GUARD_EXC_CLOSE", 1 << 1: "GUARD_EXC_DUP", 1 << 2: "GUARD_EXC_NOCLOEXEC", 1 << 3: "GUARD_EXC_SOCKET_IPC",
		1 << 4: "GUARD_EXC_FILEPORT", 1 << 5: "GUARD_EXC_MISMATCH", 1 << 6: "GUARD_EXC_WRITE",
	},
	guardVN: {
		1 << 0: "GUARD_EXC_RENAME_TO", 1 << 1: "GUARD_EXC_RENAME_FROM", 1 << 2: "GUARD_EXC_UNLINK", 1 << 3: "GUARD_EXC_WRITE_OTHER",
		1 << 4: "GUARD_EXC_TRUNC_OTHER", 1 << 5: "GUARD_EXC_LINK", 1 << 6: "GUARD_EXC_EXCHDATA",
	},
	guardVirtMemory:      {1 << 0: "GUARD_EXC_DEALLOC_GAP"},
	guardRejectedSyscall: {0: "GUARD_EXC_MACH_TRAP"},
}

func guardDetail(typ uint32, code, subcode uint64) (string, bool) {
	target := uint32(code) // the reference drops four bits of some
	switch typ {
	case guardNone:
		return "", true
	case guardUser:
		return fmt.Sprintf("/ namespace: %d guard identifier: %d", target, subcode), true
	}
	flavor, ok := guardFlavors[typ][uint32(code>>32)&(1<<29-1)]
	if !ok {
		return "", false
	}
	flavor = " / " + flavor
	switch typ {
	case guardMachPort:
		if subcode == 0 {
			return fmt.Sprintf("%s port name: %d", flavor, target), true
		}
		return fmt.Sprintf("%s port name: %d subcode: %d", flavor, target, subcode), true
	case guardFD:
		return fmt.Sprintf("%s file descriptor: %d guard identifier: %d", flavor, target, subcode), true
	case guardVN:
		return fmt.Sprintf("%s pid: %d guard identifier: %d", flavor, target, subcode), true
	case guardVirtMemory:
		return fmt.Sprintf("%s offset: %d", flavor, subcode), true
	default:
		return fmt.Sprintf("%s syscall: %d", flavor, subcode), true
	}
}
