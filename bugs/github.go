package bugs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"aftershock/internal/loopback"
)

// GitHub is a repository's issues, by the REST API: they are named owner/name#12.
type GitHub struct {
	url, repository, token string
	client                 *http.Client
}

// MaxToken of a token, in bytes.
const MaxToken = 1024

// repositoryAddress ends in what the API calls a repository by.
var repositoryAddress = regexp.MustCompile(`/repos/([A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100})/?$`)

// NewGitHub asks for the issues of a repository, as https://api.github.com/repos/OWNER/NAME. A token
// is sent to that host alone; with one the API takes 5,000 requests an hour, with "" 60.
func NewGitHub(address, token string) (*GitHub, error) {
	err := checkAddress(address)
	m := repositoryAddress.FindStringSubmatch(address)
	if err == nil && m == nil {
		err = errors.New("want the address of a repository, https://api.github.com/repos/OWNER/NAME")
	}
	if err == nil && (len(token) > MaxToken || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' })) {
		err = fmt.Errorf("want a token of at most %d letters and signs", MaxToken)
	}
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	return &GitHub{strings.TrimSuffix(address, "/"), m[1], token, newClient()}, nil
}

// Host is who is sent the token.
func (g *GitHub) Host() string {
	u, _ := url.Parse(g.url)
	return u.Host
}

// Has takes the issues of its repository.
func (g *GitHub) Has(bug string) bool {
	number, ok := strings.CutPrefix(bug, g.repository+"#")
	return ok && (*Bugzilla)(nil).Has(number)
}

// States asks for one issue after the other. Where there are more than the API takes in an hour, the
// error says how far it came.
func (g *GitHub) States(ctx context.Context, bugs []string) (all []State, err error) {
	head := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"}}
	public := ""
	if g.token != "" && len(bugs) > 0 {
		head.Set("Authorization", "Bearer "+g.token)
		if public, err = g.public(ctx, head); err != nil {
			return nil, fmt.Errorf("github: %w", err)
		}
	}
	for _, bug := range bugs {
		var issue struct {
			Title  string `json:"title"`
			State  string `json:"state"`
			Reason string `json:"state_reason"`
			URL    string `json:"html_url"`
			Of     string `json:"repository_url"`
		}
		err := ask(ctx, g.client, g.url+"/issues/"+strings.TrimPrefix(bug, g.repository+"#"), head, &issue)
		var answer *errAnswer
		switch {
		case errors.As(err, &answer) && (answer.status == http.StatusNotFound || answer.status == http.StatusGone):
			continue // it is not shown, or is no more
		case err != nil:
			return all, fmt.Errorf("github: %w, after %d of %d issues", err, len(all), len(bugs))
		case g.token != "" && issue.Of != public:
			continue // it has moved to another repository, which is public or not
		}
		all = append(all, State{Bug: bug, State: strings.TrimSpace(issue.State + " " + issue.Reason), Summary: issue.Title, URL: issue.URL})
	}
	return all, nil
}

// public is the address of the repository, by which its issues name it. One that is for some alone is
// refused: its token sees issues that the readers of these tables must not.
func (g *GitHub) public(ctx context.Context, head http.Header) (address string, err error) {
	var repository struct {
		URL        string `json:"url"`
		Private    *bool  `json:"private"`
		Visibility string `json:"visibility"` // of a server of one's own: also "internal"
	}
	if err := ask(ctx, g.client, g.url, head, &repository); err != nil {
		return "", err
	}
	if p := repository.Private; p == nil || *p || repository.Visibility != "" && repository.Visibility != "public" {
		return "", fmt.Errorf("%s is not public: everybody would see its issues here", g.repository)
	}
	return repository.URL, nil
}

// checkAddress takes https, and http on this machine alone.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback.Is(u.Host)) {
		return errors.New("want an https address, without a user and a question mark")
	}
	return nil
}
