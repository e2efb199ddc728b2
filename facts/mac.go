package facts

import (
	"encoding/json"

	"aftershock/schema"
)

// mac is what macOS says beside the crash.
func (d *derivation) mac() {
	if d.Crash.System.OS == macOS {
		d.pub.HasMacBootArgs = new(d.Dump.MacBootArgs != "")
	}
	d.prot.MacBootArgs = text(d.Dump.MacBootArgs)
	if len(d.Dump.MacCrashRecords) == 0 {
		return
	}
	records := make([]map[string]any, 0, len(d.Dump.MacCrashRecords))
	for i := range d.Dump.MacCrashRecords {
		r := &d.Dump.MacCrashRecords[i]
		record := map[string]any{}
		for name, value := range map[string]string{
			"module": r.Module, "message": r.Message, "signature_string": r.Signature, "backtrace": r.Backtrace, "message2": r.Message2,
		} {
			if value != "" {
				record[name] = schema.CutText(value, maxText)
			}
		}
		for name, value := range map[string]uint64{"thread": r.Thread, "dialog_mode": r.DialogMode, "abort_cause": r.AbortCause} {
			if value != 0 {
				record[name] = value
			}
		}
		records = append(records, record)
	}
	all, err := json.Marshal(map[string]any{"num_records": len(records), "records": records})
	if err != nil || len(all) > maxMacCrashInfo {
		d.note(schema.NoteFactTooLarge)
		return
	}
	d.prot.MacCrashInfo = new(string(all))
}

// maxMacCrashInfo holds the most records, each with its texts cut.
const maxMacCrashInfo = 128 << 10
