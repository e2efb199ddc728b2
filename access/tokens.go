package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aftershock/internal/watched"
)

// Limits of tokens.
const (
	MaxTokens        = 10_000
	MaxTokensOfOne   = 50
	MaxTokenNote     = 100 // bytes
	MaxTokenLife     = 90 * 24 * time.Hour
	tokenSecretBytes = 20
	tokenIDBytes     = 6
	maxTokenBytes    = MaxTokens * 700
)

// tokenPrefix is what tokens begin with, so that whoever finds one knows what it is.
const tokenPrefix = "aftershock_"

// Token is what a script has of its owner's roles. What its holder sends is not kept, only its
// digest.
type Token struct {
	ID      string    `json:"id"`
	Owner   string    `json:"owner"` // of the file of users
	OwnerID string    `json:"owner_id,omitempty"`
	Note    string    `json:"note"`
	SHA256  string    `json:"sha256"`
	Roles   []Role    `json:"roles"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Tokens are those of a file, which may change at any time. They are safe for concurrent use.
type Tokens struct {
	file *watched.File[Token]
	now  func() time.Time
}

// OpenTokens are the tokens of a file; one that does not exist has none.
func OpenTokens(file string, now func() time.Time) (*Tokens, error) {
	f, err := watched.Open(watched.Options[Token]{What: "tokens", Path: file, Bytes: maxTokenBytes, Now: now, Check: checkTokens})
	return &Tokens{f, now}, err
}

func checkTokens(all []Token) error {
	if len(all) > MaxTokens {
		return fmt.Errorf("more than %d tokens: remove some", MaxTokens)
	}
	for _, t := range all {
		if err := checkRoles(t.Roles); err != nil {
			return fmt.Errorf("token %.40q: %w", t.ID, err)
		}
		if t.Expires.Sub(t.Created) > MaxTokenLife {
			return fmt.Errorf("token %.40q: it is good for more than %d days", t.ID, MaxTokenLife/(24*time.Hour))
		}
	}
	return nil
}

// Of are the tokens of an owner, those that have expired too.
func (t *Tokens) Of(owner User) ([]Token, error) {
	all, err := t.file.List()
	if err != nil {
		return nil, err
	}
	var of []Token
	for i := range all {
		if all[i].of(owner) {
			of = append(of, all[i])
		}
	}
	return of, nil
}

// of tells whether a token is of somebody, not of who had the name before.
func (t *Token) of(owner User) bool {
	return t.Owner == owner.Name && t.OwnerID == owner.ID
}

// Find is the token that somebody sent, or nil.
func (t *Tokens) Find(sent string) (*Token, error) {
	if len(sent) != len(tokenPrefix)+2*tokenSecretBytes || !strings.HasPrefix(sent, tokenPrefix) {
		return nil, nil //nolint:nilnil // nobody
	}
	all, err := t.file.List()
	if err != nil {
		return nil, err
	}
	digest := digestOf(sent)
	for i := range all {
		// The digest is compared, not the secret: how long it takes tells nothing of that.
		if found := all[i]; found.SHA256 == digest && !found.Expired(t.now()) {
			return &found, nil
		}
	}
	return nil, nil //nolint:nilnil // nobody
}

// Expired tells whether a token is of no use any more.
func (t *Token) Expired(now time.Time) bool { return !now.Before(t.Expires) }

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// TokenError is about what a token was asked to be; what it says is for who asked.
type TokenError struct{ Text string }

func (e *TokenError) Error() string { return "token: " + e.Text }

// NewToken makes a token that is in no file yet, and what its holder has to send, which is not
// kept. It has some of its owner's roles.
func (t *Tokens) NewToken(owner User, note string, roles []Role, life time.Duration) (token Token, secret string, err error) {
	switch err := checkRoles(roles); {
	case err != nil:
		return token, "", &TokenError{err.Error()}
	case note == "" || len(note) > MaxTokenNote || !utf8.ValidString(note) || strings.ContainsFunc(note, unicode.IsControl):
		return token, "", &TokenError{fmt.Sprintf("want a note of 1 to %d bytes that says what it is for", MaxTokenNote)}
	case life <= 0 || life > MaxTokenLife:
		return token, "", &TokenError{fmt.Sprintf("want 1 to %d days", MaxTokenLife/(24*time.Hour))}
	}
	for _, r := range roles {
		if !slices.Contains(owner.Roles, r) {
			return token, "", &TokenError{fmt.Sprintf("you do not have the role %s, so it cannot", r)}
		}
	}
	secret = tokenPrefix + random(tokenSecretBytes)
	now := t.now().UTC()
	return Token{ID: random(tokenIDBytes), Owner: owner.Name, OwnerID: owner.ID, Note: note, SHA256: digestOf(secret), Roles: roles, Created: now, Expires: now.Add(life)}, secret, nil
}

// random is so many random bytes as text.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// Add puts a token into the file. Those of its owner that have expired go.
func (t *Tokens) Add(token Token) error {
	return t.file.Change(func(all []Token) ([]Token, error) {
		now := t.now()
		all = slices.DeleteFunc(all, func(old Token) bool { return old.Owner == token.Owner && old.Expired(now) })
		theirs := 0
		for i := range all {
			if all[i].Owner == token.Owner {
				theirs++
			}
		}
		if theirs >= MaxTokensOfOne {
			return nil, &TokenError{fmt.Sprintf("you have %d: remove some", theirs)}
		}
		return append(all, token), nil
	})
}

// ErrNoToken says that there is no such token of theirs.
var ErrNoToken = errors.New("there is no such token")

// Remove takes a token of somebody away.
func (t *Tokens) Remove(owner, id string) error {
	return t.file.Change(func(all []Token) ([]Token, error) {
		left := slices.DeleteFunc(slices.Clone(all), func(t Token) bool { return t.Owner == owner && t.ID == id })
		if len(left) == len(all) {
			return nil, ErrNoToken
		}
		return left, nil
	})
}
