package collector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Check is something that the door needs. What is wrong with it is told in words of
// Ask's error when that is a *CheckError, which must hold nothing that outsiders should
// not know; any other error is logged and told as "failed".
type Check struct {
	Name string
	Ask  func(ctx context.Context) error
}

// CheckError is a reason that everybody may read.
type CheckError struct {
	Reason string
	Err    error
}

func (e *CheckError) Error() string { return e.Reason + ": " + e.Err.Error() }

func (e *CheckError) Unwrap() error { return e.Err }

const (
	// checkTime is how long a check may take.
	checkTime = 5 * time.Second
	// checkAge is how old an answer may be: who asks often asks the door alone.
	checkAge = 2 * time.Second
)

// heartbeats keeps the newest answer, and lets one ask at a time.
type heartbeats struct {
	mu     sync.Mutex
	at     time.Time
	status int
	text   []byte
}

// heartbeat answers 200 when everything that the door needs is there, else 503 with a
// reason each.
func (c *Collector) heartbeat(w http.ResponseWriter, r *http.Request) {
	h := &c.beats
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.text == nil || time.Since(h.at) > checkAge {
		h.status, h.text = c.ask(context.WithoutCancel(r.Context())) // it is the next one's answer, too
		h.at = time.Now()
	}
	if h.status != http.StatusOK {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	writeJSON(w, r, h.status, h.text)
}

// ask asks for everything at once.
func (c *Collector) ask(ctx context.Context) (status int, text []byte) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	type failure struct {
		Name string `json:"name"`
		Msg  string `json:"msg"`
	}
	failed := make([]*failure, len(c.o.Checks))
	var wg sync.WaitGroup
	for i, check := range c.o.Checks {
		wg.Go(func() {
			err := check.Ask(ctx)
			if err == nil {
				return
			}
			reason := "failed"
			var known *CheckError
			switch {
			case errors.As(err, &known):
				reason = known.Reason
			case errors.Is(err, context.DeadlineExceeded):
				reason = "no answer in time"
			}
			c.o.Log.Warn().Err(err).Str("check", check.Name).Msg("heartbeat")
			failed[i] = &failure{check.Name, reason}
		})
	}
	wg.Wait()
	out := struct {
		Errors []failure `json:"errors"`
	}{Errors: []failure{}}
	for _, f := range failed {
		if f != nil {
			out.Errors = append(out.Errors, *f)
		}
	}
	if status = http.StatusOK; len(out.Errors) > 0 {
		status = http.StatusServiceUnavailable
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // texts alone
	}
	return status, text
}
