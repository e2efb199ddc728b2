package collector

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"aftershock/schema"
)

// A body gives back what it took, memory, disk and its file, and that once, however it was
// kept and however often it is given back.
func TestABodyIsGivenBackOnce(t *testing.T) {
	for name, size := range map[string]int{"nothing": 0, "a chunk": 1, "chunks": firstChunk + nextChunk + 1, "a file": 4 * nextChunk} {
		l := Limits{SmallBytes: 3 * nextChunk, HeldBytes: 3 * nextChunk, DiskBytes: 2 * diskStep}
		r := newRoom(l, t.TempDir(), func(error) {})
		h := &held{room: &r}
		sent := strings.Repeat("abc", size)[:size]
		for left := sent; left != ""; {
			free, err := h.grow()
			if err != nil {
				t.Fatal(err)
			}
			n := copy(free, left)
			if err := h.keep(free[:n]); err != nil {
				t.Fatal(err)
			}
			left = left[n:]
		}
		file := h.file
		if spilled := file != nil; spilled != (name == "a file") {
			t.Fatalf("%s: a file: %v", name, spilled)
		}
		for range 2 { // it can be read again
			if got, err := io.ReadAll(h.reader()); err != nil || string(got) != sent {
				t.Errorf("%s: %d bytes are %d, %v", name, size, len(got), err)
			}
		}
		for range 2 {
			h.free() // gives back more than was taken: panics
		}
		if !r.memory.TryAcquire(l.HeldBytes) || !r.disk.TryAcquire(l.DiskBytes) {
			t.Errorf("%s: not all is given back", name)
		}
		if h.size != int64(size) {
			t.Errorf("%s: the size is forgotten: %d", name, h.size)
		}
		if file == nil {
			continue
		}
		if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: its file is open: %v", name, err)
		}
	}
}

// A body takes as much memory and disk as it needs, in steps, and says when there is none.
func TestWhatABodyTakes(t *testing.T) {
	fill := func(h *held, size int) error {
		for size > 0 {
			free, err := h.grow()
			if err != nil {
				return err
			}
			n := min(len(free), size)
			if err := h.keep(free[:n]); err != nil {
				return err
			}
			size -= n
		}
		return nil
	}
	const small, memory, disk = firstChunk + 2*nextChunk, firstChunk + 3*nextChunk, 3 * diskStep
	for name, tc := range map[string]struct {
		others       int64 // take of the memory
		size         int
		memory, disk int64
		fails        bool
	}{
		"nothing":                      {0, 0, 0, 0, false},
		"a byte":                       {0, 1, firstChunk, 0, false},
		"a chunk":                      {0, firstChunk, firstChunk, 0, false},
		"a byte more":                  {0, firstChunk + 1, firstChunk + nextChunk, 0, false},
		"all that a small one may":     {0, small, small, 0, false},
		"a byte more than that":        {0, small + 1, firstChunk, diskStep, false},
		"a step of the disk":           {0, diskStep, firstChunk, diskStep, false},
		"a byte more than a step":      {0, diskStep + 1, firstChunk, 2 * diskStep, false},
		"the whole disk":               {0, disk, firstChunk, disk, false},
		"more than the disk":           {0, disk + 1, 0, 0, true},
		"others have memory":           {2 * nextChunk, firstChunk + nextChunk + 1, firstChunk, diskStep, false},
		"others leave just enough":     {nextChunk, small, small, 0, false},
		"others have all of it":        {memory, 1, 0, diskStep, false},
		"others have all but a byte":   {memory - firstChunk + 1, 1, 0, diskStep, false},
		"others leave the first chunk": {memory - firstChunk, firstChunk, firstChunk, 0, false},
	} {
		r := newRoom(Limits{SmallBytes: small, HeldBytes: memory, DiskBytes: disk}, t.TempDir(), func(error) {})
		if !r.memory.TryAcquire(tc.others) {
			t.Fatal(name)
		}
		h := &held{room: &r}
		err := fill(h, tc.size)
		switch {
		case tc.fails:
			if !errors.Is(err, errFull) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case h.memory != tc.memory || h.disk != tc.disk || h.size != int64(tc.size):
			t.Errorf("%s: %d of memory and %d of the disk, want %d and %d", name, h.memory, h.disk, tc.memory, tc.disk)
		default:
			if free := memory - tc.others - tc.memory; !r.memory.TryAcquire(free) || r.memory.TryAcquire(1) {
				t.Errorf("%s: not %d of memory are left", name, free)
			}
			r.memory.Release(memory - tc.others - tc.memory)
			if free := disk - tc.disk; !r.disk.TryAcquire(free) || r.disk.TryAcquire(1) {
				t.Errorf("%s: not %d of the disk are left", name, free)
			}
			r.disk.Release(disk - tc.disk)
		}
		h.free()
		if !r.memory.TryAcquire(memory-tc.others) || !r.disk.TryAcquire(disk) {
			t.Errorf("%s: not all is given back", name)
		}
	}
	r := newRoom(Limits{SmallBytes: 1, HeldBytes: 1, DiskBytes: diskStep}, filepath.Join(t.TempDir(), "none"), func(error) {})
	if err := fill(&held{room: &r}, 1); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errFull) {
		t.Errorf("no folder: %v", err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	h := &held{room: &r, file: file, chunks: [][]byte{takeChunk(firstChunk)}}
	if err := fill(h, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that cannot be written: %v", err)
	}
	h.free()
}

// How long a body may take: what came early is credit, but for no pause.
func TestWhenTheNextBytesMustBeThere(t *testing.T) {
	l := Limits{BytesPerSecond: 100, Grace: 10 * time.Second, BodyTime: time.Minute}
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		now  time.Duration
		read int64
		want time.Duration
	}{
		{0, 0, 10 * time.Second},
		{9 * time.Second, 0, 10 * time.Second},
		{2 * time.Second, 1000, 12 * time.Second},
		{15 * time.Second, 1000, 20 * time.Second},
		{45 * time.Second, 4900, 55 * time.Second},
		{55 * time.Second, 5000, time.Minute},
		{55 * time.Second, 1 << 60, time.Minute},
		{19 * time.Second, 150, 11500 * time.Millisecond},
	} {
		if got := l.deadline(start, start.Add(tc.now), tc.read).Sub(start); got != tc.want {
			t.Errorf("%d bytes after %v: %v, want %v", tc.read, tc.now, got, tc.want)
		}
	}
}

// A body that turns out to be large while it is inflated, and for which no place becomes
// free in time, is not read on.
func TestABodyWithoutAPlaceIsNotReadOn(t *testing.T) {
	r := newRoom(Limits{Reports: 1, LargeReports: 1}, "", func(error) {})
	r.largePlaces = semaphore.NewWeighted(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &place{room: &r}
	defer p.leave()
	b := &body{ctx: ctx, src: strings.NewReader(strings.Repeat("x", 101)), limit: 1000, small: 100, place: p}
	if n, err := b.Read(make([]byte, 200)); n != 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// asks remembers the most that it was asked for at once.
type asks struct {
	io.Reader
	most int
}

func (a *asks) Read(b []byte) (int, error) {
	a.most = max(a.most, len(b))
	return a.Reader.Read(b)
}

// Of a body that is too large no more is inflated than shows it.
func TestABodyIsReadToItsLimit(t *testing.T) {
	for size, want := range map[int]string{99: "", 100: "", 101: schema.RejectTooLarge, 500: schema.RejectTooLarge} {
		r := newRoom(Limits{Reports: 1, LargeReports: 1}, "", func(error) {})
		p := &place{room: &r}
		src := &asks{Reader: strings.NewReader(strings.Repeat("x", size))}
		b := &body{ctx: t.Context(), src: src, limit: 100, small: 1000, place: p}
		first, err := io.ReadFull(b, make([]byte, 60))
		if err != nil || first != 60 {
			t.Fatal(first, err)
		}
		src.most = 0
		rest, err := b.Read(make([]byte, 300))
		if Reason(err) != want || src.most != 41 || (want == "") != (rest == size-60) {
			t.Errorf("%d bytes: %d more, %v; %d were asked for", size, rest, err, src.most)
		}
		p.leave()
	}
}

// A part is kept up to its bound and not past it, however it comes.
func TestBoundedKeepsWhatIsWritten(t *testing.T) {
	text := strings.Repeat("0123456789", 2*partsBuffer/10+1)
	for _, step := range []int{1, 7, 1000, partsBuffer, len(text)} {
		for _, room := range []int{0, -1} {
			b := &bounded{max: len(text) + room}
			var err error
			for left := text; left != "" && err == nil; {
				n := min(step, len(left))
				_, err = b.Write([]byte(left[:n]))
				left = left[n:]
			}
			if room < 0 {
				if !errors.Is(err, errPartTooLarge) || b.pieces != nil {
					t.Errorf("one byte too many in steps of %d: %v, %d pieces are kept", step, err, len(b.pieces))
				}
				continue
			}
			if err != nil || b.String() != text {
				t.Errorf("in steps of %d: %v, %d bytes of %d", step, err, len(b.String()), len(text))
			}
			if most := len(text)/partsBuffer + 2; len(b.pieces) > most {
				t.Errorf("in steps of %d: %d pieces, want at most %d", step, len(b.pieces), most)
			}
		}
	}
}

// pieces writes a dump in pieces of some bytes.
type pieces struct {
	text string
	step int
}

func (p pieces) WriteTo(w io.Writer) (int64, error) {
	for left := p.text; left != ""; {
		n := min(p.step, len(left))
		if _, err := io.WriteString(w, left[:n]); err != nil {
			return 0, err
		}
		left = left[n:]
	}
	return int64(len(p.text)), nil
}

// A dump is the same however it comes.
func TestPackedIsTheSameHoweverItComes(t *testing.T) {
	text := "MDMP" + strings.Repeat("a stack ", 2*packPiece/8)
	want, err := pack("d", pieces{text, len(text)})
	if err != nil || !want.minidump || want.size != int64(len(text)) {
		t.Fatalf("%v, minidump %v, %d bytes", err, want.minidump, want.size)
	}
	for _, step := range []int{1, 2, 3, 5, packPiece, packPiece + 1} {
		got, err := pack("d", pieces{text, step})
		if err != nil || got.sum != want.sum || got.size != want.size || !got.minidump || string(got.stored) != string(want.stored) {
			t.Errorf("in steps of %d: %v, minidump %v, %d bytes stored, want %d", step, err, got.minidump, len(got.stored), len(want.stored))
		}
	}
	for _, other := range []string{"MDM", "xMDMP", "MDMQ" + text} {
		if got, err := pack("d", pieces{other, 1}); err != nil || got.minidump {
			t.Errorf("%.5s: %v, minidump %v", other, err, got.minidump)
		}
	}
}
