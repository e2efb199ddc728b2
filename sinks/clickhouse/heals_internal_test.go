package clickhouse

import (
	"fmt"
	"strings"
	"testing"

	"aftershock/schema"
)

// A thousand modules with long names are more than a server takes in one query.
func TestManyEventsAreSeveralQueries(t *testing.T) {
	var events []schema.SymbolsEvent
	for n := range 1000 {
		events = append(events, schema.SymbolsEvent{DebugFile: strings.Repeat("x", 196) + fmt.Sprintf("%04d", n), DebugID: strings.Repeat("A", 48), SHA256: strings.Repeat("0", 64)})
	}
	all := Arrived{Events: events, Upto: 7, Versions: []int32{1}}.Parts()
	next := 0
	for _, some := range all {
		bytes := 0
		if some.Upto != 7 || len(some.Versions) != 1 {
			t.Errorf("%+v", some)
		}
		for _, e := range some.Events {
			if e != events[next] {
				t.Fatalf("event %d is not that one", next)
			}
			next++
			bytes += len("'/', '', '', false,") + len(e.DebugFile) + 2*len(e.DebugID) + len(e.SHA256)
		}
		if len(some.Events) == 0 || bytes > mostAskedBytes {
			t.Errorf("%d events, %d bytes", len(some.Events), bytes)
		}
	}
	if next != len(events) || len(all) < 2 {
		t.Errorf("%d events in %d parts", next, len(all))
	}
	if got := (Arrived{Events: events[:1]}).Parts(); len(got) != 1 || len(got[0].Events) != 1 {
		t.Errorf("%v", got)
	}
}
