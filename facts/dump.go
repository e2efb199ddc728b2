package facts

import (
	"aftershock/minidump"
	"aftershock/stackwalk/analysis"
)

// Dump is what the main dump says beside what the processed crash has of it.
type Dump struct {
	Analysis *analysis.Analysis // nil if the process did not crash

	LinuxDescription string
	MacBootArgs      string
	MacCrashRecords  []minidump.MacCrashRecord
	Assertion        *minidump.Assertion
	SoftErrors       []byte
}

// DumpOf collects it from a dump and its analysis, nil for none. The result aliases both.
func DumpOf(d *minidump.Dump, a *analysis.Analysis) Dump {
	out := Dump{
		Analysis: a, MacBootArgs: d.MacBootArgs, MacCrashRecords: d.MacCrashRecords, Assertion: d.Assertion, SoftErrors: d.SoftErrors,
	}
	if d.LinuxRelease != nil {
		out.LinuxDescription = d.LinuxRelease.Description
	}
	return out
}

// maxSoftErrors is how much the reference keeps of them (Socorro, SoftErrorsRule).
const maxSoftErrors = 4096

// writer is what the dump's writer says of its own work.
func (d *derivation) writer() {
	if len(d.Dump.SoftErrors) > 0 {
		d.prot.SoftErrors = long(string(d.Dump.SoftErrors), maxSoftErrors)
	}
}
