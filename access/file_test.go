package access_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aftershock/access"
)

// clock is what tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const password = "correct horse battery"

func users(t *testing.T, c *clock) (*access.Users, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.json")
	u, err := access.OpenUsers(file, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return u, file
}

func TestUsersAreThoseOfTheFile(t *testing.T) {
	c := newClock()
	u, file := users(t, c)
	if err := u.Add("jane", password, []access.Role{access.Protected}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), password) {
		t.Errorf("%s %v", text, err)
	}
	for name, tc := range map[string]struct {
		name, password string
		in             bool
	}{
		"right": {"jane", password, true}, "other case": {"jane", strings.ToUpper(password), false}, "cut": {"jane", password[:len(password)-1], false},
		"nobody": {"joe", password, false}, "empty": {"", "", false}, "no password": {"jane", "", false}, "long": {"jane", strings.Repeat(password, 100), false},
	} {
		if found, err := u.Check(tc.name, tc.password); err != nil || (found != nil) != tc.in {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
	if err := u.Add("jane", password, nil); err == nil {
		t.Error("jane is there twice")
	}
	if err := u.SetPassword("jane", "another password"); err != nil {
		t.Fatal(err)
	}
	if found, _ := u.Check("jane", password); found != nil {
		t.Error("the old password is good")
	}
	if err := u.Remove("jane"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{u.Remove("jane"), u.SetRoles("jane", nil), u.SetPassword("jane", password)} {
		if err == nil || !strings.Contains(err.Error(), "web user list") {
			t.Error(err)
		}
	}
}

// Another process changes the file: it is known within a second.
func TestAFileIsReadAgainWithinASecond(t *testing.T) {
	c := newClock()
	u, file := users(t, c)
	other, err := access.OpenUsers(file, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Add("jane", password, nil); err != nil {
		t.Fatal(err)
	}
	if found, err := u.Find("jane"); found != nil || err != nil {
		t.Errorf("looked too soon: %v %v", found, err)
	}
	c.pass(time.Second)
	if found, err := u.Find("jane"); found == nil || err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second)
	if found, err := u.Find("jane"); found != nil || err == nil {
		t.Error("a file that is broken lets somebody in")
	}
}

func TestFilesHaveLimits(t *testing.T) {
	c := newClock()
	u, file := users(t, c)
	if err := u.Add("jane", password, nil); err != nil {
		t.Fatal(err)
	}
	all, err := u.List()
	if err != nil {
		t.Fatal(err)
	}
	named := func(n int) (many []access.User) {
		for i := range n {
			user := all[0]
			user.Name = fmt.Sprintf("user-%d", i)
			many = append(many, user)
		}
		return many
	}
	with := func(change func(*access.User)) []access.User {
		user := all[0]
		change(&user)
		return []access.User{user}
	}
	for name, tc := range map[string]struct {
		users []access.User
		good  bool
	}{
		"most users":    {named(access.MaxUsers), true},
		"one too many":  {named(access.MaxUsers + 1), false},
		"longest name":  {with(func(u *access.User) { u.Name = strings.Repeat("a", access.MaxUserName) }), true},
		"longer name":   {with(func(u *access.User) { u.Name = strings.Repeat("a", access.MaxUserName+1) }), false},
		"of a provider": {with(func(u *access.User) { u.Name = "oidc:jane" }), false},
		"markup":        {with(func(u *access.User) { u.Name = "<b>" }), false},
		"twice":         {slices.Concat(all, all), false},
		"no such role":  {with(func(u *access.User) { u.Roles = []access.Role{"root"} }), false},
		"no hash":       {with(func(u *access.User) { u.Hash = "" }), false},
		"weak hash":     {with(func(u *access.User) { u.Hash = strings.Replace(u.Hash, "argon2id", "md5", 1) }), false},
		"hungry hash":   {with(func(u *access.User) { u.Hash = strings.Replace(u.Hash, "m=19456", "m=262145", 1) }), false},
		"hungriest":     {with(func(u *access.User) { u.Hash = strings.Replace(u.Hash, "m=19456", "m=262144", 1) }), true},
		"many passes":   {with(func(u *access.User) { u.Hash = strings.Replace(u.Hash, "t=3", "t=11", 1) }), false},
		"most passes":   {with(func(u *access.User) { u.Hash = strings.Replace(u.Hash, "t=3", "t=10", 1) }), true},
	} {
		text, err := json.Marshal(tc.users)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := access.OpenUsers(file, c.now); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"large": "[" + strings.Repeat(" ", access.MaxUsers*1024) + "]", "more behind": "[] []", "unknown field": `[{"name":"jane","admin":true}]`, "no array": "{}",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := access.OpenUsers(file, c.now); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestPasswordsHaveALength(t *testing.T) {
	u, _ := users(t, newClock())
	for n, good := range map[int]bool{access.MinPassword - 1: false, access.MinPassword: true, access.MaxPassword: true, access.MaxPassword + 1: false} {
		name := fmt.Sprintf("user-%d", n)
		if err := u.Add(name, strings.Repeat("p", n), nil); (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
		if found, err := u.Check(name, strings.Repeat("p", n)); (found != nil) != good {
			t.Errorf("%d: %v %v", n, found, err)
		}
	}
}

// Of changes that two processes make at once none is lost.
func TestChangesAreNotLost(t *testing.T) {
	c := newClock()
	file := filepath.Join(t.TempDir(), "tokens.json")
	owner := access.User{Name: "jane"}
	var all sync.WaitGroup
	for range 4 {
		tokens, err := access.OpenTokens(file, c.now)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 5 {
				token, _, err := tokens.NewToken(owner, "script", nil, time.Hour)
				if err == nil {
					err = tokens.Add(token)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	tokens, err := access.OpenTokens(file, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if of, err := tokens.Of(owner); err != nil || len(of) != 20 {
		t.Errorf("%d tokens, %v", len(of), err)
	}
}

func TestTokensHaveLimits(t *testing.T) {
	c := newClock()
	tokens, err := access.OpenTokens(filepath.Join(t.TempDir(), "tokens.json"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	owner := access.User{Name: "jane", Roles: []access.Role{access.Dumps}}
	for name, tc := range map[string]struct {
		note  string
		roles []access.Role
		life  time.Duration
		good  bool
	}{
		"longest life": {"x", nil, access.MaxTokenLife, true}, "longer life": {"x", nil, access.MaxTokenLife + 1, false}, "no life": {"x", nil, 0, false}, "negative": {"x", nil, -1, false},
		"own role": {"x", []access.Role{access.Dumps}, 1, true}, "other role": {"x", []access.Role{access.Protected}, 1, false}, "no role": {"x", []access.Role{"root"}, 1, false},
		"no note": {"", nil, 1, false}, "longest note": {strings.Repeat("x", access.MaxTokenNote), nil, 1, true}, "longer note": {strings.Repeat("x", access.MaxTokenNote+1), nil, 1, false},
		"control": {"a\nb", nil, 1, false}, "no text": {"\xff", nil, 1, false},
	} {
		if _, _, err := tokens.NewToken(owner, tc.note, tc.roles, tc.life); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range access.MaxTokensOfOne + 1 {
		token, _, err := tokens.NewToken(owner, "x", nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.Add(token); (err == nil) != (i < access.MaxTokensOfOne) {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	c.pass(time.Hour)
	token, _, _ := tokens.NewToken(owner, "x", nil, time.Hour)
	if err := tokens.Add(token); err != nil {
		t.Errorf("tokens that have expired count: %v", err)
	}
}
