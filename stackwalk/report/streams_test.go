package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk/report"
)

func TestStreamsShowsWhatADumpHolds(t *testing.T) {
	data := minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "/bin/a\x1bpp"}).
		UnloadedModule(minidumptest.Module{Base: 0x500000, Size: 0x1000, CodeFile: "gone.dll"}).
		Thread(7, minidumptest.Regs{"rip": 0x400010}, minidumptest.StackAt(0x1000).Words(1, 2)).ThreadName(7, "worker").
		Exception(7, 11, 1, 0xdead).LinuxMaps("400000-401000 r-xp 0 0:0 0 /bin/app\nnonsense\n").
		Crashpad([]minidumptest.Annotation{{Name: "key", Value: "val\nue"}}, 0, nil, nil, nil).
		Stream(0x12345, make([]byte, 2000)).Bytes()
	d, err := minidump.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.Streams(&out, d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ThreadListStream (0x3)", "id 7, TEB", "rip = 0x0000000000400010", "0x0000000000400000-0x0000000000401000 /bin/a?pp", "gone.dll",
		`thread 7 "worker"`, "code 0xb, flags 0x1, address 0x000000000000dead", "400000-401000 r-xp", `key = "val\nue"`,
		"unknown stream (0x12345), 2000 bytes", "and 976 bytes more", "linux_maps_unreadable 1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("control characters reach the terminal")
	}
	if report.Streams(brokenWriter{}, d) == nil {
		t.Error("a failed write is not told")
	}
}

func TestStreamsOfTheCorpus(t *testing.T) {
	for _, s := range sets(t) {
		dumps, err := filepath.Glob(filepath.Join(s.dumps, "*.dmp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range dumps {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			d, err := minidump.Parse(data)
			if err != nil {
				continue
			}
			var out strings.Builder
			if err := report.Streams(&out, d); err != nil || strings.Contains(out.String(), "%!") {
				t.Errorf("%s: %v\n%s", path, err, out.String())
			}
		}
	}
}
