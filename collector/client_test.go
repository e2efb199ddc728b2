package collector_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/schema"
)

// dial opens a connection to the door and sends a request's head, which ends the
// connection with the answer.
func (d *door) dial(t *testing.T, kind, length string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:gosec // the test is over
	if _, err := fmt.Fprintf(conn, "POST /submit HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Type: %s\r\n%s\r\n\r\n", kind, length); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func answerOf(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	return res.StatusCode, string(text)
}

func noise(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A client may end its side of the connection as soon as it has sent everything, and
// still waits for the answer.
func TestHalfClosedClientIsToldTheTruth(t *testing.T) {
	for name, size := range map[string]int{"small": 3000, "200 kB": 200_000, "on the disk": 3_000_000} {
		for _, cut := range []int{0, 1, 7, size / 2} {
			t.Run(fmt.Sprintf("%s, %d bytes cut", name, cut), func(t *testing.T) {
				t.Parallel()
				d := open(t, collector.Options{InlineMax: -1})
				body, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", noise(t, size))
				for i := range 20 {
					conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
					if _, err := conn.Write(body[:len(body)-cut]); err != nil {
						t.Fatal(err)
					}
					if err := conn.CloseWrite(); err != nil {
						t.Fatal(err)
					}
					status, text := answerOf(t, conn)
					if cut > 0 && (status != 400 || text != "Discarded=malformed_truncated_body" || len(d.raw) != 0) {
						t.Fatalf("%d %q, %d events", status, text, len(d.raw))
					}
					if cut == 0 && (status != 200 || len(d.raw) != i+1 || text != "CrashID=bp-"+d.raw[i].CrashID+"\n") {
						t.Fatalf("%d %q, %d events after %d reports", status, text, len(d.raw), i+1)
					}
				}
			})
		}
	}
}

// gone is a blob store and a raw topic that are asked only after the client has left.
type gone struct {
	blob.Store
	left <-chan struct{}
	err  chan error
}

func (g *gone) check(ctx context.Context) {
	<-g.left
	// What is told of the connection comes a moment later; a request's context ends then.
	select {
	case <-ctx.Done():
	case <-time.After(300 * time.Millisecond):
	}
	if _, bounded := ctx.Deadline(); !bounded {
		g.err <- fmt.Errorf("no deadline")
	}
	g.err <- ctx.Err()
}

func (g *gone) Put(ctx context.Context, key string, data []byte) error {
	g.check(ctx)
	return g.Store.Put(ctx, key, data)
}

func TestWhatHasArrivedIsStoredAlthoughItsClientLeaves(t *testing.T) {
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	g := &gone{Store: blobs, left: left, err: make(chan error, 8)}
	d := openWith(t, collector.Options{InlineMax: 0}, g, func(ctx context.Context, _ *schema.RawCrash) error {
		g.check(ctx)
		return nil
	})
	body, kind := form(t, "long", strings.Repeat("x", 10_000), "@upload_file_minidump", noise(t, 1000))
	conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // let the door read; a cut body would be refused
	if err := conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	conn.Close() //nolint:gosec // a reset
	close(left)
	for _, what := range []string{"annotation", "dump", "event"} {
		if err := <-g.err; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestClientThatStillSendsReadsItsAnswer(t *testing.T) {
	body, kind := form(t, "@upload_file_minidump", noise(t, 10<<20))
	for name, tc := range map[string]struct {
		kind, length string
		status       int
	}{
		"too large, and says so":  {kind, fmt.Sprint("Content-Length: ", len(body)), 413},
		"too large, as it sends":  {kind, "Transfer-Encoding: chunked", 413},
		"another type":            {"text/plain", fmt.Sprint("Content-Length: ", len(body)), 400},
		"another type, in chunks": {"text/plain", "Transfer-Encoding: chunked", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := collector.Limits{BodyBytes: 1 << 20}
			if tc.status == 400 {
				limits.BodyBytes = 0
			}
			d := open(t, collector.Options{Limits: limits})
			conn := d.dial(t, tc.kind, tc.length)
			sent := body
			if strings.HasPrefix(tc.length, "Transfer") {
				sent = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
			if _, err := conn.Write(sent); err != nil { // all of it, before it looks for an answer
				t.Fatalf("cut off while sending: %v", err)
			}
			if status, text := answerOf(t, conn); status != tc.status {
				t.Errorf("%d %q", status, text)
			}
		})
	}
}

func TestSlowBodyIsRefused(t *testing.T) {
	body, kind := form(t, "@upload_file_minidump", noise(t, 100_000))
	for name, limits := range map[string]collector.Limits{
		"slower than the least rate": {Grace: 200 * time.Millisecond, BytesPerSecond: 1 << 40},
		"longer than a body may":     {BodyTime: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{Limits: limits})
			conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
			if _, err := conn.Write(body[:len(body)-1]); err != nil {
				t.Fatal(err)
			}
			if status, text := answerOf(t, conn); status != 408 || text != "Discarded=malformed_too_slow" {
				t.Errorf("%d %q", status, text)
			}
			if len(d.raw) != 0 {
				t.Error("an event of half a body")
			}
		})
	}
	t.Run("slow enough", func(t *testing.T) {
		d := open(t, collector.Options{Limits: collector.Limits{Grace: 50 * time.Millisecond, BytesPerSecond: 1}})
		conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
		for _, piece := range [][]byte{body[:5000], body[5000:]} { // 5000 bytes are 5000 seconds
			time.Sleep(40 * time.Millisecond)
			if _, err := conn.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if status, text := answerOf(t, conn); status != 200 {
			t.Errorf("%d %q", status, text)
		}
	})
}

// A thousand connections that send almost nothing stay open while others report.
func TestTricklingConnectionsDoNotCloseTheDoor(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1})
	body, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", noise(t, 20_000))
	slow := make([]net.Conn, 1000)
	for i := range slow {
		slow[i] = d.dial(t, kind, fmt.Sprint("Content-Length: ", 40<<20))
		if _, err := slow[i].Write(body[:100+i]); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			start := time.Now()
			if status, text := d.post(t, body, kind, "", false); status != 200 {
				t.Errorf("%d %q", status, text)
			}
			t.Logf("an honest report took %v", time.Since(start))
		})
	}
	wg.Wait()
	for _, conn := range slow {
		if _, err := conn.Write([]byte{0}); err != nil {
			t.Fatalf("a slow client was cut off: the test shows nothing: %v", err)
		}
	}
}

func TestFullDoorAsksToComeAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		limits collector.Limits
		full   bool // the door, not one address
	}{
		"in all":         {collector.Limits{Arriving: 2}, true},
		"of one address": {collector.Limits{PerAddress: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var said []error
			d := open(t, collector.Options{Limits: tc.limits, Ready: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, err)
			}})
			body, kind := form(t, "ProductName", "Fenix")
			for range 2 {
				conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
				if _, err := conn.Write(body[:10]); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if _, err := conn.Write(body[10:]); err != nil {
						t.Error(err)
					}
					if status, text := answerOf(t, conn); status != 200 {
						t.Errorf("who was there before: %d %q", status, text)
					}
				}()
			}
			time.Sleep(100 * time.Millisecond) // both are being read
			conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
			}
			mu.Lock()
			defer mu.Unlock()
			if got := len(said) == 1 && said[0] != nil; got != tc.full {
				t.Errorf("told %v", said)
			}
		})
	}
}

func TestReadyAgainWhenThereIsRoom(t *testing.T) {
	told := make(chan error, 4)
	d := open(t, collector.Options{Limits: collector.Limits{Arriving: 1}, Ready: func(err error) { told <- err }})
	body, kind := form(t, "ProductName", "Fenix")
	conn := d.dial(t, kind, fmt.Sprint("Content-Length: ", len(body)))
	if _, err := conn.Write(body[:10]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if status, _ := d.post(t, body, kind, "", false); status != 503 {
		t.Fatal(status)
	}
	if err := <-told; err == nil {
		t.Error("ready, although full")
	}
	if _, err := conn.Write(body[10:]); err != nil {
		t.Fatal(err)
	}
	if status, _ := answerOf(t, conn); status != 200 {
		t.Error(status)
	}
	if err := <-told; err != nil {
		t.Error("not ready, although there is room")
	}
}

// Bodies that memory has no room for lie in files that nobody else can open.
func TestBodiesWithoutRoomInMemoryLieInFiles(t *testing.T) {
	folder := t.TempDir()
	dump := noise(t, 300_000)
	body, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", dump)
	for name, tc := range map[string]struct {
		limits collector.Limits
		gzip   bool
		status int
	}{
		"no room for one piece":     {collector.Limits{HeldBytes: 1}, false, 200},
		"room for some":             {collector.Limits{HeldBytes: 100_000}, false, 200},
		"room for some, compressed": {collector.Limits{HeldBytes: 100_000}, true, 200},
		"larger than small":         {collector.Limits{SmallBytes: 100_000}, false, 200},
		"no room on the disk":       {collector.Limits{HeldBytes: 1, DiskBytes: 1}, false, 503},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1, Limits: tc.limits, Folder: folder})
			sent, encoding := body, ""
			if tc.gzip {
				sent, encoding = zip(t, body), "gzip"
			}
			for i := range 5 { // what one took is free for the next
				status, text := d.post(t, sent, kind, encoding, i%2 == 0)
				if status != tc.status {
					t.Fatalf("%d %q", status, text)
				}
				if status == 200 && !bytes.Equal(d.dumpBytes(t, d.raw[i].Dumps[0]), []byte(dump)) {
					t.Error("another dump")
				}
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("%d files, %v", len(left), err)
			}
		})
	}
}
