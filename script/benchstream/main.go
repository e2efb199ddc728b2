// Command benchstream is stream.Transform with next to nothing to do, to be
// measured beside other programs that consume a topic and produce another
// exactly once: it appends the SHA-256 of every value, with its key, to -out.
//
//	benchstream -brokers HOST:PORT -in TOPIC -out TOPIC -id GROUP [-instance NAME]
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/stream"
)

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "the brokers, with commas between them")
	in := flag.String("in", "", "topic to consume")
	out := flag.String("out", "", "topic to produce")
	id := flag.String("id", "benchstream", "consumer group")
	instance := flag.String("instance", "0", "this member of it")
	profile := flag.String("cpuprofile", "", "file for a profile")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchstream:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	t := stream.Transform{
		Kafka: stream.Kafka{Brokers: strings.Split(*brokers, ","), Log: log}, Group: *id, Topic: *in, Instance: *instance,
		Workers: runtime.GOMAXPROCS(0), Log: log,
		Work: func(_ context.Context, r *kgo.Record) ([]*kgo.Record, error) {
			sum := sha256.Sum256(r.Value)
			return []*kgo.Record{{Topic: *out, Key: r.Key, Value: sum[:]}}, nil
		},
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := t.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchstream:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
