package stackwalk

// Default limits of [Options]. A real stack overflow with full stack memory
// has tens of thousands of frames, of which a few thousand tell everything.
const (
	DefaultMaxFramesPerThread = 8192
	DefaultMaxFrames          = 65536
	DefaultMaxScanWords       = 4 << 20
	DefaultMaxInlines         = 262144
)

const (
	// maxUnloadedHits bounds Frame.Unloaded: Windows keeps the last 64 modules
	// that a process unloaded.
	maxUnloadedHits = 64
	// maxUnloadedChecks bounds the looks at unloaded modules in one Walk.
	maxUnloadedChecks = 16 << 20
)
