package upload

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/symbolserver/store"
)

// badZipError is about a zip that is refused as a whole, before any of its files is kept.
type badZipError struct{ text string }

func (e *badZipError) Error() string { return e.text }

func badZip(format string, args ...any) error { return &badZipError{fmt.Sprintf(format, args...)} }

const (
	// memberBytes is what the directory of a zip may take a member: its name and what tools
	// add; and directoryBytes is for the records around it.
	memberBytes    = 1024
	directoryBytes = 128 << 10
)

// directory reads a zip's list of members. Who makes a zip can write anything there: no more
// is read for it than so many members need.
func directory(f io.ReaderAt, size int64, maxMembers int) (*zip.Reader, error) {
	bounded := &budget{r: f, left: int64(maxMembers)*memberBytes + directoryBytes}
	z, err := zip.NewReader(bounded, size)
	switch {
	case bounded.spent:
		return nil, badZip("its list of members is too large: want at most %d members", maxMembers)
	case err != nil:
		return nil, badZip("File is not a zip file")
	case len(z.File) > maxMembers:
		return nil, badZip("%d members: want at most %d", len(z.File), maxMembers)
	}
	bounded.off = true
	return z, nil
}

// budget ends reading of too much.
type budget struct {
	r     io.ReaderAt
	left  int64
	off   bool // what is read now does not count
	spent bool
}

var errSpent = errors.New("too much is read")

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.off {
		return b.r.ReadAt(p, off)
	}
	if b.left -= int64(len(p)); b.left < 0 {
		b.spent = true
		return 0, errSpent
	}
	return b.r.ReadAt(p, off)
}

// member is a file of a zip and where it goes.
type member struct {
	file *zip.File
	path store.Path
}

// members are the files of a zip that are to be kept. Names are looked at, and sizes as they
// are told, before anything is unpacked.
func (h *Handler) members(z *zip.Reader, try bool) (members []member, err error) {
	seen := map[string]*zip.File{}
	var total uint64
	for _, f := range z.File {
		if f.FileInfo().IsDir() || ignored(f.Name) {
			continue
		}
		if f.Mode()&fs.ModeType != 0 {
			return nil, badZip("%.300q is no file but a %s", f.Name, f.Mode().Type())
		}
		p, err := store.ParsePath(f.Name)
		if err != nil || p.Try {
			return nil, badZip("Unrecognized file pattern. Should only be <module>/<hex>/<file> or <name>-symbols.txt and nothing else. (First unrecognized pattern was '%.300s')", printable(f.Name))
		}
		p.Try = try
		switch other := seen[p.String()]; {
		case other == nil:
			seen[p.String()] = f
		case other.UncompressedSize64 != f.UncompressedSize64:
			return nil, badZip("The zipfile buffer contains two files both called %s and they have difference sizes (%d != %d)", p, other.UncompressedSize64, f.UncompressedSize64)
		case other.CRC32 != f.CRC32:
			return nil, badZip("it contains two files both called %s that differ", p)
		default:
			continue
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > uint64(h.o.MaxContentBytes) || total > uint64(h.o.MaxTotalBytes) {
			return nil, badZip("it unpacks to too much: want at most %d bytes a file and %d in all", h.o.MaxContentBytes, h.o.MaxTotalBytes)
		}
		if f.UncompressedSize64 > ratioAfter && f.UncompressedSize64/maxRatio > f.CompressedSize64 {
			return nil, badZip("%s unpacks to more than %d times its size", p, maxRatio)
		}
		members = append(members, member{f, p})
	}
	if len(members) == 0 {
		return nil, badZip("there is no file in it that could be kept")
	}
	return members, nil
}

// ignored are files of zips that build systems leave in them.
func ignored(name string) bool {
	return !strings.Contains(name, "/") && strings.HasSuffix(name, "-symbols.txt") || strings.HasSuffix("/"+name, "/.DS_Store")
}

// printable keeps what a client names from talking to terminals.
func printable(name string) string {
	text := fmt.Sprintf("%+q", name)
	return text[1 : len(text)-1]
}

// unzip keeps the files of a zip. Some may be kept and others refused.
func (h *Handler) unzip(ctx context.Context, f *os.File, size int64, who *Token, try, replace bool) ([]Result, error) {
	z, err := directory(f, size, h.o.MaxMembers)
	if err != nil {
		return nil, err
	}
	members, err := h.members(z, try)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(members))
	var g errgroup.Group
	g.SetLimit(h.o.MaxKeeps)
	for i, m := range members {
		g.Go(func() error {
			body, err := m.file.Open()
			if err != nil {
				results[i] = Result{Key: m.path.String(), Status: Refused, Message: fmt.Sprintf("%v: %v", errPacked, err)}
				return nil
			}
			defer body.Close() //nolint:errcheck // opened for reading
			results[i] = h.keep(ctx, incoming{path: m.path, by: who, replace: replace, body: memberBody{body}})
			return nil
		})
	}
	return results, g.Wait()
}

// memberBody makes what is wrong with a member's bytes the member's fault.
type memberBody struct{ r io.Reader }

func (b memberBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errPacked, err)
	}
	return n, err
}
