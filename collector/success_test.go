package collector_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/schema"
)

// ways are what a client does behind a byte of its request. Who only ends its sending side, or
// nothing, reads the answer.
var ways = []struct {
	name  string
	then  func(*net.TCPConn) error
	reads bool
}{
	{"ends its sending side", (*net.TCPConn).CloseWrite, true},
	{"closes", func(c *net.TCPConn) error { return c.Close() }, false},
	{"resets", func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }, false},
}

// Behind every byte of a report its client leaves in every way, while the broker comes and
// goes. A success is only told of a crash that is stored, and what is stored was sent whole.
func TestNoSuccessWithoutAStoredCrash(t *testing.T) {
	tries, step := 10_000, 1
	if testing.Short() {
		tries, step = 1500, 3 // every third byte
	}
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	stored := map[string]string{} // crash id → the try
	var appends atomic.Int64
	d := openWith(t, collector.Options{InlineMax: -1}, blobs, func(_ context.Context, raw *schema.RawCrash) error {
		n := appends.Add(1)
		if n/20%3 == 0 {
			return errors.New("the broker is away")
		}
		mu.Lock()
		defer mu.Unlock()
		stored[raw.CrashID] = raw.Annotations["try"]
		if n/20%3 == 1 && n%7 == 0 { // it is there, and nobody heard of it
			return errors.New("no answer of the broker")
		}
		return nil
	})
	request := func(try, chunked int) []byte {
		body, kind := form(t, "try", fmt.Sprintf("%05d", try), "@upload_file_minidump", "MDMP")
		if chunked == 1 {
			return fmt.Appendf(nil, "POST /submit HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", kind, len(body), body)
		}
		return fmt.Appendf(nil, "POST /submit HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
	}
	var answered sync.Map // try → crash id
	var successes, whole atomic.Int64
	try := func(n int) {
		way, chunked := ways[n%len(ways)], n/len(ways)%2
		r := request(n, chunked)
		// Every byte in turn, and the whole more often.
		at := n / (2 * len(ways)) * step % (len(r) + 200)
		at = min(at, len(r))
		conn, err := net.Dial("tcp", d.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
			return
		}
		if _, err := conn.Write(r[:at]); err != nil {
			t.Error(err)
			return
		}
		if at == len(r) {
			whole.Add(1)
		}
		time.Sleep(time.Duration(n%7*50) * time.Microsecond) // the door is somewhere else each time
		if err := way.then(conn.(*net.TCPConn)); err != nil || !way.reads {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return // no answer is no success
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if res.StatusCode/100 != 2 {
			return
		}
		id, is := strings.CutPrefix(strings.TrimSpace(string(text)), "CrashID=bp-")
		if err != nil || !is {
			t.Errorf("%d bytes of %d, %s: %s %q is read as a success", at, len(r), way.name, res.Status, text)
			return
		}
		successes.Add(1)
		answered.Store(fmt.Sprintf("%05d", n), id)
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for n := range next {
				try(n)
			}
		})
	}
	for n := range tries {
		next <- n
	}
	close(next)
	wg.Wait()
	d.Close() // what has arrived is stored by then
	mu.Lock()
	defer mu.Unlock()
	seen := map[string]bool{}
	answered.Range(func(try, id any) bool {
		if stored[id.(string)] != try {
			t.Errorf("try %s was answered with %s, which is not stored", try, id)
		}
		return true
	})
	for id, try := range stored {
		if seen[try] {
			t.Errorf("try %s is stored twice, the second time as %s", try, id)
		}
		seen[try] = true
	}
	if successes.Load() == 0 || int64(len(stored)) > whole.Load() || int64(len(stored)) < successes.Load() {
		t.Errorf("%d successes, %d stored, %d sent whole", successes.Load(), len(stored), whole.Load())
	}
	t.Logf("%d tries: %d sent whole, %d stored, %d answered with a crash id", tries, whole.Load(), len(stored), successes.Load())
}
