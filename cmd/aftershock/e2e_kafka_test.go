package main

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/internal/freeport"
	"aftershock/internal/reference"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// The same path on a real Apache Kafka, which dies once in between. The script
// that starts it lies beside the project where it is developed.
func TestRealKafka(t *testing.T) {
	t.Parallel()
	script := reference.Path(t, "servers", "kafka.sh")
	for _, tool := range []string{"java", "mvn"} {
		needTool(t, tool)
	}
	dir := t.TempDir()
	port := freeport.Row(t, 2)
	kafka := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "bash", append([]string{script}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
		}
	}
	kafka("start", dir, strconv.Itoa(port))
	t.Cleanup(func() {
		if out, err := exec.Command("bash", script, "stop", dir).CombinedOutput(); err != nil {
			t.Logf("kafka.sh stop: %v\n%s", err, out)
		}
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	u := startUp(t, "--brokers", addr, "--replication", "1", "--symbols", sampleSymbols)
	u.kafka = addr
	dumps := samples(t)
	ids := u.submit(dumps...)
	u.rows(len(ids))
	kafka("kill", dir)
	eventually(t, time.Minute, func() error { // a killed JVM takes its time
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil //nolint:nilerr // nobody is there: that is what we wait for
		}
		conn.Close()
		return fmt.Errorf("something still listens on %s", addr)
	})
	kafka("start", dir, strconv.Itoa(port))
	ids = append(ids, u.submit(append([]string{"--retry-for", "1m"}, dumps...)...)...)
	eventually(t, 2*time.Minute, func() error {
		published := u.telemetry()
		for _, id := range ids {
			if published[id] == nil {
				return fmt.Errorf("%s is not published (%d are)", id, len(published))
			}
		}
		return nil
	})
	got := u.rows(len(ids))
	slices.Sort(ids)
	if !slices.Equal(ids, got) {
		t.Errorf("sent %d crashes, have %d rows", len(ids), len(got))
	}
	if dead := u.topic(schema.TopicDeadLetter); len(dead) != 0 {
		t.Errorf("%d dead letters", len(dead))
	}
	u.whole()
	u.execute("ALTER TABLE aftershock.crash_rows DELETE WHERE crash_id = '" + ids[0] + "' SETTINGS mutations_sync = 2")
	if out, errs, code := u.verb("verify", "--repair", "--clickhouse-url", u.clickhouseURL()); code != 0 || !strings.Contains(out, "asked for 1 raw records") {
		t.Errorf("verify: exit code %d, %s%s", code, out, errs)
	}
	u.revision(ids[0], 0)
	u.whole()
	blobs := filepath.Join(u.dir, "blobs")
	store, err := blob.Open(blobs)
	if err != nil {
		t.Fatal(err)
	}
	g := &garbage{t, blobs, store, stream.Kafka{Brokers: []string{addr}, Log: zerolog.Nop()}}
	orphan, _ := g.put(1, leapDay)
	named, raw := g.put(2, leapDay)
	streamtest.Put(t, g.kafka, stream.DeadLetter(raw, schema.DeadBlobMissing, "process", 1))
	if out, errs, code := g.gc("--delete"); code != 0 || g.has(orphan) || !g.has(named) {
		t.Errorf("blobs gc: exit code %d, %s%s", code, out, errs)
	}
}

// startUpOnKafka is startUp with a real Kafka instead of the embedded broker.
func startUpOnKafka(t *testing.T, args ...string) *upProcess {
	t.Helper()
	for _, tool := range []string{"java", "mvn"} {
		needTool(t, tool)
	}
	port := freeport.Row(t, 2)
	startScripted(t, "kafka", "kafka.sh", strconv.Itoa(port))
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	u := startUp(t, append([]string{"--brokers", addr, "--replication", "1"}, args...)...)
	u.kafka = addr
	return u
}
