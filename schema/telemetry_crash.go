package schema

import "time"

// TelemetryCrash is the public view of a processed crash
// (avsc/telemetry_crash.v4.avsc); redact.Public makes it. Everything in it may
// be shown to anybody.
type TelemetryCrash struct {
	CrashID          string    `avro:"crash_id"`
	ReceivedAt       time.Time `avro:"received_at"`
	Kind             string    `avro:"kind"` // KindReport or KindPing
	SignatureVersion int32     `avro:"signature_version"`
	Revision         int64     `avro:"revision"`
	ContentHash      string    `avro:"content_hash"`

	Signature      string   `avro:"signature"`
	ProtoSignature string   `avro:"proto_signature"`
	SignatureNotes []string `avro:"signature_notes"`
	DumpStatus     string   `avro:"dump_status"`

	Product     string `avro:"product"`
	Version     string `avro:"version"`
	Channel     string `avro:"channel"`
	BuildID     string `avro:"build_id"`
	ProcessType string `avro:"process_type"`

	OS             string             `avro:"os"`
	OSVersion      string             `avro:"os_version"`
	CPUArch        string             `avro:"cpu_arch"`
	CPUInfo        string             `avro:"cpu_info"`
	CPUCount       int32              `avro:"cpu_count"`
	Reason         string             `avro:"reason"`
	UptimeSeconds  *int64             `avro:"uptime_seconds"`
	CrashingThread *int32             `avro:"crashing_thread"`
	ThreadCount    int32              `avro:"thread_count"`
	Frames         []PublicFrame      `avro:"frames"`
	Modules        []PublicModule     `avro:"modules"`
	Annotations    []PublicAnnotation `avro:"annotations"`
	MemoryMapCount *int64             `avro:"memory_map_count"`
	ThrottleRule   string             `avro:"throttle_rule"`
	ThrottleRate   float64            `avro:"throttle_rate"`
	Notes          []Note             `avro:"notes"`
	Facts          *Facts             `avro:"facts"` // nil before process version 6
}

// PublicFrame is a Frame without its absolute address.
type PublicFrame struct {
	Trust          string        `avro:"trust"`
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

// PublicModule is a Module without its path and address.
type PublicModule struct {
	Filename      string `avro:"filename"`
	Size          int64  `avro:"size"`
	Version       string `avro:"version"`
	CodeID        string `avro:"code_id"`
	DebugFile     string `avro:"debug_file"`
	DebugID       string `avro:"debug_id"`
	Symbols       string `avro:"symbols"`
	SymbolsSHA256 string `avro:"symbols_sha256"`
}

// PublicAnnotation is an annotation that the registry calls public.
type PublicAnnotation struct {
	Name  string `avro:"name"`
	Value string `avro:"value"`
}
