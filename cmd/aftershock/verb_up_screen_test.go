package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/schema"
)

func TestScreenSaysWhatIsNotRightAndWhatToType(t *testing.T) {
	now := time.Now()
	shipped := firstVersion(now)
	old := shipped.Clone()
	old.Versions[0].ProcessVersion--
	begun := old.Clone()
	begun.Versions = append(begun.Versions, shipped.Versions[0])
	begun.Versions[1].Number = 2
	rules := shipped.Clone()
	rules.Versions[0].RulesetHash = "old"
	const (
		start   = "\n      as replay start --ruleset default --brokers 127.0.0.1:9092\n"
		promote = "\n      as replay promote 2 --brokers 127.0.0.1:9092 --clickhouse-url http://127.0.0.1:8123 --clickhouse-password-file data/clickhouse/token\n"
		missing = "Crashes are kept, and not processed: signature version 1"
	)
	for name, tc := range map[string]struct {
		state       *schema.VersionEvent
		waiting     []string
		symbols     []string
		wants, nots []string
	}{
		"nothing":                        {shipped, nil, []string{"S"}, nil, []string{"What is not right", "replay"}},
		"no symbols":                     {shipped, nil, nil, []string{"No symbols"}, []string{"replay"}},
		"a part that is not ready":       {shipped, []string{"heal"}, []string{"S"}, []string{"Not ready yet: heal."}, nil},
		"no versions":                    {nil, []string{"heal"}, []string{"S"}, []string{"versions log cannot be read"}, nil},
		"another process version":        {old, nil, []string{"S"}, []string{missing, start, promote}, nil},
		"one that is begun and not seen": {begun, nil, []string{"S"}, []string{missing, promote}, []string{"replay start"}},
		"older rules":                    {rules, nil, []string{"S"}, []string{"Newer rules", start}, []string{"promote"}},
	} {
		var out bytes.Buffer
		up := &upVerb{DataDir: "data", KafkaListen: "127.0.0.1:9092", ClickhouseURL: "http://u:secret@127.0.0.1:8123", AnalystListen: "127.0.0.1:8124"} //nolint:gosec // made up
		up.CollectorListen, up.Symbols = "127.0.0.1:8000", tc.symbols
		upScreen{up: up, w: &out, tables: true}.say("as", tc.state, tc.waiting, now)
		for _, want := range append(tc.wants, "http://127.0.0.1:8000/submit", "curl http://127.0.0.1:8124/ ") {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q:\n%s", name, want, &out)
			}
		}
		for _, not := range append(tc.nots, "secret") {
			if strings.Contains(out.String(), not) {
				t.Errorf("%s: %q:\n%s", name, not, &out)
			}
		}
	}
}

// openTerminal is a terminal as a process sees it, and what reads its screen.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		missing(t, "/dev/ptmx")
	}
	t.Cleanup(func() { screen.Close() })
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}

// What the screen of a stranger who types `aftershock up` says is true: the commands
// work as they stand, and there is no log above or below them.
func TestUpOnATerminalSaysWhatWorks(t *testing.T) {
	if _, err := embedded.FindLibrary(""); err != nil {
		missing(t, "libchdb (make libchdb fetches it)")
	}
	curl := needTool(t, "curl")
	screen, terminal := openTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := program(ctx, "up", "--data-dir", t.TempDir(), "--symbols", sampleSymbols, "--collector-listen", freeport.Address(t), "--kafka-listen", freeport.Address(t),
		"--registry-listen", freeport.Address(t), "--clickhouse-listen", freeport.Address(t), "--analyst-listen", freeport.Address(t), "--metrics-listen", freeport.Address(t), "--symbols-listen", freeport.Address(t), "--web-listen", freeport.Address(t))
	cmd.Stdout, cmd.Stderr = terminal, terminal
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var said syncBuffer
	go func() {
		piece := make([]byte, 4096)
		for {
			n, err := screen.Read(piece)
			if err != nil {
				return
			}
			said.Write(piece[:n]) //nolint:errcheck // a buffer
		}
	}()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("after SIGTERM up ended with %v", err)
		}
	}()
	eventually(t, time.Minute, func() error {
		if !strings.Contains(said.String(), "Warnings follow here") {
			return errors.New(said.String())
		}
		return nil
	})
	query := regexp.MustCompile(`curl (http://\S+ --data-binary '[^']+')`).FindStringSubmatch(said.String())
	door := regexp.MustCompile(`door +(http://\S+)`).FindStringSubmatch(said.String())
	if query == nil || door == nil {
		t.Fatalf("no curl line, or no door:\n%s", said.String())
	}
	out, err := program(t.Context(), "submit", "--url", door[1], "--annotation", "ProductName=Terminal", samples(t)[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		rows, err := exec.CommandContext(t.Context(), "sh", "-c", curl+" -sS "+query[1]).CombinedOutput()
		if err == nil && !strings.Contains(string(rows), strings.TrimSpace(string(out))) {
			err = errors.New("no row of the crash")
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, rows)
		}
		return nil
	})
	start, _, _ := strings.Cut(said.String(), "Warnings follow here")
	if n := strings.Count(start, "\n"); n > 25 {
		t.Errorf("%d lines on the screen:\n%s", n, start)
	}
	if regexp.MustCompile(`(?m)\bINF\b|^\{`).MatchString(said.String()) {
		t.Errorf("a log of what is well:\n%s", said.String())
	}
}
