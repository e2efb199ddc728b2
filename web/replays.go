package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"aftershock/access"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

const (
	// diffPairs are listed of a comparison.
	diffPairs = 50
	// diffTime bounds a comparison in a page; replay diff has more time.
	diffTime = 15 * time.Second
	// flipTime bounds a promotion or a rollback that a page has begun: a rollback waits a day for
	// versions that have much to catch up on (replay.Rollback).
	flipTime = 25 * time.Hour
	// keptTold are the last sentences of one that a page shows.
	keptTold = 20
)

var diffLimits = clickhouse.Limits{MemoryBytes: 1 << 30, Time: diffTime}

func (h *Handler) routeReplays() {
	h.mux.HandleFunc("GET /replay", h.replays)
	h.mux.HandleFunc("GET /replay/{n}", h.limited(h.replay))
	h.mux.HandleFunc("POST /replay/{n}/promote", h.promote)
	h.mux.HandleFunc("POST /replay/{n}/rollback", h.rollback)
}

// replaysPage is what the template of /replay gets.
type replaysPage struct {
	Epoch int64
	// Promoting: somebody changes what is seen, from wherever.
	Promoting bool
	Seen      []replay.SeenRange
	Versions  []versionRow
}

// versionRow is a version, with how far it is.
type versionRow struct {
	replay.VersionStatus
	Left, All int64
	Percent   int
}

func rowOf(v replay.VersionStatus) versionRow {
	row := versionRow{VersionStatus: v, Percent: 100}
	row.Left, row.All = v.Left()
	if row.All > 0 {
		row.Percent = int(100 * (row.All - row.Left) / row.All)
	}
	return row
}

// Rules is the beginning of the ruleset's hash.
func (v versionRow) Rules() string { return v.RulesetHash[:min(12, len(v.RulesetHash))] }

// Waits tells whether somebody has still to handle records.
func (v versionRow) Waits() bool { return v.Left > 0 && v.State == schema.StateLive }

func (h *Handler) replays(w http.ResponseWriter, r *http.Request) {
	if h.noOperator(w, r) {
		return
	}
	s, err := h.o.Operator.Look(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	p := replaysPage{Epoch: s.Epoch, Promoting: s.Promoting != nil, Seen: s.Seen}
	for _, v := range s.Versions {
		p.Versions = append(p.Versions, rowOf(v))
	}
	h.show(w, r, http.StatusOK, "replays.html", view{Title: "Versions", At: "/replay", Body: p})
}

// replayPage is what the template of /replay/{n} gets.
type replayPage struct {
	versionRow
	Epoch   int64
	Against int32 // 0: nothing to compare with
	Diff    *replay.Diff
	Moved   string
	Sankey  *replay.Sankey
	NoDiff  string // why there is none
	// Promoting: somebody changes what is seen, from wherever.
	Promoting bool
	May       bool // promote and roll back
	Flip      *flip
	Live      bool
	LiveLink  string
}

// replay is the page of one version: how far it is, and what it changes against the one that is
// seen, or, when it is that one, against the one before.
func (h *Handler) replay(w http.ResponseWriter, r *http.Request) {
	if h.noOperator(w, r) {
		return
	}
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 32)
	if err != nil {
		h.fail(w, r, http.StatusNotFound, "There is no such version.", "/replay has those there are.")
		return
	}
	s, err := h.o.Operator.Look(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	i := slices.IndexFunc(s.Versions, func(v replay.VersionStatus) bool { return v.Number == int32(n) })
	if i < 0 {
		h.fail(w, r, http.StatusNotFound, "There is no such version, or it was dropped.", "/replay has those there are.")
		return
	}
	p := replayPage{versionRow: rowOf(s.Versions[i]), Epoch: s.Epoch, Promoting: s.Promoting != nil, May: h.o.Operator.DB != nil && access.From(r.Context()).Can(access.Operator), Flip: h.flips.of(int32(n))}
	p.Live = r.URL.Query().Has("live") && (p.Waits() || p.Flip.Runs())
	p.LiveLink = fmt.Sprintf("/replay/%d?live", n)
	if !p.Live {
		h.compare(r, &p, s)
	}
	refresh := 0
	if p.Live {
		refresh = 3
	}
	h.show(w, r, http.StatusOK, "replay.html", view{Title: fmt.Sprintf("Version %d", n), At: "/replay", Refresh: refresh, Body: &p})
}

// compare compares the version with the one it would follow.
func (h *Handler) compare(r *http.Request, p *replayPage, s *replay.Status) {
	seen := h.o.Why.Seen(h.o.Now())
	p.Against = seen
	if seen == p.Number {
		p.Against = 0
		for _, v := range s.Versions {
			if v.Number < p.Number {
				p.Against = v.Number
			}
		}
	}
	if p.Against == 0 {
		p.NoDiff = "There is no version to compare it with."
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), diffTime)
	defer cancel()
	d, err := h.o.Operator.Compare(ctx, h.o.DB, p.Against, p.Number, diffPairs, diffLimits)
	if err != nil {
		h.o.Log.Warn().Err(err).Msg("versions not compared")
		p.NoDiff = fmt.Sprintf("The versions cannot be compared now; the log of the server says why. aftershock replay diff %d %d says more.", p.Against, p.Number)
		if ctx.Err() != nil {
			p.NoDiff = fmt.Sprintf("The comparison did not end in %v: aftershock replay diff %d %d has more time.", diffTime, p.Against, p.Number)
		}
		return
	}
	p.Diff, p.Sankey, p.Moved = d, d.Sankey(), percent(d.MovedShare())
}

// flip is a promotion or a rollback that was begun from a page.
type flip struct {
	What string
	Who  string
	Told []string
	Done bool
	Err  string
}

// Runs tells whether it is under way.
func (f *flip) Runs() bool { return f != nil && !f.Done }

// flips are those of this process, by version: one at a time, for the log takes no two.
type flips struct {
	ctx     context.Context // of all that run: who waits gives up, and lets go what is held
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu  sync.Mutex
	all map[int32]*flip
}

// Close ends promotions and rollbacks that run, and waits until what they hold is let go.
func (h *Handler) Close() {
	h.flips.cancel()
	h.flips.running.Wait()
}

// of is a copy of a version's newest; nil when there is none.
func (f *flips) of(n int32) *flip {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[n] == nil {
		return nil
	}
	out := *f.all[n]
	out.Told = slices.Clone(out.Told)
	return &out
}

// begin is a new one; nil when one runs.
func (f *flips) begin(n int32, what, who string) *flip {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.all {
		if !other.Done {
			return nil
		}
	}
	if f.all == nil {
		f.all = map[int32]*flip{}
	}
	f.all[n] = &flip{What: what, Who: who}
	return f.all[n]
}

func (f *flips) tell(one *flip, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.Told = append(one.Told, text); len(one.Told) > keptTold {
		one.Told = one.Told[1:]
	}
}

func (f *flips) end(one *flip, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.Done = true
	if err != nil {
		one.Err = err.Error()
	}
}

func (h *Handler) promote(w http.ResponseWriter, r *http.Request) {
	h.flip(w, r, "promotion", func(ctx context.Context, o *replay.Operator, n int32, epoch int64) error {
		_, err := o.Promote(ctx, n, schema.TimeBegin, schema.TimeEnd, replay.PromoteOptions{CatchUp: 10 * time.Minute, Hold: 2 * time.Minute, Epoch: epoch})
		return err
	})
}

func (h *Handler) rollback(w http.ResponseWriter, r *http.Request) {
	h.flip(w, r, "rollback", func(ctx context.Context, o *replay.Operator, _ int32, epoch int64) error {
		_, err := o.Rollback(ctx, epoch, replay.PromoteOptions{CatchUp: 10 * time.Minute, Hold: 2 * time.Minute})
		return err
	})
}

// flip begins one, which goes on when its request has ended, and leads to the page that says how
// far it is. The epoch that the page has shown comes back with the form: who has looked at
// another state of things changes nothing.
func (h *Handler) flip(w http.ResponseWriter, r *http.Request, what string, do func(context.Context, *replay.Operator, int32, int64) error) {
	if h.noOperator(w, r) {
		return
	}
	viewer := access.From(r.Context())
	if !h.needs(w, r, viewer.Can(access.Operator), access.Operator) {
		return
	}
	if h.o.Operator.DB == nil {
		h.fail(w, r, http.StatusNotFound, "These pages cannot change what is seen.", "up's can, and aftershock replay promote and rollback.")
		return
	}
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 32)
	epoch, errEpoch := strconv.ParseInt(r.PostFormValue("epoch"), 10, 64)
	if err != nil || errEpoch != nil {
		h.failed(w, r, &badValueError{"want a version and the epoch that was seen"})
		return
	}
	s, err := h.o.Operator.Look(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	if s.Epoch != epoch {
		h.fail(w, r, http.StatusConflict, fmt.Sprintf("What is seen has epoch %d, and not %d: somebody has changed it.", s.Epoch, epoch), "Go back, and look again.")
		return
	}
	if !slices.ContainsFunc(s.Versions, func(v replay.VersionStatus) bool { return v.Number == int32(n) }) {
		h.fail(w, r, http.StatusNotFound, "There is no such version, or it was dropped.", "/replay has those there are.")
		return
	}
	one := h.flips.begin(int32(n), what, viewer.Name)
	if one == nil {
		h.fail(w, r, http.StatusConflict, "A promotion or a rollback runs already.", "The page of its version says how far it is.")
		return
	}
	o := h.operator(viewer, what+" from a page")
	o.Tell = func(text string) { h.flips.tell(one, text) }
	h.flips.running.Go(func() {
		ctx, cancel := context.WithTimeout(h.flips.ctx, flipTime)
		defer cancel()
		err := errors.New("it broke off")
		defer func() {
			if broken := recover(); broken != nil {
				h.o.Log.Error().Interface("panic", broken).Bytes("stack", debug.Stack()).Msg(what + " broke off")
			}
			h.memory.Forget()
			h.flips.end(one, err)
		}()
		if err = do(ctx, o, int32(n), epoch); err != nil {
			h.o.Log.Warn().Err(err).Str("who", viewer.Name).Int64("version", n).Msg(what + " failed")
		}
	})
	http.Redirect(w, r, fmt.Sprintf("/replay/%d?live", n), http.StatusSeeOther)
}
