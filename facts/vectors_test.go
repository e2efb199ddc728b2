package facts_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aftershock/facts"
	"aftershock/internal/reference"
	"aftershock/redact"
	"aftershock/schema"
	"aftershock/stackwalk/analysis"
)

// vector is a recorded case: a raw crash with what the stackwalker said of its dumps, and
// what the reference's rules made of it.
type vector struct {
	Name     string         `json:"name"`
	RawCrash map[string]any `json:"raw_crash"`
	Dumps    map[string]struct {
		Size   int64  `json:"size"`
		Base64 string `json:"base64"`
	} `json:"dumps"`
	Stackwalk map[string]struct {
		Output json.RawMessage `json:"output"`
	} `json:"stackwalk"`
	Expect struct {
		Processed map[string]any `json:"processed_crash"`
		Public    map[string]any `json:"public"`
		Telemetry map[string]any `json:"telemetry"`
	} `json:"expect"`
}

// listed is a difference that was looked at.
type listed struct {
	Field  string   `yaml:"field"`
	Of     []string `yaml:"of"`    // processed, public, telemetry; all when it is left out
	Cases  []string `yaml:"cases"` // all when it is left out
	Reason string   `yaml:"reason"`
	used   bool
}

func (l *listed) covers(field, of, name string) bool {
	return l.Field == field && (len(l.Of) == 0 || slices.Contains(l.Of, of)) && (len(l.Cases) == 0 || slices.Contains(l.Cases, name))
}

// TestVectors compares every field of every recorded case, in the processed crash, the
// public view and the telemetry export. What differs must be in testdata/listed.yaml with
// its reason, and what is there must differ.
func TestVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(reference.Path(t, "vectors", "processor"), "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	text, err := os.ReadFile("testdata/listed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []*listed
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&list); err != nil {
		t.Fatal(err)
	}
	type count struct{ equal, listed, total int }
	counts := map[string]*count{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got := v.process(t)
		for of, views := range map[string]struct {
			want    map[string]any
			renames map[string]string
			ours    map[string]any
		}{
			"processed": {v.Expect.Processed, nil, got.processed},
			"public":    {v.Expect.Public, nil, got.public},
			"telemetry": {v.Expect.Telemetry, telemetryNames, got.public},
		} {
			for name, want := range views.want {
				field := name
				if plain := views.renames[name]; plain != "" {
					field = plain
				}
				c := counts[field]
				if c == nil {
					c = &count{}
					counts[field] = c
				}
				c.total++
				if same(want, views.ours[field]) {
					c.equal++
					continue
				}
				covered := false
				for _, l := range list {
					if l.covers(field, of, v.Name) {
						l.used, covered = true, true
					}
				}
				if covered {
					c.listed++
					continue
				}
				t.Errorf("%s: %s of %s: want %.200v, got %.200v", v.Name, field, of, show(want), show(views.ours[field]))
			}
		}
	}
	for _, l := range list {
		if !l.used {
			t.Errorf("listed, and no difference: %s of %v in %v", l.Field, l.Of, l.Cases)
		}
		if l.Reason == "" {
			t.Errorf("listed without a reason: %s", l.Field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(counts)) {
		c := counts[field]
		t.Logf("  %-36s %4d equal %4d listed %4d total", field, c.equal, c.listed, c.total)
	}
}

// telemetryNames are the export's own names.
var telemetryNames = map[string]string{
	"build_id": "build", "date": "date_processed", "platform_pretty_version": "os_pretty_version", "platform": "os_name", "platform_version": "os_version",
}

func show(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// same compares values as JSON has them. The export writes booleans as digits, and some
// numbers as text.
func same(want, got any) bool {
	b, err := json.Marshal(got)
	if err != nil {
		return false
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return false
	}
	if list, ok := want.([]any); ok && len(list) == 0 {
		want = nil
	}
	if list, ok := plain.([]any); ok && len(list) == 0 {
		plain = nil
	}
	if reflect.DeepEqual(want, plain) {
		return true
	}
	text, isText := want.(string)
	switch v := plain.(type) {
	case bool:
		return isText && (text == "1") == v && (text == "1" || text == "0")
	case float64:
		return isText && text == strconv.FormatFloat(v, 'f', -1, 64)
	}
	return false
}

// views are what we make of a case, under the reference's names.
type views struct{ processed, public map[string]any }

func (v *vector) process(t *testing.T) views {
	t.Helper()
	raw := map[string]string{}
	for name, value := range v.RawCrash {
		switch name {
		case "metadata", "uuid", "submitted_timestamp", "version":
			continue // what the collector adds
		}
		text, ok := value.(string)
		if !ok { // the door makes text of it
			text = show(value)
		}
		raw[name] = strings.TrimSpace(text)
	}
	p := &schema.ProcessedCrash{CrashID: fmt.Sprint(v.RawCrash["uuid"]), ReceivedAt: time.Date(2026, 11, 22, 11, 59, 58, 0, time.UTC), Kind: schema.KindReport}
	for _, name := range slices.Sorted(maps.Keys(v.Dumps)) {
		d := schema.DumpSummary{Name: name, Size: v.Dumps[name].Size}
		if metadata, ok := v.RawCrash["metadata"].(map[string]any); ok {
			sums, _ := metadata["dump_checksums"].(map[string]any)
			d.SHA256, _ = sums[name].(string)
		}
		p.Dumps = append(p.Dumps, d)
	}
	said := stackwalked(t, v.Stackwalk[schema.MainDump].Output, p)
	facts.Platform(&p.System, raw)
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if schema.DefaultRegistry.Lookup(name).Class != schema.ClassNeverStore {
			p.Annotations = append(p.Annotations, schema.Annotation{Name: name, Value: raw[name], Public: schema.DefaultRegistry.Public(name, raw[name])})
		}
	}
	var report []byte
	if d, ok := v.Dumps[schema.MemoryReport]; ok {
		report, _ = base64.StdEncoding.DecodeString(d.Base64)
	}
	derived := facts.Derive(facts.Input{Crash: p, Registry: schema.DefaultRegistry, Dump: said, MemoryReport: report})
	p.Facts, p.ProtectedFacts = derived.Public, derived.Protected
	for _, code := range derived.Notes {
		p.Notes = append(p.Notes, schema.Note{Code: code, Stage: schema.StageFacts, Index: schema.NoIndex})
	}
	pub, err := redact.Public(p, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	if text := show(pub); strings.Contains(text, "canary") {
		t.Errorf("%s: a protected value is public: %s", v.Name, text)
	}
	out := views{processed: view(p.Facts), public: view(pub.Facts)}
	out.public["os_name"], out.public["os_version"], out.public["cpu_arch"] = orNil(pub.OS), orNil(pub.OSVersion), orNil(pub.CPUArch)
	out.public["cpu_info"], out.public["reason"] = orNil(pub.CPUInfo), orNil(pub.Reason)
	if pub.CPUCount > 0 {
		out.public["cpu_count"] = pub.CPUCount
	}
	if pub.ThreadCount > 0 {
		out.public["thread_count"] = pub.ThreadCount
	}
	out.public["crashing_thread"], out.public["crash_id"], out.public["uuid"] = pub.CrashingThread, pub.CrashID, pub.CrashID
	annotations := map[string]string{}
	for _, a := range pub.Annotations {
		annotations[a.Name] = a.Value
	}
	copies(out.public, annotations)
	maps.Copy(out.processed, out.public)
	maps.Copy(out.processed, protectedView(p.ProtectedFacts))
	copies(out.processed, raw)
	additional := []string{}
	for _, d := range p.Dumps {
		if d.Name == schema.MainDump {
			out.processed["minidump_sha256_hash"] = d.SHA256
		}
		if schema.AdditionalDumpName(d.Name) {
			additional = append(additional, d.Name)
		}
	}
	out.processed["additional_minidumps"] = additional
	if len(additional) == 0 {
		out.public["additional_minidumps"] = additional
	}
	out.processed["moz_crash_reason_raw"] = orNil(raw["MozCrashReason"])
	out.processed["java_stack_trace_raw"] = orNil(raw["JavaStackTrace"])
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// view has public facts under the reference's names.
func view(f *schema.Facts) map[string]any {
	out := map[string]any{
		"report_type": f.ReportType, "process_type": f.ProcessType, "version": f.DisplayVersion, "major_version": f.MajorVersion,
		"crash_time": f.CrashTime, "startup_time": f.StartupTime, "install_time": f.InstallTime, "uptime": f.Uptime, "install_age": f.InstallAge,
		"last_crash": f.SecondsSinceLastCrash, "startup_crash": f.StartupCrash, "os_pretty_version": f.OSPrettyVersion, "cpu_microcode_version": f.CPUMicrocode,
		"crashing_thread_name": f.CrashingThreadName, "last_error_value": f.LastError, "crash_inconsistencies": f.CrashInconsistencies,
		"possible_bit_flips_max_confidence": f.BitFlipPercent, "moz_crash_reason": f.MozCrashReason, "abort_message": f.AbortMessage,
		"has_mac_boot_args": f.HasMacBootArgs, "topmost_filenames": f.TopmostFile, "addons_checked": f.AddonsChecked, "utility_actors_name": f.UtilityActors,
		"submitted_from": f.SubmittedFrom, "distribution_id": f.DistributionID, "accessibility": f.Accessibility,
	}
	if f.CrashTime != nil {
		out["client_crash_date"] = time.Unix(*f.CrashTime, 0).UTC().Format("2006-01-02T15:04:05+00:00")
	}
	if len(f.ModulesInStack) > 0 {
		out["modules_in_stack"] = strings.Join(f.ModulesInStack, ";")
	}
	if len(f.MissingSymbols) > 0 {
		out["missing_symbols"] = strings.Join(f.MissingSymbols, ";")
	}
	if f.JavaExceptionClass != nil {
		out["java_stack_trace"] = strings.Join(append([]string{*f.JavaExceptionClass}, f.JavaStack...), "\n\tat ")
	}
	if m := f.MemoryMeasures; m != nil {
		b, _ := json.Marshal(m)
		var plain map[string]any
		_ = json.Unmarshal(b, &plain)
		measures := map[string]any{}
		for name, value := range plain {
			measures[snake(name)] = value
		}
		out["memory_measures"] = measures
	}
	return out
}

var capital = regexp.MustCompile(`([a-z])([A-Z])|(JS)([A-Z])`)

func snake(name string) string {
	return strings.ToLower(capital.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}

func protectedView(f *schema.ProtectedFacts) map[string]any {
	out := map[string]any{"address": f.Address, "has_guard_page_access": f.HasGuardPageAccess, "mac_boot_args": f.MacBootArgs, "mac_crash_info": f.MacCrashInfo, "addons": f.Addons, "phc_base_address": f.PHCBaseAddress, "soft_errors": f.SoftErrors}
	if f.HasGuardPageAccess != nil && !*f.HasGuardPageAccess {
		delete(out, "has_guard_page_access") // the reference says it only when it is so
	}
	if f.Breadcrumbs != nil {
		list := []any{}
		for _, b := range f.Breadcrumbs {
			var data any
			_ = json.Unmarshal([]byte(b.Data), &data)
			list = append(list, map[string]any{"timestamp": b.Timestamp, "type": b.Type, "category": b.Category, "level": b.Level, "message": b.Message, "data": data})
		}
		out["breadcrumbs"] = list
	}
	return out
}

// copies adds the annotations that the reference copies, in the type that the registry
// gives them.
func copies(out map[string]any, annotations map[string]string) {
	for field, name := range copied {
		value, ok := annotations[name]
		if value = strings.TrimSpace(value); !ok || value == "" {
			continue
		}
		switch kind := schema.DefaultRegistry.Lookup(name).Type; kind {
		case schema.TypeInteger:
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				out[field] = n
			}
		case schema.TypeDecimal:
			if x, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(x) {
				out[field] = x
			}
		case schema.TypeBoolean:
			if schema.TypeBoolean.Holds(value) {
				out[field] = value == "1" || value == "true"
			}
		default:
			out[field] = value
		}
	}
}

var copied = map[string]string{
	"product": "ProductName", "release_channel": "ReleaseChannel", "build": "BuildID", "vendor": "Vendor", "productid": "ProductID", "uptime_ts": "UptimeTS", "safe_mode": "SafeMode",
	"oom_allocation_size": "OOMAllocationSize", "available_physical_memory": "AvailablePhysicalMemory", "total_virtual_memory": "TotalVirtualMemory",
	"total_physical_memory": "TotalPhysicalMemory", "system_memory_use_percentage": "SystemMemoryUsePercentage", "shutdown_progress": "ShutdownProgress", "shutdown_reason": "ShutdownReason",
	"ipc_channel_error": "ipc_channel_error", "ipc_shutdown_state": "IPCShutdownState", "plugin_filename": "PluginFilename", "plugin_name": "PluginName", "plugin_version": "PluginVersion",
	"application_build_id": "ApplicationBuildID", "async_shutdown_timeout": "AsyncShutdownTimeout", "dumper_error": "DumperError", "glean_client_id": "GleanClientId",
	"gmp_library_path": "GMPLibraryPath", "phc_alloc_stack": "PHCAllocStack", "phc_free_stack": "PHCFreeStack", "phc_kind": "PHCKind", "phc_usable_size": "PHCUsableSize",
	"remote_type": "RemoteType", "url": "URL", "user_comments": "Comments", "accessibility_client": "AccessibilityClient", "accessibility_in_proc_client": "AccessibilityInProcClient",
	"android_board": "Android_Board", "android_brand": "Android_Brand", "android_cpu_abi": "Android_CPU_ABI", "android_device": "Android_Device", "android_fingerprint": "Android_Fingerprint",
	"android_hardware": "Android_Hardware", "android_manufacturer": "Android_Manufacturer", "android_model": "Android_Model", "android_packagename": "Android_PackageName",
	"android_version": "Android_Version", "submitted_from_infobar": "SubmittedFromInfobar", "marionette": "Marionette", "remote_agent": "RemoteAgent",
	"java_exception": "JavaException", "telemetry_environment": "TelemetryEnvironment",
}

// document is what the stackwalker said, as far as facts need it.
type document struct {
	CrashInfo *struct {
		Address        *string `json:"address"`
		Type           *string `json:"type"`
		CrashingThread *int32  `json:"crashing_thread"`
		Adjusted       *struct {
			Kind    string `json:"kind"`
			Address string `json:"address"`
			Offset  string `json:"offset"`
		} `json:"adjusted_address"`
		Accesses []struct {
			Address   string `json:"address"`
			Size      int    `json:"size"`
			GuardPage bool   `json:"is_likely_guard_page"`
		} `json:"memory_accesses"`
		Inconsistencies []string `json:"crash_inconsistencies"`
		BitFlips        []struct {
			Confidence float32 `json:"confidence"`
		} `json:"possible_bit_flips"`
	} `json:"crash_info"`
	SystemInfo *struct {
		Arch  *string `json:"cpu_arch"`
		Info  *string `json:"cpu_info"`
		Count *int32  `json:"cpu_count"`
		OS    *string `json:"os"`
		OSVer *string `json:"os_ver"`
	} `json:"system_info"`
	Modules []struct {
		Filename string  `json:"filename"`
		Version  *string `json:"version"`
		DebugID  *string `json:"debug_id"`
		CodeID   *string `json:"code_id"`
		Missing  bool    `json:"missing_symbols"`
	} `json:"modules"`
	Threads []struct {
		Name      *string `json:"thread_name"`
		LastError *string `json:"last_error_value"`
		Frames    []struct {
			Module   *string `json:"module"`
			Function *string `json:"function"`
			File     *string `json:"file"`
			Inlines  []struct {
				Function *string `json:"function"`
				File     *string `json:"file"`
			} `json:"inlines"`
		} `json:"frames"`
	} `json:"threads"`
	LSB         *struct{ Description string } `json:"lsb_release"`
	MacBootArgs *string                       `json:"mac_boot_args"`
	PID         *int64                        `json:"pid"`
	Uptime      *int64                        `json:"process_uptime"`
}

var kernel = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)*(?:-[0-9]+)?`)

// stackwalked fills a processed crash with what a stackwalker said.
func stackwalked(t *testing.T, text []byte, p *schema.ProcessedCrash) (said facts.Dump) {
	t.Helper()
	var d document
	if len(text) == 0 || json.Unmarshal(text, &d) != nil {
		return said
	}
	str := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	number := func(s string) uint64 {
		n, _ := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
		return n
	}
	if s := d.SystemInfo; s != nil {
		p.System = schema.System{OS: str(s.OS), OSVersion: str(s.OSVer), CPUArch: str(s.Arch), CPUInfo: str(s.Info)}
		if p.System.OS == "Linux" {
			p.System.OSVersion = kernel.FindString(p.System.OSVersion)
		}
		if s.Count != nil {
			p.System.CPUCount = *s.Count
		}
	}
	p.Crash.ProcessID, p.Crash.UptimeSeconds = d.PID, d.Uptime
	if c := d.CrashInfo; c != nil {
		p.Crash.Reason, p.Crash.Address, p.Crash.CrashingThread = str(c.Type), c.Address, c.CrashingThread
		said.Analysis = &analysis.Analysis{}
		if a := c.Adjusted; a != nil {
			said.Analysis.Adjusted = &analysis.Adjusted{Kind: analysis.Kind(a.Kind), Address: number(a.Address + a.Offset)}
		}
		for _, a := range c.Accesses {
			said.Analysis.Accesses = append(said.Analysis.Accesses, analysis.Access{Address: number(a.Address), Size: a.Size, GuardPage: a.GuardPage})
		}
		for _, what := range c.Inconsistencies {
			said.Analysis.Inconsistencies = append(said.Analysis.Inconsistencies, analysis.Inconsistency(what))
		}
		if len(c.BitFlips) > 0 {
			p.Crash.BitFlipPercent = new(int32(c.BitFlips[0].Confidence * 100))
		}
	}
	for _, m := range d.Modules {
		symbols := "found"
		if m.Missing {
			symbols = "missing"
		}
		p.Modules = append(p.Modules, schema.Module{Filename: m.Filename, Version: str(m.Version), DebugID: str(m.DebugID), CodeID: str(m.CodeID), Symbols: symbols})
	}
	for _, from := range d.Threads {
		thread := schema.Thread{Name: str(from.Name), LastError: from.LastError}
		for _, f := range from.Frames {
			frame := schema.Frame{Module: str(f.Module), Function: str(f.Function), File: str(f.File)}
			for _, in := range f.Inlines {
				frame.Inlines = append(frame.Inlines, schema.Inline{Function: str(in.Function), File: str(in.File)})
			}
			thread.Frames = append(thread.Frames, frame)
		}
		p.Threads = append(p.Threads, thread)
	}
	if d.LSB != nil {
		said.LinuxDescription = d.LSB.Description
	}
	said.MacBootArgs = str(d.MacBootArgs)
	return said
}
