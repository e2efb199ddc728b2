package bugs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// bugzillaAtOnce are asked for with one request.
const bugzillaAtOnce = 100

// maxBugzillaDigits of a bug's number.
const maxBugzillaDigits = 9

// Bugzilla is one, by its REST API: bugs are named by their numbers.
type Bugzilla struct {
	url    string
	client *http.Client
}

// NewBugzilla asks a Bugzilla, whose pages begin with the address.
func NewBugzilla(address string) (*Bugzilla, error) {
	if err := checkAddress(address); err != nil {
		return nil, fmt.Errorf("bugzilla: %w", err)
	}
	return &Bugzilla{strings.TrimSuffix(address, "/"), newClient()}, nil
}

// Has takes numbers.
func (*Bugzilla) Has(bug string) bool {
	return bug != "" && len(bug) <= maxBugzillaDigits && bug[0] != '0' && strings.Trim(bug, "0123456789") == ""
}

// States asks for many at once. Bugs that the public does not see are left out of the answer.
func (b *Bugzilla) States(ctx context.Context, bugs []string) (all []State, err error) {
	for len(bugs) > 0 {
		some := bugs[:min(len(bugs), bugzillaAtOnce)]
		bugs = bugs[len(some):]
		var answer struct {
			Bugs []struct {
				ID         int64  `json:"id"`
				Status     string `json:"status"`
				Resolution string `json:"resolution"`
				Summary    string `json:"summary"`
			} `json:"bugs"`
		}
		q := url.Values{"id": {strings.Join(some, ",")}, "include_fields": {"id,status,resolution,summary"}}
		if err := ask(ctx, b.client, b.url+"/rest/bug?"+q.Encode(), nil, &answer); err != nil {
			return all, fmt.Errorf("bugzilla: %w", err)
		}
		for _, bug := range answer.Bugs {
			id := strconv.FormatInt(bug.ID, 10)
			all = append(all, State{Bug: id, State: strings.TrimSpace(bug.Status + " " + bug.Resolution), Summary: bug.Summary, URL: b.url + "/show_bug.cgi?id=" + id})
		}
	}
	return all, nil
}
