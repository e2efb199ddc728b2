package upload

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// What became of a file.
const (
	Kept     = "kept"
	Same     = "same" // it was there
	Replaced = "replaced"
	Refused  = "error"
)

// Result is what became of a file.
type Result struct {
	Key    string `json:"key"`
	Status string `json:"status"`
	// Message says why it was refused.
	Message string `json:"msg,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"` // of the content
	// Quality is of symbol files, Warnings say what is wrong with one that was kept.
	Quality  *Quality `json:"quality,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	arrival *Arrival
	failed  error // the store's, not the file's
}

// Arrival is a symbol file that has come, for who makes crashes again that lacked it.
type Arrival struct {
	Path     store.Path
	SHA256   string
	Replaces string // sha256 of what was there
	Worse    bool   // what was there told more
	BadLines int64
	By       string
}

// incoming is a file that somebody sends.
type incoming struct {
	path    store.Path
	by      *Token
	replace bool
	// body is the content in the encoding; of a symbol file that is looked at, and what is
	// said is not believed.
	body     io.Reader
	encoding string
	// sha256 and md5 are what was said of the content; empty: nothing.
	sha256, md5 string
}

// toldAgain is how long after it was kept a file that comes once more is told of again: its
// uploader may have got no answer, and nobody may have been told.
const toldAgain = time.Hour

// keep checks a file and puts it into the store: whole, or not at all. It waits until fewer
// are kept.
func (h *Handler) keep(ctx context.Context, in incoming) (r Result) {
	r = Result{Key: in.path.String(), Status: Refused}
	select {
	case h.keeping <- struct{}{}:
		defer func() { <-h.keeping }()
	case <-ctx.Done():
		r.failed = ctx.Err()
		return r
	}
	defer func() { // one bad file must not end the process
		if p := recover(); p != nil {
			r = Result{Key: in.path.String(), Status: Refused, failed: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	aside, err := os.CreateTemp(h.o.Folder, "upload-")
	if err != nil {
		r.failed = err
		return r
	}
	defer aside.Close()     //nolint:errcheck // it has no name any more
	os.Remove(aside.Name()) //nolint:errcheck,gosec // likewise
	c, encoding, err := h.receive(in, aside)
	if err != nil {
		return r.refuse(ctx, err)
	}
	r.SHA256, r.Bytes, r.Quality = c.sha256, c.bytes, c.quality
	if c.quality != nil {
		r.Warnings = c.quality.Warnings()
	}
	h.place(ctx, in, c, encoding, aside, &r)
	if r.arrival != nil && in.path.Try && h.hidden(ctx, in.path) {
		r.arrival = nil
	}
	return r
}

// hidden tells whether a tried build's file is hidden by a regular one, which everybody takes
// before it: it helps no crash. Else whoever may only try could have all crashes made again
// that have the regular one, as often as they like.
func (h *Handler) hidden(ctx context.Context, path store.Path) bool {
	path.Try = false
	_, err := h.o.Store.Stat(ctx, path.String())
	return err == nil
}

// refuse tells a fault of the file from one of its surroundings.
func (r Result) refuse(ctx context.Context, err error) Result {
	for _, theirs := range []error{errOtherModule, errNoSymbols, errTooLarge, errOtherBytes, errOther, errPacked} {
		if errors.Is(err, theirs) {
			r.Message = err.Error()
			return r
		}
	}
	if r.failed = err; ctx.Err() != nil {
		r.failed = ctx.Err()
	}
	return r
}

var errPacked = errors.New("it cannot be unpacked")

// packedError says once that it is one.
func packedError(err error) error {
	if errors.Is(err, errPacked) {
		return err
	}
	return fmt.Errorf("%w: %w", errPacked, err)
}

// receive checks a file and writes it aside, as it is to be stored. What it returns as
// encoding is that of what it wrote.
func (h *Handler) receive(in incoming, aside *os.File) (c checked, encoding string, err error) {
	body := &sizing{r: in.body, left: h.o.MaxFileBytes}
	var text io.Reader = body
	encoding = store.Identity
	to, finish := io.Discard, func() error { return nil }
	if in.path.IsSym() {
		from := bufio.NewReaderSize(body, readBytes)
		head, err := from.Peek(headBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return c, "", err
		}
		raw := io.Reader(from)
		if encoding = h.o.Encoding; encoding != store.Identity && store.Sniff(head) == encoding {
			raw = io.TeeReader(from, aside) // it is stored as it is sent
		} else {
			to, finish = encoder(aside, encoding)
		}
		unpacked, err := store.Text(raw)
		if err != nil {
			return c, "", packedError(err)
		}
		defer unpacked.Close() //nolint:errcheck // nothing is left in it
		text = unpacked
	} else if to = aside; in.encoding != store.Identity {
		unpacked, err := store.Decode(body, in.encoding)
		if err != nil {
			return c, "", packedError(err)
		}
		defer unpacked.Close() //nolint:errcheck // likewise
		text = unpacked
	}
	ratio := &ratio{r: text, packed: body}
	c, err = check(in.path, io.TeeReader(ratio, to), h.o.MaxContentBytes, in.md5 != "" && in.sha256 == "")
	switch {
	case ratio.err != nil:
		return c, "", ratio.err
	case body.err != nil:
		return c, "", body.err
	case err != nil:
		return c, "", err
	case in.sha256 != "" && in.sha256 != c.sha256:
		return c, "", fmt.Errorf("%w: sha256 is %s, not %s", errOtherBytes, c.sha256, in.sha256)
	case in.sha256 == "" && in.md5 != "" && in.md5 != c.md5:
		return c, "", fmt.Errorf("%w: md5 is %s, not %s", errOtherBytes, c.md5, in.md5)
	}
	return c, encoding, finish()
}

const (
	// headBytes tell which encoding a file is in, and readBytes are read at a time.
	headBytes = 4
	readBytes = 64 << 10
)

// encoder writes what has an encoding.
func encoder(w io.Writer, encoding string) (to io.Writer, finish func() error) {
	switch encoding {
	case store.Gzip:
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // it is a level
		return z, z.Close
	case store.Zstd:
		z, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)) // they are options
		return z, z.Close
	}
	return w, func() error { return nil }
}

// place puts what lies aside into the store, unless something else is there.
func (h *Handler) place(ctx context.Context, in incoming, c checked, encoding string, aside *os.File, r *Result) {
	unlock := h.lock(in.path.String())
	defer unlock()
	was, err := h.there(ctx, in.path)
	if err != nil {
		*r = r.refuse(ctx, err)
		return
	}
	// What an upstream had can be had again, and gives way to who builds the module.
	a := &Arrival{Path: in.path, SHA256: c.sha256, By: in.by.Name}
	if c.quality != nil {
		a.BadLines = c.quality.BadLines
	}
	switch {
	case was != nil && was.SHA256 == c.sha256:
		r.Status = Same
		again := h.o.Now().Sub(was.Modified) < toldAgain
		if again {
			r.arrival = a
		}
		if !in.path.Try && !was.OfUpstream() { // else it is put anew: both expire by their time
			if again {
				err = h.index(ctx, in, c)
			}
			if err != nil {
				*r = Result{Key: r.Key, Status: Refused}.refuse(ctx, err)
			}
			return
		}
	case was != nil && !in.replace && !was.OfUpstream():
		r.Message = otherFile(*was, c.sha256)
		return
	case was != nil:
		r.Status = Replaced
		a.Replaces = was.SHA256
		if a.Worse = h.worse(ctx, in.path, c); a.Worse {
			r.Warnings = append(r.Warnings, "it tells less than what it replaces: crashes that had that keep what they have")
		}
	default:
		r.Status = Kept
	}
	if err := h.put(ctx, in, c, encoding, aside); err != nil {
		*r = Result{Key: r.Key, Status: Refused}.refuse(ctx, err)
		return
	}
	if r.Status != Same {
		r.arrival = a
	}
}

// errOther names a file that is there.
var errOther = errors.New("another file is there")

// otherFile says what is there, to who sends another.
func otherFile(was store.Object, sha256 string) string {
	by := ""
	if was.By != "" {
		by = " by " + was.By
	}
	return fmt.Sprintf("%v: sha256 %s, put there %s%s; this one is %s. To put it in place of that one, say so (replace)",
		errOther, was.SHA256, was.Modified.UTC().Format(time.DateTime), by, sha256)
}

func (h *Handler) put(ctx context.Context, in incoming, c checked, encoding string, aside *os.File) error {
	bytes, err := aside.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = aside.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	o := store.Object{Path: in.path.String(), Bytes: bytes, Encoding: encoding, SHA256: c.sha256, By: in.by.Name}
	// A store that takes nothing any more must not hold a place for ever.
	putting, cancel := context.WithTimeout(ctx, afterTime+time.Duration(bytes/storeRate)*time.Second)
	defer cancel()
	if err := h.o.Store.Put(putting, o, aside); err != nil {
		return err
	}
	return h.index(ctx, in, c)
}

// index writes down the code id of a file that is in the store, and so does it when its
// uploader has left.
func (h *Handler) index(ctx context.Context, in incoming, c checked) error {
	if !in.path.IsSym() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTime)
	defer cancel()
	return store.IndexCode(ctx, h.o.Store, in.path, c.head)
}

const (
	// afterTime bounds what is left to do for a file that is in the store, and with a second for
	// each storeRate bytes putting it there.
	afterTime = time.Minute
	storeRate = 256 << 10
)

// there is what is at a path, with its digest; nil is nothing.
func (h *Handler) there(ctx context.Context, path store.Path) (*store.Object, error) {
	o, err := h.o.Store.Stat(ctx, path.String())
	if errors.Is(err, symbolcache.ErrNotFound) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil || o.SHA256 != "" {
		return &o, err
	}
	// Other hands put it there.
	content, closing, err := h.content(ctx, path)
	if errors.Is(err, symbolcache.ErrNotFound) {
		return nil, nil //nolint:nilnil // removed meanwhile
	}
	if err != nil {
		return nil, err
	}
	defer closing()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return nil, err
	}
	o.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return &o, nil
}

// content opens what is in the store, unpacked.
func (h *Handler) content(ctx context.Context, path store.Path) (content io.Reader, closing func(), err error) {
	o, body, err := h.o.Store.Get(ctx, path.String())
	if err != nil {
		return nil, nil, err
	}
	unpacked, err := store.Decode(body, o.Encoding)
	if err == nil && path.IsSym() && o.Encoding == store.Identity {
		unpacked, err = store.Text(body)
	}
	if err != nil {
		return nil, nil, errors.Join(err, body.Close())
	}
	return unpacked, func() {
		unpacked.Close() //nolint:errcheck,gosec // opened for reading
		body.Close()     //nolint:errcheck,gosec // likewise
	}, nil
}

// worse tells whether a file tells less than what is there. What is there and cannot be read
// tells nothing.
func (h *Handler) worse(ctx context.Context, path store.Path, c checked) bool {
	if c.quality == nil {
		return false
	}
	content, closing, err := h.content(ctx, path)
	if err != nil {
		return false
	}
	defer closing()
	was, err := check(path, content, h.o.MaxContentBytes, false)
	return err == nil && was.quality != nil && c.quality.worseThan(*was.quality)
}

// sizing bounds what is sent, as it comes.
type sizing struct {
	r          io.Reader
	read, left int64
	err        error
}

func (s *sizing) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if s.left -= int64(n); s.left < 0 {
		s.err = fmt.Errorf("%w: more than %d bytes as sent", errTooLarge, s.read+s.left)
		return 0, s.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

const (
	// maxRatio is how many times what was sent a content may be: symbol files are packed to a
	// tenth, and what repeats itself much more is made to fill disks.
	maxRatio = 200
	// ratioAfter bytes it counts: a small file may repeat itself.
	ratioAfter = 16 << 20
)

// ratio ends what unpacks to too much.
type ratio struct {
	r      io.Reader
	packed *sizing
	read   int64
	err    error
}

func (b *ratio) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > ratioAfter && b.read > maxRatio*b.packed.read {
		b.err = fmt.Errorf("%w: it unpacks to more than %d times its size", errTooLarge, maxRatio)
		return 0, b.err
	}
	if err != nil && !errors.Is(err, io.EOF) && b.packed.err == nil {
		b.err = packedError(err)
	}
	return n, err
}
