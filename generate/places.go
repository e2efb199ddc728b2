package generate

import (
	"hash/fnv"
	"sync"

	"aftershock/schema"
)

// lane is a product on a platform.
type lane struct {
	product  int
	platform platform
	modules  map[string]int // by name
	ownOnes  int
	callers  []*place           // functions below the one that crashes
	above    [][]*place         // the systems' frames of each shape, above the program's first one
	rest     [][]*place         // those below it
	quiet    [2][]schema.Thread // threads that do not crash, of 32 and 64 bits
	systemOf sync.Map           // *place by systemFunction
}

// lanes are all there are, those of a product in the order of their platforms.
var lanes = []struct {
	product  int
	platform platform
	share    float64 // of the product's installs
}{
	{orchard, windows, 0.80},
	{orchard, mac, 0.11},
	{orchard, linux, 0.09},
	{tidepool, windows, 0.52},
	{tidepool, mac, 0.20},
	{tidepool, linux, 0.28},
	{mobile, android, 0.87},
	{mobile, ios, 0.13},
}

const (
	callersOf = 512 // a lane
	quietOf   = 96
)

// place is a frame without what depends on where its module lies and on the build. Stacks
// share places: nobody may change one.
type place struct {
	frame  schema.Frame
	module int    // of the lane's; none without
	at     uint64 // offset in the module, or the address itself
	into   uint64 // offset in the function
}

const none = -1

func newLane(n int) *lane {
	l := &lane{product: lanes[n].product, platform: lanes[n].platform, modules: map[string]int{}}
	names, ownOnes := moduleNames(l.product, l.platform)
	for i, name := range names {
		l.modules[name] = i
	}
	l.ownOnes = ownOnes
	for i := range callersOf {
		l.callers = append(l.callers, l.function(MaxSignatures+i, "cfi"))
	}
	for _, shape := range shapes() {
		l.above, l.rest = append(l.above, l.sampled(shape.above)), append(l.rest, l.sampled(shape.rest))
	}
	for i := range quietOf {
		places := l.waiting(i)
		for wide := range l.quiet {
			digits := 8 << wide
			t := schema.Thread{Name: threadName(i), End: "complete", FrameCount: int32(len(places))}
			for k := range places {
				t.Frames = append(t.Frames, places[k].quietFrame(digits))
			}
			l.quiet[wide] = append(l.quiet[wide], t)
		}
	}
	return l
}

// quietFrame is the frame as every build has it: of threads that did not crash.
func (p *place) quietFrame(digits int) schema.Frame {
	f := p.frame
	base := uint64(0)
	if p.module != none {
		base = baseOf(p.module, digits)
		f.ModuleOffset = hexWord(p.at, digits)
	}
	f.Offset = hexWord(base+p.at, digits)
	if f.Function != "" {
		f.FunctionOffset = hexWord(p.into, digits)
	}
	return f
}

var threadNames = []string{"IPC I/O", "Timer", "Compositor", "ImageDecoder", "StreamTransport", "DNS Resolver", "Socket Thread", "StyleThread", "Cache2 I/O", "AudioIPC", "Worker Launcher", "BgHangMonitor"}

// threadName is a worker's; now and then it says what it works for.
func threadName(n int) string {
	if n%31 == 30 {
		return "worker for https://" + Marker + ".example/"
	}
	return threadNames[n%len(threadNames)]
}

// function is the place of the program's function of a number.
func (l *lane) function(n int, trust string) *place {
	name := nameOf(n)
	s := streamOf(uint64(n), ofPlace, uint64(l.product))
	module := 1
	if s.chance(0.25) {
		module = s.below(l.ownOnes)
	}
	p := &place{module: module, at: uint64(s.between(0x1000, 0x800000)), into: uint64(s.between(4, 0x900))}
	p.frame = schema.Frame{Trust: trust, Probability: probabilities[trust], Module: l.moduleName(module), Function: name.cpp(), File: name.cppFile(), Line: int64(s.between(20, 3000))}
	if l.product == tidepool {
		p.frame.Function, p.frame.File = name.rust(), name.rustFile()
	}
	return p
}

func (l *lane) moduleName(at int) string {
	for name, i := range l.modules {
		if i == at {
			return name
		}
	}
	return ""
}

// system is the place of a function of a library.
func (l *lane) system(module, function string) *place {
	key := systemFunction{module, function}
	if p, ok := l.systemOf.Load(key); ok {
		return p.(*place) //nolint:forcetypeassert // nothing else is in it
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(module + "!" + function)) // it takes everything
	s := streamOf(h.Sum64(), ofPlace, 0)
	at, ok := l.modules[module]
	if !ok {
		at = 0
		module = l.moduleName(0)
	}
	p, _ := l.systemOf.LoadOrStore(key, &place{
		module: at, at: uint64(s.between(0x1000, 0x200000)), into: uint64(s.between(4, 0x300)), frame: schema.Frame{Trust: "cfi", Probability: probabilities["cfi"], Module: module, Function: function},
	})
	return p.(*place) //nolint:forcetypeassert // as above
}

// probabilities are about those of frames by their trust (stackwalk/probability.go).
var probabilities = map[string]float64{"context": 1, "cfi": 0.998, "frame_pointer": 0.99, "scan": 0.83}

// as is the place with another frame's trust and source.
func (p place) as(f *schema.Frame) *place {
	p.frame.File, p.frame.Line = f.File, f.Line
	return p.trusted(f.Trust)
}

// trusted is the place with another trust.
func (p place) trusted(trust string) *place {
	p.frame.Trust, p.frame.Probability = trust, probabilities[trust]
	return &p
}

type systemFunction struct{ module, function string }

// starts are what threads begin with, innermost first: the first one of a program and others.
var starts = [platforms][2][]systemFunction{
	windows: {{{"", "__scrt_common_main_seh"}, {"kernel32.dll", "BaseThreadInitThunk"}, {"ntdll.dll", "RtlUserThreadStart"}}, {{"ucrtbase.dll", "thread_start<T>"}, {"kernel32.dll", "BaseThreadInitThunk"}, {"ntdll.dll", "RtlUserThreadStart"}}},
	mac:     {{{"", "main"}, {"dyld", "start"}}, {{"libsystem_pthread.dylib", "_pthread_start"}, {"libsystem_pthread.dylib", "thread_start"}}},
	linux:   {{{"", "main"}, {"libc.so.6", "__libc_start_call_main"}, {"libc.so.6", "__libc_start_main_alias_2"}, {"", "_start"}}, {{"libc.so.6", "start_thread"}, {"libc.so.6", "__clone3"}}},
	android: {{{"libandroid_runtime.so", "android::AndroidRuntime::start(char const*, android::Vector<android::String8> const&, bool)"}, {"app_process64", "main"}, {"libc.so", "__libc_init"}}, {{"libc.so", "__pthread_start(void*)"}, {"libc.so", "__start_thread"}}},
	ios:     {{{"UIKitCore", "UIApplicationMain"}, {"", "main"}, {"dyld", "start"}}, {{"libsystem_pthread.dylib", "_pthread_start"}, {"libsystem_pthread.dylib", "thread_start"}}},
}

// waits are what threads do that have nothing to do.
var waits = [platforms][]systemFunction{
	windows: {{"ntdll.dll", "ZwWaitForAlertByThreadId"}, {"ntdll.dll", "RtlSleepConditionVariableSRW"}, {"KERNELBASE.dll", "SleepConditionVariableSRW"}},
	mac:     {{"libsystem_kernel.dylib", "__psynch_cvwait"}, {"libsystem_pthread.dylib", "_pthread_cond_wait"}},
	linux:   {{"libc.so.6", "__futex_abstimed_wait_common"}, {"libc.so.6", "pthread_cond_wait@@GLIBC_2.3.2"}},
	android: {{"libc.so", "syscall"}, {"libc.so", "__futex_wait_ex(void volatile*, bool, int, bool, timespec const*)"}, {"libc.so", "pthread_cond_wait"}},
	ios:     {{"libsystem_kernel.dylib", "__psynch_cvwait"}, {"libsystem_pthread.dylib", "_pthread_cond_wait"}},
}

func (l *lane) systems(of []systemFunction) (out []*place) {
	for _, f := range of {
		out = append(out, l.system(f.module, f.function))
	}
	return out
}

// waiting is the stack of a thread that does not crash: on Linux also those of the samples.
func (l *lane) waiting(n int) []*place {
	if l.platform == linux && n%4 == 0 {
		if quiet := shapes()[n/4%len(shapes())].quiet; len(quiet) > 0 {
			return l.sampled(quiet[n%len(quiet)].Frames)
		}
	}
	out := l.systems(waits[l.platform])
	out[0] = out[0].trusted("context")
	for k := range n % 4 {
		out = append(out, l.callers[(n*7+k*13)%callersOf])
	}
	return append(out, l.systems(starts[l.platform][1])...)
}

// sampled are frames of a sample, on this lane's platform.
func (l *lane) sampled(frames []schema.Frame) (out []*place) {
	for i := range frames {
		f := &frames[i]
		switch function, known := elsewhere[f.Function]; {
		case ownFrame(f):
			out = append(out, l.callers[int(f.Line)%callersOf].trusted(f.Trust))
		case f.Module == "":
			out = append(out, &place{frame: schema.Frame{Trust: f.Trust, Probability: probabilities[f.Trust]}, module: none})
		case l.platform == linux:
			out = append(out, l.system(f.Module, f.Function).as(f))
		case known:
			if to := function[l.platform]; to.function != "" {
				out = append(out, l.system(to.module, to.function))
			}
		case f.Module == "tidepool": // Rust's library is linked into the program
			out = append(out, l.system("", f.Function).as(f))
		}
	}
	return out
}

// elsewhere are Linux's functions as other platforms have them; those that have none leave
// them out.
var elsewhere = map[string][platforms]systemFunction{
	"__pthread_kill_implementation": {mac: {"libsystem_kernel.dylib", "__pthread_kill"}, ios: {"libsystem_kernel.dylib", "__pthread_kill"}},
	"__GI_raise":                    {mac: {"libsystem_pthread.dylib", "pthread_kill"}, ios: {"libsystem_pthread.dylib", "pthread_kill"}},
	"__GI_abort":                    {windows: {"ucrtbase.dll", "abort"}, mac: {"libsystem_c.dylib", "abort"}, android: {"libc.so", "abort"}, ios: {"libsystem_c.dylib", "abort"}},
	"malloc_printerr":               {windows: {"ntdll.dll", "RtlReportFatalFailure"}, mac: {"libsystem_malloc.dylib", "malloc_vreport"}, android: {"libc.so", "scudo::die()"}, ios: {"libsystem_malloc.dylib", "malloc_vreport"}},
	"_int_free":                     {windows: {"ntdll.dll", "RtlpFreeHeapInternal"}},
	"__free":                        {windows: {"ucrtbase.dll", "_free_base"}, mac: {"libsystem_malloc.dylib", "free"}, android: {"libc.so", "free"}, ios: {"libsystem_malloc.dylib", "free"}},
	"std::terminate()":              {windows: {"ucrtbase.dll", "terminate"}, mac: {"libc++abi.dylib", "std::terminate()"}, android: {"libc++.so", "std::terminate()"}, ios: {"libc++abi.dylib", "std::terminate()"}},
	"__cxa_throw":                   {windows: {"vcruntime140.dll", "_CxxThrowException"}, mac: {"libc++abi.dylib", "__cxa_throw"}, android: {"libc++.so", "__cxa_throw"}, ios: {"libc++abi.dylib", "__cxa_throw"}},
	"__cxa_pure_virtual":            {windows: {"vcruntime140.dll", "_purecall"}, mac: {"libc++abi.dylib", "__cxa_pure_virtual"}, android: {"libc++.so", "__cxa_pure_virtual"}, ios: {"libc++abi.dylib", "__cxa_pure_virtual"}},
	"__strlen_evex":                 {windows: {"ucrtbase.dll", "strlen"}, mac: {"libsystem_platform.dylib", "_platform_strlen"}, android: {"libc.so", "strlen"}, ios: {"libsystem_platform.dylib", "_platform_strlen"}},
}
