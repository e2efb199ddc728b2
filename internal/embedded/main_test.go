package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// childEnv holds a childConfig: with it set, the test binary is a server.
const childEnv = "AFTERSHOCK_EMBEDDED_TEST_CHILD"

// childConfig says which server a re-executed test binary runs.
type childConfig struct {
	Role         string
	Dir          string
	Listen       string
	Library      string
	Housekeeping time.Duration
	PIDFile      string
	Token        string
	Analysts     string
	AllowHost    []string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	stopShared()
	os.Exit(code)
}

func runChild(text string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := zerolog.New(os.Stderr)
	switch c.Role {
	case "broker":
		return ServeBroker(ctx, BrokerOptions{Dir: c.Dir, Listen: c.Listen, SyncWrites: true, Housekeeping: c.Housekeeping, Log: log})
	case "clickhouse":
		return ServeClickHouse(ctx, ClickHouseOptions{
			Dir: c.Dir, Listen: c.Listen, Library: c.Library, Connections: 4, DefaultDatabase: "aftershock", Log: log,
			Token: c.Token, AllowHost: c.AllowHost, AnalystListen: c.Analysts,
		})
	case "signals":
		return checkSignals(ctx, c)
	case "sleep":
		if err := os.WriteFile(c.PIDFile, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "parent": // starts a child and waits to be killed
		child, err := Start(ctx, sleeper(c.PIDFile, log))
		if err != nil {
			return err
		}
		<-ctx.Done()
		return child.Stop(context.Background())
	case "exit":
		fmt.Fprintln(os.Stderr, "last words")
		return nil
	default:
		return fmt.Errorf("unknown role %q", c.Role)
	}
}

func (c childConfig) env() []string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return []string{childEnv + "=" + string(text)}
}

// sleeper are the options of a child that does nothing until SIGTERM.
func sleeper(pidFile string, log zerolog.Logger) ChildOptions {
	return ChildOptions{
		Name: "sleeper", Exe: "/proc/self/exe", Log: log,
		Env: childConfig{Role: "sleep", PIDFile: pidFile}.env(),
		Ready: func(context.Context) error {
			_, err := os.Stat(pidFile)
			return err
		},
	}
}

func startBroker(t *testing.T, dir, addr string, housekeeping time.Duration) *Child {
	t.Helper()
	return start(t, ChildOptions{
		Name: "broker", Exe: "/proc/self/exe", Log: zerologTest(t),
		Env:   childConfig{Role: "broker", Dir: dir, Listen: addr, Housekeeping: housekeeping}.env(),
		Ready: BrokerReady(addr),
	})
}

func startClickHouse(t *testing.T, dir, addr string) *Child {
	t.Helper()
	return start(t, ChildOptions{
		Name: "clickhouse", Exe: "/proc/self/exe", Log: zerologTest(t),
		Env:   childConfig{Role: "clickhouse", Dir: dir, Listen: addr, Library: library(t)}.env(),
		Ready: ClickHouseReady("http://" + addr),
	})
}

func start(t *testing.T, o ChildOptions) *Child {
	t.Helper()
	child, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, child) })
	return child
}

func stop(t *testing.T, child *Child) {
	t.Helper()
	if err := child.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// library is the path of libchdb.so; without it the test is skipped, but not in CI.
func library(t *testing.T) string {
	t.Helper()
	path, err := FindLibrary("")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// waitFor polls until ok answers true.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain waited for " + what)
		}
	}
}

// rss is a process's resident memory in bytes.
func rss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "statm"))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

func zerologTest(t *testing.T) zerolog.Logger { return zerolog.New(zerolog.NewTestWriter(t)) }
