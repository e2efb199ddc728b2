package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/heal"
	"aftershock/processor"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// grant is one operation of a row of docs/operations.md, "Kafka access".
type grant struct{ role, resource, name, pattern, operation string }

// documentedGrants reads the document: it is what operators follow.
func documentedGrants(t *testing.T) []grant {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []grant
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.Contains(line, "---") || strings.HasPrefix(line, "| role ") {
			continue
		}
		for operation := range strings.SplitSeq(cells[4], ",") {
			g := grant{cells[0], cells[1], cells[2], cells[3], operation}
			for _, field := range []*string{&g.role, &g.resource, &g.name, &g.pattern, &g.operation} {
				*field = strings.TrimSpace(*field)
			}
			out = append(out, g)
		}
	}
	return out
}

// acl is the grant as brokers want it.
func (g grant) acl(t *testing.T) kfake.ACL {
	t.Helper()
	resource, err := kmsg.ParseACLResourceType(strings.ReplaceAll(g.resource, " ", "_"))
	if err != nil {
		t.Fatal(err)
	}
	pattern, err := kmsg.ParseACLResourcePatternType(g.pattern)
	if err != nil {
		t.Fatal(err)
	}
	operation, err := kmsg.ParseACLOperation(g.operation)
	if err != nil {
		t.Fatal(err)
	}
	return kfake.ACL{Resource: resource, Name: g.name, Pattern: pattern, Operation: operation, Allow: true}
}

const testPassword = "canary-password"

// seenBy is the cluster as that user sees it.
func seenBy(t *testing.T, k stream.Kafka, name string) stream.Kafka {
	t.Helper()
	m, err := stream.NewSASL(stream.SASLScramSHA512, name, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	k.Security.SASL = m
	return k
}

// guarded is a broker where the role's user has the grants and nothing else,
// and what an administrator and that user see of it.
func guarded(t *testing.T, role string, grants []grant) (admin, theirs stream.Kafka) {
	t.Helper()
	var acls []kfake.ACL
	for _, g := range grants {
		if g.role == role {
			acls = append(acls, g.acl(t))
		}
	}
	k, _ := streamtest.Cluster(t, kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-512", "admin", testPassword), kfake.User("SCRAM-SHA-512", "role", testPassword, acls...))
	return seenBy(t, k, "admin"), seenBy(t, k, "role")
}

const accessCrash = "0bba929f-8721-460c-8e70-a43c90261122"

var accessCrashes atomic.Int64

// accessRoles do a role's work on one crash with the role's own clients, and
// return when it is done, or the error that the role stops with.
var accessRoles = map[string]func(t *testing.T, admin, k stream.Kafka) error{
	"collect": func(t *testing.T, _, k stream.Kafka) error {
		if err := stream.CheckStart(t.Context(), k, doorUses); err != nil {
			return err
		}
		p, err := k.Producer()
		if err != nil {
			return err
		}
		defer p.Close()
		return p.ProduceSync(t.Context(), &kgo.Record{Topic: schema.TopicRaw, Key: []byte(accessCrash), Value: encode(t, &schema.RawCrash{CrashID: accessCrash})}).FirstErr()
	},
	"process": func(t *testing.T, admin, k stream.Kafka) error {
		// A crash of its own: one that was processed before gives no output.
		id := fmt.Sprintf("%08x-8721-460c-8e70-a43c90261122", accessCrashes.Add(1))
		raw := &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: encode(t, &schema.RawCrash{CrashID: id})}
		streamtest.Put(t, admin, raw, &kgo.Record{Topic: schema.TopicRaw, Value: []byte("for the dead letters")})
		p := stream.Processor{
			Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(1, 1), Log: zerolog.Nop(),
			Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
				return &schema.ProcessedCrash{CrashID: in.Raw.CrashID}, nil
			},
		}
		outputs := []string{schema.ProcessedTopic(1), schema.TopicDeadLetter}
		if err := workingOn(t, admin, k, processUses, id, outputs, p.Run); err != nil {
			return err
		}
		at := schema.Position{Topic: raw.Topic, Partition: raw.Partition, Offset: raw.Offset}
		streamtest.Put(t, admin,
			&kgo.Record{Topic: schema.TopicReprocess, Key: []byte(id), Value: encode(t, &schema.ReprocessRequest{CrashID: id, Raw: at})},
			&kgo.Record{Topic: schema.TopicReprocess, Value: []byte("for the dead letters")})
		again := stream.Reprocessor{Processor: p}
		if err := working(t, admin, k, processUses, outputs, again.Run); err != nil {
			return err
		}
		streamtest.Put(t, admin,
			&kgo.Record{Topic: schema.TopicHeal, Key: []byte(id), Value: encode(t, &schema.ReprocessRequest{CrashID: id, Raw: at, Attempt: 1}), Timestamp: time.Now().Add(-time.Hour)},
			&kgo.Record{Topic: schema.TopicHeal, Value: []byte("for the dead letters")})
		healer := stream.Healer{Kafka: k, Instance: "0", Well: func(context.Context) bool { return true }, Log: zerolog.Nop()}
		if err := working(t, admin, k, processUses, []string{schema.TopicReprocess, schema.TopicDeadLetter}, healer.Run); err != nil {
			return err
		}
		if err := archiving(t, admin, k, at, id); err != nil {
			return err
		}
		return resigning(t, admin, k)
	},
	"sink clickhouse": func(t *testing.T, admin, k stream.Kafka) error {
		streamtest.Put(t, admin, processedRecords(t)...)
		return working(t, admin, k, clickHouseUses, []string{schema.TopicDeadLetter}, func(ctx context.Context) error {
			return sinks.Run(ctx, sinks.Options{Kafka: k, Name: clickhouse.Name, Version: 1, Instance: "0", Sink: noSink{}, Log: zerolog.Nop()})
		})
	},
	"sink telemetry": func(t *testing.T, admin, k stream.Kafka) error {
		streamtest.Put(t, admin, processedRecords(t)...)
		return working(t, admin, k, telemetryUses, []string{schema.TopicTelemetry, schema.TopicDeadLetter}, func(ctx context.Context) error {
			return telemetry.Run(ctx, telemetry.Options{
				Kafka: k, Versions: streamtest.Following(t, k), Version: 1, Epoch: 1, Instance: "0", Annotations: schema.DefaultRegistry, Log: zerolog.Nop(),
			})
		})
	},
	"heal": func(t *testing.T, admin, k stream.Kafka) error {
		e := schema.SymbolsEvent{DebugFile: "orchard", DebugID: "A1", Reason: schema.SymbolsUpload}
		if err := stream.Announce(t.Context(), admin, []schema.SymbolsEvent{e}); err != nil {
			t.Fatal(err)
		}
		if err := stream.CheckStart(t.Context(), k, healUses); err != nil {
			return err
		}
		r := heal.Rechecker{Kafka: k, DB: lackingTables{}, Versions: streamtest.Following(t, k), Ask: func(context.Context, string, string) heal.Answer { return heal.Answer{SHA256: "12"} }, Log: zerolog.Nop()}
		if err := r.Once(t.Context()); err != nil {
			return err
		}
		h := heal.Healer{Kafka: k, DB: lackingTables{}, Versions: streamtest.Following(t, k), Instance: "0", Settle: time.Millisecond, Log: zerolog.Nop()}
		return untilCommitted(t, admin, schema.GroupSymbols, schema.TopicSymbols, h.Run)
	},
	"consumer": func(t *testing.T, admin, k stream.Kafka) error {
		streamtest.Put(t, admin, &kgo.Record{Topic: schema.TopicTelemetry, Key: []byte(accessCrash)})
		cl, err := k.GroupClient("consumer.test", schema.TopicTelemetry, "0")
		if err != nil {
			return err
		}
		defer cl.Close()
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			return stream.Named(err, "READ", schema.TopicTelemetry, "consumer.test", "")
		}
		return cl.CommitRecords(t.Context(), fetches.Records()...)
	},
	"web": func(t *testing.T, admin, k stream.Kafka) error {
		uses := webUses
		uses.Topics = append([]stream.Use{dumpUse}, uses.Topics...)
		if err := stream.CheckStart(t.Context(), k, uses); err != nil {
			return err
		}
		audit, err := stream.NewAudit(k)
		if err != nil {
			return err
		}
		defer audit.Close()
		if err := audit.Keep(t.Context(), &schema.AuditEvent{Who: "jane", What: schema.AuditDump, Subject: accessCrash}); err != nil {
			return err
		}
		events, err := audit.Newest(t.Context(), 1)
		if err != nil {
			return err
		}
		if len(events) != 1 {
			t.Errorf("%d events", len(events))
		}
		raw := schema.RawCrash{CrashID: accessCrash, Dumps: []schema.Dump{{Name: schema.MainDump, Size: 4, Encoding: schema.EncodingNone, SHA256: sha256.Sum256([]byte("MDMP")), Inline: []byte("MDMP")}}}
		day, err := schema.CrashDay(accessCrash)
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, admin, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(accessCrash), Value: encode(t, &raw), Timestamp: day.Add(time.Hour)})
		data, err := dumpFinder{kafka: k}.Dump(t.Context(), accessCrash, "")
		if err == nil && string(data) != "MDMP" {
			t.Errorf("%q", data)
		}
		if err != nil {
			return err
		}
		return showing(t, admin, k)
	},
	"replay": replaying,
	"stats": func(t *testing.T, admin, k stream.Kafka) error {
		streamtest.Put(t, admin, processedRecords(t)...)
		_, err := tablesLag(t.Context(), k)
		return err
	},
	"topics": func(t *testing.T, _, k stream.Kafka) error {
		if err := prepare(t.Context(), k, topicFlags{Partitions: 2, Replication: 1}); err != nil {
			return err
		}
		findings, err := stream.CheckTopics(t.Context(), k, stream.CheckOptions{AllowReplication1: true})
		if err == nil && len(findings) > 0 {
			err = &hiddenError{fmt.Sprint(findings)}
		}
		return err
	},
}

// lackingTables have one crash, which lacks everything.
type lackingTables struct{}

func (lackingTables) DaysSince(context.Context, []int32, time.Time) ([]time.Time, error) {
	return []time.Time{time.Now()}, nil
}

func (lackingTables) EachLacking(_ context.Context, _ clickhouse.Population, day time.Time, _ clickhouse.Arrived, each func(clickhouse.Lacking) error) error {
	return each(clickhouse.Lacking{CrashID: accessCrash, Version: 1, Day: day, Raw: schema.Position{Topic: schema.TopicRaw}})
}

func (lackingTables) Asked(context.Context, clickhouse.Population, int64, time.Time, []clickhouse.Lacking) error {
	return nil
}

func (lackingTables) MostSought(context.Context, []int32, time.Time, int) ([]clickhouse.Sought, error) {
	return []clickhouse.Sought{{DebugFile: "orchard", DebugID: "A1", Crashes: 1}}, nil
}

// archiving makes a late crash of an archived version.
func archiving(t *testing.T, admin, k stream.Kafka, at schema.Position, id string) error {
	t.Helper()
	show := func(version int32) {
		t.Helper()
		if _, err := stream.Operate(t.Context(), admin, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
			next := state.Clone()
			next.Versions = slices.DeleteFunc(next.Versions, func(v schema.SignatureVersion) bool { return v.Number == 7 })
			if version == 7 {
				old := next.Versions[0]
				old.Number, old.State = 7, schema.StateArchived
				next.Versions = append(next.Versions, old)
			}
			next.Activation.Ranges[0].SignatureVersion = version
			next.Activation.Epoch++
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	show(7)
	defer show(1) // other roles may work on the same cluster afterwards
	streamtest.Put(t, admin,
		&kgo.Record{Topic: schema.TopicReprocess, Key: []byte(id), Value: encode(t, &schema.ReprocessRequest{CrashID: id, Raw: at, Versions: []int32{7}})},
		&kgo.Record{Topic: schema.TopicReprocess, Key: []byte(id), Value: encode(t, &schema.ReprocessRequest{CrashID: id, Raw: schema.Position{Topic: schema.TopicRaw, Offset: 1 << 40}, Versions: []int32{7}})})
	a := stream.Archivist{
		Processor: stream.Processor{Kafka: k, Versions: streamtest.Following(t, k), Instance: "0", Workers: stream.NewWorkers(1, 1), Log: zerolog.Nop()},
		Of: func(context.Context, *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
			return func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
				return &schema.ProcessedCrash{CrashID: in.Raw.CrashID}, nil
			}, nil
		},
	}
	return working(t, admin, k, processUses, []string{schema.ProcessedTopic(schema.Archived), schema.TopicDeadLetter}, a.Run)
}

// resigning makes version 2 of version 1.
func resigning(t *testing.T, admin, k stream.Kafka) error {
	t.Helper()
	if err := stream.CreateTopics(t.Context(), admin, 1, schema.Processed(2, 2)); err != nil {
		t.Fatal(err)
	}
	v := schema.SignatureVersion{Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Base: 1}
	for p := range int32(2) {
		v.Begins = append(v.Begins, schema.PartitionOffset{Partition: p, Offset: 1 << 40})
		v.BaseEnds = append(v.BaseEnds, schema.PartitionOffset{Partition: p, Offset: 1 << 40})
	}
	if _, err := stream.Operate(t.Context(), admin, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := state.Clone()
		next.Versions = append(next.Versions, v)
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, admin, processedRecords(t)...)
	r := stream.Resigner{
		Kafka: k, Versions: streamtest.Following(t, k), Instance: "0", Version: &v, Workers: stream.NewWorkers(1, 1), Log: zerolog.Nop(),
		Sign: func(*schema.ProcessedCrash) error { return nil },
	}
	return working(t, admin, k, processUses, []string{schema.ProcessedTopic(2), schema.TopicDeadLetter}, r.Run)
}

// hiddenError is that settings are not ours to see: no refusal, but told.
type hiddenError struct{ findings string }

func (e *hiddenError) Error() string { return e.findings }

type noSink struct{}

func (noSink) Write(context.Context, []sinks.Row) error { return nil }

func encode[E schema.Event](t *testing.T, event *E) []byte {
	t.Helper()
	value, err := schema.Encode(event)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// processedRecords are a good one and one for the dead letters.
func processedRecords(t *testing.T) []*kgo.Record {
	t.Helper()
	return []*kgo.Record{
		{Topic: schema.ProcessedTopic(1), Key: []byte(accessCrash), Value: encode(t, &schema.ProcessedCrash{
			CrashID: accessCrash, ReceivedAt: time.UnixMilli(1_790_000_000_000).UTC(), SignatureVersion: 1,
		})},
		{Topic: schema.ProcessedTopic(1), Value: []byte("for the dead letters")},
	}
}

// working starts a role as its verb does and ends it when each output has a
// record, or returns what it ended with before that.
func working(t *testing.T, admin, k stream.Kafka, uses stream.Uses, outputs []string, run func(context.Context) error) error {
	t.Helper()
	return workingOn(t, admin, k, uses, "", outputs, run)
}

// untilCommitted runs a role until its group has committed something of a topic, or returns what
// it ended with before that.
func untilCommitted(t *testing.T, admin stream.Kafka, group, topic string, run func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	groups, err := stream.NewGroups(admin)
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(50 * time.Millisecond):
		}
		if offsets, err := groups.Offsets(ctx, group, topic); err == nil && len(offsets) > 0 {
			cancel()
			return <-ended
		}
	}
}

// workingOn is working until the first output has a record of that key: the role may have
// others to work on first.
func workingOn(t *testing.T, admin, k stream.Kafka, uses stream.Uses, key string, outputs []string, run func(context.Context) error) error {
	t.Helper()
	if err := stream.CheckStart(t.Context(), k, uses); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // then it has stopped doing its work, and says nothing
	defer cancel()
	from := map[string]map[int32]kgo.Offset{}
	for _, topic := range outputs {
		from[topic] = ends(t, admin, topic)
	}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	written := make(chan error, 1)
	go func() {
		for i, topic := range outputs {
			want := key
			if i > 0 {
				want = ""
			}
			if err := recordOf(ctx, admin, want, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from[topic]})); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	select {
	case err := <-ended:
		return err
	case err := <-written:
		cancel()
		return errors.Join(err, <-ended)
	}
}

// ends are where the topic ends now.
func ends(t *testing.T, k stream.Kafka, topic string) map[int32]kgo.Offset {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return listed.KOffsets()[topic]
}

// oneRecord waits for a committed record.
func oneRecord(ctx context.Context, k stream.Kafka, consume kgo.Opt) error {
	return recordOf(ctx, k, "", consume)
}

// recordOf is oneRecord of a key; of any, if it is empty.
func recordOf(ctx context.Context, k stream.Kafka, key string, consume kgo.Opt) error {
	cl, err := kgo.NewClient(append(k.Options(), consume, kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		if slices.ContainsFunc(fetches.Records(), func(r *kgo.Record) bool { return key == "" || string(r.Key) == key }) {
			return nil
		}
	}
}

// Every role works with what the document grants it, and needs each of it: without
// one operation it stops and names the operation and the resource.
func TestDocumentedAccessIsEnoughAndNotTooMuch(t *testing.T) {
	t.Parallel()
	grants := documentedGrants(t)
	for role, work := range accessRoles {
		try := func(t *testing.T, without grant) error {
			t.Parallel()
			have := slices.DeleteFunc(slices.Clone(grants), func(g grant) bool { return g == without })
			admin, k := guarded(t, role, have)
			var logged streamtest.Log
			k.Log = zerolog.New(&logged)
			if role != "topics" {
				if err := prepare(t.Context(), admin, topicFlags{Partitions: 2, Replication: 1}); err != nil {
					t.Fatal(err)
				}
			}
			err := work(t, admin, k)
			if text := fmt.Sprint(err, &logged); strings.Contains(text, testPassword) {
				t.Errorf("the password is shown: %s", text)
			}
			if warned := strings.Contains(logged.String(), "DESCRIBE_CONFIGS on topic "+without.name); warned != (without.operation == "DESCRIBE_CONFIGS") && role != "topics" && role != "consumer" {
				t.Errorf("settings hidden is logged: %v: %s", warned, &logged)
			}
			return err
		}
		t.Run(role, func(t *testing.T) {
			if err := try(t, grant{}); err != nil {
				t.Error(err)
			}
		})
		n := 0
		for _, g := range grants {
			if g.role != role {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s without %s on %s %s", role, g.operation, g.resource, g.name), func(t *testing.T) {
				err := try(t, g)
				var refused *stream.AccessError
				var hidden *hiddenError
				switch {
				case g.operation == "DESCRIBE_CONFIGS" && role == "topics":
					if !errors.As(err, &hidden) || !strings.Contains(err.Error(), "DESCRIBE_CONFIGS") {
						t.Errorf("err = %v", err)
					}
				case g.operation == "DESCRIBE_CONFIGS":
					if err != nil {
						t.Error(err)
					}
				case !errors.As(err, &refused):
					t.Errorf("err = %v, want a refusal", err)
				case (role == "replay" || role == "topics") && refused.Resource == g.resource && strings.Contains(refused.Name, g.name) && (g.resource == "group" || refused.Operation == g.operation):
					// a group is looked at first; topics of one transaction are refused together
				case refused.Operation == "DESCRIBE" && g.operation == "READ" && refused.Resource == g.resource && strings.HasPrefix(refused.Name, g.name): // READ implies it
				case refused.Resource != g.resource || !strings.HasPrefix(refused.Name, g.name) || refused.Operation != g.operation:
					t.Errorf("err = %v", err)
				}
			})
		}
		if n == 0 {
			t.Errorf("the document grants %s nothing", role)
		}
	}
	for _, g := range grants {
		if accessRoles[g.role] == nil {
			t.Errorf("nothing tests the role %q of the document", g.role)
		}
	}
}

// A user of the public topic sees nothing that is protected.
func TestConsumerOfThePublicTopicReadsNothingElse(t *testing.T) {
	t.Parallel()
	admin, k := guarded(t, "consumer", documentedGrants(t))
	if err := prepare(t.Context(), admin, topicFlags{Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter, schema.TopicReprocess, schema.TopicVersions} {
		streamtest.Put(t, admin, &kgo.Record{Topic: topic, Value: []byte("protected")})
		if err := oneRecord(t.Context(), k, kgo.ConsumeTopics(topic)); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

// showing does what pages with versions do.
func showing(t *testing.T, admin, k stream.Kafka) error {
	t.Helper()
	if err := stream.CheckStart(t.Context(), k, versionUses); err != nil {
		return err
	}
	records := processedRecords(t)
	streamtest.Put(t, admin, records...)
	o := &replay.Operator{Kafka: k, Now: time.Now, Log: zerolog.Nop()}
	if _, err := o.Plan(t.Context(), replay.PlanOptions{Ruleset: signature.Default(), Sample: 10}); err != nil {
		return err
	}
	if _, err := o.Look(t.Context()); err != nil {
		return err
	}
	groups, err := stream.NewGroups(k) // as Look asks of a version that is made of another's results
	if err != nil {
		return err
	}
	defer groups.Close()
	if _, err := groups.Offsets(t.Context(), schema.ResignGroup(2), schema.ProcessedTopic(1)); err != nil {
		return err
	}
	e := &replay.Explainer{Kafka: k, Versions: streamtest.Following(t, admin)}
	_, err = e.Why(t.Context(), schema.Position{Topic: records[0].Topic, Partition: records[0].Partition, Offset: records[0].Offset}, 1)
	return err
}

// replaying does what an operator does, but for what needs ClickHouse.
func replaying(t *testing.T, admin, k stream.Kafka) error {
	t.Helper()
	streamtest.Put(t, admin, processedRecords(t)...)
	dead := &kgo.Record{Topic: schema.TopicRaw, Key: []byte(accessCrash), Value: encode(t, &schema.RawCrash{CrashID: accessCrash})}
	streamtest.Put(t, admin, dead)
	streamtest.Put(t, admin, stream.DeadLetter(dead, schema.DeadProcess, "process", 1))
	commit(t, admin, schema.ProcessGroup(1), dead)
	o := &replay.Operator{Kafka: k, Who: "test", Now: time.Now, Log: zerolog.Nop()}
	if _, err := o.Plan(t.Context(), replay.PlanOptions{Ruleset: signature.Default(), Sample: 10}); err != nil {
		return err
	}
	files := map[string]string{}
	for _, f := range signature.Default().Files() {
		files[f.Name] = f.Text + "\n" // other bytes: a text that the log does not hold yet
	}
	other, err := signature.FromFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	opts := replay.StartOptions{Ruleset: other, ProcessVersion: processor.Version, Registry: schema.DefaultRegistry, Source: schema.SourceRaw, Share: 1}
	if _, err := o.Start(t.Context(), opts); err != nil {
		return err
	}
	opts.Source = schema.SourceProcessed
	v, err := o.Start(t.Context(), opts)
	if err != nil {
		return err
	}
	if _, err := o.Look(t.Context()); err != nil {
		return err
	}
	if err := o.Retire(t.Context(), v.Number); err != nil {
		return err
	}
	g, err := stream.NewGroups(k)
	if err != nil {
		return err
	}
	defer g.Close()
	return g.Delete(t.Context(), schema.ProcessedTopic(v.Number), schema.ProcessGroup(v.Number), schema.ReprocessGroup(v.Number), schema.ResignGroup(v.Number), schema.SinkGroup(clickhouse.Name, v.Number))
}

// commit lets a group have come past a record.
func commit(t *testing.T, admin stream.Kafka, group string, r *kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(admin.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var offsets kadm.Offsets
	offsets.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}
