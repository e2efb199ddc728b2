package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/stream"
)

// asProgram makes the test binary act as aftershock: the end-to-end tests run
// it, and up runs it again for the embedded servers, with the race detector in
// every process when the tests have it.
const asProgram = "AFTERSHOCK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	// Tests leave the user's cache alone.
	dir, err := os.MkdirTemp("", "aftershock-symbols-")
	if err != nil {
		panic(err)
	}
	os.Setenv("AFTERSHOCK_SYMBOL_CACHE", dir) //nolint:errcheck // it cannot fail
	code := m.Run()
	os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	os.Exit(code)
}

// program is a command that runs aftershock.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// missing skips a test for want of something that CI has.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

// needTool returns the path of a program from Debian.
func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// upProcess is `aftershock up` as a real process, which can be killed and
// started again on the same data.
type upProcess struct {
	t                                                                          *testing.T
	dir                                                                        string
	args                                                                       []string
	collector, kafka, clickhouse, analysts, registry, observed, symbols, pages string
	log                                                                        *syncBuffer
	cmd                                                                        *exec.Cmd
	ended                                                                      chan error
}

// syncBuffer is a buffer that a process writes and a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startUp starts up on free ports and waits until every part is ready. It is
// stopped, and must end well, when the test ends.
func startUp(t *testing.T, args ...string) *upProcess {
	t.Helper()
	u := newUp(t, t.TempDir(), args...)
	u.start()
	u.waitReady()
	return u
}

// newUp is an up that has not begun, with data in a directory, and is stopped when the
// test ends.
func newUp(t *testing.T, dir string, args ...string) *upProcess {
	t.Helper()
	if _, err := embedded.FindLibrary(""); err != nil {
		missing(t, "libchdb (make libchdb fetches it)")
	}
	// Tests send one dump many times, as crashes of their own.
	u := &upProcess{t: t, dir: dir, args: append([]string{"--retry-window", "0s"}, args...), log: &syncBuffer{}}
	for _, addr := range []*string{&u.collector, &u.kafka, &u.clickhouse, &u.analysts, &u.registry, &u.observed, &u.symbols, &u.pages} {
		*addr = freeport.Address(t)
	}
	t.Cleanup(func() {
		u.stop()
		if t.Failed() {
			text := u.log.String()
			t.Logf("up said:\n%s", text[max(0, len(text)-8<<10):])
		}
	})
	return u
}

func (u *upProcess) start() {
	u.t.Helper()
	u.cmd = program(context.Background(), append([]string{
		"--log-json", "up", "--data-dir", u.dir, "--collector-listen", u.collector, "--kafka-listen", u.kafka,
		"--clickhouse-listen", u.clickhouse, "--analyst-listen", u.analysts, "--registry-listen", u.registry, "--metrics-listen", u.observed, "--symbols-listen", u.symbols, "--web-listen", u.pages,
	}, u.args...)...)
	u.cmd.Stdout, u.cmd.Stderr = u.log, u.log
	if err := u.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	u.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(u.cmd, u.ended)
}

func (u *upProcess) waitReady() {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		select {
		case err := <-u.ended:
			u.ended <- err
			u.t.Fatalf("up ended: %v\n%s", err, u.log)
		default:
		}
		_, err := httpGet("http://" + u.observed + "/readyz")
		return err
	})
}

// waitOpen waits until the door takes reports and the tables answer, ready or not.
func (u *upProcess) waitOpen() {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		said, err := httpGet("http://" + u.observed + "/readyz")
		if err != nil {
			said = err.Error()
		}
		for _, part := range []string{"collector: ready", "activation: ready"} {
			if !strings.Contains(said, part+"\n") {
				return fmt.Errorf("no %q: %s", part, said)
			}
		}
		return nil
	})
}

// stop ends up with SIGTERM; it must exit with 0.
func (u *upProcess) stop() {
	u.t.Helper()
	if u.cmd == nil {
		return
	}
	cmd := u.cmd
	u.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return
	}
	select {
	case err := <-u.ended:
		if err != nil {
			u.t.Errorf("after SIGTERM up ended with %v", err)
		}
	case <-time.After(time.Minute):
		u.t.Error("up does not end after SIGTERM")
		cmd.Process.Kill()
	}
}

// kill ends up, and with it the embedded servers, with SIGKILL.
func (u *upProcess) kill() {
	u.t.Helper()
	if err := u.cmd.Process.Kill(); err != nil {
		u.t.Fatal(err)
	}
	<-u.ended
}

// childPID is the process id of up's child that runs an embedded server.
func (u *upProcess) childPID(verb string) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", u.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		pids, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for _, pid := range strings.Fields(string(pids)) {
			line, err := os.ReadFile("/proc/" + pid + "/cmdline")
			if err == nil && bytes.Contains(line, []byte("embedded\x00"+verb+"\x00")) {
				return strconv.Atoi(pid)
			}
		}
	}
	return 0, fmt.Errorf("up has no child %s", verb)
}

// eventually calls done until it returns nil.
func eventually(t *testing.T, patience time.Duration, done func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %v", patience, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

var testClient = &http.Client{Timeout: 30 * time.Second}

func httpGet(target string) (string, error) {
	res, err := testClient.Get(target)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return string(text), err
}

// token lets who has it write to the ClickHouse that up runs.
func (u *upProcess) token() string {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(u.dir, "clickhouse", "token"))
	if err != nil {
		u.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (u *upProcess) clickhouseURL() string {
	u.t.Helper()
	return "http://aftershock:" + u.token() + "@" + u.clickhouse
}

// query asks ClickHouse over HTTP, as curl would.
func (u *upProcess) query(sql string) (string, error) {
	return httpGet("http://" + u.clickhouse + "/?query=" + url.QueryEscape(sql))
}

// rows waits until crashes has that many rows and returns their ids.
func (u *upProcess) rows(want int) []string {
	u.t.Helper()
	var ids []string
	eventually(u.t, 2*time.Minute, func() error {
		text, err := u.query("SELECT crash_id FROM crashes ORDER BY toString(crash_id)")
		if err != nil {
			return err
		}
		if ids = strings.Fields(text); len(ids) != want {
			return fmt.Errorf("%d rows in crashes, want %d", len(ids), want)
		}
		return nil
	})
	return ids
}

// eachOnce waits until each of the crashes is once in crashes and in the public topic.
func (u *upProcess) eachOnce(answered []string) {
	u.t.Helper()
	eventually(u.t, 2*time.Minute, func() error {
		text, err := u.query("SELECT crash_id, count() FROM crashes GROUP BY crash_id")
		if err != nil {
			return err
		}
		count := map[string]string{}
		for _, line := range lines(text) {
			id, n, _ := strings.Cut(line, "\t")
			count[id] = n
		}
		for _, id := range answered {
			if count[id] != "1" {
				return fmt.Errorf("%s is %q times in crashes (%d answered, %d rows)", id, count[id], len(answered), len(count))
			}
		}
		return nil
	})
	eventually(u.t, time.Minute, func() error {
		published := u.telemetry() // fails for one that is there twice
		for _, id := range answered {
			if published[id] == nil {
				return fmt.Errorf("%s is not published (%d are)", id, len(published))
			}
		}
		return nil
	})
}

// submit runs `aftershock submit` and returns the crash ids.
func (u *upProcess) submit(args ...string) []string {
	u.t.Helper()
	cmd := program(u.t.Context(), append([]string{"submit", "--url", "http://" + u.collector + "/submit"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		u.t.Fatalf("submit: %v\n%s", err, &errs)
	}
	return strings.Fields(string(out))
}

// topic returns every record of a topic, read committed, that is there now.
func (u *upProcess) topic(topic string) []*kgo.Record {
	u.t.Helper()
	records, err := readTopic(u.t.Context(), []string{u.kafka}, topic)
	if err != nil {
		u.t.Fatal(err)
	}
	return records
}

func readTopic(ctx context.Context, brokers []string, topic string) ([]*kgo.Record, error) {
	k := stream.Kafka{Brokers: brokers, Log: zerolog.Nop()}
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var records []*kgo.Record
	for {
		poll, cancel := context.WithTimeout(ctx, 1500*time.Millisecond) // a quiet topic has been read
		fetches := cl.PollFetches(poll)
		cancel()
		if fetches.Empty() {
			return records, nil
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, context.DeadlineExceeded) {
				return records, nil
			}
			return nil, e.Err
		}
		records = append(records, fetches.Records()...)
	}
}

// samples are the committed dumps.
func samples(t *testing.T) []string {
	t.Helper()
	dumps, err := filepath.Glob("../../testdata/crashes/*.dmp")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no sample dumps (%v)", err)
	}
	return dumps
}

const sampleSymbols = "../../testdata/symbols"

// canaryDump is a dump with a canary in each of its protected places.
func canaryDump(t *testing.T, canary func(place string) string) string {
	t.Helper()
	stack := minidumptest.StackAt(0x7fff0000).Words(0, 0, 0x401234, 0)
	dump := minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{
			Base: 0x400000, Size: 0x10000, CodeFile: "/home/" + canary("module_path") + "/bin/app",
			CodeView: minidumptest.BuildID(bytes.Repeat([]byte{7}, 20)),
		}).
		Thread(7, minidumptest.Regs{"rip": 0x401000, "rsp": 0x7fff0000}, stack).
		ThreadName(7, canary("thread_name")).
		Crashpad([]minidumptest.Annotation{{Name: "session", Value: canary("crashpad_process")}}, 0,
			[]minidumptest.Annotation{{Name: "state", Value: canary("crashpad_module")}}, []string{canary("crashpad_list")},
			[]minidumptest.Annotation{{Name: "object", Value: canary("crashpad_object")}}).
		LinuxMaps("00400000-00410000 r-xp 00000000 08:01 1 /home/"+canary("maps")+"/bin/app\n").
		Exception(7, 11, 1, 0x10).
		Bytes()
	path := filepath.Join(t.TempDir(), "canary.dmp")
	writeFile(t, path, dump)
	return path
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// telemetry decodes the telemetry topic by key; a key that is there twice fails the test.
func (u *upProcess) telemetry() map[string]*schema.TelemetryCrash {
	u.t.Helper()
	out := map[string]*schema.TelemetryCrash{}
	for _, r := range u.topic(schema.TopicTelemetry) {
		c, err := schema.Decode[schema.TelemetryCrash](r.Value)
		if err != nil {
			u.t.Fatal(err)
		}
		if out[string(r.Key)] != nil {
			u.t.Errorf("%s is twice in %s", r.Key, schema.TopicTelemetry)
		}
		out[string(r.Key)] = c
	}
	return out
}

func lines(text string) []string {
	var out []string
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		out = append(out, s.Text())
	}
	return out
}
