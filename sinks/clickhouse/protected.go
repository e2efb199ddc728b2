package clickhouse

import "aftershock/schema"

// protectedColumns are what the public view lacks.
func protectedColumns() []column {
	type (
		ann  = schema.CrashpadAnnotation
		thr  = schema.Thread
		mod  = schema.Module
		unl  = schema.UnloadedModule
		dump = schema.DumpSummary
	)
	return []column{
		{"address", func(r *row) any { return r.p.Crash.Address }},
		{"process_id", func(r *row) any { return r.p.Crash.ProcessID }},
		{"annotations", func(r *row) any {
			return newAnnotationMap(r.p.Annotations, func(a schema.Annotation) (string, string) { return a.Name, a.Value })
		}},
		{"crashpad_annotations.module", func(r *row) any { return each(r.p.CrashpadAnnotations, func(a ann) string { return a.Module }) }},
		{"crashpad_annotations.name", func(r *row) any { return each(r.p.CrashpadAnnotations, func(a ann) string { return a.Name }) }},
		{"crashpad_annotations.value", func(r *row) any { return each(r.p.CrashpadAnnotations, func(a ann) string { return a.Value }) }},
		{"threads.thread_id", func(r *row) any { return each(r.p.Threads, func(t thr) int64 { return t.ThreadID }) }},
		{"threads.name", func(r *row) any { return each(r.p.Threads, func(t thr) string { return t.Name }) }},
		{"threads.end", func(r *row) any { return each(r.p.Threads, func(t thr) string { return t.End }) }},
		{"threads.frame_count", func(r *row) any { return each(r.p.Threads, func(t thr) int32 { return t.FrameCount }) }},
		{"threads.stack", func(r *row) any {
			return each(r.p.Threads, func(t thr) []string { return each(t.Frames, frameText) })
		}},
		{"modules.path", func(r *row) any { return each(r.p.Modules, func(m mod) string { return m.Path }) }},
		{"modules.base", func(r *row) any { return each(r.p.Modules, func(m mod) string { return m.Base }) }},
		{"modules.size", func(r *row) any { return each(r.p.Modules, func(m mod) int64 { return m.Size }) }},
		{"unloaded_modules.path", func(r *row) any { return each(r.p.UnloadedModules, func(m unl) string { return m.Path }) }},
		{"unloaded_modules.base", func(r *row) any { return each(r.p.UnloadedModules, func(m unl) string { return m.Base }) }},
		{"unloaded_modules.size", func(r *row) any { return each(r.p.UnloadedModules, func(m unl) int64 { return m.Size }) }},
		{"unloaded_modules.code_id", func(r *row) any { return each(r.p.UnloadedModules, func(m unl) string { return m.CodeID }) }},
		{"dumps.name", func(r *row) any { return each(r.p.Dumps, func(d dump) string { return d.Name }) }},
		{"dumps.size", func(r *row) any { return each(r.p.Dumps, func(d dump) int64 { return d.Size }) }},
		{"dumps.sha256", func(r *row) any { return each(r.p.Dumps, func(d dump) string { return d.SHA256 }) }},
	}
}

// frameText is module!function, or what is known of the two, or the address.
func frameText(f schema.Frame) string {
	switch {
	case f.Function != "":
		return f.Module + "!" + f.Function
	case f.Module != "":
		return f.Module + "+" + f.ModuleOffset
	}
	return f.Offset
}
