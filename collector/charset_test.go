package collector_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"aftershock/collector"
	"aftershock/schema"
)

// typed is a report of one part with header fields of its own.
func typed(header, content string) []byte {
	return fmt.Appendf(nil, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n%s\r\n%s\r\n--b--\r\n", header, content)
}

func TestTextsAreReadAsTheirPartSays(t *testing.T) {
	for name, tc := range map[string]struct{ header, content, want, note string }{
		"no charset":           {"", "café", "café", ""},
		"UTF-8":                {"Content-Type: text/plain; charset=UTF-8\r\n", "café", "café", ""},
		"UTF-8 that is none":   {"Content-Type: text/plain; charset=utf-8\r\n", "caf\xe9", "caf\uFFFD", schema.NoteAnnotationNotText},
		"Latin 1":              {"Content-Type: text/plain; charset=iso-8859-1\r\n", "caf\xe9", "café", ""},
		"quoted":               {"Content-Type: text/plain; charset=\"windows-1251\"\r\n", "\xea\xee\xf2", "кот", ""},
		"Shift JIS":            {"Content-Type: text/plain; charset=Shift_JIS\r\n", "\x94\x4c", "猫", ""},
		"unknown":              {"Content-Type: text/plain; charset=klingon\r\n", "abc", "abc", schema.NoteAnnotationCharset},
		"quoted-printable":     {"Content-Transfer-Encoding: quoted-printable\r\n", "a=3Db=\r\nc", "a=bc", ""},
		"base64":               {"Content-Transfer-Encoding: BASE64\r\n", "YWJj\r\nZGVm", "abcdef", ""},
		"binary":               {"Content-Transfer-Encoding: binary\r\n", "a=3Db", "a=3Db", ""},
		"base64 and a charset": {"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n", "Y2Fm6Q==", "café", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			if status, text := d.post(t, typed(tc.header, tc.content), "multipart/form-data; boundary=b", "", false); status != 200 {
				t.Fatalf("%d %q", status, text)
			}
			if got := d.raw[0]; got.Annotations["a"] != tc.want || strings.Join(got.Notes, " ") != tc.note {
				t.Errorf("%q, notes %q", got.Annotations["a"], got.Notes)
			}
		})
	}
	d := open(t, collector.Options{})
	for _, bad := range []string{"Content-Transfer-Encoding: base64\r\n", "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"} {
		if status, text := d.post(t, typed(bad, "%%%%"), "multipart/form-data; boundary=b", "", false); status != 400 || text != "Discarded=malformed_"+schema.RejectStructure {
			t.Errorf("%d %q", status, text)
		}
	}
}

func TestDumpsAreReadAsTheirPartSays(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1})
	body := typed("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n", "TURNUA==")
	if status, text := d.post(t, body, "multipart/form-data; boundary=b", "", false); status != 200 {
		t.Fatalf("%d %q", status, text)
	}
	if got := string(d.dumpBytes(t, d.raw[0].Dumps[0])); got != "MDMP" {
		t.Errorf("%q", got)
	}
}

func TestJSONInEveryEncodingOfUnicode(t *testing.T) {
	const text = `{"X":"🐎","NaN":"NaN"}`
	encode := func(e encoding.Encoding) string {
		t.Helper()
		out, err := e.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, content := range map[string]string{
		"UTF-8": text, "with a mark": "\xef\xbb\xbf" + text,
		"UTF-16":                      encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)),
		"UTF-16, big":                 encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM)),
		"UTF-16 without a mark":       encode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)),
		"UTF-16, big, without a mark": encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)),
		"UTF-32":                      encode(utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)),
		"UTF-32, big":                 encode(utf32.UTF32(utf32.BigEndian, utf32.UseBOM)),
		"UTF-32 without a mark":       encode(utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)),
		"UTF-32, big, without a mark": encode(utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)),
	} {
		d := open(t, collector.Options{})
		body := typed("Content-Type: application/json\r\n", content)
		if status, answer := d.post(t, body, "multipart/form-data; boundary=b", "", false); status != 200 {
			t.Errorf("%s: %d %q", name, status, answer)
		} else if got := d.raw[0].Annotations["X"]; got != "🐎" || d.raw[0].Notes != nil {
			t.Errorf("%s: %q, notes %q", name, got, d.raw[0].Notes)
		}
	}
}

// Values that others write and JSON has not are kept as text; what is stored is JSON.
func TestNumbersThatAreNone(t *testing.T) {
	d := open(t, collector.Options{})
	body := typed("Content-Type: application/json\r\n", `{"a":NaN,"b":-Infinity,"c":Infinity,"d":[NaN, -Infinity, "NaN\"NaN", -1, {"Infinity":Infinity}],"e":1e400,"f":123456789012345678901234567890,"g":"x"}`)
	if status, text := d.post(t, body, "multipart/form-data; boundary=b", "", false); status != 200 {
		t.Fatalf("%d %q", status, text)
	}
	want := map[string]string{
		"a": "NaN", "b": "-Infinity", "c": "Infinity", "d": `["NaN","-Infinity","NaN\"NaN",-1,{"Infinity":"Infinity"}]`, "e": "1e400", "f": "123456789012345678901234567890", "g": "x",
	}
	if got := d.raw[0].Annotations; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	for _, bad := range []string{`{"a":NaNa}`, `{"a":[NaNa]}`, `{"a":[-]}`, `{"a":[Inf]}`, `{"a":--Infinity}`, `{"a":[N]}`, `{"a":["]}`} {
		if status, text := d.post(t, typed("Content-Type: application/json\r\n", bad), "multipart/form-data; boundary=b", "", false); status != 400 || text != "Discarded=malformed_invalid_json" {
			t.Errorf("%s: %d %q", bad, status, text)
		}
	}
}
