package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
)

// topicOf is a topic of the table with partitions and replicas, as it should be.
func topicOf(t *testing.T, name string, partitions, replicas int) seenTopic {
	t.Helper()
	for _, topic := range append(schema.Topics(0), schema.Processed(1, 0)) {
		if topic.Name == name {
			seen := seenTopic{Topic: topic, partitions: partitions, replicas: replicas, settings: map[string]string{"min.insync.replicas": "2"}}
			for setting, value := range topic.Settings {
				seen.settings[setting] = value
			}
			return seen
		}
	}
	t.Fatalf("no topic %s", name)
	return seenTopic{}
}

// found are findings in short.
func found(of []Finding) (out []string) {
	for _, f := range of {
		stops := ""
		if f.Stops {
			stops = ", stops"
		}
		out = append(out, fmt.Sprintf("%s %s: %s is %s, want %s%s", f.Severity, f.Topic, f.Setting, f.Is, f.Want, stops))
	}
	return out
}

func TestCrashesKeepTheirPartition(t *testing.T) {
	missing := topicOf(t, schema.TopicRaw, 0, 0)
	missing.missing = true
	for name, tc := range map[string]struct {
		seen []seenTopic
		want []string
	}{
		"all alike": {[]seenTopic{topicOf(t, schema.TopicTelemetry, 4, 3), topicOf(t, schema.TopicRaw, 4, 3), topicOf(t, schema.TopicVersions, 1, 3), topicOf(t, schema.TopicDeadLetter, 9, 3)}, nil},
		"one is another": {
			[]seenTopic{topicOf(t, schema.TopicTelemetry, 4, 3), topicOf(t, schema.TopicRaw, 6, 3), topicOf(t, schema.ProcessedTopic(1), 6, 3), topicOf(t, schema.TopicVersions, 2, 3)},
			[]string{"error crash.telemetry: partitions is 4, want 6 as crash.raw, stops", "error crash.versions: partitions is 2, want 1, stops"},
		},
		"without raw crashes": {
			[]seenTopic{missing, topicOf(t, schema.TopicTelemetry, 4, 3), topicOf(t, schema.ProcessedTopic(1), 6, 3)},
			[]string{"error crash.processed.v1: partitions is 6, want 4 as crash.telemetry, stops"},
		},
		"nothing is keyed": {[]seenTopic{topicOf(t, schema.TopicRulesets, 5, 3)}, nil},
	} {
		if got := found(partitionFindings(tc.seen)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	for _, f := range partitionFindings([]seenTopic{topicOf(t, schema.TopicTelemetry, 4, 3), topicOf(t, schema.TopicRaw, 6, 3), topicOf(t, schema.TopicVersions, 2, 3)}) {
		if f.Why == "" || !strings.Contains(f.Mend, "aftershock topics create") {
			t.Errorf("%+v", f)
		}
	}
}

func TestReplicasThatATopicShouldHave(t *testing.T) {
	with := func(replicas int, settings map[string]string) seenTopic {
		seen := topicOf(t, schema.TopicRaw, 1, replicas)
		delete(seen.settings, "min.insync.replicas")
		for name, value := range settings {
			seen.settings[name] = value
		}
		return seen
	}
	missing := with(1, nil)
	missing.missing = true
	const inSyncs, unclean = "min.insync.replicas", "unclean.leader.election.enable"
	for name, tc := range map[string]struct {
		seen   seenTopic
		allow1 bool
		want   []string
		why    string
	}{
		"three":                    {seen: with(3, map[string]string{inSyncs: "2", unclean: "false"})},
		"four":                     {seen: with(4, map[string]string{inSyncs: "2"})},
		"one":                      {seen: with(1, nil), want: []string{"error crash.raw: replication factor is 1, want 3"}, why: "a lost disk is lost crashes"},
		"one, where it may be":     {seen: with(1, map[string]string{inSyncs: "1"}), allow1: true},
		"two":                      {seen: with(2, nil), want: []string{"warning crash.raw: replication factor is 2, want 3"}, why: "with one broker away nothing can be written"},
		"one must have it":         {seen: with(3, map[string]string{inSyncs: "1"}), want: []string{"error crash.raw: min.insync.replicas is 1, want 2"}, why: "an answered crash would lie on one broker alone"},
		"all must":                 {seen: with(3, map[string]string{inSyncs: "3"}), want: []string{"warning crash.raw: min.insync.replicas is 3, want 2"}, why: "fewer brokers may be away than need be"},
		"more than there are must": {seen: with(3, map[string]string{inSyncs: "4"}), want: []string{"error crash.raw: min.insync.replicas is 4, want 2"}, why: "nothing can be written: there are not so many replicas"},
		"no number":                {seen: with(3, map[string]string{inSyncs: "many"}), want: []string{"error crash.raw: min.insync.replicas is many, want 2"}, why: "an answered crash would lie on one broker alone"},
		"any may lead":             {seen: with(3, map[string]string{unclean: "true"}), want: []string{"error crash.raw: unclean.leader.election.enable is true, want false"}, why: "a replica that lacks records could become the leader, and they are gone"},
		"the only one leads":       {seen: with(1, map[string]string{unclean: "true"}), allow1: true},
		"there is none":            {seen: missing},
	} {
		got := replicationFindings([]seenTopic{tc.seen}, CheckOptions{AllowReplication1: tc.allow1})
		if !slices.Equal(found(got), tc.want) || len(got) > 0 && (got[0].Why != tc.why || got[0].Mend == "") {
			t.Errorf("%s: %+v, want %q", name, got, tc.want)
		}
	}
	for replicas, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 2, 9: 2} {
		if got := inSync(replicas); got != want {
			t.Errorf("of %d replicas %d, want %d", replicas, got, want)
		}
	}
}

func TestSettingsThatATopicShouldHave(t *testing.T) {
	shorter, unknown, hidden, missing := topicOf(t, schema.TopicRaw, 1, 3), topicOf(t, schema.TopicRaw, 1, 3), topicOf(t, schema.TopicRaw, 1, 3), topicOf(t, schema.TopicRaw, 1, 3)
	shorter.settings["retention.ms"], shorter.settings["max.message.bytes"] = "1", "1"
	delete(unknown.settings, "retention.ms")
	hidden.hidden, missing.missing = true, true
	kept := topicOf(t, schema.TopicTelemetry, 1, 3)
	kept.settings["cleanup.policy"], kept.settings["retention.ms"] = "compact", "1"
	for name, tc := range map[string]struct {
		seen seenTopic
		want []string
	}{
		"as they should be": {topicOf(t, schema.TopicRaw, 1, 3), nil},
		"not told":          {unknown, nil},
		"smaller": {shorter, []string{
			"error crash.raw: max.message.bytes is 1, want 8388608 or more, stops", "error crash.raw: retention.ms is 1, want 15552000000 or more",
		}},
		"missing": {missing, []string{"error crash.raw: topic is missing, want there, stops"}},
		"hidden":  {hidden, []string{"warning crash.raw: settings is hidden, want readable"}},
	} {
		if got := found(settingsFindings([]seenTopic{tc.seen})); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	// Each is told with what mends it, and of several topics all are.
	all := settingsFindings([]seenTopic{missing, hidden, kept})
	if len(all) < 3 || all[0].Mend != "aftershock topics create" || all[1].Mend != "allow DESCRIBE_CONFIGS on topic crash.raw" {
		t.Fatalf("%+v", all)
	}
	if want := "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name crash.telemetry --add-config 'cleanup.policy=[compact,delete]'"; !slices.ContainsFunc(all, func(f Finding) bool { return f.Mend == want }) {
		t.Errorf("%+v, want one that is mended by %s", all, want)
	}
	if !slices.ContainsFunc(all, func(f Finding) bool {
		return f.Topic == schema.TopicTelemetry && f.Setting == "retention.ms" && f.Severity == SeverityWarning
	}) {
		t.Errorf("%+v", all)
	}
	f := Finding{SeverityError, "t", "s", "1", "2", "so", "so", false}
	if got, want := f.String(), "error: t: s is 1, want 2: so; mend it: so"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What stops a role is an error that names all of it; the rest is logged.
func TestOnlySomeFindingsStop(t *testing.T) {
	var log strings.Builder
	k := Kafka{Log: zerolog.New(&log)}
	if err := k.stops([]Finding{{Severity: SeverityWarning, Topic: "t", Setting: "s", Why: "so"}}); err != nil || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), `"setting":"s"`) {
		t.Errorf("%v, %s", err, &log)
	}
	log.Reset()
	err := k.stops([]Finding{{Topic: "a", Stops: true}, {Topic: "b"}, {Topic: "c", Stops: true}})
	if want := "crashes would be lost or doubled (aftershock topics check tells all):\n  : a: "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "\n  : c: ") || strings.Contains(err.Error(), "\n  : b: ") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%v, %s", err, &log)
	}
}

func TestUsesThatBrokersRefuse(t *testing.T) {
	read, write := kmsg.ACLOperationRead, kmsg.ACLOperationWrite
	topic := func(name string, allowed ...kmsg.ACLOperation) seenTopic {
		return seenTopic{Topic: schema.Topic{Name: name}, allowed: allowed}
	}
	refused := seenTopic{Topic: schema.Topic{Name: "t"}, refused: kerr.TopicAuthorizationFailed}
	uses := func(reads, writes bool) []Use { return []Use{{"other", true, true}, {"t", reads, writes}} }
	for name, tc := range map[string]struct {
		seen seenTopic
		uses []Use
		want string
	}{
		"both are allowed":      {topic("t", read, write), uses(true, true), ""},
		"reading is":            {topic("t", read), uses(true, false), ""},
		"reading alone":         {topic("t", read), uses(true, true), "WRITE"},
		"writing alone":         {topic("t", write), uses(true, true), "READ"},
		"writing is":            {topic("t", write), uses(false, true), ""},
		"nothing is told":       {topic("t"), uses(true, true), ""},
		"it may not be seen":    {refused, uses(true, true), "READ"},
		"it may not be written": {refused, uses(false, true), "WRITE"},
		"nobody uses it":        {topic("unused", kmsg.ACLOperationDelete), uses(true, true), ""},
		"nothing of it is used": {topic("t", kmsg.ACLOperationDelete), uses(false, false), ""},
	} {
		err := allowed([]seenTopic{tc.seen}, tc.uses)
		var access *AccessError
		if (err == nil) != (tc.want == "") || err != nil && (!errors.As(err, &access) || access.Operation != tc.want || access.Resource != "topic" || access.Name != "t") {
			t.Errorf("%s: %v, want a refusal to %s", name, err, tc.want)
		}
		if tc.seen.refused != nil && !errors.Is(err, kerr.TopicAuthorizationFailed) || tc.seen.refused == nil && err != nil && !errors.Is(err, errNoACL) {
			t.Errorf("%s: %v", name, err)
		}
	}
	table := tableOf([]Use{{Topic: schema.TopicRaw}, {Topic: schema.TopicVersions}, {Topic: "other"}})
	if len(table) != 2 || table[0].Name != schema.TopicRaw || table[1].Name != schema.TopicVersions {
		t.Errorf("%+v", table)
	}
}

func TestTopicsThatAreServed(t *testing.T) {
	details := func(topicErr, partitionErr error, leader int32) kadm.TopicDetails {
		return kadm.TopicDetails{"t": {Topic: "t", Err: topicErr, Partitions: kadm.PartitionDetails{0: {Leader: 0}, 3: {Partition: 3, Leader: leader, Err: partitionErr}}}}
	}
	for name, tc := range map[string]struct {
		of   kadm.TopicDetails
		want error
	}{
		"all":             {details(nil, nil, 0), nil},
		"no topic":        {details(kerr.UnknownTopicOrPartition, nil, 0), kerr.UnknownTopicOrPartition},
		"no leader":       {details(nil, nil, -1), kerr.LeaderNotAvailable},
		"a partition not": {details(nil, kerr.ReplicaNotAvailable, 0), kerr.ReplicaNotAvailable},
	} {
		if err := served(tc.of); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if err := served(details(nil, nil, -1)); !strings.HasPrefix(err.Error(), "t/3 has no leader: ") {
		t.Error(err)
	}
	state := &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 1}, {Number: 2, State: "x"}, {Number: 3}}}
	got := processedTopics(state, func(v schema.SignatureVersion) bool { return v.State == "" })
	if d := cmp.Diff([]schema.Topic{schema.Processed(1, 0), schema.Processed(3, 0)}, got); d != "" {
		t.Error(d)
	}
	if processedTopics(nil, nil) != nil {
		t.Error("topics of nothing")
	}
	if got := values([]kadm.Config{{Key: "a", Value: new("1")}, {Key: "b"}}); len(got) != 1 || got["a"] != "1" {
		t.Errorf("%v", got)
	}
	if got := sorted(map[string]string{"b": "", "a": "", "c": ""}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
}
