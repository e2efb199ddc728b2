package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/stream"
)

// reportBody is a report with one dump.
func reportBody(t *testing.T, dump []byte) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(schema.MainDump, "a.dmp")
	if err == nil {
		_, err = part.Write(dump)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// send posts a report once; the id is empty without an answer.
func (u *upProcess) send(body []byte, contentType string) (id string, status int) {
	res, err := testClient.Post("http://"+u.collector+"/submit", contentType, bytes.NewReader(body))
	if err != nil {
		return "", 0
	}
	defer res.Body.Close()
	answer := make([]byte, 100)
	n, _ := res.Body.Read(answer)
	id, ok := strings.CutPrefix(strings.TrimSpace(string(answer[:n])), "CrashID=bp-")
	if !ok || res.StatusCode != http.StatusOK {
		return "", res.StatusCode
	}
	return id, res.StatusCode
}

// killOne ends everything with SIGKILL and starts it again, or one child, which
// up starts again.
func (u *upProcess) killOne(victim string) {
	u.t.Helper()
	if victim == "up" {
		u.kill()
		u.start()
		return
	}
	pid, err := u.childPID(victim)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		u.t.Errorf("kill %s: %v", victim, err)
	}
}

// What was answered is in ClickHouse and in the public topic exactly once,
// however often everything, ClickHouse or the broker dies in between.
func TestAnsweredCrashesSurviveKillNine(t *testing.T) {
	t.Parallel()
	const crashes, senders = 500, 4
	u := startUp(t)
	dumps := samples(t)
	jobs := make(chan int)
	var mu sync.Mutex
	var answered []string
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for i := range jobs {
				dump, err := os.ReadFile(dumps[i%len(dumps)])
				if err != nil {
					t.Error(err)
					return
				}
				body, contentType := reportBody(t, dump)
				for try := 0; ; try++ {
					if id, _ := u.send(body, contentType); id != "" {
						mu.Lock()
						answered = append(answered, id)
						mu.Unlock()
						break
					}
					if try == 600 {
						t.Error("a report found no open door for a minute")
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	// Who dies when: everything, or one of the embedded servers alone.
	victims := []string{"up", "clickhouse", "up", "broker", "up"}
	for i := range crashes {
		jobs <- i
		if due := (i + 1) * (len(victims) + 1) / crashes; due > i*(len(victims)+1)/crashes && due <= len(victims) {
			u.killOne(victims[due-1])
		}
	}
	close(jobs)
	wg.Wait()
	if len(answered) != crashes {
		t.Fatalf("%d reports answered, want %d", len(answered), crashes)
	}
	u.waitReady()

	// Reports that were taken but not answered may be there too, under ids that
	// nobody was told.
	u.eachOnce(answered)
	if dead := u.topic(schema.TopicDeadLetter); len(dead) != 0 {
		t.Errorf("%d dead letters", len(dead))
	}
}

// writeLargeDump writes a good dump of about size bytes.
func writeLargeDump(t *testing.T, path string, size int) {
	t.Helper()
	noise := make([]byte, size)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	dump := minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: 0x400000, Size: 0x10000, CodeFile: "/bin/app"}).
		Thread(7, minidumptest.Regs{"rip": 0x401000, "rsp": 0x7fff0000}, minidumptest.StackAt(0x7fff0000).Words(0, 0x401234)).
		Memory(0x10000000, noise).
		Exception(7, 11, 1, 0x10).
		Bytes()
	writeFile(t, path, dump)
}

// Whatever is sent becomes a processed crash with a note or a dead letter with a
// reason; the process survives, and good crashes go through beside it.
func TestBadInputCostsNothingElse(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	good, err := os.ReadFile(samples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large.dmp")
	writeLargeDump(t, large, 30<<20)
	thirty, err := os.ReadFile(large)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty": {}, "header only": good[:32], "half": good[:len(good)/2], "one byte short": good[:len(good)-1],
		"text": []byte(strings.Repeat("this is no dump\n", 100)), "30 MB": thirty, "30 MB of noise": thirty[len(thirty)-(30<<20):],
	}
	random := mrand.New(mrand.NewPCG(1, 2)) //nolint:gosec // repeatable mutations
	for i := range 200 {
		m := bytes.Clone(good)
		for range 1 + random.IntN(30) {
			// most damage where the structure is
			at := random.IntN(len(m))
			if random.IntN(2) == 0 {
				at = random.IntN(min(len(m), 4096))
			}
			m[at] = byte(random.IntN(256))
		}
		bad[fmt.Sprintf("mutation %d", i)] = m
	}
	sent := map[string]string{} // id → what it was
	for name, dump := range bad {
		body, contentType := reportBody(t, dump)
		id, status := u.send(body, contentType)
		if id == "" {
			t.Errorf("%s: the door answered %d", name, status)
			continue
		}
		sent[id] = name
	}
	body, contentType := reportBody(t, good)
	for range 5 {
		id, status := u.send(body, contentType)
		if id == "" {
			t.Fatalf("a good dump: the door answered %d", status)
		}
		sent[id] = "good"
	}
	// A record in the raw topic that is no event at all.
	producer, err := stream.Kafka{Brokers: []string{u.kafka}}.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: schema.TopicRaw, Value: []byte("garbage")}).FirstErr(); err != nil {
		t.Fatal(err)
	}

	var dead []string
	eventually(t, 2*time.Minute, func() error {
		text, err := u.query("SELECT crash_id FROM crashes")
		if err != nil {
			return err
		}
		dead = dead[:0]
		for _, r := range u.topic(schema.TopicDeadLetter) {
			class := ""
			for _, h := range r.Headers {
				if h.Key == stream.HeaderClass {
					class = string(h.Value)
				}
			}
			dead = append(dead, class)
		}
		if have := len(lines(text)) + len(dead); have != len(sent)+1 {
			return fmt.Errorf("%d rows and dead letters, want %d", have, len(sent)+1)
		}
		return nil
	})
	for _, class := range dead {
		if !slices.ContainsFunc(schema.Catalogue, func(c schema.Code) bool { return c.Code == class }) {
			t.Errorf("a dead letter of class %q", class)
		}
	}
	if !slices.Contains(dead, schema.DeadRawUndecodable) {
		t.Errorf("the garbage record is no dead letter: %q", dead)
	}
	if slices.Contains(dead, schema.DeadPanic) {
		t.Errorf("something panicked: %q", dead)
	}
	text, err := u.query("SELECT crash_id, dump_status, length(`notes.code`), length(signature) FROM crashes")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines(text) {
		f := strings.Split(line, "\t")
		name := sent[f[0]]
		if broken := f[1] != schema.DumpOK; broken && f[2] == "0" || f[3] == "0" && name == "good" {
			t.Errorf("%s: status %s, %s notes, signature of %s", name, f[1], f[2], f[3])
		}
		if name == "empty" && f[1] == schema.DumpOK || name == "good" && f[1] != schema.DumpOK {
			t.Errorf("%s: status %s", name, f[1])
		}
	}
	u.waitReady()
}
