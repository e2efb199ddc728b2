package facts_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/facts"
	"aftershock/minidump"
	"aftershock/schema"
	"aftershock/stackwalk/analysis"
)

// with is a crash with annotations, classified by the registry.
func with(annotations map[string]string) *schema.ProcessedCrash {
	c := &schema.ProcessedCrash{}
	for name, value := range annotations {
		c.Annotations = append(c.Annotations, schema.Annotation{Name: name, Value: value, Public: schema.DefaultRegistry.Public(name, value)})
	}
	return c
}

// fact is a fact of a crash with annotations, as text, and the codes of notes.
func fact(c *schema.ProcessedCrash, of func(f facts.Facts) any, more ...func(*facts.Input)) string {
	in := facts.Input{Crash: c, Registry: schema.DefaultRegistry}
	for _, change := range more {
		change(&in)
	}
	f := facts.Derive(in)
	b, err := json.Marshal(of(f))
	if err != nil {
		return err.Error()
	}
	return strings.Join(append([]string{string(b)}, f.Notes...), " ")
}

// idea is a table of annotations and the fact that they give.
func idea(t *testing.T, of func(f facts.Facts) any, cases map[string]string) {
	t.Helper()
	for text, want := range cases {
		annotations := map[string]string{}
		for pair := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(pair, "=")
			annotations[name] = value
		}
		if got := fact(with(annotations), of); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestProcessAndVersion(t *testing.T) {
	idea(t, func(f facts.Facts) any {
		return []any{f.Public.ProcessType, f.Public.DisplayVersion, f.Public.MajorVersion, f.Public.StartupCrash, f.Public.SubmittedFrom}
	}, map[string]string{
		"":                                 `["parent",null,null,null,null]`,
		"ProcessType=main\nVersion=12.0.1": `["parent","12.0.1",12,null,null]`,
		"ptype=gpu-process\nver=7":         `["gpu-process","7",7,null,null]`,
		"ReleaseChannel=esr\nVersion=140.5.0\nStartupCrash=1":              `["parent","140.5.0esr",140,true,null]`,
		"ReleaseChannel=esr\nVersion=140.5.0esr\nStartupCrash=0":           `["parent","140.5.0esr",140,false,null]`,
		"Version=nightly\nStartupCrash=maybe":                              `["parent","nightly",null,null,null]`,
		"Version=2147483648.1\nSubmittedFrom=Auto":                         `["parent","2147483648.1",null,null,"Auto"]`,
		"Version=2147483647.1\nSubmittedFrom=Auto\nSubmittedFromInfobar=1": `["parent","2147483647.1",2147483647,null,"Infobar"]`,
	})
}

func TestTimesAreOfOneClock(t *testing.T) {
	of := func(f facts.Facts) any {
		p := f.Public
		return []any{p.CrashTime, p.StartupTime, p.InstallTime, p.Uptime, p.InstallAge, p.SecondsSinceLastCrash}
	}
	idea(t, of, map[string]string{
		"": `[null,null,null,null,null,null]`,
		"CrashTime=1795348000\nStartupTime=1795347000\nInstallTime=1795000000\nSecondsSinceLastCrash=7": `[1795348000,1795347000,1795000000,1000,348000,7]`,
		"CrashTime=1795348000\nStartupTime=1795348000":                                                  `[1795348000,1795348000,null,0,null,null]`,
		"CrashTime=1795348000\nStartupTime=1795348001":                                                  `[1795348000,1795348001,null,null,null,null] clock_set`,
		"CrashTime=1795348000123":                                                                       `[1795348000,null,null,null,null,null]`, // milliseconds behind
		"CrashTime=946684800":                                                                           `[946684800,null,null,null,null,null]`,
		"CrashTime=946684799":                                                                           `[null,null,null,null,null,null] time_malformed`,
		"CrashTime=4294967295":                                                                          `[4294967295,null,null,null,null,null]`,
		"CrashTime=4294967296":                                                                          `[null,null,null,null,null,null] time_malformed`,
		"CrashTime=never":                                                                               `[null,null,null,null,null,null]`, // whoever classified it has noted it
		"SecondsSinceLastCrash=-1":                                                                      `[null,null,null,null,null,null] time_malformed`,
	})
	// Without a time of the start, the dump's uptime counts.
	c := with(map[string]string{"CrashTime": "1795348000"})
	c.Crash.UptimeSeconds = new(int64(9))
	if got, want := fact(c, of), `[1795348000,null,null,9,null,null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c = with(map[string]string{"CrashTime": "1795348000", "StartupTime": "1795348001"})
	c.Crash.UptimeSeconds = new(int64(9))
	if got, want := fact(c, of), `[1795348000,1795348001,null,null,null,null] clock_set`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSystemsAreCalledAsPeopleCallThem(t *testing.T) {
	for system, want := range map[schema.System]string{
		{}: `[null,null,null]`,
		{OS: "Windows NT", OSVersion: "10.0.22631 4317"}:         `["Windows 11","22631.4317",null]`,
		{OS: "Windows NT", OSVersion: "10.0.21996"}:              `["Windows 11","21996",null]`,
		{OS: "Windows NT", OSVersion: "10.0.21995"}:              `["Windows 10","21995",null]`,
		{OS: "Windows NT", OSVersion: "6.1.7601 Service Pack 1"}: `["Windows 7","7601",null]`,
		{OS: "Windows NT", OSVersion: "99.1"}:                    `["Windows",null,null]`,
		{OS: "Windows NT"}:                                       `["Windows",null,null]`,
		{OS: "Mac OS X", OSVersion: "10.15.7 19H2"}:              `["OS X 10.15","19H2",null]`,
		{OS: "Mac OS X", OSVersion: "26.1.0 25B78"}:              `["macOS 26","25B78",null]`,
		{OS: "Mac OS X", OSVersion: "9.2"}:                       `["Mac OS X",null,null]`,
		{OS: "Mac OS X", OSVersion: "11.1 somebody"}:             `["macOS 11",null,null]`,
		{OS: "Linux", OSVersion: "6.1.0-13"}:                     `["Linux",null,null]`,
		{OS: "Android", OSVersion: "34"}:                         `["Android 34",null,null]`,
		{OS: "Android"}:                                          `["Android",null,null]`,
		{OS: "Solaris", OSVersion: "5"}:                          `["Solaris",null,null]`,
	} {
		if got := fact(&schema.ProcessedCrash{System: system}, func(f facts.Facts) any {
			return []any{f.Public.OSPrettyVersion, f.Public.OSBuild, f.Public.AndroidAPILevel}
		}); got != want {
			t.Errorf("%+v: got %s, want %s", system, got, want)
		}
	}
}

// A release file says what somebody wrote into it: a known name and a number are shown.
func TestDistributionsAreThoseOfAList(t *testing.T) {
	for description, want := range map[string]string{
		"Ubuntu 14.04 LTS": "Ubuntu 14.04 LTS", "Ubuntu 24.04.1 LTS": "Ubuntu 24.04.1 LTS", "Debian GNU/Linux 12 (bookworm)": "Debian GNU/Linux 12",
		"Fedora release 43 (Forty Three)": "Fedora 43", "Fedora Linux 41 (Workstation Edition)": "Fedora Linux 41", "Arch Linux": "Arch Linux", "Linux Mint 22": "Linux Mint 22",
		"CentOS Linux release 7.9.2009 (Core)": "CentOS Linux 7.9.2009", "Alice's own 7": "Linux", "Ubuntu alice": "Ubuntu", "Ubuntualice": "Linux", "": "Linux",
	} {
		c := &schema.ProcessedCrash{System: schema.System{OS: "Linux"}}
		got := fact(c, func(f facts.Facts) any { return f.Public.OSPrettyVersion }, func(in *facts.Input) { in.Dump.LinuxDescription = description })
		if got != `"`+want+`"` {
			t.Errorf("%q: got %s, want %s", description, got, want)
		}
	}
}

// Where no dump says the system, known words of annotations do.
func TestPlatformOfAnnotations(t *testing.T) {
	for _, c := range []struct {
		dump        schema.System
		annotations map[string]string
		want        schema.System
	}{
		{schema.System{}, nil, schema.System{}},
		{
			schema.System{},
			map[string]string{"OS": "WINNT", "OSVersion": " 10.0.26100 ", "CPUArchitecture": "x86-64", "CPUInfo": "GenuineIntel family 6"},
			schema.System{OS: "Windows NT", OSVersion: "10.0.26100", CPUArch: "amd64", CPUInfo: "GenuineIntel family 6"},
		},
		{schema.System{}, map[string]string{"OS": "alice's", "OSVersion": "10.0 of alice", "CPUArchitecture": "z80", "CPUInfo": "alice's chip"}, schema.System{}},
		{
			schema.System{OS: "Linux", OSVersion: "6.1", CPUArch: "arm", CPUInfo: "x"},
			map[string]string{"OS": "WINNT", "OSVersion": "1", "CPUArchitecture": "x86", "CPUInfo": "family 1"},
			schema.System{OS: "Linux", OSVersion: "6.1", CPUArch: "arm", CPUInfo: "x"},
		},
		{schema.System{OS: "Android", OSVersion: "4.19.1"}, map[string]string{"Android_Version": "34 (REL)", "Android_CPU_ABI": "arm64-v8a"}, schema.System{OS: "Android", OSVersion: "34", CPUArch: "arm64"}},
		{schema.System{}, map[string]string{"Android_Version": "28", "Android_Model": "One", "Android_CPU_ABI": "armeabi-v7a"}, schema.System{OS: "Android", OSVersion: "28", CPUArch: "arm"}},
		{schema.System{}, map[string]string{"Android_Version": "28"}, schema.System{}},
	} {
		got := c.dump
		facts.Platform(&got, c.annotations)
		if got != c.want {
			t.Errorf("%+v with %v: got %+v, want %+v", c.dump, c.annotations, got, c.want)
		}
	}
}

func TestAddressOfTheCrash(t *testing.T) {
	of := func(f facts.Facts) any {
		return []any{f.Public.AddressKind, f.Public.NullOffset, f.Public.MemoryAccess, f.Public.CrashInconsistencies, f.Protected.Address, f.Protected.HasGuardPageAccess, len(f.Protected.MemoryAccesses)}
	}
	access := func(n int) []analysis.Access {
		all := make([]analysis.Access, n)
		for i := range all {
			all[i] = analysis.Access{Address: 7, Size: 8, Type: analysis.Write, GuardPage: i == 15}
		}
		return all
	}
	for name, c := range map[string]struct {
		address string
		found   *analysis.Analysis
		want    string
	}{
		"no exception":  {"", nil, `[null,null,null,null,null,null,0]`},
		"believed":      {"0x00000045", &analysis.Analysis{}, `[null,null,null,null,"0x00000045",null,0]`},
		"null":          {"0x0000000000000010", &analysis.Analysis{Adjusted: &analysis.Adjusted{Kind: analysis.NullPointer, Address: 16}}, `["null-pointer",16,null,null,"0x0000000000000000",null,0]`},
		"null, narrow":  {"0x00000010", &analysis.Analysis{Adjusted: &analysis.Adjusted{Kind: analysis.NullPointer, Address: 1 << 20}}, `["null-pointer",1048576,null,null,"0x00000000",null,0]`},
		"far from null": {"0x00000010", &analysis.Analysis{Adjusted: &analysis.Adjusted{Kind: analysis.NullPointer, Address: 1<<20 + 1}}, `["null-pointer",null,null,null,"0x00000000",null,0]`},
		"non-canonical": {"0x0000000000000000", &analysis.Analysis{Adjusted: &analysis.Adjusted{Kind: analysis.NonCanonical, Address: 0xe5e5e5e5e5e5e5e5}}, `["non-canonical",null,null,null,"0xe5e5e5e5e5e5e5e5",null,0]`},
		"accesses":      {"0x00000010", &analysis.Analysis{Accesses: access(1), Inconsistencies: []analysis.Inconsistency{analysis.AccessNotFound}}, `[null,null,"write",["crashing_access_not_found_in_memory_accesses"],"0x00000010",false,1]`},
		"a guard page":  {"0x00000010", &analysis.Analysis{Accesses: access(16)}, `[null,null,"write",null,"0x00000010",true,16]`},
		"more accesses": {"0x00000010", &analysis.Analysis{Accesses: access(17)}, `[null,null,"write",null,"0x00000010",true,16]`},
	} {
		crash := &schema.ProcessedCrash{}
		if c.address != "" {
			crash.Crash.Address = &c.address
		}
		if got := fact(crash, of, func(in *facts.Input) { in.Dump.Analysis = c.found }); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Where the system itself reports an address near null, it is one.
func TestAccessesNearNull(t *testing.T) {
	of := func(f facts.Facts) any { return []any{f.Public.AddressKind, f.Public.NullOffset} }
	for _, c := range []struct{ reason, address, want string }{
		{"SIGSEGV / SEGV_MAPERR", "0x0000000000000000", `["null-pointer",0]`},
		{"EXCEPTION_ACCESS_VIOLATION_READ", "0x0000ffff", `["null-pointer",65535]`},
		{"EXC_BAD_ACCESS / KERN_INVALID_ADDRESS", "0x10000", `[null,null]`},
		{"SIGSEGV / SI_KERNEL", "0x0", `[null,null]`},
		{"EXC_BAD_ACCESS / EXC_I386_GPFLT", "0x0", `[null,null]`},
		{"SIGSEGV / SI_USER", "0x10", `[null,null]`},
		{"SIGABRT / SI_TKILL", "0x10", `[null,null]`},
		{"SIGTRAP", "0x0", `[null,null]`},
	} {
		crash := &schema.ProcessedCrash{}
		crash.Crash.Reason, crash.Crash.Address = c.reason, &c.address
		if got := fact(crash, of); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
	crash := &schema.ProcessedCrash{}
	crash.Crash.Reason, crash.Crash.Address = "SIGSEGV", new("0x10")
	if got, want := fact(crash, of, func(in *facts.Input) {
		in.Dump.Analysis = &analysis.Analysis{Adjusted: &analysis.Adjusted{Kind: analysis.NonCanonical}}
	}), `["non-canonical",null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestJavaShowsItsCodeAlone(t *testing.T) {
	frames := func(n int) string {
		return "java.lang.Error: secret" + strings.Repeat("\n\tat a.B.c(B.java:1)", n)
	}
	of := func(f facts.Facts) any {
		return []any{f.Public.JavaExceptionClass, len(f.Public.JavaStack), f.Public.JavaStack[:min(len(f.Public.JavaStack), 2)]}
	}
	for name, c := range map[string]struct{ name, value, want string }{
		"a trace":            {"JavaStackTrace", frames(1), `["java.lang.Error",1,["a.B.c(B.java:1)"]]`},
		"the most frames":    {"JavaStackTrace", frames(256), `["java.lang.Error",256,["a.B.c(B.java:1)","a.B.c(B.java:1)"]]`},
		"one more":           {"JavaStackTrace", frames(257), `["java.lang.Error",256,["a.B.c(B.java:1)","a.B.c(B.java:1)"]] facts_capped`},
		"many more":          {"JavaStackTrace", frames(999), `["java.lang.Error",256,["a.B.c(B.java:1)","a.B.c(B.java:1)"]] facts_capped`},
		"a message of lines": {"JavaStackTrace", "java.lang.Error: a\nsecret\n\tat a.B.c(B.java:1)", `["java.lang.Error",0,null]`},
		"text":               {"JavaStackTrace", "my secret", `[null,0,null] java_exception_malformed`},
		"a structured one":   {"JavaException", `{"exception":{"values":[{"stacktrace":{"type":"E","module":"a.b","frames":[{"module":"a.C","function":"d","filename":"C.kt","lineno":12},{"module":"my secret","function":"x"}]}}]}}`, `["a.b.E",2,["a.C.d(C.kt:12)","(not shown)"]]`},
		"without a file":     {"JavaException", `{"exception":{"values":[{"stacktrace":{"type":"E","module":"a.b","frames":[{"module":"a.C","function":"d"},{"module":"a.C","function":"d","filename":"C.kt","lineno":"x"}]}}]}}`, `["a.b.E",2,["a.C.d","a.C.d(C.kt)"]]`},
		"of a ping":          {"JavaException", `{"throwables":[{"typeName":"a.b.E","stack":[{"className":"a.C","methodName":"d","file":"C.java","line":3}]}]}`, `["a.b.E",1,["a.C.d(C.java:3)"]]`},
		"no JSON":            {"JavaException", "secret", `[null,0,null] java_exception_malformed`},
		"none":               {"Other", "x", `[null,0,null]`},
	} {
		if got := fact(with(map[string]string{c.name: c.value}), of); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestAddonsShutdownActorsAndMore(t *testing.T) {
	many := func(n int, join string) string { return strings.TrimSuffix(strings.Repeat("a"+join, n), join) }
	idea(t, func(f facts.Facts) any {
		return []any{f.Public.AddonCount, len(f.Protected.Addons), f.Protected.Addons[:min(len(f.Protected.Addons), 2)]}
	}, map[string]string{
		"x=":                       `[null,0,null]`,
		"Add-ons=":                 `[0,0,null]`,
		"Add-ons=a%40b.c:1.0%2b,d": `[2,2,["a@b.c:1.0+","d:NO_VERSION"]]`,
		"Add-ons=%zz:1":            `[1,1,["%zz:1"]]`,
		"Add-ons={972ce4c6-7e08-4474-a285-3208198ce6fd}:8":   `[1,1,["{972ce4c6-7e08-4474-a285-3208198ce6fd} (default theme):8"]]`,
		"Add-ons=%7B972ce4c6-7e08-4474-a285-3208198ce6fd%7D": `[1,1,["{972ce4c6-7e08-4474-a285-3208198ce6fd} (default theme):NO_VERSION"]]`,
		"Add-ons=" + many(256, ","):                          `[256,256,["a:NO_VERSION","a:NO_VERSION"]]`,
		"Add-ons=" + many(257, ","):                          `[257,256,["a:NO_VERSION","a:NO_VERSION"]] facts_capped`,
	})
	actors := `["a"` + strings.Repeat(`,"a"`, 31) + `]`
	blockers := func(n int) string {
		return `{"phase":"profile-before-change","conditions":[` + strings.TrimSuffix(strings.Repeat(`"Sync",`, n), ",") + `]}`
	}
	idea(t, func(f facts.Facts) any {
		return []any{f.Public.AsyncShutdownPhase, len(f.Public.AsyncShutdownBlockers), f.Public.AsyncShutdownBlockers[:min(len(f.Public.AsyncShutdownBlockers), 2)]}
	}, map[string]string{
		"AsyncShutdownTimeout={":               `[null,0,null] async_shutdown_malformed`,
		"AsyncShutdownTimeout=" + blockers(0):  `["profile-before-change",0,null]`,
		"AsyncShutdownTimeout=" + blockers(32): `["profile-before-change",32,["Sync","Sync"]]`,
		"AsyncShutdownTimeout=" + blockers(33): `["profile-before-change",32,["Sync","Sync"]] facts_capped`,
		`AsyncShutdownTimeout={"phase":"/home/alice","conditions":[{"name":"Cache of alice@example.org","state":"hers"},7]}`: `["…",1,["Cache of …"]] async_shutdown_malformed`,
	})
	idea(t, func(f facts.Facts) any { return f.Public.UtilityActors }, map[string]string{
		"UtilityActorsName=audio-decoder-generic,WindowsUtils":                                                       `["audio-decoder-generic","WindowsUtils"]`,
		"UtilityActorsName=audio-decoder-applemedia,audio-decoder-wmf,mf-media-engine,js-oracle,windows-file-dialog": `["audio-decoder-applemedia","audio-decoder-wmf","mf-media-engine","js-oracle","windows-file-dialog"]`,
		"UtilityActorsName=js-oracle, alice@example.org,":                                                            `["js-oracle"] utility_actors_malformed`,
		"UtilityActorsName=" + strings.Repeat(",", 255) + "js-oracle":                                                `["js-oracle"]`,
		"UtilityActorsName=" + strings.Repeat(",", 256) + "js-oracle":                                                `null facts_capped`,
		"UtilityActorsName=" + many(32, ","):                                                                         actors,
		"UtilityActorsName=" + many(33, ","):                                                                         actors + " facts_capped",
	})
	idea(t, func(f facts.Facts) any { return f.Public.DistributionID }, map[string]string{
		"DistributionID=canonical": `"canonical"`, "DistributionID=alices-own": `null`, "x=": `null`,
		`TelemetryEnvironment={"partner":{"distributionId":null}}`: `"mozilla"`, `TelemetryEnvironment={"partner":{}}`: `"mozilla"`, `TelemetryEnvironment={}`: `null`,
		`TelemetryEnvironment={`: `null telemetry_environment_malformed`, `TelemetryEnvironment={"partner":{"distributionId":"mint"}}`: `"mint"`,
	})
	idea(t, func(f facts.Facts) any { return []any{f.Public.GPUVendor, f.Public.GPUDevice} }, map[string]string{
		"AdapterVendorID=0x10de\nAdapterDeviceID=0x1b80": `["NVIDIA Corporation","GP104 [GeForce GTX 1080]"]`,
		"AdapterVendorID=0x8086\nAdapterDeviceID=0x0412": `["Intel Corporation","Xeon E3-1200 v3/4th Gen Core Processor Integrated Graphics Controller"]`,
		"AdapterVendorID=0x8086\nAdapterDeviceID=0xe20b": `["Intel Corporation","Battlemage G21 [Arc B580]"]`,
		"AdapterVendorID=10DE":                           `["NVIDIA Corporation",null]`,
		"AdapterVendorID=0xffff\nAdapterDeviceID=0x1":    `[null,null]`,
		"AdapterVendorID=0x10de1\nAdapterDeviceID=0x1":   `[null,null] adapter_malformed`,
		"AdapterVendorID=0x10de\nAdapterDeviceID=alice":  `["NVIDIA Corporation",null] adapter_malformed`,
		"AdapterVendorID=Qualcomm":                       `["Qualcomm",null]`,
		"AdapterVendorID=mesa/iris":                      `[null,null]`,
	})
	idea(t, func(f facts.Facts) any { return f.Public.CPUMicrocode }, map[string]string{"CPUMicrocodeVersion=0x2b": `"0x2b"`, "CPUMicrocodeVersion=alice": `null microcode_malformed`})
	idea(t, func(f facts.Facts) any { return f.Protected.PHCBaseAddress }, map[string]string{
		"PHCBaseAddress=140737488355328": `"0x800000000000"`, "PHCBaseAddress=x": `null heap_checker_address_malformed`,
	})
	idea(t, func(f facts.Facts) any { return f.Public.ReportType }, map[string]string{
		"x=": `"crash"`, "Hang=1": `"hang"`, "Hang=0": `"crash"`, "PluginHang=1": `"hang"`, "ipc_channel_error=ShutDownKill": `"hang"`,
	})
}

func TestBreadcrumbsAndSigners(t *testing.T) {
	crumbs := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(`{"message":"m","timestamp":1.5},`, n), ",") + "]"
	}
	of := func(f facts.Facts) any {
		return []any{len(f.Protected.Breadcrumbs), f.Protected.Breadcrumbs[:min(len(f.Protected.Breadcrumbs), 1)]}
	}
	first := `[{"Timestamp":"1.5","Type":"","Category":"","Level":"","Message":"m","Data":""}]`
	idea(t, of, map[string]string{
		"Breadcrumbs=" + crumbs(128):                                        `[128,` + first + `]`,
		"Breadcrumbs=" + crumbs(129):                                        `[128,` + first + `] facts_capped`,
		`Breadcrumbs={"values":` + crumbs(1) + `}`:                          `[1,` + first + `]`,
		`Breadcrumbs=[{"message":["x"]},{"message":"m","timestamp":"1.5"}]`: `[1,` + first + `] breadcrumbs_malformed`,
		`Breadcrumbs=text`:                                                  `[0,null] breadcrumbs_malformed`,
	})
	signers := func(n int) string { return `{"Acme":[` + strings.TrimSuffix(strings.Repeat(`"a.dll",`, n), ",") + `]}` }
	idea(t, func(f facts.Facts) any { return len(f.Protected.ModuleSigners) }, map[string]string{
		"ModuleSignatureInfo=" + signers(1024): `1024`, "ModuleSignatureInfo=" + signers(1025): `1024 facts_capped`, "ModuleSignatureInfo=[": `0 module_signatures_malformed`,
	})
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMemoryReport(t *testing.T) {
	report := func(paths ...string) string {
		var all []string
		for i, path := range paths {
			all = append(all, fmt.Sprintf(`{"process":"Main (pid 7)","path":%q,"kind":%d,"amount":%d}`, path, i%2, 100+i))
		}
		return `{"reports":[` + strings.Join(append(all, `{"process":"other (pid 70)","path":"vsize","amount":5}`), ",") + `]}`
	}
	of := func(f facts.Facts) any {
		m := f.Public.MemoryMeasures
		if m == nil {
			return nil
		}
		return []any{m.Explicit, m.HeapUnclassified, m.Vsize, m.Images, m.JSMainRuntime, m.HeapOverhead, m.TopNoneDetached}
	}
	c := &schema.ProcessedCrash{}
	c.Crash.ProcessID = new(int64(7))
	for name, r := range map[string]struct {
		data []byte
		want string
	}{
		"none":             {nil, `null`},
		"no gzip":          {[]byte("plain"), `null memory_report_unreadable`},
		"no JSON":          {zipped(t, "plain"), `null memory_report_unreadable`},
		"cut":              {zipped(t, report("vsize"))[:20], `null memory_report_unreadable`},
		"of others":        {zipped(t, report()), `null`},
		"a measure":        {zipped(t, report("vsize")), `[null,null,100,null,null,null,null]`},
		"explicit":         {zipped(t, report("heap-allocated", "explicit/x", "explicit/y")), `[202,-1,null,null,null,null,null]`},
		"sums of prefixes": {zipped(t, report("explicit/images/a", "explicit/images/b", "js-main-runtime/x", "explicit/heap-overhead/z", "explicit/window-objects/top(none)/detached/w")), `[null,null,null,201,102,103,104]`},
		"the largest":      {zipped(t, report("vsize")+strings.Repeat(" ", 20<<20-len(report("vsize")))), `[null,null,100,null,null,null,null]`},
		"larger":           {zipped(t, report("vsize")+strings.Repeat(" ", 20<<20-len(report("vsize"))+1)), `null memory_report_unreadable`},
	} {
		if got := fact(c, of, func(in *facts.Input) { in.MemoryReport = r.data }); got != r.want {
			t.Errorf("%s: got %s, want %s", name, got, r.want)
		}
	}
	if got := fact(&schema.ProcessedCrash{}, of, func(in *facts.Input) { in.MemoryReport = zipped(t, report("vsize")) }); got != "null" {
		t.Errorf("without a process id: %s", got)
	}
}

func TestAssertionsOfEverySource(t *testing.T) {
	of := func(f facts.Facts) any { return []any{f.Public.Assertion, f.Protected.Assertion} }
	crash := func(module ...schema.CrashpadAnnotation) *schema.ProcessedCrash {
		c := with(map[string]string{"panic": "index of alice is 7", "AbortMessage": "alice aborted"})
		c.CrashpadAnnotations = module
		return c
	}
	for name, c := range map[string]struct {
		crash  *schema.ProcessedCrash
		change func(*facts.Input)
		want   string
	}{
		"Microsoft's runtime": {crash(), func(in *facts.Input) {
			in.Dump.Assertion = &minidump.Assertion{Expression: "index < 7", Function: "alice", File: `C:\alice.cc`, Line: 3}
		}, `["index \u003c #, …","index \u003c 7, alice, C:\\alice.cc:3"]`},
		"a module's":    {crash(schema.CrashpadAnnotation{Name: "LOG_FATAL", Value: "Check failed: false. alice"}), func(*facts.Input) {}, `["index of … is #","index of alice is 7"]`},
		"an annotation": {crash(), func(*facts.Input) {}, `["index of … is #","index of alice is 7"]`},
		"macOS": {&schema.ProcessedCrash{}, func(in *facts.Input) {
			in.Dump.MacCrashRecords = []minidump.MacCrashRecord{{}, {Message: "abort() called by alice\n"}}
		}, `["abort() called by …","abort() called by alice"]`},
		"none":    {&schema.ProcessedCrash{}, func(*facts.Input) {}, `[null,null]`},
		"glibc's": {with(map[string]string{"glibc-abort-msg": "free(): invalid pointer"}), func(*facts.Input) {}, `["free(): invalid pointer","free(): invalid pointer"]`},
	} {
		if got := fact(c.crash, of, c.change); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestModulesOfTheStack(t *testing.T) {
	c := &schema.ProcessedCrash{
		Modules: []schema.Module{
			{Filename: "app.exe", DebugID: "A1", Symbols: "found"},
			{Filename: "b.dll", DebugID: "B1", CodeID: "c0", Version: "1/2", Symbols: "missing"},
			{Filename: "c.dll", Symbols: "missing"},
			{Filename: "unused.dll", DebugID: "D1", Symbols: "unused"},
		},
		UnloadedModules: []schema.UnloadedModule{{Filename: "x.dll"}, {Filename: "x.dll"}, {Filename: ""}},
		Dumps:           []schema.DumpSummary{{Name: "upload_file_minidump"}, {Name: "upload_file_minidump_browser"}, {Name: "memory_report"}},
		Threads:         []schema.Thread{{}, {Name: "Worker", Frames: []schema.Frame{{Module: "b.dll"}, {Module: "app.exe", Inlines: []schema.Inline{{}, {File: "in.h"}}, File: "a.cc"}, {Module: "c.dll"}, {}}}},
	}
	c.Crash.CrashingThread = new(int32(1))
	got := derive(c)
	want := &schema.Facts{
		MainModule: new("app.exe"), ModulesInStack: []string{"app.exe/A1", "b.dll/B1"}, MissingSymbols: []string{`b.dll/1\/2/B1/c0`, "c.dll/None/"},
		UnloadedModules: []string{"x.dll"}, UnloadedModuleCount: new(int32(3)), AdditionalDumpCount: new(int32(1)), TopmostFile: new("in.h"), CrashingThreadName: new("Worker"),
		ReportType: new("crash"), ProcessType: new("parent"),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	ping := *c
	ping.Kind = schema.KindPing
	if got := derive(&ping); got.MainModule != nil || got.UnloadedModuleCount != nil || got.ModulesInStack == nil {
		t.Errorf("a ping: %+v", got)
	}
	c.Threads[1].Frames[3].Function = "mozilla::(anonymous namespace)::RunWatchdog"
	if got := derive(c); *got.ReportType != "hang" {
		t.Error("a watchdog's crash is no hang")
	}
	for _, thread := range []int32{-1, 2} {
		c.Crash.CrashingThread = &thread
		if got := derive(c); got.TopmostFile != nil || got.ModulesInStack != nil {
			t.Errorf("thread %d: %+v", thread, got)
		}
	}
	for n, noted := range map[int]bool{256: false, 257: true} {
		c := &schema.ProcessedCrash{Modules: slices.Repeat([]schema.Module{{Filename: "a", DebugID: "x", Symbols: "missing"}}, n)}
		f := facts.Derive(facts.Input{Crash: c, Registry: schema.DefaultRegistry})
		if len(f.Public.MissingSymbols) != 256 || slices.Contains(f.Notes, "facts_capped") != noted {
			t.Errorf("%d modules without symbols: %d, %v", n, len(f.Public.MissingSymbols), f.Notes)
		}
	}
	for n, noted := range map[int]bool{64: false, 65: true} {
		c := &schema.ProcessedCrash{}
		for i := range n {
			c.UnloadedModules = append(c.UnloadedModules, schema.UnloadedModule{Filename: fmt.Sprint(i, ".dll")})
		}
		f := facts.Derive(facts.Input{Crash: c, Registry: schema.DefaultRegistry})
		if len(f.Public.UnloadedModules) != 64 || slices.Contains(f.Notes, "facts_capped") != noted {
			t.Errorf("%d unloaded modules: %d, %v", n, len(f.Public.UnloadedModules), f.Notes)
		}
	}
}

func TestMac(t *testing.T) {
	c := &schema.ProcessedCrash{System: schema.System{OS: "Mac OS X"}}
	of := func(f facts.Facts) any {
		return []any{f.Public.HasMacBootArgs, f.Protected.MacBootArgs, f.Protected.MacCrashInfo}
	}
	if got, want := fact(c, of), `[false,null,null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := fact(c, of, func(in *facts.Input) {
		in.Dump.MacBootArgs, in.Dump.MacCrashRecords = "-v alice", []minidump.MacCrashRecord{{Module: "/usr/lib/x", Message: "m", AbortCause: 3}}
	})
	if want := `[true,"-v alice","{\"num_records\":1,\"records\":[{\"abort_cause\":3,\"message\":\"m\",\"module\":\"/usr/lib/x\"}]}"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// The most that a dump can hold fits.
	got = fact(c, of, func(in *facts.Input) {
		long := strings.Repeat("x", 1<<16)
		in.Dump.MacCrashRecords = slices.Repeat([]minidump.MacCrashRecord{{Module: long, Message: long, Message2: long, Signature: long, Backtrace: long}}, 20)
	})
	if strings.Contains(got, schema.NoteFactTooLarge) || len(got) < 20*5<<10 {
		t.Errorf("%d bytes of crash records: %.100s", len(got), got)
	}
	got = fact(c, of, func(in *facts.Input) {
		long := strings.Repeat("\x01", 1<<16) // each six characters in JSON
		in.Dump.MacCrashRecords = slices.Repeat([]minidump.MacCrashRecord{{Module: long, Message: long, Message2: long, Signature: long, Backtrace: long}}, 20)
	})
	if want := `[false,null,null] fact_too_large`; got != want {
		t.Errorf("got %.100s, want %s", got, want)
	}
}

// Texts are cut at their limits, at whole characters.
func TestFactsAreBounded(t *testing.T) {
	for n, want := range map[int]int{1024: 1024, 1025: 1024} {
		var f facts.Facts
		fact(&schema.ProcessedCrash{}, func(got facts.Facts) any { f = got; return nil }, func(in *facts.Input) { in.Dump.MacBootArgs = strings.Repeat("x", n) })
		if len(*f.Protected.MacBootArgs) != want {
			t.Errorf("%d bytes: %d", n, len(*f.Protected.MacBootArgs))
		}
		fact(&schema.ProcessedCrash{}, func(got facts.Facts) any { f = got; return nil }, func(in *facts.Input) { in.Dump.MacBootArgs = strings.Repeat("é", n) })
		if len(*f.Protected.MacBootArgs) != 1024 {
			t.Errorf("%d characters: %d bytes", n, len(*f.Protected.MacBootArgs))
		}
	}
	for n, want := range map[int]int{4096: 4096, 4097: 4096} {
		var f facts.Facts
		fact(&schema.ProcessedCrash{}, func(got facts.Facts) any { f = got; return nil }, func(in *facts.Input) { in.Dump.SoftErrors = bytes.Repeat([]byte("x"), n) })
		if len(*f.Protected.SoftErrors) != want {
			t.Errorf("%d bytes of soft errors: %d", n, len(*f.Protected.SoftErrors))
		}
	}
}
