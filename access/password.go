package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// How passwords are hashed: argon2id, with the second choice of RFC 9106 brought down to what a
// server of pages can spare for some logins at once.
const (
	hashPasses   = 3
	hashKiB      = 19 << 10
	hashThreads  = 1
	hashBytes    = 32
	hashSalt     = 16
	hashesAtOnce = 2 // each takes hashKiB
	maxHashing   = 32
)

// Limits of what a hash in a file may ask for, which others may have made.
const (
	maxHashPasses  = 10
	maxHashKiB     = 256 << 10
	maxHashThreads = 8
	maxHashText    = 200 // bytes
)

// Limits of a password, in bytes.
const (
	MinPassword = 12
	MaxPassword = 1024
)

var b64 = base64.RawStdEncoding

// hashing bounds the memory that logins take together, queued those that wait for it.
var (
	hashing = make(chan struct{}, hashesAtOnce)
	queued  = make(chan struct{}, maxHashing)
)

// ErrBusy says that more passwords wait to be looked at than may.
var ErrBusy = errors.New("too many passwords are looked at: try again in a moment")

// hashPassword is a password as it is kept.
func hashPassword(password string) (string, error) {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return "", fmt.Errorf("password: want %d to %d bytes", MinPassword, MaxPassword)
	}
	h := passwordHash{hashPasses, hashKiB, hashThreads, make([]byte, hashSalt), nil}
	rand.Read(h.salt) // it never fails
	var err error
	if h.key, err = h.of(password, hashBytes); err != nil {
		return "", err
	}
	return h.String(), nil
}

// passwordHash is a hash with what it was made with.
type passwordHash struct {
	passes, kib uint32
	threads     uint8
	salt, key   []byte
}

func (h passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.kib, h.passes, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

func (h passwordHash) of(password string, size uint32) ([]byte, error) {
	select {
	case queued <- struct{}{}:
		defer func() { <-queued }()
	default:
		return nil, ErrBusy
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.kib, h.threads, size), nil
}

// is tells whether the password is that of the hash.
func (h passwordHash) is(password string) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	key, err := h.of(password, uint32(len(h.key)))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1, err
}

var errHash = errors.New("the password's hash is none of argon2id, or asks for more than it may: make one with aftershock web user password")

// readHash reads what String wrote, or another program.
func readHash(text string) (h passwordHash, err error) {
	parts := strings.Split(text, "$")
	if len(text) > maxHashText || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.kib, &h.passes, &h.threads); err != nil {
		return h, errHash
	}
	var bad [2]error
	h.salt, bad[0] = b64.DecodeString(parts[4])
	h.key, bad[1] = b64.DecodeString(parts[5])
	if errors.Join(bad[:]...) != nil || h.kib < 8 || h.kib > maxHashKiB || h.passes < 1 || h.passes > maxHashPasses ||
		h.threads < 1 || h.threads > maxHashThreads || len(h.salt) < 8 || len(h.key) < 16 || len(h.key) > 64 {
		return h, errHash
	}
	return h, nil
}

// nobody is the hash that a password is compared with when there is no such name: that takes as
// long as another one.
var nobody = passwordHash{hashPasses, hashKiB, hashThreads, make([]byte, hashSalt), make([]byte, hashBytes)}
