package signature

import "strings"

// MaxRunes is the length of the longest signature.
const MaxRunes = 255

// Generate names the crash. It never fails and is safe for concurrent use.
//
// Most crashes have happened before, and the rules are pure: results are kept by
// all that they are made of.
func (r *Ruleset) Generate(c *Crash) Result {
	key, keep := r.cache.key(c)
	if !keep {
		return r.generate(c).result
	}
	if known := r.cache.result(key, c); known != nil {
		return *known
	}
	g := r.generate(c)
	switch g.depends {
	case onStack:
		r.cache.putResult(key, g.result)
	case onIndex:
		r.cache.putResult(key.ofThread(c), g.result)
	case onOthers:
	}
	return g.result
}

func (r *Ruleset) generate(c *Crash) *generation {
	g := &generation{ruleset: r, crash: c}
	g.run()
	return g
}

// Explain is Generate with Result.Why.
func (r *Ruleset) Explain(c *Crash) Result {
	g := generation{ruleset: r, crash: c, explain: true}
	g.run()
	return g.result
}

// generation is one signature in the making.
type generation struct {
	ruleset *Ruleset
	crash   *Crash
	result  Result
	rule    string // the one that runs
	explain bool
	depends depends
}

// depends is what of its threads decides about a crash's result: the frames of
// the one that crashed, its index as well, or other threads, too.
type depends uint8

const (
	onStack depends = iota
	onIndex
	onOthers
)

// rule changes the signature, or leaves it. It returns false when it fails;
// then it must have left the signature as it was.
type rule struct {
	name  string // siggen's: notes begin with it
	apply func(*generation) bool
}

// rules run in this order: each sees what the ones before it made.
var rules = [...]rule{
	{stackRule, (*generation).stack},
	{"StackwalkerErrorSignatureRule", (*generation).stackwalkerError},
	{"BadHardware", (*generation).badHardware},
	{"OOMSignature", (*generation).outOfMemory},
	{"AbortSignature", (*generation).abort},
	{"SignatureShutdownTimeout", (*generation).asyncShutdownTimeout},
	{"SignatureRunWatchDog", (*generation).runWatchdog},
	{"SignatureIPCChannelError", (*generation).ipcChannelError},
	{"SignatureIPCMessageName", (*generation).ipcMessageName},
	{"StackOverflowSignature", (*generation).stackOverflow},
	{"HungProcess", (*generation).hungProcess},
	{"SigPrintableCharsOnly", (*generation).printable},
	{"SigFixWhitespace", (*generation).whitespace},
	{"SigTruncate", (*generation).truncate},
}

func (g *generation) run() {
	for i := range rules {
		g.rule = rules[i].name
		before := g.result.Signature
		if !rules[i].apply(g) {
			g.note("Rule failed")
		}
		if g.explain && g.result.Signature != before {
			g.step(Step{Kind: StepRule, Before: before, After: g.result.Signature})
		}
	}
}

// note says what was unusual. Notes are public: text must hold no value of the
// crash.
func (g *generation) note(text string) { g.noteOf(g.rule, text) }

func (g *generation) noteOf(rule, text string) {
	g.result.Notes = append(g.result.Notes, rule+": "+text)
}

// stackRule is the rule that makes signatures of stacks. Its notes keep its name
// when another rule asks for a stack.
const stackRule = "SignatureGenerationRule"

func (g *generation) prepend(text string) { g.result.Signature = text + g.result.Signature }

// stack makes the signature of the crashing thread, or of the Java exception
// when there is one.
func (g *generation) stack() bool {
	if g.crash.unreadable.has(javaIgnored) {
		g.noteOf(stackRule, "Java exception not in expected format, ignored")
	}
	switch {
	case g.crash.JavaStackTrace != "" || g.crash.unreadable.has(javaTraceField):
		g.javaStackTrace()
		return true
	case g.crash.JavaException != nil:
		return g.javaException()
	}
	return g.nativeStack(g.crash.threadIndex())
}

// stackwalkerError says why there is no stack.
func (g *generation) stackwalkerError() bool {
	if g.crash.DumpStatus != "" && strings.HasPrefix(g.result.Signature, "EMPTY") {
		g.result.Signature += "; " + g.crash.DumpStatus
	}
	return true
}

// likelyBitFlip is what speaks for a flipped bit, in per cent, where the machine
// is to blame rather than the program. Of what the walk weighs only addresses
// that no program could have made reach it: one bit away from a mapped address,
// in the part of it that every address has equal.
const likelyBitFlip = 90

// badHardware marks crashes of a disk that could not be read, and with the
// switch bit_flips those of memory that forgot.
func (g *generation) badHardware() bool {
	if g.crash.unreadable.has(reasonField) {
		return false
	}
	if g.ruleset.switches.bitFlips && g.crash.BitFlipPercent >= likelyBitFlip {
		g.prepend("bit flip | ")
	}
	if strings.Contains(g.crash.Reason, "STATUS_DEVICE_DATA_ERROR") {
		g.prepend("bad hardware | ")
	}
	return true
}

// smallAllocation is the size up to which any allocation may be the one that
// finds memory exhausted: where it was says nothing.
const smallAllocation = 256 << 10

// outOfMemory marks crashes for want of memory.
func (g *generation) outOfMemory() bool {
	switch size := g.crash.OOMAllocationSize; {
	case g.crash.unreadable.has(oomField):
		return false
	case g.asksThreadForMemory() && g.crash.crashed().noObject:
		return false
	case !g.isOutOfMemory():
	case g.crash.JSLargeAllocationFailure == reportingFailure:
		g.prepend("OOM | large | ")
	case size == nil:
		g.prepend("OOM | unknown | ")
	case *size <= smallAllocation:
		g.result.Signature = "OOM | small"
	default:
		g.prepend("OOM | large | ")
	}
	return true
}

const reportingFailure = "Reporting"

// oomFunctions are called when memory is exhausted.
var oomFunctions = []string{"NS_ABORT_OOM", "mozalloc_handle_oom", "CrashAtUnhandlableOOM", "AutoEnterOOMUnsafeRegion", "alloc::oom::oom"}

func (g *generation) isOutOfMemory() bool {
	c := g.crash
	if !g.asksThreadForMemory() {
		return c.hasAllocationSize() || g.result.Signature != ""
	}
	return noMemory(c.crashed().LastError) ||
		c.Reason == "STATUS_FATAL_MEMORY_EXHAUSTION" || c.Reason == "STATUS_NO_MEMORY" || c.JSLargeAllocationFailure == reportingFailure
}

// asksThreadForMemory tells whether neither a size nor the signature says it.
func (g *generation) asksThreadForMemory() bool {
	if g.crash.hasAllocationSize() || g.result.Signature == "" {
		return false
	}
	for _, f := range oomFunctions {
		if strings.Contains(g.result.Signature, f) {
			return false
		}
	}
	return true
}

func (c *Crash) hasAllocationSize() bool {
	return c.OOMAllocationSize != nil && *c.OOMAllocationSize != 0
}

// noMemory tells whether Windows' last error is want of memory.
func noMemory(lastError string) bool {
	return lastError == "ERROR_COMMITMENT_LIMIT" || lastError == "ERROR_NOT_ENOUGH_MEMORY"
}

// maxAbortMessage is how much of an abort message a signature takes.
const maxAbortMessage = 80

// abort puts the abort message in front.
func (g *generation) abort() bool {
	message := g.crash.AbortMessage
	switch {
	case g.crash.unreadable.has(abortField):
		return false
	case message == "":
		return true
	case strings.Contains(message, "###!!! ABORT: file "): // there is none
		g.prepend("Abort | ")
		return true
	}
	if _, after, ok := strings.Cut(message, "###!!! ABORT:"); ok {
		message = after
	}
	message, _, _ = strings.Cut(message, ": file ")
	if strings.Contains(message, "unable to find a usable font") { // its name follows, in parentheses
		open, shut := strings.IndexByte(message, '('), strings.LastIndexByte(message, ')')
		if open >= 0 && shut >= 0 {
			message = message[:open] + message[shut+1:]
		}
	}
	message = strip(visible(message))
	if len(message) > maxAbortMessage {
		message = message[:maxAbortMessage-3] + "..."
	}
	g.prepend("Abort | " + message + " | ")
	return true
}

// runWatchdog marks hangs of the shutdown: the watchdog's own stack says
// nothing, the first thread's does.
func (g *generation) runWatchdog() bool {
	if !strings.Contains(g.result.Signature, "RunWatchdog") {
		return true
	}
	g.depends = onOthers
	crash := g.crash
	first := *crash
	first.CrashingThread = nil
	g.crash = &first
	ok := g.stack()
	g.crash = crash
	if ok {
		g.prepend("shutdownhang | ")
	}
	return ok
}

// browserDump is what the dump of the main process is called.
const browserDump = "upload_file_minidump_browser"

// maxIPCError is how many code points of an IPC error a signature takes.
const maxIPCError = 100

// ipcChannelError replaces the signature: the process was killed for what its
// peer did.
func (g *generation) ipcChannelError() bool {
	if g.crash.unreadable.has(ipcErrorField) {
		return false
	}
	if g.crash.IPCChannelError == "" {
		return true
	}
	process := "IPCError-content | "
	for _, name := range g.crash.AdditionalDumps {
		if name == browserDump {
			process = "IPCError-browser | "
		}
	}
	g.note("IPC Channel Error stomped on signature")
	g.result.Signature = process + firstRunes(g.crash.IPCChannelError, maxIPCError)
	return true
}

func (g *generation) ipcMessageName() bool {
	if g.crash.IPCMessageName != "" {
		g.result.Signature += " | IPC_Message_Name=" + g.crash.IPCMessageName
	}
	return true
}

func (g *generation) stackOverflow() bool {
	if g.crash.Reason == "EXCEPTION_STACK_OVERFLOW" {
		g.prepend("stackoverflow | ")
	}
	return true
}

func (g *generation) hungProcess() bool {
	if g.crash.Hang != nil {
		g.prepend("hang: " + *g.crash.Hang + " | ")
	}
	return true
}

// printable leaves ASCII that can be seen.
func (g *generation) printable() bool {
	if clean := visible(strip(g.result.Signature)); clean != g.result.Signature {
		g.result.Signature = clean
		g.note("unprintable characters removed")
	}
	return true
}

// visible drops everything but ASCII 0x20 to 0x7e.
func visible(s string) string {
	odd := false
	for i := range len(s) {
		odd = odd || s[i] < 0x20 || s[i] > 0x7e
	}
	if !odd {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e {
			return -1
		}
		return c
	}, s)
}

// whitespace makes one space of several. What it sees is ASCII.
func (g *generation) whitespace() bool {
	s := g.result.Signature
	if strings.Contains(s, "  ") || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
		g.result.Signature = strings.Join(strings.Fields(s), " ")
	}
	return true
}

// truncate cuts a long signature. What it sees is ASCII.
func (g *generation) truncate() bool {
	if s := g.result.Signature; len(s) > MaxRunes {
		g.result.Signature = s[:MaxRunes-3] + "..."
		g.note("SigTrunc: signature truncated due to length")
	}
	return true
}

// firstRunes is the beginning of s, n code points long.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
