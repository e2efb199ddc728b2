package symboldump_test

import (
	"bytes"
	"errors"
	"testing"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

// fuzzFile opens and dumps whatever it is given. What is written must be read
// again without a bad line.
func fuzzFile(t *testing.T, data []byte) {
	f, err := symboldump.Open(data)
	if err != nil {
		return
	}
	var text bytes.Buffer
	report, err := f.WriteSymbols(&text, f, symboldump.Options{Name: "fuzz", Alternate: f, Package: f, Split: func(_, _ string) *symboldump.File { return f }})
	if err != nil {
		if !errors.Is(err, symboldump.ErrOutputLimit) {
			t.Fatal(err)
		}
		return
	}
	f.SignalFrames()
	_ = report.String()
	parsed, err := breakpad.Parse(bytes.NewReader(text.Bytes()), breakpad.ParseOptions{})
	if err != nil && !errors.Is(err, breakpad.ErrDamaged) {
		t.Fatal(err)
	}
	if parsed != nil && parsed.BadLines() > 0 {
		t.Fatalf("%d bad lines:\n%.2000s", parsed.BadLines(), text.String())
	}
}

func FuzzELF(f *testing.F) {
	for _, name := range []string{"amd64.so", "amd64-stripped.so", "x86.so", "arm.so", "arm64.so", "amd64-zstd.so", "amd64-split.so", "dwz.debug"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(fuzzFile)
}

func FuzzPE(f *testing.F) {
	f.Add(fixture(f, "pe-amd64.dll"))
	f.Add(fixture(f, "pe-dwarf.dll"))
	f.Fuzz(fuzzFile)
}

func FuzzMachO(f *testing.F) {
	f.Add(fixture(f, "macho-amd64"))
	f.Add(fixture(f, "macho-arm64"))
	f.Add(fixture(f, "macho-universal"))
	f.Fuzz(fuzzFile)
}
