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
	crashpadAnnotations := func(r *row) []ann { return r.p.CrashpadAnnotations }
	threads := func(r *row) []thr { return r.p.Threads }
	modules := func(r *row) []mod { return r.p.Modules }
	unloadedModules := func(r *row) []unl { return r.p.UnloadedModules }
	dumps := func(r *row) []dump { return r.p.Dumps }
	return []column{
		{"address", optional(text, func(r *row) *string { return r.p.Crash.Address })},
		{"process_id", optional(int64s, func(r *row) *int64 { return r.p.Crash.ProcessID })},
		{"annotations", pairs(func(r *row) []schema.Annotation { return r.p.Annotations },
			func(a *schema.Annotation) (string, string) { return a.Name, a.Value })},
		{"crashpad_annotations.module", each(word, crashpadAnnotations, func(a *ann) string { return a.Module })},
		{"crashpad_annotations.name", each(word, crashpadAnnotations, func(a *ann) string { return a.Name })},
		{"crashpad_annotations.value", each(text, crashpadAnnotations, func(a *ann) string { return a.Value })},
		{"threads.thread_id", each(int64s, threads, func(t *thr) int64 { return t.ThreadID })},
		{"threads.name", each(text, threads, func(t *thr) string { return t.Name })},
		{"threads.end", each(word, threads, func(t *thr) string { return t.End })},
		{"threads.frame_count", each(int32s, threads, func(t *thr) int32 { return t.FrameCount })},
		{"threads.stack", lists(word, threads, func(t *thr) []schema.Frame { return t.Frames }, frameText)},
		{"modules.path", each(text, modules, func(m *mod) string { return m.Path })},
		{"modules.base", each(text, modules, func(m *mod) string { return m.Base })},
		{"modules.size", each(int64s, modules, func(m *mod) int64 { return m.Size })},
		{"unloaded_modules.path", each(text, unloadedModules, func(m *unl) string { return m.Path })},
		{"unloaded_modules.base", each(text, unloadedModules, func(m *unl) string { return m.Base })},
		{"unloaded_modules.size", each(int64s, unloadedModules, func(m *unl) int64 { return m.Size })},
		{"unloaded_modules.code_id", each(text, unloadedModules, func(m *unl) string { return m.CodeID })},
		{"dumps.name", each(word, dumps, func(d *dump) string { return d.Name })},
		{"dumps.size", each(int64s, dumps, func(d *dump) int64 { return d.Size })},
		{"dumps.sha256", each(text, dumps, func(d *dump) string { return d.SHA256 })},
	}
}

// frameText is module!function, or what is known of the two, or the address.
func frameText(f *schema.Frame) string {
	switch {
	case f.Function != "":
		return f.Module + "!" + f.Function
	case f.Module != "":
		return f.Module + "+" + f.ModuleOffset
	}
	return f.Offset
}
