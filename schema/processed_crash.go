package schema

import "time"

// ProcessedCrash is what one signature version makes of one raw crash
// (avsc/processed_crash.v5.avsc). It is protected as a whole: redact.Public
// gives its public view.
type ProcessedCrash struct {
	CrashID          string    `avro:"crash_id"`
	ReceivedAt       time.Time `avro:"received_at"`
	Raw              Position  `avro:"raw"`
	SignatureVersion int32     `avro:"signature_version"`
	Revision         int64     `avro:"revision"`
	ProcessVersion   int32     `avro:"process_version"`
	RulesetHash      string    `avro:"ruleset_hash"`
	RegistryHash     string    `avro:"registry_hash"`

	Signature      string   `avro:"signature"`
	ProtoSignature string   `avro:"proto_signature"`
	SignatureNotes []string `avro:"signature_notes"`
	DumpStatus     string   `avro:"dump_status"`
	Kind           string   `avro:"kind"` // KindReport or KindPing

	Crash               CrashInfo            `avro:"crash"`
	System              System               `avro:"system"`
	Annotations         []Annotation         `avro:"annotations"`
	Threads             []Thread             `avro:"threads"`
	Modules             []Module             `avro:"modules"`
	UnloadedModules     []UnloadedModule     `avro:"unloaded_modules"`
	CrashpadAnnotations []CrashpadAnnotation `avro:"crashpad_annotations"`
	MemoryMapCount      *int64               `avro:"memory_map_count"`
	Dumps               []DumpSummary        `avro:"dumps"`
	ThrottleRule        string               `avro:"throttle_rule"`
	ThrottleRate        float64              `avro:"throttle_rate"`
	Notes               []Note               `avro:"notes"`
	// Facts and ProtectedFacts are nil before process version 6.
	Facts           *Facts           `avro:"facts"`
	ProtectedFacts  *ProtectedFacts  `avro:"protected_facts"`
	AdditionalDumps []AdditionalDump `avro:"additional_dumps"`
}

// DumpOK is the DumpStatus of a crash whose main dump was read.
const DumpOK = "OK"

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string `avro:"topic"`
	Partition int32  `avro:"partition"`
	Offset    int64  `avro:"offset"`
}

// CrashInfo says what happened. Address is hexadecimal; CrashingThread indexes
// Threads. BitFlipPercent is how much speaks for a flipped bit in the address,
// nil for nothing and in events of version 1.
type CrashInfo struct {
	Reason         string  `avro:"reason"`
	Address        *string `avro:"address"`
	CrashingThread *int32  `avro:"crashing_thread"`
	ProcessID      *int64  `avro:"process_id"`
	UptimeSeconds  *int64  `avro:"uptime_seconds"`
	BitFlipPercent *int32  `avro:"bit_flip_percent"`
}

// System is the machine the program ran on.
type System struct {
	OS        string `avro:"os"`
	OSVersion string `avro:"os_version"`
	CPUArch   string `avro:"cpu_arch"`
	CPUInfo   string `avro:"cpu_info"`
	CPUCount  int32  `avro:"cpu_count"`
}

// Annotation is a client's key and value with its class at processing.
type Annotation struct {
	Name   string `avro:"name"`
	Value  string `avro:"value"`
	Public bool   `avro:"public"`
}

// Thread is one walked thread. Frames may be fewer than FrameCount (capped,
// with a note): then those after the first half of Frames, rounded up, are left
// out. End is the code of why the walk ended.
type Thread struct {
	ThreadID   int64   `avro:"thread_id"`
	Name       string  `avro:"name"`
	LastError  *string `avro:"last_error"`
	End        string  `avro:"end"`
	FrameCount int32   `avro:"frame_count"`
	Frames     []Frame `avro:"frames"`
}

// Frame is one physical frame; the functions inlined into it are in Inlines,
// innermost first. Offsets are hexadecimal with 0x, or empty.
type Frame struct {
	Trust          string        `avro:"trust"`
	Offset         string        `avro:"offset"`
	Module         string        `avro:"module"`
	ModuleOffset   string        `avro:"module_offset"`
	Function       string        `avro:"function"`
	FunctionOffset string        `avro:"function_offset"`
	File           string        `avro:"file"`
	Line           int64         `avro:"line"`
	Inlines        []Inline      `avro:"inlines"`
	Unloaded       []UnloadedHit `avro:"unloaded"`
	Doubt          string        `avro:"doubt"`
	Probability    float64       `avro:"probability"`
}

// Inline is a function inlined into a frame.
type Inline struct {
	Function string `avro:"function"`
	File     string `avro:"file"`
	Line     int64  `avro:"line"`
}

// UnloadedHit is an unloaded module that once held a frame's address.
type UnloadedHit struct {
	Module  string   `avro:"module"`
	Offsets []string `avro:"offsets"`
}

// Module is a loaded module with the outcome of looking for its symbols.
type Module struct {
	Filename      string `avro:"filename"`
	Path          string `avro:"path"`
	Base          string `avro:"base"`
	Size          int64  `avro:"size"`
	Version       string `avro:"version"`
	CodeID        string `avro:"code_id"`
	DebugFile     string `avro:"debug_file"`
	DebugID       string `avro:"debug_id"`
	Symbols       string `avro:"symbols"`
	SymbolsSHA256 string `avro:"symbols_sha256"`
}

// TransientSymbols tells whether a module's Symbols say that asking again may give
// another answer.
func TransientSymbols(outcome string) bool { return outcome == "timeout" || outcome == "error" }

// UnloadedModule is a module that was unloaded before the crash.
type UnloadedModule struct {
	Filename string `avro:"filename"`
	Path     string `avro:"path"`
	Base     string `avro:"base"`
	Size     int64  `avro:"size"`
	CodeID   string `avro:"code_id"`
}

// CrashpadAnnotation is an annotation inside the dump: of a module, or of the
// process when Module is empty.
type CrashpadAnnotation struct {
	Module string `avro:"module"`
	Name   string `avro:"name"`
	Value  string `avro:"value"`
}

// DumpSummary names a dump of the raw crash. SHA256 is hexadecimal.
type DumpSummary struct {
	Name   string `avro:"name"`
	Size   int64  `avro:"size"`
	SHA256 string `avro:"sha256"`
}
