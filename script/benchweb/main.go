// Command benchweb times the pages over generated crashes, in a browser and without one, and prints
// a table for docs/web.md. It starts an embedded ClickHouse in a directory that it keeps, so that the
// crashes are made once, and `aftershock web` before it.
//
//	benchweb -rows 1000000 -dir .cache/bench-web
//	benchweb -rows 10000000 -dir .cache/bench-analysts   those that benchanalysts has made
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"aftershock/internal/embedded"
)

func main() {
	b := bench{}
	flag.IntVar(&b.rows, "rows", 1_000_000, "crashes to look at, of 28 days that end today")
	flag.StringVar(&b.dir, "dir", ".cache/bench-web", "where the tables are kept")
	flag.StringVar(&b.program, "aftershock", "bin/aftershock", "the program")
	flag.StringVar(&b.engine, "engine-listen", "127.0.0.1:18123", "address of ClickHouse")
	flag.StringVar(&b.pages, "listen", "127.0.0.1:18080", "address of the pages")
	flag.IntVar(&b.readers, "readers", 50, "how many read at once")
	flag.DurationVar(&b.reading, "for", time.Minute, "for how long")
	tasks := flag.String("tasks", "", "address of pages, as http://127.0.0.1:8080 of make demo CRASHES=20000: do the tasks of docs/web.md there, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	run := b.run
	if *tasks != "" {
		run = func(ctx context.Context) error { return doTasks(ctx, *tasks) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchweb:", err)
		os.Exit(1) //nolint:gocritic // what was started has ended with run
	}
}

// bench is one run.
type bench struct {
	rows, readers               int
	reading                     time.Duration
	dir, program, engine, pages string

	token string // what ClickHouse is asked with
	web   int    // the process of the pages
}

func (b *bench) run(ctx context.Context) (err error) {
	library, err := embedded.FindLibrary("")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	engine, err := b.start("embedded", "clickhouse", "--dir", b.dir, "--listen", b.engine, "--library", library, "--log-level", "warn")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(engine)) }()
	password := filepath.Join(b.dir, "token")
	if err := wait(ctx, func() error {
		token, err := os.ReadFile(password)
		b.token = strings.TrimSpace(string(token))
		if err != nil {
			return err
		}
		_, err = b.ask(ctx, "SELECT 1")
		return err
	}); err != nil {
		return err
	}
	if err := b.fill(ctx, password); err != nil {
		return err
	}
	pages, err := b.start("--clickhouse-password-file", password, "web", "--clickhouse-url", "http://aftershock@"+b.engine, "--web-listen", b.pages, "--metrics-listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.web = pages.Process.Pid
	defer func() { err = errors.Join(err, end(pages)) }()
	if err := wait(ctx, func() error { _, err := b.look(ctx, "/docs/design"); return err }); err != nil {
		return err
	}
	return b.measure(ctx)
}

// fill makes crashes unless there are as many.
func (b *bench) fill(ctx context.Context, password string) error {
	have, err := b.ask(ctx, "SELECT if((SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'crash_rows') = 0, 0, (SELECT sum(rows) FROM system.parts WHERE active AND database = 'aftershock' AND table = 'crash_rows'))")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(have)
	if err != nil || n >= b.rows {
		return err
	}
	generate := exec.CommandContext(ctx, b.program, "--clickhouse-password-file", password, "generate", "crashes", "--count", fmt.Sprint(b.rows), "--clickhouse-url", "http://aftershock@"+b.engine) //nolint:gosec // our own binary
	generate.Stdout, generate.Stderr = os.Stderr, os.Stderr
	return generate.Run()
}

// start starts the program; end ends it.
func (b *bench) start(args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(b.program, args...) //nolint:gosec,noctx // our own binary, ended by end
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

func end(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

// wait tries for a minute.
func wait(ctx context.Context, try func() error) error {
	for range 300 {
		if try() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return try()
}

// ask is the one value of a statement.
func (b *bench) ask(ctx context.Context, statement string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.engine+"/?user=aftershock&password="+b.token, strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	a, err := send(r)
	return strings.TrimSpace(string(a.body)), err
}
