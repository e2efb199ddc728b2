package schema

// Note says that something was found, mended or left out. Notes are public:
// they hold codes of the catalogue and never a value of a report.
type Note struct {
	Code  string `avro:"code"`
	Stage string `avro:"stage"`
	Index int32  `avro:"index"` // of the thread, module, … it speaks of; NoIndex for none
}

// NoIndex is the Index of a note about the whole crash.
const NoIndex = -1

// Stages that write notes.
const (
	StageDoor    = "door"
	StageDump    = "dump"
	StageWalk    = "walk"
	StageSymbols = "symbols"
	StageEvent   = "event"
	StageFacts   = "facts"
)

// Notes of the door.
const (
	NoteNeverStoreRemoved    = "never_store_removed"
	NoteAnnotationNotText    = "annotation_not_text"
	NoteAnnotationOverflow   = "annotation_overflow"
	NoteAnnotationName       = "annotation_name_dropped"
	NoteAnnotationTwice      = "annotation_twice"
	NoteAnnotationsBothForms = "annotations_in_both_forms"
	NoteDumpTwice            = "dump_twice"
	NoteDumpRenamed          = "dump_renamed"
	NotePartUnnamed          = "part_unnamed"
	NotePartHeader           = "part_header_malformed"
	NoteAnnotationTooLarge   = "annotation_too_large"
	NoteAnnotationCharset    = "annotation_charset_unknown"
	NoteBodyExtra            = "body_extra_bytes"
	NotePingMember           = "ping_member_dropped"
	NotePingID               = "ping_id_malformed"
)

// Notes of facts.
const (
	NoteTimeMalformed          = "time_malformed"
	NoteClockSet               = "clock_set"
	NoteMicrocodeMalformed     = "microcode_malformed"
	NoteBreadcrumbsMalformed   = "breadcrumbs_malformed"
	NoteJavaMalformed          = "java_exception_malformed"
	NoteSignersMalformed       = "module_signatures_malformed"
	NoteShutdownMalformed      = "async_shutdown_malformed"
	NoteActorsMalformed        = "utility_actors_malformed"
	NoteEnvironmentMalformed   = "telemetry_environment_malformed"
	NoteAdapterMalformed       = "adapter_malformed"
	NoteAddressMalformed       = "heap_checker_address_malformed"
	NoteMemoryReportUnreadable = "memory_report_unreadable"
	NoteFactTooLarge           = "fact_too_large"
	NoteFactsCapped            = "facts_capped"
	NoteAdditionalDump         = "additional_dump_unreadable"
)

// Notes of processing.
const (
	NoteDumpMissing            = "dump_missing"
	NoteDumpUnreadable         = "dump_unreadable"
	NoteSymbolsTransient       = "symbols_transient_failure"
	NoteSymbolsLossy           = "symbols_lossy"
	NoteSymbolsMalformed       = "symbols_malformed"
	NoteFramesCapped           = "frames_capped"
	NoteThreadsCapped          = "threads_capped"
	NoteModulesCapped          = "modules_capped"
	NoteNotesCapped            = "notes_capped"
	NoteTextCapped             = "text_capped"
	NoteEventShrunk            = "event_shrunk"
	NoteAnnotationNotPublic    = "annotation_not_of_its_type"
	NoteNoCrashingThread       = "no_crashing_thread"
	NoteCrashpadAnnotationsCut = "crashpad_annotations_capped"
	NoteDumpsCapped            = "dumps_capped"
	NoteCodeUnknown            = "door_note_unknown"
	NoteCodeIDTooLong          = "code_id_too_long"
	NoteThrottleMalformed      = "throttle_malformed"
	NoteStackMalformed         = "stack_malformed"
	NoteStackCut               = "stack_cut"
	NoteFrameMalformed         = "frame_malformed"
	NoteModuleMalformed        = "module_malformed"
	NoteReasonUnknown          = "reason_unknown"
)

// Reasons why the door refuses a report: the answer is
// "Discarded=malformed_<reason>".
const (
	RejectNoContentType    = "no_content_type"
	RejectWrongContentType = "wrong_content_type"
	RejectNoBoundary       = "no_boundary"
	RejectEmptyBody        = "no_content_length"
	RejectBadGzip          = "bad_gzip"
	RejectTruncated        = "truncated_body"
	RejectStructure        = "invalid_payload_structure"
	RejectJSON             = "invalid_json"
	RejectJSONValue        = "invalid_json_value"
	RejectDumpName         = "invalid_dump_name"
	RejectNothing          = "no_annotations"
	RejectTooManyParts     = "too_many_parts"
	RejectTooLarge         = "too_large"
	RejectTooSlow          = "too_slow"
	RejectID               = "invalid_uuid"
	RejectIDToken          = "unauthorized_uuid" // answered without malformed_
)

// Classes of dead letters.
const (
	DeadRawUndecodable = "raw_undecodable"
	DeadCrashID        = "crash_id_invalid"
	DeadBlobMissing    = "blob_missing"
	DeadBlobCorrupt    = "blob_corrupt"
	DeadPanic          = "panic"
	DeadDeadline       = "deadline"
	DeadProcess        = "process_failed"
	DeadEventTooLarge  = "event_too_large"
	DeadProcessedBad   = "processed_undecodable"
	DeadRequestBad     = "request_undecodable"
	DeadRawGone        = "raw_gone"
	DeadDumpTooLarge   = "dump_too_large"
	DeadRefused        = "produce_refused"
	DeadRowRefused     = "row_refused"
	DeadPoison         = "poison"
	DeadUnserved       = "version_unserved"
)

// Code is an entry of the catalogue.
type Code struct {
	Code, Doc string
}

// Catalogue documents every code that notes, refusals and dead letters carry,
// less the findings of the parsers, which their packages document. A code is
// never given another meaning.
var Catalogue = []Code{
	{NoteNeverStoreRemoved, "annotations of class never-store were removed"},
	{NoteAnnotationNotText, "an annotation was not UTF-8 text; its bad bytes were replaced"},
	{NoteAnnotationOverflow, "an annotation too large for the event lies in the blob store"},
	{NoteAnnotationName, "an annotation was dropped: its name is empty, too long or has control characters"},
	{NoteAnnotationTwice, "an annotation came twice; the last one counts"},
	{NoteAnnotationsBothForms, "annotations came as JSON and as parts; both count, the later one wins"},
	{NoteDumpTwice, "a dump's name came twice; the second got a number"},
	{NoteDumpRenamed, "a dump's name had other characters than letters, digits and underscores"},
	{NotePartUnnamed, "a part without a name was ignored"},
	{NotePartHeader, "a part whose header makes no sense was ignored"},
	{NoteAnnotationTooLarge, "an annotation larger than is taken was left out"},
	{NoteAnnotationCharset, "an annotation's part names a charset that is not known; it was read as UTF-8"},
	{NoteBodyExtra, "something that is no gzip stood behind the compressed body"},
	{NotePingMember, "members of the ping that hold objects or lists and are not known were dropped"},
	{NotePingID, "the ping has no id that is a UUID: sent again, it would be another one"},
	{NoteDumpMissing, "the report has no main dump, or the ping no stack"},
	{NoteDumpUnreadable, "the main dump is no minidump that can be read; dump_status says why"},
	{NoteSymbolsTransient, "a symbol source did not answer; the stack may be better when processed again"},
	{NoteSymbolsLossy, "lines of the module's symbol file could not be read and were skipped"},
	{NoteSymbolsMalformed, "the module's symbol file could not be read"},
	{NoteDumpsCapped, "the report has more dumps than are listed"},
	{NoteCodeUnknown, "a note of the door that took the report in is no code, and was dropped"},
	{NoteFramesCapped, "the thread has more frames than are kept: frame_count is the number walked, and those in the middle are left out"},
	{NoteThreadsCapped, "there are more threads than are kept"},
	{NoteModulesCapped, "there are more modules than are kept"},
	{NoteNotesCapped, "there were more notes than are kept"},
	{NoteTextCapped, "a text was longer than is kept"},
	{NoteEventShrunk, "the event was too large: parts were left out, frames of threads that did not crash first"},
	{NoteAnnotationNotPublic, "a public annotation's value is not of its type and was kept protected"},
	{NoteNoCrashingThread, "the dump does not say which thread crashed"},
	{NoteCrashpadAnnotationsCut, "there are more annotations in the dump than are kept"},
	{NoteCodeIDTooLong, "the module's build id is longer than build ids are, and was left out"},
	{NoteThrottleMalformed, "what the door's rules decided makes no sense: the rate is 1"},
	{NoteStackMalformed, "the ping's stack is no JSON, or larger than stacks are; what stands before is kept"},
	{NoteStackCut, "the ping's stack has more modules, threads or frames than are kept"},
	{NoteFrameMalformed, "a frame of the ping has no address, and is left out, or lies outside the module that the client names, and has none"},
	{NoteModuleMalformed, "the module's addresses, version or ids have not their shape: what has not is left out"},
	{NoteTimeMalformed, "a time or a number of seconds of the client is none, and is missing"},
	{NoteClockSet, "of two times of the client the later is the earlier: what lies between them is missing"},
	{NoteMicrocodeMalformed, "the version of the microcode is none"},
	{NoteBreadcrumbsMalformed, "the breadcrumbs, or one of them, are not as clients write them, and are left out"},
	{NoteJavaMalformed, "the Java exception is none that can be read"},
	{NoteSignersMalformed, "who signed the modules is not as clients write it"},
	{NoteShutdownMalformed, "what the shutdown waited for is not as clients write it"},
	{NoteActorsMalformed, "an actor of the utility process has no name of an actor, and is left out"},
	{NoteEnvironmentMalformed, "the telemetry environment is not JSON"},
	{NoteAdapterMalformed, "the ids of the graphics adapter are none"},
	{NoteAddressMalformed, "the address of the heap checker is none"},
	{NoteMemoryReportUnreadable, "the memory report is not JSON in gzip, or larger than such reports are"},
	{NoteFactTooLarge, "a fact is larger than facts are kept, and is left out"},
	{NoteFactsCapped, "a list of facts is longer than is kept"},
	{NoteAdditionalDump, "a dump beside the main one cannot be read; additional_dumps says which"},
	{NoteReasonUnknown, "what the client gives as the crash's reason is not a system's, and is not shown"},

	{RejectNoContentType, "the request has no Content-Type"},
	{RejectWrongContentType, "the Content-Type is not multipart/form-data"},
	{RejectNoBoundary, "the Content-Type names no boundary"},
	{RejectEmptyBody, "the body is empty"},
	{RejectBadGzip, "the body is not compressed as its Content-Encoding says"},
	{RejectTruncated, "the body ended before its last boundary"},
	{RejectStructure, "the body is not multipart"},
	{RejectJSON, "the annotations are not JSON"},
	{RejectJSONValue, "the annotations are JSON but no object"},
	{RejectDumpName, "a dump has a reserved name, or none that can be kept"},
	{RejectNothing, "the report has neither annotations nor dumps"},
	{RejectTooManyParts, "the body has too many parts"},
	{RejectTooLarge, "the body, what it inflates to, or its annotations are too large or too many"},
	{RejectTooSlow, "the body did not arrive in time"},
	{RejectID, "the client chose a crash id that is none"},
	{RejectIDToken, "the client chose a crash id without the token that lets it"},

	{DeadRawUndecodable, "the record is no raw crash of a known schema"},
	{DeadCrashID, "the raw crash's id has not the shape of a crash id, or is not the key of its record"},
	{DeadBlobMissing, "a blob of the raw crash does not exist"},
	{DeadBlobCorrupt, "a blob of the raw crash has not the bytes that were stored"},
	{DeadPanic, "processing panicked"},
	{DeadDeadline, "processing did not end in time"},
	{DeadProcess, "processing failed"},
	{DeadEventTooLarge, "the processed crash does not fit the topic's largest message"},
	{DeadProcessedBad, "the record is no processed crash of a known schema"},
	{DeadRequestBad, "the record is no reprocess request of a known schema, or its raw crash is another one"},
	{DeadRawGone, "the raw crash that was to be processed again is not in its topic any more"},
	{DeadDumpTooLarge, "the dump needs more memory than the processor may use (--memory)"},
	{DeadRefused, "the broker refused what was made of the record, again and again"},
	{DeadRowRefused, "the sink refused the record's row"},
	{DeadUnserved, "the crash is seen in an archived signature version that this release cannot make"},
	{DeadPoison, "work on the record was begun again and again, and each time the process ended with it"},
}
