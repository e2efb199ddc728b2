package clickhouse

import (
	chproto "github.com/ClickHouse/ch-go/proto"

	"aftershock/schema"
)

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
		{"threads.name", each(word, threads, func(t *thr) string { return t.Name })},
		{"threads.end", each(word, threads, func(t *thr) string { return t.End })},
		{"threads.frame_count", each(int32s, threads, func(t *thr) int32 { return t.FrameCount })},
		{"threads.stack", stacks(threads, func(t *thr) []schema.Frame { return t.Frames })},
		{"modules.path", each(word, modules, func(m *mod) string { return m.Path })},
		{"modules.base", each(text, modules, func(m *mod) string { return m.Base })},
		{"modules.size", each(int64s, modules, func(m *mod) int64 { return m.Size })},
		{"unloaded_modules.path", each(word, unloadedModules, func(m *unl) string { return m.Path })},
		{"unloaded_modules.base", each(text, unloadedModules, func(m *unl) string { return m.Base })},
		{"unloaded_modules.size", each(int64s, unloadedModules, func(m *unl) int64 { return m.Size })},
		{"unloaded_modules.code_id", each(word, unloadedModules, func(m *unl) string { return m.CodeID })},
		{"dumps.name", each(word, dumps, func(d *dump) string { return d.Name })},
		{"dumps.size", each(int64s, dumps, func(d *dump) int64 { return d.Size })},
		{"dumps.sha256", each(text, dumps, func(d *dump) string { return d.SHA256 })},
	}
}

// stacks is an Array of Arrays: of every element the texts of its frames. They are looked up
// before they are texts: most were there before.
func stacks[E any](elements func(r *row) []E, frames func(e *E) []schema.Frame) func() values {
	return func() values {
		texts := newWords()
		inner := chproto.NewArray[string](texts)
		c := chproto.NewArray[[]string](inner)
		var text []byte
		return values{c, func(r *row) {
			of := elements(r)
			for i := range of {
				in := frames(&of[i])
				for j := range in {
					text = appendFrame(text[:0], &in[j])
					texts.appendBytes(text)
				}
				inner.Offsets.Append(uint64(texts.Rows()))
			}
			c.Offsets.Append(uint64(inner.Rows()))
		}}
	}
}

// appendFrame appends module!function, or what is known of the two, or the address.
func appendFrame(to []byte, f *schema.Frame) []byte {
	switch {
	case f.Function != "":
		return append(append(append(to, f.Module...), '!'), f.Function...)
	case f.Module != "":
		return append(append(append(to, f.Module...), '+'), f.ModuleOffset...)
	}
	return append(to, f.Offset...)
}
