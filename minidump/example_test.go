package minidump_test

import (
	"fmt"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

func ExampleParse() {
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "/opt/app/app"}).
		Thread(7, minidumptest.Regs{"rip": 0x400123}, minidumptest.StackAt(0x8000)).
		Exception(7, 11, 1, 0x10).
		Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	addr, _ := d.CrashAddress()
	fmt.Printf("%s at %#x in thread %d\n", d.CrashReason(), addr, d.CrashingThread())
	fmt.Println(d.Modules[0].CodeName())
	// Output:
	// SIGSEGV / SEGV_MAPERR at 0x10 in thread 0
	// app
}
