package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"aftershock/internal/watched"
)

// Limits of the file of users.
const (
	MaxUsers     = 1000
	MaxUserName  = 64
	maxUserBytes = MaxUsers * 1024
)

// userName: no colon, which names of others' users have (oidc.go), and nothing that a page or a
// log could take for something else.
var userName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,%d}$`, MaxUserName-1))

// User is somebody of the file of users.
type User struct {
	Name  string    `json:"name"`
	Hash  string    `json:"argon2id"`
	Roles []Role    `json:"roles"`
	Since time.Time `json:"since,omitzero"`
	// ID tells the user from those who had the name before, and may have left tokens.
	ID string `json:"id,omitempty"`
}

// hold is what a session is of, beside a name: a password that was set. It is another one after
// the same password was set again.
func (u *User) hold() string { return digestOf(u.Hash)[:holdDigits] }

const holdDigits = 32

// Users are those of a file, which may change at any time. They are safe for concurrent use.
type Users struct {
	file *watched.File[User]
	now  func() time.Time
}

// OpenUsers are the users of a file; one that does not exist has none.
func OpenUsers(file string, now func() time.Time) (*Users, error) {
	f, err := watched.Open(watched.Options[User]{What: "users", Path: file, Bytes: maxUserBytes, Now: now, Check: checkUsers})
	return &Users{f, now}, err
}

func checkUsers(all []User) error {
	if len(all) > MaxUsers {
		return fmt.Errorf("more than %d users", MaxUsers)
	}
	seen := map[string]bool{}
	for _, user := range all {
		if !userName.MatchString(user.Name) {
			return fmt.Errorf("%.80q: want a name of 1 to %d letters, digits and . _ @ -", user.Name, MaxUserName)
		}
		if seen[user.Name] {
			return fmt.Errorf("%s is there twice", user.Name)
		}
		seen[user.Name] = true
		if err := checkRoles(user.Roles); err != nil {
			return fmt.Errorf("%s: %w", user.Name, err)
		}
		if _, err := readHash(user.Hash); err != nil {
			return fmt.Errorf("%s: %w", user.Name, err)
		}
	}
	return nil
}

func checkRoles(roles []Role) error {
	for i, r := range roles {
		if !slices.Contains(Roles, r) {
			return fmt.Errorf("no role is %.40q: want some of %s", r, RoleNames(Roles))
		}
		if slices.Contains(roles[:i], r) {
			return fmt.Errorf("the role %s is there twice", r)
		}
	}
	return nil
}

// RoleNames are roles with commas between them.
func RoleNames(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// ParseRoles reads roles by name.
func ParseRoles(names []string) ([]Role, error) {
	roles := make([]Role, len(names))
	for i, name := range names {
		roles[i] = Role(name)
	}
	return roles, checkRoles(roles)
}

// List are all users.
func (u *Users) List() ([]User, error) {
	all, err := u.file.List()
	return slices.Clone(all), err
}

// Find is the user of a name, or nil.
func (u *Users) Find(name string) (*User, error) {
	all, err := u.file.List()
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(user User) bool { return user.Name == name }); i >= 0 {
		found := all[i]
		return &found, nil
	}
	return nil, nil //nolint:nilnil // nobody
}

// Check is the user of a name and password, or nil. It takes as long for a name that there is
// not.
func (u *Users) Check(name, password string) (*User, error) {
	user, err := u.Find(name)
	if err != nil {
		return nil, err
	}
	hash := nobody
	if user != nil {
		if hash, err = readHash(user.Hash); err != nil {
			return nil, err
		}
	}
	is, err := hash.is(password)
	if err != nil || !is || user == nil {
		return nil, err
	}
	return user, nil
}

// Add gives somebody a name.
func (u *Users) Add(name, password string, roles []Role) error {
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	now := u.now().UTC().Truncate(time.Second)
	return u.file.Change(func(all []User) ([]User, error) {
		if slices.ContainsFunc(all, func(other User) bool { return other.Name == name }) {
			return nil, fmt.Errorf("there is a user %s: web user password and web user roles change one, web user remove removes one", name)
		}
		return append(all, User{Name: name, Hash: hash, Roles: roles, Since: now, ID: random(tokenIDBytes)}), nil
	})
}

// SetPassword gives a user another password, and ends the sessions there are.
func (u *Users) SetPassword(name, password string) error {
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return u.set(name, func(user *User) { user.Hash = hash })
}

// SetRoles gives a user other roles, in sessions and tokens that there are too.
func (u *Users) SetRoles(name string, roles []Role) error {
	return u.set(name, func(user *User) { user.Roles = roles })
}

var errNoUser = errors.New("no user has this name; web user list has those there are")

func (u *Users) set(name string, set func(*User)) error {
	return u.file.Change(func(all []User) ([]User, error) {
		i := slices.IndexFunc(all, func(user User) bool { return user.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%.80q: %w", name, errNoUser)
		}
		set(&all[i])
		return all, nil
	})
}

// Remove takes a name away, with its sessions and tokens.
func (u *Users) Remove(name string) error {
	return u.file.Change(func(all []User) ([]User, error) {
		left := slices.DeleteFunc(slices.Clone(all), func(user User) bool { return user.Name == name })
		if len(left) == len(all) {
			return nil, fmt.Errorf("%.80q: %w", name, errNoUser)
		}
		return left, nil
	})
}
