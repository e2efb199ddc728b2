package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aftershock/internal/freeport"
	"aftershock/schema"
)

// process is one of aftershock's verbs as a process, which can be killed and
// started again.
type process struct {
	t    *testing.T
	args []string
	log  *syncBuffer
	cmd  *exec.Cmd
}

// startProcess starts a verb; it is ended when the test ends.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, args: args, log: &syncBuffer{}}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.log.String()
			t.Logf("%s said:\n%s", args[0], text[max(0, len(text)-4<<10):])
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = program(context.Background(), append([]string{"--log-json"}, p.args...)...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends it with SIGKILL.
func (p *process) kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait() //nolint:errcheck // it was killed
		p.cmd = nil
	}
}

// listens waits until somebody listens on an address.
func listens(t *testing.T, addr string) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Crashes that are answered while no broker is there arrive once, though the
// collector dies meanwhile, and starts again before there is a broker.
func TestSpooledCrashesSurviveBrokerAndCollector(t *testing.T) {
	t.Parallel()
	broker, door, observed, dir := freeport.Address(t), freeport.Address(t), freeport.Address(t), t.TempDir()
	kafka := startProcess(t, "embedded", "broker", "--sync-writes", "--dir", filepath.Join(dir, "broker"), "--listen", broker)
	listens(t, broker)
	blobs := filepath.Join(dir, "blobs")
	u := startUp(t, "--brokers", broker, "--replication", "1", "--blob", blobs)
	u.kafka = broker
	folder := filepath.Join(dir, "spool")
	collect := startProcess(t, "collect", "--brokers", broker, "--blob", blobs, "--collector-listen", door, "--metrics-listen", observed, "--spool", folder, "--retry-window", "0s")
	listens(t, door)

	dump, err := os.ReadFile(samples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	body, contentType := reportBody(t, dump)
	client := &upProcess{t: t, collector: door}
	var answered []string
	send := func(n int) {
		t.Helper()
		for range n {
			id, status := client.send(body, contentType)
			if id == "" {
				t.Fatalf("after %d answers the door answered %d", len(answered), status)
			}
			answered = append(answered, id)
		}
	}
	holds := func(want string) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			text, err := httpGet("http://" + observed + "/metrics")
			if err == nil && !strings.Contains(text, "\naftershock_spool_records "+want+"\n") {
				err = fmt.Errorf("the spool does not hold %s records", want)
			}
			return err
		})
	}
	holds("0")
	send(3)
	kafka.kill()
	send(6)
	holds("6")
	collect.kill()
	collect.start()
	listens(t, door)
	send(4)
	holds("10")
	if text, err := httpGet("http://" + observed + "/readyz"); err != nil || !strings.Contains(text, "collector.spool: ready") {
		t.Errorf("/readyz without a broker: %v, %s", err, text)
	}

	kafka.start()
	holds("0")
	slices.Sort(answered)
	if got := u.rows(len(answered)); !slices.Equal(got, answered) {
		t.Errorf("answered %d crashes, have %d rows", len(answered), len(got))
	}
	var raw []string
	for _, r := range u.topic(schema.TopicRaw) {
		raw = append(raw, string(r.Key))
	}
	slices.Sort(raw)
	if !slices.Equal(raw, answered) {
		t.Errorf("%s has %q, want %q", schema.TopicRaw, raw, answered)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("in the spool: %v, %v", left, err)
	}
	send(1) // and directly again
	u.rows(len(answered))
}

// Brokers that die under load, for longer than a client waits, and a collector
// that dies with them: what was answered is there once, and published once.
func TestOutagesUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	const senders, outages = 4, 3
	broker, door, observed, dir := freeport.Address(t), freeport.Address(t), freeport.Address(t), t.TempDir()
	kafka := startProcess(t, "embedded", "broker", "--sync-writes", "--dir", filepath.Join(dir, "broker"), "--listen", broker)
	listens(t, broker)
	blobs := filepath.Join(dir, "blobs")
	u := startUp(t, "--brokers", broker, "--replication", "1", "--blob", blobs)
	u.kafka = broker
	collect := startProcess(t, "collect", "--brokers", broker, "--blob", blobs, "--collector-listen", door, "--metrics-listen", observed, "--spool", filepath.Join(dir, "spool"), "--retry-window", "0s")
	listens(t, door)
	dump, err := os.ReadFile(samples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	body, contentType := reportBody(t, dump)
	var mu sync.Mutex
	var answered []string
	stop := make(chan struct{})
	var sending sync.WaitGroup
	client := &upProcess{t: t, collector: door}
	for range senders {
		sending.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond): // the tables need not hold more
				}
				if id, _ := client.send(body, contentType); id != "" { // else the collector is dead
					mu.Lock()
					answered = append(answered, id)
					mu.Unlock()
				}
			}
		})
	}
	until := func(empty bool) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			text, err := httpGet("http://" + observed + "/metrics")
			if err == nil && strings.Contains(text, "\naftershock_spool_records 0\n") != empty {
				err = fmt.Errorf("the spool is not as it should be (empty: %v)", empty)
			}
			return err
		})
	}
	for n := range outages {
		kafka.kill()
		until(false)
		if n%2 == 1 {
			collect.kill()
			collect.start()
			listens(t, door)
		}
		kafka.start()
		until(true) // the load goes on
	}
	close(stop)
	sending.Wait()
	u.eachOnce(answered)
	t.Logf("%d crashes answered, %d records in %s", len(answered), len(u.topic(schema.TopicRaw)), schema.TopicRaw)
}

// A crash that was on its way when the broker died is delivered by the client's
// own try again, and not a second time by the spool.
func TestACrashOnItsWayToADyingBrokerArrivesOnce(t *testing.T) {
	t.Parallel()
	broker, door, observed, dir := freeport.Address(t), freeport.Address(t), freeport.Address(t), t.TempDir()
	kafka := startProcess(t, "embedded", "broker", "--sync-writes", "--dir", filepath.Join(dir, "broker"), "--listen", broker)
	listens(t, broker)
	create := startProcess(t, "topics", "create", "--brokers", broker, "--replication", "1", "--partitions", "1")
	if err := create.cmd.Wait(); err != nil {
		t.Fatalf("topics create: %v\n%s", err, create.log)
	}
	create.cmd = nil
	startProcess(t, "collect", "--brokers", broker, "--blob", filepath.Join(dir, "blobs"), "--collector-listen", door, "--metrics-listen", observed, "--spool", filepath.Join(dir, "spool"), "--retry-window", "0s")
	listens(t, door)
	dump, err := os.ReadFile(samples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	body, contentType := reportBody(t, dump)
	client := &upProcess{t: t, collector: door, kafka: broker}
	send := func() string {
		t.Helper()
		id, status := client.send(body, contentType)
		if id == "" {
			t.Fatalf("the door answered %d", status)
		}
		return id
	}
	want := []string{send()}
	// A stopped broker takes the request, and never answers.
	if err := kafka.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	want = append(want, send(), send())
	kafka.kill()
	kafka.start()
	eventually(t, time.Minute, func() error {
		text, err := httpGet("http://" + observed + "/metrics")
		if err == nil && !strings.Contains(text, "\naftershock_spool_records 0\n") {
			err = fmt.Errorf("the spool is not empty")
		}
		return err
	})
	var raw []string
	for _, r := range client.topic(schema.TopicRaw) {
		raw = append(raw, string(r.Key))
	}
	slices.Sort(raw)
	slices.Sort(want)
	if !slices.Equal(raw, want) {
		t.Errorf("%s has %q, want %q", schema.TopicRaw, raw, want)
	}
}

func TestASpoolWithoutRoomForOneCrashIsWrongUse(t *testing.T) {
	for _, args := range [][]string{{"collect", "--brokers", "127.0.0.1:1", "--blob", t.TempDir()}, {"up", "--data-dir", t.TempDir()}} {
		var out, errs bytes.Buffer
		args = append(args, "--spool", t.TempDir(), "--spool-bytes", "8388607")
		if code := Main(args, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "--spool-bytes 8388607: want at least") {
			t.Errorf("%s: exit code %d, %s", args[0], code, &errs)
		}
	}
}
