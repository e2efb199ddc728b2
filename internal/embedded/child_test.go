package embedded

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func readPID(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// gone tells whether a process has ended, reaped or not.
func gone(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestChildIsRestartedAfterKill(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	child := start(t, sleeper(pidFile, zerologTest(t)))
	first := child.PID()
	if group, err := syscall.Getpgid(first); err != nil || group != first {
		t.Errorf("process group %d, %v, want its own", group, err)
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a restart", func() bool { return child.PID() != first && child.PID() != 0 && readPID(t, pidFile) == child.PID() })
	second := child.PID()
	stop(t, child)
	stop(t, child)
	if !gone(second) || child.PID() != 0 {
		t.Error("still runs after Stop")
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	o := sleeper(pidFile, zerologTest(t))
	o.Env = childConfig{Role: "parent", PIDFile: pidFile}.env()
	parent := start(t, o)
	grandchild := readPID(t, pidFile)
	if gone(grandchild) {
		t.Fatal("no grandchild")
	}
	if err := syscall.Kill(parent.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the grandchild's end", func() bool { return gone(grandchild) })
}

func TestChildThatNeverStartsIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		o    ChildOptions
		want string
	}{
		"no executable": {ChildOptions{Exe: "/nosuch"}, "no such file"},
		"exits": {
			ChildOptions{Exe: "/proc/self/exe", Env: childConfig{Role: "exit"}.env(), Ready: never}, "exit status 0: last words",
		},
		"never ready": {
			ChildOptions{Exe: "/proc/self/exe", Env: childConfig{Role: "stubborn"}.env(), Ready: never, ReadyTimeout: 300 * time.Millisecond}, "not ready after 300ms: not yet",
		},
	} {
		c.o.Name = "name"
		_, err := Start(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "name: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Start(ctx, ChildOptions{Name: "n", Exe: "/proc/self/exe", Env: childConfig{Role: "stubborn"}.env(), Ready: never})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("context ended: %v", err)
	}
}

func never(context.Context) error { return errors.New("not yet") }

func TestChildIsKilledWhenItIgnoresSIGTERM(t *testing.T) {
	child, err := Start(t.Context(), ChildOptions{
		Name: "stubborn", Exe: "/proc/self/exe", Env: childConfig{Role: "stubborn"}.env(), StopTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until it ignores the signal
	pid := child.PID()
	if err := child.Stop(t.Context()); err == nil || !gone(pid) {
		t.Errorf("Stop: %v, gone %v", err, gone(pid))
	}
}

func TestChildIsGivenUp(t *testing.T) {
	child := start(t, ChildOptions{
		Name: "exit", Exe: "/proc/self/exe", Env: childConfig{Role: "exit"}.env(), Log: zerologTest(t),
	})
	select {
	case err := <-child.Failed():
		if !strings.Contains(err.Error(), "died 5 times") || !strings.Contains(err.Error(), "last words") {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("not given up")
	}
}

func TestLineLogBoundsLines(t *testing.T) {
	l := &lineLog{log: zerolog.Nop(), stream: "stderr"}
	for _, n := range []int{maxLogLineBytes, maxLogLineBytes + 1} {
		if _, err := l.Write([]byte(strings.Repeat("x", n) + "\n\n")); err != nil {
			t.Fatal(err)
		}
	}
	whole := strings.Repeat("x", maxLogLineBytes)
	if want := ": " + whole + "\n" + whole + " […]"; l.tail() != want {
		t.Errorf("tail has %d bytes, want %d", len(l.tail()), len(want))
	}
	for range 2 * keptStderrLines {
		_, _ = l.Write([]byte("a\nb"))
	}
	if got := strings.Count(l.tail(), "\n") + 1; got != keptStderrLines {
		t.Errorf("%d lines kept", got)
	}
}
