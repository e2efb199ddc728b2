package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"time"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
)

// topicsVerbs prepare Kafka.
type topicsVerbs struct {
	Create topicsCreateVerb `cmd:"" help:"Create the topics that do not exist, and announce signature version 1 if there is none."`
	Repair topicsRepairVerb `cmd:"" help:"Say which groups' offsets are out of range, because records have expired unread or a topic was made anew, and let them go on by decision."`
	Check  topicsCheckVerb  `cmd:"" help:"Compare topics and brokers with what they should be; exit code 1 when something loses or doubles crashes."`
}

type topicsCreateVerb struct {
	kafkaFlags
	topicFlags
}

// topicFlags say what new topics are like.
type topicFlags struct {
	Partitions  int32 `help:"Partitions of a new topic. They never change afterwards." default:"8"`
	Replication int16 `help:"Replicas of a new topic." default:"3"`
}

// Run creates topics and announces the first version.
func (v *topicsCreateVerb) Run(r *run) error {
	if err := v.use(true); err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	return prepare(r.ctx, kafka, v.topicFlags)
}

// prepare makes the topics and, when the versions log is empty, announces
// signature version 1: the ruleset that ships with this binary.
func prepare(ctx context.Context, k stream.Kafka, f topicFlags) error {
	if err := stream.CreateTopics(ctx, k, f.Replication, append(schema.Topics(f.Partitions), schema.Processed(1, f.Partitions))...); err != nil {
		return err
	}
	// Most starts find the version there: they need not fence anybody.
	current, err := stream.NewestVersions(ctx, k)
	if err != nil || current != nil {
		return err
	}
	_, err = stream.OperateWith(ctx, k, func(current *schema.VersionEvent) (stream.Operation, error) {
		if current != nil {
			return stream.Operation{}, nil // somebody announced it a moment ago: nothing to write
		}
		return stream.Operation{Event: firstVersion(time.Now()), Registry: schema.DefaultRegistry}, nil
	})
	return err
}

// firstVersion announces signature version 1 and shows it for all time.
func firstVersion(at time.Time) *schema.VersionEvent {
	ruleset := signature.Default()
	v := schema.SignatureVersion{
		Number: 1, ProcessVersion: processor.Version, RulesetHash: ruleset.Hash(),
		RegistryHash: schema.DefaultRegistry.Hash(), State: schema.StateLive, Source: schema.SourceRaw, Share: 1,
	}
	for _, f := range ruleset.Files() {
		v.Ruleset = append(v.Ruleset, schema.RulesetFile{Name: f.Name, Text: f.Text})
	}
	return &schema.VersionEvent{
		Operation: schema.OpAnnounce, Subject: 1, Who: operator(), At: at.UTC().Truncate(time.Millisecond),
		Why: "first start", Versions: []schema.SignatureVersion{v},
		Activation: schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{
			{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1, Epoch: 1},
		}},
	}
}

// operator is who runs this command, for the versions log.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return fmt.Sprintf("%s@%s", name, host)
}

// redactURL hides a URL's password.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}
