package facts_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"aftershock/facts"
	"aftershock/schema"
)

// publicText is the public form of an assertion in a crash whose stack has these functions.
func publicText(text string, functions ...string) string {
	c := &schema.ProcessedCrash{Annotations: []schema.Annotation{{Name: "MozCrashReason", Value: text}}}
	if functions != nil {
		c.Crash.CrashingThread = new(int32(0))
		c.Threads = []schema.Thread{{}}
		for _, f := range functions {
			c.Threads[0].Frames = append(c.Threads[0].Frames, schema.Frame{Function: f})
		}
	}
	f := derive(c)
	if f.MozCrashReason == nil {
		return ""
	}
	return *f.MozCrashReason
}

// derive are the public facts of a crash.
func derive(c *schema.ProcessedCrash) *schema.Facts {
	return facts.Derive(facts.Input{Crash: c, Registry: schema.DefaultRegistry}).Public
}

func TestPublicTextKeepsLiteralsAndReplacesValues(t *testing.T) {
	for text, want := range map[string]string{ //nolint:gosec // nobody's
		"MOZ_RELEASE_ASSERT(aIndex < Length())":                                                 "MOZ_RELEASE_ASSERT(aIndex < Length())",
		"index out of bounds: the len is 3 but the index is 17":                                 "index out of bounds: the len is # but the index is #",
		"called `Option::unwrap()` on a `None` value":                                           "called `Option::unwrap()` on a `None` value",
		`called Result::unwrap() on an Err value: Os { code: 2, message: "No such file" }`:      "called Result::unwrap() on an Err value: Os { code: #, message: … }",
		"byte index 3 is not a char boundary; it is inside 'ü' (bytes 2..4) of `secretword`":    "byte index # is not a char boundary; it is inside … (bytes #..#) of `…`",
		"ElementAt(aIndex = 4294967295, aLength = 12)":                                          "ElementAt(aIndex = #, aLength = #)",
		"Failed to load module /home/alice/.mozilla/x.js":                                       "Failed to load module …",
		"double free or corruption (!prev)":                                                     "double free or corruption (!prev)",
		"don't call alice@example.com at 0xdeadbeef":                                            "don't call … at #",
		"pure virtual method called":                                                            "pure virtual method called",
		"Shutdown hanging at step XPCOMShutdownThreads. Something is blocking the main-thread.": "Shutdown hanging at step XPCOMShutdownThreads. Something is blocking the main-thread.",
		"StyleThread#12": "StyleThread#", "DOM Worker": "DOM Worker", "uint32_t overflow of utf8 in int64": "uint32_t overflow of utf8 in int64",
		"user=alice password=hunter2": "…", "C:\\Users\\alice\\x.txt is missing": "… is missing", "key \"unterminated value of alice": "key …",
		"token ghp_16C7e42F292c6912E7710c838347Ae178B4a failed": "token … failed", "attempt to divide by zero, 7 / 0": "attempt to divide by zero, # / #",
		"host db.corp.example refused": "host … refused", "": "", "   ": "", "“alice” is «bob»": "… is …", "s e c r e t": "s … t",
		"0123456789": "#", "1.5 of 1024kB after 30s": "# of # after #", "a716 b29": "a# …", "\x01\x02 bad": "… bad", "日本語 value": "… value",
		"p_a_s_s": "…", "x" + strings.Repeat("y", 600): "…", "index123 index1234": "index# …", "…": "…", "it's 'fine' isn't it": "it's … isn't it",
		"expected `=` got 'a=b'": "expected `=` got …",
	} {
		if got := publicText(text); got != want {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
	}
}

// Names in the crash's own stack are public anyway.
func TestPublicTextKeepsWordsOfTheStack(t *testing.T) {
	const text = "MOZ_ASSERT(mFrobnicator->Quux() == zorkmid)"
	if got, want := publicText(text), "MOZ_ASSERT(…->…() == …)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := publicText(text, "mozilla::Frobnicator::QuuxZorkmid"), text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Of a name that is generated, the parts count that are words.
	if got, want := publicText("ab x9y8z7 failed", "ab::x9y8z7"), "… failed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Text that is read ends at a limit: what stands behind is not there.
func TestPublicTextIsBounded(t *testing.T) {
	for length, read := range map[int]bool{511: true, 512: true, 513: false} {
		if got := publicText(strings.Repeat("(", length-1) + ")"); strings.HasSuffix(got, ")") != read {
			t.Errorf("%d bytes: ends %q", length, got[len(got)-4:])
		}
	}
}

// Five hundred assertions of every shape with somebody's values in them: nothing of a value
// is left.
func TestNoValueOfAnAssertionIsPublic(t *testing.T) {
	r := rand.New(rand.NewPCG(501, 0)) //nolint:gosec // the same texts each time
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[r.IntN(62)]
		}
		return string(b)
	}
	names := []string{"alice", "Bob", "marguerite", "Nguyen", "oleksandr", "Zhang"}
	value := func() (text string, parts []string) {
		name := names[r.IntN(len(names))]
		sum := sha256.Sum256([]byte(letters(8)))
		switch r.IntN(12) {
		case 0:
			n := fmt.Sprint(10_000 + r.IntN(1e9))
			return n, []string{n}
		case 1:
			p := "/home/" + name + "/" + letters(6) + ".txt"
			return p, []string{name, p}
		case 2:
			p := `C:\Users\` + name + `\Desktop`
			return p, []string{name}
		case 3:
			s := base64.StdEncoding.EncodeToString(sum[:r.IntN(20)+6])
			return s, []string{strings.TrimRight(s, "=")}
		case 4:
			s := name + "." + letters(4) + "@example.org"
			return s, []string{name, "example"}
		case 5:
			s := "ghp_" + letters(36)
			return s, []string{s[4:]}
		case 6:
			s := "https://" + name + ".example.org/" + letters(5) + "?q=" + letters(5)
			return s, []string{name, "example"}
		case 7:
			s := hex.EncodeToString(sum[:8])
			return s, []string{s}
		case 8:
			s := "0x" + hex.EncodeToString(sum[:8])
			return s, []string{s}
		case 9:
			s := `"` + name + ` says the value is wrong"`
			return s, []string{name, "says"}
		case 10:
			s := "session_" + letters(12)
			return s, []string{s}
		default:
			s := name + letters(3)
			return s, []string{s, name}
		}
	}
	for i := range 500 {
		v, parts := value()
		w, more := value()
		text := fmt.Sprintf([]string{
			"MOZ_RELEASE_ASSERT(mState == %s) (got %s)", "assertion failed: `(left == right)` left: %s, right: %s", "panicked at %s: %s", "Failed to open %s: error %s",
			"ASSERT: %s [%s]", "%s:%s", "invalid token %s in document %s", "key=%s;value=%s", "user %s is not %s", "<%s>{%s}",
		}[i%10], v, w)
		got := publicText(text, "main", "mozilla::dom::Document::Open")
		for _, part := range append(parts, more...) {
			if strings.Contains(strings.ToLower(got), strings.ToLower(part)) {
				t.Errorf("%q shows %q: %q", text, part, got)
			}
		}
	}
}

func FuzzPublicText(f *testing.F) {
	f.Add("index out of bounds: the len is 3 'x' \"y\" `z`")
	f.Fuzz(func(t *testing.T, text string) {
		got := publicText(text)
		if strings.ContainsAny(got, "@\\") || strings.ContainsAny(got, "0123456789") && !strings.ContainsAny(text, "0123456789") {
			t.Errorf("%q: %q", text, got)
		}
	})
}
