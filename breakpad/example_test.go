package breakpad_test

import (
	"fmt"
	"strings"

	"aftershock/breakpad"
)

func ExampleFile_AppendLocations() {
	file, err := breakpad.Parse(strings.NewReader(`MODULE Linux x86_64 0 app
FILE 0 vector.h
FILE 1 main.cc
INLINE_ORIGIN 0 vector::at
FUNC 100 80 0 main
INLINE 0 44 1 0 110 10
100 80 7 0
`), breakpad.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var at breakpad.Locations
	file.AppendLocations(&at, 0x114)
	for _, l := range at.List {
		fmt.Printf("%s %s:%d\n", l.Function, l.File, l.Line)
	}
	// Output:
	// vector::at vector.h:7
	// main main.cc:44
}
