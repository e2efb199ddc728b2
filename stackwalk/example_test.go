package stackwalk_test

import (
	"fmt"
	"strings"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

func Example() {
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "/bin/app"}).
		Thread(1, minidumptest.Regs{"rip": 0x400104, "rsp": 0x8000}, minidumptest.StackAt(0x8000).Words(0x400210, 0)).
		Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := breakpad.Parse(strings.NewReader(`MODULE Linux x86_64 0 app
FILE 0 draw.cc
FUNC 100 80 0 draw
100 80 12 0
FUNC 200 80 0 main
STACK CFI INIT 100 80 .cfa: $rsp 8 + .ra: .cfa 8 - ^
`), breakpad.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result := stackwalk.Walk(d, func(int) stackwalk.Symbols { return file }, stackwalk.Options{Version: 1})
	for i, f := range result.Threads[0].Frames {
		fmt.Printf("#%d %s %s:%d [%v]\n", i, f.Function, f.File, f.Line, f.Trust)
	}
	// Output:
	// #0 draw draw.cc:12 [context]
	// #1 main :0 [cfi]
}
