package collector_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"aftershock/collector"
	"aftershock/schema"
)

// Annotations are bounded while they are read.
func TestAnnotationsAreTakenUpToTheLimitAndNotPastIt(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"n%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	object := func(size int) string { return `{"a":"` + strings.Repeat("x", size-8) + `"}` }
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	text := func(n int) string { return strings.Repeat("x", n) }
	const mega = 1 << 20
	for name, tc := range map[string]struct {
		fields []string
		status int
		note   string
	}{
		"names of an object":            {[]string{"{", members(10_000)}, 200, schema.NoteAnnotationName},
		"one name more":                 {[]string{"{", members(10_001)}, 413, ""},
		"one name more, in two":         {[]string{"{", members(10_000), "{", `{"a":1}`}, 413, ""},
		"bytes of an object":            {[]string{"{", object(8 * mega)}, 200, ""},
		"one byte more":                 {[]string{"{", object(8*mega + 1)}, 413, ""},
		"one byte more, in two":         {[]string{"{", object(8 * mega), "{", "{}"}, 413, ""},
		"blanks behind an object":       {[]string{"{", "{}" + strings.Repeat(" ", 8*mega-1)}, 413, ""},
		"depth":                         {[]string{"{", deep(1000)}, 200, ""},
		"one deeper":                    {[]string{"{", deep(1001)}, 400, ""},
		"a text":                        {[]string{"a", text(20 * mega)}, 200, ""},
		"a text one byte longer":        {[]string{"a", text(20*mega + 1), "b", "c"}, 200, schema.NoteAnnotationTooLarge},
		"texts together":                {[]string{"a", text(20 * mega), "b", text(4 * mega)}, 200, ""},
		"texts together and one byte":   {[]string{"a", text(20 * mega), "b", text(4*mega + 1)}, 413, ""},
		"the same text again and again": {[]string{"a", text(3 * mega), "a", text(20 * mega), "a", text(mega)}, 200, schema.NoteAnnotationTwice},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			body, kind := form(t, tc.fields...)
			status, answer := d.post(t, body, kind, "", true)
			if status != tc.status {
				t.Fatalf("%d %q", status, answer)
			}
			if tc.note != "" && fmt.Sprint(d.raw[0].Notes) != fmt.Sprint([]string{tc.note, schema.NoteAnnotationOverflow}[:len(d.raw[0].Notes)]) {
				t.Errorf("notes %q", d.raw[0].Notes)
			}
		})
	}
}

// A part whose header makes no sense costs that part.
func TestPartWithAnOddHeaderIsLeftOut(t *testing.T) {
	for name, header := range map[string]string{
		"a control character in a value": "Content-Disposition: form-data; name=\"x\x01y\"\r\n",
		"a NUL in another field":         "Content-Disposition: form-data; name=\"x\"\r\nX-Y: a\x00b\r\n",
		"no colon":                       "Content-Disposition\r\n",
		"a blank in a name":              "Content Disposition: form-data; name=\"x\"\r\n",
		"a line feed alone":              "Content-Disposition: form-data; name=\"x\"\nX: y\r\n",
		"it begins with going on":        " form-data; name=\"x\"\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			body := "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
				"--b\r\n" + header + "\r\nsecret\r\n" +
				"--b\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n2\r\n" +
				"--b\r\nContent-Disposition: form-data; name=\"upload_file_minidump\"; filename=\"d\"\r\n\r\nMDMP\r\n--b--\r\n"
			if status, text := d.post(t, []byte(body), "multipart/form-data; boundary=b", "", false); status != 200 {
				t.Fatalf("%d %q", status, text)
			}
			raw := d.raw[0]
			if fmt.Sprint(raw.Annotations) != "map[a:1 z:2]" || len(raw.Dumps) != 1 || fmt.Sprint(raw.Notes) != "[part_header_malformed]" {
				t.Errorf("annotations %q, %d dumps, notes %q", raw.Annotations, len(raw.Dumps), raw.Notes)
			}
		})
	}
}

func TestPartsHeaderIsBounded(t *testing.T) {
	part := func(header string) []byte {
		return []byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n" + header + "\r\n1\r\n--b--\r\n")
	}
	used := len("Content-Disposition: form-data; name=\"a\"\r\n") + len("X: \r\n") + len("\r\n")
	for name, tc := range map[string]struct {
		header string
		status int
	}{
		"bytes":          {"X: " + strings.Repeat("y", 8<<10-used) + "\r\n", 200},
		"one byte more":  {"X: " + strings.Repeat("y", 8<<10-used+1) + "\r\n", 400},
		"lines":          {strings.Repeat("X: y\r\n", 62), 200},
		"a line more":    {strings.Repeat("X: y\r\n", 64), 400},
		"a megabyte":     {"X: " + strings.Repeat("y", 1<<20) + "\r\n", 400},
		"it never ends":  {"X: y\r\n--b\r\n", 400},
		"it is cut":      {"X: y", 400},
		"it goes on":     {"X: y\r\n and on\r\n", 200},
		"no other field": {"", 200},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			if status, text := d.post(t, part(tc.header), "multipart/form-data; boundary=b", "", false); status != tc.status {
				t.Errorf("%d %q", status, text)
			}
		})
	}
}

// Where members begin and end is found here: it must be where encoding/json finds it.
func TestJSONIsReadAsEncodingJSONReadsIt(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a" : "b" , "c":[1, {"d":"}"}],"e":"\"\\"}`, `{"a":null,"b":true,"c":-1.5e3}`, `{"\u0061\n":"\ud83d\ude00"}`,
		`{"a":1,}`, `{"a":1, }`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 2}`, `{"a":1}}`, `{"a":1} x`, `{a:1}`, `{"a":tru}`, `{"a":01}`, `{"a":"` + "\n" + `"}`, `{"a":[1}`,
		`{"a":{"b":[}]}`, `[1]`, `[1`, `1`, `"a"`, `null`, `nul`, ``, ` `, `{`, `{"a":1`, `{"a":"\x"}`, `{"a":"b""c":1}`, `{"a":1"b":2}`, `{"":1}`, `{"a":'b'}`, "\xef\xbb\xbf{}",
	} {
		t.Run(text, func(t *testing.T) { sameAsEncodingJSON(t, text) })
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a" : "b" , "c":[1, {"d":"}"}],"e":"\"\\"}`)
	f.Fuzz(sameAsEncodingJSON)
}

func sameAsEncodingJSON(t *testing.T, text string) {
	if strings.Contains(text, "\r\n--b") || strings.HasPrefix(text, "--b") {
		t.Skip("it would end the part")
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Infinity") || strings.Contains(text, "\x00") {
		t.Skip("what others write for numbers, and other encodings, are read as well")
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &members)
	reason := ""
	switch {
	case err != nil && json.Valid([]byte(strings.TrimPrefix(text, "\ufeff"))), err == nil && members == nil:
		reason = schema.RejectJSONValue
	case err != nil:
		reason = schema.RejectJSON
	case len(members) == 0:
		reason = schema.RejectNothing
	}
	d := open(t, collector.Options{InlineMax: -1})
	body := "--b\r\nContent-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json\r\n\r\n" + text + "\r\n--b--\r\n"
	status, answer := d.post(t, []byte(body), "multipart/form-data; boundary=b", "", false)
	if reason != "" {
		if answer != "Discarded=malformed_"+reason {
			t.Errorf("%d %q, want %s (%v)", status, answer, reason, err)
		}
		return
	}
	for name, value := range members {
		var want string
		if json.Unmarshal(value, &want) != nil {
			want = string(value) // compact already, or it differs in blanks alone
		}
		got, ok := "", false
		if len(d.raw) > 0 {
			got, ok = d.raw[0].Annotations[name]
		}
		if blanks := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", ""); ok && blanks.Replace(got) != blanks.Replace(want) {
			t.Errorf("%q is %q, want %q", name, got, want)
		} else if !ok && name != "" && len(name) < 100 && !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
			t.Errorf("%q is missing: %d %q", name, status, answer)
		}
	}
}
