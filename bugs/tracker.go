package bugs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"aftershock/sinks/clickhouse"
)

// State is how a bug stands, as its tracker says.
type State struct {
	Bug     string // as it was asked for
	State   string // "RESOLVED FIXED", "open", "closed completed"
	Summary string
	URL     string
}

// Tracker tells how bugs stand.
type Tracker interface {
	// Has tells whether a bug of this name is one of its.
	Has(bug string) bool
	// States are those of the bugs that it shows; of the others nothing is said. With an error
	// they are those that it has told before.
	States(ctx context.Context, bugs []string) ([]State, error)
}

// Table is where bugs are kept.
type Table interface {
	Bugs(ctx context.Context) ([]clickhouse.Bug, error)
	LoadBugs(ctx context.Context, all []clickhouse.Bug, replace bool, now time.Time) (removed int, err error)
}

// Follow asks trackers how the bugs of the table stand, and stores what has changed. It returns how
// many were told of, and how many of the table's rows have changed. What was told before an error
// is stored.
func Follow(ctx context.Context, table Table, trackers []Tracker, now time.Time) (told, changed int, err error) {
	have, err := table.Bugs(ctx)
	if err != nil {
		return 0, 0, err
	}
	states := map[string]State{}
	var failed []error
	for _, tracker := range trackers {
		var its []string
		for _, b := range have {
			if tracker.Has(b.Bug) {
				its = append(its, b.Bug)
			}
		}
		slices.Sort(its)
		some, err := tracker.States(ctx, slices.Compact(its))
		failed = append(failed, err)
		for _, s := range some {
			states[s.Bug] = s
		}
	}
	var next []clickhouse.Bug
	for _, b := range have {
		s, ok := states[b.Bug]
		if !ok {
			continue
		}
		was := b
		b.State, b.Summary = cut(s.State), cut(s.Summary)
		if b.URL == "" {
			b.URL = cut(s.URL)
		}
		if b != was {
			next = append(next, b)
		}
	}
	if len(next) > 0 {
		if _, err := table.LoadBugs(ctx, next, false, now); err != nil {
			return 0, 0, err
		}
	}
	return len(states), len(next), errors.Join(failed...)
}

// cut is a text of a tracker as it is kept.
func cut(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	return strings.ToValidUTF8(strings.TrimSpace(text), "")
}

// maxAnswerBytes of one answer of a tracker.
const maxAnswerBytes = 8 << 20

// errAnswer is an answer that is none of what was asked for.
type errAnswer struct {
	status int
	text   string
}

func (e *errAnswer) Error() string { return e.text }

// ask gets a JSON document. The address is the operator's, and stands in no error: it may hold what
// others should not read.
func ask(ctx context.Context, client *http.Client, address string, head http.Header, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the address is none")
	}
	r.Header = head.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("User-Agent", "aftershock")
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	res, err := client.Do(r)
	switch {
	case errors.Is(err, errElsewhere):
		return fmt.Errorf("%s: %w", r.URL.Host, errElsewhere)
	case err != nil:
		return fmt.Errorf("%s does not answer", r.URL.Host)
	}
	defer res.Body.Close() //nolint:errcheck // read below
	if res.StatusCode != http.StatusOK {
		return &errAnswer{res.StatusCode, fmt.Sprintf("%s: %s", r.URL.Host, res.Status)}
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: the answer broke off", r.URL.Host)
	case len(text) > maxAnswerBytes:
		return fmt.Errorf("%s: an answer of more than %d bytes", r.URL.Host, maxAnswerBytes)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: the answer is not what a tracker says: %w", r.URL.Host, err)
	}
	return nil
}

const (
	// askWithin bounds one answer.
	askWithin = 30 * time.Second
	// maxRedirects of one question.
	maxRedirects = 5
)

// errElsewhere: who leads to another host names one that the operator has not.
var errElsewhere = errors.New("a redirect to another host, or too many")

// newClient asks one tracker: it follows redirects on its host alone, so that nobody else is asked
// and nobody else gets a token.
func newClient() *http.Client {
	return &http.Client{Timeout: askWithin, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || len(via) > maxRedirects {
			return errElsewhere
		}
		return nil
	}}
}
