package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestTopicsRepairGoesOnByDecision(t *testing.T) {
	p := newPlant(t)
	if out, errs, code := p.run("topics", "repair"); code != 0 || !strings.Contains(out, "no group's offset is out of range") {
		t.Errorf("nothing is gone: exit code %d, %s%s", code, out, errs)
	}
	first := p.put(0)[0]
	p.passed([]*kgo.Record{first})
	last := first
	for n := 1; n < 40; n++ {
		if r := p.put(n)[0]; r.Partition == first.Partition {
			last = r
		}
	}
	streamtest.DeleteBefore(t, p.kafka, schema.TopicRaw, first.Partition, last.Offset)
	out, errs, code := p.run("topics", "repair")
	if code != exitFailed || !strings.Contains(out, "group process.v1: ") || !strings.Contains(out, "are gone unread") || !strings.Contains(errs, "--go-on") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, _, code := p.run("topics", "repair", "--group", "process.v2", "--go-on"); code != 0 || !strings.Contains(out, "no group's") {
		t.Errorf("another group: exit code %d, %s", code, out)
	}
	if out, errs, code := p.run("topics", "repair", "--go-on", "--why", "retention was a day"); code != 0 || !strings.Contains(out, "1 partitions go on") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code := p.run("topics", "repair", "--json"); code != 0 || out != "" {
		t.Errorf("after it: exit code %d, %s%s", code, out, errs)
	}
	state, err := stream.NewestVersions(t.Context(), p.kafka)
	if err != nil || state.Operation != schema.OpRepair || !strings.HasPrefix(state.Why, "retention was a day; group process.v1: ") {
		t.Errorf("%+v, %v", state, err)
	}
}
