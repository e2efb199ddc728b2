package bugs_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"aftershock/bugs"
)

const token = "the-secret"

// hub is a GitHub with one repository. It keeps with which token it was asked for what.
type hub struct {
	repository string // what it says of it
	issue      func(w http.ResponseWriter, r *http.Request)
	asked      []string
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked = append(h.asked, r.URL.Path+" "+r.Header.Get("Authorization"))
	switch {
	case r.URL.Path == "/repos/orchard/app":
		say(w, h.repository)
	case h.issue != nil:
		h.issue(w, r)
	default:
		say(w, `{"title":"Crash on start","state":"open"}`)
	}
}

func (h *hub) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// A token is sent with each question, and there is none without one.
func TestATokenIsSent(t *testing.T) {
	for given, want := range map[string][]string{
		"":    {"/repos/orchard/app/issues/7 "},
		token: {"/repos/orchard/app Bearer " + token, "/repos/orchard/app/issues/7 Bearer " + token},
	} {
		h := &hub{repository: `{"private":false,"visibility":"public"}`}
		gh, err := bugs.NewGitHub(h.serve(t)+"/repos/orchard/app", given)
		if err != nil {
			t.Fatal(err)
		}
		all, err := gh.States(t.Context(), []string{"orchard/app#7"})
		if err != nil || len(all) != 1 || all[0].State != "open" || !slices.Equal(h.asked, want) {
			t.Errorf("%q: %v, %v, asked %q", given, all, err, h.asked)
		}
	}
}

// What a token sees and the public does not is not asked for.
func TestWithATokenOnlyPublicRepositoriesAreAsked(t *testing.T) {
	for _, repository := range []string{`{"private":true}`, `{"private":false,"visibility":"internal"}`, `{}`, `<html>`} {
		h := &hub{repository: repository}
		gh, err := bugs.NewGitHub(h.serve(t)+"/repos/orchard/app", token)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := gh.States(t.Context(), []string{"orchard/app#7"}); err == nil || len(all) > 0 || len(h.asked) != 1 {
			t.Errorf("%s: %v, %v, asked %q", repository, all, err, h.asked)
		}
	}
}

// Nobody is asked who is not named, whatever a tracker leads to; what is on its host is followed.
func TestRedirectsStayOnTheirHost(t *testing.T) {
	other := &hub{}
	elsewhere := other.serve(t)
	for to, follows := range map[string]bool{
		elsewhere + "/issues/7": false,
		strings.Replace(elsewhere, "127.0.0.1", "localhost", 1) + "/issues/7": false,
		"/repositories/1/issues/7": true,
	} {
		h := &hub{repository: `{"private":false}`}
		h.issue = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/repositories/1/issues/7" {
				say(w, `{"state":"closed"}`)
				return
			}
			http.Redirect(w, r, to, http.StatusMovedPermanently)
		}
		gh, err := bugs.NewGitHub(h.serve(t)+"/repos/orchard/app", token)
		if err != nil {
			t.Fatal(err)
		}
		all, err := gh.States(t.Context(), []string{"orchard/app#7"})
		if follows != (err == nil && len(all) == 1 && all[0].State == "closed") || len(other.asked) > 0 {
			t.Errorf("%s: %v, %v, the other was asked %q", to, all, err, other.asked)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("the error has the token: %v", err)
		}
	}
	for n, want := range map[int]bool{5: true, 6: false} {
		h := &hub{}
		h.issue = func(w http.ResponseWriter, r *http.Request) {
			if len(h.asked) > n {
				say(w, `{"state":"closed"}`)
				return
			}
			http.Redirect(w, r, "/again", http.StatusFound)
		}
		gh, err := bugs.NewGitHub(h.serve(t)+"/repos/orchard/app", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gh.States(t.Context(), []string{"orchard/app#7"}); (err == nil) != want {
			t.Errorf("%d redirects: %v", n, err)
		}
	}
}

// An issue that has moved to another repository is not followed with a token, which may see that one
// while the public does not; one of a repository that has another name now is.
func TestWithATokenIssuesStayInTheirRepository(t *testing.T) {
	for of, want := range map[string]bool{"https://git.test/repos/orchard/renamed": true, "https://git.test/repos/orchard/secret": false, "": false} {
		h := &hub{repository: `{"private":false,"url":"https://git.test/repos/orchard/renamed"}`}
		h.issue = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/repositories/2/issues/1" {
				http.Redirect(w, r, "/repositories/2/issues/1", http.StatusMovedPermanently)
				return
			}
			say(w, `{"title":"A secret","state":"open","repository_url":"`+of+`"}`)
		}
		at := h.serve(t) + "/repos/orchard/app"
		gh, err := bugs.NewGitHub(at, token)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := gh.States(t.Context(), []string{"orchard/app#7"}); err != nil || (len(all) == 1) != want {
			t.Errorf("with a token, of %q: %v, %v", of, all, err)
		}
		if gh, err = bugs.NewGitHub(at, ""); err != nil { // what anybody is shown is public
			t.Fatal(err)
		}
		if all, err := gh.States(t.Context(), []string{"orchard/app#7"}); err != nil || len(all) != 1 {
			t.Errorf("without one, of %q: %v, %v", of, all, err)
		}
	}
}

// A token has an end, and is nothing else in the head of a request.
func TestTokensThatAreNone(t *testing.T) {
	for given, want := range map[string]bool{strings.Repeat("x", bugs.MaxToken): true, strings.Repeat("x", bugs.MaxToken+1): false, "a b": false, "a\nHost: x": false, "\u00e4": false} {
		_, err := bugs.NewGitHub("https://api.github.com/repos/a/b", given)
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), given) {
			t.Errorf("%.20q: %v", given, err)
		}
	}
}
