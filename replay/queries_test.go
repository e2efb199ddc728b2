package replay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
	"aftershock/stream/streamtest"
)

// queries stands before a ClickHouse, and refuses the n-th thing that it is asked.
type queries struct {
	n, asked atomic.Int64
}

// refusing starts a ClickHouse behind queries.
func refusing(t *testing.T) (*clickhouse.DB, *queries) {
	t.Helper()
	to, err := url.Parse(serveDB(t))
	if err != nil {
		t.Fatal(err)
	}
	q := &queries{}
	behind := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q.asked.Add(1) == q.n.Load() {
			http.Error(w, "Code: 497. DB::Exception: refused. (ACCESS_DENIED)", http.StatusForbidden)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	db, err := clickhouse.Open(server.URL, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, q
}

// refusedEach is resting.refusedEach of what the tables are asked.
func (q *queries) refusedEach(t *testing.T, do func(ctx context.Context) error, whole func() error) {
	t.Helper()
	for n := int64(1); n < 500; n++ {
		q.asked.Store(0)
		q.n.Store(n)
		err := do(t.Context())
		refused := q.asked.Load() >= n
		q.n.Store(0)
		if err != nil && !refused {
			t.Fatalf("query %d: nothing was refused: %v", n, err)
		}
		if err == nil {
			if err := whole(); err != nil {
				t.Fatalf("query %d was refused, and nobody was told: %v", n, err)
			}
		}
		if !refused {
			return
		}
	}
	t.Error("it has no end")
}

func TestWhatTheTablesDoNotTellIsAnError(t *testing.T) {
	t.Parallel()
	db, q := refusing(t)
	rules := rulesOf(t, "abort\n")
	k, _ := streamtest.Broker(t, 1, schema.ProcessedTopic(1))
	for n := range 3 {
		for version := int32(1); version <= 2; version++ {
			row := stored(crashID(n, "261122"), version, 0, int64(n), noon, fmt.Sprint("f", version), "")
			row.Processed.Notes = []schema.Note{{Code: schema.NoteSymbolsTransient, Stage: schema.StageSymbols}}[:version-1]
			row.Processed.Modules[0].Symbols = "timeout"
			write(t, db, row)
		}
	}
	write(t, db, stored(crashID(9, "261122"), 1, 0, 9, noon, "f1", ""), stored(crashID(1, "261122"), 1, 7, 1, noon, "again", ""))
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 2, Ranges: []schema.ActiveRange{ranged(begin, end, 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	if err := storeLineage(t.Context(), db, 2, []change{{at(begin), at(end), 1, 2}}); err != nil {
		t.Fatal(err)
	}
	move := change{at(begin), at(end), 1, 2}
	a := &schema.SignatureVersion{Number: 1, RulesetHash: rules.Hash(), Ruleset: files(rules)}
	b := &schema.SignatureVersion{Number: 2, RulesetHash: "other", Ruleset: files(rules)}
	o := &Operator{DB: db}
	recent := &look{before: noon.AddDate(0, 0, -1)}
	whole := func(is bool) error {
		if !is {
			return errNotWhole
		}
		return nil
	}
	for name, ask := range map[string]func(ctx context.Context) (is bool, err error){
		"a diff": func(ctx context.Context) (bool, error) {
			d, err := (&DiffQuery{A: a, B: b, Limit: 10}).Run(ctx, db)
			return err == nil && d.Totals.Both == 3 && d.Totals.OnlyA == 1, err
		},
		"a diff of revisions": func(ctx context.Context) (bool, error) {
			d, err := (&DiffQuery{A: a, B: a, Revisions: true, Limit: 10}).Run(ctx, db)
			return err == nil && d.Totals.Both == 1, err
		},
		"why": func(ctx context.Context) (bool, error) {
			d := &Diff{Pairs: []Pair{{From: "f1", To: "f2", Examples: []Example{{CrashID: crashID(2, "261122")}}}, {From: "none", To: "f2"}}}
			err := d.Explain(ctx, db, k, a, b)
			return err == nil && strings.HasPrefix(d.Pairs[0].Examples[0].Why, "its processed crash is gone"), err
		},
		"what is missing": func(ctx context.Context) (bool, error) {
			n, first, err := missing(ctx, db, []change{move}, nil, 5)
			return n == 1 && len(first) == 1, err
		},
		"what is missing since": func(ctx context.Context) (bool, error) {
			n, first, err := missing(ctx, db, []change{move}, recent, 5)
			return n == 1 && len(first) == 1, err
		},
		"until when nothing is": func(ctx context.Context) (bool, error) {
			until, err := move.until(ctx, db)
			return until.Equal(noon), err
		},
		"what lacks symbols": func(ctx context.Context) (bool, error) {
			err := o.refuseTransient(ctx, []change{move, {at(begin), at(end), 0, 2}, {at(begin), at(end), 1, 0}}, nil, 0)
			if errors.Is(err, ErrTransient) {
				return strings.HasSuffix(err.Error(), "\n  timeout of app: 2 crashes") || strings.HasSuffix(err.Error(), "\n  timeout of app: 3 crashes"), nil
			}
			return false, err
		},
		"a lineage": func(ctx context.Context) (bool, error) {
			l, err := FindLineage(ctx, db, clickhouse.Limits{}, "f1")
			return err == nil && len(l.Became) == 1 && l.FirstSeen.Equal(noon), err
		},
		"a condition": func(ctx context.Context) (bool, error) {
			selected, all, err := Where(ctx, db, clickhouse.Limits{}, clickhouse.Reports, "1", 4)
			return len(selected) == 4 && all == 4, err
		},
		"how many": func(ctx context.Context) (bool, error) {
			selected, all, err := Where(ctx, db, clickhouse.Limits{}, clickhouse.Reports, "1", 3)
			return len(selected) == 0 && all == 4, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var is bool
			q.refusedEach(t, func(ctx context.Context) (err error) { is, err = ask(ctx); return err }, func() error { return whole(is) })
		})
	}
}

// An answer of another shape, or one that breaks off, is an error, and no answer.
func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	c := &change{at(begin), at(end), 1, 2}
	counts := counting{db: db, query: &DiffQuery{A: &schema.SignatureVersion{}, B: &schema.SignatureVersion{}}, counts: map[key]*count{}, folded: folds{}, maxPairs: 10}
	for name, breaks := range map[string]string{"another shape": "SELECT 'text'", "broken off": "SELECT toUInt64(number) FROM numbers(200000) WHERE throwIf(number > 150000, 'broken off') = 0 SETTINGS max_block_size = 1000"} {
		for question, ask := range map[string]func() error{
			"count": func() error { _, err := c.count(t.Context(), db, clickhouse.Reports, breaks, chunk{}); return err },
			"named": func() error {
				_, _, err := c.named(t.Context(), db, clickhouse.Reports, breaks, chunk{}, 1)
				return err
			},
			"modules": func() error { _, err := c.modules(t.Context(), db, clickhouse.Reports, breaks, 1); return err },
			"diff":    func() error { _, err := counts.add(t.Context(), breaks); return err },
			"days": func() error {
				_, err := daysOf(t.Context(), db, clickhouse.Limits{}, "(SELECT 1 AS signature_version, 'no day' AS day)", 1, 2)
				return err
			},
		} {
			if err := ask(); err == nil {
				t.Errorf("%s: %s is no error", question, name)
			}
		}
	}
}

// A processed crash that cannot be read ends an explanation.
func TestAnExampleThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	rules := rulesOf(t, "abort\n")
	topic := schema.ProcessedTopic(1)
	r := rest(t, announced(t), 1)
	r.fill(topic, 0, 1)
	row := stored(crashID(1, "261122"), 1, 0, 1, noon, "f", "")
	row.Position = schema.Position{Topic: topic}
	write(t, db, row)
	a := &schema.SignatureVersion{Number: 1, RulesetHash: rules.Hash(), Ruleset: files(rules)}
	diff := func(id string) *Diff {
		return &Diff{Pairs: []Pair{{From: "f", To: "g", Examples: []Example{{CrashID: id}}}}}
	}
	if err := diff(crashID(1, "261122")).Explain(t.Context(), db, r.k, a, a); err == nil || !strings.HasPrefix(err.Error(), "crash.processed.v1 partition 0 offset 0: ") {
		t.Error(err)
	}
	gone := diff(crashID(2, "261122"))
	if err := gone.Explain(t.Context(), db, r.k, a, a); err != nil || gone.Pairs[0].Examples[0].Why != "its row is gone" {
		t.Errorf("%+v, %v", gone.Pairs, err)
	}
	if err := diff("no crash id").Explain(t.Context(), db, r.k, a, a); err == nil {
		t.Error("an id that is none")
	}
	revisions := diff("no crash id")
	if revisions.Revisions = true; revisions.Explain(t.Context(), db, r.k, a, a) != nil {
		t.Error("revisions have the same rules: nothing is to be explained")
	}
	if err := (&Diff{Pairs: []Pair{{From: "f", To: "g"}}}).Explain(t.Context(), db, r.k, a, a); err != nil {
		t.Errorf("nothing has an example: %v", err)
	}
	if err := (&Diff{}).Explain(t.Context(), db, r.k, a, &schema.SignatureVersion{Number: 2, RulesetHash: "nowhere"}); err == nil {
		t.Error("rules that are nowhere")
	}
	if err := (&Diff{}).Explain(t.Context(), db, r.k, &schema.SignatureVersion{Number: 2, RulesetHash: "nowhere"}, a); err == nil {
		t.Error("rules that are nowhere")
	}
	bare := r.newest().Version(1)
	r.refusedEach(func(ctx context.Context) error {
		err := diff(crashID(1, "261122")).Explain(ctx, db, r.k, bare, a)
		if err != nil && strings.Contains(err.Error(), "decode") {
			return nil // it is read, and cannot be
		}
		return err
	}, func() error { return nil })
}

// Twenty pairs are explained, each by its first example.
func TestTwentyPairsAreExplained(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t, "abort\n")
	a := &schema.SignatureVersion{Number: 1, RulesetHash: rules.Hash(), Ruleset: files(rules)}
	r := rest(t, announced(t), 1)
	d := &Diff{}
	for n := range 21 {
		d.Pairs = append(d.Pairs, Pair{From: "f", To: fmt.Sprint(n), Examples: []Example{{CrashID: crashID(n, "261122")}, {CrashID: crashID(100+n, "261122")}}})
	}
	if err := d.Explain(t.Context(), openDB(t), r.k, a, a); err != nil {
		t.Fatal(err)
	}
	explained := 0
	for _, p := range d.Pairs {
		if p.Examples[0].Why != "" {
			explained++
		}
		if p.Examples[1].Why != "" {
			t.Errorf("the second example: %q", p.Examples[1].Why)
		}
	}
	if explained != 20 {
		t.Errorf("%d are explained", explained)
	}
}

func TestARulesetsExplanationOfAnotherBuild(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t, "abort\n")
	var e Example
	e.explain("not what the rules give", "g", &signature.Crash{}, rules, rules)
	if e.Why != "A's rules do not give A's signature: was its processed crash made by another build?" {
		t.Errorf("%q", e.Why)
	}
}
