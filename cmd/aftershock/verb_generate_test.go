package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"aftershock/generate"
)

func TestGenerateRefusesWrongUse(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nowhere":      {[]string{"--count", "1"}, "--clickhouse-url or --brokers"},
		"two places":   {[]string{"--count", "1", "--clickhouse-url", "http://127.0.0.1:1", "--brokers", "127.0.0.1:1"}, "--clickhouse-url or --brokers"},
		"no count":     {[]string{"--brokers", "127.0.0.1:1"}, "--count"},
		"too many":     {[]string{"--count", strconv.Itoa(generate.MaxCount + 1), "--brokers", "127.0.0.1:1"}, "count: want 1 to"},
		"no days":      {[]string{"--count", "1", "--days", "0", "--brokers", "127.0.0.1:1"}, "--days"},
		"half of SASL": {[]string{"--count", "1", "--brokers", "127.0.0.1:1", "--kafka-user", "x"}, "--kafka-sasl"},
	} {
		var stdout, stderr bytes.Buffer
		if code := Main(append([]string{"generate", "crashes"}, tc.args...), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("%s: exit %d, %s", name, code, &stderr)
		}
	}
}

func TestGenerateIsHidden(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"--help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "reprocess") || strings.Contains(stdout.String(), "generate crashes") {
		t.Errorf("exit %d: %s", code, &stdout)
	}
}

// generate runs the verb with a place for the crashes, which are 3,000 of a week.
func (u *upProcess) generate(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"generate", "crashes", "--days", "7", "--until", "2026-11-22"}, args...), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// What was generated is in the tables, once, as an oracle that generates it again says; it
// comes through the topic as well, and is not mixed with real crashes by accident.
func TestGeneratedCrashesAreInTheTables(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	rows := []string{"--count", "5000", "--clickhouse-url", u.clickhouseURL()}
	for range 2 { // the second time adds nothing
		out, errs, code := u.generate(rows...)
		if code != 0 || !strings.HasPrefix(out, "5000 crashes in ") || !strings.Contains(out, "--seed 1 --until 2026-11-22 ") {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
	}
	g, err := generate.New(generate.Options{Count: 5000, Seed: 1, Days: 7, Until: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	days, signatures := map[string]int{}, map[string]int{}
	for c := range g.All() {
		days[c.ReceivedAt.Format(time.DateOnly)]++
		signatures[c.Signature]++
	}
	u.counts("day", days)
	u.counts("signature", signatures)

	out, errs, code := u.generate("--count", "200", "--seed", "2", "--brokers", u.kafka)
	if code != 0 || !strings.HasPrefix(out, "200 crashes in ") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	u.want(5200)

	u.submit("--annotation", "ProductName=real", samples(t)[0])
	u.want(5201)
	for name, args := range map[string][]string{"rows": rows, "records": {"--count", "1", "--brokers", u.kafka}} {
		if out, errs, code := u.generate(args...); code != exitFailed || !strings.Contains(errs, "--force") || out != "" {
			t.Errorf("%s beside a real crash: exit %d: %s%s", name, code, out, errs)
		}
	}
	if out, errs, code := u.generate("--count", "5000", "--clickhouse-url", u.clickhouseURL(), "--force"); code != 0 {
		t.Errorf("--force: exit %d: %s%s", code, out, errs)
	}
	u.want(5201)
}

// counts compares how many crashes have each value of a column.
func (u *upProcess) counts(column string, want map[string]int) {
	u.t.Helper()
	text, err := u.query("SELECT " + column + ", count() FROM crashes GROUP BY " + column)
	if err != nil {
		u.t.Fatal(err)
	}
	have := map[string]int{}
	for _, line := range lines(text) {
		value, n, _ := strings.Cut(line, "\t")
		if have[value], err = strconv.Atoi(n); err != nil {
			u.t.Fatal(err)
		}
	}
	for value, n := range want {
		if have[value] != n {
			u.t.Errorf("%s %q: %d crashes, want %d", column, value, have[value], n)
		}
	}
	if len(have) != len(want) {
		u.t.Errorf("%d values of %s, want %d", len(have), column, len(want))
	}
}
