package clickhouse

import (
	"cmp"
	"strings"

	"aftershock/schema"
)

// Column is what analysts read of a column of the views crashes and pings.
type Column struct {
	Name, Type string
	Source     string // what the value comes from
	Doc        string
}

// shownAs are the types of columns that the views make into something else.
var shownAs = map[string]string{"content_hash": "String"}

// computed are the columns of the public views that are not stored as such.
var computed = []Column{
	{Name: "signature_id", Type: "UInt64", Doc: "Number of the signature, sipHash64(signature): to group by it takes a fifth of the time. aftershock.signature_names has the names."},
	{Name: "proto_signature", Type: "String", Doc: "All functions of the crashing thread, normalised, joined by |."},
}

// Columns are those of a class: of the view in aftershock if it is public, else of that in
// aftershock_protected, which has the keys as well.
func Columns(class schema.Class) (out []Column) {
	lists := [][]column{keyColumns(), publicColumns(), factColumns(), annotationColumns(schema.ClassPublic)}
	if class != schema.ClassPublic {
		lists = [][]column{keyColumns(), protectedColumns(), protectedFactColumns(), annotationColumns(schema.ClassProtected)}
	}
	facts := map[string]schema.FactInfo{}
	for _, f := range schema.Dictionary() {
		if (f.Class == schema.ClassPublic) == (class == schema.ClassPublic) {
			facts[strings.Replace(f.Name, "memory_measures.", "memory_", 1)] = f
		}
	}
	annotations := map[string]schema.AnnotationInfo{}
	for _, a := range schema.Columns() {
		if (a.Class == schema.ClassPublic) == (class == schema.ClassPublic) {
			annotations[a.Column] = a
		}
	}
	for i, list := range lists {
		for _, c := range list {
			if c.name == "ver" {
				continue // the views lack it
			}
			column := Column{Name: c.name, Type: cmp.Or(shownAs[c.name], string(c.values().data.Type()))}
			switch i {
			case 0, 1:
				column.Doc = describedOf(class, c.name)
			case 2:
				f := facts[strings.Replace(c.name, "adjusted_address", "address", 1)]
				column.Source, column.Doc = f.Source, f.Doc
				if column.Doc == "" {
					column.Doc = described[c.name]
				}
			default:
				a := annotations[c.name]
				column.Source, column.Doc = "annotation "+a.Name, a.Description
			}
			out = append(out, column)
		}
	}
	if class == schema.ClassPublic {
		out = append(out, computed...)
	}
	return out
}

// describedOf is what a column that is no fact holds: one that both databases have is
// described once.
func describedOf(class schema.Class, name string) string {
	if doc := describedProtected[name]; doc != "" && class != schema.ClassPublic {
		return doc
	}
	return described[name]
}

// described are the columns that are no facts.
var described = map[string]string{
	"signature_version": "Signature version that made the row; the views show the one that is active at received_at.",
	"day":               "Day in the crash id, UTC. Ask for days: they choose what is read.",
	"crash_id":          "The crash.",
	"received_at":       "When the door took the report in.",
	"revision":          "0 as first processed; higher when it was processed again.",
	"raw_topic":         "Where the raw crash lies.", "raw_partition": "Where the raw crash lies.", "raw_offset": "Where the raw crash lies.",
	"processed_topic": "Where the processed crash lies.", "processed_partition": "Where the processed crash lies.", "processed_offset": "Where the processed crash lies.",
	"signature":       "Names the group of equal crashes.",
	"proto_functions": "All functions of the crashing thread, normalised, innermost first.",
	"signature_notes": "What was unusual about the signature.",
	"dump_status":     "OK, or the code of why the main dump gave no stack.",
	"product":         "Product, by the annotation that means it.", "version": "Version as the client says it.", "channel": "Release channel.", "build_id": "Build.",
	"process_type": "Kind of process that crashed; parent is the main one. Rows of process versions before 6 have an empty text there.",
	"os":           "System.", "os_version": "Version of the system in numbers, with the build on Windows and macOS.",
	"cpu_arch": "Architecture.", "cpu_info": "Processor.", "cpu_count": "Number of processors; 0 where the dump does not say.",
	"reason":          "Signal or exception: SIGSEGV / SEGV_MAPERR.",
	"uptime_seconds":  "Seconds that the process ran, by the dump.",
	"crashing_thread": "Index of the thread that crashed.", "thread_count": "Number of threads.",
	"stack.frame":         "The crashing thread, innermost frame first: number of the frame. Functions inlined into a frame stand before it with its number.",
	"stack.inlined":       "1 for a function that was inlined.",
	"stack.trust":         "How the frame was found: context, cfi, frame_pointer, scan, ...",
	"stack.doubt":         "Why the function's name may be wrong: public, it is that of a symbol far below; other_function, another function is known to lie there. Empty when nothing speaks against it.",
	"stack.probability":   "How likely the frame is a true one, from 0 to 1, by how it was found; 0 where nobody says: pings, and rows of process versions before 7.",
	"stack.module":        "Module of the frame.",
	"stack.module_offset": "Offset in the module, hexadecimal.",
	"stack.function":      "Function.", "stack.file": "Source file.", "stack.line": "Line; 0 when unknown.",
	"modules.filename": "Loaded modules: name of the file.", "modules.version": "Version.", "modules.code_id": "Build id, or time and size.",
	"modules.debug_file": "Debug file.", "modules.debug_id": "Debug id.", "modules.symbols": "What became of looking for symbols: found, found_lossy, missing, denied, timeout, error, malformed, unused.",
	"modules.symbols_sha256": "Digest of the symbol file.",
	"annotations":            "All public annotations by name, also those without a column.",
	"memory_map_count":       "Number of mappings.",
	"throttle_rule":          "Rule of the door that kept the report.",
	"throttle_rate":          "Share of such reports that the rule keeps: 1 / throttle_rate is the row's weight.",
	"notes.code":             "What was found, mended or left out, by code.", "notes.stage": "Stage that says so.", "notes.index": "Of the thread or module that it speaks of; -1 for none.",
	"content_hash":                 "Digest of the public view: equal for results that differ in version and revision alone.",
	"additional_dumps.name":        "Dumps beside the main one, by name.",
	"additional_dumps.dump_status": "OK, or the code of why the dump gave no stack.", "additional_dumps.reason": "Signal or exception in the dump.",
	"additional_dumps.thread_count": "Number of its threads.", "additional_dumps.stack": "Its crashing thread, or its first one, innermost first: module!function.",
	"memory_accesses.guard_page": "What was touched looks like a guard page.", "breadcrumbs.type": "Kind of what the program did.", "breadcrumbs.category": "Part of the program that did it.", "breadcrumbs.level": "How serious it was.",
	"breadcrumbs.message": "What the program did.", "module_signers.module": "A module that is signed.", "module_signers.signer": "Who signed it.",
	"memory_explicit": "Memory that the process accounts for.", "memory_gfx_textures": "Textures.", "memory_ghost_windows": "Windows that should be gone.", "memory_heap_allocated": "Allocated on the heap.",
	"memory_heap_overhead": "The allocator's own.", "memory_heap_unclassified": "Allocated on the heap and not accounted for.", "memory_host_object_urls": "Object URLs.", "memory_images": "Images.",
	"memory_js_main_runtime": "JavaScript of the main thread.", "memory_private": "Private memory.", "memory_resident": "Resident memory.", "memory_resident_unique": "Resident memory that is shared with nobody.",
	"memory_system_heap_allocated": "Allocated on the system's heap.", "memory_top_none_detached": "Windows without a tab.", "memory_vsize": "Address space.", "memory_vsize_max_contiguous": "Largest free range of the address space.",
}

// describedProtected are those that the protected database alone has, or has otherwise.
var describedProtected = map[string]string{
	"address": "Address that the system reports, hexadecimal.", "process_id": "Process.", "annotations": "All annotations by name.",
	"crashpad_annotations.module": "Annotations inside the dump: the module that set one.", "crashpad_annotations.name": "Its name.", "crashpad_annotations.value": "Its value.",
	"threads.thread_id": "Every thread: its id.", "threads.name": "Its name.", "threads.end": "Why its walk ended.", "threads.frame_count": "Its frames.", "threads.stack": "Its frames, innermost first: module!function.",
	"modules.path": "Path of the module, in the order of aftershock's modules.", "modules.base": "Its address.", "modules.size": "Its size.",
	"unloaded_modules.path": "Modules unloaded before the crash: path.", "unloaded_modules.base": "Address.", "unloaded_modules.size": "Size.", "unloaded_modules.code_id": "Build id.",
	"dumps.name": "Dumps of the report: name.", "dumps.size": "Size.", "dumps.sha256": "Digest.",
}
