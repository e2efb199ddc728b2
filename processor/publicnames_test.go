package processor

import (
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/symbolcache"
)

func TestNamesOfCodeAreShown(t *testing.T) {
	for _, name := range []string{
		"libc.so.6", "ld-linux-x86-64.so.2", "libstdc++.so.6.0.30", "libfoo-2.31.so", "linux-vdso.so.1", "ntdll.dll", "KERNEL32.DLL", "setup (1).exe", "libobjc.A.dylib",
		"addon.node", "[vdso]", "tcpip.sys", "base.odex", "libapp.so (deleted)", "Plügin.vst3", "libQt5Core.so.5.15.2",
	} {
		if !looksLikeCode(name) {
			t.Errorf("%q is withheld", name)
		}
	}
	for _, name := range []string{
		"", "notes.txt", "Jane Doe <jane@example.com>.sqlite-shm", "memfd:clipboard password=x", "token%3Dabc.cache", "jane", "HD:Users:jane:Letter", "a=b.so", "jane@example.com.dll",
		"report.so.pdf", "font.ttf", "locale-archive", "x:y.dll", strings.Repeat("a", 117) + ".dll", "[a file]", "places.sqlite", "a\nb.dll",
	} {
		if looksLikeCode(name) {
			t.Errorf("%q is shown", name)
		}
	}
	if longest := strings.Repeat("a", maxCodeName-4) + ".dll"; !looksLikeCode(longest) {
		t.Error("the longest name is withheld")
	}
}

// dumpOf is a Linux process with a program, a library, and files that are no code;
// the instruction is in the module named last.
func dumpOf(os minidump.OS, maps string, paths ...string) []byte {
	b := minidumptest.New(minidump.CPUAMD64, os)
	base := uint64(0x400000)
	for i, path := range paths {
		b.Module(minidumptest.Module{Base: base + uint64(i)<<20, Size: 0x10000, CodeFile: path, CodeView: minidumptest.BuildID([]byte{1, 2, 3, byte(i), 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})})
	}
	b.UnloadedModule(minidumptest.Module{Base: 0x900000, Size: 0x1000, CodeFile: `C:\Users\jane\Secret plan.docx`})
	ip := base + uint64(len(paths)-1)<<20 + 0x10
	stack := minidumptest.StackAt(0x7f0000000000).Words(ip, 0x900010, ip, 0, 0)
	b.Thread(1, minidumptest.Regs{"rip": ip, "rsp": 0x7f0000000000}, stack).Exception(1, 11, 1, 0)
	if maps != "" {
		b.LinuxMaps(maps)
	}
	return b.Bytes()
}

const (
	programMapped = "00400000-00410000 r-xp 00000000 00:00 0\n00500000-00a00000 r--p 00000000 00:00 0\n"
	nothingRuns   = "00400000-00a00000 r--p 00000000 00:00 0\n"
)

func TestFilesThatAreNoCodeAreNotNamed(t *testing.T) {
	decoys := []string{"jane", "Jane", "secret", "Secret", "hunter2", "token"}
	for name, tc := range map[string]struct {
		os    minidump.OS
		maps  string
		paths []string
		first string // what the program is called
	}{
		"a document":              {minidump.Linux, programMapped, []string{"/opt/orchard/orchard", "/lib/libc.so.6", "/home/jane/Secret plan.sqlite-shm"}, "orchard"},
		"a home folder":           {minidump.Linux, programMapped, []string{"/opt/orchard/orchard", "/lib/libc.so.6", "/home/jane"}, "orchard"},
		"named memory":            {minidump.Linux, programMapped, []string{"/opt/orchard/orchard", "/lib/libc.so.6", "memfd:clipboard password=hunter2"}, "orchard"},
		"a cache":                 {minidump.Linux, programMapped, []string{"/opt/orchard/orchard", "/lib/libc.so.6", "/tmp/token%3Dsecret.cache"}, "orchard"},
		"a path of a classic Mac": {minidump.MacOS, "", []string{"/Applications/orchard", "/usr/lib/libSystem.B.dylib", "Macintosh HD:Users:jane:secret"}, "orchard"},
		"a home folder, Mac":      {minidump.MacOS, "", []string{"/Applications/orchard", "/usr/lib/libSystem.B.dylib", "/Users/jane"}, "orchard"},
		"nothing runs there":      {minidump.Linux, nothingRuns, []string{"/x/secret", "/lib/libc.so.6", "/x/token"}, mappedFile},
		"it is not said":          {minidump.Linux, "", []string{"/opt/orchard", "/lib/libc.so.6", "/x/token"}, "orchard"},
		"no program's name":       {minidump.Linux, "", []string{"/x/hunter2.txt", "/lib/libc.so.6", "/x/token"}, mappedFile},
		"Windows":                 {minidump.Windows, "", []string{`C:\orchard\orchard.exe`, `C:\Windows\ntdll.dll`, `C:\Users\jane\secret.docx`}, "orchard.exe"},
	} {
		t.Run(name, func(t *testing.T) {
			out := process(t, newProcessor(t), input(dumpOf(tc.os, tc.maps, tc.paths...)))
			if len(out.Modules) != 3 || out.Modules[0].Filename != tc.first || out.Modules[2].Filename != mappedFile || strings.Contains(out.Modules[1].Filename, "(") {
				t.Errorf("modules %+v", out.Modules)
			}
			if out.Modules[2].Path != tc.paths[2] || out.Modules[0].Path != tc.paths[0] {
				t.Error("the protected path is not the truth")
			}
			if f := out.Threads[0].Frames[0]; f.Module != mappedFile {
				t.Errorf("frame in %q", f.Module)
			}
			if !strings.Contains(out.Signature, mappedFile) {
				t.Errorf("signature %q", out.Signature)
			}
			public := []string{out.Signature, out.ProtoSignature}
			for _, m := range out.Modules {
				public = append(public, m.Filename, m.DebugFile)
			}
			for _, m := range out.UnloadedModules {
				public = append(public, m.Filename)
			}
			for _, f := range out.Threads[0].Frames {
				public = append(public, f.Module)
				for _, u := range f.Unloaded {
					public = append(public, u.Module)
				}
			}
			for _, decoy := range decoys {
				if strings.Contains(strings.Join(public, "\n"), decoy) {
					t.Errorf("%q is public: %q", decoy, public)
				}
			}
		})
	}
}

// A name under which a symbol source has symbols is no secret.
func TestModuleWithSymbolsIsNamed(t *testing.T) {
	d, err := minidump.Parse(dumpOf(minidump.Linux, programMapped, "/opt/a", "/opt/helper"))
	if err != nil {
		t.Fatal(err)
	}
	for outcome, want := range map[symbolcache.Outcome]string{
		symbolcache.Found: "helper", symbolcache.FoundLossy: "helper", symbolcache.Missing: mappedFile, symbolcache.Unused: mappedFile, symbolcache.Malformed: mappedFile,
	} {
		if got := moduleName(d, 1, outcome); got != want {
			t.Errorf("%s: %q", outcome, got)
		}
	}
}

func TestDebugFilesAreNamedAsCodeIs(t *testing.T) {
	for file, want := range map[string]string{
		`C:\Users\jane\orchard.pdb`: "orchard.pdb", "orchard.pdb": "orchard.pdb", "/home/jane/secret.txt": mappedFile, "": "", "ntdll.dll": "ntdll.dll", "jane@x.pdb": mappedFile,
	} {
		b := minidumptest.New(minidump.CPUAMD64, minidump.Windows).Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "orchard.exe", CodeView: minidumptest.PDB70([16]byte{1}, 1, file)})
		d, err := minidump.Parse(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := debugName(d.Modules[0].DebugFile(), "orchard.exe"); got != want {
			t.Errorf("%q is called %q, want %q", file, got, want)
		}
	}
}

func TestBuildIDsThatAreTooLongAreLeftOut(t *testing.T) {
	for n, want := range map[int]bool{maxCodeID: true, maxCodeID + 1: false, 76: false} {
		id := []byte(strings.Repeat("\x41", n))
		b := minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "/a", CodeView: minidumptest.BuildID(id)}).
			Thread(1, minidumptest.Regs{"rip": 0x400010}, minidumptest.StackAt(0x1000).Zeros(4))
		out := process(t, newProcessor(t), input(b.Bytes()))
		if got := out.Modules[0].CodeID != ""; got != want || has(out, schema.NoteCodeIDTooLong) == want {
			t.Errorf("%d bytes: code id %q, notes %+v", n, out.Modules[0].CodeID, out.Notes)
		}
	}
}

func TestOnlyNumbersOfASystemsVersionAreShown(t *testing.T) {
	for name, tc := range map[string]struct {
		s    minidump.SystemInfo
		want string
	}{
		"Debian":         {minidump.SystemInfo{OS: minidump.Linux, Version: "5.10.0-28-amd64", Build: "#1 SMP Debian 5.10.209-2 (2024-01-31)"}, "5.10.0-28"},
		"of somebody":    {minidump.SystemInfo{OS: minidump.Linux, Version: "6.1.0-janes-box", Build: "#2 SMP jane@workstation.corp"}, "6.1.0"},
		"no number":      {minidump.SystemInfo{OS: minidump.Linux, Version: "jane"}, ""},
		"Windows":        {minidump.SystemInfo{OS: minidump.Windows, Version: "10.0.19045", Build: "4412"}, "10.0.19045 4412"},
		"service pack":   {minidump.SystemInfo{OS: minidump.Windows, Version: "6.1.7601", Build: "Service Pack 1"}, "6.1.7601 Service Pack 1"},
		"odd on Windows": {minidump.SystemInfo{OS: minidump.Windows, Version: "6.1.7601", Build: "my secret"}, "6.1.7601"},
		"macOS":          {minidump.SystemInfo{OS: minidump.MacOS, Version: "14.4.0", Build: "23E214"}, "14.4.0 23E214"},
		"odd on iOS":     {minidump.SystemInfo{OS: minidump.IOS, Version: "17.3.1", Build: "Janes iPhone"}, "17.3.1"},
	} {
		if got := osVersion(&tc.s); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestSourceFilesAreNamedWithoutTheBuildersFolders(t *testing.T) {
	for path, want := range map[string]string{
		"": "",
		"hg:hg.mozilla.org/mozilla-central:mozglue/misc/a.cpp:9f86d081":                             "hg:hg.mozilla.org/mozilla-central:mozglue/misc/a.cpp:9f86d081",
		"git:github.com/rust-lang/rust:library/std/src/panicking.rs:9f86":                           "git:github.com/rust-lang/rust:library/std/src/panicking.rs:9f86",
		"/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/core/src/panicking.rs":             "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/core/src/panicking.rs",
		"/usr/include/c++/12/bits/stl_vector.h":                                                     "/usr/include/c++/12/bits/stl_vector.h",
		"./nptl/pthread_kill.c":                                                                     "./nptl/pthread_kill.c",
		"../../third_party/skia/src/a.cc":                                                           "../../third_party/skia/src/a.cc",
		"orchard.cc":                                                                                "orchard.cc",
		"/home/jane/.cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.1/src/de/mod.rs": "serde-1.0.1/src/de/mod.rs",
		"/home/jane/go/pkg/mod/golang.org/x/net@v0.1.0/http2/server.go":                             "golang.org/x/net@v0.1.0/http2/server.go",
		`C:\Users\jane\AppData\Local\a\node_modules\left-pad\index.js`:                              `left-pad\index.js`,
		"/home/jane/work/acme/src/net/http.cc":                                                      "src/net/http.cc",
		`D:\a\_work\1\s\src\vctools\crt\exe_common.inl`:                                             `src\vctools\crt\exe_common.inl`,
		`C:\Users\jane\orchard\main.cpp`:                                                            "main.cpp",
		"/Users/jane/orchard/main.m":                                                                "main.m",
		"/tmp/x/main.c":                                                                             "main.c",
		`\\server\share\jane\main.c`:                                                                "main.c",
		"~/orchard/main.c":                                                                          "main.c",
		"../../../home/jane/main.c":                                                                 "main.c",
		"/usr/src/home/jane/main.c":                                                                 "main.c",
		"/home/jane/src/users/joe/a.c":                                                              "a.c",
		`c:main.c`:                                                                                  "main.c",
		"git:github.com/a:home/jane/x.c:1":                                                          "1",
		"/build/orchard/orchard.cc":                                                                 "/build/orchard/orchard.cc",
		"hg:/home/jane/x:a.c:1":                                                                     "1",
	} {
		for range 3 { // made, made and kept, kept
			if got := sourceFile(path); got != want {
				t.Errorf("%q is %q, want %q", path, got, want)
			}
		}
	}
}

// What is kept of paths is bounded: long ones are not.
func TestPathsThatAreKept(t *testing.T) {
	for length, kept := range map[int]bool{maxKeptPath: true, maxKeptPath + 1: false} {
		path := "/home/jane/" + strings.Repeat("a", length-len("/home/jane/"))
		for range 2 {
			sourceFile(path)
		}
		if got := sourceFiles.Get(maphash.String(sourceSeed, path), path) != nil; got != kept {
			t.Errorf("%d bytes: kept %v", length, got)
		}
	}
}

// The signature is made of what the event shows.
func TestSigningAgainShowsNoMore(t *testing.T) {
	out := process(t, newProcessor(t), input(dumpOf(minidump.Linux, programMapped, "/opt/orchard", "/home/jane/secret.doc")))
	if again := signature.Default().Generate(signature.FromProcessed(out)); again.Signature != out.Signature || strings.Contains(again.ProtoSignature, "secret") {
		t.Errorf("%q, %q", again.Signature, again.ProtoSignature)
	}
}

// What is told without the pattern is what the pattern says.
func TestAPlainLibraryIsCode(t *testing.T) {
	pieces := []string{"lib", "a", ".so", ".dll", ".1", ".12345678", ".123456789", "..", ".", "-2", "+", "é", " ", "/", "=", "0", ".so.1", ".DLL", ".x1"}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	plain := 0
	for range 200_000 {
		var name strings.Builder
		for range 1 + random.IntN(8) {
			name.WriteString(pieces[random.IntN(len(pieces))])
		}
		if !plainLibrary(name.String()) {
			continue
		}
		plain++
		if !codeFile.MatchString(name.String()) {
			t.Fatalf("%q", name.String())
		}
	}
	for _, name := range []string{"xul.dll", "libc.so.6", "libstdc++.so.6.0.30", "ld-linux-x86-64.so.2", "libxul.so", "libA_b-1.2.so.1.2.3.4.5"} {
		if !plainLibrary(name) {
			t.Errorf("%s asks the pattern", name)
		}
	}
	if plain < 1000 {
		t.Errorf("%d plain names", plain)
	}
}
