package access_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/access"
)

var home = netip.MustParseAddr("192.0.2.1")

// door is a login with jane, who may all, and its parts.
type door struct {
	*access.Login
	clock *clock
	key   string
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{clock: newClock(), key: filepath.Join(t.TempDir(), "key")}
	u, _ := users(t, d.clock)
	if err := u.Add("jane", password, access.Roles); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.OpenTokens(filepath.Join(t.TempDir(), "tokens.json"), d.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := access.OpenSeal(d.key)
	if err != nil {
		t.Fatal(err)
	}
	d.Login = access.NewLogin(access.LoginOptions{Users: u, Tokens: tokens, Seal: seal, Secure: true, Now: d.clock.now})
	d.clock.pass(time.Second)
	return d
}

func (d *door) enter(t *testing.T) (*access.Session, *http.Cookie) {
	t.Helper()
	s, _, err := d.Enter("jane", password, home)
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	c, err := d.Cookie(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// sent is a cookie as a browser sends it.
func sent(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value} //nolint:gosec // see above
}

// with is who a request with a cookie, or with a header, is of.
func (d *door) with(t *testing.T, c *http.Cookie) *access.Viewer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	v, _, err := d.Viewer(r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (d *door) bearing(name, value string) (*access.Viewer, error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(name, value)
	v, _, err := d.Viewer(r)
	return v, err
}

func TestASessionIsOfWhoCameIn(t *testing.T) {
	d := newDoor(t)
	first, c := d.enter(t)
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") || c.MaxAge != int(access.SessionLife/time.Second) {
		t.Errorf("%+v", c)
	}
	if v := d.with(t, c); v == nil || v.Name != "jane" || v.By != "session" || !slices.Equal(v.Roles, access.Roles) {
		t.Errorf("%+v", v)
	}
	if strings.Contains(c.Value, "jane") {
		t.Error("a cookie can be read")
	}
	second, again := d.enter(t)
	if first.ID == second.ID || c.Value == again.Value {
		t.Error("two logins have one session")
	}
	d.End(first)
	if d.with(t, c) != nil || d.with(t, again) == nil {
		t.Error("logging out ends one session")
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	d := newDoor(t)
	_, c := d.enter(t)
	other := newDoor(t)
	_, foreign := other.enter(t)
	values := map[string]string{"empty": "", "another key's": foreign.Value, "longer": c.Value + "A", "plain": `{"name":"jane"}`, "large": strings.Repeat("A", 100_000)}
	for n := range len(c.Value) {
		values["cut at "+c.Value[:n]] = c.Value[:n]
		flipped := []byte(c.Value)
		if flipped[n] = 'A'; c.Value[n] == 'A' {
			flipped[n] = 'Q'
		}
		// The last digit's lowest bits are no part of the text, so that another one may mean the same.
		if n < len(c.Value)-1 {
			values["changed at "+c.Value[:n]] = string(flipped)
		}
	}
	for name, value := range values {
		if v := d.with(t, sent(c.Name, value)); v != nil {
			t.Errorf("%.40s: %+v", name, v)
		}
	}
	if v := d.with(t, sent("aftershock-session", c.Value)); v != nil {
		t.Error("a cookie that another host can set is taken")
	}
	if v := d.with(t, sent("__Host-aftershock-oidc", c.Value)); v != nil {
		t.Error("a session is another purpose's")
	}
}

func TestASessionEnds(t *testing.T) {
	d := newDoor(t)
	_, c := d.enter(t)
	d.clock.pass(access.SessionLife - 1)
	if d.with(t, c) == nil {
		t.Error("it ended too soon")
	}
	d.clock.pass(1)
	if d.with(t, c) != nil {
		t.Error("it is over, and good")
	}
	_, c = d.enter(t)
	d.clock.pass(-time.Hour) // of a replica whose clock is far ahead
	if d.with(t, c) != nil {
		t.Error("a session of the future is good")
	}
}

// Whoever is taken out of the file, or loses a role, loses it in sessions and tokens at once.
func TestRolesAreLookedUpAtEachUse(t *testing.T) {
	d := newDoor(t)
	_, c := d.enter(t)
	jane, err := d.Users.Find("jane")
	if err != nil {
		t.Fatal(err)
	}
	token, secret, err := d.Tokens.NewToken(*jane, "script", []access.Role{access.Protected, access.Dumps}, time.Hour)
	if err == nil {
		err = d.Tokens.Add(token)
	}
	if err != nil {
		t.Fatal(err)
	}
	both := func(want ...access.Role) {
		t.Helper()
		d.clock.pass(time.Second)
		bearer, err := d.bearing("Auth-Token", secret)
		if err != nil {
			t.Fatal(err)
		}
		if bearer.By != "token "+token.ID || bearer.Name != "jane" {
			t.Errorf("%+v", bearer)
		}
		session := d.with(t, c)
		for _, r := range access.Roles {
			if session.Can(r) != slices.Contains(want, r) && (r == access.Protected || r == access.Dumps) {
				t.Errorf("the session's %s is %v", r, session.Can(r))
			}
			if bearer.Can(r) != slices.Contains(want, r) {
				t.Errorf("the token's %s is %v", r, bearer.Can(r))
			}
		}
	}
	both(access.Protected, access.Dumps)
	if err := d.Users.SetRoles("jane", []access.Role{access.Dumps, access.Operator}); err != nil {
		t.Fatal(err)
	}
	both(access.Dumps)
	if err := d.Users.SetRoles("jane", nil); err != nil {
		t.Fatal(err)
	}
	both()
	if err := d.Users.Remove("jane"); err != nil {
		t.Fatal(err)
	}
	gone := func() {
		t.Helper()
		d.clock.pass(time.Second)
		if v, err := d.bearing("Auth-Token", secret); v != nil || !errors.Is(err, access.ErrToken) {
			t.Error(v, err)
		}
		if v := d.with(t, c); v != nil {
			t.Errorf("%+v", v)
		}
	}
	gone()
	if err := d.Users.Add("jane", password, access.Roles); err != nil { // somebody else of that name
		t.Fatal(err)
	}
	gone()
}

func TestANewPasswordEndsSessions(t *testing.T) {
	d := newDoor(t)
	_, c := d.enter(t)
	d.clock.pass(time.Second)
	if err := d.Users.SetPassword("jane", "another password"); err != nil {
		t.Fatal(err)
	}
	d.clock.pass(time.Second)
	if d.with(t, c) != nil {
		t.Error("the session goes on")
	}
}

func TestTokensThatAreNone(t *testing.T) {
	d := newDoor(t)
	jane, _ := d.Users.Find("jane")
	token, secret, err := d.Tokens.NewToken(*jane, "script", nil, time.Hour)
	if err == nil {
		err = d.Tokens.Add(token)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Auth-Token", "Authorization"} {
		kind := map[string]string{"Authorization": "bearer "}[name]
		if v, err := d.bearing(name, kind+secret); v == nil || err != nil {
			t.Error(name, err)
		}
		for _, sent := range []string{secret[:len(secret)-1], secret + "0", strings.ToUpper(secret), "aftershock_", token.SHA256, token.ID, strings.Repeat("0", len(secret)), "x"} {
			if v, err := d.bearing(name, kind+sent); v != nil || !errors.Is(err, access.ErrToken) {
				t.Errorf("%s: %+v %v", sent, v, err)
			}
		}
	}
	if v, err := d.bearing("Authorization", "Basic "+secret); v != nil || err != nil {
		t.Error("another kind of authorization is a token", v, err)
	}
	d.clock.pass(time.Hour - time.Second*2)
	if v, err := d.bearing("Auth-Token", secret); v == nil || err != nil {
		t.Error("it ended too soon", err)
	}
	d.clock.pass(2 * time.Second)
	if v, err := d.bearing("Auth-Token", secret); v != nil || !errors.Is(err, access.ErrToken) {
		t.Error("it has expired, and is good")
	}
}

func TestLoginsThatFailAreCounted(t *testing.T) {
	try := func(d *door, name, password string, from netip.Addr) error {
		t.Helper()
		_, _, err := d.Enter(name, password, from)
		return err
	}
	for _, name := range []string{"jane", "nobody"} { // there is no telling them apart
		d := newDoor(t)
		for i := range access.MaxAttemptsOfName {
			if err := try(d, name, "wrong", home); err != nil {
				t.Fatalf("%s, attempt %d: %v", name, i, err)
			}
		}
		if err := try(d, name, password, netip.MustParseAddr("198.51.100.1")); !errors.Is(err, access.ErrAttempts) {
			t.Errorf("%s, one past the limit: %v", name, err)
		}
		d.clock.pass(15 * time.Minute)
		if err := try(d, name, password, home); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
	d := newDoor(t)
	for i := range 2 * access.MaxAttemptsOfName { // who knows the password is not counted
		if err := try(d, "jane", password, home); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	for i := range access.MaxAttemptsOfAddress {
		from := netip.MustParseAddr("2001:db8::").As16()
		from[15] = byte(i) // addresses of one network
		if err := try(d, strings.Repeat("x", i+1), "wrong", netip.AddrFrom16(from)); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if err := try(d, "jane", password, netip.MustParseAddr("2001:db8::ffff")); !errors.Is(err, access.ErrAttempts) {
		t.Errorf("one past the limit: %v", err)
	}
	if err := try(d, "jane", password, netip.MustParseAddr("2001:db8:0:1::1")); err != nil {
		t.Errorf("another network: %v", err)
	}
}

func TestTheKeyIsMadeOnceAndKeptFromOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for range 2 {
		if _, err := access.OpenSeal(file); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) != 1 {
		t.Error(left)
	}
	if err := os.Chmod(file, 0o604); err != nil { //nolint:gosec // that is what is refused
		t.Fatal(err)
	}
	if _, err := access.OpenSeal(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	for name, text := range map[string]string{"empty": "", "short": strings.Repeat("a", 62), "long": strings.Repeat("a", 66), "text": strings.Repeat("x", 64)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := access.OpenSeal(file); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
