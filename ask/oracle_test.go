package ask_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/redact"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// crash is what an oracle knows of a crash: its public view, and the annotations that need a
// grant. facts is never nil.
type crash struct {
	*schema.TelemetryCrash
	facts     *schema.Facts
	threads   []schema.Thread
	raw       schema.Position
	day       string // that the crash id says
	public    map[string]string
	protected map[string]string
}

func newCrash(t *testing.T, p *schema.ProcessedCrash) *crash {
	t.Helper()
	pub, err := redact.Public(p, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	day, err := schema.CrashDay(p.CrashID)
	if err != nil {
		t.Fatal(err)
	}
	c := &crash{TelemetryCrash: pub, facts: pub.Facts, threads: p.Threads, raw: p.Raw, day: day.Format(time.DateOnly), public: map[string]string{}, protected: map[string]string{}}
	if c.facts == nil {
		c.facts = &schema.Facts{}
	}
	for _, a := range pub.Annotations {
		c.public[a.Name] = a.Value
	}
	for _, a := range p.Annotations {
		if schema.DefaultRegistry.Lookup(a.Name).Class == schema.ClassProtected {
			c.protected[a.Name] = a.Value
		}
	}
	return c
}

// bent changes some of the generated crashes, so that there is what the generator has not:
// crashes received at the same time and at full hours, or on another day than the crash id
// says, of older releases (without facts), without a build, in another channel than others of
// the version, with a module twice, and rare facts.
func bent(i int, c *schema.ProcessedCrash) *schema.ProcessedCrash {
	if i%3 == 0 {
		c.ReceivedAt = c.ReceivedAt.Truncate(time.Hour)
	}
	if i%50 == 7 {
		c.ReceivedAt = c.ReceivedAt.Add(24 * time.Hour)
	}
	set := func(name, value string) { // empty for none
		c.Annotations = slices.DeleteFunc(slices.Clone(c.Annotations), func(a schema.Annotation) bool { return a.Name == name })
		if value != "" {
			c.Annotations = append(c.Annotations, schema.Annotation{Name: name, Value: value, Public: true})
			slices.SortFunc(c.Annotations, func(a, b schema.Annotation) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	if i%29 == 3 {
		set("BuildID", "")
	}
	if i%31 == 4 {
		set("ReleaseChannel", "nightly")
	}
	if i%7 == 0 {
		set("OOMAllocationSize", "")
	}
	if i%23 == 6 {
		set("ipc_channel_error", "Closed")
	}
	if i%5 == 1 && len(c.Modules) > 0 {
		c.Modules = append(slices.Clone(c.Modules), c.Modules[0])
	}
	if i%11 == 2 && c.Crash.CrashingThread != nil {
		doubted(c)
	}
	f := *c.Facts
	c.Facts = &f
	if i%53 == 9 {
		f.MissingSymbols = append(slices.Clone(f.MissingSymbols), `odd\/name.so/1.0/0123ABCD/c0`)
	}
	if i%17 == 8 {
		f.MemoryMeasures = &schema.MemoryMeasures{Explicit: new(int64(i) << 20)}
	}
	switch i % 61 {
	case 2:
		f.MemoryAccess, f.AddressKind = new("readwrite"), nil
	case 3, 4:
		c.Crash.Reason, f.AddressKind = "EXCEPTION_ACCESS_VIOLATION_EXEC", nil
		if i%61 == 3 {
			f.AddressKind = new("null-pointer")
		}
	case 5:
		c.Crash.Reason, f.AddressKind = "EXC_GUARD / GUARD_TYPE_FD / GUARD_EXC_NOCLOEXEC", nil
	case 6:
		f.CrashInconsistencies = []string{"priv_instruction_crash_without_priv_instruction"}
	}
	if i%41 == 5 {
		c.Facts, c.ProtectedFacts = nil, nil
	}
	return c
}

// doubted gives the crashing thread a name that may be wrong, and one that was scanned for.
func doubted(c *schema.ProcessedCrash) {
	c.Threads = slices.Clone(c.Threads)
	frames := &c.Threads[*c.Crash.CrashingThread].Frames
	*frames = slices.Clone(*frames)
	for i := range *frames {
		f := &(*frames)[i]
		switch i % 5 {
		case 2:
			f.Doubt = "public"
		case 3:
			f.Trust, f.Probability = "scan", 0.55
		}
	}
}

// oracle computes answers from the crashes that went into the tables.
type oracle struct {
	versions map[int32]map[string]*crash
	active   int32
	epoch    int64
	bugs     []clickhouse.Bug
	lineage  []descent
	sessions []sessions
}

// descent is a row of the lineage that counts.
type descent struct {
	epoch    int64
	old, new string
	majority bool
	first    time.Time
	crashes  int
}

// sessions is a row of aftershock.sessions.
type sessions struct {
	day, product, version, channel string
	sessions                       int
}

// keep takes a crash in: of two results the one with the higher revision counts.
func (o *oracle) keep(c *crash) {
	if o.versions[c.SignatureVersion] == nil {
		o.versions[c.SignatureVersion] = map[string]*crash{}
	}
	if have := o.versions[c.SignatureVersion][c.CrashID]; have == nil || have.Revision < c.Revision {
		o.versions[c.SignatureVersion][c.CrashID] = c
	}
}

// asked is a question with the parameters that it is asked with.
type asked struct {
	q     ask.Query
	given map[string]string
}

func (a asked) has(name string) bool {
	return slices.ContainsFunc(a.q.Params, func(p ask.Param) bool { return p.Name == name })
}

// text is a parameter as it was given, or its default; empty where the question has it not.
func (a asked) text(name string) string {
	if text, ok := a.given[name]; ok {
		return text
	}
	for _, p := range a.q.Params {
		if p.Name == name {
			return p.Default
		}
	}
	return ""
}

func (a asked) number(name string) (n int) {
	if _, err := fmt.Sscan(a.text(name), &n); err != nil {
		panic(fmt.Sprintf("%s: %s: %v", a.q.Name, name, err))
	}
	return n
}

// time is a parameter that is a time: now, days before now, or a time of RFC 3339.
func (a asked) time(name string) time.Time {
	text := a.text(name)
	if text == "now" {
		return now
	}
	var days int
	if _, err := fmt.Sscanf(text, "%dd", &days); err == nil && strings.HasSuffix(text, "d") {
		return now.AddDate(0, 0, -days)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(fmt.Sprintf("%s: %s: %v", a.q.Name, name, err))
	}
	return at
}

// passes tells whether a value is what a parameter of the filter lets through: all, one, or all
// but some.
func passes(wanted, value string) bool {
	if rest, not := strings.CutPrefix(wanted, "!="); not {
		return !slices.Contains(strings.Split(rest, "\n!="), value)
	}
	return wanted == "" || wanted == value
}

// during are the crashes that were received in a time, of the product, channel, kind of
// process, system and version that the question is asked for.
func (o *oracle) during(a asked, from, to time.Time) (out []*crash) {
	is := func(name, value string) bool { return passes(a.text(name), value) }
	for _, c := range o.versions[o.active] {
		if !c.ReceivedAt.Before(from) && c.ReceivedAt.Before(to) && is("product", c.Product) && is("channel", c.Channel) &&
			is("process_type", c.ProcessType) && is("os", c.OS) && is("version", c.Version) && !slices.Contains(strings.Split(a.text("without"), "\n"), c.Signature) {
			out = append(out, c)
		}
	}
	return out
}

// scope is during the time that is asked for.
func (o *oracle) scope(a asked) []*crash {
	from, to := time.Time{}, now.AddDate(100, 0, 0)
	switch {
	case a.has("from"):
		from, to = a.time("from"), a.time("to")
	case a.has("since") && a.q.Name != "first-seen":
		from = a.time("since")
	}
	return o.during(a, from, to)
}

// tell stores crashes, in blocks of a size, and tells the oracle of them.
func (o *oracle) tell(t *testing.T, db *clickhouse.DB, block int, all []*schema.ProcessedCrash) {
	t.Helper()
	for part := range slices.Chunk(all, block) {
		var rows []sinks.Row
		for _, p := range part {
			rows = append(rows, row(p, int64(len(rows))))
			o.keep(newCrash(t, p))
		}
		if err := db.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
}

// see makes a version the one that is seen.
func (o *oracle) see(t *testing.T, db *clickhouse.DB, version int32) {
	t.Helper()
	o.epoch, o.active = o.epoch+1, version
	see(t, db, o.epoch, version)
}

// compare asks every question and compares each cell with the oracle's. It returns how often
// there were rows.
func (o *oracle) compare(t *testing.T, db, public *clickhouse.DB, cases map[string][]map[string]string) (told map[string]int) {
	t.Helper()
	told = map[string]int{}
	for _, q := range ask.Queries() {
		if answers[q.Name] == nil {
			t.Errorf("%s: the oracle does not know it", q.Name)
			continue
		}
		for _, given := range cases[q.Name] {
			from := public
			if q.Protected {
				from = db
			}
			a := asked{q, given}
			want := answers[q.Name](o, a)
			if want.compare(t, fmt.Sprint(q.Name, " ", given), o.ask(t, from, a)); len(want.rows) > 0 {
				told[q.Name]++
			}
		}
	}
	o.walkReports(t, public, cases["reports"][0]["signature"])
	return told
}

func (o *oracle) ask(t *testing.T, db *clickhouse.DB, a asked) *ask.Answer {
	t.Helper()
	values, err := a.q.Values(a.given, now)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.q.Ask(t.Context(), db, values)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Every question answers what its sentence says of the crashes that are seen, whatever was
// stored again, reprocessed, promoted and rolled back: an oracle computes each cell from the
// crashes themselves. Floating point is exact but where a cell is near.
func TestAnswersAreThoseOfAnOracle(t *testing.T) {
	url, analysts := clickhousetest.ServeAnalysts(t)
	db := clickhousetest.Open(t, url)
	public, err := clickhouse.Open(analysts, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { public.Close() }) //nolint:gosec // the server ends with it
	const count = 3000
	all := crashes(t, count)
	of := func(every, rest int, of func(i int) *schema.ProcessedCrash) (out []*schema.ProcessedCrash) {
		for i := rest; i < count; i += every {
			out = append(out, bent(i, of(i)))
		}
		return out
	}
	moved := of(1, 0, func(i int) *schema.ProcessedCrash { return all.InVersion(i, 2) })
	o := &oracle{versions: map[int32]map[string]*crash{}}
	o.tell(t, db, 2000, of(1, 0, all.At))
	o.see(t, db, 1)
	cases, few := o.cases(), map[string][]map[string]string{}
	for name, every := range cases {
		few[name] = every[:2]
	}
	o.load(t, db)
	o.sign(moved)
	o.storeLineage(t, db)

	state := func(name string, does func(t *testing.T), cases map[string][]map[string]string) (told map[string]int) {
		t.Run(name, func(t *testing.T) {
			does(t)
			told = o.compare(t, db, public, cases)
		})
		return told
	}
	state("fresh", func(*testing.T) {}, few)
	state("sent again", func(t *testing.T) { o.tell(t, db, 70, of(10, 4, all.At)) }, few)
	state("reprocessed", func(t *testing.T) {
		o.tell(t, db, 90, of(10, 7, func(i int) *schema.ProcessedCrash { return all.Reprocessed(i, 1) }))
	}, few)
	state("made in another version", func(t *testing.T) { o.tell(t, db, 2000, moved) }, few)
	state("promoted", func(t *testing.T) { o.see(t, db, 2) }, few)
	told := state("rolled back", func(t *testing.T) { o.see(t, db, 1) }, cases)
	for _, q := range ask.Queries() {
		if told[q.Name] < 2 {
			t.Errorf("%s: %d answers with rows: compares nothing", q.Name, told[q.Name])
		}
	}
}
