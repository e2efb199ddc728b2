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
