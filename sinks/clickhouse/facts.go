package clickhouse

import (
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"

	"aftershock/schema"
)

// factColumns are the public facts: each is a column of its name, missing is NULL.
func factColumns() []column {
	return []column{
		{"report_type", factWord(func(f *schema.Facts) *string { return f.ReportType })},
		{"display_version", factWord(func(f *schema.Facts) *string { return f.DisplayVersion })},
		{"major_version", fact(int32s, func(f *schema.Facts) *int32 { return f.MajorVersion })},
		{"crash_time", factTime(func(f *schema.Facts) *int64 { return f.CrashTime })},
		{"startup_time", factTime(func(f *schema.Facts) *int64 { return f.StartupTime })},
		{"install_time", factTime(func(f *schema.Facts) *int64 { return f.InstallTime })},
		{"uptime", fact(int64s, func(f *schema.Facts) *int64 { return f.Uptime })},
		{"install_age", fact(int64s, func(f *schema.Facts) *int64 { return f.InstallAge })},
		{"seconds_since_last_crash", fact(int64s, func(f *schema.Facts) *int64 { return f.SecondsSinceLastCrash })},
		{"startup_crash", fact(bools, func(f *schema.Facts) *bool { return f.StartupCrash })},
		{"os_pretty_version", factWord(func(f *schema.Facts) *string { return f.OSPrettyVersion })},
		{"os_build", factWord(func(f *schema.Facts) *string { return f.OSBuild })},
		{"android_api_level", fact(int32s, func(f *schema.Facts) *int32 { return f.AndroidAPILevel })},
		{"cpu_microcode", factWord(func(f *schema.Facts) *string { return f.CPUMicrocode })},
		{"crashing_thread_name", factWord(func(f *schema.Facts) *string { return f.CrashingThreadName })},
		{"last_error", factWord(func(f *schema.Facts) *string { return f.LastError })},
		{"address_kind", factWord(func(f *schema.Facts) *string { return f.AddressKind })},
		{"null_offset", fact(int64s, func(f *schema.Facts) *int64 { return f.NullOffset })},
		{"memory_access", factWord(func(f *schema.Facts) *string { return f.MemoryAccess })},
		{"crash_inconsistencies", factWords(func(f *schema.Facts) []string { return f.CrashInconsistencies })},
		{"bit_flip_percent", fact(int32s, func(f *schema.Facts) *int32 { return f.BitFlipPercent })},
		{"moz_crash_reason", factWord(func(f *schema.Facts) *string { return f.MozCrashReason })},
		{"abort_message", factWord(func(f *schema.Facts) *string { return f.AbortMessage })},
		{"assertion", factWord(func(f *schema.Facts) *string { return f.Assertion })},
		{"java_exception_class", factWord(func(f *schema.Facts) *string { return f.JavaExceptionClass })},
		{"java_stack", factWords(func(f *schema.Facts) []string { return f.JavaStack })},
		{"has_mac_boot_args", fact(bools, func(f *schema.Facts) *bool { return f.HasMacBootArgs })},
		{"main_module", factWord(func(f *schema.Facts) *string { return f.MainModule })},
		{"topmost_file", factWord(func(f *schema.Facts) *string { return f.TopmostFile })},
		{"modules_in_stack", factWords(func(f *schema.Facts) []string { return f.ModulesInStack })},
		{"missing_symbols", factWords(func(f *schema.Facts) []string { return f.MissingSymbols })},
		{"unloaded_modules", factWords(func(f *schema.Facts) []string { return f.UnloadedModules })},
		{"unloaded_module_count", fact(int32s, func(f *schema.Facts) *int32 { return f.UnloadedModuleCount })},
		{"additional_dump_count", fact(int32s, func(f *schema.Facts) *int32 { return f.AdditionalDumpCount })},
		{"gpu_vendor", factWord(func(f *schema.Facts) *string { return f.GPUVendor })},
		{"gpu_device", factWord(func(f *schema.Facts) *string { return f.GPUDevice })},
		{"addon_count", fact(int32s, func(f *schema.Facts) *int32 { return f.AddonCount })},
		{"addons_checked", fact(bools, func(f *schema.Facts) *bool { return f.AddonsChecked })},
		{"utility_actors", factWords(func(f *schema.Facts) []string { return f.UtilityActors })},
		{"async_shutdown_phase", factWord(func(f *schema.Facts) *string { return f.AsyncShutdownPhase })},
		{"async_shutdown_blockers", factWords(func(f *schema.Facts) []string { return f.AsyncShutdownBlockers })},
		{"distribution_id", factWord(func(f *schema.Facts) *string { return f.DistributionID })},
		{"accessibility", fact(bools, func(f *schema.Facts) *bool { return f.Accessibility })},
		{"submitted_from", factWord(func(f *schema.Facts) *string { return f.SubmittedFrom })},
		{"memory_explicit", measure(func(m *schema.MemoryMeasures) *int64 { return m.Explicit })},
		{"memory_gfx_textures", measure(func(m *schema.MemoryMeasures) *int64 { return m.GfxTextures })},
		{"memory_ghost_windows", measure(func(m *schema.MemoryMeasures) *int64 { return m.GhostWindows })},
		{"memory_heap_allocated", measure(func(m *schema.MemoryMeasures) *int64 { return m.HeapAllocated })},
		{"memory_heap_overhead", measure(func(m *schema.MemoryMeasures) *int64 { return m.HeapOverhead })},
		{"memory_heap_unclassified", measure(func(m *schema.MemoryMeasures) *int64 { return m.HeapUnclassified })},
		{"memory_host_object_urls", measure(func(m *schema.MemoryMeasures) *int64 { return m.HostObjectURLs })},
		{"memory_images", measure(func(m *schema.MemoryMeasures) *int64 { return m.Images })},
		{"memory_js_main_runtime", measure(func(m *schema.MemoryMeasures) *int64 { return m.JSMainRuntime })},
		{"memory_private", measure(func(m *schema.MemoryMeasures) *int64 { return m.Private })},
		{"memory_resident", measure(func(m *schema.MemoryMeasures) *int64 { return m.Resident })},
		{"memory_resident_unique", measure(func(m *schema.MemoryMeasures) *int64 { return m.ResidentUnique })},
		{"memory_system_heap_allocated", measure(func(m *schema.MemoryMeasures) *int64 { return m.SystemHeapAllocated })},
		{"memory_top_none_detached", measure(func(m *schema.MemoryMeasures) *int64 { return m.TopNoneDetached })},
		{"memory_vsize", measure(func(m *schema.MemoryMeasures) *int64 { return m.Vsize })},
		{"memory_vsize_max_contiguous", measure(func(m *schema.MemoryMeasures) *int64 { return m.VsizeMaxContiguous })},
	}
}

// fact is a Nullable column of a fact.
func fact[T any](of func() chproto.ColumnOf[T], value func(f *schema.Facts) *T) func() values {
	return optional(of, func(r *row) *T {
		if r.pub.Facts == nil {
			return nil
		}
		return value(r.pub.Facts)
	})
}

// factWord is fact of few different texts.
func factWord(value func(f *schema.Facts) *string) func() values {
	return optionalWord(func(r *row) *string {
		if r.pub.Facts == nil {
			return nil
		}
		return value(r.pub.Facts)
	})
}

// factTime is fact of seconds since 1970.
func factTime(value func(f *schema.Facts) *int64) func() values {
	return fact(seconds, func(f *schema.Facts) *time.Time {
		if at := value(f); at != nil {
			return new(time.Unix(*at, 0).UTC())
		}
		return nil
	})
}

// factWords is a column of a list.
func factWords(value func(f *schema.Facts) []string) func() values {
	return each(word, func(r *row) []string {
		if r.pub.Facts == nil {
			return nil
		}
		return value(r.pub.Facts)
	}, func(s *string) string { return *s })
}

// measure is a column of a memory report's measure.
func measure(value func(m *schema.MemoryMeasures) *int64) func() values {
	return fact(int64s, func(f *schema.Facts) *int64 {
		if f.MemoryMeasures == nil {
			return nil
		}
		return value(f.MemoryMeasures)
	})
}

// protectedFactColumns are the facts that need a grant.
func protectedFactColumns() []column {
	type (
		access = schema.MemoryAccess
		crumb  = schema.Breadcrumb
		signer = schema.ModuleSigner
		dump   = schema.AdditionalDump
	)
	none := &schema.ProtectedFacts{}
	of := func(r *row) *schema.ProtectedFacts {
		if r.p.ProtectedFacts == nil {
			return none
		}
		return r.p.ProtectedFacts
	}
	accesses := func(r *row) []access { return of(r).MemoryAccesses }
	crumbs := func(r *row) []crumb { return of(r).Breadcrumbs }
	signers := func(r *row) []signer { return of(r).ModuleSigners }
	dumps := func(r *row) []dump { return r.p.AdditionalDumps }
	return []column{
		{"adjusted_address", optional(text, func(r *row) *string { return of(r).Address })},
		{"instruction", optional(text, func(r *row) *string { return of(r).Instruction })},
		{"memory_accesses.address", each(text, accesses, func(a *access) string { return a.Address })},
		{"memory_accesses.size", each(int32s, accesses, func(a *access) int32 { return a.Size })},
		{"memory_accesses.type", each(word, accesses, func(a *access) string { return a.Type })},
		{"memory_accesses.guard_page", each(bools, accesses, func(a *access) bool { return a.GuardPage })},
		{"has_guard_page_access", optional(bools, func(r *row) *bool { return of(r).HasGuardPageAccess })},
		{"assertion", optional(text, func(r *row) *string { return of(r).Assertion })},
		{"mac_boot_args", optional(text, func(r *row) *string { return of(r).MacBootArgs })},
		{"mac_crash_info", optional(text, func(r *row) *string { return of(r).MacCrashInfo })},
		{"linux_release", optionalWord(func(r *row) *string { return of(r).LinuxRelease })},
		{"breadcrumbs.timestamp", each(text, crumbs, func(c *crumb) string { return c.Timestamp })},
		{"breadcrumbs.type", each(word, crumbs, func(c *crumb) string { return c.Type })},
		{"breadcrumbs.category", each(word, crumbs, func(c *crumb) string { return c.Category })},
		{"breadcrumbs.level", each(word, crumbs, func(c *crumb) string { return c.Level })},
		{"breadcrumbs.message", each(text, crumbs, func(c *crumb) string { return c.Message })},
		{"breadcrumbs.data", each(text, crumbs, func(c *crumb) string { return c.Data })},
		{"addons", each(word, func(r *row) []string { return of(r).Addons }, func(s *string) string { return *s })},
		{"module_signers.module", each(word, signers, func(s *signer) string { return s.Module })},
		{"module_signers.signer", each(word, signers, func(s *signer) string { return s.Signer })},
		{"phc_base_address", optional(text, func(r *row) *string { return of(r).PHCBaseAddress })},
		{"soft_errors", optional(text, func(r *row) *string { return of(r).SoftErrors })},
		{"additional_dumps.name", each(word, dumps, func(d *dump) string { return d.Name })},
		{"additional_dumps.dump_status", each(word, dumps, func(d *dump) string { return d.DumpStatus })},
		{"additional_dumps.reason", each(word, dumps, func(d *dump) string { return d.Reason })},
		{"additional_dumps.thread_count", each(uint32s, dumps, func(d *dump) uint32 { return uint32(len(d.Threads)) })},
		{"additional_dumps.stack", stacks(dumps, crashingFrames)},
	}
}

// crashingFrames are those of the thread of a dump that crashed, or of its first one.
func crashingFrames(d *schema.AdditionalDump) []schema.Frame {
	i := 0
	if d.CrashingThread != nil {
		i = int(*d.CrashingThread)
	}
	if i < 0 || i >= len(d.Threads) {
		return nil
	}
	return d.Threads[i].Frames
}
