package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/web"
)

const password = "correct horse battery"

// ledger is an audit in memory.
type ledger struct {
	mu     sync.Mutex
	events []schema.AuditEvent
	away   bool
}

func (l *ledger) Keep(_ context.Context, e *schema.AuditEvent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errors.New("no broker")
	}
	l.events = append(l.events, *e)
	return nil
}

func (l *ledger) Newest(_ context.Context, n int) (newest []schema.AuditEvent, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.events) - 1; i >= 0 && len(newest) < n; i-- {
		newest = append(newest, l.events[i])
	}
	return newest, nil
}

// set lets it fail from now on, or work.
func (l *ledger) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// told are what, who and subject of the events so far, which it forgets.
func (l *ledger) told() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.What, e.Who, e.Subject)))
	}
	l.events = nil
	return all
}

// dumps are of every crash the same.
type dumps struct{}

const dumpBytes = "MDMP canary-memory"

func (dumps) Dump(_ context.Context, _, name string) ([]byte, error) {
	if name != "" && name != schema.MainDump {
		return nil, fmt.Errorf("%w: %s", web.ErrNoDump, name)
	}
	return []byte(dumpBytes), nil
}

// house is a server of pages with a login: jane has all roles, joe none.
type house struct {
	*httptest.Server
	users  *access.Users
	ledger *ledger
	keep   *access.Keep
	db     *clickhouse.DB
}

func newHouse(t *testing.T, db *clickhouse.DB, change ...func(*web.Options)) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{ledger: &ledger{}, db: db}
	var err error
	if h.users, err = access.OpenUsers(filepath.Join(dir, "users"), time.Now); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.users.Add("jane", password, access.Roles), h.users.Add("joe", password, nil)); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.OpenTokens(filepath.Join(dir, "tokens"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := access.OpenSeal(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	keep, err := access.OpenKeep(filepath.Join(dir, "saved"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h.keep = keep
	var looks atomic.Int64 // a minute lies between any two, as long as a denial is not kept again
	o := web.Options{
		LoadBugs: func(ctx context.Context, all []clickhouse.Bug, replace bool) (int, error) {
			return db.LoadBugs(ctx, all, replace, time.Now())
		},
		Remember: 24 * time.Hour, // what anybody sees is not what somebody else has seen
		DB:       db, Protected: db, Dumps: dumps{}, Audit: h.ledger, Now: func() time.Time { return now.Add(time.Duration(looks.Add(1)) * time.Minute) }, Log: zerolog.Nop(),
		Login: access.NewLogin(access.LoginOptions{Users: h.users, Tokens: tokens, Keep: keep, Seal: seal, Now: time.Now}),
	}
	for _, set := range change {
		set(&o)
	}
	pages, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewServer(pages)
	t.Cleanup(h.Close)
	return h
}

// away is a database that nobody answers at.
func away(t *testing.T) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// browser is somebody's, with their cookies; redirects are not followed.
type browser struct {
	t      *testing.T
	at     string
	client *http.Client
}

func (h *house) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, h.URL, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status int
	head   http.Header
	body   string
}

func (b *browser) do(method, at string, form url.Values, head ...string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.at+at, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (b *browser) get(at string, head ...string) answer {
	return b.do(http.MethodGet, at, nil, head...)
}

func (b *browser) post(at string, form url.Values, head ...string) answer {
	return b.do(http.MethodPost, at, form, head...)
}

func (b *browser) cookie() string {
	at, _ := url.Parse(b.at)
	for _, c := range b.client.Jar.Cookies(at) {
		return c.Name + "=" + c.Value
	}
	return ""
}

func (b *browser) login(name string) *browser {
	b.t.Helper()
	a := b.post("/login", url.Values{"name": {name}, "password": {password}})
	if a.status != http.StatusSeeOther || a.head.Get("Location") != "/" || b.cookie() == "" {
		b.t.Fatalf("%s: %d %s %s", name, a.status, a.head.Get("Location"), a.body)
	}
	return b
}

func TestLogin(t *testing.T) {
	h := newHouse(t, away(t))
	b := h.browser(t)
	if a := b.get("/me"); a.status != http.StatusSeeOther || a.head.Get("Location") != "/login?next=/me" {
		t.Errorf("%d %s", a.status, a.head.Get("Location"))
	}
	if a := b.get("/login"); a.status != http.StatusOK || !strings.Contains(a.body, `type="password"`) || strings.Contains(a.body, "/login/leave") || !strings.Contains(a.body, ">Log in</a>") {
		t.Errorf("%+v", a)
	}
	wrong := b.post("/login", url.Values{"name": {"jane"}, "password": {"wrong horse"}})
	nobody := b.post("/login", url.Values{"name": {"hunter2"}, "password": {"wrong horse"}})
	if wrong.status != http.StatusForbidden || b.cookie() != "" || strings.ReplaceAll(wrong.body, "jane", "hunter2") != nobody.body || nobody.status != wrong.status {
		t.Errorf("who there is can be told:\n%+v\n%+v", wrong, nobody)
	}
	b.login("jane")
	if told := strings.Join(h.ledger.told(), ", "); told != "login_refused jane, login_refused, login jane" {
		t.Error(told)
	}
	me := b.get("/me")
	if me.status != http.StatusOK || !strings.Contains(me.body, `href="/me">jane</a>`) || !strings.Contains(me.body, "download the dumps") || me.head.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", me)
	}
	if a := b.get("/login?next=/top"); a.head.Get("Location") != "/top" {
		t.Errorf("%+v", a)
	}
	before := b.cookie()
	if a := b.post("/logout", url.Values{}); a.status != http.StatusSeeOther || b.cookie() != "" {
		t.Errorf("%+v", a)
	}
	if a := b.get("/me", "Cookie", before); a.status != http.StatusSeeOther {
		t.Error("a session that has ended is good")
	}
	if a := b.get("/top"); !strings.Contains(a.head.Get("Vary"), "Cookie") {
		t.Error("a cache would take one viewer's page for another's")
	}
}

// Nobody comes in, and nothing is made, when that cannot be kept.
func TestNobodyLogsInWithoutTheAudit(t *testing.T) {
	h := newHouse(t, away(t))
	jane := h.browser(t).login("jane")
	h.ledger.set(true)
	for _, pass := range []string{password, "wrong horse"} {
		b := h.browser(t)
		if a := b.post("/login", url.Values{"name": {"jane"}, "password": {pass}}); a.status != http.StatusServiceUnavailable || b.cookie() != "" {
			t.Errorf("%+v", a)
		}
	}
	if a := jane.post("/me/tokens", url.Values{"note": {"nightly"}, "days": {"1"}}); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "aftershock_") {
		t.Errorf("%+v", a)
	}
	if a := jane.get("/me"); strings.Contains(a.body, "nightly") {
		t.Error("there is a token that nobody knows of")
	}
}

// Who comes in has a session of their own: one that somebody has put into the browser before is
// another's, and ends.
func TestASessionIsNewAtEachLogin(t *testing.T) {
	h := newHouse(t, away(t))
	planted := h.browser(t).login("joe").cookie()
	b := h.browser(t)
	name, value, _ := strings.Cut(planted, "=")
	at, _ := url.Parse(b.at)
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/"}}) //nolint:gosec // planted
	b.login("jane")
	if b.cookie() == planted {
		t.Fatal("the session is the planted one")
	}
	if a := h.browser(t).get("/me", "Cookie", planted); a.status != http.StatusSeeOther {
		t.Errorf("the planted session goes on: %+v", a)
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	h := newHouse(t, away(t))
	good := h.browser(t).login("jane").cookie()
	for name, cookie := range map[string]string{"cut": good[:len(good)-4], "longer": good + "AAAA", "empty": "aftershock-session=", "forged": "aftershock-session=eyJuYW1lIjoiamFuZSJ9", "large": "aftershock-session=" + strings.Repeat("A", 8000)} {
		if a := h.browser(t).get("/me", "Cookie", cookie); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := h.browser(t).get("/me", "Cookie", good); a.status != http.StatusOK {
		t.Error("the right one is none")
	}
}

// A login leads to a page of ours, whatever it was asked for.
func TestALoginLeadsNowhereElse(t *testing.T) {
	h := newHouse(t, away(t))
	jane := h.browser(t).login("jane")
	for next, want := range map[string]string{
		"/top?from=7d": "/top?from=7d", "/crash/x/protected": "/crash/x/protected", "": "/", "top": "/",
		"//evil.test": "/", `/\evil.test`: "/", `\\evil.test`: "/", "https://evil.test": "/", "https:evil.test": "/", "javascript:alert(1)": "/", "///evil.test": "/",
		"/\t/evil.test": "/", "\t//evil.test": "/", "/\n/evil.test": "/", "http:/evil.test": "/", "//user@evil.test/": "/", "/x\\..\\evil.test": "/", "?x": "/", "%2f%2fevil.test": "/",
		"/..//evil.test": "/evil.test", "/x/..//evil.test": "/evil.test", "/.//evil.test": "/evil.test",
	} {
		for kind, a := range map[string]answer{
			"there already": jane.get("/login?next=" + url.QueryEscape(next)),
			"coming in":     h.browser(t).post("/login", url.Values{"name": {"jane"}, "password": {password}, "next": {next}}),
		} {
			if got := a.head.Get("Location"); got != want {
				t.Errorf("%s, %q: %q", kind, next, got)
			}
		}
	}
}

// What changes something must come from a page of ours, and changes nothing on GET.
func TestFormsOfOthersAreRefused(t *testing.T) {
	h := newHouse(t, away(t))
	jane := h.browser(t).login("jane")
	h.ledger.told()
	token := url.Values{"note": {"planted"}, "days": {"1"}}
	for _, at := range []string{"/login", "/logout", "/me/tokens", "/me/tokens/remove"} {
		for _, head := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.test"}, {"Sec-Fetch-Site", "", "Origin", "null"}} {
			if a := jane.post(at, token, head...); a.status != http.StatusForbidden || a.head.Get("Set-Cookie") != "" {
				t.Errorf("%s %q: %d", at, head, a.status)
			}
		}
		if a := jane.get(at); at != "/login" && a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", at, a.status)
		}
	}
	if a := jane.get("/me"); a.status != http.StatusOK || strings.Contains(a.body, "planted") {
		t.Errorf("%+v", a)
	}
	if told := h.ledger.told(); told != nil {
		t.Error(told)
	}
}

var secretOf = regexp.MustCompile(`aftershock_[0-9a-f]{40}`)

func TestTokens(t *testing.T) {
	h := newHouse(t, away(t))
	jane := h.browser(t).login("jane")
	made := jane.post("/me/tokens", url.Values{"note": {"<b>nightly</b>"}, "days": {"90"}, "roles": {"dumps", "auditor", "dumps"}})
	secret := secretOf.FindString(made.body)
	if made.status != http.StatusOK || secret == "" || made.head.Get("Cache-Control") != "no-store" || strings.Contains(made.body, "<b>") {
		t.Fatalf("%+v", made)
	}
	if a := jane.get("/me"); strings.Contains(a.body, secret) || !strings.Contains(a.body, "dumps") || !strings.Contains(a.body, "nightly") {
		t.Errorf("%+v", a)
	}
	script := h.browser(t)
	const dump = "/crash/0bba929f-8721-460c-8e70-a43c90261122/dump"
	for _, head := range [][]string{{"Auth-Token", secret}, {"Authorization", "Bearer " + secret}} {
		if a := script.get(dump, head...); a.status != http.StatusOK || a.body != dumpBytes {
			t.Errorf("%s: %+v", head[0], a)
		}
	}
	if a := script.get("/crash/0bba929f-8721-460c-8e70-a43c90261122/protected", "Auth-Token", secret); a.status != http.StatusForbidden {
		t.Errorf("a role that the token lacks: %d", a.status)
	}
	// A token makes and removes none.
	if a := script.post("/me/tokens", url.Values{"note": {"child"}, "days": {"1"}}, "Auth-Token", secret); a.status != http.StatusForbidden || secretOf.MatchString(a.body) {
		t.Errorf("%+v", a)
	}
	if a := script.get("/", "Auth-Token", secret[:len(secret)-1]+"x"); a.status != http.StatusUnauthorized || !strings.Contains(a.head.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("a token that is none: %+v", a)
	}
	// Roles are lost at once by whoever holds one. The file is looked at within a second.
	if err := h.users.SetRoles("jane", []access.Role{access.Auditor}); err != nil {
		t.Fatal(err)
	}
	if a := script.get(dump, "Auth-Token", secret); a.status != http.StatusForbidden {
		t.Errorf("the token keeps what its owner has lost: %d", a.status)
	}
	id := regexp.MustCompile(`name="id" value="([0-9a-f]+)"`).FindStringSubmatch(jane.get("/me").body)[1]
	joe := h.browser(t).login("joe")
	if a := joe.post("/me/tokens/remove", url.Values{"id": {id}}); a.status != http.StatusNotFound {
		t.Errorf("somebody removed another's token: %+v", a)
	}
	if a := jane.post("/me/tokens/remove", url.Values{"id": {id}}); a.status != http.StatusSeeOther {
		t.Errorf("%+v", a)
	}
	if a := script.get(dump, "Auth-Token", secret); a.status != http.StatusUnauthorized {
		t.Errorf("%+v", a)
	}
	for name, form := range map[string]url.Values{
		"no note": {"days": {"1"}}, "no days": {"note": {"x"}}, "too long": {"note": {"x"}, "days": {"91"}}, "none": {"note": {"x"}, "days": {"0"}}, "negative": {"note": {"x"}, "days": {"-1"}},
		"overflow": {"note": {"x"}, "days": {"999999999999999999999"}}, "not theirs": {"note": {"x"}, "days": {"1"}, "roles": {"dumps"}}, "no role": {"note": {"x"}, "days": {"1"}, "roles": {"root"}},
	} {
		if a := jane.post("/me/tokens", form); a.status != http.StatusBadRequest || secretOf.MatchString(a.body) || !strings.Contains(a.body, "was not made") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := jane.post("/me/tokens", url.Values{"note": {strings.Repeat("x", 64<<10)}, "days": {"1"}}); a.status != http.StatusBadRequest {
		t.Errorf("a large form: %d", a.status)
	}
}

func TestLoginsAreLimited(t *testing.T) {
	h := newHouse(t, away(t))
	b := h.browser(t)
	for i := range access.MaxAttemptsOfName {
		if a := b.post("/login", url.Values{"name": {"jane"}, "password": {"wrong"}}); a.status != http.StatusForbidden {
			t.Fatalf("attempt %d: %d", i, a.status)
		}
	}
	h.ledger.told()
	for range 3 {
		if a := b.post("/login", url.Values{"name": {"jane"}, "password": {password}}); a.status != http.StatusTooManyRequests || b.cookie() != "" || a.head.Get("Retry-After") == "" {
			t.Errorf("one past the limit: %+v", a)
		}
	}
	if told := h.ledger.told(); told != nil {
		t.Errorf("guesses past the limit fill the audit: %s", told)
	}
}

// Without users and a provider there is no login, and nothing of it is shown.
func TestPagesWithoutALogin(t *testing.T) {
	pages, err := web.New(web.Options{DB: away(t), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	const crash = "/crash/0bba929f-8721-460c-8e70-a43c90261122"
	for _, at := range []string{"/login", "/me", "/audit", crash + "/protected", crash + "/dump", "/questions/comments"} {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "Log in") {
			t.Errorf("%s: %d %s", at, w.Code, w.Body)
		}
	}
	if _, err := web.New(web.Options{DB: away(t), Protected: away(t)}); err == nil {
		t.Error("what is protected is there without a login")
	}
	if _, err := web.New(web.Options{DB: away(t), Login: &access.Login{}}); err == nil {
		t.Error("there is a login without an audit")
	}
}
