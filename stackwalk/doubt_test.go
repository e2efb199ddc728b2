package stackwalk_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// TestDoubt: the name of a PUBLIC symbol is believed as far as its function surely
// reaches.
func TestDoubt(t *testing.T) {
	const public = "PUBLIC 400 0 f\n"
	for name, c := range map[string]struct {
		symbols string
		rva     uint64
		want    stackwalk.Doubt
	}{
		"near":                                 {public, 0x400 + 95, stackwalk.NoDoubt},
		"far":                                  {public, 0x400 + 96, stackwalk.DoubtPublic},
		"a function with a size":               {"FUNC 400 200 0 f\n", 0x500, stackwalk.NoDoubt},
		"its own unwinding":                    {public + "STACK CFI INIT 400 200 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n", 0x500, stackwalk.NoDoubt},
		"another function's":                   {public + "STACK CFI INIT 410 200 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n", 0x420, stackwalk.DoubtOther},
		"that of the function that it lies in": {public + "STACK CFI INIT 3f0 200 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n", 0x500, stackwalk.NoDoubt},
	} {
		d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, at(app+c.rva, nil), on(1)) })
		for version, want := range map[int]stackwalk.Doubt{2: stackwalk.NoDoubt, 3: c.want} {
			f := &stackwalk.Walk(d, symbols(t, "x86_64", c.symbols), stackwalk.Options{Version: version}).Threads[0].Frames[0]
			if string(f.Function) != "f" || f.Doubt != want {
				t.Errorf("%s, version %d: %s, doubt %q, want %q", name, version, f.Function, f.Doubt, want)
			}
		}
	}
}

// TestProbabilities: every frame of version 3 has one, by how it was found.
func TestProbabilities(t *testing.T) {
	const unwind = "FUNC 400 100 0 f\nSTACK CFI INIT 400 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n"
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, at(appCode+0x21, nil), on(1, libCode+0x45, 1, libCode+0x55, 1, libCode+0x60))
	})
	frames := stackwalk.Walk(d, symbols(t, "x86_64", unwind), stackwalk.Options{}).Threads[0].Frames
	var got []float64
	for i := range frames {
		got = append(got, frames[i].Probability)
	}
	if len(got) != 4 || got[0] != 1 || got[1] != 0.998 || got[2] != 0.70 || got[3] != 0.18 {
		t.Error(got)
	}
	for _, f := range stackwalk.Walk(d, symbols(t, "x86_64", unwind), stackwalk.Options{Version: 2}).Threads[0].Frames {
		if f.Probability != 0 {
			t.Error(f.Probability)
		}
	}
}
