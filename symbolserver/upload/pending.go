package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// waiting is an upload whose files are to come. Where the store gives addresses, they come
// there, aside, and nobody tells us: so they are looked for, until all have come or the
// addresses are good no more. What is waited for is written down beside them, so that
// another process goes on with it.
type waiting struct {
	ID      string        `json:"id"`
	By      Token         `json:"by"`
	Try     bool          `json:"try"`
	Replace bool          `json:"replace"`
	Aside   bool          `json:"aside"`
	Unnamed bool          `json:"unnamed"` // Breakpad's: what its file is is told when it is there
	Until   time.Time     `json:"until"`
	Files   []waitingFile `json:"files"`

	packed string // how symbol files are to be sent

	// The mutex of pending guards these.
	results []*Result // by file; nil: it has not come
	busy    []bool    // by file: somebody keeps it
	changed chan struct{}
}

type waitingFile struct {
	Path   string `json:"path"`
	MD5    string `json:"md5,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// incoming is where a file comes to, aside; -1 is where the upload is written down.
func (u *waiting) incoming(n int) string { return store.Incoming(u.ID, n) }

const (
	// maxWaiting uploads wait at a time, of one token maxWaitingOfOne: it may let all of them
	// wait for nothing.
	maxWaiting      = 1000
	maxWaitingOfOne = 250
	// Files that come aside are looked for every lookPause.
	lookPause = 2 * time.Second
	// lingering is how long what became of an upload can be asked for when it is over.
	lingering = 10 * time.Minute
	// maxWrittenBytes bounds an upload that is written down.
	maxWrittenBytes = MaxManifest * 1024
)

// pending are the uploads that wait. It is safe for concurrent use.
type pending struct {
	h     *Handler
	loops sync.WaitGroup

	mu  sync.Mutex
	all map[string]*waiting
}

func newPending(h *Handler) *pending {
	p := &pending{h: h, all: map[string]*waiting{}}
	p.loops.Go(func() {
		if err := p.resume(h.ctx); err != nil && h.ctx.Err() == nil {
			h.o.Log.Warn().Err(err).Msg("uploads of before not looked for: clients send them again")
		}
	})
	p.loops.Go(func() { p.look(h.ctx) })
	return p
}

func (p *pending) wait() { p.loops.Wait() }

// resume goes on with what another process has written down.
func (p *pending) resume(ctx context.Context) error {
	var found []string
	err := p.h.o.Store.List(ctx, store.IncomingFolder, func(o store.Object) error {
		if name := strings.TrimPrefix(o.Path, store.IncomingFolder); !strings.Contains(name, "-") && len(found) < maxWaiting {
			found = append(found, o.Path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, path := range found {
		u, err := p.read(ctx, path)
		if err != nil {
			return err
		}
		if u != nil && p.hold(u) == nil {
			p.watch(u)
		}
	}
	return nil
}

func (p *pending) read(ctx context.Context, path string) (*waiting, error) {
	body, err := p.h.o.Store.Open(ctx, path)
	if errors.Is(err, symbolcache.ErrNotFound) {
		return nil, nil //nolint:nilnil // it is over
	}
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // opened for reading
	text, err := io.ReadAll(io.LimitReader(body, maxWrittenBytes))
	if err != nil {
		return nil, err
	}
	u := &waiting{}
	if json.Unmarshal(text, u) != nil || store.Incoming(u.ID, -1) != path || len(u.Files) > MaxManifest {
		return nil, nil //nolint:nilnil // not ours
	}
	return u, nil
}

var errBusy = errors.New("too many uploads wait for their files: try again later")

// hold keeps an upload in memory. One that is over gives way.
func (p *pending) hold(u *waiting) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var over *waiting
	same := 0
	for _, other := range p.all {
		switch {
		case other.over(p.h.o.Now()):
			if over == nil || other.Until.Before(over.Until) {
				over = other
			}
		case other.By.Name == u.By.Name:
			same++
		}
	}
	switch {
	case same >= maxWaitingOfOne, len(p.all) >= maxWaiting && over == nil:
		return errBusy
	case len(p.all) >= maxWaiting:
		delete(p.all, over.ID)
	}
	u.results, u.busy, u.changed = make([]*Result, len(u.Files)), make([]bool, len(u.Files)), make(chan struct{})
	p.all[u.ID] = u
	return nil
}

// add lets an upload wait for its files.
func (p *pending) add(ctx context.Context, u *waiting) error {
	if err := p.hold(u); err != nil {
		return err
	}
	if u.Aside {
		text, err := json.Marshal(u)
		if err == nil {
			err = p.h.o.Store.Put(ctx, store.Object{Path: u.incoming(-1), Bytes: int64(len(text))}, bytes.NewReader(text))
		}
		if err != nil {
			p.drop(u)
			return fmt.Errorf("the store does not answer: %w", err)
		}
	}
	p.watch(u)
	return nil
}

func (p *pending) drop(u *waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, u.ID)
}

func (p *pending) find(id string) *waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[id]
}

// watch forgets an upload when all its files have come, or none will any more.
func (p *pending) watch(u *waiting) {
	p.loops.Go(func() {
		ctx := p.h.ctx
		for ctx.Err() == nil && !p.over(u) {
			pause(ctx, lookPause)
		}
		if ctx.Err() != nil {
			return // the next process goes on
		}
		if p.last(ctx, u) {
			p.clean(ctx, u)
		}
		pause(ctx, lingering)
		p.drop(u)
	})
}

// last keeps what came aside and nobody has looked at, as it may be when servers were down. It
// is false when it could not: then what is there stays, until aftershock symbols gc.
func (p *pending) last(ctx context.Context, u *waiting) bool {
	if !u.Aside || u.Unnamed {
		return true
	}
	for n := range u.Files {
		if r := p.arrived(ctx, u, n); r.failed != nil && !errors.Is(r.failed, errNotCome) {
			p.h.o.Log.Warn().Err(r.failed).Str("key", r.Key).Msg("uploaded file not kept")
			return false
		}
	}
	return true
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// look keeps, every now and then, what has come aside.
func (p *pending) look(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, lookPause)
		due := p.due()
		if len(due) == 0 {
			continue
		}
		var keeps errgroup.Group
		keeps.SetLimit(p.h.o.MaxKeeps)
		err := p.h.o.Store.List(ctx, store.IncomingFolder, func(o store.Object) error {
			if f, ok := due[o.Path]; ok {
				keeps.Go(func() error {
					if r := p.arrived(ctx, f.of, f.n); r.failed != nil && ctx.Err() == nil {
						p.h.o.Log.Warn().Err(r.failed).Str("key", r.Key).Msg("uploaded file not kept, trying again")
					}
					return nil
				})
			}
			return ctx.Err()
		})
		if err != nil && ctx.Err() == nil {
			p.h.o.Log.Warn().Err(err).Msg("uploaded files not looked for, trying again")
		}
		keeps.Wait() //nolint:errcheck,gosec // none has an error
	}
}

// dueFile is a file that may come aside.
type dueFile struct {
	of *waiting
	n  int
}

// due are the files that may come aside and of which is known what they are, by their paths
// there.
func (p *pending) due() map[string]dueFile {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := map[string]dueFile{}
	for _, u := range p.all {
		for n, r := range u.results {
			if r == nil && u.Aside && !u.Unnamed {
				due[u.incoming(n)] = dueFile{u, n}
			}
		}
	}
	return due
}

// clean removes what was written down, and files that nobody wants any more.
func (p *pending) clean(ctx context.Context, u *waiting) {
	if !u.Aside {
		return
	}
	for n := -1; n < len(u.Files); n++ {
		if err := p.h.o.Store.Delete(ctx, u.incoming(n)); err != nil {
			p.h.o.Log.Warn().Err(err).Msg("files of an upload not removed: aftershock symbols gc does")
			return
		}
	}
}

// arrived keeps a file that lies aside. One that is not there yet waits on.
func (p *pending) arrived(ctx context.Context, u *waiting, n int) Result {
	return p.once(u, n, func() Result {
		o, content, err := p.h.o.Store.Get(ctx, u.incoming(n))
		if errors.Is(err, symbolcache.ErrNotFound) {
			return Result{Key: u.Files[n].Path, Status: Refused, Message: "nothing has come to its address", failed: errNotCome}
		}
		if err != nil {
			return Result{Key: u.Files[n].Path, Status: Refused, failed: err}
		}
		defer content.Close() //nolint:errcheck // opened for reading
		return p.keep(ctx, u, n, content, o.Encoding)
	})
}

var errNotCome = errors.New("nothing has come to the address that was given for it")

// put keeps a file that is sent.
func (p *pending) put(ctx context.Context, u *waiting, n int, body io.Reader, encoding string) Result {
	if u.Aside {
		return Result{Key: u.Files[n].Path, Status: Refused, Message: "it is to be put at the address that was given for it"}
	}
	switch encoding {
	case "", store.Gzip, store.Zstd:
	case "identity":
		encoding = store.Identity
	default:
		return Result{Key: u.Files[n].Path, Status: Refused, Message: fmt.Sprintf("Content-Encoding %.20q: want gzip, zstd or none", encoding)}
	}
	return p.once(u, n, func() Result {
		come, bytes, err := p.h.whole(body, p.h.o.MaxFileBytes)
		if err != nil {
			return Result{Key: u.Files[n].Path, Status: Refused}.refuse(ctx, err)
		}
		defer come.Close() //nolint:errcheck // it has no name any more
		return p.keep(ctx, u, n, io.NewSectionReader(come, 0, bytes), encoding)
	})
}

// named keeps the file of an upload that had no name until now.
func (p *pending) named(ctx context.Context, u *waiting, path store.Path) Result {
	p.mu.Lock()
	if u.results[0] == nil && !u.busy[0] {
		u.Files[0].Path = path.String()
	}
	p.mu.Unlock()
	return p.arrived(ctx, u, 0)
}

// once lets one keep a file at a time, and nobody one that has come. A file whose keeping
// failed may come again.
func (p *pending) once(u *waiting, n int, keep func() Result) Result {
	p.mu.Lock()
	switch {
	case u.results[n] != nil:
		defer p.mu.Unlock()
		return *u.results[n]
	case u.busy[n]:
		defer p.mu.Unlock()
		return Result{Key: u.Files[n].Path, Status: Refused, failed: errors.New("it is being kept")}
	}
	u.busy[n] = true
	p.mu.Unlock()
	r := keep()
	p.mu.Lock()
	defer p.mu.Unlock()
	u.busy[n] = false
	if r.failed == nil {
		u.results[n] = &r
		close(u.changed)
		u.changed = make(chan struct{})
	}
	return r
}

// keep keeps a file, and tells of it.
func (p *pending) keep(ctx context.Context, u *waiting, n int, body io.Reader, encoding string) Result {
	f := u.Files[n]
	path, err := store.ParsePath(f.Path)
	if err != nil {
		return Result{Key: f.Path, Status: Refused, Message: err.Error()}
	}
	// Who began the upload may not be allowed to any more.
	switch may, err := p.h.o.Tokens.may(u.By.Name, path.Try); {
	case err != nil:
		return Result{Key: f.Path, Status: Refused, failed: err}
	case !may:
		return Result{Key: f.Path, Status: Refused, Message: "the token with which it was begun was revoked, or has expired"}
	}
	r := p.h.keep(ctx, incoming{path: path, by: &u.By, replace: u.Replace, body: body, encoding: encoding, md5: f.MD5, sha256: f.SHA256})
	if err := p.h.told(ctx, u.By.Name, []Result{r}); err != nil {
		r.failed = err
	}
	return r
}

// over tells whether all files have come, or none will any more. It is called with the mutex
// held.
func (u *waiting) over(now time.Time) bool {
	return !now.Before(u.Until) || !slices.Contains(u.results, nil)
}

func (p *pending) over(u *waiting) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return u.over(p.h.o.Now())
}

// Waiting is a file's status that has not come.
const Waiting = "waiting"

// results are what became of the files; with wait, when all have come or after it.
func (p *pending) results(ctx context.Context, u *waiting, wait time.Duration) (results []Result, done bool) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		p.mu.Lock()
		changed := u.changed
		results, done = results[:0], true
		for n, r := range u.results {
			if r == nil {
				done = false
				results = append(results, Result{Key: u.Files[n].Path, Status: Waiting})
			} else {
				results = append(results, *r)
			}
		}
		p.mu.Unlock()
		if done || ctx.Err() != nil {
			return results, done
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}
