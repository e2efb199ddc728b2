package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aftershock/internal/reference"
	"aftershock/schema"
)

// The real Crashpad handler is killed anywhere while its program crashes and it sends. What it has
// not sent whole is not stored; what lies in its database is imported afterwards; and no
// crash is there twice, unless it was killed between the answer and its note of it.
func TestCrashpadIsKilledWhileItSends(t *testing.T) {
	t.Parallel()
	script, ok := reference.Find(t, "crasher", "upload.sh")
	if !ok {
		t.Skip("no script that lets Crashpad send")
	}
	if _, err := os.Stat("/usr/lib/chromium/chrome_crashpad_handler"); err != nil {
		missing(t, "chrome_crashpad_handler (Debian's chromium)")
	}
	crasher := buildCrasher(t, script)
	u := startUp(t)
	attached := filepath.Join(t.TempDir(), "log.txt")
	noise := make([]byte, 4<<20)                                 // so that sending takes a while
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)) //nolint:gosec // anywhere will do
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	if err := os.WriteFile(attached, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	databases := t.TempDir()
	run := func(n int) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "sh", script, "http://"+u.collector+"/submit", "null")
		cmd.Env = append(os.Environ(), "CRASHER="+crasher, "KEEP="+filepath.Join(databases, fmt.Sprint(n)), "ATTACH="+attached, "ANNOTATE=product=Trial round="+fmt.Sprint(n))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	const rounds = 8
	for n := range rounds {
		cmd := run(n)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(100+r.IntN(900)) * time.Millisecond)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whatever is left of it
		cmd.Wait()                                      //nolint:errcheck // it was killed
	}
	if out, err := run(rounds).CombinedOutput(); err != nil || !strings.Contains(string(out), "uploaded") {
		t.Fatalf("%v\n%s", err, out)
	}
	sent := u.rounds(t)
	if sent[fmt.Sprint(rounds)] != 1 {
		t.Errorf("the one that nobody killed is there %d times", sent[fmt.Sprint(rounds)])
	}
	out, err := program(t.Context(), "import", databases, "--brokers", u.kafka, "--blob", filepath.Join(u.dir, "blobs"), "--journal", filepath.Join(t.TempDir(), "journal")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "skipped, sent: such as ") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("sent whole: %v\n%s", sent, out)
	for round, n := range u.rounds(t) {
		if n > 1+sent[round] || round == fmt.Sprint(rounds) && n != 1 {
			t.Errorf("round %s is there %d times", round, n)
		}
	}
	if out, err := program(t.Context(), "raw", "check", "--brokers", u.kafka, "--blob", filepath.Join(u.dir, "blobs")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// rounds counts raw crashes by the annotation round.
func (u *upProcess) rounds(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, r := range u.topic(schema.TopicRaw) {
		raw, err := schema.Decode[schema.RawCrash](r.Value)
		if err != nil {
			t.Fatal(err)
		}
		out[raw.Annotations["round"]]++
	}
	return out
}
