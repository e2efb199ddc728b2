package symboldump_test

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

func TestSymbolsOfThisProgramCanBeRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this program is no ELF file")
	}
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := symboldump.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	report, err := f.WriteSymbols(&text, nil, symboldump.Options{Name: "symboldump.test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report.String())
	symbols, err := breakpad.Parse(&text, breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if symbols.BadLines() != 0 || !symbols.Strict() || symbols.Name != "symboldump.test" {
		t.Errorf("%d bad lines, strict %v, name %q", symbols.BadLines(), symbols.Strict(), symbols.Name)
	}
}
