package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A partition that ends before its end was seen is not read.
func TestReadingGivesUpAfterASilence(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := Kafka{Brokers: c.ListenAddrs(), Log: zerolog.Nop()}
	p, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: "in"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	none := func(*kgo.Record) error { return nil }
	if err := k.read(t.Context(), "in", map[int32]Span{0: {0, 1}}, time.Minute, none); err != nil {
		t.Errorf("read to its end: %v", err)
	}
	if err := k.read(t.Context(), "in", map[int32]Span{0: {0, 2}}, 100*time.Millisecond, none); !errors.Is(err, errSilence) {
		t.Errorf("one record less than there should be: %v", err)
	}
}
