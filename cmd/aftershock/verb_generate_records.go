package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/generate"
	"aftershock/schema"
	"aftershock/stream"
)

// generatedRecords are a topic of processed crashes.
type generatedRecords struct{ producer *kgo.Client }

func openGeneratedRecords(kafka stream.Kafka) (*generatedRecords, error) {
	producer, err := kafka.Producer()
	if err != nil {
		return nil, err
	}
	return &generatedRecords{producer}, nil
}

// foreign looks at the raw crashes: what is processed came of them.
func (t *generatedRecords) foreign(ctx context.Context) (string, error) {
	ends, err := kadm.NewClient(t.producer).ListEndOffsets(ctx, schema.TopicRaw)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", schema.TopicRaw, stream.Named(err, "DESCRIBE", schema.TopicRaw, "", ""))
	}
	n := int64(0)
	ends.Each(func(end kadm.ListedOffset) { n += end.Offset })
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("the brokers have had %d records of crashes that are not generated", n), nil
}

// write appends the records as the processor does: by crash id, with the identity of the
// crash and its revision.
func (t *generatedRecords) write(ctx context.Context, g *generate.Crashes, from, to int) error {
	records := make([]*kgo.Record, 0, to-from)
	for i := from; i < to; i++ {
		c := g.At(i)
		value, err := schema.Encode(c)
		if err != nil {
			return err
		}
		r := &kgo.Record{Topic: schema.ProcessedTopic(c.SignatureVersion), Key: []byte(c.CrashID), Value: value}
		records = append(records, stream.Identify(r, c.CrashID+"/"+strconv.FormatInt(c.Revision, 10)))
	}
	if err := t.producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return stream.Named(err, "WRITE", records[0].Topic, "", "")
	}
	return nil
}

func (t *generatedRecords) close() error {
	t.producer.Close()
	return nil
}
