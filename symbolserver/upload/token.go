package upload

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aftershock/internal/watched"
)

// What a token may do.
const (
	CanUpload = "upload" // into the regular tier, and into that of tried builds
	CanTry    = "try"    // into that of tried builds alone
)

// Limits of tokens.
const (
	MaxTokens    = 10_000
	maxTokenName = 100
	tokenDigits  = 32
	// tokenFileBytes bounds their file.
	tokenFileBytes = MaxTokens * 512
)

// Token is who may upload. What its holder sends is not kept, only its digest.
type Token struct {
	Name    string    `json:"name"`
	SHA256  string    `json:"sha256"`
	Can     []string  `json:"can"`
	Created time.Time `json:"created"`
	// Expires is when it is of no use any more; zero: never.
	Expires time.Time `json:"expires,omitzero"`
}

// may tells whether it can put files into a tier.
func (t *Token) may(try bool) bool {
	return slices.Contains(t.Can, CanUpload) || try && slices.Contains(t.Can, CanTry)
}

// tryOnly tells whether what it uploads is of tried builds, whatever it says.
func (t *Token) tryOnly() bool { return !slices.Contains(t.Can, CanUpload) }

// public is what may be written down where others read.
func (t *Token) public() Token { return Token{Name: t.Name, Can: t.Can} }

// Tokens are those of a file, which may change at any time. They are safe for concurrent use.
type Tokens struct {
	file *watched.File[Token]
	now  func() time.Time
}

// OpenTokens are the tokens of a file; one that does not exist has none.
func OpenTokens(file string, now func() time.Time) (*Tokens, error) {
	f, err := watched.Open(watched.Options[Token]{What: "tokens", Path: file, Bytes: tokenFileBytes, Now: now, Check: checkTokens})
	return &Tokens{f, now}, err
}

func checkTokens(all []Token) error {
	if len(all) > MaxTokens {
		return fmt.Errorf("there are %d: revoke some", len(all))
	}
	return nil
}

// List are all tokens, those that have expired too.
func (t *Tokens) List() ([]Token, error) {
	all, err := t.file.List()
	return slices.Clone(all), err
}

// Find is the token that somebody sent, or nil. What follows a minus is a label of theirs.
func (t *Tokens) Find(sent string) (*Token, error) {
	secret, _, _ := strings.Cut(strings.TrimSpace(sent), "-")
	if len(secret) != tokenDigits {
		return nil, nil //nolint:nilnil // nobody
	}
	digest := digestOf(secret)
	all, err := t.file.List()
	if err != nil {
		return nil, err
	}
	now := t.now()
	for i := range all {
		// The digest is compared, not the secret: how long it takes tells nothing of that.
		if found := all[i]; found.SHA256 == digest && !found.expired(now) {
			return &found, nil
		}
	}
	return nil, nil //nolint:nilnil // nobody
}

// may tells whether there is a token of that name, and it can put files into a tier.
func (t *Tokens) may(name string, try bool) (bool, error) {
	all, err := t.List()
	for i := range all {
		if found := &all[i]; found.Name == name {
			return found.may(try) && !found.expired(t.now()), nil
		}
	}
	return false, err
}

func (t *Token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Add makes a token and returns what its holder has to send, which is not kept. A name is
// given once.
func (t *Tokens) Add(name string, can []string, expires time.Time) (secret string, err error) {
	if name == "" || len(name) > maxTokenName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("token: want a name of 1 to %d bytes without control characters", maxTokenName)
	}
	if len(can) == 0 {
		return "", fmt.Errorf("token: want what it can: %s, %s", CanUpload, CanTry)
	}
	for _, c := range can {
		if c != CanUpload && c != CanTry {
			return "", fmt.Errorf("token: it can %.40q: want %s or %s", c, CanUpload, CanTry)
		}
	}
	var random [tokenDigits / 2]byte
	rand.Read(random[:]) // it never fails
	secret = hex.EncodeToString(random[:])
	return secret, t.file.Change(func(all []Token) ([]Token, error) {
		if slices.ContainsFunc(all, func(other Token) bool { return other.Name == name }) {
			return nil, fmt.Errorf("token: there is one named %q: revoke it first", name)
		}
		return append(all, Token{Name: name, SHA256: digestOf(secret), Can: can, Created: t.now().UTC().Truncate(time.Second), Expires: expires}), nil
	})
}

// Revoke removes a token.
func (t *Tokens) Revoke(name string) error {
	return t.file.Change(func(all []Token) ([]Token, error) {
		left := slices.DeleteFunc(all, func(t Token) bool { return t.Name == name })
		if len(left) == len(all) {
			return nil, fmt.Errorf("token: there is none named %q", name)
		}
		return left, nil
	})
}
