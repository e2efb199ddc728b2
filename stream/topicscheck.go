package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Severities of a Finding.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Finding is one thing of a cluster that is not as it should be.
type Finding struct {
	Severity string `json:"severity"`
	// Topic is what it is about: a topic, or "broker N".
	Topic   string `json:"topic"`
	Setting string `json:"setting"`
	Is      string `json:"is"`
	Want    string `json:"want"`
	Why     string `json:"why"`
	// Mend is the command that mends it.
	Mend string `json:"mend"`
	// Stops: no role starts with it.
	Stops bool `json:"stops"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s is %s, want %s: %s; mend it: %s", f.Severity, f.Topic, f.Setting, f.Is, f.Want, f.Why, f.Mend)
}

// CheckOptions change what CheckTopics asks for.
type CheckOptions struct {
	// AllowReplication1 is for clusters whose loss does not matter.
	AllowReplication1 bool
}

// CheckTopics compares every topic, and the brokers' settings that we rely on,
// with what they should be. The error is for a cluster that cannot be asked.
func CheckTopics(ctx context.Context, k Kafka, o CheckOptions) ([]Finding, error) {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return nil, fmt.Errorf("check topics: %w", err)
	}
	defer cl.Close()
	topics := schema.Topics(0)
	state, findings, err := versionsToCheck(ctx, k)
	if err != nil {
		return nil, err
	}
	topics = append(topics, processedTopics(state, func(v schema.SignatureVersion) bool { return !v.Gone() })...)
	seen, err := lookAt(ctx, cl, topics)
	if err != nil {
		return nil, err
	}
	for _, t := range seen {
		if t.refused != nil {
			return nil, &AccessError{"DESCRIBE", "topic", t.Name, t.refused}
		}
	}
	findings = append(findings, settingsFindings(seen)...)
	findings = append(findings, partitionFindings(seen)...)
	findings = append(findings, replicationFindings(seen, o)...)
	broker, err := brokerFindings(ctx, kadm.NewClient(cl))
	return append(findings, broker...), err
}

// versionsToCheck reads the versions log; that it is missing is found later.
func versionsToCheck(ctx context.Context, k Kafka) (*schema.VersionEvent, []Finding, error) {
	state, err := NewestVersions(ctx, k)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case state == nil:
		return nil, []Finding{{
			Severity: SeverityError, Topic: schema.TopicVersions, Setting: "signature versions", Is: "none", Want: "1 or more",
			Why: "nothing would be processed", Mend: createCommand,
		}}, nil
	}
	return state, nil, nil
}

const createCommand = "aftershock topics create"

// processedTopics are those of the versions that are wanted.
func processedTopics(state *schema.VersionEvent, wanted func(schema.SignatureVersion) bool) []schema.Topic {
	var topics []schema.Topic
	if state == nil {
		return nil
	}
	for _, v := range state.Versions {
		if wanted(v) {
			topics = append(topics, schema.Processed(v.Number, 0))
		}
	}
	return topics
}

// settingsFindings compares each topic's settings with the table in schema.
func settingsFindings(seen []seenTopic) []Finding {
	var out []Finding
	for _, t := range seen {
		switch {
		case t.missing:
			out = append(out, Finding{
				Severity: SeverityError, Stops: true, Topic: t.Name, Setting: "topic", Is: "missing", Want: "there",
				Why: "what belongs into it could not be kept", Mend: createCommand,
			})
			continue
		case t.hidden:
			out = append(out, Finding{
				Severity: SeverityWarning, Topic: t.Name, Setting: "settings", Is: "hidden", Want: "readable",
				Why: "they were not checked", Mend: "allow DESCRIBE_CONFIGS on topic " + t.Name,
			})
			continue
		}
		for _, name := range sorted(t.Settings) {
			is, known := t.settings[name]
			if d, deviates := t.Deviates(name, is); known && deviates {
				severity := SeverityWarning
				if d.Loses {
					severity = SeverityError
				}
				out = append(out, Finding{
					Severity: severity, Stops: d.Stops, Topic: t.Name, Setting: name, Is: is, Want: d.Want, Why: d.Why,
					Mend: alterTopic(t.Name, name, t.Settings[name]),
				})
			}
		}
	}
	return out
}

func alterTopic(topic, setting, value string) string {
	if strings.Contains(value, ",") {
		value = "[" + value + "]"
	}
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name %s --add-config '%s=%s'", topic, setting, value)
}

// partitionFindings: results lie in the partition of their crash, and recent.go
// looks for them there; the versions log is one history.
func partitionFindings(seen []seenTopic) []Finding {
	var out []Finding
	var raw *seenTopic // what the others are compared with: crash.raw, or the first one
	for i, t := range seen {
		if !t.missing && schema.Keyed(t.Name) && (raw == nil || t.Name == schema.TopicRaw) {
			raw = &seen[i]
		}
	}
	for _, t := range seen {
		f := Finding{Severity: SeverityError, Stops: true, Topic: t.Name, Setting: "partitions", Is: strconv.Itoa(t.partitions)}
		switch {
		case t.missing:
		case t.Name == schema.TopicVersions && t.partitions != 1:
			f.Want, f.Why = "1", "operations on signature versions have one order"
			f.Mend = "delete the topic while it is empty, and " + createCommand
			out = append(out, f)
		case raw != nil && schema.Keyed(t.Name) && t.partitions != raw.partitions:
			f.Want, f.Why = fmt.Sprintf("%d as %s", raw.partitions, raw.Name), "a crash and its results must lie in the same partition, or repeated ones are not known"
			f.Mend = fmt.Sprintf("stop all roles, delete the one that can be made again from %s, and %s --partitions %d", schema.TopicRaw, createCommand, raw.partitions)
			out = append(out, f)
		}
	}
	return out
}

// Replicas that a topic should have, and that must have a record before it counts
// as kept: then one broker can be lost with nothing lost, and another rest.
const (
	wantReplicas = 3
	wantInSync   = 2
)

// inSync is min.insync.replicas of a topic with so many replicas.
func inSync(replicas int) int { return max(1, min(wantInSync, replicas)) }

func replicationFindings(seen []seenTopic, o CheckOptions) []Finding {
	var out []Finding
	for _, t := range seen {
		if t.missing {
			continue
		}
		replication := Finding{
			Severity: SeverityError, Topic: t.Name, Setting: "replication factor", Is: strconv.Itoa(t.replicas), Want: strconv.Itoa(wantReplicas),
			Why: "a lost disk is lost crashes", Mend: "kafka-reassign-partitions.sh, or --allow-replication-1 where that does not matter",
		}
		switch {
		case t.replicas == 1 && !o.AllowReplication1:
			out = append(out, replication)
		case t.replicas == 2:
			replication.Severity, replication.Why, replication.Mend = SeverityWarning, "with one broker away nothing can be written", "kafka-reassign-partitions.sh"
			out = append(out, replication)
		}
		if is, known := t.settings["min.insync.replicas"]; known && is != strconv.Itoa(inSync(t.replicas)) {
			want := strconv.Itoa(inSync(t.replicas))
			f := Finding{
				Severity: SeverityError, Topic: t.Name, Setting: "min.insync.replicas", Is: is, Want: want,
				Why: "an answered crash would lie on one broker alone", Mend: alterTopic(t.Name, "min.insync.replicas", want),
			}
			if n, err := strconv.Atoi(is); err == nil && n > inSync(t.replicas) {
				f.Severity, f.Why = SeverityWarning, "fewer brokers may be away than need be"
				if n > t.replicas {
					f.Severity, f.Why = SeverityError, "nothing can be written: there are not so many replicas"
				}
			}
			out = append(out, f)
		}
		if t.settings["unclean.leader.election.enable"] == "true" && t.replicas > 1 {
			out = append(out, Finding{
				Severity: SeverityError, Topic: t.Name, Setting: "unclean.leader.election.enable", Is: "true", Want: "false",
				Why: "a replica that lacks records could become the leader, and they are gone", Mend: alterTopic(t.Name, "unclean.leader.election.enable", "false"),
			})
		}
	}
	return out
}

func sorted(settings map[string]string) []string {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}
