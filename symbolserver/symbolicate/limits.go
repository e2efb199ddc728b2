package symbolicate

import "time"

// Limits bounds what one request may ask. A zero field means its default.
type Limits struct {
	// Jobs is the largest number of jobs of v5, BatchJobs of v6.
	Jobs, BatchJobs int
	// Stacks, Frames and Modules are bounded over all jobs of a request.
	Stacks, Frames, Modules int
	// BodyBytes is the largest body, on the wire and inflated.
	BodyBytes int64
	// HeldBytes bounds the bodies of all requests together; who finds no room is
	// asked to come again.
	HeldBytes int64
	// RememberedBytes bounds what is kept of answers for the requests to come.
	RememberedBytes int64
}

// Defaults of Options.
const (
	// DefaultJobs is Eliot's.
	DefaultJobs = 10
	// DefaultBatchJobs is that many crashes: an answer is sent a job after the other, and
	// takes no memory.
	DefaultBatchJobs = 1000
	// DefaultStacks and DefaultFrames hold a batch of crashes with 100 threads each.
	DefaultStacks = 100_000
	DefaultFrames = 500_000
	// DefaultModules are a hundred Firefoxes'.
	DefaultModules = 50_000
	// DefaultBodyBytes is what so many frames take.
	DefaultBodyBytes = 16 << 20
	// DefaultHeldBytes leaves room for requests as large as they may be, and for
	// thousands of usual ones.
	DefaultHeldBytes = 256 << 20
	// DefaultRememberedBytes keeps some hundred thousand frames, which is most of what
	// the crashes of a day have.
	DefaultRememberedBytes = 128 << 20
	// DefaultDeadline is below the minute after which proxies give up.
	DefaultDeadline = 30 * time.Second
)

const (
	// maxDepth is how deep values may nest, also those that nobody looks at.
	maxDepth = 100
	// maxTextBytes bounds a name or id of v6; longer ones name no file.
	maxTextBytes = 4 << 10

	// bodyTime is how long a body may take to arrive. An answer may take writeTime to leave,
	// and a second more for each leastRate bytes.
	bodyTime  = 30 * time.Second
	writeTime = 30 * time.Second
	leastRate = 64 << 10

	// lookupsAtOnce bounds the modules that one request asks for at a time. One that
	// takes longer than patience gives its place away, so that a source that hangs
	// does not delay modules that are elsewhere.
	lookupsAtOnce = 32
	patience      = time.Second

	// streamBytes is the size from which on an answer is sent in parts.
	streamBytes = 64 << 10
	// keptBytes bounds the memory that is kept for the next request, of each kind.
	keptBytes = 1 << 20
	// maxZstdWindow is the window that everybody must be able to read (RFC 9659), and
	// that nobody may go beyond.
	maxZstdWindow = 8 << 20
	// retryAfter is the number of seconds after which a client may try again.
	retryAfter = "5"
)

func (l Limits) withDefaults() Limits {
	l.Jobs = orDefault(l.Jobs, DefaultJobs)
	l.BatchJobs = orDefault(l.BatchJobs, DefaultBatchJobs)
	l.Stacks = orDefault(l.Stacks, DefaultStacks)
	l.Frames = orDefault(l.Frames, DefaultFrames)
	l.Modules = orDefault(l.Modules, DefaultModules)
	l.BodyBytes = orDefault(l.BodyBytes, DefaultBodyBytes)
	l.HeldBytes = max(orDefault(l.HeldBytes, DefaultHeldBytes), l.BodyBytes)
	l.RememberedBytes = orDefault(l.RememberedBytes, DefaultRememberedBytes)
	return l
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
