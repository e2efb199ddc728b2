package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"aftershock/access"
)

// webUserVerbs say who may log in to the pages.
type webUserVerbs struct {
	Add      webUserAddVerb      `cmd:"" help:"Let somebody log in. The password is read from standard input."`
	List     webUserListVerb     `cmd:"" help:"Who may log in, with their roles."`
	Roles    webUserRolesVerb    `cmd:"" help:"Give somebody other roles; sessions and tokens that there are have them within a second."`
	Password webUserPasswordVerb `cmd:"" help:"Give somebody another password, and end their sessions. It is read from standard input."`
	Remove   webUserRemoveVerb   `cmd:"" help:"Let somebody log in no more; sessions and tokens end within a second."`
}

// usersFlag names the file of users.
type usersFlag struct {
	WebUsers string `help:"File of users, which web and up read too." required:"" placeholder:"FILE" type:"path"`
}

func (f usersFlag) users() (*access.Users, error) { return access.OpenUsers(f.WebUsers, time.Now) }

type webUserAddVerb struct {
	usersFlag
	Name  string   `arg:"" help:"By which they log in, and which the audit has."`
	Roles []string `help:"What they may: protected, dumps, rules, operator, auditor, bugs. Without any they see what everybody sees."`
}

// Run asks for a password.
func (v *webUserAddVerb) Run(r *run) error {
	users, err := v.users()
	if err != nil {
		return err
	}
	roles, err := access.ParseRoles(v.Roles)
	if err != nil {
		return &usageError{"--roles: " + err.Error()}
	}
	password, err := r.newPassword()
	if err != nil {
		return err
	}
	if err := users.Add(v.Name, password, roles); err != nil {
		return err
	}
	say(r.stderr, "%s may log in, with %s\n", printable(v.Name), rolesSaid(roles))
	return nil
}

func rolesSaid(roles []access.Role) string {
	if len(roles) == 0 {
		return "no role"
	}
	return access.RoleNames(roles)
}

type webUserListVerb struct {
	usersFlag
	JSON bool `help:"One JSON object a user." name:"json"`
}

// Run prints a line a user.
func (v *webUserListVerb) Run(r *run) error {
	users, err := v.users()
	if err != nil {
		return err
	}
	all, err := users.List()
	if err != nil {
		return err
	}
	if v.JSON {
		lines := json.NewEncoder(r.stdout)
		for _, u := range all {
			u.Hash = ""
			if err := lines.Encode(u); err != nil {
				return err
			}
		}
		return nil
	}
	out := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	say(out, "NAME\tROLES\tSINCE\n")
	for _, u := range all {
		say(out, "%s\t%s\t%s\n", printable(u.Name), access.RoleNames(u.Roles), u.Since.Format(time.DateOnly))
	}
	return out.Flush()
}

type webUserRolesVerb struct {
	usersFlag
	Name  string   `arg:"" help:"Whose."`
	Roles []string `help:"All that they have from now on; none without it."`
}

// Run changes the file.
func (v *webUserRolesVerb) Run(r *run) error {
	users, err := v.users()
	if err != nil {
		return err
	}
	roles, err := access.ParseRoles(v.Roles)
	if err != nil {
		return &usageError{"--roles: " + err.Error()}
	}
	if err := users.SetRoles(v.Name, roles); err != nil {
		return err
	}
	say(r.stderr, "%s has %s\n", printable(v.Name), rolesSaid(roles))
	return nil
}

type webUserPasswordVerb struct {
	usersFlag
	Name string `arg:"" help:"Whose."`
}

// Run asks for a password.
func (v *webUserPasswordVerb) Run(r *run) error {
	users, err := v.users()
	if err != nil {
		return err
	}
	password, err := r.newPassword()
	if err != nil {
		return err
	}
	if err := users.SetPassword(v.Name, password); err != nil {
		return err
	}
	say(r.stderr, "%s has another password, and no session any more\n", printable(v.Name))
	return nil
}

type webUserRemoveVerb struct {
	usersFlag
	Name string `arg:"" help:"Who."`
}

// Run changes the file.
func (v *webUserRemoveVerb) Run(r *run) error {
	users, err := v.users()
	if err != nil {
		return err
	}
	if err := users.Remove(v.Name); err != nil {
		return err
	}
	say(r.stderr, "%s is let in no more\n", printable(v.Name))
	return nil
}

// newPassword reads a password: twice and without showing it where somebody types, else the
// first line of standard input. There is no flag for it: command lines are there for everybody on
// the machine to read.
func (r *run) newPassword() (string, error) {
	if !isTerminal(os.Stdin) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, access.MaxPassword+3)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("password: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("there is no password on standard input")
		}
		return line, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		say(r.stderr, "%s", prompt)
		text, err := term.ReadPassword(int(os.Stdin.Fd()))
		say(r.stderr, "\n")
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ: nothing was changed")
	}
	return typed[0], nil
}
