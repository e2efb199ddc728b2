package upload

import (
	"crypto/md5" //nolint:gosec // what Mozilla's protocol names files by
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"aftershock/breakpad"
	"aftershock/symbolserver/store"
)

// Quality is what a symbol file tells, in records: a bad dump_syms is seen in it.
type Quality struct {
	Functions int64 `json:"functions"`
	Publics   int64 `json:"publics"`
	Lines     int64 `json:"lines"`
	Inlines   int64 `json:"inlines"`
	// CFI is how many rows tell how to unwind, STACK CFI and STACK WIN.
	CFI int64 `json:"cfi"`
	// BadLines make no sense, and are passed over by who reads the file.
	BadLines int64 `json:"bad_lines"`
	// Strict tells whether readers that refuse a file for one bad line take it.
	Strict bool `json:"strict"`
}

// worseThan tells whether a file tells less than another one of the same module: fewer names,
// or no inlined calls or rows to unwind with where there were some.
func (q Quality) worseThan(was Quality) bool {
	return q.Functions+q.Publics < was.Functions+was.Publics || q.Inlines == 0 && was.Inlines > 0 ||
		q.CFI == 0 && was.CFI > 0 || q.Lines == 0 && was.Lines > 0
}

// Warnings say what whoever uploads should look at.
func (q Quality) Warnings() (out []string) {
	if q.BadLines > 0 {
		out = append(out, fmt.Sprintf("%d lines make no sense", q.BadLines))
	}
	if q.Functions+q.Publics == 0 {
		out = append(out, "no functions")
	}
	if q.Functions > 0 && q.CFI == 0 {
		out = append(out, "nothing to unwind with (no STACK records)")
	}
	if q.Functions > 0 && q.Inlines == 0 {
		out = append(out, "no inlined calls")
	}
	return out
}

// checked is what a file was found to be.
type checked struct {
	sha256, md5 string // of the content, not encoded; md5 if it was asked for
	bytes       int64  // likewise
	quality     *Quality
	head        store.Head
}

// Errors of a file that its uploader is to blame for.
var (
	errOtherModule = errors.New("the MODULE record is of another module")
	errNoSymbols   = errors.New("not a symbol file")
	errTooLarge    = errors.New("too large")
	errOtherBytes  = errors.New("not the bytes that were announced")
)

// check reads a file's content to its end and tells what it is, with its MD5 if it is asked for. A symbol file must be that
// of its path.
func check(path store.Path, content io.Reader, maxBytes int64, withMD5 bool) (checked, error) {
	c := checked{}
	sums := &summing{r: content, left: maxBytes, sha: sha256.New()}
	if withMD5 {
		sums.md5 = md5.New() //nolint:gosec // see above
	}
	if path.IsSym() {
		if err := c.scan(path, sums); err != nil {
			return c, err
		}
	}
	if _, err := io.Copy(io.Discard, sums); err != nil { // what a scan has left is nothing, of other files all
		return c, err
	}
	c.sha256, c.bytes = hex.EncodeToString(sums.sha.Sum(nil)), sums.read
	if withMD5 {
		c.md5 = hex.EncodeToString(sums.md5.Sum(nil))
	}
	return c, nil
}

// scan reads a symbol file's records.
func (c *checked) scan(path store.Path, text *summing) error {
	head := &beginning{r: text}
	counts := &counting{}
	f, err := breakpad.Scan(head, breakpad.ParseOptions{}, counts)
	if text.err != nil {
		return text.err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoSymbols, err)
	}
	if c.head, err = store.ReadHead(strings.NewReader(string(head.kept))); err != nil {
		return fmt.Errorf("%w: %w", errNoSymbols, err)
	}
	if !sameID(c.head.DebugID, path.ID) || c.head.DebugFile != path.File {
		return fmt.Errorf("%w: %.300q with id %.60q, not %q with %s", errOtherModule, c.head.DebugFile, c.head.DebugID, path.File, path.ID)
	}
	q := counts.quality
	q.CFI = int64(f.CFIRows() + len(f.WinRecords(breakpad.WinFPO)) + len(f.WinRecords(breakpad.WinFrameData)))
	q.BadLines, q.Strict = int64(f.BadLines()), f.Strict()
	c.quality = &q
	return nil
}

// sameID compares debug ids: letter case says nothing.
func sameID(a, b string) bool { return strings.EqualFold(a, b) }

// counting is a breakpad.Sink that counts.
type counting struct{ quality Quality }

func (c *counting) File(uint32, []byte)          {}
func (c *counting) Origin(uint32, []byte)        {}
func (c *counting) Function(breakpad.FuncRecord) { c.quality.Functions++ }
func (c *counting) Line(breakpad.LineRecord)     { c.quality.Lines++ }
func (c *counting) Inline(breakpad.InlineRecord) { c.quality.Inlines++ }
func (c *counting) Public(breakpad.PublicRecord) { c.quality.Publics++ }
func (c *counting) Unwind(int)                   {}
func (c *counting) Err() error                   { return nil }

// summing makes the digests of what is read through it, and ends what is too large.
type summing struct {
	r          io.Reader
	read, left int64
	sha, md5   hash.Hash // md5 may be nil
	err        error
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if s.left -= int64(n); s.left < 0 {
		s.err = fmt.Errorf("%w: more than %d bytes", errTooLarge, s.read+s.left)
		return 0, s.err
	}
	s.sha.Write(p[:n])
	if s.md5 != nil {
		s.md5.Write(p[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// beginning keeps what a reader begins with.
type beginning struct {
	r    io.Reader
	kept []byte
}

func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if room := store.MaxHeadBytes - len(b.kept); room > 0 {
		b.kept = append(b.kept, p[:min(n, room)]...)
	}
	return n, err
}
