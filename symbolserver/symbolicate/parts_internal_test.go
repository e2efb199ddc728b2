package symbolicate

import (
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPathsAreCleaned(t *testing.T) {
	for path, want := range map[string]string{
		"/a/./b/../c.c":       "/a/c.c",
		"./a.c":               "a.c",
		"../../a.c":           "../../a.c",
		"a/../../b.c":         "../b.c",
		"/../a.c":             "/a.c",
		"/..//a/":             "//a",
		"a//b.c":              "a//b.c",
		".hidden/...":         ".hidden/...",
		`c:\a\.\b\..\c.c`:     `c:\\a\\c.c`,
		"c:/a/b.c":            `c:\\a\\b.c`,
		`/rustc/1\src\lib.rs`: `\\rustc\\1\\src\\lib.rs`,
		"hg:h/r:a/b.c:01":     "hg:h/r:a/b.c:01",
		"//server/a.c":        `\\\\server\\a.c`,
		"":                    "",
		"q\"\x01\xff.c":       `q\"\u0001` + "\ufffd.c",
	} {
		if got := string(appendCleanPath([]byte("x"), []byte(path))); got != "x"+want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestStringsAreEscapedWhereverTheOddByteIs(t *testing.T) {
	for _, odd := range []string{"\"", "\\", "\x00", "\x1f", "\x7f", "ž", "\u2028", "\U0001f600", "\xff", "\xe2\x80", "\xed\xa0\x80"} {
		for n := range 20 {
			text := strings.Repeat("a", n) + odd + strings.Repeat("b", n%9)
			var got string
			if err := json.Unmarshal(appendString(nil, text), &got); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if want := string([]rune(text)); got != want { // U+FFFD for every byte that is no UTF-8
				t.Errorf("%q: got %q, want %q", text, got, want)
			}
		}
	}
}

func TestAnAddressIsInOneModule(t *testing.T) {
	spans := disjoint([]span{
		{first: 0x100, last: 0x1ff, module: 0, base: 0x100},
		{first: 0x180, last: 0x27f, module: 1, base: 0x180},
		{first: 0x100, last: 0x13f, module: 2, base: 0x100},
		{first: 0x1a0, last: 0x1b0, module: 3, base: 0x1a0},
		{first: 0xfffffffffffffff0, last: 0xffffffffffffffff, module: 4, base: 0xfffffffffffffff0},
		{first: 0, last: 0, module: 5},
		{first: 0, last: 0, module: 6},
	})
	const none = -1
	got := map[uint64]int32{}
	want := map[uint64]int32{0: 5, 1: none, 0xff: none, 0x100: 2, 0x13f: 2, 0x140: 0, 0x1a0: 0, 0x1ff: 0, 0x200: 1, 0x27f: 1, 0x280: none, 0xffffffffffffffff: 4, 0xffffffffffffffef: none}
	for address := range want {
		got[address] = none
		if s, ok := spanAt(spans, address); ok {
			got[address] = s.module
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDepth(t *testing.T) {
	for depth, want := range map[int]string{maxDepth: "", maxDepth + 1: "Payload is nested too deep", 1 << 20: "Payload is nested too deep"} {
		for _, pair := range []string{"[]", "{}"} {
			open := pair[:1]
			if pair == "{}" {
				open = `{"a":`
			}
			text := strings.Repeat(open, depth) + "1" + strings.Repeat(pair[1:], depth)
			_, p := valid(text, nil)
			if got := titleOf(p); got != want {
				t.Errorf("%d %s: %q, want %q", depth, pair, got, want)
			}
		}
	}
}

func titleOf(p *problem) string {
	if p == nil {
		return ""
	}
	return p.title
}

// FuzzJSON holds the scanner against the library's reader.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"jobs":[{"memoryMap":[["a","B"]],"stacks":[[[0,-1],[-1,18446744073709551616]]]}]}`, "[1e400,-0,0.5,true]", `"\ud800\u0041\ud83d\ude00"`, "[1,]", "\ufeff[]", "01", "-", `{"a":1,"a":{"b":[]}}`, "\"\x01\"", "\"\xff\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, p := valid(text, nil)
		// Words that only Python reads are the reader's own affair.
		plain := strings.TrimPrefix(text, "\ufeff")
		if !strings.Contains(plain, "NaN") && !strings.Contains(plain, "Infinity") && titleOf(p) != "Payload is nested too deep" {
			if want := json.Valid([]byte(plain)) && strings.ToValidUTF8(plain, "") == plain; want != (p == nil) {
				t.Fatalf("%q: %v, want %v", text, p, want)
			}
		}
		if p != nil {
			return
		}
		compare(t, s.back(0), plain)
	})
}

// compare walks through a valid text and compares with the library what it reads.
func compare(t *testing.T, s *scanner, text string) {
	t.Helper()
	skipped := *s
	skipped.skip()
	if skipped.space(); skipped.at != len(s.text) {
		t.Fatalf("%q: skipped to %d", text, skipped.at)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var want any
	if d.Decode(&want) != nil {
		return
	}
	switch w := want.(type) {
	case string:
		if got, ok := s.string(); !ok || got != w {
			t.Fatalf("%q: %q, want %q", text, got, w)
		}
	case json.Number:
		want, whole := new(big.Int).SetString(w.String(), 10)
		got, ok := s.integer()
		if ok != whole || ok && (got.huge != (want.BitLen() > 64) || got.negative != (want.Sign() < 0) || !got.huge && new(big.Int).SetUint64(got.abs).CmpAbs(want) != 0) {
			t.Fatalf("%q: %+v %v, want %v", text, got, ok, want)
		}
	case map[string]any:
		got := map[string]bool{}
		if !s.object() {
			t.Fatal(text)
		}
		for s.more('}') {
			got[s.key()] = true
			s.skip()
		}
		if len(got) != len(w) {
			t.Fatalf("%q: %v", text, got)
		}
	case []any:
		n := 0
		if !s.array() {
			t.Fatal(text)
		}
		for ; s.more(']'); n++ {
			s.skip()
		}
		if n != len(w) {
			t.Fatalf("%q: %d elements", text, n)
		}
	}
}

// FuzzRequest: no request makes a panic, or tables that are not the request's.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"memoryMap":[["a.pdb","AB"]],"stacks":[[[0,1],[-1,2]],[]]}`, `{"jobs":[{"memoryMap":[],"stacks":[[]]}]}`, `{"jobs":[{"modules":[{"debug_file":"a","debug_id":"1","base":"0x10","size":5}],"stacks":[[{"address":18},{"module":0,"offset":"0x1"}]]}]}`} {
		f.Add(seed)
	}
	l := Limits{Frames: 100, Modules: 50, Stacks: 20}.withDefaults()
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []version{v4, v5, v6} {
			q := requests.Get().(*request) //nolint:forcetypeassert // the pool holds nothing else
			decode := func() *problem { return q.decode5(text, v, &l) }
			if v == v6 {
				decode = func() *problem { return q.decode6(text, &l) }
			}
			if decode() == nil {
				sound(t, q, &l)
			}
			q.free()
		}
	})
}

func sound(t *testing.T, q *request, l *Limits) {
	t.Helper()
	if len(q.frames) > l.Frames || len(q.modules) > l.Modules || len(q.stacks) > l.Stacks {
		t.Fatalf("%d frames, %d modules, %d stacks", len(q.frames), len(q.modules), len(q.stacks))
	}
	frames, stacks, modules := 0, 0, 0
	for _, j := range q.jobs {
		modules += len(q.modulesOf(j))
		for _, stack := range q.stacksOf(j) {
			stacks++
			for _, f := range q.framesOf(stack) {
				frames++
				if f.module != nowhere && !q.modulesOf(j)[f.module].needed {
					t.Fatalf("%+v", f)
				}
			}
		}
	}
	if frames != len(q.frames) || stacks != len(q.stacks) || modules != len(q.modules) {
		t.Fatalf("%d of %d frames, %d of %d stacks, %d of %d modules", frames, len(q.frames), stacks, len(q.stacks), modules, len(q.modules))
	}
}

// slowly takes what it is sent in some time, unless that is over before.
type slowly struct {
	*httptest.ResponseRecorder
	takes time.Duration
	due   time.Time
}

func (s *slowly) SetWriteDeadline(t time.Time) error { s.due = t; return nil }

func (s *slowly) Write(p []byte) (int, error) {
	if left := time.Until(s.due); left < s.takes {
		time.Sleep(left)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(s.takes)
	return len(p), nil
}

// An answer leaves at a pace, so that who takes it slowly does not hold what others wait for;
// how long the symbols take does not count.
func TestAnswersLeaveAtAPace(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration // a part
		whole bool
	}{"fast": {500 * time.Millisecond, true}, "just so": {time.Second, true}, "slow": {20 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(t.Context(), &slowly{ResponseRecorder: httptest.NewRecorder(), takes: c.takes}, newRemembered(1))
				began := time.Now()
				parts := 0
				for ; parts < 1000 && s.err == nil; parts++ {
					s.buf = append(s.buf[:0], make([]byte, streamBytes)...)
					s.full()
					time.Sleep(time.Second)
				}
				if whole := s.end() == nil; whole != c.whole {
					t.Errorf("whole is %v after %d parts and %s, %v", whole, parts, time.Since(began), s.err)
				}
			})
		})
	}
}
