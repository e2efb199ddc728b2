package collector

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"aftershock/schema"
)

// readObject reads an object with so many bytes allowed, in one read or byte by byte.
func readObject(text string, left int, byByte bool, asIs func(string) bool) (members []string, o object, err error) {
	src := io.Reader(strings.NewReader(text))
	if byByte {
		src = iotest.OneByteReader(src)
	}
	o = object{src: bufio.NewReader(src), left: left, asIs: asIs}
	err = o.read(func(name, value string) error {
		members = append(members, name+"="+value)
		return nil
	})
	return members, o, err
}

// Values are their texts: strings as they are, all else compact, and what JSON has not as strings.
func TestValuesOfMembers(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"text"}`:                                      "a=text",
		`{"a":"t\u00e9\n\"\\"}`:                             "a=té\n\"\\",
		`{"a":"té"}`:                                        "a=té",
		`{"a":null,"b":true,"c":-1.50e3}`:                   "a= b=true c=-1.50e3",
		"{\"a\" :\t[ 1 , {\"b\" : \"c d\"} ] \r\n}\n":       `a=[1,{"b":"c d"}]`,
		`{"a":NaN,"b":Infinity,"c":-Infinity}`:              "a=NaN b=Infinity c=-Infinity",
		`{"a":[NaN,-Infinity, Infinity,-1]}`:                `a=["NaN","-Infinity","Infinity",-1]`,
		`{"a":{"NaN":"x NaN \" NaN","b":NaN}}`:              `a={"NaN":"x NaN \" NaN","b":"NaN"}`,
		`{"a":[{"b":[NaN]},null,"Infinity\\"]}`:             `a=[{"b":["NaN"]},null,"Infinity\\"]`,
		`{"keep":[ 1, 2 ],"a":[ 1, 2 ],"keep":" x "}`:       `keep=[ 1, 2 ] a=[1,2] keep= x `,
		`{"keep":{ "a": NaN }}`:                             `keep={ "a": NaN }`,
		`{"keep":null}`:                                     "keep=",
		`{"a":["]","}","\\",{"b":"\"]"}],"c":1}`:            `a=["]","}","\\",{"b":"\"]"}] c=1`,
		`{}`:                                                "",
		`{"":""}`:                                           "=",
		`{"` + strings.Repeat("n", 5000) + `":1,"b":"c"}`:   strings.Repeat("n", 5000) + "=1 b=c",
		`{"a":"` + strings.Repeat(`\\`, 5000) + `","b":""}`: "a=" + strings.Repeat(`\`, 5000) + " b=",
	} {
		for _, byByte := range []bool{false, true} {
			got, o, err := readObject(text, 1<<20, byByte, func(name string) bool { return name == "keep" })
			if err != nil || strings.Join(got, " ") != want || o.notText {
				t.Errorf("%.80q: %q, %v, want %q", text, got, err, want)
			}
			if took := 1<<20 - o.left; took != len(text)+1 && took != len(text) {
				t.Errorf("%.80q: %d of %d bytes are counted", text, took, len(text))
			}
		}
	}
	for text, want := range map[string]bool{"{\"a\":\"\xff\"}": true, "{\"a\":\"\uFFFD\"}": false, "{\"a\":[\"\xff\"]}": true} {
		if _, o, err := readObject(text, 100, false, nil); err != nil || o.notText != want {
			t.Errorf("%q: not text is %v, %v", text, o.notText, err)
		}
	}
}

// What is no object is told from what is no JSON, and what is too long from both.
func TestWhatIsNoObject(t *testing.T) {
	for text, want := range map[string]string{
		``: schema.RejectJSON, `[1]`: schema.RejectJSONValue, `"a"`: schema.RejectJSONValue, `null`: schema.RejectJSONValue, `-1 `: schema.RejectJSONValue, `[1] 2`: schema.RejectJSON, `[1`: schema.RejectJSON, `nul`: schema.RejectJSON,
		`{"a":1`: schema.RejectJSON, `{"a":1]`: schema.RejectJSON, `{"a":1}}`: schema.RejectJSON, `{"a";1}`: schema.RejectJSON, `{1:1}`: schema.RejectJSON, `{"\x":1}`: schema.RejectJSON, `{"a`: schema.RejectJSON, `{"a"`: schema.RejectJSON,
		`{"a":}`: schema.RejectJSON, `{"a":[NaNN]}`: schema.RejectJSON, `{"a":[1}`: schema.RejectJSON, `{"a":1;"b":2}`: schema.RejectJSON, `{"a":-}`: schema.RejectJSON, `{"a":[-]}`: schema.RejectJSON,
	} {
		for _, byByte := range []bool{false, true} {
			if _, _, err := readObject(text, 1<<20, byByte, nil); Reason(err) != want {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		}
	}
	const text = `{"name":["value", {"a": "b"}], "c":12, "d":"efg" } `
	for left := range len(text) {
		for _, byByte := range []bool{false, true} {
			if _, _, err := readObject(text, left, byByte, nil); Reason(err) != schema.RejectTooLarge {
				t.Errorf("%d bytes of %d: %v", left, len(text), err)
			}
		}
	}
	if got, _, err := readObject(text, len(text), false, nil); err != nil || len(got) != 3 {
		t.Errorf("all of it: %q, %v", got, err)
	}
	broken := errors.New("broken")
	for n := range len(text) {
		o := object{src: bufio.NewReader(io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(broken))), left: 1000}
		if err := o.read(func(string, string) error { return nil }); !errors.Is(err, broken) || Reason(err) != "" {
			t.Errorf("it breaks behind %d bytes: %v", n, err)
		}
	}
	o := object{src: bufio.NewReader(strings.NewReader(text)), left: 1000}
	if err := o.read(func(name, _ string) error { return fmt.Errorf("of %s: %w", name, broken) }); !errors.Is(err, broken) || err.Error() != "of name: broken" {
		t.Errorf("who takes the members fails: %v", err)
	}
}
