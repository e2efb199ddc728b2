package stream

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A member that was halted may find that another one worked meanwhile, and that the
// group does not know.
func TestAnOldWindowIsReadAgain(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := Kafka{Brokers: c.ListenAddrs(), Log: zerolog.Nop()}
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	put := func(id string) {
		t.Helper()
		if err := cl.ProduceSync(t.Context(), Identify(&kgo.Record{Topic: "out", Value: []byte(id)}, id)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	inputs := []*kgo.Record{{Partition: 0}}
	var r recent
	// left is how much of an output is left out by the window.
	left := func(id string) int {
		t.Helper()
		if err := r.load(t.Context(), k, []string{"out"}, inputs); err != nil {
			t.Fatal(err)
		}
		_, duplicates, _ := r.without(inputs, [][]*kgo.Record{{Identify(&kgo.Record{Topic: "out"}, id)}})
		return duplicates
	}
	put("before")
	if left("before") != 1 {
		t.Fatal("what lies in the topic is not known")
	}
	put("meanwhile")
	if left("meanwhile") != 0 {
		t.Fatal("a window that is young was read again: every batch would")
	}
	r.windows[0].known = time.Now().Add(-recentAge - time.Second)
	if left("meanwhile") != 1 {
		t.Error("what another member did meanwhile is not known")
	}
	r.windows[0].known = time.Now().Add(-recentAge - time.Second)
	_, _, done := r.without(inputs, make([][]*kgo.Record, 1))
	done()
	put("later")
	if left("later") != 0 {
		t.Error("a batch was committed just now, if without outputs: nobody else can have")
	}
}
