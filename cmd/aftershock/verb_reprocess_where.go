package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// whereFlags select crashes by what the tables say of them.
type whereFlags struct {
	Where         string `help:"Instead of ids: a condition over the columns of aftershock.crashes, in ClickHouse's SQL and without subqueries, like \"arrayExists(s -> s = 'missing', modules.symbols)\". Wants --clickhouse-url." placeholder:"SQL"`
	Pings         bool   `help:"--where asks aftershock.pings, the view of crash pings, which has the same columns."`
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" placeholder:"URL"`
	Limit         int    `help:"Most crashes that --where may select; more are refused." default:"100000"`
	MaxMemory     int64  `help:"Bytes of memory that the query of --where may use at the server." default:"1610612736"`
	Yes           bool   `help:"Don't ask before crashes that --where selects are processed again."`
}

// check refuses what the flags' parser cannot see. named: there are ids.
func (f *whereFlags) check(named bool) error {
	switch {
	case f.Where == "" && f.Pings:
		return &usageError{"--pings: want --where: an id names a report or a ping"}
	case f.Where == "":
		return nil
	case named:
		return &usageError{"reprocess: want crash ids or --where, not both"}
	case f.ClickhouseURL == "":
		return &usageError{"--where: want --clickhouse-url: the tables are asked"}
	case f.Limit < 1 || f.Limit > replay.MaxSelected:
		return &usageError{fmt.Sprintf("--limit: want 1 to %d", replay.MaxSelected)}
	case f.MaxMemory < minQueryMemory:
		return &usageError{fmt.Sprintf("--max-memory: want at least %d", minQueryMemory)}
	}
	return nil
}

// population is the one that --pings, or its absence, asks for.
func population(pings bool) clickhouse.Population {
	if pings {
		return clickhouse.Pings
	}
	return clickhouse.Reports
}

// selected are requests for the crashes that the condition selects, once somebody
// has agreed to their number.
func (v *reprocessVerb) selected(r *run) ([]schema.ReprocessRequest, error) {
	rows := rowFlags{ClickhouseURL: v.ClickhouseURL, MaxMemory: v.MaxMemory}
	db, err := rows.open(r)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	of := population(v.Pings)
	crashes, all, err := replay.Where(r.ctx, db, rows.limits(), of, v.Where, v.Limit)
	switch {
	case errors.Is(err, replay.ErrCondition):
		return nil, &usageError{fmt.Sprintf("--where: %v", err)}
	case err != nil:
		return nil, fmt.Errorf("--where: %w", err)
	case all > int64(v.Limit):
		return nil, fmt.Errorf("--where selects %d %s, more than --limit %d: select less, or raise it", all, of.View, v.Limit)
	}
	say(r.stderr, "--where selects %d %s\n", all, of.View)
	if err := v.agreed(r, all); err != nil {
		return nil, err
	}
	requests := make([]schema.ReprocessRequest, len(crashes))
	for i, c := range crashes {
		requests[i] = schema.ReprocessRequest{CrashID: c.CrashID, Raw: c.Raw}
	}
	return requests, nil
}

// agreed asks on a terminal, and refuses without one.
func (v *reprocessVerb) agreed(r *run, crashes int64) error {
	if v.DryRun || v.Yes || crashes == 0 {
		return nil
	}
	if !isTerminal(os.Stdin) || !isTerminal(r.stderr) {
		return &usageError{fmt.Sprintf("--where selects %d %s: want --yes to process them again, or --dry-run to see which they are", crashes, population(v.Pings).View)}
	}
	say(r.stderr, "process them again? [y/N] ")
	if !saysYes(os.Stdin) {
		return errors.New("nothing was asked for")
	}
	return nil
}

// saysYes reads an answer.
func saysYes(in io.Reader) bool {
	line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return (err == nil || errors.Is(err, io.EOF)) && (answer == "y" || answer == "yes")
}
