package symbolicate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver/symbolicate"
)

const benchID = "5A9832E5287241C1838ED98914E9B7FF1"

// benchSymbols is the source of one large module: the file that
// $AFTERSHOCK_BENCH_SYM names, or a text of 126 MB that is made, with the shape of
// ceph-osd's: names of templates, some 20 line records and 6 inlined calls a function.
// It answers the addresses where functions are.
func benchSymbols(b *testing.B) (root string, addresses []uint64) {
	b.Helper()
	root = b.TempDir()
	file := filepath.Join(root, "big", benchID, "big.sym")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		b.Fatal(err)
	}
	if named := os.Getenv("AFTERSHOCK_BENCH_SYM"); named != "" {
		text, err := os.ReadFile(named) //nolint:gosec // whoever sets it means the file
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		text = append([]byte("MODULE Linux x86_64 "+benchID+" big\n"), rest...)
		for line := range bytes.Lines(text) {
			var address, size uint64
			if n, _ := fmt.Sscanf(string(line), "FUNC %x %x", &address, &size); n == 2 && size > 0 {
				addresses = append(addresses, address+size/2)
			}
		}
		write(b, file, text)
		return root, addresses
	}
	const bytesWanted = 126 << 20
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	var text bytes.Buffer
	text.WriteString("MODULE Linux x86_64 " + benchID + " big\n")
	for i := range 4000 {
		fmt.Fprintf(&text, "FILE %d /usr/src/big/src/part%d/module_%d.cc\n", i, i%50, i)
	}
	const origins = 100_000
	for i := range origins {
		fmt.Fprintf(&text, "INLINE_ORIGIN %d std::vector<big::Type%d, std::allocator<big::Type%d> >::method_%d(unsigned long const&)\n", i, i%997, i%997, i)
	}
	at := uint64(0x1000)
	for i := 0; text.Len() < bytesWanted; i++ {
		size := uint64(64 + r.IntN(400))
		fmt.Fprintf(&text, "FUNC %x %x 0 big::part%d::Worker<big::Type%d, std::less<int> >::step_%d(std::shared_ptr<big::Type%d>&&, int)\n", at, size, i%50, i%997, i, i%131)
		from, left := at, size
		for depth := range r.IntN(7) {
			fmt.Fprintf(&text, "INLINE %d %d %d %d %x %x\n", depth, 10+r.IntN(900), r.IntN(4000), r.IntN(origins), from, left)
			from, left = from+left/8, left-left/4
		}
		for line := at; line < at+size; {
			n := min(uint64(4+r.IntN(24)), at+size-line)
			fmt.Fprintf(&text, "%x %x %d %d\n", line, n, 1+r.IntN(2000), r.IntN(4000))
			line += n
		}
		addresses = append(addresses, at+size/2)
		at += size + uint64(r.IntN(16))
	}
	write(b, file, text.Bytes())
	return root, addresses
}

func write(b *testing.B, file string, text []byte) {
	b.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // below the test's folder
		b.Fatal(err)
	}
}

// request5 asks for stacks of random frames.
func request5(stacks, frames int, addresses []uint64) string {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same every time
	var text strings.Builder
	fmt.Fprintf(&text, `{"jobs":[{"memoryMap":[["big",%q]],"stacks":[`, benchID)
	for i := range stacks {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte('[')
		for n := range frames {
			if n > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, "[0,%d]", addresses[r.IntN(len(addresses))])
		}
		text.WriteByte(']')
	}
	text.WriteString("]}]}")
	return text.String()
}

// discard is a client that reads everything.
type discard struct {
	header http.Header
	bytes  int
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { d.bytes += len(p); return len(p), nil }

// BenchmarkWarm answers from a large module that is mapped: a stack of 50 frames, and a
// crash of 60 stacks of 30 frames, no two frames alike. CPU is that of the process.
func BenchmarkWarm(b *testing.B) {
	root, addresses := benchSymbols(b)
	h := symbolicate.New(openCache(b, symbolcache.Dir(root)), symbolicate.Options{Deadline: 10 * time.Minute})
	for _, shape := range []struct {
		name           string
		stacks, frames int
	}{{"Stack50", 1, 50}, {"Crash60x30", 60, 30}} {
		text := request5(shape.stacks, shape.frames, addresses)
		b.Run(shape.name, func(b *testing.B) {
			post := func() *discard {
				r := httptest.NewRequest(http.MethodPost, "/symbolicate/v5", io.NopCloser(strings.NewReader(text)))
				d := &discard{header: http.Header{}}
				h.ServeHTTP(d, r)
				return d
			}
			if d := post(); d.status != http.StatusOK || d.bytes < 100*shape.stacks*shape.frames {
				b.Fatal(d)
			}
			b.ReportAllocs()
			var bytes int
			began := cpu(b)
			for b.Loop() {
				bytes = post().bytes
			}
			b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(bytes), "answer-bytes")
		})
	}
}

// BenchmarkCold is a first request, whose module is fetched and compiled for it, and what
// compiling alone takes of the same text, to a file.
func BenchmarkCold(b *testing.B) {
	root, addresses := benchSymbols(b)
	text := request5(1, 50, addresses)
	b.Run("Compile", func(b *testing.B) {
		out := filepath.Join(b.TempDir(), "out")
		for b.Loop() {
			in, err := os.Open(filepath.Join(root, "big", benchID, "big.sym"))
			if err != nil {
				b.Fatal(err)
			}
			to, err := os.Create(out)
			if err != nil {
				b.Fatal(err)
			}
			if err := symbolcache.Compile(to, in); err != nil {
				b.Fatal(err)
			}
			if err := errors.Join(in.Close(), to.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Stack50", func(b *testing.B) {
		for b.Loop() {
			h := symbolicate.New(openCache(b, symbolcache.Dir(root)), symbolicate.Options{Deadline: 10 * time.Minute})
			d := &discard{header: http.Header{}}
			h.ServeHTTP(d, httptest.NewRequest(http.MethodPost, "/symbolicate/v5", strings.NewReader(text)))
			if d.bytes < 5000 {
				b.Fatal(d)
			}
		}
	})
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
