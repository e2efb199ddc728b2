// Command benchanalysts times every question of the cookbook over generated crashes and writes
// docs/benchmarks.md. It starts an embedded ClickHouse in a directory that it keeps, so that
// the crashes are made once; some are generated, and the others are copies of those with
// other ids, days and installs.
//
//	benchanalysts -rows 10000000 -crashes 500000 -dir .cache/bench-analysts -out docs/benchmarks.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	b := bench{}
	flag.IntVar(&b.rows, "rows", 10_000_000, "crashes to ask")
	flag.IntVar(&b.crashes, "crashes", 500_000, "how many of them are generated; the others are copies")
	flag.StringVar(&b.dir, "dir", ".cache/bench-analysts", "where the tables are kept")
	flag.StringVar(&b.program, "aftershock", "bin/aftershock", "the program")
	flag.StringVar(&b.library, "libchdb", "", "the engine's library; by default where make libchdb puts it")
	flag.StringVar(&b.listen, "listen", "127.0.0.1:18123", "the server's address")
	flag.IntVar(&b.runs, "runs", 5, "how often each question is asked warm")
	flag.StringVar(&b.out, "out", "docs/benchmarks.md", "the page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchanalysts:", err)
		os.Exit(1) //nolint:gocritic // the server has ended with run
	}
}

// bench is one run.
type bench struct {
	rows, crashes, runs                int
	dir, program, library, listen, out string

	token string
	page  page
}

func (b *bench) run(ctx context.Context) (err error) {
	end, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := b.fill(ctx); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := b.storage(ctx); err != nil {
		return err
	}
	if err := b.byMonth(ctx); err != nil {
		return err
	}
	if err := b.compare(ctx); err != nil {
		return err
	}
	if err := b.questions(ctx); err != nil {
		return err
	}
	return os.WriteFile(b.out, b.page.markdown(b), 0o644) //nolint:gosec // a page for everybody
}
