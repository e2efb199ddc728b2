package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kfake rolls back, when it reads its segments after a kill, the transactions
// that were open, but only in memory: it writes no abort marker. Two things go
// wrong then. A consumer that fetches the rolled back records and newer ones of
// the same producer in one answer takes them all for aborted, because only a
// marker ends an aborted transaction, and silently skips crashes. And the next
// time the segments are read, the marker of the producer's next commit makes the
// old records count as committed.
//
// So after an unclean end the broker writes the missing markers itself, before
// it lets anybody in: an abort marker for every transactional producer into
// every partition. Where none is missing it is a record that nobody sees.

// cleanName is the file that says that the broker ended in order.
const cleanName = "clean"

// healDeadline bounds writing the markers.
const healDeadline = 30 * time.Second

// takeClean tells whether the broker of this directory ended in order, or is
// new, and forgets it: until it is said again the answer is no.
func takeClean(dir, state string) (bool, error) {
	if _, err := os.Stat(state); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	err := os.Remove(filepath.Join(dir, cleanName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// markClean says that the broker ended in order.
func markClean(dir string) error {
	return os.WriteFile(filepath.Join(dir, cleanName), nil, 0o600)
}

// gate is a listener that lets only its own client in until it is opened.
type gate struct {
	net.Listener
	private net.Listener
	opened  chan struct{}
	once    sync.Once
}

// newGate wraps the listener of the public address.
func newGate(public net.Listener) (*gate, error) {
	private, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &gate{Listener: public, private: private, opened: make(chan struct{})}, nil
}

// Accept hands out private connections until the gate is open, then public ones.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case <-g.opened:
		return g.Listener.Accept()
	default:
	}
	conn, err := g.private.Accept()
	if err == nil {
		return conn, nil
	}
	<-g.opened
	return g.Listener.Accept()
}

// open lets everybody in; the private door is shut.
func (g *gate) open() {
	g.once.Do(func() {
		close(g.opened)
		g.private.Close() //nolint:errcheck,gosec // nothing was written through it
	})
}

// Close shuts both doors.
func (g *gate) Close() error {
	g.open()
	return g.Listener.Close()
}

// heal writes an abort marker of every transactional producer into every
// partition that has records.
func (g *gate) heal(ctx context.Context) (markers int, err error) {
	ctx, cancel := context.WithTimeout(ctx, healDeadline)
	defer cancel()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(g.Addr().String()),
		kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, g.private.Addr().String())
		}),
	)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	producers, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil || len(producers) == 0 {
		return 0, err
	}
	ends, err := admin.ListEndOffsets(ctx)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	written := kadm.TopicsSet{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			written.Add(o.Topic, o.Partition)
		}
	})
	var aborts []kadm.TxnMarkers
	for _, p := range producers {
		aborts = append(aborts, kadm.TxnMarkers{ProducerID: p.ProducerID, Topics: written})
		for _, partitions := range written {
			markers += len(partitions)
		}
	}
	answers, err := admin.WriteTxnMarkers(ctx, aborts...)
	if err != nil {
		return 0, err
	}
	answers.EachPartition(func(a kadm.TxnMarkersPartitionResponse) {
		if a.Err != nil {
			err = errors.Join(err, fmt.Errorf("%s partition %d: %w", a.Topic, a.Partition, a.Err))
		}
	})
	return markers, err
}
