package bugs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/bugs"
	"aftershock/sinks/clickhouse"
)

func TestListsAreRead(t *testing.T) {
	got, err := bugs.ReadCSV(strings.NewReader("\uFEFFBug, Signature ,whiteboard,state\n12,\"a | b\",x, open\n"), bugs.MaxPushed)
	if d := cmp.Diff([]clickhouse.Bug{{Signature: "a | b", Bug: "12", State: "open"}}, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	for text, want := range map[string]string{
		"": "want a line of names", "bug,url\n1,x\n": "want the columns", "signature,bug\na,\n": "line 2: want a signature and a bug", "signature,bug\na\n": "wrong number of fields", "signature,bug\na,\xff\n": "no text",
	} {
		if _, err := bugs.ReadCSV(strings.NewReader(text), bugs.MaxPushed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Every limit lets through what it says, and refuses one more.
func TestLimitsOfLists(t *testing.T) {
	const head = "signature,bug\n"
	limits := bugs.Limits{Bytes: 100, Bugs: 3}
	for name, at := range map[string][2]string{
		"bytes": {head + strings.Repeat("a", 100-len(head)-3) + ",1\n", head + strings.Repeat("a", 101-len(head)-3) + ",1\n"},
		"bugs":  {head + strings.Repeat("a,1\n", 3), head + strings.Repeat("a,1\n", 4)},
	} {
		if _, err := bugs.ReadCSV(strings.NewReader(at[0]), limits); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if _, err := bugs.ReadCSV(strings.NewReader(at[1]), limits); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: beyond the limit: %v", name, err)
		}
	}
	for n, want := range map[int]bool{bugs.MaxText: true, bugs.MaxText + 1: false} {
		if _, err := bugs.ReadCSV(strings.NewReader(head+strings.Repeat("a", n)+",1\n"), bugs.MaxPushed); (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
