package schema

// Facts are what is derived of a crash's annotations and dump and may be shown to
// anybody (avsc/processed_crash.v5.avsc says what each is, and of what). What is
// missing is nil.
type Facts struct {
	ReportType            *string         `avro:"report_type"`
	ProcessType           *string         `avro:"process_type"`
	DisplayVersion        *string         `avro:"display_version"`
	MajorVersion          *int32          `avro:"major_version"`
	CrashTime             *int64          `avro:"crash_time"`
	StartupTime           *int64          `avro:"startup_time"`
	InstallTime           *int64          `avro:"install_time"`
	Uptime                *int64          `avro:"uptime"`
	InstallAge            *int64          `avro:"install_age"`
	SecondsSinceLastCrash *int64          `avro:"seconds_since_last_crash"`
	StartupCrash          *bool           `avro:"startup_crash"`
	OSPrettyVersion       *string         `avro:"os_pretty_version"`
	OSBuild               *string         `avro:"os_build"`
	AndroidAPILevel       *int32          `avro:"android_api_level"`
	CPUMicrocode          *string         `avro:"cpu_microcode"`
	CrashingThreadName    *string         `avro:"crashing_thread_name"`
	LastError             *string         `avro:"last_error"`
	AddressKind           *string         `avro:"address_kind"`
	NullOffset            *int64          `avro:"null_offset"`
	MemoryAccess          *string         `avro:"memory_access"`
	CrashInconsistencies  []string        `avro:"crash_inconsistencies"`
	BitFlipPercent        *int32          `avro:"bit_flip_percent"`
	MozCrashReason        *string         `avro:"moz_crash_reason"`
	AbortMessage          *string         `avro:"abort_message"`
	Assertion             *string         `avro:"assertion"`
	JavaExceptionClass    *string         `avro:"java_exception_class"`
	JavaStack             []string        `avro:"java_stack"`
	HasMacBootArgs        *bool           `avro:"has_mac_boot_args"`
	MainModule            *string         `avro:"main_module"`
	TopmostFile           *string         `avro:"topmost_file"`
	ModulesInStack        []string        `avro:"modules_in_stack"`
	MissingSymbols        []string        `avro:"missing_symbols"`
	UnloadedModules       []string        `avro:"unloaded_modules"`
	UnloadedModuleCount   *int32          `avro:"unloaded_module_count"`
	AdditionalDumpCount   *int32          `avro:"additional_dump_count"`
	GPUVendor             *string         `avro:"gpu_vendor"`
	GPUDevice             *string         `avro:"gpu_device"`
	AddonCount            *int32          `avro:"addon_count"`
	AddonsChecked         *bool           `avro:"addons_checked"`
	UtilityActors         []string        `avro:"utility_actors"`
	AsyncShutdownPhase    *string         `avro:"async_shutdown_phase"`
	AsyncShutdownBlockers []string        `avro:"async_shutdown_blockers"`
	DistributionID        *string         `avro:"distribution_id"`
	Accessibility         *bool           `avro:"accessibility"`
	SubmittedFrom         *string         `avro:"submitted_from"`
	MemoryMeasures        *MemoryMeasures `avro:"memory_measures"`
}

// MainProcess is the process type of a process of which the client says none, or that it is
// the main one.
const MainProcess = "parent"

// AssertionNames are the annotations, inside a dump or beside it, under which programs put
// the message of an assertion, a panic or an abort; without case, hyphens, underscores and
// blanks. Where there are several, the first of this list wins. The caller must not change it.
var AssertionNames = []string{
	"assertion", "assertionmessage", "assertmessage", "assert", "panicmessage", "rustpanic", "panic", "logfatal", "fatalmessage", "abortmsg", "glibcabortmsg", "libcabortmsg",
}

// MemoryMeasures are the measures of a memory report, in bytes but for the counts of
// windows and URLs.
type MemoryMeasures struct {
	Explicit            *int64 `avro:"explicit"`
	GfxTextures         *int64 `avro:"gfx_textures"`
	GhostWindows        *int64 `avro:"ghost_windows"`
	HeapAllocated       *int64 `avro:"heap_allocated"`
	HeapOverhead        *int64 `avro:"heap_overhead"`
	HeapUnclassified    *int64 `avro:"heap_unclassified"`
	HostObjectURLs      *int64 `avro:"host_object_urls"`
	Images              *int64 `avro:"images"`
	JSMainRuntime       *int64 `avro:"js_main_runtime"`
	Private             *int64 `avro:"private"`
	Resident            *int64 `avro:"resident"`
	ResidentUnique      *int64 `avro:"resident_unique"`
	SystemHeapAllocated *int64 `avro:"system_heap_allocated"`
	TopNoneDetached     *int64 `avro:"top_none_detached"`
	Vsize               *int64 `avro:"vsize"`
	VsizeMaxContiguous  *int64 `avro:"vsize_max_contiguous"`
}

// ProtectedFacts are facts that need a grant.
type ProtectedFacts struct {
	Address            *string        `avro:"address"`
	Instruction        *string        `avro:"instruction"`
	MemoryAccesses     []MemoryAccess `avro:"memory_accesses"`
	HasGuardPageAccess *bool          `avro:"has_guard_page_access"`
	Assertion          *string        `avro:"assertion"`
	MacBootArgs        *string        `avro:"mac_boot_args"`
	MacCrashInfo       *string        `avro:"mac_crash_info"`
	LinuxRelease       *string        `avro:"linux_release"`
	Breadcrumbs        []Breadcrumb   `avro:"breadcrumbs"`
	Addons             []string       `avro:"addons"`
	ModuleSigners      []ModuleSigner `avro:"module_signers"`
	PHCBaseAddress     *string        `avro:"phc_base_address"`
	SoftErrors         *string        `avro:"soft_errors"`
}

// MemoryAccess is memory that the instruction touched.
type MemoryAccess struct {
	Address   string `avro:"address"`
	Size      int32  `avro:"size"`
	Type      string `avro:"type"`
	GuardPage bool   `avro:"guard_page"`
}

// Breadcrumb is a thing that the program did before it crashed.
type Breadcrumb struct {
	Timestamp string `avro:"timestamp"`
	Type      string `avro:"type"`
	Category  string `avro:"category"`
	Level     string `avro:"level"`
	Message   string `avro:"message"`
	Data      string `avro:"data"`
}

// ModuleSigner is who signed a module.
type ModuleSigner struct {
	Module string `avro:"module"`
	Signer string `avro:"signer"`
}

// AdditionalDump is what a dump beside the main one says: of a browser whose child hung,
// of a child.
type AdditionalDump struct {
	Name           string   `avro:"name"`
	DumpStatus     string   `avro:"dump_status"`
	Reason         string   `avro:"reason"`
	Address        *string  `avro:"address"`
	ProcessID      *int64   `avro:"process_id"`
	CrashingThread *int32   `avro:"crashing_thread"`
	Threads        []Thread `avro:"threads"`
	Modules        []Module `avro:"modules"`
	Notes          []Note   `avro:"notes"`
}
