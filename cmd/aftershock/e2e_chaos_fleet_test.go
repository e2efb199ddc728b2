package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/internal/reference"
)

// victim is what chaos happens to.
type victim interface {
	name() string
	// kill ends it with SIGKILL; it comes back after that time.
	kill(down time.Duration)
	// stop halts it for that time.
	stop(d time.Duration)
}

// kept is a process of ours that is started again whenever it ends.
type kept struct {
	t    *testing.T
	what string
	args []string
	log  *syncBuffer

	mu       sync.Mutex
	cmd      *exec.Cmd
	down     time.Duration // before the next start
	finished bool
	done     chan struct{}
}

// keep starts a process and keeps it until the test ends.
func keep(t *testing.T, what string, args ...string) *kept {
	t.Helper()
	k := &kept{t: t, what: what, args: args, log: &syncBuffer{}, done: make(chan struct{})}
	go k.run()
	t.Cleanup(func() {
		k.finish()
		if t.Failed() {
			text := k.log.String()
			t.Logf("%s said:\n%s", what, text[max(0, len(text)-3<<10):])
		}
	})
	return k
}

func (k *kept) run() {
	defer close(k.done)
	for {
		k.mu.Lock()
		down := k.down
		k.down = 0
		k.mu.Unlock()
		time.Sleep(down)
		k.mu.Lock()
		if k.finished {
			k.mu.Unlock()
			return
		}
		cmd := program(context.Background(), append([]string{"--log-json"}, k.args...)...)
		cmd.Stdout, cmd.Stderr = k.log, k.log
		err := cmd.Start()
		k.cmd = cmd
		k.mu.Unlock()
		if err != nil {
			k.t.Errorf("%s: %v", k.what, err)
			return
		}
		cmd.Wait() //nolint:errcheck // how it ended does not matter
		time.Sleep(100 * time.Millisecond)
	}
}

// finish ends it for good.
func (k *kept) finish() {
	k.mu.Lock()
	k.finished = true
	if k.cmd != nil {
		k.cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // it may have ended
		k.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // likewise
	}
	k.mu.Unlock()
	select {
	case <-k.done:
	case <-time.After(20 * time.Second):
		k.signal(syscall.SIGKILL)
		<-k.done
	}
}

func (k *kept) name() string { return k.what }

func (k *kept) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil {
		k.cmd.Process.Signal(s) //nolint:errcheck // it may have ended by itself
	}
}

func (k *kept) kill(down time.Duration) {
	k.mu.Lock()
	k.down = down
	k.mu.Unlock()
	k.signal(syscall.SIGKILL)
}

func (k *kept) stop(d time.Duration) {
	k.signal(syscall.SIGSTOP)
	time.Sleep(d)
	k.signal(syscall.SIGCONT)
}

// scripted is a server that a script of the reference starts and kills.
type scripted struct {
	t         *testing.T
	what      string
	script    string
	dir, port string
	mu        sync.Mutex
}

// startScripted starts a server until the test ends.
func startScripted(t *testing.T, what, script, port string) *scripted {
	t.Helper()
	s := &scripted{t: t, what: what, script: reference.Path(t, "servers", script), dir: t.TempDir(), port: port}
	s.must("start", s.dir, s.port)
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.must("kill", s.dir)
	})
	return s
}

func (s *scripted) must(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(context.Background(), "bash", append([]string{s.script}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Errorf("%s %v: %v\n%s", s.script, args, err, out)
	}
	return string(out)
}

func (s *scripted) name() string { return s.what }

func (s *scripted) kill(down time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must("kill", s.dir)
	time.Sleep(down)
	s.waitForPort()
	s.must("start", s.dir, s.port)
}

// waitForPort waits until nobody listens on the server's port: a process of many
// threads is gone before the last of them lets go of it.
func (s *scripted) waitForPort() {
	for range 300 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			return
		}
		conn.Close()
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("%s: port %s stays taken", s.what, s.port)
}

func (s *scripted) stop(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := exec.CommandContext(context.Background(), "bash", s.script, "status", s.dir).CombinedOutput()
	if err != nil {
		return // it is down
	}
	for _, word := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(strings.Trim(word, ",:")); err == nil && pid > 1 {
			syscall.Kill(pid, syscall.SIGSTOP) // it may have ended
			time.Sleep(d)
			syscall.Kill(pid, syscall.SIGCONT) // likewise
			return
		}
	}
}

// fleet is every role in processes of its own, two of those that may be two.
type fleet struct {
	t                 *testing.T
	kafka, clickhouse string
	doors             []string // addresses
	observed          []string // of /readyz
	victims           []victim
	roles             []*kept // those that end well when they are asked to
	disk              *disk   // of the blobs; nil when they lie in S3
}

// startFleet starts the servers, creates the topics and starts the roles.
func startFleet(t *testing.T, realKafka, s3 bool) *fleet {
	t.Helper()
	library, err := embedded.FindLibrary("")
	if err != nil {
		missing(t, "libchdb (make libchdb fetches it)")
	}
	f := &fleet{t: t, clickhouse: freeport.Address(t)}
	if realKafka {
		port := freeport.Row(t, 2)
		f.kafka = fmt.Sprintf("127.0.0.1:%d", port)
		f.victims = append(f.victims, startScripted(t, "kafka", "kafka.sh", strconv.Itoa(port)))
	} else {
		f.kafka = freeport.Address(t)
		f.victims = append(f.victims, keep(t, "broker", "embedded", "broker", "--dir", t.TempDir(), "--listen", f.kafka))
	}
	tables := t.TempDir()
	token, err := embedded.Token(tables)
	if err != nil {
		t.Fatal(err)
	}
	f.victims = append(f.victims, keep(t, "clickhouse", "embedded", "clickhouse", "--dir", tables, "--listen", f.clickhouse, "--library", library))
	var blobs string
	if s3 {
		blobs = f.bucket()
	} else {
		f.disk = newDisk(t)
		blobs = f.disk.dir
	}
	eventually(t, 2*time.Minute, func() error {
		out, err := program(t.Context(), "topics", "create", "--brokers", f.kafka, "--replication", "1", "--partitions", "4").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		_, err = httpGet("http://" + f.clickhouse + "/ping")
		return err
	})
	common := func(args ...string) []string {
		observed := freeport.Address(t)
		f.observed = append(f.observed, observed)
		return append(args, "--brokers", f.kafka, "--metrics-listen", observed)
	}
	for i := range 2 {
		door := freeport.Address(t)
		f.doors = append(f.doors, door)
		f.role(fmt.Sprint("collect ", i), common("collect", "--collector-listen", door, "--blob", blobs, "--retry-window", "0s")...)
		f.role(fmt.Sprint("process ", i), common("process", "--instance", fmt.Sprint("p", i), "--blob", blobs, "--symbols", sampleSymbols, "--symbol-cache", t.TempDir())...)
		f.role(fmt.Sprint("sink telemetry ", i), common("sink", "telemetry", "--instance", fmt.Sprint("t", i))...)
	}
	f.role("sink clickhouse", common("sink", "clickhouse", "--instance", "c0", "--clickhouse-url", "http://aftershock:"+token+"@"+f.clickhouse)...)
	f.waitReady()
	return f
}

func (f *fleet) role(what string, args ...string) {
	k := keep(f.t, what, args...)
	f.roles = append(f.roles, k)
	f.victims = append(f.victims, k)
}

// waitReady waits until every role does its work.
func (f *fleet) waitReady() {
	f.t.Helper()
	for _, addr := range f.observed {
		eventually(f.t, 2*time.Minute, func() error {
			_, err := httpGet("http://" + addr + "/readyz")
			return err
		})
	}
}
