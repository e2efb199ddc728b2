package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/stream"
)

// promotionsInARow says how many promotions there are; make promotions has 200.
const promotionsInARow = "AFTERSHOCK_PROMOTIONS"

// Rule changes by the hundred: each promotion leaves the version before a slice of time, and
// none of them costs anything afterwards.
func TestPromotionsInARow(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv(promotionsInARow))
	if err != nil {
		n = 3
	}
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	r := newRush(t, 11)
	rules := []string{splitRules(t), "default"}
	came := len(r.put(k, 20, time.Now().Add(-time.Hour), time.Now()))
	u.want(came)
	for i := range n {
		since := time.Now()
		version := strconv.Itoa(i + 2)
		u.mustReplay("start", "--ruleset", rules[i%2], "--from", since.UTC().Format(time.RFC3339Nano))
		began := time.Now()
		u.mustReplay("promote", version)
		took := time.Since(began)
		came += len(r.put(k, 5, time.Now(), time.Now()))
		u.want(came)
		if i%20 == 0 || i == n-1 {
			t.Logf("promotion %d took %v", i+1, took.Round(time.Millisecond))
		}
	}
	state, err := u.state()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range state.Versions[:n] {
		if v.State != schema.StateArchived {
			t.Errorf("version %d is %s", v.Number, v.State)
		}
	}
	groups, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	left, err := groups.Named(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range left {
		if !strings.Contains(group, "archived") && group != schema.GroupHeal && group != schema.GroupSymbols && group != sinks.DeferredGroup && !strings.Contains(group, ".v"+strconv.Itoa(n+1)) {
			t.Errorf("a group is left: %s", group)
		}
	}
	came += len(r.put(k, 3, time.Now().Add(-30*time.Minute), time.Now().Add(-30*time.Minute))) // late, into the first slice
	u.want(came)
	u.agree()
}
