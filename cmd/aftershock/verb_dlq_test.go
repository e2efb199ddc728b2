package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// letters is a plant with five raw crashes and dead letters of every kind; it
// returns where those are, and the raw crashes.
func letters(t *testing.T) (p *plant, at map[string]string, raw []string) {
	t.Helper()
	p = newPlant(t)
	records := p.put(0, 1, 2, 3, 4)
	for _, r := range records {
		raw = append(raw, fmt.Sprintf("%d/%d", r.Partition, r.Offset))
	}
	processed := func(n int) []byte {
		value, err := schema.Encode(&schema.ProcessedCrash{
			CrashID: autumnID(n), SignatureVersion: 1, Raw: positionOf(records[n]), Signature: secret,
			Annotations: []schema.Annotation{{Name: "URL", Value: secret}}, Threads: []schema.Thread{{Name: secret}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	request, err := schema.Encode(&schema.ReprocessRequest{CrashID: autumnID(2), Raw: positionOf(records[2]), Attempt: 2, Reason: "why"})
	if err != nil {
		t.Fatal(err)
	}
	of := func(topic string, n int, value []byte) *kgo.Record {
		return &kgo.Record{Topic: topic, Key: []byte(autumnID(n)), Value: value, Offset: 40}
	}
	retried := stream.DeadLetter(of(schema.TopicReprocess, 2, request), schema.DeadDeadline, "reprocess", 1)
	for i := range retried.Headers {
		if retried.Headers[i].Key == stream.HeaderAttempt {
			retried.Headers[i].Value = []byte("3")
		}
	}
	topic := schema.ProcessedTopic(1)
	at = map[string]string{}
	for i, l := range []struct {
		name   string
		record *kgo.Record
	}{
		{"raw", stream.DeadLetter(records[0], schema.DeadDeadline, "process", 1)},
		{"other", stream.DeadLetter(records[1], schema.DeadBlobMissing, "process", 1)},
		{"another version", stream.DeadLetter(records[1], schema.DeadBlobMissing, "process", 2)},
		{"no crash", stream.DeadLetter(&kgo.Record{Topic: schema.TopicRaw, Value: []byte(secret)}, schema.DeadRawUndecodable, "process", 1)},
		{"request", retried},
		{"row", stream.DeadLetter(of(topic, 3, processed(3)), schema.DeadRowRefused, "sink", 1)},
		{"telemetry", stream.DeadLetter(of(topic, 3, processed(3)), schema.DeadProcessedBad, "telemetry", 1)},
		{"bad row", stream.DeadLetter(of(topic, 4, []byte(secret)), schema.DeadProcessedBad, "sink", 1)},
		{"bad row of nothing", stream.DeadLetter(of(topic, 99, nil), schema.DeadProcessedBad, "sink", 1)},
		{"not ours", &kgo.Record{Topic: schema.TopicDeadLetter, Key: []byte(autumnID(1)), Value: []byte(secret)}},
	} {
		l.record.Timestamp = autumn.Add(time.Duration(i) * time.Minute)
		streamtest.Put(t, p.kafka, l.record)
		at[l.name] = letterPosition(l.record)
	}
	return p, at, raw
}

func TestDeadLettersAreCountedByWhatTheyAre(t *testing.T) {
	p, at, _ := letters(t)
	out, errs, code := p.run("dlq", "list")
	if code != 0 || strings.Contains(out+errs, secret) {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	got := lines(out)
	for i, want := range [][]string{
		{"CLASS", "MEANING"},
		{schema.DeadBlobMissing, "process", "crash.raw", " 2 ", "2026-11-22T12:01:00Z", "2026-11-22T12:02:00Z", "a blob of the raw crash does not exist"},
		{schema.DeadProcessedBad, "sink", "crash.processed.v1", " 2 ", "2026-11-22T12:07:00Z", "2026-11-22T12:08:00Z"},
		{unreadable, " 1 ", "not in this release's catalogue"},
	} {
		for _, w := range want {
			if i >= len(got) || !strings.Contains(got[i], w) {
				t.Fatalf("line %d has no %q:\n%s", i, w, out)
			}
		}
	}
	if last := got[len(got)-1]; last != "total 10" || len(got) != 2+8 {
		t.Errorf("%q\n%s", last, out)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"by class":    {[]string{"--class", schema.DeadDeadline}, "total 2"},
		"by stage":    {[]string{"--stage", "telemetry"}, "total 1"},
		"by time":     {[]string{"--since", "2026-11-22T12:04:00Z"}, "total 6"},
		"what is not": {[]string{"--class", "x"}, "total 0"},
	} {
		out, _, code := p.run(append([]string{"dlq", "list"}, tc.args...)...)
		if code != 0 || !strings.HasSuffix(out, tc.want+"\n") {
			t.Errorf("%s: exit code %d, %s", name, code, out)
		}
	}
	if out, _, _ := p.run("dlq", "list", "--json"); len(lines(out)) != 8 || !strings.Contains(out, `"class":"blob_missing","stage":"process","topic":"crash.raw","count":2`) {
		t.Errorf("%s", out)
	}
	if out, _, _ := p.run("dlq", "list", "--positions", "--stage", "reprocess"); !strings.HasPrefix(out, at["request"]+" 2026-11-22T12:04:00Z deadline reprocess from crash.reprocess/0/40 for v1, attempt 3\n") {
		t.Errorf("%s", out)
	}
}

func TestALetterIsShownWithoutWhatTheCrashHolds(t *testing.T) {
	p, at, raw := letters(t)
	for name, want := range map[string]string{
		"raw":       "annotation   URL (protected, 11 bytes)",
		"no crash":  "11 bytes: it cannot be decoded",
		"request":   "crash " + autumnID(2) + " at crash.raw/" + raw[2] + ", versions [], attempt 2, reason \"why\"",
		"row":       "processed    " + autumnID(3) + ", version 1, revision 0, of crash.raw/" + raw[3],
		"telemetry": "stage        telemetry, signature version 1, attempt 1",
		"bad row":   "from         crash.processed.v1/0/40",
		"not ours":  "11 bytes: the topic it comes from is not known",
	} {
		out, errs, code := p.run("dlq", "show", at[name])
		if code != 0 || !strings.Contains(out, want) || strings.Contains(out+errs, secret) {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errs)
		}
		out, _, _ = p.run("dlq", "show", at[name], "--values")
		if shown := strings.Contains(out, secret); shown != (name != "request") {
			t.Errorf("%s: with --values: %s", name, out)
		}
	}
	if out, _, _ := p.run("dlq", "show", at["raw"], at["row"]); strings.Count(out, "dead letter ") != 2 {
		t.Errorf("two letters: %s", out)
	}
	for text, want := range map[string]int{"0/9999": exitFailed, "7/0": exitFailed, "x": exitUsage, "1/-1": exitUsage, "1": exitUsage} {
		if _, errs, code := p.run("dlq", "show", text); code != want {
			t.Errorf("%s: exit code %d, %s", text, code, errs)
		}
	}
}

func TestLettersAreRetriedWhereThatCanHelp(t *testing.T) {
	p, at, raw := letters(t)
	asked := func(n, attempt int) string {
		reason := "dlq retry"
		if n == 2 {
			reason = "why"
		}
		return fmt.Sprintf("%08x %s [1] attempt %d %s", n, raw[n], attempt, reason)
	}
	if _, errs, code := p.run("dlq", "retry"); code != exitUsage || !strings.Contains(errs, "--all") {
		t.Errorf("without a choice: exit code %d, %s", code, errs)
	}
	before := 0
	for _, tc := range []struct {
		name string
		args []string
		want []string
		code int
		text string
	}{
		{"dry", []string{"--class", schema.DeadDeadline, "--dry-run"}, nil, 0, "2 crashes would be asked for"},
		{"by class", []string{"--class", schema.DeadDeadline}, []string{asked(0, 1), asked(2, 3)}, 0, "2 letters chosen, 2 crashes asked for, 0 letters left out"},
		{"by position", []string{"--position", at["raw"], "--position", at["row"]}, []string{asked(0, 1), asked(3, 1)}, 0, ""},
		{"of both sinks at once", []string{"--stage", "telemetry"}, []string{asked(3, 1)}, 0, ""},
		{"of a row that cannot be decoded", []string{"--position", at["bad row"]}, []string{asked(4, 1)}, 0, ""},
		{"of a crash that is gone", []string{"--position", at["bad row of nothing"]}, nil, exitFailed, "its raw crash is not there any more"},
		{"without hope", []string{"--class", schema.DeadRawUndecodable}, nil, exitFailed, "trying again cannot help"},
		{"without a crash", []string{"--class", schema.DeadRawUndecodable, "--all"}, nil, exitFailed, "no crash id"},
		{"of another version", []string{"--position", at["another version"]}, nil, exitFailed, "signature version 2 is not live"},
		{"not ours", []string{"--position", at["not ours"]}, nil, exitFailed, at["not ours"] + " (unreadable) left out"},
		{"by time", []string{"--since", "2026-11-22T12:05:00Z", "--until", "2026-11-22T12:08:00Z"}, []string{asked(3, 1), asked(4, 1)}, 0, "3 letters chosen, 2 crashes"},
		{"at most", []string{"--all", "--max", "2"}, []string{asked(0, 1), asked(1, 1)}, exitFailed, ""},
		{"all", []string{"--all"}, []string{asked(0, 1), asked(1, 1), asked(2, 3), asked(3, 1), asked(4, 1)}, exitFailed, "10 letters chosen, 5 crashes asked for, 4 letters left out"},
	} {
		out, errs, code := p.run(append([]string{"dlq", "retry"}, tc.args...)...)
		if code != tc.code || !strings.Contains(out, tc.text) || strings.Contains(out+errs, secret) {
			t.Errorf("%s: exit code %d, %s%s", tc.name, code, out, errs)
		}
		all := p.requests()
		if tc.name == "at most" { // which two depends on the partitions' order
			if len(all)-before != 2 || !strings.Contains(errs, "more letters") {
				t.Errorf("%s: %d requests, %s", tc.name, len(all)-before, errs)
			}
			before = len(all)
			continue
		}
		if len(all)-before != len(tc.want) {
			t.Errorf("%s: %d requests, want %d", tc.name, len(all)-before, len(tc.want))
		}
		for _, want := range tc.want {
			if !slices.Contains(all, want) || !strings.Contains(out, want[:8]) {
				t.Errorf("%s: no %q in %q\n%s", tc.name, want, all, out)
			}
		}
		before = len(all)
	}
	for _, limit := range []string{"0", fmt.Sprint(stream.MaxFind + 1)} {
		if _, _, code := p.run("dlq", "retry", "--all", "--max", limit); code != exitUsage {
			t.Errorf("--max %s: exit code %d", limit, code)
		}
	}
}

func TestSoManyLettersAreNamedThatAreNotRetried(t *testing.T) {
	p := newPlant(t)
	bury := func(n int) {
		t.Helper()
		var records []*kgo.Record
		for range n {
			records = append(records, stream.DeadLetter(&kgo.Record{Topic: schema.TopicRaw}, schema.DeadRawUndecodable, "process", 1))
		}
		streamtest.Put(t, p.kafka, records...)
	}
	for n, told := range []string{"100 letters left out", "101 letters left out"} {
		bury(maxLeftOut*(1-n) + n)
		out, _, code := p.run("dlq", "retry", "--stage", "process")
		if named := strings.Count(out, "cannot help"); code != exitFailed || named != maxLeftOut || !strings.Contains(out, told) {
			t.Errorf("exit code %d, %d named, want %d and %q", code, named, maxLeftOut, told)
		}
	}
}

func TestTheListIsBounded(t *testing.T) {
	p := newPlant(t)
	var records []*kgo.Record
	for n := range maxLetterGroups {
		records = append(records, stream.DeadLetter(&kgo.Record{Topic: schema.TopicRaw}, fmt.Sprintf("class_%d", n), "process", 1))
	}
	streamtest.Put(t, p.kafka, records...)
	if out, errs, code := p.run("dlq", "list"); code != 0 || !strings.HasSuffix(out, fmt.Sprintf("total %d\n", maxLetterGroups)) {
		t.Errorf("exit code %d, %s", code, errs)
	}
	streamtest.Put(t, p.kafka, stream.DeadLetter(&kgo.Record{Topic: schema.TopicRaw}, "one_more", "process", 1))
	if _, errs, code := p.run("dlq", "list"); code != exitFailed || !strings.Contains(errs, "--positions") {
		t.Errorf("one past the limit: exit code %d, %s", code, errs)
	}
	if out, _, code := p.run("dlq", "list", "--class", "one_more"); code != 0 || !strings.HasSuffix(out, "total 1\n") {
		t.Errorf("a choice: exit code %d, %s", code, out)
	}
}

func TestTheBeginningOfWhatCannotBeDecodedIsShown(t *testing.T) {
	p := newPlant(t)
	var at []string
	for _, size := range []int{maxShownBytes, maxShownBytes + 1} {
		r := stream.DeadLetter(&kgo.Record{Topic: schema.TopicRaw, Value: []byte(strings.Repeat("x", size))}, schema.DeadRawUndecodable, "process", 1)
		streamtest.Put(t, p.kafka, r)
		at = append(at, letterPosition(r))
	}
	for _, position := range at {
		out, _, code := p.run("dlq", "show", position, "--values")
		if code != 0 || !strings.Contains(out, strconv.Quote(strings.Repeat("x", maxShownBytes))) {
			t.Errorf("exit code %d, %s", code, out)
		}
	}
}
