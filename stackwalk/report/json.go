package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/analysis"
)

// JSON writes one document in the schema of minidump-stackwalk 0.27's --json,
// indented by two spaces. With Input.NoAnalysis what the analysis says is null.
func JSON(w io.Writer, in Input) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document(in)); err != nil {
		return fmt.Errorf("walk report: %w", err)
	}
	return nil
}

// The JSON types name their fields in the order of the keys, which is
// alphabetical like in the reference. A nil pointer is null.
type (
	jsonDocument struct {
		CrashInfo           jsonCrashInfo        `json:"crash_info"`
		CrashingThread      *jsonThread          `json:"crashing_thread"`
		Handles             []jsonHandle         `json:"handles"`
		LinuxMemoryMapCount *int                 `json:"linux_memory_map_count"`
		LSBRelease          *jsonRelease         `json:"lsb_release"`
		MacBootArgs         *string              `json:"mac_boot_args"`
		MacCrashInfo        *jsonMacCrashInfo    `json:"mac_crash_info"`
		MainModule          int                  `json:"main_module"`
		Modules             []jsonModule         `json:"modules"`
		ModulesHaveCerts    bool                 `json:"modules_contains_cert_info"`
		PID                 *uint32              `json:"pid"`
		ProcLimits          *jsonLimits          `json:"proc_limits"`
		ProcessUptime       *uint32              `json:"process_uptime"`
		SoftErrors          json.RawMessage      `json:"soft_errors"`
		Status              string               `json:"status"`
		SystemInfo          jsonSystemInfo       `json:"system_info"`
		ThreadCount         int                  `json:"thread_count"`
		Threads             []jsonThread         `json:"threads"`
		UnloadedModules     []jsonUnloadedModule `json:"unloaded_modules"`
	}
	jsonCrashInfo struct {
		Address                  *string       `json:"address"`
		AdjustedAddress          *jsonAdjusted `json:"adjusted_address"`
		CrashInconsistencies     []string      `json:"crash_inconsistencies"`
		CrashingThread           *int          `json:"crashing_thread"`
		Instruction              *string       `json:"instruction"`
		InstructionPointerUpdate *jsonTarget   `json:"instruction_pointer_update"`
		MemoryAccesses           []jsonAccess  `json:"memory_accesses"`
		PossibleBitFlips         []jsonBitFlip `json:"possible_bit_flips"`
		Type                     *string       `json:"type"`
	}
	jsonAdjusted struct {
		Address string `json:"address,omitempty"`
		Kind    string `json:"kind"`
		Offset  string `json:"offset,omitempty"`
	}
	jsonTarget struct {
		Address string `json:"address"`
	}
	jsonAccess struct {
		AccessType string `json:"access_type,omitempty"`
		Address    string `json:"address"`
		GuardPage  bool   `json:"is_likely_guard_page,omitempty"`
		Size       *int   `json:"size"`
	}
	jsonBitFlip struct {
		Address        string             `json:"address"`
		Confidence     float64            `json:"confidence"`
		Details        jsonBitFlipDetails `json:"details"`
		SourceRegister *string            `json:"source_register"`
	}
	jsonBitFlipDetails struct {
		IsNull          bool `json:"is_null"`
		NearbyRegisters int  `json:"nearby_registers"`
		PoisonRegisters bool `json:"poison_registers"`
		WasLow          bool `json:"was_low"`
		WasNonCanonical bool `json:"was_non_canonical"`
	}
	jsonHandle struct {
		Handle     uint64  `json:"handle"`
		ObjectName *string `json:"object_name"`
		TypeName   *string `json:"type_name"`
	}
	jsonRelease struct {
		Codename    string `json:"codename"`
		Description string `json:"description"`
		ID          string `json:"id"`
		Release     string `json:"release"`
	}
	jsonLimits struct {
		Limits []jsonLimit `json:"limits"`
	}
	jsonLimit struct {
		Hard string `json:"hard"`
		Name string `json:"name"`
		Soft string `json:"soft"`
		Unit string `json:"unit"`
	}
	jsonMacCrashInfo struct {
		NumRecords int                  `json:"num_records"`
		Records    []jsonMacCrashRecord `json:"records"`
	}
	jsonMacCrashRecord struct {
		AbortCause      *string `json:"abort_cause"`
		Backtrace       *string `json:"backtrace"`
		DialogMode      *string `json:"dialog_mode"`
		Message         *string `json:"message"`
		Message2        *string `json:"message2"`
		Module          *string `json:"module"`
		SignatureString *string `json:"signature_string"`
		Thread          *string `json:"thread"`
	}
	jsonModule struct {
		BaseAddr       string  `json:"base_addr"`
		CodeID         string  `json:"code_id"`
		CorruptSymbols bool    `json:"corrupt_symbols"`
		DebugFile      string  `json:"debug_file"`
		DebugID        string  `json:"debug_id"`
		EndAddr        string  `json:"end_addr"`
		Filename       string  `json:"filename"`
		LoadedSymbols  bool    `json:"loaded_symbols"`
		MissingSymbols bool    `json:"missing_symbols"`
		Version        *string `json:"version"`
	}
	jsonUnloadedModule struct {
		BaseAddr string `json:"base_addr"`
		CodeID   string `json:"code_id"`
		EndAddr  string `json:"end_addr"`
		Filename string `json:"filename"`
	}
	jsonSystemInfo struct {
		CPUArch             string  `json:"cpu_arch"`
		CPUCount            int     `json:"cpu_count"`
		CPUInfo             *string `json:"cpu_info"`
		CPUMicrocodeVersion *string `json:"cpu_microcode_version"`
		OS                  string  `json:"os"`
		OSVer               *string `json:"os_ver"`
	}
	jsonThread struct {
		FrameCount     int         `json:"frame_count"`
		Frames         []jsonFrame `json:"frames"`
		LastErrorValue *string     `json:"last_error_value"`
		ThreadID       uint32      `json:"thread_id"`
		ThreadName     *string     `json:"thread_name"`
		ThreadsIndex   *int        `json:"threads_index,omitempty"`
	}
	jsonFrame struct {
		File            *string            `json:"file"`
		Frame           int                `json:"frame"`
		Function        *string            `json:"function"`
		FunctionOffset  *string            `json:"function_offset"`
		Inlines         []jsonInline       `json:"inlines"`
		Line            *uint32            `json:"line"`
		MissingSymbols  bool               `json:"missing_symbols"`
		Module          *string            `json:"module"`
		ModuleOffset    *string            `json:"module_offset"`
		Offset          string             `json:"offset"`
		Registers       map[string]string  `json:"registers,omitempty"`
		Trust           string             `json:"trust"`
		UnloadedModules []jsonUnloadedHits `json:"unloaded_modules"`
	}
	jsonInline struct {
		File     *string `json:"file"`
		Function string  `json:"function"`
		Line     *uint32 `json:"line"`
	}
	jsonUnloadedHits struct {
		Module  string   `json:"module"`
		Offsets []string `json:"offsets"`
	}
)

// jsonWriter converts values; it knows how wide an address is printed.
type jsonWriter struct {
	Input
	width int // hex digits
}

func document(in Input) jsonDocument {
	d := in.Dump
	j := jsonWriter{Input: in, width: addressDigits(d)}
	doc := jsonDocument{
		Status: "OK", CrashInfo: j.crashInfo(), SystemInfo: j.systemInfo(),
		ThreadCount: len(d.Threads), Threads: make([]jsonThread, 0, len(in.Walk.Threads)),
		Modules: make([]jsonModule, 0, len(d.Modules)), UnloadedModules: make([]jsonUnloadedModule, 0, len(d.UnloadedModules)),
	}
	for i := range in.Walk.Threads {
		doc.Threads = append(doc.Threads, j.thread(i))
	}
	if i := in.Walk.CrashingThread; i >= 0 {
		t := j.thread(i)
		t.ThreadsIndex = &i
		if len(t.Frames) > 0 {
			t.Frames[0].Registers = j.registers(&in.Walk.Threads[i].Frames[0])
		}
		doc.CrashingThread = &t
	}
	for i := range d.Modules {
		doc.Modules = append(doc.Modules, j.module(i))
	}
	for i := range d.UnloadedModules {
		m := &d.UnloadedModules[i]
		doc.UnloadedModules = append(doc.UnloadedModules, jsonUnloadedModule{
			BaseAddr: j.hex(m.Base), EndAddr: j.hex(m.End()), CodeID: m.CodeID, Filename: m.CodeName(),
		})
	}
	for _, h := range d.Handles {
		doc.Handles = append(doc.Handles, jsonHandle{h.Handle, optional(h.ObjectName), optional(h.TypeName)})
	}
	j.process(&doc)
	return doc
}

// process fills what is known of the process as a whole.
func (j *jsonWriter) process(doc *jsonDocument) {
	d := j.Dump
	if pid, ok := d.ProcessID(); ok {
		doc.PID = &pid
	}
	if seconds, ok := d.Uptime(); ok {
		doc.ProcessUptime = &seconds
	}
	if d.HasLinuxMaps() {
		n := len(d.LinuxMaps)
		doc.LinuxMemoryMapCount = &n
	}
	if r := d.LinuxRelease; r != nil {
		doc.LSBRelease = &jsonRelease{r.Codename, r.Description, r.ID, r.Release}
	}
	if len(d.LinuxLimits) > 0 {
		doc.ProcLimits = &jsonLimits{}
		for _, l := range d.LinuxLimits {
			doc.ProcLimits.Limits = append(doc.ProcLimits.Limits, jsonLimit{l.Hard, l.Name, l.Soft, l.Unit})
		}
	}
	doc.MacBootArgs = optional(d.MacBootArgs)
	if d.MacCrashRecords != nil {
		doc.MacCrashInfo = j.macCrashInfo()
	}
	if json.Valid(d.SoftErrors) {
		doc.SoftErrors = d.SoftErrors
	}
}

func (j *jsonWriter) macCrashInfo() *jsonMacCrashInfo {
	records := j.Dump.MacCrashRecords
	out := &jsonMacCrashInfo{NumRecords: len(records), Records: []jsonMacCrashRecord{}}
	number := func(v uint64) *string {
		if v == 0 {
			return nil
		}
		text := j.hex(v)
		return &text
	}
	for i := range records {
		r := &records[i]
		out.Records = append(out.Records, jsonMacCrashRecord{
			number(r.AbortCause), optional(r.Backtrace), number(r.DialogMode), optional(r.Message), optional(r.Message2),
			optional(r.Module), optional(r.Signature), number(r.Thread),
		})
	}
	return out
}

func (j *jsonWriter) crashInfo() jsonCrashInfo {
	var out jsonCrashInfo
	if addr, ok := j.Dump.CrashAddress(); ok {
		text := j.hex(addr)
		out.Address = &text
		out.Type = optional(j.Dump.CrashReason())
	}
	if i := j.Walk.CrashingThread; i >= 0 {
		out.CrashingThread = &i
	}
	if a := j.analysis(); a != nil {
		j.analyzed(&out, a)
	}
	return out
}

// analyzed fills what the analysis found.
func (j *jsonWriter) analyzed(out *jsonCrashInfo, a *analysis.Analysis) {
	out.Instruction = optional(a.Instruction)
	if a.HasTarget {
		out.InstructionPointerUpdate = &jsonTarget{j.hex(a.Target)}
	}
	if adjusted := a.Adjusted; adjusted != nil {
		out.AdjustedAddress = &jsonAdjusted{Kind: string(adjusted.Kind)}
		if adjusted.Kind == analysis.NullPointer {
			out.AdjustedAddress.Offset = j.hex(adjusted.Address)
		} else {
			out.AdjustedAddress.Address = j.hex(adjusted.Address)
		}
	}
	if a.Accesses != nil {
		out.MemoryAccesses = []jsonAccess{}
	}
	for i := range a.Accesses {
		in := &a.Accesses[i]
		access := jsonAccess{AccessType: in.Type.String(), Address: j.hex(in.Address), GuardPage: in.GuardPage}
		if in.Size > 0 {
			access.Size = &in.Size
		}
		out.MemoryAccesses = append(out.MemoryAccesses, access)
	}
	for i := range a.BitFlips {
		b := &a.BitFlips[i]
		out.PossibleBitFlips = append(out.PossibleBitFlips, jsonBitFlip{
			Address: j.hex(b.Address), Confidence: float64(b.Confidence), SourceRegister: optional(b.Register),
			Details: jsonBitFlipDetails{b.IsNull, b.NearbyRegisters, b.PoisonRegisters, b.WasLow, b.WasNonCanonical},
		})
	}
	out.CrashInconsistencies = []string{}
	for _, i := range a.Inconsistencies {
		out.CrashInconsistencies = append(out.CrashInconsistencies, string(i))
	}
}

func (j *jsonWriter) systemInfo() jsonSystemInfo {
	s := j.Dump.System
	if s == nil {
		return jsonSystemInfo{CPUArch: minidump.CPUUnknown.String(), OS: minidump.OSUnknown.String()}
	}
	out := jsonSystemInfo{
		CPUArch: s.CPU.String(), CPUCount: s.CPUCount, CPUInfo: optional(s.CPUInfo),
		OS: s.OS.String(), OSVer: optional(s.OSVersion()),
	}
	if s.HasMicrocode {
		out.CPUMicrocodeVersion = optional(fmt.Sprintf("%#x", s.Microcode))
	}
	return out
}

// nilDebugID is what the reference prints for a module without a debug id.
const nilDebugID = "000000000000000000000000000000000"

func (j *jsonWriter) module(i int) jsonModule {
	m := &j.Dump.Modules[i]
	status := j.status(i)
	return jsonModule{
		BaseAddr: j.hex(m.Base), EndAddr: j.hex(m.End()), Filename: m.CodeName(),
		CodeID: m.CodeID, DebugFile: m.DebugName(), DebugID: cmp.Or(m.DebugID, nilDebugID), Version: optional(m.Version),
		LoadedSymbols: status == SymbolsLoaded, MissingSymbols: status == SymbolsMissing, CorruptSymbols: status == SymbolsCorrupt,
	}
}

func (j *jsonWriter) thread(i int) jsonThread {
	t := &j.Walk.Threads[i]
	out := jsonThread{
		FrameCount: len(t.Frames), Frames: make([]jsonFrame, 0, len(t.Frames)),
		ThreadID: t.ID,
	}
	if t.Named {
		out.ThreadName = &t.Name
	}
	if code, ok := j.Dump.LastError(t.Index); ok {
		out.LastErrorValue = optional(minidump.WindowsErrorText(code))
	}
	for n := range t.Frames {
		out.Frames = append(out.Frames, j.frame(n, &t.Frames[n]))
	}
	return out
}

func (j *jsonWriter) frame(n int, f *stackwalk.Frame) jsonFrame {
	out := jsonFrame{Frame: n, Offset: j.hex(f.Instruction), Trust: f.Trust.String(), MissingSymbols: !f.HasFunction}
	if f.Module >= 0 {
		name, offset := j.Dump.Modules[f.Module].CodeName(), j.hex(f.ModuleOffset(j.Dump))
		out.Module, out.ModuleOffset = &name, &offset
	}
	if f.HasFunction {
		name, offset := string(f.Function), j.hex(f.FunctionOffset())
		out.Function, out.FunctionOffset = &name, &offset
	}
	if len(f.File) > 0 {
		file := string(f.File)
		out.File, out.Line = &file, &f.Line
	}
	for i := range f.Inlines {
		in := &f.Inlines[i]
		out.Inlines = append(out.Inlines, jsonInline{optional(string(in.File)), string(in.Function), optionalLine(in.Line)})
	}
	out.UnloadedModules = j.unloaded(f)
	return out
}

// unloaded groups a frame's unloaded modules by name, both names and offsets
// sorted and each once.
func (j *jsonWriter) unloaded(f *stackwalk.Frame) []jsonUnloadedHits {
	hits := slices.Clone(f.Unloaded)
	name := func(h stackwalk.UnloadedHit) string { return j.Dump.UnloadedModules[h.Module].CodeName() }
	slices.SortFunc(hits, func(a, b stackwalk.UnloadedHit) int {
		if c := strings.Compare(name(a), name(b)); c != 0 || a.Offset == b.Offset {
			return c
		}
		if a.Offset < b.Offset {
			return -1
		}
		return 1
	})
	var out []jsonUnloadedHits
	for i, h := range hits {
		switch {
		case i == 0 || name(hits[i-1]) != name(h):
			out = append(out, jsonUnloadedHits{Module: name(h)})
		case hits[i-1].Offset == h.Offset:
			continue
		}
		last := &out[len(out)-1]
		last.Offsets = append(last.Offsets, j.hex(h.Offset))
	}
	return out
}

// registers are those of a frame by name; without amd64's flags, as in the
// reference.
func (j *jsonWriter) registers(f *stackwalk.Frame) map[string]string {
	out := map[string]string{}
	if j.Dump.System == nil {
		return out
	}
	cpu := j.Dump.System.CPU
	for i, name := range cpu.RegisterNames() {
		if v, ok := f.Registers.Get(breakpad.Register(i)); ok {
			out[name] = fmt.Sprintf("0x%0*x", 2*cpu.RegisterBytes(), v)
		}
	}
	return out
}

func (j *jsonWriter) hex(v uint64) string { return fmt.Sprintf("0x%0*x", j.width, v) }

// addressDigits is how many hex digits an address of the dump's CPU has.
func addressDigits(d *minidump.Dump) int {
	if d.System == nil {
		return 16
	}
	return 2 * d.System.CPU.WordBytes()
}

// optional is null for the empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// optionalLine is null for line 0. Parity: only inlined calls have it so.
func optionalLine(line uint32) *uint32 {
	if line == 0 {
		return nil
	}
	return &line
}
