package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
)

func TestSharesOfHands(t *testing.T) {
	for _, tc := range []struct {
		n     int
		share float64
		want  int
	}{{8, 0, 0}, {8, -1, 0}, {8, 0.01, 1}, {8, 0.5, 4}, {8, 0.99, 7}, {8, 1, 8}, {8, 3, 8}, {1, 0.5, 1}, {3, 0.5, 1}, {3, 0.7, 2}} {
		if got := hands(tc.n, tc.share); got != tc.want {
			t.Errorf("%v of %d: %d, want %d", tc.share, tc.n, got, tc.want)
		}
	}
	if w := NewWorkers(0, 0); w.Number() != 1 || w.lanes[LaneReprocess].most != 1 || w.lane(LaneReplay(7)).most != 1 {
		t.Errorf("%d hands", w.Number())
	}
	if w := NewWorkers(8, 0.25); w.lanes[LaneReprocess].most != 2 || w.lanes[LaneLive].most != 8 || w.free != 8 {
		t.Errorf("%+v", w)
	}
}

// A replay rests as much as it works, of its share, while live crashes come and a second after.
func TestHowLongAReplayRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(8, 0.5)
		replay := LaneReplay(2)
		if got := w.rest(replay, time.Second); got != 0 {
			t.Errorf("without live crashes: %v", got)
		}
		if err := w.take(t.Context(), LaneLive); err != nil {
			t.Fatal(err)
		}
		w.give(LaneLive)
		w.lane(replay).most = 2
		time.Sleep(liveLately)
		if got := w.rest(replay, time.Second); got != 3*time.Second {
			t.Errorf("with two of eight hands: %v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := w.rest(replay, time.Second); got != 0 {
			t.Errorf("a while after: %v", got)
		}
		w.live = time.Now()
		w.lane(replay).most = 8
		if got := w.rest(replay, time.Second); got != 0 {
			t.Errorf("with all hands: %v", got)
		}
		if w.lane(replay).most = 0; w.rest(replay, time.Second) != 0 {
			t.Error("what is paused rests elsewhere")
		}
		if err := w.take(t.Context(), replay); !errors.Is(err, errPaused) {
			t.Error(err)
		}
		if err := w.take(t.Context(), LaneReplay(3)); err != nil || !w.live.Equal(time.Now()) {
			t.Errorf("%v", err)
		}
	})
}

func TestMemoryThatACrashTakes(t *testing.T) {
	t.Parallel()
	var none *Memory
	if give, fits, err := none.take(t.Context(), 1<<50); !fits || err != nil {
		t.Errorf("%v, %v", fits, err)
	} else {
		give()
	}
	const dump = 1 << 20
	m := NewMemory(2*dump + crashBytes)
	if _, fits, err := m.take(t.Context(), dump+1); fits || err != nil {
		t.Errorf("one byte too many: %v, %v", fits, err)
	}
	give, fits, err := m.take(t.Context(), dump)
	if !fits || err != nil {
		t.Errorf("all of it: %v, %v", fits, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, fits, err := m.take(ctx, 0); !fits || !errors.Is(err, context.Canceled) {
		t.Errorf("there is none left: %v, %v", fits, err)
	}
	give()
	if give, fits, err = m.take(t.Context(), dump); !fits || err != nil {
		t.Errorf("given back: %v, %v", fits, err)
	}
	give()
}

// asked is a blob store whose answers are given.
type asked struct {
	blob.Store
	answers []error
	at      []time.Duration
	began   time.Time
}

func (a *asked) Get(context.Context, string, int64) ([]byte, error) {
	a.at = append(a.at, time.Since(a.began))
	err := a.answers[0]
	if a.answers = a.answers[1:]; err == nil {
		return []byte("blob"), nil
	}
	return nil, err
}

// A blob that is not there is asked for four times, longer and longer apart; what is no such
// blob is not asked for again, and a store that is away is another matter.
func TestHowOftenABlobIsAskedFor(t *testing.T) {
	missing, away := blob.ErrNotFound, errors.New("away")
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		answers []error
		class   string
		passing bool
		at      []time.Duration
	}{
		"there":            {[]error{nil}, "", false, []time.Duration{0}},
		"late":             {[]error{missing, missing, missing, nil}, "", false, []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms}},
		"never":            {[]error{missing, missing, missing, missing}, schema.DeadBlobMissing, false, []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms}},
		"too large":        {[]error{blob.ErrTooLarge}, schema.DeadBlobCorrupt, false, []time.Duration{0}},
		"a key of nothing": {[]error{missing, blob.ErrBadKey}, schema.DeadBlobCorrupt, false, []time.Duration{0, 250 * ms}},
		"away":             {[]error{missing, away}, "", true, []time.Duration{0, 250 * ms}},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := &asked{answers: tc.answers, began: time.Now()}
			data, class, err := (&Processor{Blobs: store}).blob(t.Context(), "key", 9)
			var passing *PassingError
			if class != tc.class || errors.As(err, &passing) != tc.passing || (err == nil) != (string(data) == "blob") || len(store.at) != len(tc.at) {
				t.Errorf("%s: %q, %v, asked %v", name, class, err, store.at)
			}
			for i := range store.at {
				if store.at[i] != tc.at[i] {
					t.Errorf("%s: asked after %v, want %v", name, store.at, tc.at)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var passing *PassingError
	if _, class, err := (&Processor{Blobs: &asked{answers: []error{missing, missing}}}).blob(ctx, "key", 9); class != "" || !errors.As(err, &passing) {
		t.Errorf("given up: %q, %v", class, err)
	}
}

func TestSizesOfDumps(t *testing.T) {
	main := func(size int64) *schema.RawCrash {
		return &schema.RawCrash{Dumps: []schema.Dump{{Name: "other", Size: -7}, {Name: schema.MainDump, Size: size}}}
	}
	for size, want := range map[int64]string{-1: schema.DeadRawUndecodable, 0: "", 1: "", 1 << 30: "", 1<<30 + 1: schema.DeadRawUndecodable} {
		bytes, _, class, err := dumpBytes(main(size))
		if class != want || (err == nil) != (want == "") || err == nil && bytes != size {
			t.Errorf("%d: %d, %q, %v", size, bytes, class, err)
		}
		if _, err := FetchDump(t.Context(), nil, &schema.Dump{Size: size, Encoding: schema.EncodingZstd}); want != "" && (err == nil || errors.Is(err, errDigest)) {
			t.Errorf("%d: %v", size, err)
		}
	}
	if bytes, _, class, err := dumpBytes(&schema.RawCrash{}); bytes != 0 || class != "" || err != nil {
		t.Errorf("none: %d, %q, %v", bytes, class, err)
	}
	data := []byte("a dump")
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	of := func(stored []byte, size int64, encoding schema.Encoding) *schema.Dump {
		return &schema.Dump{Size: size, SHA256: sha256.Sum256(data), Encoding: encoding, Inline: stored}
	}
	for name, tc := range map[string]struct {
		d    *schema.Dump
		good bool
	}{
		"as it is":       {of(data, 6, schema.EncodingNone), true},
		"compressed":     {of(e.EncodeAll(data, nil), 6, schema.EncodingZstd), true},
		"another size":   {of(data, 7, schema.EncodingNone), false},
		"other bytes":    {of([]byte("a damp"), 6, schema.EncodingNone), false},
		"not compressed": {of(data, 6, schema.EncodingZstd), false},
	} {
		if got, err := FetchDump(t.Context(), nil, tc.d); (err == nil) != tc.good || tc.good && string(got) != "a dump" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := FetchDump(t.Context(), nil, &schema.Dump{SHA256: sha256.Sum256(nil), Encoding: schema.EncodingNone}); err != nil || got == nil || len(got) > 0 {
		t.Errorf("an empty one: %v, %v", got, err)
	}
}

// Of two loops that ask for one dump the letter says the same.
func TestLettersSayWhatStandsInTheirHeaders(t *testing.T) {
	in := &kgo.Record{Topic: schema.TopicRaw, Partition: 3, Offset: 9, Key: []byte("key"), Value: []byte("value"), Headers: []kgo.RecordHeader{{Key: HeaderClass, Value: []byte("theirs")}}}
	letter := attempted(DeadLetter(in, "class", "stage", 4), 7)
	l, err := ReadLetter(letter)
	if want := (Letter{"class", "stage", schema.Position{Topic: schema.TopicRaw, Partition: 3, Offset: 9}, 4, 7}); err != nil || l != want {
		t.Errorf("%+v, %v, want %+v", l, err, want)
	}
	if DeadFrom(letter) != schema.TopicRaw || DeadFrom(in) != "" || headerOf(letter, HeaderStage) != "stage" || headerOf(in, HeaderStage) != "" || string(letter.Value) != "value" || string(letter.Key) != "key" || letter.Topic != schema.TopicDeadLetter {
		t.Errorf("%+v", letter)
	}
	long := make([]byte, 64)
	for i := range long {
		long[i] = 'x'
	}
	for name, tc := range map[string]struct {
		header, value string
		want          bool
	}{
		"a long class": {HeaderClass, string(long), true}, "one too long": {HeaderClass, string(long) + "x", false}, "no class": {HeaderClass, "", false}, "signs": {HeaderClass, "a_b.c-9z", true},
		"a capital": {HeaderStage, "A", false}, "below a": {HeaderStage, "`", false}, "behind z": {HeaderStage, "{", false}, "below 0": {HeaderTopic, "/", false}, "behind 9": {HeaderTopic, ":", false},
		"a negative partition": {HeaderPartition, "-1", false}, "the first": {HeaderPartition, "0", true}, "too large": {HeaderPartition, "2147483648", false}, "the largest": {HeaderPartition, "2147483647", true},
		"a negative offset": {HeaderOffset, "-1", false}, "the first offset": {HeaderOffset, "0", true}, "no offset": {HeaderOffset, "x", false}, "no attempt": {HeaderAttempt, "", false},
	} {
		letter := DeadLetter(&kgo.Record{Topic: schema.TopicRaw}, "class", "stage", 4)
		for i := range letter.Headers {
			if letter.Headers[i].Key == tc.header {
				letter.Headers[i].Value = []byte(tc.value)
			}
		}
		if l, err := ReadLetter(letter); (err == nil) != tc.want || err != nil && l != (Letter{}) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

// Annotations that travel as blobs must be what the event says.
func TestAnnotationsThatTravelAsBlobs(t *testing.T) {
	sum := sha256.Sum256([]byte("blob"))
	for name, tc := range map[string]struct {
		answers []error
		sum     [32]byte
		class   string
	}{
		"as it was":   {[]error{nil}, sum, ""},
		"other bytes": {[]error{nil}, sha256.Sum256([]byte("other")), schema.DeadBlobCorrupt},
		"too large":   {[]error{blob.ErrTooLarge}, sum, schema.DeadBlobCorrupt},
	} {
		in := Input{Raw: &schema.RawCrash{AnnotationOverflow: []schema.AnnotationRef{{Name: "long", Size: 4, SHA256: tc.sum, Blob: "a"}}}}
		class, err := (&Processor{Blobs: &asked{answers: tc.answers}}).fetch(t.Context(), &in, true)
		if class != tc.class || (err == nil) != (tc.class == "") || (in.Raw.Annotations["long"] == "blob") != (tc.class == "") {
			t.Errorf("%s: %q, %v, %v", name, class, err, in.Raw.Annotations)
		}
	}
	in := Input{Raw: &schema.RawCrash{Annotations: map[string]string{"short": "1"}, Dumps: []schema.Dump{{Name: "other"}}}}
	if class, err := (&Processor{}).fetch(t.Context(), &in, true); class != "" || err != nil || in.Dump != nil || in.Raw.Annotations["short"] != "1" {
		t.Errorf("%q, %v, %+v", class, err, in)
	}
}

// A crash whose dump can never have its memory is dead, and one whose loop gives up is not.
func TestACrashThatCannotBeWorkedOn(t *testing.T) {
	t.Parallel()
	raw := func(size int64) *kgo.Record {
		value, err := schema.Encode(&schema.RawCrash{CrashID: "00000001-0000-4000-8000-000000261122", Dumps: []schema.Dump{{Name: schema.MainDump, Size: size, Encoding: schema.EncodingNone, Inline: make([]byte, size), SHA256: sha256.Sum256(make([]byte, size))}}})
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: schema.TopicRaw, Key: []byte("00000001-0000-4000-8000-000000261122"), Value: value}
	}
	p := &Processor{Version: 1, Workers: NewWorkers(1, 1), Memory: NewMemory(crashBytes + 100), Process: func(ctx context.Context, _ Input) (*schema.ProcessedCrash, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return &schema.ProcessedCrash{CrashID: "id"}, nil
	}}
	var passing *PassingError
	if out, class, err := p.process(t.Context(), raw(51), 0, 0); class != schema.DeadDumpTooLarge || err == nil || len(out) > 0 {
		t.Errorf("too large: %q, %v", class, err)
	}
	if out, class, err := p.process(t.Context(), raw(50), 3, 0); class != "" || err != nil || len(out) != 1 || identity(out[0]) != "00000001-0000-4000-8000-000000261122/3" || out[0].Topic != schema.ProcessedTopic(1) {
		t.Errorf("just not: %v, %q, %v", out, class, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, class, err := p.process(ctx, raw(50), 0, 0); class != "" || !errors.As(err, &passing) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %q, %v", class, err)
	}
	give, _, err := p.Memory.take(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	if _, class, err := p.process(ctx, raw(50), 0, 0); class != "" || !errors.As(err, &passing) {
		t.Errorf("given up while it waits for memory: %q, %v", class, err)
	}
	give()
	p.Deadline = time.Nanosecond
	p.Process = func(ctx context.Context, _ Input) (*schema.ProcessedCrash, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, class, err := p.process(t.Context(), raw(50), 0, 0); class != schema.DeadDeadline || err == nil {
		t.Errorf("too slow: %q, %v", class, err)
	}
	if VerdictOf(&kgo.Record{Topic: schema.TopicDeadLetter}) != Accusing {
		t.Error("a letter that nobody can read")
	}
}

// Dumps beside the main one for which there is no room cost themselves, not the crash.
func TestDumpsBesideThatDoNotFitCostThemselves(t *testing.T) {
	t.Parallel()
	dump := func(name string) schema.Dump {
		return schema.Dump{Name: name, Size: 50, Encoding: schema.EncodingNone, Inline: make([]byte, 50), SHA256: sha256.Sum256(make([]byte, 50))}
	}
	value, err := schema.Encode(&schema.RawCrash{CrashID: "00000001-0000-4000-8000-000000261122", Dumps: []schema.Dump{dump(schema.MainDump), dump("upload_file_minidump_browser")}})
	if err != nil {
		t.Fatal(err)
	}
	for room, want := range map[int64]int{100: 0, 199: 0, 200: 1} {
		p := &Processor{Version: 1, Workers: NewWorkers(1, 1), Memory: NewMemory(crashBytes + room), Process: func(_ context.Context, in Input) (*schema.ProcessedCrash, error) {
			if len(in.Dump) != 50 || len(in.Beside) != want {
				t.Errorf("room for %d: %d bytes and %d dumps beside", room, len(in.Dump), len(in.Beside))
			}
			return &schema.ProcessedCrash{CrashID: "id"}, nil
		}}
		if out, class, err := p.process(t.Context(), &kgo.Record{Topic: schema.TopicRaw, Key: []byte("00000001-0000-4000-8000-000000261122"), Value: value}, 0, 0); err != nil || len(out) != 1 {
			t.Errorf("room for %d: %q, %v", room, class, err)
		}
	}
}
