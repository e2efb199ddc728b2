package generate

import (
	"encoding/hex"
	"math"
	"time"

	"aftershock/processor"
	"aftershock/schema"
)

// parts are what a crash is put together of.
type parts struct {
	install  install
	machine  *machine
	build    *build
	lane     *lane
	template *template
	set      *moduleSet // nil without a dump
	wrong    *wrong     // nil without
	process  *process
	addons   *derived // nil without, as is crumbs
	crumbs   *derived
	times    times
	flip     *int32
	startup  bool
	// What the client says, each empty where it says nothing.
	submitted, accessible string
	unfit                 annotationSet // see report.list
	notes                 []schema.Note
}

// crash is the crash of a number in a turn.
func (g *Crashes) crash(i int, turn turn) *schema.ProcessedCrash {
	received := g.calendar.received(i)
	p := g.parts(i, received, turn)
	t := p.template
	c := &schema.ProcessedCrash{
		CrashID: g.crashID(i, received), ReceivedAt: received, Raw: schema.Position{Topic: RawTopic, Partition: int32(i % Partitions), Offset: int64(i / Partitions)},
		SignatureVersion: g.o.SignatureVersion, Revision: turn.revision, ProcessVersion: processor.Version, RulesetHash: g.rulesetHash, RegistryHash: g.registryHash,
		Signature: t.signature, ProtoSignature: t.proto, SignatureNotes: t.notes, DumpStatus: t.nature.dumpStatus(), Kind: schema.KindReport,
	}
	g.annotate(c, p, i)
	c.Facts, c.ProtectedFacts = g.facts(p)
	if p.times.clockSet {
		p.note(schema.StageFacts, schema.NoteClockSet)
	}
	for _, code := range p.process.of.Notes {
		p.note(schema.StageFacts, code)
	}
	if t.nature.bare() {
		g.withoutDump(c, p)
	} else {
		g.withDump(c, p, i)
	}
	c.Notes = p.notes
	return c
}

// withDump sets what a dump says.
func (g *Crashes) withDump(c *schema.ProcessedCrash, p *parts, i int) {
	s := streamOf(g.o.Seed, ofThreads, uint64(i))
	t, r := p.template, p.machine.release
	digits := r.digits()
	c.System = p.machine.system
	c.Crash = schema.CrashInfo{Reason: t.reason, Address: p.wrong.text, CrashingThread: new(int32(t.crashed)), ProcessID: new(int64(s.between(500, 60_000))), UptimeSeconds: &p.times.ran, BitFlipPercent: p.flip}
	c.Threads = g.threads(&s, p, digits)
	c.Modules, c.UnloadedModules = p.set.modules, p.set.gone
	if r.platform == linux || r.platform == android {
		c.MemoryMapCount = new(int64(s.between(300, 4000)))
	}
	c.Dumps = []schema.DumpSummary{{Name: schema.MainDump, Size: int64(s.between(90_000, 1_800_000)), SHA256: digest(&s)}}
}

// withoutDump sets what is known without a dump, or of an empty one.
func (g *Crashes) withoutDump(c *schema.ProcessedCrash, p *parts) {
	if p.template.nature.kind == empty {
		c.Dumps = []schema.DumpSummary{{Name: schema.MainDump, SHA256: emptyDigest}}
		p.note(schema.StageDump, schema.NoteDumpUnreadable)
	} else {
		p.note(schema.StageDump, schema.NoteDumpMissing)
	}
	if of := &p.machine.system; p.saysSystem() {
		c.System = schema.System{OS: of.OS, OSVersion: of.OSVersion, CPUArch: of.CPUArch}
	}
}

func (p *parts) note(stage, code string) {
	p.notes = append(p.notes, schema.Note{Code: code, Stage: stage, Index: schema.NoIndex})
}

// emptyDigest is the SHA-256 of nothing.
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// parts draws what a crash is put together of.
func (g *Crashes) parts(i int, received time.Time, turn turn) *parts {
	who := streamOf(g.o.Seed, ofWho, uint64(i))
	p := &parts{install: g.who(&who, received)}
	p.machine, p.lane = p.install.machine, g.lanes[p.install.lane]
	p.unfit = p.machine.unfit
	// The client crashed a while ago: it has the build of then, which the door does not know.
	p.build = g.buildAt(&p.install, received, turn.back)
	s := streamOf(g.o.Seed, ofSignature, uint64(i)+turn.signature<<40)
	number := g.signatureOf(&s, p.install.lane, p.build)
	variant := s.early(flipped, 2)
	p.template = g.template(number, p.install.lane, variant)
	if badAccess(p.template.reason) && s.chance(flipShare) {
		p.template = g.template(number, p.install.lane, flipped)
	}
	s = streamOf(g.o.Seed, ofReport, uint64(i))
	p.startup = s.chance(p.template.nature.startup)
	p.times = newTimes(&s, received, p.install.installed, p.startup)
	p.process = &g.processes[0]
	if !p.startup && !p.template.nature.bare() && p.template.nature.kind != shutdownHang {
		p.process = &g.processes[g.processDraw.draw(&s)]
	}
	if s.chance(0.8) && p.lane.product != mobile {
		p.addons = &g.addonLists[s.early(addonLists, 2)]
	}
	if s.chance(0.05) {
		p.crumbs = &g.crumbLists[s.below(crumbLists)]
	}
	if s.chance(0.3) {
		p.submitted = one(&s, []string{"Auto", "Infobar", "AboutCrashes", "CrashedTab", "Client"})
	}
	if s.chance(0.1) {
		p.accessible = "Active"
	}
	if s.chance(0.004) {
		p.unfit |= setOf(locale)
	}
	if p.unfit != 0 {
		p.note(schema.StageEvent, schema.NoteAnnotationNotPublic)
	}
	if s.chance(0.006) {
		p.note(schema.StageDoor, schema.NoteAnnotationTwice)
	}
	if p.template.nature.bare() {
		return p
	}
	p.set = g.moduleSet(p.build, p.machine.releaseAt)
	p.wrong = one(&s, g.addresses[addressKey{p.template.reason, p.machine.release.digits() == 16}])
	if p.flip = p.template.flip; p.flip == nil && badAccess(p.template.reason) && s.chance(0.03) {
		p.flip = new(one(&s, []int32{25, 37, 50}))
	}
	return p
}

// threads are those of a crash: as many as it takes to hold the one that crashed, and some.
func (g *Crashes) threads(s *stream, p *parts, digits int) []schema.Thread {
	t := p.template
	count := t.crashed + 1 + s.early(80, 1.6)
	quiet := p.lane.quiet[digits/16]
	out, from, id := make([]schema.Thread, count), s.below(len(quiet)), int64(s.between(1000, 60_000))
	for k := range out {
		out[k] = quiet[(from+k)%len(quiet)]
		out[k].ThreadID = id + int64(4*k)
	}
	if len(t.first) > 0 {
		out[0].Frames = g.frames(t.first, p.lane, p.build, digits)
		out[0].FrameCount = int32(len(t.first))
	}
	crashed := &out[t.crashed]
	crashed.Name, crashed.LastError, crashed.Frames = t.thread, t.last, g.frames(t.places, p.lane, p.build, digits)
	crashed.FrameCount = int32(len(t.places))
	return out
}

// times are a client's.
type times struct {
	crash, startup, install int64 // seconds since 1970
	ran                     int64 // seconds
	uptime                  int64
	age                     int64
	sinceLast               int64 // -1 for none
	clockSet                bool
}

// newTimes are some seconds before the crash was received, now and then days.
func newTimes(s *stream, received, installed time.Time, startup bool) times {
	t := times{install: installed.Unix(), sinceLast: -1}
	delay := s.between(2, 400)
	if s.chance(0.05) {
		delay = s.between(3600, 3*86_400)
	}
	t.crash = max(received.Unix()-int64(delay), t.install)
	// Between a second and weeks, as many in each power of ten.
	t.ran = int64(math.Pow(10, s.unit()*5.2))
	if startup {
		t.ran = int64(s.between(0, 30))
	}
	t.startup = t.crash - t.ran
	t.uptime, t.age = t.ran, t.crash-t.install
	if s.chance(0.005) {
		t.startup, t.clockSet = t.crash+3600, true
	}
	if s.chance(0.55) {
		t.sinceLast = int64(math.Pow(10, 1+s.unit()*6))
	}
	return t
}

// crashID is a random UUID, and the throttle's digit and the day behind it.
func (g *Crashes) crashID(i int, received time.Time) string {
	s := streamOf(g.o.Seed, ofID, uint64(i))
	var raw [16]byte
	for k := range 2 {
		x := s.next()
		for b := range 8 {
			raw[k*8+b] = byte(x >> (8 * b))
		}
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	var id [36]byte
	hex.Encode(id[:8], raw[:4])
	hex.Encode(id[9:13], raw[4:6])
	hex.Encode(id[14:18], raw[6:8])
	hex.Encode(id[19:23], raw[8:10])
	hex.Encode(id[24:], raw[10:])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	id[schema.CrashIDDigit] = '0'
	received.AppendFormat(id[:schema.CrashIDDigit+1], "060102")
	return string(id[:])
}

func digest(s *stream) string {
	var text [64]byte
	for k := range 4 {
		copy(text[k*16:], appendHex(make([]byte, 0, 18), s.next(), 16)[2:])
	}
	return string(text[:])
}
