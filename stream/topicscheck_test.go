package stream_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/internal/freeport"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// cluster has every topic as it should be, and signature version 1.
func cluster(t *testing.T, replication int16) (stream.Kafka, *kfake.Cluster) {
	t.Helper()
	k, c := streamtest.Cluster(t, kfake.NumBrokers(int(replication)))
	if err := stream.CreateTopics(t.Context(), k, replication, append(schema.Topics(2), schema.Processed(1, 2))...); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
		t.Fatal(err)
	}
	return k, c
}

// administer does something to the cluster as its administrator.
func administer(t *testing.T, k stream.Kafka, do func(context.Context, *kadm.Client) error) {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := do(t.Context(), kadm.NewClient(cl)); err != nil {
		t.Fatal(err)
	}
}

func setting(t *testing.T, k stream.Kafka, topic, name, value string) {
	t.Helper()
	administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
		res, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
		if err == nil {
			_, err = res.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
		}
		return err
	})
}

// anew makes a topic again with other partitions, as a hand other than ours does.
func anew(t *testing.T, k stream.Kafka, topic schema.Topic) {
	t.Helper()
	without(t, k, topic.Name)
	administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
		settings := map[string]*string{}
		for name, value := range topic.Settings {
			settings[name] = &value
		}
		_, err := admin.CreateTopic(ctx, topic.Partitions, 1, settings, topic.Name)
		return err
	})
}

func without(t *testing.T, k stream.Kafka, topic string) {
	t.Helper()
	administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.DeleteTopic(ctx, topic)
		return err
	})
}

// short tells a finding's essence.
func short(f stream.Finding) string {
	out := f.Severity + " " + f.Topic + " " + f.Setting + "=" + f.Is
	if f.Stops {
		out += " stops"
	}
	return out
}

func TestCheckFindsWhatIsWrongAndNothingElse(t *testing.T) {
	t.Parallel()
	table := func(name string, partitions int32) schema.Topic {
		for _, topic := range append(schema.Topics(partitions), schema.Processed(1, partitions)) {
			if topic.Name == name {
				topic.Partitions = partitions
				return topic
			}
		}
		t.Fatalf("no topic %s", name)
		return schema.Topic{}
	}
	set := func(topic, name, value string) func(*testing.T, stream.Kafka) {
		return func(t *testing.T, k stream.Kafka) { setting(t, k, topic, name, value) }
	}
	again := func(topic string, partitions int32) func(*testing.T, stream.Kafka) {
		return func(t *testing.T, k stream.Kafka) { anew(t, k, table(topic, partitions)) }
	}
	gone := func(topic string) func(*testing.T, stream.Kafka) {
		return func(t *testing.T, k stream.Kafka) { without(t, k, topic) }
	}
	broker := func(name, value string) func(*testing.T, stream.Kafka) {
		return func(t *testing.T, k stream.Kafka) {
			administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
				res, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, 0)
				if err == nil {
					_, err = res.On("0", func(r *kadm.AlterConfigsResponse) error { return r.Err })
				}
				return err
			})
		}
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, stream.Kafka)
		want   []string
	}{
		"all is right":                  {},
		"raw is missing":                {change: gone(schema.TopicRaw), want: []string{"error crash.raw topic=missing stops"}},
		"processed is missing":          {change: gone(schema.ProcessedTopic(1)), want: []string{"error crash.processed.v1 topic=missing stops"}},
		"versions is missing":           {change: gone(schema.TopicVersions), want: []string{"error crash.versions topic=missing stops"}},
		"there is no version":           {change: again(schema.TopicVersions, 1), want: []string{"error crash.versions signature versions=none"}},
		"processed has more partitions": {change: again(schema.ProcessedTopic(1), 3), want: []string{"error crash.processed.v1 partitions=3 stops"}},
		"telemetry has fewer":           {change: again(schema.TopicTelemetry, 1), want: []string{"error crash.telemetry partitions=1 stops"}},
		"requests have more":            {change: again(schema.TopicReprocess, 4), want: []string{"error crash.reprocess partitions=4 stops"}},
		"dead letters have more":        {change: again(schema.TopicDeadLetter, 4)},
		"versions has two": {
			change: again(schema.TopicVersions, 2),
			want:   []string{"error crash.versions signature versions=none", "error crash.versions partitions=2 stops"},
		},
		"raw is kept a day":          {change: set(schema.TopicRaw, "retention.ms", "86400000"), want: []string{"error crash.raw retention.ms=86400000"}},
		"raw is kept for ever":       {change: set(schema.TopicRaw, "retention.ms", "-1")},
		"processed is kept a day":    {change: set(schema.ProcessedTopic(1), "retention.ms", "86400000"), want: []string{"warning crash.processed.v1 retention.ms=86400000"}},
		"versions expires":           {change: set(schema.TopicVersions, "retention.ms", "86400000"), want: []string{"error crash.versions retention.ms=86400000"}},
		"raw is compacted":           {change: set(schema.TopicRaw, "cleanup.policy", "compact"), want: []string{"error crash.raw cleanup.policy=compact stops"}},
		"telemetry is not":           {change: set(schema.TopicTelemetry, "cleanup.policy", "delete"), want: []string{"warning crash.telemetry cleanup.policy=delete"}},
		"raw has the append's time":  {change: set(schema.TopicRaw, "message.timestamp.type", "LogAppendTime"), want: []string{"error crash.raw message.timestamp.type=LogAppendTime stops"}},
		"processed has the crash's":  {change: set(schema.ProcessedTopic(1), "message.timestamp.type", "CreateTime"), want: []string{"error crash.processed.v1 message.timestamp.type=CreateTime"}},
		"raw takes small batches":    {change: set(schema.TopicRaw, "max.message.bytes", "1048588"), want: []string{"error crash.raw max.message.bytes=1048588 stops"}},
		"raw takes larger ones":      {change: set(schema.TopicRaw, "max.message.bytes", "16777216")},
		"more in sync than there is": {change: set(schema.TopicRaw, "min.insync.replicas", "2"), want: []string{"error crash.raw min.insync.replicas=2"}},
		"transactions are too short": {change: broker("transaction.max.timeout.ms", "5999"), want: []string{"error broker 0 transaction.max.timeout.ms=5999"}},
		"transactions are not":       {change: broker("transaction.max.timeout.ms", "10000")},
		"offsets expire in days":     {change: broker("offsets.retention.minutes", "10079"), want: []string{"warning broker 0 offsets.retention.minutes=10079"}},
		"sessions must be longer":    {change: broker("group.min.session.timeout.ms", "6001"), want: []string{"error broker 0 group.min.session.timeout.ms=6001"}},
		"just long enough":           {change: broker("transaction.max.timeout.ms", "6000")},
		"a week":                     {change: broker("offsets.retention.minutes", "10080")},
		"sessions may be so long":    {change: broker("group.min.session.timeout.ms", "6000")},
		"sessions may be so short":   {change: broker("group.max.session.timeout.ms", "6000")},
		"requests are cut off":       {change: broker("socket.request.max.bytes", "16777215"), want: []string{"error broker 0 socket.request.max.bytes=16777215"}},
		"requests are not":           {change: broker("socket.request.max.bytes", "16777216")},
		"sessions must be shorter":   {change: broker("group.max.session.timeout.ms", "5999"), want: []string{"error broker 0 group.max.session.timeout.ms=5999"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := cluster(t, 1)
			if tc.change != nil {
				tc.change(t, k)
			}
			findings, err := stream.CheckTopics(t.Context(), k, stream.CheckOptions{AllowReplication1: true})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, short(f))
				if f.Why == "" || f.Want == "" || f.Mend == "" {
					t.Errorf("says too little: %+v", f)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBrokersAreToldWhatToSet(t *testing.T) {
	t.Parallel()
	k, _ := cluster(t, 1)
	for name, value := range map[string]string{"group.min.session.timeout.ms": "7000", "transaction.max.timeout.ms": "10"} {
		administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
			_, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, 0)
			return err
		})
	}
	findings, err := stream.CheckTopics(t.Context(), k, stream.CheckOptions{AllowReplication1: true})
	want := []stream.Finding{
		{
			Severity: "error", Topic: "broker 0", Setting: "transaction.max.timeout.ms", Is: "10", Want: "6000 or more", Why: "no transaction could begin",
			Mend: "set transaction.max.timeout.ms=6000 in the broker's server.properties and restart it",
		},
		{
			Severity: "error", Topic: "broker 0", Setting: "group.min.session.timeout.ms", Is: "7000", Want: "6000 or less", Why: "no consumer group could be joined",
			Mend: "set group.min.session.timeout.ms=6000 in the broker's server.properties and restart it",
		},
	}
	if d := cmp.Diff(want, findings); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

func TestReplicationIsAskedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		replication int16
		change      func(t *testing.T, k stream.Kafka, c *kfake.Cluster)
		allow       bool
		want        []string // about crash.raw
	}{
		"one replica":          {1, nil, false, []string{"error crash.raw replication factor=1"}},
		"one replica, allowed": {1, nil, true, nil},
		"two replicas":         {2, nil, false, []string{"warning crash.raw replication factor=2"}},
		"three replicas":       {3, nil, false, nil},
		"three, and one is kept": {3, func(t *testing.T, k stream.Kafka, _ *kfake.Cluster) {
			setting(t, k, schema.TopicRaw, "min.insync.replicas", "1")
		}, false, []string{"error crash.raw min.insync.replicas=1"}},
		"three, and all must be": {3, func(t *testing.T, k stream.Kafka, _ *kfake.Cluster) {
			setting(t, k, schema.TopicRaw, "min.insync.replicas", "3")
		}, false, []string{"warning crash.raw min.insync.replicas=3"}},
		"a leader that lacks records": {3, func(_ *testing.T, _ stream.Kafka, c *kfake.Cluster) {
			c.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) { // a setting that this broker does not know
				r := req.(*kmsg.DescribeConfigsRequest).Resources[0]
				if r.ResourceName != schema.TopicRaw {
					c.KeepControl()
					return nil, nil, false
				}
				resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
				resource, config, yes := kmsg.NewDescribeConfigsResponseResource(), kmsg.NewDescribeConfigsResponseResourceConfig(), "true"
				config.Name, config.Value = "unclean.leader.election.enable", &yes
				resource.ResourceName, resource.ResourceType, resource.Configs = r.ResourceName, r.ResourceType, append(resource.Configs, config)
				resp.Resources = append(resp.Resources, resource)
				return resp, nil, true
			})
		}, false, []string{"error crash.raw unclean.leader.election.enable=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := cluster(t, tc.replication)
			if tc.change != nil {
				tc.change(t, k, c)
			}
			findings, err := stream.CheckTopics(t.Context(), k, stream.CheckOptions{AllowReplication1: tc.allow})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				if f.Topic == schema.TopicRaw {
					got = append(got, short(f))
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

// A role stops for what would lose or double crashes, and only for what it uses.
func TestRolesStartOnlyOnTopicsThatKeepCrashes(t *testing.T) {
	uses := stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicRaw, Read: true}},
		Processed: stream.Use{Read: true, Write: true},
		Wanted:    func(*schema.VersionEvent, schema.SignatureVersion) bool { return true },
	}
	for name, tc := range map[string]struct {
		change      func(*testing.T, stream.Kafka)
		want, warns string
	}{
		"all is right":                  {nil, "", ""},
		"raw is missing":                {func(t *testing.T, k stream.Kafka) { without(t, k, schema.TopicRaw) }, "crash.raw: topic is missing", ""},
		"raw is compacted":              {func(t *testing.T, k stream.Kafka) { setting(t, k, schema.TopicRaw, "cleanup.policy", "compact") }, "crash.raw: cleanup.policy is compact", ""},
		"processed has more partitions": {func(t *testing.T, k stream.Kafka) { anew(t, k, schema.Processed(1, 3)) }, "crash.processed.v1: partitions is 3, want 2 as crash.raw", ""},
		"raw is kept a day":             {func(t *testing.T, k stream.Kafka) { setting(t, k, schema.TopicRaw, "retention.ms", "86400000") }, "", "retention.ms"},
		"another's topic is compacted":  {func(t *testing.T, k stream.Kafka) { setting(t, k, schema.TopicReprocess, "cleanup.policy", "compact") }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := cluster(t, 1)
			if tc.change != nil {
				tc.change(t, k)
			}
			var logged streamtest.Log
			k.Log = zerolog.New(&logged).Level(zerolog.WarnLevel)
			err := stream.CheckStart(t.Context(), k, uses)
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "mend it: ")) {
				t.Errorf("err = %v, want %q", err, tc.want)
			}
			if (logged.String() != "") != (tc.warns != "") || strings.Count(logged.String(), tc.warns) < 1 || strings.Count(logged.String(), "\n") > 1 {
				t.Errorf("logged %s, want %q once", &logged, tc.warns)
			}
		})
	}
}

// Records that a client may send reach every topic, also several in one batch.
func TestTopicsTakeTheBatchesOfClients(t *testing.T) {
	t.Parallel()
	k, _ := cluster(t, 1)
	p, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, topic := range append(schema.Topics(2), schema.Processed(1, 2)) {
		var records []*kgo.Record
		for range 12 {
			value := make([]byte, schema.MaxRawBytes)
			rand.Read(value) // does not get smaller
			records = append(records, &kgo.Record{Topic: topic.Name, Key: []byte("one partition"), Value: value})
		}
		if err := p.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Errorf("%s: %v", topic.Name, err)
		}
	}
}

// Topics made later, by somebody who asks for other partitions, fit crash.raw.
func TestTopicsMadeLaterHaveThePartitionsOfTheFirst(t *testing.T) {
	k, _ := cluster(t, 1)
	if err := stream.CreateTopics(t.Context(), k, 1, schema.Processed(2, 5), schema.Topic{Name: "other", Partitions: 5}); err != nil {
		t.Fatal(err)
	}
	administer(t, k, func(ctx context.Context, admin *kadm.Client) error {
		details, err := admin.ListTopics(ctx, schema.ProcessedTopic(2), "other")
		if got := []int{len(details[schema.ProcessedTopic(2)].Partitions), len(details["other"].Partitions)}; !slices.Equal(got, []int{2, 5}) {
			t.Errorf("partitions %v", got)
		}
		return err
	})
}

// A role and its brokers may be started together.
func TestRolesWaitForTheirBrokers(t *testing.T) {
	dir, port := t.TempDir(), freeport.Row(t, 1)
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.DataDir(dir), kfake.Ports(port)}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	k := stream.Kafka{Brokers: c.ListenAddrs(), Log: zerolog.Nop()}
	err = stream.CreateTopics(t.Context(), k, 1, schema.Topics(1)...)
	c.Close()
	if err != nil {
		t.Fatal(err)
	}
	var logged streamtest.Log
	k.Log = zerolog.New(&logged)
	checked := make(chan error, 1)
	go func() {
		checked <- stream.CheckStart(t.Context(), k, stream.Uses{Topics: []stream.Use{{Topic: schema.TopicRaw, Write: true}}})
	}()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(logged.String(), "connection refused"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nobody was asked: %s", &logged)
		}
	}
	if c, err = kfake.NewCluster(opts...); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-checked; err != nil {
		t.Error(err)
	}
}
