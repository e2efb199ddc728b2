package store_test

import (
	"strings"
	"testing"

	"aftershock/symbolserver/store"
)

// badPaths are no paths of the layout, whoever asks.
var badPaths = map[string]bool{
	"": true, "/": true, "a": true, "a/b": true, symPath + "/x": true, "/" + symPath: true, symPath + "/": true, "app.pdb//app.sym": true,
	"../" + debugID + "/app.sym": true, "./" + debugID + "/app.sym": true, "app.pdb/../app.sym": true, "app.pdb/" + debugID + "/..": true, "app.pdb/" + debugID + "/.": true,
	"app.pdb/" + debugID + "/../app.sym": true, `..\..\x/` + debugID + "/app.sym": true, "app.pdb/" + debugID + "/": true,
	"a\x00b/" + debugID + "/app.sym": true, "a\nb/" + debugID + "/app.sym": true, "a\x7fb/" + debugID + "/app.sym": true, "ä/" + debugID + "/app.sym": true, "a\xffb/" + debugID + "/app.sym": true,
	"a%2e/" + debugID + "/app.sym": true, "a#b/" + debugID + "/app.sym": true, "a'b/" + debugID + "/app.sym": true, `a"b/` + debugID + "/app.sym": true, "a|b/" + debugID + "/app.sym": true,
	"a{b}/" + debugID + "/app.sym": true, "a[b]/" + debugID + "/app.sym": true, "a<b>/" + debugID + "/app.sym": true, "a^b`/" + debugID + "/app.sym": true,
	".aftershock/" + debugID + "/app.sym": true, ".aftershock/lock": true, ".aftershock/code/a": true, ".aftershock/code/a/b": true, ".aftershock/code/a/xyz": true, ".aftershock/code/../A": true,
	".aftershock/code/a/ff": true, ".aftershock/note/" + symPath: true, "try/.aftershock/code/a/F": true, ".aftershock/try/code/a/b/F": true,
	"app.pdb/" + strings.Repeat("0", 33) + "/app.sym": true, "app.pdb/" + strings.Repeat("0", 32) + "1/app.sym": true, "app.pdb/" + debugID[:32] + "/app.sym": true, "app.pdb/" + debugID[:32] + "g/app.sym": true,
	"app.pdb/" + strings.Repeat("A", 49) + "/app.sym": true, "app.pdb/" + strings.ToLower(debugID) + "/app.sym": true, "file.ptr/" + debugID + "/file.ptr": true, "app.pdb/" + debugID + "/file.ptr": true, "app.pdb/" + debugID + "/.sym": true,
	"app.exe/651C9AF99241000/app.sym": true, "app.exe/651C9AF9/app.exe": true, "app.exe/651C9AF9924100012/app.exe": true, "app.exe/651c9af99241000/app.exe": true,
	"buildid/0/executable": true, "buildid/00/executable": true, "buildid/0FF0/executable": true, "buildid/0ff/executable": true, "buildid/0ff0/source": true, "buildid/" + strings.Repeat("f", 130) + "/executable": true,
	"try/try/" + symPath: true, "Try/" + symPath: true, "v1/" + symPath: true,
}

func TestPathsAreParsed(t *testing.T) {
	long := strings.Repeat("x", store.MaxNameBytes)
	for in, want := range map[string]string{
		symPath:          symPath,
		"try/" + symPath: "try/" + symPath,
		"app.pdb/" + strings.ToLower(debugID) + "/app.sym":    symPath,
		"a/" + debugID[:32] + "AB/a.sym":                      "a/" + debugID[:32] + "ab/a.sym",
		"a/" + strings.Repeat("f", 48) + "/a.sym":             "a/" + strings.Repeat("F", 32) + strings.Repeat("f", 16) + "/a.sym",
		"a.dll/651c9af9924100A/a.dl_":                         "a.dll/651C9AF9924100a/a.dl_",
		"a.dll/651c9af91/a.dll":                               "a.dll/651C9AF91/a.dll",
		"a.sys/651c9af912345678/a.sy_":                        "a.sys/651C9AF912345678/a.sy_",
		"buildid/00FF/debuginfo":                              "buildid/00ff/debuginfo",
		"try/buildid/00ff/executable":                         "try/buildid/00ff/executable",
		"buildid/" + debugID + "/buildid.sym":                 "buildid/" + debugID + "/buildid.sym",
		long + "/" + debugID + "/" + long + ".tar.bz2":        long + "/" + debugID + "/" + long + ".tar.bz2",
		"a b~+@=,;&!()$/" + debugID + "/a b~+@=,;&!()$.sym":   "a b~+@=,;&!()$/" + debugID + "/a b~+@=,;&!()$.sym",
		"buildid/" + strings.Repeat("f", 128) + "/executable": "buildid/" + strings.Repeat("f", 128) + "/executable",
	} {
		p, err := store.ParsePath(in)
		if err != nil || p.String() != want {
			t.Errorf("%.80s: %s, %v", in, p, err)
		}
		if again, err := store.ParsePath(p.String()); err != nil || again != p {
			t.Errorf("%.80s: %v is not %v, %v", in, again, p, err)
		}
	}
	for path := range badPaths {
		if p, err := store.ParsePath(path); err == nil && p.String() == path {
			t.Errorf("%.80q is a path", path)
		}
	}
	for _, path := range []string{
		long + "x/" + debugID + "/a.sym", "a/" + debugID + "/" + strings.Repeat("x", store.MaxLeafBytes-3) + ".sym", strings.Repeat("x", 10_000),
	} {
		if _, err := store.ParsePath(path); err == nil {
			t.Errorf("%d bytes are a path", len(path))
		}
	}
	if _, err := store.ParsePath("a/" + debugID + "/" + strings.Repeat("x", store.MaxLeafBytes-4) + ".sym"); err != nil {
		t.Error(err)
	}
}

// Is it a code id? As Mozilla's server says.
func TestCodeIDsAreTold(t *testing.T) {
	for path, want := range map[string]string{
		"xul.dll/651C9AF99241000/xul.sym":                         "xul.dll 651C9AF99241000",
		"xul.dll/651c9af99241000/xul.sym":                         "xul.dll 651C9AF99241000",
		"try/xul.dll/651C9AF99241000/xul.sym":                     "try xul.dll 651C9AF99241000",
		"xul.dll/" + debugID[:32] + "/xul.sym":                    "xul.dll " + debugID[:32],
		"libxul.so/" + strings.Repeat("a", 40) + "/libxul.so.sym": "libxul.so " + strings.Repeat("A", 40),
		"xul.dll/651C9AF99241000/xul.dl_":                         "",
		"xul.dll/" + debugID + "/xul.sym":                         "",
		"xul.dll/0/xul.sym":                                       "",
		"xul.dll/651C9AF9924100g/xul.sym":                         "",
		"xul.dll//xul.sym":                                        "",
		"../651C9AF99241000/xul.sym":                              "",
		".aftershock/651C9AF99241000/xul.sym":                     "",
	} {
		try, file, id, ok := store.ParseCode(path)
		got := ""
		if ok {
			got = file + " " + id
		}
		if try {
			got = "try " + got
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for path := range badPaths {
		f.Add(path)
	}
	f.Add(symPath)
	f.Add("try/buildid/00FF/debuginfo")
	f.Fuzz(func(t *testing.T, path string) {
		p, err := store.ParsePath(path)
		if err != nil {
			return
		}
		again, err := store.ParsePath(p.String())
		if err != nil || again != p {
			t.Fatalf("%q: %v, then %v, %v", path, p, again, err)
		}
		if !strings.EqualFold(path, p.String()) {
			t.Fatalf("%q became %q", path, p)
		}
		for _, element := range strings.Split(p.String(), "/") {
			if element == "" || element == "." || element == ".." || element == ".aftershock" || len(element) > 255 || strings.ContainsAny(element, "\\\x00%") {
				t.Fatalf("%q has the element %q", path, element)
			}
		}
	})
}
