// Package blob is the claim-check store: what does not fit an event lies here
// under a key, and the event carries the key and the SHA-256.
//
// Blobs are written before the event that names them, and never changed.
// A key is made of a crash id and a digest (Key), so that two writers of one
// key write the same bytes.
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"aftershock/schema"
)

// Errors of Store.
var (
	// ErrNotFound: no blob has that key.
	ErrNotFound = errors.New("blob not found")
	// ErrTooLarge: the blob is larger than the reader allows.
	ErrTooLarge = errors.New("blob too large")
	// ErrBadKey: the key is not one that Key makes.
	ErrBadKey = errors.New("bad blob key")
)

// Store keeps blobs. Implementations are safe for concurrent use.
type Store interface {
	// Put stores data under key and returns when it would survive a crash of
	// the machine. Storing a key again is no error and changes nothing.
	Put(ctx context.Context, key string, data []byte) error
	// Get returns the blob; errors wrap ErrNotFound and ErrTooLarge. The
	// caller owns the result.
	Get(ctx context.Context, key string, maxBytes int64) ([]byte, error)
}

// Key is where a blob of a crash lies:
// raw/v1/YYYY/MM/DD/<crash id>/<name>-<first 16 digits of the SHA-256>.
// It fails for a crash id of another shape. Characters of name that are not
// letters, digits or underscores become underscores.
func Key(crashID, name string, sum schema.SHA256) (string, error) {
	day, err := schema.CrashDay(crashID)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	if len(clean) > maxNameBytes {
		clean = clean[:maxNameBytes]
	}
	return fmt.Sprintf("raw/v1/%s/%s/%s-%s", day.Format("2006/01/02"), crashID, clean, hex.EncodeToString(sum[:8])), nil
}

// maxNameBytes keeps a key's last element well below a file system's 255.
const maxNameBytes = 64
