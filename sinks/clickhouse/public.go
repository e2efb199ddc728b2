package clickhouse

import (
	"encoding/hex"
	"strings"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"

	"aftershock/schema"
)

// crashDay is the day in a crash id; sinks.Run lets no other id through.
func crashDay(crashID string) time.Time {
	day, err := schema.CrashDay(crashID)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return day
}

// protoFunctions are what the proto signature joins: the view joins them again.
func protoFunctions(r *row) []string {
	if r.pub.ProtoSignature == "" {
		return nil
	}
	return strings.Split(r.pub.ProtoSignature, " | ")
}

// contentHash is the digest that redact.Public has made, in bytes.
func contentHash(r *row) []byte {
	sum, err := hex.DecodeString(r.pub.ContentHash)
	if err != nil {
		panic(err) // no other package makes it
	}
	return sum
}

// publicColumns take their values from the public view only.
func publicColumns() []column {
	modules := func(r *row) []schema.PublicModule { return r.pub.Modules }
	notes := func(r *row) []schema.Note { return r.pub.Notes }
	return []column{
		{"signature", one(word, func(r *row) string { return r.pub.Signature })},
		{"proto_functions", each(word, protoFunctions, func(f *string) string { return *f })},
		{"signature_notes", each(word, func(r *row) []string { return r.pub.SignatureNotes }, func(note *string) string { return *note })},
		{"dump_status", one(word, func(r *row) string { return r.pub.DumpStatus })},
		{"product", one(word, func(r *row) string { return r.pub.Product })},
		{"version", one(word, func(r *row) string { return r.pub.Version })},
		{"channel", one(word, func(r *row) string { return r.pub.Channel })},
		{"build_id", one(word, func(r *row) string { return r.pub.BuildID })},
		{"process_type", one(word, func(r *row) string { return r.pub.ProcessType })},
		{"os", one(word, func(r *row) string { return r.pub.OS })},
		{"os_version", one(word, func(r *row) string { return r.pub.OSVersion })},
		{"cpu_arch", one(word, func(r *row) string { return r.pub.CPUArch })},
		{"cpu_info", one(word, func(r *row) string { return r.pub.CPUInfo })},
		{"cpu_count", one(uint32s, func(r *row) uint32 { return uint32(r.pub.CPUCount) })},
		{"reason", one(word, func(r *row) string { return r.pub.Reason })},
		{"uptime_seconds", optional(int64s, func(r *row) *int64 { return r.pub.UptimeSeconds })},
		{"crashing_thread", optional(int32s, func(r *row) *int32 { return r.pub.CrashingThread })},
		{"thread_count", one(uint32s, func(r *row) uint32 { return uint32(r.pub.ThreadCount) })},
		{"stack.frame", stack(uint32s, func(l line) uint32 { return uint32(l.frame) })},
		{"stack.inlined", stack(uint8s, func(l line) uint8 { return l.inlined })},
		{"stack.trust", stack(word, func(l line) string { return l.of.Trust })},
		{"stack.doubt", stack(word, func(l line) string { return l.doubt })},
		{"stack.probability", stack(float64s, func(l line) float64 { return l.of.Probability })},
		{"stack.module", stack(word, func(l line) string { return l.of.Module })},
		{"stack.module_offset", stack(text, func(l line) string { return l.of.ModuleOffset })},
		{"stack.function", stack(word, func(l line) string { return l.function })},
		{"stack.file", stack(word, func(l line) string { return l.file })},
		{"stack.line", stack(uint32s, func(l line) uint32 { return uint32(l.line) })},
		{"modules.filename", each(word, modules, func(m *schema.PublicModule) string { return m.Filename })},
		{"modules.version", each(word, modules, func(m *schema.PublicModule) string { return m.Version })},
		{"modules.code_id", each(word, modules, func(m *schema.PublicModule) string { return m.CodeID })},
		{"modules.debug_file", each(word, modules, func(m *schema.PublicModule) string { return m.DebugFile })},
		{"modules.debug_id", each(word, modules, func(m *schema.PublicModule) string { return m.DebugID })},
		{"modules.symbols", each(word, modules, func(m *schema.PublicModule) string { return m.Symbols })},
		{"modules.symbols_sha256", each(word, modules, func(m *schema.PublicModule) string { return m.SymbolsSHA256 })},
		{"annotations", pairs(func(r *row) []schema.PublicAnnotation { return r.pub.Annotations },
			func(a *schema.PublicAnnotation) (string, string) { return a.Name, a.Value })},
		{"memory_map_count", optional(int64s, func(r *row) *int64 { return r.pub.MemoryMapCount })},
		{"throttle_rule", one(word, func(r *row) string { return r.pub.ThrottleRule })},
		{"throttle_rate", one(float64s, func(r *row) float64 { return r.pub.ThrottleRate })},
		{"notes.code", each(word, notes, func(n *schema.Note) string { return n.Code })},
		{"notes.stage", each(word, notes, func(n *schema.Note) string { return n.Stage })},
		{"notes.index", each(int32s, notes, func(n *schema.Note) int32 { return n.Index })},
		{"content_hash", one(digests, contentHash)},
	}
}

// line is a line of the crashing thread: a frame, or a function inlined into it.
type line struct {
	frame          int
	inlined        uint8
	of             *schema.PublicFrame
	function, file string
	line           int64
	doubt          string
}

// stack is a column of the nested stack: inlined functions stand before the frame
// that they were inlined into. Only the frame's own name can be doubtful: symbols that know
// inlined functions know where each begins and ends.
func stack[T any](of func() chproto.ColumnOf[T], value func(l line) T) func() values {
	return func() values {
		c := chproto.NewArray(of())
		return values{c, func(r *row) {
			for i := range r.pub.Frames {
				f := &r.pub.Frames[i]
				for _, in := range f.Inlines {
					c.Data.Append(value(line{i, 1, f, in.Function, in.File, in.Line, ""}))
				}
				c.Data.Append(value(line{i, 0, f, f.Function, f.File, f.Line, f.Doubt}))
			}
			c.Offsets.Append(uint64(c.Data.Rows()))
		}}
	}
}
