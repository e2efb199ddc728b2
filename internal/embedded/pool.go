package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// pool is all connections to the engine: those that any request may have, those
// for sessions, and one to cancel statements with. They are all opened before
// the first request is served, see libchdb.keepSignals.
type pool struct {
	lib      *libchdb
	dir      string
	args     []string
	database string // of a request that names none
	log      zerolog.Logger

	free    chan *slot
	readers chan *slot // on which nothing can be written
	control *engineConn
	lost    chan error // a connection could be neither cleaned nor replaced

	mu          sync.Mutex
	sessions    map[string]*session
	sessionFree []*slot
}

// session is the state behind a session_id.
type session struct {
	slot    *slot
	busy    bool
	expires time.Time
}

// lease is the use of a connection by one request.
type lease struct {
	*slot
	pool     *pool
	session  *session   // nil for a connection of the pool
	home     chan *slot // where the connection goes back to; nil for a session's
	baseline map[string]string
	before   string // a session's database, to return to; "" if it need not
}

// openPool starts the engine on dir and opens n connections for requests.
func openPool(lib *libchdb, dir, database string, n int, log zerolog.Logger, args ...string) (*pool, error) {
	p := &pool{
		lib: lib, dir: dir, args: args, database: database, log: log,
		free:     make(chan *slot, n),
		readers:  make(chan *slot, n),
		lost:     make(chan error, 1),
		sessions: make(map[string]*session),
	}
	var err error
	if p.control, err = lib.open(dir, args...); err != nil {
		return nil, err
	}
	if err := p.withoutFiles(); err != nil {
		p.closeAll()
		return nil, err
	}
	for _, name := range []string{"default", database} {
		if _, err := p.control.text("CREATE DATABASE IF NOT EXISTS " + quoteName(name)); err != nil {
			p.closeAll()
			return nil, err
		}
	}
	for i := range 2*n + maxSessions {
		s, err := p.open(i < n)
		if err != nil {
			p.closeAll()
			return nil, err
		}
		switch {
		case i < n:
			p.readers <- s
		case i < 2*n:
			p.free <- s
		default:
			p.sessionFree = append(p.sessionFree, s)
		}
	}
	return p, nil
}

// withoutFiles makes the database default one of tables alone. The library gives it a
// second half, in which every file of the machine is a table of its name.
func (p *pool) withoutFiles() error {
	engine, err := p.control.text("SELECT engine FROM system.databases WHERE name = 'default'")
	if err != nil || strings.TrimSpace(engine) != "Overlay" {
		return err
	}
	tables, err := p.control.text("SELECT count() FROM system.tables WHERE database = 'default'")
	if err != nil {
		return err
	}
	// The half with tables is on the disk, and comes back alone. The engine does not find it
	// there while it has none.
	statements := []string{"DETACH DATABASE default", "ATTACH DATABASE default"}
	if strings.TrimSpace(tables) == "0" {
		statements = []string{"DROP DATABASE default", "CREATE DATABASE default ENGINE = Atomic"}
	}
	for _, statement := range statements {
		if _, err := p.control.text(statement); err != nil {
			return err
		}
	}
	return nil
}

func (p *pool) open(readOnly bool) (*slot, error) {
	conn, err := p.lib.open(p.dir, p.args...)
	if err != nil {
		return nil, err
	}
	return newSlot(conn, readOnly)
}

// acquire answers a connection with the database and settings of the request, one
// that cannot write if readOnly; it waits for one until ctx ends. The caller must release the lease, which is
// nil only if err is not.
func (p *pool) acquire(ctx context.Context, r *request, comment string, readOnly bool) (*lease, error) {
	l := &lease{pool: p}
	if r.session.id != "" {
		s, err := p.openSession(r.session)
		if err != nil {
			return nil, err
		}
		l.session, l.slot = s, s.slot
	} else {
		if l.home = p.free; readOnly {
			l.home = p.readers
		}
		select {
		case l.slot = <-l.home:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := l.prepare(r, comment); err != nil {
		l.release(r, statement{})
		return nil, err
	}
	return l, nil
}

// prepare applies the request's database and settings.
func (l *lease) prepare(r *request, comment string) (err error) {
	l.baseline = l.slot.baseline
	if l.session == nil {
		database := r.database
		if database == "" {
			database = l.pool.database
		}
		err = l.use(database)
	} else {
		if len(r.settings) > 0 {
			l.baseline, err = l.changedSettings()
		}
		if err == nil && r.database != "" {
			l.before = l.database
			err = l.use(r.database)
		}
	}
	if err != nil {
		return err
	}
	return l.set(r.settings, comment)
}

// release puts the connection back as it was before the request, whatever s
// did to it; a session keeps what its statements did.
func (l *lease) release(r *request, s statement) {
	err := l.unset(r.settings, l.baseline)
	if l.session != nil {
		l.pool.closeUse(l, r, s, err)
		return
	}
	if err != nil || mayChangeSession(s) {
		err = l.scrub()
	}
	if err != nil {
		l.pool.log.Warn().Err(err).Msg("connection could not be cleaned and is replaced")
		l.slot = l.pool.replace(l.slot)
	}
	if l.slot != nil {
		l.home <- l.slot
	}
}

// mayChangeSession tells whether a statement may leave something behind on its
// connection. Definitions are rare: all of them are suspects.
func mayChangeSession(s statement) bool { return s.kind == kindOther && s.verb != "INSERT" }

// replace answers a new connection in place of one that is beyond repair, or
// nil, and then the server ends.
func (p *pool) replace(old *slot) *slot {
	old.conn.close()
	s, err := p.open(old.readOnly)
	if err != nil {
		select {
		case p.lost <- fmt.Errorf("connection lost: %w", err):
		default: // the first one ends the server
		}
		return nil
	}
	return s
}

// openSession finds or begins a session and marks it busy.
func (p *pool) openSession(r sessionRequest) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expireSessions()
	s := p.sessions[r.id]
	switch {
	case s != nil && s.busy:
		return nil, exceptionf(373, "SESSION_IS_LOCKED", "Session %s is locked by a concurrent client", r.id)
	case s == nil && r.mustExist:
		return nil, exceptionf(372, "SESSION_NOT_FOUND", "Session %s not found", r.id)
	case s == nil && len(p.sessionFree) == 0:
		return nil, exceptionf(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "More than %d sessions at a time", maxSessions)
	case s == nil:
		last := len(p.sessionFree) - 1
		s = &session{slot: p.sessionFree[last]}
		if err := s.slot.use(p.database); err != nil {
			return nil, err
		}
		p.sessionFree = p.sessionFree[:last]
		p.sessions[r.id] = s
	}
	s.busy = true
	return s, nil
}

// closeUse ends a request's use of its session.
func (p *pool) closeUse(l *lease, r *request, s statement, err error) {
	if s.verb == "USE" || l.before != "" {
		l.database = ""
	}
	if err == nil && l.before != "" && s.verb != "USE" {
		err = l.use(l.before)
	}
	if err == nil && l.database == "" {
		l.database, err = l.currentDatabase()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.session.busy = false
	l.session.expires = time.Now().Add(r.session.timeout)
	if err != nil {
		p.log.Warn().Err(err).Str("session", r.session.id).Msg("session could not be restored and is ended")
		l.session.expires = time.Time{}
		p.expireSessions()
	}
}

// expireSessions ends the sessions whose time is over. p.mu is held.
func (p *pool) expireSessions() {
	now := time.Now()
	for id, s := range p.sessions {
		if s.busy || now.Before(s.expires) {
			continue
		}
		delete(p.sessions, id)
		if err := s.slot.scrub(); err != nil {
			s.slot = p.replace(s.slot)
		}
		if s.slot != nil {
			p.sessionFree = append(p.sessionFree, s.slot)
		}
	}
}

// cancelInterval is how often a statement that must end is killed: the first
// time it may not have begun.
const cancelInterval = 100 * time.Millisecond

// cancelWhenGone kills the statements marked with comment when ctx ends, until
// stop is called. stop waits for a kill under way, which otherwise could hit
// the connection's next statement.
func (p *pool) cancelWhenGone(ctx context.Context, comment string) (stop func()) {
	finished := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		select {
		case <-ctx.Done():
		case <-finished:
			return
		}
		kill := "KILL QUERY WHERE Settings['" + commentSetting + "'] = " + quoteString(comment) + " ASYNC"
		for {
			if _, err := p.control.text(kill); err != nil {
				p.log.Warn().Err(err).Msg("statement could not be cancelled")
				return
			}
			select {
			case <-finished:
				return
			case <-time.After(cancelInterval):
			}
		}
	})
	return func() {
		close(finished)
		running.Wait()
	}
}

// drain takes all connections out of use, waiting for their statements until
// ctx ends, and closes them. It answers ctx's error when some were still busy.
func (p *pool) drain(ctx context.Context) error {
	for _, home := range []chan *slot{p.free, p.readers} {
		for range cap(home) {
			select {
			case s := <-home:
				s.conn.close()
			case <-ctx.Done():
				return ctx.Err() // closing the engine under a statement would crash
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sessions {
		if s.busy {
			return errors.New("a session is busy")
		}
		s.slot.conn.close()
	}
	p.closeAll()
	return nil
}

// closeAll closes the connections that nobody has, the control connection last.
func (p *pool) closeAll() {
	for _, home := range []chan *slot{p.free, p.readers} {
		for len(home) > 0 {
			(<-home).conn.close()
		}
	}
	for _, s := range p.sessionFree {
		s.conn.close()
	}
	p.control.close()
}
