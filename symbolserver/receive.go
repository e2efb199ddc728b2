package symbolserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// errUnfit: what an upstream sent is not the file that was asked for.
var errUnfit = errors.New("not the file that was asked for")

func outcomeOf(err error) symbolcache.Outcome {
	var disk *spoolError
	switch {
	case errors.As(err, &disk):
		return symbolcache.Error
	case errors.Is(err, errUnfit):
		return symbolcache.Malformed
	}
	return symbolcache.OutcomeOf(err)
}

// receive downloads a file into the spool. Its beginning is looked at before anybody gets
// it, and it is unpacked as it arrives: at the end it is known to be whole.
func (s *Server) receive(ctx context.Context, from symbolcache.Source, f *fetch, w wanted) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(s.o.HeadTime, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	body, err := from.Open(ctx, w.key())
	if err != nil {
		return causeOf(ctx, err)
	}
	defer body.Close() //nolint:errcheck // opened for reading
	if body.Bytes > s.o.MaxFetchBytes {
		return fmt.Errorf("%w: %d bytes are too many", errUnfit, body.Bytes)
	}
	if err := f.spool.open(); err != nil {
		return err
	}
	raw := &received{r: body, to: f.spool, left: s.o.MaxFetchBytes}
	err = s.unpack(raw, body, f, w, func() bool {
		late.Stop()
		return s.begin(ctx, f, w)
	})
	switch {
	case errors.Is(err, errElsewhere):
		return nil
	case raw.err != nil:
		return causeOf(ctx, raw.err)
	case err != nil:
		return err
	case body.Bytes >= 0 && f.spool.bytes() != body.Bytes:
		return fmt.Errorf("%w: %d bytes of %d", symbolcache.ErrTemporary, f.spool.bytes(), body.Bytes)
	}
	return nil
}

// causeOf is why a context ended, if it did.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// errElsewhere: the file is in the store, or on its way there.
var errElsewhere = errors.New("in the store already")

// unpack reads all of a body. begin is called when it is known that it is the right one.
func (s *Server) unpack(raw *received, body symbolcache.Body, f *fetch, w wanted, begin func() bool) error {
	buffered := bufio.NewReaderSize(raw, 64<<10)
	f.encoding, f.bytes = body.Encoding, body.Bytes
	if f.encoding == "identity" {
		f.encoding = store.Identity
	}
	if f.encoding == store.Identity && (w.code != nil || w.path.IsSym()) {
		head, err := buffered.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		f.encoding = store.Sniff(head)
	}
	text, err := store.Decode(buffered, f.encoding)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	defer text.Close() //nolint:errcheck // opened for reading
	sum := sha256.New()
	content := io.TeeReader(&bounded{r: text, left: s.o.MaxContentBytes}, sum)
	if err := f.identify(content, w); err != nil {
		return err
	}
	if !begin() {
		return errElsewhere
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if n, err := io.Copy(io.Discard, buffered); err != nil || n > 0 {
		return fmt.Errorf("%w: %d bytes behind its end: %w", errUnfit, n, err)
	}
	f.sha256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// identify looks at the beginning of a file.
func (f *fetch) identify(content io.Reader, w wanted) (err error) {
	if w.code == nil && !w.path.IsSym() {
		head := make([]byte, maxMagicBytes)
		n, err := io.ReadFull(content, head)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) || !begins(w.path, head[:n]) {
			return fmt.Errorf("%w: it begins with %.16q", errUnfit, head[:n])
		}
		return nil
	}
	if f.head, err = store.ReadHead(content); err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if w.code == nil {
		if !strings.EqualFold(f.head.DebugID, w.path.ID) {
			return fmt.Errorf("%w: it is of the module %.48q", errUnfit, f.head.DebugID)
		}
		return nil
	}
	if f.head.CodeID != "" && !strings.EqualFold(f.head.CodeID, w.code.id) {
		return fmt.Errorf("%w: its code id is %.48q", errUnfit, f.head.CodeID)
	}
	if f.path, err = store.ParsePath(f.head.DebugFile + "/" + f.head.DebugID + "/" + store.SymName(f.head.DebugFile)); err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	return nil
}

const maxMagicBytes = 32

// magics are how modules' own files begin: ELF, Mach-O in both orders and sizes, and of
// several architectures; MSF and portable PDBs; PE; cabinets; gzip and bzip2.
var magics = [...]string{
	"\x7fELF", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe",
	"Microsoft C/C++ ", "BSJB", "MZ", "MSCF", "\x1f\x8b", "BZh",
}

// begins tells whether a module's own file begins as one. An ELF is asked for by build id.
func begins(p store.Path, head []byte) bool {
	for i, magic := range magics {
		if bytes.HasPrefix(head, []byte(magic)) {
			return p.Kind != store.ByBuildID || i < 6
		}
	}
	return false
}

// received passes on what an upstream sends, bounded, and remembers what went wrong with
// it: a damaged file can then be told from a connection that broke.
type received struct {
	r    io.Reader
	to   io.Writer
	left int64
	err  error
}

func (r *received) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, r.fail(fmt.Errorf("%w: too many bytes", errUnfit))
	}
	if _, err := r.to.Write(p[:n]); err != nil {
		return 0, r.fail(err)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (r *received) fail(err error) error {
	r.err = err
	return err
}

// bounded fails when there is more than it may pass on.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: it unpacks to too many bytes", errUnfit)
	}
	return n, err
}
