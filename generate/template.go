package generate

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"aftershock/facts"
	"aftershock/schema"
	"aftershock/signature"
)

// template is what crashes of a signature have in common in a lane: there are some variants
// of each, with other callers. What is derived of it is derived once.
type template struct {
	nature  *nature
	places  []*place // of the thread that crashed; none if the dump is empty
	first   []*place // of the first thread, where the signature is made of it
	modules uint64   // bits of those in the stack
	thread  string   // name
	crashed int      // which thread
	reason  string
	flip    *int32
	last    *string // error of Windows
	values  []schema.Annotation
	kinds   []annotation // of values

	signature, proto string
	notes            []string
	of               facts.Facts
}

const (
	// variants of a template; the last is that of machines whose memory forgot a bit.
	variants = 4
	flipped  = variants - 1
	// flipShare of the crashes at an address are such.
	flipShare = 0.006
)

// template is made when it is first needed.
func (g *Crashes) template(n, laneAt, variant int) *template {
	slot := &g.templates[(n*len(lanes)+laneAt)*variants+variant]
	if t := slot.Load(); t != nil {
		return t
	}
	t := g.newTemplate(n, g.lanes[laneAt], variant)
	slot.Store(t)
	return t
}

func (g *Crashes) newTemplate(n int, l *lane, variant int) *template {
	t := &template{nature: &g.natures[n]}
	s := streamOf(g.o.Seed, ofTemplate, uint64(n)<<8|uint64(l.product)<<4|uint64(l.platform))
	d := streamOf(s.next(), ofTemplate, uint64(variant)) // what differs between variants
	if !t.nature.bare() {
		t.stack(n, l, &s, &d)
		if variant == flipped && badAccess(t.reason) {
			t.flip = new(int32(92))
		}
	}
	t.annotate(n, l, &s)
	g.derive(t, l)
	return t
}

// reasonsElsewhere are Linux's reasons as Windows and Apple's systems have them.
var reasonsElsewhere = map[string][2]string{
	"SIGSEGV / SEGV_MAPERR": {"EXCEPTION_ACCESS_VIOLATION_READ", "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS"},
	"SIGSEGV / SEGV_ACCERR": {"EXCEPTION_STACK_OVERFLOW", "EXC_BAD_ACCESS / KERN_PROTECTION_FAILURE"},
	"SIGSEGV / SI_KERNEL":   {"EXCEPTION_ACCESS_VIOLATION_WRITE", "EXC_BAD_ACCESS / EXC_I386_GPFLT"},
	"SIGABRT / SI_TKILL":    {"EXCEPTION_BREAKPOINT", "EXC_BAD_INSTRUCTION / EXC_I386_INVOP"},
	"SIGBUS / BUS_ADRERR":   {"EXCEPTION_IN_PAGE_ERROR_READ / STATUS_DEVICE_DATA_ERROR", "EXC_BAD_ACCESS / KERN_MEMORY_ERROR"},
	"SIGFPE / FPE_INTDIV":   {"EXCEPTION_INT_DIVIDE_BY_ZERO", "EXC_ARITHMETIC / EXC_I386_DIV"},
	"SIGILL / ILL_ILLOPN":   {"EXCEPTION_ILLEGAL_INSTRUCTION", "EXC_BAD_INSTRUCTION / EXC_I386_INVOP"},
}

func reasonOn(p platform, of string) string {
	to, ok := reasonsElsewhere[of]
	switch {
	case !ok || p == linux || p == android:
		return of
	case p == windows:
		return to[0]
	}
	return to[1]
}

// stackFrames is about how many frames a stack has; a sample's own come on top.
const stackFrames = 18

// stack puts together the frames: the system's of a sample, the function that gives the
// signature its name, the callers, and the start of a thread.
func (t *template) stack(n int, l *lane, s, d *stream) {
	at := t.nature.shape
	if n < common && l.product == tidepool {
		at = slices.IndexFunc(shapes(), func(s shape) bool { return s.rust && !s.recursion })
	}
	like := &shapes()[at]
	t.reason = reasonOn(l.platform, like.reason)
	named := l.function(n, like.own.Trust)
	if len(like.own.Inlines) > 0 && strings.HasPrefix(like.own.Inlines[0].Function, "std::") {
		named.frame.Inlines = like.own.Inlines
	}
	callers := func(count int) (out []*place) {
		for range count {
			out = append(out, l.callers[d.early(callersOf, 2)])
		}
		return out
	}
	switch {
	case t.nature.kind == shutdownHang:
		t.first = slices.Concat(l.systems(waits[l.platform][:1]), []*place{named}, callers(d.between(6, 14)), l.systems(starts[l.platform][0]))
		watchdog := l.system("", "orchard::(anonymous namespace)::RunWatchdog(void*)").trusted("context")
		t.places = append([]*place{watchdog}, l.systems(starts[l.platform][1])...)
		t.thread, t.reason = "Shutdown Hang Terminator", reasonOn(l.platform, "SIGSEGV / SEGV_MAPERR")
	case like.recursion:
		for range stackFrames + d.below(5) {
			t.places = append(t.places, named)
		}
	default:
		t.places = slices.Concat(l.above[at], []*place{named}, l.rest[at])
		if t.nature.kind == unnamed {
			p := l.system(one(s, otherModules[l.platform]), "").trusted("context")
			t.places = append([]*place{p}, t.places...)
		}
		t.places = append(t.places, callers(max(3, stackFrames-len(t.places)+d.between(-5, 6)))...)
		start := 0
		if t.nature.worker {
			start = 1
		}
		t.places = append(t.places, l.systems(starts[l.platform][start])...)
	}
	if t.nature.worker {
		t.crashed = 1 + s.below(5)
		if t.thread == "" {
			t.thread = threadName(s.below(64))
		}
	} else {
		t.thread = "MainThread"
	}
	if l.platform == windows {
		t.last = new(one(s, []string{"ERROR_SUCCESS", "ERROR_SUCCESS", "ERROR_FILE_NOT_FOUND", "ERROR_INVALID_PARAMETER"}))
	}
	for i := range t.places {
		if m := t.places[i].module; m != none {
			t.modules |= 1 << m
		}
	}
}

// assertions are what programs say when they give up.
var (
	assertions = []string{
		"MOZ_RELEASE_ASSERT(mLength <= mCapacity)", "MOZ_RELEASE_ASSERT(index < count) (out of range)", "MOZ_CRASH(Shutdown hanging before starting)",
		"MOZ_RELEASE_ASSERT(isValid()) (while loading https://" + Marker + ".example/private?token=7)", "Unexpected state 4 for /home/" + Marker + "/profile",
	}
	panics = []string{
		"attempt to subtract with overflow", "index out of bounds: the len is 7 but the index is 7", "called `Option::unwrap()` on a `None` value",
		`called ` + "`Result::unwrap()`" + ` on an ` + "`Err`" + ` value: Os { code: 2, message: "no ` + Marker + `" }`,
	}
	messages  = []string{"orchard::ipc::PContent::Msg_Reply", "orchard::ipc::PBackground::Msg_Close", "orchard::ipc::PWindow::Msg_Paint"}
	javaTypes = []string{"java.lang.IllegalStateException", "java.lang.NullPointerException", "java.lang.OutOfMemoryError", "kotlin.UninitializedPropertyAccessException", "android.os.DeadObjectException"}
	phases    = []string{"profile-before-change", "profile-change-teardown", "xpcom-will-shutdown", "quit-application"}
)

// annotate sets the annotations that belong to the signature.
func (t *template) annotate(n int, l *lane, s *stream) {
	set := func(a annotation, value string) {
		t.kinds, t.values = append(t.kinds, a), append(t.values, a.with(value))
	}
	switch t.nature.kind {
	case hung:
		set(hang, "1")
	case shutdownHang:
		phase := one(s, phases)
		set(asyncShutdown, fmt.Sprintf(`{"phase":%q,"conditions":[{"name":"OrchardDatabase: flushing","state":{"path":"/home/%s/places"}},{"name":"Sanitizer"}]}`, phase, Marker))
		set(shutdownProgress, phase)
	case ipcSignature:
		set(ipcMessage, one(s, messages))
	case asserted:
		reasons := assertions
		if l.product == tidepool {
			reasons = panics
		}
		set(mozCrashReason, one(s, reasons))
	case thrown:
		name := nameOf(n)
		trace := []string{one(s, javaTypes) + ": no session for " + Marker, "\t" + name.javaFrame(strconv.Itoa(s.between(10, 900)))}
		for range s.between(3, 9) {
			trace = append(trace, "\t"+nameOf(MaxSignatures+s.below(callersOf)).javaFrame(strconv.Itoa(s.between(10, 900))))
		}
		set(javaTrace, strings.Join(trace, "\n"))
	case oomSmall: // its size is the crash's, and makes no difference within the kind
		set(oomSize, "4096")
	case oomLarge:
		set(oomSize, "1048576")
	default:
	}
}

// derive signs a crash of the template, and takes what facts tell of it.
func (g *Crashes) derive(t *template, l *lane) {
	c := &schema.ProcessedCrash{
		DumpStatus: schema.DumpOK, System: schema.System{OS: osNames[l.platform]}, Annotations: t.values,
		Crash: schema.CrashInfo{Reason: t.reason, BitFlipPercent: t.flip},
	}
	if t.nature.bare() {
		c.DumpStatus, c.System = t.nature.dumpStatus(), schema.System{}
	} else {
		c.Crash.CrashingThread = new(int32(t.crashed))
		c.Threads = make([]schema.Thread, t.crashed+1)
		if t.crashed > 0 {
			c.Threads[0] = schema.Thread{Frames: g.frames(t.first, l, nil, 16)}
		}
		c.Threads[t.crashed] = schema.Thread{Name: t.thread, LastError: t.last, Frames: g.frames(t.places, l, nil, 16)}
	}
	r := g.ruleset.Generate(signature.FromProcessed(c))
	t.signature, t.proto, t.notes = r.Signature, r.ProtoSignature, r.Notes
	t.of = facts.Derive(facts.Input{Crash: c, Registry: g.registry})
}

// bare tells whether there is no dump to walk.
func (o *nature) bare() bool { return o.kind == empty || o.kind == thrown }

// dumpStatus is the processor's.
func (o *nature) dumpStatus() string {
	switch o.kind {
	case empty:
		return "EmptyMinidump"
	case thrown:
		return "NoMinidump"
	default:
		return schema.DumpOK
	}
}

const (
	// moved is by how many bytes a function of the program moves from build to build.
	moved = 0x2c0
	// lines that are added above a function from build to build, up to the most.
	linesAdded, mostAdded = 3, 40
)

// frames are those of places in a build: nil is as if there were one alone.
func (g *Crashes) frames(places []*place, l *lane, b *build, digits int) []schema.Frame {
	out := make([]schema.Frame, len(places))
	width := digits + 2
	text := make([]byte, 0, len(places)*3*width)
	for i := range places {
		p := places[i]
		at, base := p.at, uint64(0)
		if p.module != none {
			base = baseOf(p.module, digits)
			if b != nil && p.module < l.ownOnes {
				at += uint64(b.number) * moved
			}
		}
		text = appendHex(appendHex(appendHex(text, base+at, digits), at, digits), p.into, digits)
	}
	all := string(text)
	for i := range places {
		p, f := places[i], &out[i]
		*f = p.frame
		f.Offset = all[:width]
		if p.module != none {
			f.ModuleOffset = all[width : 2*width]
		}
		if f.Function != "" {
			f.FunctionOffset = all[2*width : 3*width]
		}
		if b != nil && f.Line > 0 && p.module >= 0 && p.module < l.ownOnes {
			f.Line += int64(b.number*linesAdded) % mostAdded
		}
		all = all[3*width:]
	}
	return out
}

// inStack are the modules of the crashing thread as facts list them.
func (t *template) inStack(set *moduleSet) []string {
	if t.modules == 0 {
		return nil
	}
	out := make([]string, 0, bits.OnesCount64(t.modules))
	for m := t.modules; m != 0; m &= m - 1 {
		out = append(out, set.inStack[bits.TrailingZeros64(m)])
	}
	slices.Sort(out)
	return out
}
