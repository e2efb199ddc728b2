package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"aftershock/bugs"
)

// bugsVerbs look after the table of bugs.
type bugsVerbs struct {
	Follow bugsFollowVerb `cmd:"" help:"Ask trackers how the bugs stand that are known, and store it: status, resolution, title. Nobody is asked who is not named here."`
	Import bugsImportVerb `cmd:"" help:"Load bugs and their signatures from CSV: columns signature, bug, and perhaps url, summary, state."`
}

type bugsImportVerb struct {
	From          string `arg:"" help:"File, - for standard input, or an http(s) URL, as of a tracker's search."`
	Replace       bool   `help:"Take away the bugs that are not in it."`
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" required:""`
}

// fetchBugsWithin bounds a tracker's answer.
const fetchBugsWithin = 2 * time.Minute

// Run loads them all, or none.
func (v *bugsImportVerb) Run(r *run) error {
	source, err := v.open(r.ctx)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it was only read
	all, err := bugs.ReadCSV(source, bugs.MaxImported)
	if err != nil {
		return fmt.Errorf("%s: %w", redactURL(v.From), err)
	}
	if len(all) == 0 && v.Replace {
		return fmt.Errorf("%s has no bugs: with --replace all would go", redactURL(v.From))
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // everything is sent
	removed, err := db.LoadBugs(r.ctx, all, v.Replace, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.stdout, "%d bugs loaded, %d taken away\n", len(all), removed)
	return err
}

func (v *bugsImportVerb) open(ctx context.Context) (io.ReadCloser, error) {
	switch {
	case v.From == "-":
		return io.NopCloser(os.Stdin), nil
	case !strings.HasPrefix(v.From, "http://") && !strings.HasPrefix(v.From, "https://"):
		return os.Open(v.From)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.From, nil)
	if err != nil {
		return nil, errors.New("the URL is none")
	}
	res, err := (&http.Client{Timeout: fetchBugsWithin}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redactURL(v.From), err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", redactURL(v.From), res.Status), res.Body.Close())
	}
	return res.Body, nil
}

type bugsFollowVerb struct {
	Bugzilla      string   `help:"Bugzilla whose bugs are named by their numbers, https://bugzilla.example." placeholder:"URL"`
	Github        []string `help:"Repository whose issues are named owner/name#12, https://api.github.com/repos/OWNER/NAME. Repeat it." placeholder:"URL" sep:"none"`
	GithubToken   string   `help:"File with a token for the host of --github, which takes more requests then; or set $AFTERSHOCK_GITHUB_TOKEN. It needs to see no more than what is public." name:"github-token-file" placeholder:"FILE"`
	ClickhouseURL string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" required:""`
}

// githubToken is the environment's variable with a token for GitHub.
const githubToken = "AFTERSHOCK_GITHUB_TOKEN"

// githubToken is what GitHub knows us by; empty where there is none.
func (v *bugsFollowVerb) githubToken() (string, error) {
	if len(v.Github) == 0 && v.GithubToken != "" {
		return "", &usageError{"--github-token-file: there is no --github that it is for"}
	}
	token := os.Getenv(githubToken)
	if v.GithubToken == "" {
		return strings.TrimSpace(token), nil
	}
	if token != "" {
		return "", &usageError{"two tokens: remove --github-token-file or $" + githubToken}
	}
	text, err := readSmall(v.GithubToken, bugs.MaxToken+2) // with the end of its line
	if err != nil {
		return "", fmt.Errorf("--github-token-file: %w", err)
	}
	if token = strings.TrimSpace(string(text)); token == "" {
		return "", fmt.Errorf("--github-token-file: %s is empty", v.GithubToken)
	}
	return token, nil
}

// Run asks once; a timer calls it again.
func (v *bugsFollowVerb) Run(r *run) error {
	var trackers []bugs.Tracker
	if v.Bugzilla != "" {
		t, err := bugs.NewBugzilla(v.Bugzilla)
		if err != nil {
			return &usageError{err.Error()}
		}
		trackers = append(trackers, t)
	}
	token, err := v.githubToken()
	if err != nil {
		return err
	}
	host := ""
	for _, address := range v.Github {
		t, err := bugs.NewGitHub(address, token)
		if err != nil {
			return &usageError{err.Error()}
		}
		if host = cmp.Or(host, t.Host()); token != "" && host != t.Host() {
			return &usageError{"a token is for one host: ask " + host + " and " + t.Host() + " one after the other"}
		}
		trackers = append(trackers, t)
	}
	if len(trackers) == 0 {
		return &usageError{"want --bugzilla or --github: nobody else is asked"}
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // everything is sent
	told, changed, err := bugs.Follow(r.ctx, db, trackers, time.Now())
	if err == nil || told > 0 {
		if _, err := fmt.Fprintf(r.stdout, "%d bugs told of, %d associations changed\n", told, changed); err != nil {
			return err
		}
	}
	return err
}
