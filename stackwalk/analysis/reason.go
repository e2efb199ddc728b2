package analysis

import "aftershock/minidump"

// reason is what the system says happened, as far as the analysis cares.
type reason struct {
	// violation is the access that Windows says it refused.
	violation AccessType
	// protectionFault: this is how the system reports the processor's general
	// protection fault, which comes without an address.
	protectionFault bool
	divideByZero    bool
	privileged      bool
	stackOverflow   bool
}

// Codes of winnt.h, of Linux' siginfo.h and of Mach's exception_types.h.
const (
	winAccessViolation = 0xc0000005
	winIntDivideByZero = 0xc0000094
	winPrivInstruction = 0xc0000096
	winStackOverflow   = 0xc00000fd

	sigBUS, sigFPE, sigSEGV = 7, 8, 11
	siKernel                = 0x80
	fpeIntDiv               = 1

	excBadAccess, excArithmetic = 1, 3
	excI386Div, excI386GPFault  = 1, 13
)

// reasonOf reads the exception. Parity: version 1 knows protection faults of
// Windows, macOS and Linux only.
func reasonOf(d *minidump.Dump, addr uint64, version int) reason {
	var r reason
	e := d.Exception
	switch os := d.System.OS; {
	case os == minidump.Windows:
		if e.Code == winAccessViolation && len(e.Parameters) > 0 {
			switch e.Parameters[0] { // EXCEPTION_RECORD.ExceptionInformation
			case 0:
				r.violation = Read
			case 1:
				r.violation = Write
			case 8:
				r.violation = Execute
			}
		}
		r.protectionFault = r.violation == Read && addr == ^uint64(0)
		r.divideByZero = e.Code == winIntDivideByZero
		r.privileged = e.Code == winPrivInstruction
		r.stackOverflow = e.Code == winStackOverflow
	case os.Apple():
		r.protectionFault = (version != 1 || os == minidump.MacOS) && e.Code == excBadAccess && e.Flags == excI386GPFault && addr == 0
		r.divideByZero = e.Code == excArithmetic && e.Flags == excI386Div
	case os == minidump.Linux || os == minidump.Android:
		r.protectionFault = (version != 1 || os == minidump.Linux) && (e.Code == sigSEGV || e.Code == sigBUS) && e.Flags == siKernel && addr == 0
		r.divideByZero = e.Code == sigFPE && e.Flags == fpeIntDiv
	}
	return r
}
