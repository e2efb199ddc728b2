package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"aftershock/blob"
	"aftershock/schema"
)

const (
	// maxDumpBytes bounds a dump's original size: the door lets no larger body in.
	maxDumpBytes = 1 << 30
	// blobTries is how often a blob is asked for that is not there: an object
	// store may show it late. The door stored it before it produced the event.
	blobTries = 4
	// minWindow lets a small dump's frame name a window larger than itself.
	minWindow = 1 << 20
)

// blobPause is the wait before the second try; it doubles.
var blobPause = 250 * time.Millisecond

var errDigest = errors.New("bytes do not have the event's SHA-256")

// fetch brings the main dump and overflown annotations into memory, and the dumps beside
// it if there is room for them. The class is that of the dead letter when err says so.
func (p *Processor) fetch(ctx context.Context, in *Input, room bool) (class string, err error) {
	for i := range in.Raw.AnnotationOverflow {
		ref := &in.Raw.AnnotationOverflow[i]
		value, class, err := p.blob(ctx, ref.Blob, ref.Size)
		if err != nil {
			return class, err
		}
		if sha256.Sum256(value) != ref.SHA256 {
			return schema.DeadBlobCorrupt, errDigest
		}
		if in.Raw.Annotations == nil {
			in.Raw.Annotations = map[string]string{}
		}
		in.Raw.Annotations[ref.Name] = string(value)
	}
	if d := in.Raw.Main(); d != nil {
		if in.Dump, class, err = p.dump(ctx, d); err != nil {
			return class, err
		}
	}
	if !room {
		p.Log.Warn().Msg("there is no room for the dumps beside the main one")
		return "", nil
	}
	return "", p.beside(ctx, in)
}

// beside brings the other dumps that are looked at into memory. One that is lost costs
// itself alone.
func (p *Processor) beside(ctx context.Context, in *Input) error {
	for _, d := range in.Raw.Beside() {
		data, class, err := p.dump(ctx, d)
		switch {
		case err != nil && class == "":
			return err
		case err != nil:
			p.Log.Warn().Err(err).Str("dump", d.Name).Msg("a dump beside the main one is lost")
			continue
		}
		if in.Beside == nil {
			in.Beside = map[string][]byte{}
		}
		in.Beside[d.Name] = data
	}
	return nil
}

// dumpBytes is the size of the main dump, and of those beside it that are looked at.
func dumpBytes(raw *schema.RawCrash) (main, beside int64, class string, err error) {
	if d := raw.Main(); d != nil {
		if d.Size < 0 || d.Size > maxDumpBytes {
			return 0, 0, schema.DeadRawUndecodable, fmt.Errorf("a dump of %d bytes", d.Size)
		}
		main = d.Size
	}
	for _, d := range raw.Beside() {
		beside += d.Size
	}
	return main, beside, "", nil
}

// FetchDump returns a dump's original bytes, checked against its digest. blobs may
// be nil when the dump lies in its event.
func FetchDump(ctx context.Context, blobs blob.Store, d *schema.Dump) ([]byte, error) {
	if d.Size < 0 || d.Size > maxDumpBytes {
		return nil, fmt.Errorf("a dump of %d bytes", d.Size)
	}
	data, _, err := (&Processor{Blobs: blobs}).dump(ctx, d)
	return data, err
}

// dump returns a dump's original bytes, checked against its digest.
func (p *Processor) dump(ctx context.Context, d *schema.Dump) (data []byte, class string, err error) {
	stored := d.Inline
	if d.Blob != nil {
		// Stored bytes are never larger than the original ones: the door keeps
		// the smaller.
		if stored, class, err = p.blob(ctx, *d.Blob, d.Size); err != nil {
			return nil, class, err
		}
	}
	if data, err = original(stored, d); err != nil {
		return nil, schema.DeadBlobCorrupt, err
	}
	return data, "", nil
}

// original decompresses stored bytes and checks their size and digest.
func original(stored []byte, d *schema.Dump) ([]byte, error) {
	data := stored
	if d.Encoding == schema.EncodingZstd {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(d.Size)+minWindow))
		if err != nil {
			return nil, err
		}
		defer dec.Close()
		if data, err = dec.DecodeAll(stored, make([]byte, 0, d.Size)); err != nil {
			return nil, fmt.Errorf("inflate dump: %w", err)
		}
	}
	if int64(len(data)) != d.Size || sha256.Sum256(data) != d.SHA256 {
		return nil, errDigest
	}
	if data == nil {
		data = []byte{} // an empty dump is a dump
	}
	return data, nil
}

// blob reads a blob, asking again while it is missing.
func (p *Processor) blob(ctx context.Context, key string, maxBytes int64) (data []byte, class string, err error) {
	pause := blobPause
	for try := 1; ; try++ {
		data, err = p.Blobs.Get(ctx, key, maxBytes)
		switch {
		case err == nil:
			return data, "", nil
		case errors.Is(err, blob.ErrTooLarge), errors.Is(err, blob.ErrBadKey):
			return nil, schema.DeadBlobCorrupt, err
		case !errors.Is(err, blob.ErrNotFound):
			return nil, "", &PassingError{Err: fmt.Errorf("blob store: %w", err)}
		case try == blobTries:
			return nil, schema.DeadBlobMissing, err
		}
		select {
		case <-ctx.Done():
			return nil, "", &PassingError{Err: ctx.Err()}
		case <-time.After(pause):
			pause *= 2
		}
	}
}
