package collector

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"aftershock/schema"
)

// held is a body as it came over the wire, whole: in memory, or in a file
// without a name. Nothing of it is looked at before it has arrived, so that a
// slow client holds neither a place nor more memory than it has sent.
type held struct {
	room   *room
	chunks [][]byte
	memory int64 // what the chunks take of the room
	file   *os.File
	disk   int64 // what the file takes of the room
	size   int64
}

// Sizes in which a body takes memory and disk.
const (
	firstChunk = 16 << 10
	nextChunk  = 64 << 10
	diskStep   = 1 << 20
)

// receive reads the request's body. Errors are refusals, or say that the door is full.
func (c *Collector) receive(w http.ResponseWriter, r *http.Request) (_ *held, err error) {
	h := &held{room: &c.room}
	defer func() {
		if err != nil {
			h.free()
		}
	}()
	control := http.NewResponseController(w)
	start := time.Now()
	for {
		free, err := h.grow()
		if err != nil {
			return nil, err
		}
		slow := control.SetReadDeadline(c.o.Limits.deadline(start, time.Now(), h.size)) // a server that cannot has limits of its own
		n, err := r.Body.Read(free)
		if err := h.keep(free[:n]); err != nil {
			return nil, err
		}
		switch {
		case h.size > c.o.Limits.BodyBytes:
			return nil, refuse(schema.RejectTooLarge, nil)
		case errors.Is(err, io.EOF):
			if slow == nil {
				slow = control.SetReadDeadline(time.Time{})
			}
			if h.size == 0 {
				return nil, refuse(schema.RejectEmptyBody, slow)
			}
			return h, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, refuse(schema.RejectTooSlow, err)
		case err != nil:
			return nil, refuse(schema.RejectTruncated, err)
		}
	}
}

// deadline is when the next bytes must be there, of a body of which some have come. What
// came early is credit for later, but for no pause.
func (l Limits) deadline(start, now time.Time, read int64) time.Time {
	d := l.Grace + time.Duration(min(float64(read)/float64(l.BytesPerSecond), l.BodyTime.Seconds())*float64(time.Second))
	return earlier(start.Add(min(d, l.BodyTime)), now.Add(l.Grace))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// grow returns where the next bytes go.
func (h *held) grow() ([]byte, error) {
	if h.file == nil {
		if n := len(h.chunks); n > 0 && len(h.chunks[n-1]) < cap(h.chunks[n-1]) {
			last := h.chunks[n-1]
			return last[len(last):cap(last)], nil
		}
		size := int64(firstChunk)
		if len(h.chunks) > 0 {
			size = nextChunk
		}
		if h.memory+size <= h.room.small && h.room.memory.TryAcquire(size) {
			h.memory += size
			h.chunks = append(h.chunks, takeChunk(int(size)))
			return h.chunks[len(h.chunks)-1][:size], nil
		}
		if err := h.spill(); err != nil {
			return nil, err
		}
	}
	return h.chunks[0][:cap(h.chunks[0])], nil
}

// keep takes what was read into the bytes that grow returned.
func (h *held) keep(b []byte) error {
	h.size += int64(len(b))
	if h.file != nil {
		return h.write(b)
	}
	last := &h.chunks[len(h.chunks)-1]
	*last = (*last)[:len(*last)+len(b)]
	return nil
}

// spill moves the body into a file. One chunk stays, through which the rest is read.
func (h *held) spill() (err error) {
	if h.file, err = os.CreateTemp(h.room.folder, "report-"); err != nil {
		return fmt.Errorf("a file for the body: %w", err)
	}
	if err := os.Remove(h.file.Name()); err != nil {
		return fmt.Errorf("a file for the body: %w", err)
	}
	for _, chunk := range h.chunks {
		if err := h.write(chunk); err != nil {
			return err
		}
	}
	if len(h.chunks) == 0 { // there was no room for even one
		h.chunks = [][]byte{takeChunk(firstChunk)}
		return nil
	}
	h.chunks = [][]byte{h.chunks[0][:0]}
	h.room.memory.Release(h.memory - firstChunk)
	h.memory = firstChunk
	return nil
}

func (h *held) write(b []byte) error {
	for h.disk < h.size {
		if !h.room.disk.TryAcquire(diskStep) {
			return fmt.Errorf("bodies in files: %w", errFull)
		}
		h.disk += diskStep
	}
	if _, err := h.file.Write(b); err != nil {
		return fmt.Errorf("a file for the body: %w", err)
	}
	return nil
}

// reader reads the whole of a body that has arrived.
func (h *held) reader() io.Reader {
	if h.file != nil {
		return io.NewSectionReader(h.file, 0, h.size)
	}
	return &chunkReader{slices.Clone(h.chunks)} // which it shortens
}

// free gives back what the body takes; more than once does no harm. Nothing that aliases it
// may be kept.
func (h *held) free() {
	for _, chunk := range h.chunks {
		giveChunk(chunk)
	}
	if h.file != nil {
		h.file.Close() //nolint:errcheck,gosec // nobody will read it
	}
	h.room.memory.Release(h.memory)
	h.room.disk.Release(h.disk)
	*h = held{room: h.room, size: h.size}
}

// chunks are used again, by size.
var (
	firstChunks = sync.Pool{New: func() any { return new([firstChunk]byte) }}
	nextChunks  = sync.Pool{New: func() any { return new([nextChunk]byte) }}
)

func takeChunk(size int) []byte {
	if size == firstChunk {
		return firstChunks.Get().(*[firstChunk]byte)[:0] //nolint:forcetypeassert // the pool holds nothing else
	}
	return nextChunks.Get().(*[nextChunk]byte)[:0] //nolint:forcetypeassert // nor does this one
}

func giveChunk(chunk []byte) {
	switch cap(chunk) {
	case firstChunk:
		firstChunks.Put((*[firstChunk]byte)(chunk[:firstChunk]))
	case nextChunk:
		nextChunks.Put((*[nextChunk]byte)(chunk[:nextChunk]))
	}
}

// chunkReader is no io.ByteReader on purpose: the decompressor is twice as fast over
// the buffer that it then makes itself.
type chunkReader struct{ chunks [][]byte }

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.chunks) > 0 {
		if n := copy(p, r.chunks[0]); n > 0 {
			r.chunks[0] = r.chunks[0][n:]
			return n, nil
		}
		if len(p) == 0 {
			return 0, nil
		}
		r.chunks = r.chunks[1:]
	}
	return 0, io.EOF
}
