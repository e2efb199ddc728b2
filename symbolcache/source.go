package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Errors of a Source.
var (
	// ErrNotFound: the source has no such file.
	ErrNotFound = errors.New("no symbol file")
	// ErrDenied: the source refuses.
	ErrDenied = errors.New("access to the symbol file denied")
)

// Source opens the file at a path like app.pdb/5A98…1/app.sym. Its errors wrap
// ErrNotFound and ErrDenied where those are meant; any other is transient.
type Source func(ctx context.Context, path string) (io.ReadCloser, error)

// NewSource returns the source that a flag names: an http or https URL, or a
// directory, which must exist.
func NewSource(name string, client *http.Client) (Source, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		u, err := url.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("symbol source: %w", err)
		}
		return HTTP(u, client), nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("symbol source: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("symbol source %s: want a directory or an http URL", name)
	}
	return Dir(name), nil
}

// Dir is the source of files below a directory.
func Dir(root string) Source {
	return func(_ context.Context, path string) (io.ReadCloser, error) {
		f, err := os.Open(filepath.Join(root, filepath.FromSlash(path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, ErrNotFound
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("%w: %w", ErrDenied, err)
		case err != nil:
			return nil, err
		}
		return f, nil
	}
}

// DefaultHTTPTimeout bounds one download, redirects and body included.
const DefaultHTTPTimeout = time.Minute

// HTTP is the source of files at <base>/<path>. A nil client has DefaultHTTPTimeout.
func HTTP(base *url.URL, client *http.Client) Source {
	if client == nil {
		client = &http.Client{Timeout: DefaultHTTPTimeout}
	}
	return func(ctx context.Context, path string) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(strings.Split(path, "/")...).String(), nil)
		if err != nil {
			return nil, err
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusOK {
			return res.Body, nil
		}
		res.Body.Close() //nolint:errcheck,gosec // its text is of no use
		switch res.StatusCode {
		case http.StatusNotFound, http.StatusGone:
			return nil, ErrNotFound
		case http.StatusUnauthorized, http.StatusForbidden:
			return nil, ErrDenied
		}
		return nil, fmt.Errorf("symbol server answered %s", res.Status)
	}
}

const (
	maxNameBytes = 200 // of a debug file's base name
	maxIDBytes   = 48  // of a debug id: 32 digits and an age
)

// path is the place of a key's file: <leaf>/<ID>/<leaf without .pdb>.sym. It is
// false for a key that cannot have one: no name or id, an id of zeros, or a name
// that would leave its folder.
func (k Key) path() (string, bool) {
	leaf := k.DebugFile[strings.LastIndexAny(k.DebugFile, `/\`)+1:]
	switch {
	case leaf == "" || leaf == "." || leaf == ".." || len(leaf) > maxNameBytes || strings.ContainsFunc(leaf, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", false
	case len(k.DebugID) < 33 || len(k.DebugID) > maxIDBytes || strings.Trim(k.DebugID, "0") == "" || strings.Trim(k.DebugID, "0123456789abcdefABCDEF") != "":
		return "", false
	}
	stem := leaf
	if len(stem) > 4 && strings.EqualFold(stem[len(stem)-4:], ".pdb") {
		stem = stem[:len(stem)-4]
	}
	return leaf + "/" + k.DebugID + "/" + stem + ".sym", true
}
