package stackwalk

// Default limits of [Options]. A real overflow of a stack of 8 MiB has 31,447
// frames.
const (
	DefaultMaxFramesPerThread = 1 << 16
	DefaultMaxFrames          = 1 << 17
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
