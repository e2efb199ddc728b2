package access

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Limits of logins that fail, within attemptTime.
const (
	MaxAttemptsOfName    = 10
	MaxAttemptsOfAddress = 40
	attemptTime          = 15 * time.Minute
)

// attemptCells bounds the memory for attempts. Names that share a cell share its limit: they
// are spread by a seed that nobody knows.
const attemptCells = 1 << 14

// attempts counts logins that failed, by name and by address, whether there is such a name or
// not. It is safe for concurrent use.
type attempts struct {
	seed   maphash.Seed
	mu     sync.Mutex
	names  [attemptCells]attemptCell
	places [attemptCells]attemptCell
}

type attemptCell struct {
	since time.Time
	count int
}

func newAttempts() *attempts { return &attempts{seed: maphash.MakeSeed()} }

// take counts an attempt, and tells whether it may be made: one that must not is not counted,
// so that a limit ends attemptTime after its first attempt. It is counted before the password is
// looked at: of many at once none passes the limit.
func (a *attempts) take(name string, from netip.Addr, now time.Time) bool {
	n, p := a.cells(name, from)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range []*attemptCell{n, p} {
		if since := now.Sub(c.since); since >= attemptTime || since < 0 {
			*c = attemptCell{since: now}
		}
	}
	if n.count >= MaxAttemptsOfName || p.count >= MaxAttemptsOfAddress {
		return false
	}
	n.count++
	p.count++
	return true
}

// passed takes back what a login that was none of a guesser had counted.
func (a *attempts) passed(name string, from netip.Addr) {
	n, p := a.cells(name, from)
	a.mu.Lock()
	defer a.mu.Unlock()
	n.count, p.count = max(n.count-1, 0), max(p.count-1, 0)
}

func (a *attempts) cells(name string, from netip.Addr) (ofName, ofPlace *attemptCell) {
	if from.Is6() { // whoever has one address has all of its network
		if network, err := from.Prefix(64); err == nil {
			from = network.Addr()
		}
	}
	return &a.names[maphash.String(a.seed, name)%attemptCells], &a.places[maphash.String(a.seed, from.String())%attemptCells]
}
