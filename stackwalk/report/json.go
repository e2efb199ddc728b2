package report

import (
	"cmp"
	"fmt"
	"io"

	"aftershock/minidump"
	"aftershock/stackwalk/analysis"
)

// JSON writes one document in the schema of minidump-stackwalk 0.27's --json:
// one line, or, when indented, by two spaces. Keys are in the reference's
// order, which is alphabetical. With Input.NoAnalysis what the analysis says is
// null.
func JSON(w io.Writer, in Input, indented bool) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	d := document{Input: in, jsonWriter: jsonWriter{out: w, indented: indented, b: (*buffer)[:0]}}
	d.all()
	d.b = append(d.b, '\n')
	if d.flush(); d.err != nil {
		return fmt.Errorf("walk report: %w", d.err)
	}
	return nil
}

// document writes the JSON of its Input.
type document struct {
	Input
	jsonWriter
	names []string // of modules, those that have been asked for
	// byName is what is told of the symbols of modules with this name.
	byName map[string]Symbols
}

// moduleName is Module.CodeName, decoded once.
func (d *document) moduleName(i int) string {
	if d.names == nil {
		d.names = make([]string, len(d.Dump.Modules))
	}
	if d.names[i] == "" {
		d.names[i] = d.Dump.Modules[i].CodeName()
	}
	return d.names[i]
}

func (d *document) address(v uint64) {
	d.b = append(d.Dump.AppendAddress(append(d.b, '"'), v), '"')
}

func (d *document) all() {
	dump := d.Dump
	d.open('{')
	d.key("crash_info")
	d.crashInfo()
	d.key("crashing_thread")
	if i := d.Walk.CrashingThread; i >= 0 && len(d.Walk.Threads[i].Frames) > 0 {
		d.thread(i, true)
	} else {
		d.null()
	}
	d.handles()
	d.linux()
	d.mac()
	d.key("main_module")
	d.int(0)
	d.key("modules")
	d.open('[')
	for i := range dump.Modules {
		d.element()
		d.module(i)
	}
	d.close(']')
	d.key("modules_contains_cert_info")
	d.bool(false)
	d.process()
	d.key("soft_errors")
	d.raw(dump.SoftErrors)
	d.key("status")
	d.text("OK")
	d.key("system_info")
	d.systemInfo()
	d.key("thread_count")
	d.int(len(dump.Threads))
	d.key("threads")
	d.open('[')
	for i := range d.Walk.Threads {
		d.element()
		d.thread(i, false)
	}
	d.close(']')
	d.key("unloaded_modules")
	d.open('[')
	for i := range dump.UnloadedModules {
		d.element()
		d.unloadedModule(&dump.UnloadedModules[i])
	}
	d.close(']')
	d.close('}')
}

func (d *document) handles() {
	d.key("handles")
	if len(d.Dump.Handles) == 0 {
		d.null()
		return
	}
	d.open('[')
	for i := range d.Dump.Handles {
		h := &d.Dump.Handles[i]
		d.element()
		d.open('{')
		d.key("handle")
		d.uint(h.Handle)
		d.key("object_name")
		d.optional(h.ObjectName)
		d.key("type_name")
		d.optional(h.TypeName)
		d.close('}')
	}
	d.close(']')
}

func (d *document) linux() {
	d.key("linux_memory_map_count")
	if d.Dump.HasLinuxMaps() && (d.Walk.Version != 1 || d.Dump.StrictLinuxMaps()) {
		d.int(len(d.Dump.LinuxMaps))
	} else {
		d.null()
	}
	d.key("lsb_release")
	r := d.Dump.LinuxRelease
	if r == nil {
		d.null()
		return
	}
	d.open('{')
	for _, field := range [...][2]string{{"codename", r.Codename}, {"description", r.Description}, {"id", r.ID}, {"release", r.Release}} {
		d.key(field[0])
		d.text(field[1])
	}
	d.close('}')
}

func (d *document) mac() {
	d.key("mac_boot_args")
	d.optional(d.Dump.MacBootArgs)
	d.key("mac_crash_info")
	records := d.Dump.MacCrashRecords
	if records == nil {
		d.null()
		return
	}
	d.open('{')
	d.key("num_records")
	d.int(len(records))
	d.key("records")
	d.open('[')
	for i := range records {
		d.element()
		d.macCrashRecord(&records[i])
	}
	d.close(']')
	d.close('}')
}

func (d *document) macCrashRecord(r *minidump.MacCrashRecord) {
	number := func(key string, v uint64) {
		if d.key(key); v == 0 {
			d.null()
		} else {
			d.address(v)
		}
	}
	text := func(key, s string) {
		d.key(key)
		d.optional(s)
	}
	d.open('{')
	number("abort_cause", r.AbortCause)
	text("backtrace", r.Backtrace)
	number("dialog_mode", r.DialogMode)
	text("message", r.Message)
	text("message2", r.Message2)
	text("module", r.Module)
	text("signature_string", r.Signature)
	number("thread", r.Thread)
	d.close('}')
}

// process writes what is known of the process as a whole.
func (d *document) process() {
	d.key("pid")
	if pid, ok := d.Dump.ProcessID(); ok {
		d.uint(uint64(pid))
	} else {
		d.null()
	}
	d.key("proc_limits")
	d.limits()
	d.key("process_uptime")
	seconds, ok := d.Dump.Uptime()
	if _, created := d.Dump.CreateTime(); ok || created { // 0 when the clock went back
		d.uint(uint64(seconds))
	} else {
		d.null()
	}
}

func (d *document) limits() {
	limits := d.Dump.LinuxLimits()
	if len(limits) == 0 {
		d.null()
		return
	}
	d.open('{')
	d.key("limits")
	d.open('[')
	for _, l := range limits {
		d.element()
		d.open('{')
		for _, field := range [...][2]string{{"hard", l.Hard}, {"name", l.Name}, {"soft", l.Soft}, {"unit", l.Unit}} {
			d.key(field[0])
			d.text(field[1])
		}
		d.close('}')
	}
	d.close(']')
	d.close('}')
}

func (d *document) crashInfo() {
	a := d.analysis()
	analyzed := a != nil
	if !analyzed {
		a = &analysis.Analysis{}
	}
	addr, crashed := d.Dump.CrashAddress()
	d.open('{')
	d.key("address")
	if crashed {
		d.address(addr)
	} else {
		d.null()
	}
	d.key("adjusted_address")
	d.adjusted(a.Adjusted)
	if d.key("crash_inconsistencies"); analyzed {
		d.inconsistencies(a.Inconsistencies)
	} else {
		d.null()
	}
	d.key("crashing_thread")
	if i := d.Walk.CrashingThread; i >= 0 {
		d.int(i)
	} else {
		d.null()
	}
	d.key("instruction")
	d.optional(a.Instruction)
	d.key("instruction_pointer_update")
	if a.HasTarget {
		d.open('{')
		d.key("address")
		d.address(a.Target)
		d.close('}')
	} else {
		d.null()
	}
	d.key("memory_accesses")
	d.accesses(a.Accesses)
	d.key("possible_bit_flips")
	d.bitFlips(a.BitFlips)
	d.key("type")
	if crashed {
		d.optional(d.Dump.CrashReason())
	} else {
		d.null()
	}
	d.close('}')
}

func (d *document) adjusted(a *analysis.Adjusted) {
	if a == nil {
		d.null()
		return
	}
	d.open('{')
	if a.Kind != analysis.NullPointer {
		d.key("address")
		d.address(a.Address)
	}
	d.key("kind")
	d.text(string(a.Kind))
	if a.Kind == analysis.NullPointer {
		d.key("offset")
		d.address(a.Address)
	}
	d.close('}')
}

func (d *document) inconsistencies(list []analysis.Inconsistency) {
	d.open('[')
	for _, i := range list {
		d.element()
		d.text(string(i))
	}
	d.close(']')
}

func (d *document) accesses(list []analysis.Access) {
	if list == nil {
		d.null()
		return
	}
	d.open('[')
	for i := range list {
		a := &list[i]
		d.element()
		d.open('{')
		if kind := a.Type.String(); kind != "" {
			d.key("access_type")
			d.text(kind)
		}
		d.key("address")
		d.address(a.Address)
		if a.GuardPage {
			d.key("is_likely_guard_page")
			d.bool(true)
		}
		if d.key("size"); a.Size > 0 {
			d.int(a.Size)
		} else {
			d.null()
		}
		d.close('}')
	}
	d.close(']')
}

func (d *document) bitFlips(list []analysis.BitFlip) {
	if len(list) == 0 {
		d.null()
		return
	}
	d.open('[')
	for i := range list {
		b := &list[i]
		d.element()
		d.open('{')
		d.key("address")
		d.address(b.Address)
		d.key("confidence")
		d.float(float64(b.Confidence))
		d.key("details")
		d.open('{')
		d.key("is_null")
		d.bool(b.IsNull)
		d.key("nearby_registers")
		d.int(b.NearbyRegisters)
		d.key("poison_registers")
		d.bool(b.PoisonRegisters)
		d.key("was_low")
		d.bool(b.WasLow)
		d.key("was_non_canonical")
		d.bool(b.WasNonCanonical)
		d.close('}')
		d.key("source_register")
		d.optional(b.Register)
		d.close('}')
	}
	d.close(']')
}

func (d *document) systemInfo() {
	s := d.Dump.System
	if s == nil {
		s = &minidump.SystemInfo{}
	}
	d.open('{')
	d.key("cpu_arch")
	d.text(s.CPU.String())
	d.key("cpu_count")
	d.int(s.CPUCount)
	d.key("cpu_info")
	d.optional(s.CPUInfo)
	d.key("cpu_microcode_version")
	if s.HasMicrocode {
		d.hex(s.Microcode, 1)
	} else {
		d.null()
	}
	d.key("os")
	if s.OS == minidump.OSUnknown && d.Dump.System != nil {
		d.hex(uint64(s.Platform), 6)
	} else {
		d.text(s.OS.String())
	}
	d.key("os_ver")
	d.optional(s.OSVersion())
	d.close('}')
}

// symbolsByName are those of the last module with the name of this one that
// anybody asked for. Parity: that is how the reference keeps them.
func (d *document) symbolsByName(i int) Symbols {
	if d.byName == nil {
		d.byName = map[string]Symbols{}
		for i := range d.Dump.Modules {
			if s := d.symbols(i); s.Status != SymbolsUnused {
				d.byName[d.moduleName(i)] = s
			}
		}
	}
	return d.byName[d.moduleName(i)]
}

// nilDebugID is what the reference prints for a module without a debug id.
const nilDebugID = "000000000000000000000000000000000"

func (d *document) module(i int) {
	m := &d.Dump.Modules[i]
	symbols := d.symbolsByName(i)
	d.open('{')
	d.key("base_addr")
	d.address(m.Base)
	d.key("code_id")
	d.text(m.CodeID())
	d.key("corrupt_symbols")
	d.bool(symbols.Status == SymbolsCorrupt)
	d.key("debug_file")
	d.text(m.DebugName())
	d.key("debug_id")
	d.text(cmp.Or(m.DebugID(), nilDebugID))
	d.key("end_addr")
	d.address(m.End())
	d.key("filename")
	d.text(d.moduleName(i))
	d.key("loaded_symbols")
	d.bool(symbols.Status == SymbolsLoaded || symbols.Status == SymbolsCorrupt)
	d.key("missing_symbols")
	d.bool(symbols.Status == SymbolsMissing)
	d.key("symbol_url")
	d.optional(symbols.URL)
	d.key("version")
	d.optional(m.Version())
	d.close('}')
}

func (d *document) unloadedModule(m *minidump.UnloadedModule) {
	d.open('{')
	d.key("base_addr")
	d.address(m.Base)
	d.key("code_id")
	d.text(m.CodeID)
	d.key("end_addr")
	d.address(m.End())
	d.key("filename")
	d.text(m.CodeFile) // parity: only of loaded modules the path is cut off
	d.close('}')
}
