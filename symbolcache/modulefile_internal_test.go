package symbolcache

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"aftershock/symboldump"
)

func TestModuleFilesAreBounded(t *testing.T) {
	const limit = 100
	if maxModuleBytes < DefaultMaxFetchBytes {
		t.Errorf("a file of %d bytes is fetched, and one of %d not read", int64(DefaultMaxFetchBytes), int64(maxModuleBytes))
	}
	for n, want := range map[int]error{limit: nil, limit + 1: errTooLarge} {
		text := "\x7fELF" + strings.Repeat("0", n-4)
		data, unmap, err := mapText(t.TempDir(), strings.NewReader(text), limit)
		if !errors.Is(err, want) || err == nil && string(data) != text {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
		if err == nil {
			unmap()
		}
	}
}

// Of a file that is none of a module's no more is read than tells so.
func TestOtherFilesAreNotFetched(t *testing.T) {
	for n, want := range map[int]int{0: 0, symboldump.MagicBytes - 1: 0, symboldump.MagicBytes: 0, 1 << 20: 1<<20 - symboldump.MagicBytes} {
		text := strings.NewReader(strings.Repeat("M", n))
		if _, _, err := mapText(t.TempDir(), text, maxModuleBytes); !errors.Is(err, errModule) || text.Len() != want {
			t.Errorf("%d bytes: %v, %d left", n, err, text.Len())
		}
	}
	broken := errors.New("broken")
	if _, _, err := mapText(t.TempDir(), io.MultiReader(strings.NewReader("\x7f"), failing{broken}), maxModuleBytes); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Nobody reads a module's own file after the answer, when it is unmapped: that would
// end the process.
func TestNobodyReadsAModuleFileAfterTheAnswer(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	for range 3 {
		data, unmap, err := mapText(t.TempDir(), bytes.NewReader(own), maxModuleBytes)
		if err != nil {
			t.Skip(err) // of no kind that is read
		}
		if err := compileModule(newOutput(failing{full}), data, &meter{}); !errors.Is(err, full) {
			t.Errorf("have %v, want %v", err, full)
		}
		unmap()
	}
}

// Who reads a module's own file goes on without what has no room; a wait that ends is
// an error of all.
func TestRoomOfModuleFiles(t *testing.T) {
	const allowed = 100
	ended := errors.New("ended")
	answer := ErrTooLarge
	m := &meter{need: func(bytes int64) (int64, error) {
		if bytes > allowed {
			return 0, answer
		}
		return allowed, nil
	}}
	m.hold(40)
	if !m.room(60) || m.held != allowed {
		t.Errorf("%d held of %d", m.held, allowed)
	}
	if m.room(1) || m.failed() != nil || m.held != allowed {
		t.Errorf("one more: %d held, %v", m.held, m.failed())
	}
	if !m.room(-60) || m.held != 40 || !m.room(60) {
		t.Errorf("given back: %d held", m.held)
	}
	answer = ended
	if m.room(1) || !errors.Is(m.failed(), ended) {
		t.Errorf("a wait that ended: %v", m.failed())
	}
}

func TestRangesCoverTheirAddresses(t *testing.T) {
	const end = 4096
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same ones every time
	for range 20 {
		var code []symboldump.Segment
		for at := uint64(r.IntN(10)); at < end; at += uint64(r.IntN(200)) {
			size := uint64(1 + r.IntN(50))
			code = append(code, symboldump.Segment{RVA: at, Size: size})
			at += size
		}
		var table []byte
		for _, s := range code {
			table = append(table, byte(s.RVA), byte(s.RVA>>8), 0, 0, byte(s.RVA+s.Size-1), byte((s.RVA+s.Size-1)>>8), 0, 0)
		}
		for rva := range uint64(end + 100) {
			want := false
			for _, s := range code {
				want = want || rva-s.RVA < s.Size
			}
			if covers(table, rva) != want {
				t.Fatalf("%d: want %v of %v", rva, want, code)
			}
		}
	}
	if covers(nil, 0) {
		t.Error("nothing covers 0")
	}
}
