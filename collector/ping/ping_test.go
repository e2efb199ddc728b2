package ping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

func TestAnObjectInsideAPingIsBounded(t *testing.T) {
	for _, n := range []int{maxMembers, maxMembers + 1} {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"a%d":%d`, i, i))
		}
		var p Ping
		p.Member("payload", `{"metadata":{`+strings.Join(members, ",")+`}}`)
		kept := 0
		if err := p.Annotations(func(string, string) error { kept++; return nil }); err != nil {
			t.Fatal(err)
		}
		if kept != maxMembers || (len(p.Notes) > 0) != (n > maxMembers) {
			t.Errorf("%d of %d, notes %v", kept, n, p.Notes)
		}
	}
}

func TestAPayloadIsReadAsFarAsItGoes(t *testing.T) {
	for text, want := range map[string]Ping{
		`{"stackTraces":{"a":1},"x":{}}`:                 {Stack: `{"a":1}`, legacy: true},
		`{"stackTraces":"{\"a\": 1}"}`:                   {Stack: `{"a": 1}`, legacy: true},
		`{"stackTraces":null}`:                           {legacy: true},
		`{"metadata":[1],"stackTraces":{}}`:              {Stack: "{}", Notes: []string{schema.NotePingMember}, legacy: true},
		`{"stackTraces":{},"metadata":{"a":"b`:           {Stack: "{}", Notes: []string{schema.NotePingMember}, legacy: true},
		`[{"stackTraces":{}}]`:                           {Notes: []string{schema.NotePingMember}, legacy: true},
		`{"metadata":{"a":"\u00e9","b":[1, 2],"c":"x"}}`: {annotations: []annotation{{name: "a", value: "é"}, {name: "b", value: "[1, 2]"}, {name: "c", value: "x"}}, legacy: true},
	} {
		var p Ping
		p.Member("payload", text)
		if d := cmp.Diff(want, p, cmp.AllowUnexported(Ping{}, annotation{})); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

// Whichever of the two ids comes first, the ping's own counts.
func TestTheIDOfAPipelineCountsBeforeTheClients(t *testing.T) {
	const one, other = "5bf3b2d0-7c4e-4c0a-9a51-3b1d2f6e7a90", "6bf3b2d0-7c4e-4c0a-9a51-3b1d2f6e7a90"
	for _, order := range [][2]string{{"document_id", "id"}, {"id", "document_id"}} {
		var p Ping
		for _, name := range order {
			value := other
			if name == "document_id" {
				value = one
			}
			p.Member(name, value)
		}
		if p.ID != one {
			t.Errorf("%v: %s", order, p.ID)
		}
	}
}
