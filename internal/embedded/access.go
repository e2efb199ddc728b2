package embedded

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// tokenFile holds, in the engine's directory, the password of those who may write.
const tokenFile = "token"

// maxTokenBytes bounds the file.
const maxTokenBytes = 256

// Token reads the token of the ClickHouse in a directory, and makes it when there
// is none. Who has it may write: it is the password of whatever user.
func Token(dir string) (string, error) {
	path := filepath.Join(dir, tokenFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	default:
		token := strings.TrimSpace(string(text))
		if token == "" || len(token) > maxTokenBytes {
			return "", fmt.Errorf("%s holds no token: remove it, and another is made", path)
		}
		return token, nil
	}
	if err := os.MkdirAll(dir, privateDir); err != nil {
		return "", err
	}
	token := rand.Text()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // somebody else has just made it
		return Token(dir)
	}
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintln(f, token)
	return token, errors.Join(err, f.Close())
}

// privateDir is the mode of directories: what lies in them is everybody's crashes.
const privateDir = 0o700

// mayWrite tells whether a request brings the token. Without a password it may
// read; with a wrong one nothing.
func (f *facade) mayWrite(r *http.Request) (bool, error) {
	if f.token == "" {
		return true, nil
	}
	given := []string{r.Header.Get("X-ClickHouse-Key"), r.URL.Query().Get("password")}
	if _, password, ok := r.BasicAuth(); ok {
		given = append(given, password)
	}
	write := false
	for _, password := range given {
		switch {
		case password == "":
		case subtle.ConstantTimeCompare([]byte(password), []byte(f.token)) == 1:
			write = true
		default:
			return false, exceptionf(516, "AUTHENTICATION_FAILED", "Authentication failed: the password is not the token of the data directory")
		}
	}
	return write, nil
}

var errWriteToken = exceptionf(497, "ACCESS_DENIED", "Not enough privileges: without the token of the data directory (as the password) statements may only read")

// readerMay tells how a request without the token may run a statement: on a
// connection that only reads, or, for a query that sets readonly itself and would
// be refused there, on another.
func readerMay(r *request, s statement) (elsewhere bool, err error) {
	if s.kind != kindSelect && s.kind != kindRead || r.session.id != "" {
		return false, errWriteToken
	}
	kept := r.settings[:0]
	for _, setting := range r.settings {
		if !strings.EqualFold(setting.name, "readonly") { // it is already
			kept = append(kept, setting)
		}
	}
	r.settings = kept
	l := &lexer{text: s.text}
	for t := l.next(); t.kind != tokenEnd && t.kind != tokenBroken; t = l.next() {
		switch l.word(t) {
		case "INSERT":
			return false, errWriteToken
		case "READONLY":
			elsewhere = true
		}
	}
	return elsewhere && s.kind == kindSelect, nil
}
