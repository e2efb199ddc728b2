package minidump

// Limits on what a dump may make the reader keep. What goes beyond is cut and
// recorded as FindingLimit-something; none is near what real crashes have.
const (
	maxStreams         = 4096
	maxThreads         = 32768
	maxModules         = 65536
	maxUnloadedModules = 65536
	maxMemoryRegions   = 1 << 20
	maxMemoryInfo      = 1 << 20
	maxLinuxMaps       = 1 << 20
	maxHandles         = 1 << 20
	maxStringBytes     = 64 << 10 // of one string, as it stands in the dump
	maxCodeViewBytes   = 64 << 10 // of one CodeView record
	maxBuildBytes      = 512      // of the text about the system; uname's fields have 65
	maxAnnotations     = 4096     // of all kinds, of all modules together
	maxAnnotationBytes = 256 << 10
	maxExceptionParams = 15 // EXCEPTION_MAXIMUM_PARAMETERS
	maxLinuxTextBytes  = 4 << 20
	maxKeyValueLines   = 4096
	// Strings are shared in real dumps (type names of handles), but not so
	// that together they exceed this many times the file.
	stringBytesFactor = 4
	maxFindings       = 1024
)
