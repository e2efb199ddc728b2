package minidump

// FindingCode names a kind of damage or a limit. The text is stable and never
// holds anything from the dump.
type FindingCode string

// Every FindingCode. The comment says what Finding.Index counts; it is -1
// where it says nothing.
const (
	FindingDirectoryTruncated   FindingCode = "directory_truncated"
	FindingDuplicateStream      FindingCode = "duplicate_stream"           // directory entry that was replaced
	FindingStreamOutOfFile      FindingCode = "stream_out_of_file"         // directory entry
	FindingSystemInfoMissing    FindingCode = "system_info_missing"        //
	FindingSystemInfoUnreadable FindingCode = "system_info_unreadable"     //
	FindingCPUUnsupported       FindingCode = "cpu_unsupported"            // contexts of this CPU are not decoded
	FindingThreadListMissing    FindingCode = "thread_list_missing"        //
	FindingThreadListUnreadable FindingCode = "thread_list_unreadable"     //
	FindingThreadContext        FindingCode = "thread_context_unreadable"  // thread
	FindingThreadStack          FindingCode = "thread_stack_unreadable"    // thread
	FindingThreadNames          FindingCode = "thread_names_unreadable"    //
	FindingThreadName           FindingCode = "thread_name_unreadable"     // entry of the stream
	FindingModuleListUnreadable FindingCode = "module_list_unreadable"     //
	FindingModuleName           FindingCode = "module_name_unreadable"     // module record
	FindingModuleCodeView       FindingCode = "module_codeview_unreadable" // module record
	FindingModuleRange          FindingCode = "module_range_invalid"       // module record, left out
	FindingUnloadedModules      FindingCode = "unloaded_modules_unreadable"
	FindingUnloadedModuleName   FindingCode = "unloaded_module_name_unreadable" // module record
	FindingMemoryList           FindingCode = "memory_list_unreadable"
	FindingMemoryRegion         FindingCode = "memory_region_unreadable" // region record
	FindingMemoryInfo           FindingCode = "memory_info_unreadable"
	FindingException            FindingCode = "exception_unreadable"
	FindingExceptionContext     FindingCode = "exception_context_unreadable"
	FindingMiscInfo             FindingCode = "misc_info_unreadable"
	FindingBreakpadInfo         FindingCode = "breakpad_info_unreadable"
	FindingCrashpadInfo         FindingCode = "crashpad_info_unreadable"
	FindingCrashpadAnnotation   FindingCode = "crashpad_annotation_unreadable" // module link
	FindingHandles              FindingCode = "handles_unreadable"
	FindingThreadInfo           FindingCode = "thread_info_unreadable"
	FindingAssertion            FindingCode = "assertion_unreadable"
	FindingMacCrashInfo         FindingCode = "mac_crash_info_unreadable"
	FindingMacCrashRecord       FindingCode = "mac_crash_record_unreadable" // record
	FindingMacBootArgs          FindingCode = "mac_boot_args_unreadable"
	FindingLinuxMaps            FindingCode = "linux_maps_unreadable" // line
	FindingLimitStreams         FindingCode = "limit_streams"
	FindingLimitThreads         FindingCode = "limit_threads"
	FindingLimitModules         FindingCode = "limit_modules"
	FindingLimitUnloaded        FindingCode = "limit_unloaded_modules"
	FindingLimitMemoryRegions   FindingCode = "limit_memory_regions"
	FindingLimitMemoryInfo      FindingCode = "limit_memory_info"
	FindingLimitLinuxMaps       FindingCode = "limit_linux_maps"
	FindingLimitLinuxText       FindingCode = "limit_linux_text"
	FindingLimitHandles         FindingCode = "limit_handles"
	FindingLimitAnnotations     FindingCode = "limit_annotations"
	FindingLimitStrings         FindingCode = "limit_strings"  // further strings are unreadable
	FindingLimitFindings        FindingCode = "limit_findings" // more were not recorded
)

// Finding is something that could not be read, or was cut.
type Finding struct {
	Code  FindingCode
	Index int // which one, counted from 0 as FindingCode says; -1 for none
}

// find records a finding, up to maxFindings.
func (d *Dump) find(code FindingCode, index int) {
	switch {
	case len(d.Findings) < maxFindings:
		d.Findings = append(d.Findings, Finding{code, index})
	case len(d.Findings) == maxFindings:
		d.Findings = append(d.Findings, Finding{FindingLimitFindings, -1})
	}
}
