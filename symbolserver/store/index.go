package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/breakpad"
	"aftershock/symbolcache"
)

// The index tells which symbol file a code file and code id belong to: a file per pair,
// which holds a path. It is made from the symbol files and can be made again.

const (
	// MaxIndexedIDDigits is of an ELF's build id.
	MaxIndexedIDDigits = 128
	// maxEntryBytes bounds an entry: a path and a line's end.
	maxEntryBytes = maxPathBytes + 1
	// headReaders read symbol files' first lines at a time.
	headReaders = 8
)

// indexFolder is where the index lies.
func indexFolder(try bool) string {
	if try {
		return reserved + "/" + tried + "/code/"
	}
	return reserved + "/code/"
}

// entryPath is the path of an entry; it is false for what cannot have one.
func entryPath(try bool, codeFile, codeID string) (string, bool) {
	path := indexFolder(try) + codeFile + "/" + strings.ToUpper(codeID)
	return path, inIndex(path)
}

// inIndex tells whether a path is that of an entry.
func inIndex(path string) bool {
	rest, ok := strings.CutPrefix(path, indexFolder(true))
	if !ok {
		rest, ok = strings.CutPrefix(path, indexFolder(false))
	}
	file, id, both := strings.Cut(rest, "/")
	return ok && both && validName(file, MaxNameBytes) && within(id, 1, MaxIndexedIDDigits) && id == strings.ToUpper(id)
}

// IndexCode writes down which symbol file a head is of. A head without a code id, or whose
// names fit no path, is left out, and so is a file that is not where tools look for it:
// there may be others beside it.
func IndexCode(ctx context.Context, s Store, of Path, h Head) error {
	entry, ok := entryPath(of.Try, h.CodeFile, h.CodeID)
	if !ok || of.Leaf != SymName(of.File) {
		return nil
	}
	text := of.String() + "\n"
	return s.Put(ctx, Object{Path: entry, Bytes: int64(len(text))}, strings.NewReader(text))
}

// LookupCode tells which symbol file belongs to a code file and code id. The error wraps
// symbolcache.ErrNotFound when none is known; whether the file is still there is not
// looked at.
func LookupCode(ctx context.Context, s Store, try bool, codeFile, codeID string) (Path, error) {
	entry, ok := entryPath(try, codeFile, codeID)
	if !ok {
		return Path{}, symbolcache.ErrNotFound
	}
	return readEntry(ctx, s, entry, try)
}

func readEntry(ctx context.Context, s Store, entry string, try bool) (Path, error) {
	body, err := s.Open(ctx, entry)
	if err != nil {
		return Path{}, err
	}
	defer body.Close() //nolint:errcheck // opened for reading
	text, err := io.ReadAll(io.LimitReader(body, maxEntryBytes+1))
	if err != nil {
		return Path{}, err
	}
	line, whole := bytes.CutSuffix(text, []byte("\n"))
	p, err := ParsePath(string(line))
	if err != nil || !whole || p.Try != try || !p.IsSym() {
		return Path{}, fmt.Errorf("%w: the entry %s is damaged: aftershock symbols index makes it again", symbolcache.ErrNotFound, entry)
	}
	return p, nil
}

// Rebuilt is what RebuildIndex has done.
type Rebuilt struct {
	Files   int `json:"files"`   // symbol files looked at
	Written int `json:"written"` // entries that were missing or wrong
	Dropped int `json:"dropped"` // entries whose symbol file is gone
	Bad     int `json:"bad"`     // symbol files that begin with no MODULE record
}

// RebuildIndex makes the index again from the symbol files' first lines. Progress, if not
// nil, is told now and then how many files were looked at; it is called by one goroutine
// at a time. Files that come meanwhile are indexed by who puts them.
func RebuildIndex(ctx context.Context, s Store, progress func(files int)) (Rebuilt, error) {
	var done Rebuilt
	heads := make(chan indexed)
	g, reading := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(heads)
		return readHeads(reading, s, heads)
	})
	g.Go(func() error {
		for h := range heads {
			if done.Files++; progress != nil {
				progress(done.Files)
			}
			if h.bad {
				done.Bad++
			}
			if h.written {
				done.Written++
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return done, err
	}
	for _, try := range []bool{false, true} {
		dropped, err := dropStale(ctx, s, try)
		if done.Dropped += dropped; err != nil {
			return done, err
		}
	}
	return done, nil
}

// indexed is what became of a symbol file.
type indexed struct{ bad, written bool }

// readHeads indexes every symbol file.
func readHeads(ctx context.Context, s Store, out chan<- indexed) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(headReaders)
	err := s.List(ctx, "", func(o Object) error {
		p, err := ParsePath(o.Path)
		if err != nil || !p.IsSym() {
			return nil //nolint:nilerr // an entry, or a module's own file
		}
		g.Go(func() error {
			i, err := indexFile(ctx, s, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			select {
			case out <- i:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		return ctx.Err()
	})
	return errors.Join(g.Wait(), err)
}

// indexFile indexes one.
func indexFile(ctx context.Context, s Store, p Path) (indexed, error) {
	h, err := HeadOf(ctx, s, p)
	switch {
	case errors.Is(err, symbolcache.ErrNotFound): // removed meanwhile
		return indexed{}, nil
	case errors.Is(err, breakpad.ErrNoModule):
		return indexed{bad: true}, nil
	case err != nil:
		return indexed{}, err
	}
	if _, ok := entryPath(p.Try, h.CodeFile, h.CodeID); !ok || p.Leaf != SymName(p.File) {
		return indexed{}, nil
	}
	if at, err := LookupCode(ctx, s, p.Try, h.CodeFile, h.CodeID); err == nil && at == p {
		return indexed{}, nil
	}
	return indexed{written: true}, IndexCode(ctx, s, p, h)
}

// HeadOf reads the head of a symbol file in a store. What cannot be unpacked is
// breakpad.ErrNoModule too.
func HeadOf(ctx context.Context, s Store, p Path) (Head, error) {
	body, err := s.Open(ctx, p.String())
	if err != nil {
		return Head{}, err
	}
	defer body.Close() //nolint:errcheck // opened for reading
	from := &remembering{r: body}
	text, err := Text(from)
	if err == nil {
		defer text.Close() //nolint:errcheck // likewise
		var h Head
		if h, err = ReadHead(text); err == nil {
			return h, nil
		}
	}
	if from.err != nil {
		return Head{}, from.err
	}
	return Head{}, fmt.Errorf("%w: %w", breakpad.ErrNoModule, err)
}

// remembering tells a store that failed from a file that is damaged.
type remembering struct {
	r   io.Reader
	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// dropStale removes the entries whose symbol file is gone, and those that are damaged.
func dropStale(ctx context.Context, s Store, try bool) (dropped int, err error) {
	var stale []string // few: files are removed by Collect, which drops theirs
	err = s.List(ctx, indexFolder(try), func(o Object) error {
		p, err := readEntry(ctx, s, o.Path, try)
		if err == nil {
			_, err = s.Stat(ctx, p.String())
		}
		if errors.Is(err, symbolcache.ErrNotFound) {
			stale = append(stale, o.Path)
			return nil
		}
		return err
	})
	for _, path := range stale {
		if err != nil {
			break
		}
		if err = s.Delete(ctx, path); err == nil {
			dropped++
		}
	}
	return dropped, err
}
