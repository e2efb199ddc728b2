package stackwalk_test

import (
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// ownFile is a module's own file: what it says of unwinding, and its code.
type ownFile struct {
	*breakpad.File
	first, end uint64
	returns    []uint64
}

func (f *ownFile) Executable(rva uint64) bool { return rva >= f.first && rva < f.end }

func (f *ownFile) Returns(rva uint64) bool {
	for _, r := range f.returns {
		if r == rva {
			return true
		}
	}
	return false
}

func ownFileOf(t *testing.T, text string, returns ...uint64) *ownFile {
	t.Helper()
	f, err := breakpad.Parse(strings.NewReader("MODULE Linux x86_64 1 app\n"+text), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &ownFile{f, 0x400, 0x800, returns}
}

// TestModuleFiles: what a module's own file says of its code decides.
func TestModuleFiles(t *testing.T) {
	const symbols = "FUNC 400 100 0 named\n"
	const unwind = "PUBLIC 400 0 exported\nSTACK CFI INIT 400 100 .cfa: $rsp 32 + .ra: .cfa 8 - ^\n"
	for name, c := range map[string]struct {
		symbols string
		file    *ownFile
		stack   []uint64
		want    string
	}{
		"unwinding by the file": {
			"", ownFileOf(t, unwind),
			[]uint64{1, libCode + 0x33, 1, libCode + 0x45},
			"context 400421 exported, cfi 500445, no_caller",
		},
		"with the symbols' names": {
			symbols, ownFileOf(t, unwind),
			[]uint64{1, libCode + 0x33, 1, libCode + 0x45},
			"context 400421 named, cfi 500445, no_caller",
		},
		"unwinding by the symbols first": {
			symbols + "STACK CFI INIT 400 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n", ownFileOf(t, unwind),
			[]uint64{1, libCode + 0x33, 1, libCode + 0x45},
			"context 400421 named, cfi 500433, scan 500445, no_caller",
		},
		"only behind calls": {
			"", ownFileOf(t, "", 0x445, 0x450),
			[]uint64{1, appCode + 0x33, 1, appCode + 0x45, 1, appCode + 0x50},
			"context 400421, scan 400445, scan 400450, no_caller",
		},
		"only in code": {
			"", ownFileOf(t, "", 0x845, 0x450),
			[]uint64{1, appCode + 0x445, 1, appCode + 0x50},
			"context 400421, scan 400450, no_caller",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, at(appCode+0x21, nil), on(c.stack...)) })
			source := symbolsOrNone(symbols0(t, c.symbols), c.file)
			th := &stackwalk.Walk(d, source, stackwalk.Options{}).Threads[0]
			got := describe(th)
			if name := string(th.Frames[0].Function); name != "" {
				first, rest, _ := strings.Cut(got, ",")
				got = first + " " + name + "," + rest
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			// Earlier versions have no use for it.
			if th := &stackwalk.Walk(d, source, stackwalk.Options{Version: 2}).Threads[0]; strings.Contains(c.want, "scan 400450") && describe(th) == c.want {
				t.Error("version 2 knows it")
			}
		})
	}
}

// symbols0 are those of module 0, nil without a text.
func symbols0(t *testing.T, text string) stackwalk.Symbols {
	t.Helper()
	if text == "" {
		return nil
	}
	return symbols(t, "x86_64", text)(0)
}

func symbolsOrNone(symbols stackwalk.Symbols, file stackwalk.ModuleFile) stackwalk.SymbolSource {
	return func(module int) stackwalk.Symbols {
		if module != 0 {
			return nil
		}
		return stackwalk.Join(symbols, file)
	}
}
