package main

import (
	"os"
	"runtime/debug"
)

// processorGCPercent is the collector's pace in a process that works on crashes.
// It lives on a few megabytes, symbols are mapped, and each crash leaves two
// hundred kilobytes of garbage: at Go's own pace the heap is collected after
// every 4 MB, and two workers are hardly faster than one. At this pace the heap
// stays below five times what is live, and two workers do twice as much.
const processorGCPercent = 400

// collectLess sets it unless whoever runs the program has decided otherwise.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(processorGCPercent)
	}
}

// serverGCPercent is for a symbol server, which holds little but what it compiles at the
// moment: garbage of half of that is enough, and costs a tenth of the compiler's time.
const serverGCPercent = 50

// collectMore lets the collector come more often, unless whoever started the process has said
// how often.
func collectMore() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(serverGCPercent)
	}
}
