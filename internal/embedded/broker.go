package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	defaultBrokerMemory   = 512 << 20
	defaultHousekeeping   = 10 * time.Minute
	defaultBrokerDiskWarn = 20 << 30
)

// BrokerOptions configure ServeBroker. Dir and Listen are required.
type BrokerOptions struct {
	// Dir holds every record, offset and transaction; one broker at a time.
	Dir string
	// Listen is 127.0.0.1:port with a fixed port, which clients are told.
	Listen string
	// SyncWrites flushes each batch to the disk before it is acknowledged.
	// Without it an acknowledged record survives the death of the broker but
	// not that of the machine.
	SyncWrites bool
	// MemoryLimit is the Go runtime's soft memory limit in bytes, for the whole
	// process. 0 means 512 MiB, negative none. Loading a partition at start
	// needs about its size and is not held back by it.
	MemoryLimit int64
	// Housekeeping is how often retention and compaction run; 0 means 10 minutes.
	Housekeeping time.Duration
	// DiskWarnBytes: a warning is logged while the data take more; 0 means 20 GiB.
	DiskWarnBytes int64
	Log           zerolog.Logger
}

// ServeBroker runs a Kafka broker of one node on disk until ctx ends, then
// saves its state and returns nil. A broker that is killed loses no
// acknowledged record, committed offset or committed transaction; an
// idempotent producer without transactions may then see duplicates.
//
// Topics are never created automatically. A topic without retention.ms keeps
// records for 7 days as on a real broker; unlike there this also holds for a
// topic that is only compacted, so one kept for ever must say retention.ms=-1.
func ServeBroker(ctx context.Context, o BrokerOptions) error {
	port, err := loopbackPort(o.Listen)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = defaultBrokerMemory
	}
	if o.MemoryLimit > 0 {
		debug.SetMemoryLimit(o.MemoryLimit)
	}
	if o.Housekeeping <= 0 {
		o.Housekeeping = defaultHousekeeping
	}
	if o.DiskWarnBytes <= 0 {
		o.DiskWarnBytes = defaultBrokerDiskWarn
	}

	// The state has a directory of its own: kfake takes everything below it for a topic.
	state := filepath.Join(o.Dir, "kfake")
	clean, err := takeClean(o.Dir, state)
	if err != nil {
		return errors.Join(fmt.Errorf("broker: %w", err), lock.release())
	}
	var door *gate
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.DataDir(state),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			public, err := new(net.ListenConfig).Listen(ctx, network, address)
			if err != nil {
				return nil, err
			}
			door, err = newGate(public)
			return door, err
		}),
		kfake.WithLogger(brokerLog{o.Log}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":          strconv.Itoa(maxMessageBytes),
			"transaction.max.timeout.ms": strconv.FormatInt((15 * time.Minute).Milliseconds(), 10),
			"log.retention.ms":           strconv.FormatInt((7 * 24 * time.Hour).Milliseconds(), 10),
			"log.segment.bytes":          strconv.Itoa(64 << 20),
		}),
	}
	if o.SyncWrites {
		options = append(options, kfake.SyncWrites())
	}
	begun := time.Now()
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return errors.Join(fmt.Errorf("broker: %w", err), lock.release())
	}
	wholeFetches(cluster)
	if !clean {
		markers, err := door.heal(ctx)
		if err != nil {
			cluster.Close()
			return errors.Join(fmt.Errorf("broker: roll back what a kill left open: %w", err), lock.release())
		}
		o.Log.Info().Int("markers", markers).Msg("open transactions rolled back after an unclean end")
	}
	door.open()
	o.Log.Info().Str("listen", o.Listen).Str("dir", o.Dir).Dur("took_ms", time.Since(begun)).Msg("broker is ready")

	keepHouse(ctx, cluster, state, o)
	cluster.Close()
	return errors.Join(markClean(o.Dir), lock.release())
}

// keepHouse applies retention and compaction until ctx ends. The broker's own
// timer is hourly and runs only once some topic sets retention or compaction.
func keepHouse(ctx context.Context, cluster *kfake.Cluster, state string, o BrokerOptions) {
	ticker := time.NewTicker(o.Housekeeping)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		cluster.Compact() // applies retention as well
		size, err := dirBytes(state)
		if err != nil {
			o.Log.Warn().Err(err).Msg("broker disk use is unknown")
		} else if size > o.DiskWarnBytes {
			o.Log.Warn().Int64("bytes", size).Int64("limit", o.DiskWarnBytes).Str("dir", o.Dir).
				Msg("broker uses much disk: lower the retention of its topics")
		}
	}
}

// dirBytes is the size of the files below dir. Files that vanish meanwhile
// count nothing.
func dirBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreMissing(err)
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreMissing(err)
	})
	return total, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
