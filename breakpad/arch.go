package breakpad

// Arch is a processor architecture as the MODULE record names it.
type Arch uint8

// The architectures whose registers STACK CFI rules can name.
const (
	ArchUnknown Arch = iota
	X86
	AMD64
	ARM
	ARM64
	MIPS
	MIPS64
	RISCV64
)

// Register is the index of a register in [Registers]. Indices are per
// architecture; [Arch.RegisterNames] is in their order.
type Register uint8

// MaxRegisters bounds a Register; no supported architecture has more.
const MaxRegisters = 40

// NoRegister is a Register that no architecture has.
const NoRegister Register = 0xff

// Registers is a set of register values: Values[r] means something only if
// bit r of Valid is set. It is a plain value; copies are independent.
type Registers struct {
	Values [MaxRegisters]uint64
	Valid  uint64
}

// Get answers the value of r and whether it is valid. Asking for NoRegister is
// allowed: it is never valid.
func (rs *Registers) Get(r Register) (uint64, bool) {
	if r >= MaxRegisters || rs.Valid>>r&1 == 0 {
		return 0, false
	}
	return rs.Values[r], true
}

// Set makes r valid with value v; it ignores registers out of range.
func (rs *Registers) Set(r Register, v uint64) {
	if r < MaxRegisters {
		rs.Values[r] = v
		rs.Valid |= 1 << r
	}
}

// Clear makes r invalid.
func (rs *Registers) Clear(r Register) {
	if r < MaxRegisters {
		rs.Values[r] = 0
		rs.Valid &^= 1 << r
	}
}

// Indices of the registers that the evaluators of this package write by name.
const (
	X86EIP Register = iota
	X86ESP
	X86EBP
	X86EBX
	X86ESI
	X86EDI
)

type archInfo struct {
	name      string
	wordBytes int
	pc, sp    Register
	registers []string
	aliases   map[string]Register
}

var archs = [...]archInfo{
	ArchUnknown: {name: "unknown", wordBytes: 8, pc: NoRegister, sp: NoRegister},
	X86: {
		name: "x86", wordBytes: 4, pc: X86EIP, sp: X86ESP,
		registers: []string{"eip", "esp", "ebp", "ebx", "esi", "edi", "eax", "ecx", "edx", "eflags"},
	},
	AMD64: {
		name: "x86_64", wordBytes: 8, pc: 16, sp: 7,
		registers: []string{
			"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
			"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
		},
	},
	ARM: {
		name: "arm", wordBytes: 4, pc: 15, sp: 13,
		registers: []string{
			"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "fp", "r12", "sp", "lr", "pc",
		},
		aliases: map[string]Register{"r11": 11, "r13": 13, "r14": 14, "r15": 15},
	},
	ARM64: {
		name: "arm64", wordBytes: 8, pc: 32, sp: 31,
		registers: []string{
			"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			"x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "fp", "lr", "sp", "pc",
		},
		aliases: map[string]Register{"x29": 29, "x30": 30, "x31": 31},
	},
	MIPS:   {name: "mips", wordBytes: 4, pc: 32, sp: 29, registers: mipsRegisters},
	MIPS64: {name: "mips64", wordBytes: 8, pc: 32, sp: 29, registers: mipsRegisters},
	RISCV64: {
		name: "riscv64", wordBytes: 8, pc: 0, sp: 2,
		registers: []string{
			"pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
			"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
			"s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
		},
		aliases: map[string]Register{"fp": 8},
	},
}

var mipsRegisters = []string{
	"zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7",
	"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "t8", "t9", "k0", "k1", "gp", "sp", "fp", "ra", "pc",
}

func (a Arch) info() *archInfo {
	if int(a) >= len(archs) {
		a = ArchUnknown
	}
	return &archs[a]
}

// ParseArch reads the architecture field of a MODULE record; ArchUnknown for
// one that this package knows no registers of.
func ParseArch(name string) Arch {
	switch name {
	case "x86":
		return X86
	case "x86_64", "x86_64h", "amd64":
		return AMD64
	case "arm", "armv7", "armv7s":
		return ARM
	case "arm64", "arm64e", "aarch64":
		return ARM64
	case "mips":
		return MIPS
	case "mips64":
		return MIPS64
	case "riscv64":
		return RISCV64
	}
	return ArchUnknown
}

// String is the name that a MODULE record uses.
func (a Arch) String() string { return a.info().name }

// WordBytes is the size of a pointer.
func (a Arch) WordBytes() int { return a.info().wordBytes }

// PC is the instruction pointer, NoRegister for ArchUnknown.
func (a Arch) PC() Register { return a.info().pc }

// SP is the stack pointer, NoRegister for ArchUnknown.
func (a Arch) SP() Register { return a.info().sp }

// RegisterNames are the canonical names, without '$', in index order. The
// slice is shared: do not change it.
func (a Arch) RegisterNames() []string { return a.info().registers }

// Register finds a register by its canonical name or an alias ("r13", "x29"),
// without '$'.
func (a Arch) Register(name string) (Register, bool) {
	info := a.info()
	for i, n := range info.registers {
		if n == name {
			return Register(i), true
		}
	}
	r, ok := info.aliases[name]
	return r, ok
}
