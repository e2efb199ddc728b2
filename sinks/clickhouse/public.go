package clickhouse

import (
	"time"

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

// publicColumns take their values from the public view only.
func publicColumns() []column {
	return []column{
		{"signature", func(r *row) any { return r.pub.Signature }},
		{"proto_signature", func(r *row) any { return r.pub.ProtoSignature }},
		{"signature_notes", func(r *row) any { return r.pub.SignatureNotes }},
		{"dump_status", func(r *row) any { return r.pub.DumpStatus }},
		{"product", func(r *row) any { return r.pub.Product }},
		{"version", func(r *row) any { return r.pub.Version }},
		{"channel", func(r *row) any { return r.pub.Channel }},
		{"build_id", func(r *row) any { return r.pub.BuildID }},
		{"process_type", func(r *row) any { return r.pub.ProcessType }},
		{"os", func(r *row) any { return r.pub.OS }},
		{"os_version", func(r *row) any { return r.pub.OSVersion }},
		{"cpu_arch", func(r *row) any { return r.pub.CPUArch }},
		{"cpu_info", func(r *row) any { return r.pub.CPUInfo }},
		{"cpu_count", func(r *row) any { return uint32(r.pub.CPUCount) }},
		{"reason", func(r *row) any { return r.pub.Reason }},
		{"uptime_seconds", func(r *row) any { return r.pub.UptimeSeconds }},
		{"crashing_thread", func(r *row) any { return r.pub.CrashingThread }},
		{"thread_count", func(r *row) any { return uint32(r.pub.ThreadCount) }},
		{"stack.frame", func(r *row) any { return r.stack.frame }},
		{"stack.inlined", func(r *row) any { return r.stack.inlined }},
		{"stack.trust", func(r *row) any { return r.stack.trust }},
		{"stack.module", func(r *row) any { return r.stack.module }},
		{"stack.module_offset", func(r *row) any { return r.stack.moduleOffset }},
		{"stack.function", func(r *row) any { return r.stack.function }},
		{"stack.file", func(r *row) any { return r.stack.file }},
		{"stack.line", func(r *row) any { return r.stack.line }},
		{"modules.filename", func(r *row) any { return r.modules.filename }},
		{"modules.version", func(r *row) any { return r.modules.version }},
		{"modules.code_id", func(r *row) any { return r.modules.codeID }},
		{"modules.debug_file", func(r *row) any { return r.modules.debugFile }},
		{"modules.debug_id", func(r *row) any { return r.modules.debugID }},
		{"modules.symbols", func(r *row) any { return r.modules.symbols }},
		{"modules.symbols_sha256", func(r *row) any { return r.modules.sha256 }},
		{"annotations", func(r *row) any {
			return newAnnotationMap(r.pub.Annotations, func(a schema.PublicAnnotation) (string, string) { return a.Name, a.Value })
		}},
		{"memory_map_count", func(r *row) any { return r.pub.MemoryMapCount }},
		{"throttle_rule", func(r *row) any { return r.pub.ThrottleRule }},
		{"throttle_rate", func(r *row) any { return r.pub.ThrottleRate }},
		{"notes.code", func(r *row) any { return each(r.pub.Notes, func(n schema.Note) string { return n.Code }) }},
		{"notes.stage", func(r *row) any { return each(r.pub.Notes, func(n schema.Note) string { return n.Stage }) }},
		{"notes.index", func(r *row) any { return each(r.pub.Notes, func(n schema.Note) int32 { return n.Index }) }},
		{"content_hash", func(r *row) any { return r.pub.ContentHash }},
	}
}

// each is a nested column: one value of every element.
func each[In, Out any](in []In, value func(In) Out) []Out {
	out := make([]Out, len(in))
	for i := range in {
		out[i] = value(in[i])
	}
	return out
}

// stack is the crashing thread by columns, inlined functions before the frame
// that they were inlined into.
type stack struct {
	frame, line                                 []uint32
	inlined                                     []uint8
	trust, module, moduleOffset, function, file []string
}

func newStack(frames []schema.PublicFrame) stack {
	var s stack
	for i := range frames {
		f := &frames[i]
		for _, in := range f.Inlines {
			s.add(i, 1, f, in.Function, in.File, in.Line)
		}
		s.add(i, 0, f, f.Function, f.File, f.Line)
	}
	return s
}

func (s *stack) add(frame int, inlined uint8, f *schema.PublicFrame, function, file string, line int64) {
	s.frame = append(s.frame, uint32(frame))
	s.inlined = append(s.inlined, inlined)
	s.trust = append(s.trust, f.Trust)
	s.module = append(s.module, f.Module)
	s.moduleOffset = append(s.moduleOffset, f.ModuleOffset)
	s.function = append(s.function, function)
	s.file = append(s.file, file)
	s.line = append(s.line, uint32(line))
}

// modules are the loaded modules by columns.
type modules struct {
	filename, version, codeID, debugFile, debugID, symbols, sha256 []string
}

func newModules(in []schema.PublicModule) modules {
	var m modules
	for i := range in {
		m.filename = append(m.filename, in[i].Filename)
		m.version = append(m.version, in[i].Version)
		m.codeID = append(m.codeID, in[i].CodeID)
		m.debugFile = append(m.debugFile, in[i].DebugFile)
		m.debugID = append(m.debugID, in[i].DebugID)
		m.symbols = append(m.symbols, in[i].Symbols)
		m.sha256 = append(m.sha256, in[i].SymbolsSHA256)
	}
	return m
}
