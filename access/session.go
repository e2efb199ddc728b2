package access

import (
	"sync"
	"time"
)

// SessionLife is how long a session is good for at most.
const SessionLife = 8 * time.Hour

// maxEnded bounds how many sessions that were ended before their time are remembered.
const maxEnded = 10_000

// clockMargin is how far clocks of replicas may lie apart: a session from further ahead is none.
const clockMargin = 2 * time.Minute

// purposes of sealed texts.
const (
	purposeSession = "session"
	purposeOIDC    = "oidc"
)

// Session is what a viewer's cookie holds, sealed.
type Session struct {
	ID      string    `json:"id"` // new at each login
	Name    string    `json:"name"`
	Issued  time.Time `json:"issued"`
	Hold    string    `json:"hold,omitempty"`    // of a user, what their password was then
	Foreign bool      `json:"foreign,omitempty"` // of an OIDC provider, which gave the roles
	Roles   []Role    `json:"roles,omitempty"`   // of a foreign one alone: users' are looked up
}

// newSession is one that begins now.
func newSession(name string, now time.Time) Session {
	return Session{ID: random(16), Name: name, Issued: now.UTC()}
}

func (s *Session) over(now time.Time) bool {
	return !now.Before(s.Issued.Add(SessionLife)) || s.Issued.Sub(now) > clockMargin
}

// ended are sessions whose viewers have logged out. It is safe for concurrent use. This process
// remembers its own alone: elsewhere a session that somebody has copied lives its hours.
type ended struct {
	mu  sync.Mutex
	all map[string]time.Time // when they would have been over
}

func (e *ended) add(s *Session, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[string]time.Time{}
	}
	if len(e.all) >= maxEnded {
		for id, over := range e.all {
			if !now.Before(over) {
				delete(e.all, id)
			}
		}
	}
	if len(e.all) >= maxEnded { // nobody's memory is endless: another one is forgotten
		for id := range e.all {
			delete(e.all, id)
			break
		}
	}
	e.all[s.ID] = s.Issued.Add(SessionLife)
}

func (e *ended) has(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.all[id]
	return ok
}
