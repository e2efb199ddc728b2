package embedded

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
)

// An event of the child's log is one line of its parent's, at its own level; what is
// none is a line that a child said.
func TestLineLogPassesEventsOn(t *testing.T) {
	var log bytes.Buffer
	l := &lineLog{log: zerolog.New(&log).Level(zerolog.InfoLevel), stream: "stderr"}
	fmt.Fprint(l, //nolint:errcheck // it never fails
		`{"level":"warn","bytes":9007199254740993,"time":"t","message":"much disk","detail":"of it"}`+"\n",
		`{"level":"debug","message":"quiet"}`+"\n", "panic: {odd}\n", `{"level":"loud","message":"m"}`+"\n",
		`{"level":"info","message":"two"} {}`+"\n", `{"message":"no level"}`+"\n", `{"level":"info"`+"\n")
	want := strings.Join([]string{
		`{"level":"warn","bytes":9007199254740993,"detail":"of it","message":"much disk"}`,
		`{"level":"info","stream":"stderr","line":"panic: {odd}","message":"child output"}`,
		`{"level":"info","stream":"stderr","line":"{\"level\":\"loud\",\"message\":\"m\"}","message":"child output"}`,
		`{"level":"info","stream":"stderr","line":"{\"level\":\"info\",\"message\":\"two\"} {}","message":"child output"}`,
		`{"level":"info","stream":"stderr","line":"{\"message\":\"no level\"}","message":"child output"}`,
		`{"level":"info","stream":"stderr","line":"{\"level\":\"info\"","message":"child output"}`,
		"",
	}, "\n")
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Error(diff)
	}
	if tail := l.tail(); !strings.HasPrefix(tail, ": much disk: of it\nquiet\npanic: {odd}\n") {
		t.Errorf("tail: %q", tail)
	}
}

func TestBrokerWarnsOfWhatIsReallySlow(t *testing.T) {
	const slow = "txn: EndTxn slow pid=%d epoch=%d elapsed=%dms batches=%d groups=%d"
	for name, tc := range map[string]struct {
		format string
		args   []any
		want   string
	}{
		"the end of a transaction":     {slow, []any{3, 0, 7, 1, 1}, "debug"},
		"one just below the threshold": {slow, []any{3, 0, 999, 1, 1}, "debug"},
		"one at the threshold":         {slow, []any{3, 0, 1000, 1, 1}, "warn"},
		"one beyond any number":        {strings.Replace(slow, "%d", "%s", 3), []any{"3", "0", "99999999999999999999", 1, 1}, "warn"},
		"a late heartbeat":             {"consumerHeartbeatLate: group=%s gap=%dms", []any{"g", 7000}, "debug"},
		"a member that is gone":        {"consumerSessionTimeout: group=%s", []any{"g"}, "warn"},
		"a damaged file":               {"groups.log: discarding %d corrupt trailing bytes", []any{5}, "warn"},
	} {
		var log bytes.Buffer
		brokerLog{zerolog.New(&log)}.Logf(kfake.LogLevelWarn, tc.format, tc.args...)
		if !strings.HasPrefix(log.String(), `{"level":"`+tc.want+`","detail":"`) {
			t.Errorf("%s: want %s: %s", name, tc.want, &log)
		}
	}
}
