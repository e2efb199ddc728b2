package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"aftershock/schema"
)

// A report takes a large one's place when it is larger than small ones are, and that once.
func TestWhichPlaceABodyTakes(t *testing.T) {
	for size, large := range map[int64]bool{0: false, 99: false, 100: false, 101: true} {
		r := &room{smallPlaces: semaphore.NewWeighted(1), largePlaces: semaphore.NewWeighted(1), ready: func(error) {}}
		p := &place{room: r}
		b := &body{ctx: context.Background(), small: 100, place: p}
		for range 2 {
			if err := b.settle(size); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.held == r.largePlaces; got != large || p.held == nil {
			t.Errorf("%d bytes: large %v", size, got)
		}
		p.leave()
		if !r.smallPlaces.TryAcquire(1) || !r.largePlaces.TryAcquire(1) {
			t.Errorf("%d bytes: a place is not given back", size)
		}
	}
}

// goneConn is a connection that nobody can write to any more.
type goneConn struct {
	*httptest.ResponseRecorder
	err error
}

func (g *goneConn) SetWriteDeadline(time.Time) error { return g.err }

func TestAnAnswerIsWrittenWhileSomebodyCanReadIt(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		written bool
	}{
		"a connection":               {nil, true},
		"one without deadlines":      {http.ErrNotSupported, true},
		"one that is closed already": {errors.New("use of a closed connection"), false},
	} {
		w := &goneConn{httptest.NewRecorder(), tc.err}
		err := answer{status: 200, text: "CrashID=bp-x\n"}.send(w, httptest.NewRequest(http.MethodPost, "/submit", http.NoBody))
		if written := w.Body.String() == "CrashID=bp-x\n"; written != tc.written || (err == nil) != tc.written {
			t.Errorf("%s: %q, %v", name, w.Body, err)
		}
	}
}

// A crash id that is made of a report has the shape of a random one, and is the same each
// time.
func TestACrashIDIsMadeOfAReport(t *testing.T) {
	at := time.Date(2026, 11, 29, 23, 59, 0, 0, time.FixedZone("west", -3600))
	report := func(value string) *report { return &report{annotations: map[string]string{"a": value}} }
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{5}0261130$`)
	seen := map[string]bool{}
	for n := range 200 {
		value := strings.Repeat("x", n)
		id := idOf(report(value), at)
		if !shape.MatchString(id) || seen[id] || id != idOf(report(value), at) {
			t.Errorf("%s", id)
		}
		if _, err := schema.CrashDay(id); err != nil {
			t.Error(err)
		}
		seen[id] = true
	}
	if got := idOf(report("1"), at); got != "7a7e40d2-405e-413a-9175-1b5350261130" {
		t.Errorf("%s: imports of an earlier release have another id", got)
	}
}

// Two reports are the same when all of what counts is.
func TestWhatMakesAReportTheSame(t *testing.T) {
	dump := func(name string, sum byte) packed { return packed{name: name, sum: schema.SHA256{sum}} }
	base := func() *report {
		return &report{annotations: map[string]string{"a": "1", "b": "2"}, dumps: []packed{dump("d", 1)}}
	}
	seen := map[[32]byte]string{base().identity(""): "base"}
	for name, change := range map[string]func(*report){
		"a value":            func(r *report) { r.annotations["a"] = "2" },
		"one more":           func(r *report) { r.annotations["c"] = "" },
		"one less":           func(r *report) { delete(r.annotations, "a") },
		"a dump's bytes":     func(r *report) { r.dumps[0].sum[31] = 1 },
		"a dump's name":      func(r *report) { r.dumps[0].name = "e" },
		"another dump":       func(r *report) { r.dumps = append(r.dumps, dump("e", 1)) },
		"name runs over":     func(r *report) { r.annotations = map[string]string{"a1": "", "b": "2"} },
		"value runs over":    func(r *report) { r.annotations = map[string]string{"a": "1b", "": "2"} },
		"no dump and a name": func(r *report) { r.dumps = nil },
	} {
		r := base()
		change(r)
		if other, same := seen[r.identity("")]; same {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[r.identity("")] = name
	}
	if base().identity("id") == base().identity("") {
		t.Error("a chosen id does not count")
	}
	r := base()
	for name := range volatile {
		r.annotations[name] = "x"
	}
	if r.identity("") != base().identity("") || len(volatile) != 3 {
		t.Error("what differs between tries counts")
	}
}

// Who is to blame for an end that comes too early, and for a read that failed.
func TestWhoIsToBlame(t *testing.T) {
	disk := errors.New("the disk")
	for name, tc := range map[string]struct {
		err  error
		want string // the refusal's reason, "" for none
		is   error
	}{
		"a cut structure":        {structure(fmt.Errorf("x: %w", io.ErrUnexpectedEOF)), schema.RejectTruncated, io.ErrUnexpectedEOF},
		"one that just ends":     {structure(io.EOF), schema.RejectTruncated, io.EOF},
		"a refusal of its own":   {structure(refuse(schema.RejectJSON, io.EOF)), schema.RejectJSON, io.EOF},
		"something else":         {structure(disk), "", disk},
		"a full door":            {structure(errFull), "", errFull},
		"a body in a file":       {(&body{}).cause(disk), "", disk},
		"the file's end":         {(&body{}).cause(io.ErrUnexpectedEOF), "", io.ErrUnexpectedEOF},
		"bad gzip":               {(&body{flate: &inflater{}}).cause(disk), schema.RejectBadGzip, disk},
		"gzip that is cut":       {(&body{flate: &inflater{}}).cause(io.ErrUnexpectedEOF), schema.RejectTruncated, io.ErrUnexpectedEOF},
		"gzip that never begins": {(&body{}).blame(io.EOF), schema.RejectTruncated, io.EOF},
	} {
		if got := Reason(tc.err); got != tc.want || !errors.Is(tc.err, tc.is) {
			t.Errorf("%s: %q, %v", name, got, tc.err)
		}
	}
	if extra := (&body{}).extra() || (&body{flate: &inflater{}}).extra(); extra || !(&body{flate: &inflater{extra: true}}).extra() {
		t.Error("what stands behind a body")
	}
	if got := (&ruling{"name"}).Error(); got != "discarded by rule name" {
		t.Error(got)
	}
	check := &CheckError{Reason: "no broker", Err: disk}
	if check.Error() != "no broker: the disk" || !errors.Is(check, disk) {
		t.Errorf("%v", check)
	}
}

// Of an IPv6 address only the network counts, which its client cannot choose.
func TestWhatCountsOfAnAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:3::": "2001:db8:1:3::/64",
	} {
		if got := prefixOf(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("%s: %v, want %s", addr, got, want)
		}
	}
	if got := prefixOf(netip.Addr{}); got.IsValid() {
		t.Errorf("none: %v", got)
	}
}

func TestARefusalSaysWhyAndOfWhat(t *testing.T) {
	cause := errors.New("the end is missing")
	for err, want := range map[error]string{
		refuse(schema.RejectTruncated, nil): "truncated_body", refuse(schema.RejectTruncated, cause): "truncated_body: the end is missing",
	} {
		if err.Error() != want || Reason(err) != schema.RejectTruncated {
			t.Errorf("%q is %s, want %q", err.Error(), Reason(err), want)
		}
	}
	if !errors.Is(refuse(schema.RejectTruncated, cause), cause) || Reason(cause) != "" {
		t.Error("a refusal is what it is made of, and nothing else is one")
	}
}
