package symbolicate_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/internal/reference"
	"aftershock/symbolcache"
)

// memory is a source of symbol files by path. One of a module called fail… fails.
type memory map[string]string

func (memory) Name() string { return "memory" }

func (m memory) Open(_ context.Context, path string) (symbolcache.Body, error) {
	if strings.HasPrefix(path, "fail") {
		return symbolcache.Body{}, symbolcache.ErrTemporary
	}
	text, ok := m[path]
	if !ok {
		return symbolcache.Body{}, symbolcache.ErrNotFound
	}
	return symbolcache.Body{ReadCloser: io.NopCloser(strings.NewReader(text)), Bytes: int64(len(text))}, nil
}

// corpus is the folder of the reference's symbol files.
func corpus(t testing.TB) string {
	t.Helper()
	return filepath.Join(reference.Path(t, "corpus"), "symbols")
}

func openCache(t testing.TB, sources ...symbolcache.Source) *symbolcache.Cache {
	t.Helper()
	c, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) //nolint:gosec // nothing can be done
	return c
}

func sha(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
