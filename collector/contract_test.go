package collector_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aftershock/collector"
	"aftershock/collector/throttle"
	"aftershock/internal/reference"
	"aftershock/schema"
)

// mozilla are the rules that the reference's answers were made with.
func mozilla(t testing.TB) func() *throttle.Rules {
	t.Helper()
	text, err := os.ReadFile("../docs/throttle/mozilla.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := throttle.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return func() *throttle.Rules { return rules }
}

// recorded is a request and what the reference's collector made of it.
type recorded struct {
	ID, Group, Notes string
	Request          []byte         `json:"request_b64"`
	HalfClose        bool           `json:"half_close"`
	Substitute       map[string]int // a word of the request → a build id so many days old
	Pad              []any          // a word of the request → a character so many times
	Expect           struct {
		Status int
		Body   string  `json:"body_re"`
		AnyOf  [][]any `json:"any_of"`
		Stored *struct {
			Raw   map[string]any `json:"raw_crash"`
			Dumps map[string][2]json.RawMessage
		}
	}
}

// onPurpose are recorded requests of which the door makes something else, and why.
var onPurpose = map[string]string{
	"lower-case-method":          "a method that is none is one that is not allowed; the server before ours answers HTML",
	"broken-get":                 "there is no page that fails on purpose",
	"broken-head":                "there is no page that fails on purpose",
	"broken-post":                "there is no page that fails on purpose",
	"ct-upper-case":              "media types have no case (RFC 9110 8.3.1)",
	"ct-empty-boundary":          "one answer for every boundary that cannot be used",
	"ct-upper-boundary":          "parameter names have no case (RFC 9110 5.6.6)",
	"length-word":                "net/http's own answer, without HTML",
	"length-negative":            "net/http's own answer, without HTML",
	"chunked-gzip":               "Crashpad sends in chunks: the reference loses the crash",
	"gzip-upper":                 "content codings have no case (RFC 9110 8.4.1)",
	"gzip-truncated":             "truncated_body says more: it can be sent again",
	"zlib-deflate":               "deflate is read: the reference loses the crash",
	"final-boundary-one-dash":    "truncated_body: the last boundary is missing",
	"value-charset-unknown":      "the value is kept, with a note",
	"value-text-html":            "a text is an annotation, whatever its type",
	"value-quoted-printable-cte": "it is decoded: the reference loses the crash",
	"dump-empty-filename":        "a minidump without a file name is a dump: the reference drops it",
	"dump-name-all-bad":          "the dump is called unnamed: the reference gives it no name",
	"json-not-utf8":              "the bad bytes are replaced, with a note: the reference loses the crash",
	"json-empty-key":             "an annotation without a name is dropped, with a note",
	"json-too-deep":              "400 and not 500, which clients would repeat for ever",
	"json-two":                   "two objects both count, the later one wins",
	"head-9000":                  "heads of up to 64 KiB are taken",
}

func TestAnswersAreThoseOfTheReference(t *testing.T) {
	file, err := os.Open(filepath.Join(reference.Path(t, "vectors", "collector"), "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d := open(t, collector.Options{InlineMax: -1, Rules: mozilla(t), IDToken: "123"})
	lines := bufio.NewReader(file)
	equal, different := 0, 0
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 {
			break
		}
		var c recorded
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		diff := d.differs(t, &c)
		_, known := onPurpose[c.ID]
		switch {
		case diff == "":
			equal++
			if known {
				t.Errorf("%s is equal: it is on purpose no more", c.ID)
			}
		case known:
			different++
		default:
			t.Errorf("%s (%s): %s", c.ID, c.Group, diff)
		}
		if err != nil {
			break
		}
	}
	t.Logf("%d equal, %d different on purpose", equal, different)
}

// differs sends a recorded request and tells in what the answer, or what is stored, is
// another one.
func (d *door) differs(t *testing.T, c *recorded) string {
	t.Helper()
	request := c.Request
	for word, days := range c.Substitute {
		request = bytes.ReplaceAll(request, []byte(word), []byte(received.AddDate(0, 0, -days).Format("20060102150405")))
		if c.Expect.Stored != nil {
			c.Expect.Stored.Raw["BuildID"] = received.AddDate(0, 0, -days).Format("20060102150405")
		}
	}
	if len(c.Pad) == 3 {
		long := bytes.Repeat([]byte(c.Pad[1].(string)), int(c.Pad[2].(float64)))
		request = bytes.ReplaceAll(request, []byte(c.Pad[0].(string)), long)
	}
	before := len(d.raw)
	status, body := d.sendRaw(t, request, c.HalfClose || strings.Contains(c.ID+c.Notes, "half-close"))
	if len(c.Expect.AnyOf) > 0 {
		for _, pair := range c.Expect.AnyOf {
			if float64(status) == pair[0] && regexp.MustCompile(pair[1].(string)).MatchString(body) {
				return ""
			}
		}
		return fmt.Sprintf("%d %q, want one of %v", status, body, c.Expect.AnyOf)
	}
	if status != c.Expect.Status || !regexp.MustCompile(c.Expect.Body).MatchString(body) {
		return fmt.Sprintf("%d %q, want %d %q", status, body, c.Expect.Status, c.Expect.Body)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Expect.Stored == nil {
		if len(d.raw) != before {
			return "an event was stored"
		}
		return ""
	}
	if len(d.raw) != before+1 {
		return fmt.Sprintf("%d events were stored", len(d.raw)-before)
	}
	return storedDiffers(d.raw[before], c)
}

// storedDiffers compares an event with what the reference stored.
func storedDiffers(raw *schema.RawCrash, c *recorded) string {
	meta, _ := c.Expect.Stored.Raw["metadata"].(map[string]any)
	if rule := meta["throttle_rule"]; rule != raw.Throttle.Rule {
		return fmt.Sprintf("rule %s, want %v", raw.Throttle.Rule, rule)
	}
	want := map[string]string{}
	for name, value := range c.Expect.Stored.Raw {
		switch name {
		case "metadata", "uuid", "submitted_timestamp", "version":
			continue
		}
		switch v := value.(type) {
		case nil:
			want[name] = ""
		case string:
			want[name] = v
		default:
			text, _ := json.Marshal(v)
			want[name] = string(text)
		}
	}
	for name, value := range want {
		got, there := raw.Annotations[name]
		if !there {
			for _, ref := range raw.AnnotationOverflow {
				if there = there || ref.Name == name && ref.Size == int64(len(value)); there {
					got = value
				}
			}
		}
		if !there || got != value {
			return fmt.Sprintf("annotation %s: %q, want %q", name, got, value)
		}
	}
	if len(want) != len(raw.Annotations)+len(raw.AnnotationOverflow) {
		return fmt.Sprintf("annotations %v, want %v", raw.Annotations, want)
	}
	if len(raw.Dumps) != len(c.Expect.Stored.Dumps) {
		return fmt.Sprintf("%d dumps, want %d", len(raw.Dumps), len(c.Expect.Stored.Dumps))
	}
	for _, dump := range raw.Dumps {
		of, there := c.Expect.Stored.Dumps[dump.Name]
		if !there {
			return "no dump is called " + dump.Name
		}
		if sum := fmt.Sprintf("%q", fmt.Sprintf("%x", dump.SHA256)); string(of[0]) != fmt.Sprint(dump.Size) || string(of[1]) != sum {
			return fmt.Sprintf("dump %s has %d bytes, %s; want %s, %s", dump.Name, dump.Size, sum, of[0], of[1])
		}
	}
	return ""
}

// sendRaw sends the bytes of a request, and ends the sending side when it is half closed.
func (d *door) sendRaw(t *testing.T, request []byte, half bool) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, cut := conn.Write(request)
	if half && cut == nil {
		cut = conn.(*net.TCPConn).CloseWrite()
	}
	method, _, _ := bytes.Cut(request, []byte(" "))
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: string(method)})
	if err != nil {
		return 0, fmt.Sprint(err, cut) // an answer may come before a request's end
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}
