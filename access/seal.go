package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// keyBytes of the key that cookies are sealed with.
const keyBytes = 32

// maxSealedBytes bounds a sealed value: browsers keep no cookie that is larger.
const maxSealedBytes = 3800

// Seal makes texts that only who has the key can make or read. Each is for one purpose, and of
// no use for another.
type Seal struct{ aead cipher.AEAD }

// OpenSeal has the key of a file, which it makes where there is none: several replicas may
// share it.
func OpenSeal(file string) (*Seal, error) {
	key, err := readKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(file); err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		key, err = readKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Seal{aead}, err
}

// readKey reads a key of hexadecimal digits. One that everybody on the machine can read is
// nobody's.
func readKey(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by everybody on this machine: chmod 600 it, or remove it, so that a new one is made", file)
	}
	text, err := io.ReadAll(io.LimitReader(f, 2*keyBytes+2))
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%s: want %d hexadecimal digits; remove it, so that a new one is made", file, 2*keyBytes)
	}
	return key, nil
}

// makeKey makes a file with a new key, whole or not at all, unless another process was first.
func makeKey(file string) error {
	key := make([]byte, keyBytes)
	rand.Read(key) // it never fails
	aside := file + "." + random(tokenIDBytes)
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(aside) //nolint:errcheck // it is the key by then, or of no use
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(aside, file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// seal is a value as a text for one purpose.
func (s *Seal) seal(purpose string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	sealed := base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose)))
	if len(sealed) > maxSealedBytes {
		return "", fmt.Errorf("a %s of more than %d bytes", purpose, maxSealedBytes)
	}
	return sealed, nil
}

// open reads a text that seal made for the same purpose.
func (s *Seal) open(purpose, sealed string, value any) bool {
	if len(sealed) > maxSealedBytes {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return false
	}
	plain, err := s.aead.Open(nil, nil, text, []byte(purpose))
	return err == nil && json.Unmarshal(plain, value) == nil
}
