package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"aftershock/blob"
	"aftershock/internal/bucket/buckettest"
	"aftershock/internal/freeport"
)

func TestS3SaysWhatIsWrongWithTheBucket(t *testing.T) {
	s := buckettest.Start(t)
	key := keyOf(t, 1, "261122", nil)
	for what, tc := range map[string]struct {
		name, secret, want string
	}{
		"no such bucket":   {s.Name("nowhere"), buckettest.Secret, "s3://nowhere"},
		"a wrong secret":   {s.Name(buckettest.Bucket + "/p"), "wr0ng-secret", "credentials"},
		"anonymous":        {s.Name(buckettest.Bucket+"/p", "anonymous", "true"), buckettest.Secret, "credentials"},
		"nobody listens":   {s.Name(buckettest.Bucket, "endpoint", "http://"+freeport.Address(t)), buckettest.Secret, "refused"},
		"not an S3 server": {s.Name(buckettest.Bucket, "endpoint", webServer(t)), buckettest.Secret, "endpoint"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("AWS_SECRET_ACCESS_KEY", tc.secret)
			b, err := blob.Open(tc.name)
			if err != nil {
				t.Fatal(err)
			}
			check := b.Check(t.Context())
			if check == nil || !strings.Contains(check.Error(), tc.want) {
				t.Errorf("check: %v", check)
			}
			_, get := b.Get(t.Context(), key, 1)
			_, days := b.Days(t.Context())
			for verb, err := range map[string]error{"check": check, "put": b.Put(t.Context(), key, nil), "get": get, "days": days} {
				if err == nil || errors.Is(err, blob.ErrNotFound) || strings.Contains(err.Error(), tc.secret) {
					t.Errorf("%s: %v", verb, err)
				}
			}
		})
	}
}

// webServer is a server that knows no S3.
func webServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "go away", http.StatusForbidden) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestS3DoesNotTakeAnotherObjectForTheBlob(t *testing.T) {
	s := buckettest.Start(t)
	b := open(t, s.Name(buckettest.Bucket+"/p"))
	key := keyOf(t, 1, "261122", []byte("the blob"))
	put := func(text string) {
		t.Helper()
		if _, err := s.Client.PutObject(t.Context(), buckettest.Bucket, "p/"+key, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("the blo")
	if err := b.Put(t.Context(), key, []byte("the blob")); err == nil || !strings.Contains(err.Error(), "7 bytes, not 8") {
		t.Errorf("an object of another size: %v", err)
	}
	put("the blob")
	if err := b.Put(t.Context(), key, []byte("the blob")); err != nil {
		t.Errorf("an object of the same size: %v", err)
	}
}

// A server that dies while it takes a blob has not got it, and says so by
// saying nothing.
func TestS3PutFailsWhenTheServerDies(t *testing.T) {
	s := buckettest.Start(t)
	noise := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 25<<20)
	noise.Read(data) //nolint:errcheck,gosec // never fails
	key := keyOf(t, 1, "261122", data)
	proxy, killed := dyingProxy(t, s, 5<<20)
	if err := open(t, s.Name(buckettest.Bucket, "endpoint", proxy)).Put(t.Context(), key, data); err == nil {
		t.Error("the server was killed while it took the blob, and Put is content")
	}
	if !killed.Load() {
		t.Error("the server was not killed: nothing was shown")
	}
	s.Restart(t)
	b := open(t, s.Name(buckettest.Bucket))
	if _, err := b.Get(t.Context(), key, int64(len(data))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after the restart: %v", err)
	}
	if err := b.Put(t.Context(), key, data); err != nil {
		t.Errorf("put again: %v", err)
	}
	if got, err := b.Get(t.Context(), key, int64(len(data))); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// dyingProxy stands before the server and kills it when so many bytes have gone
// to it over one connection.
func dyingProxy(t *testing.T, s *buckettest.Server, after int64) (url string, killed *atomic.Bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() }) //nolint:gosec // nothing is left in it
	killed = new(atomic.Bool)
	serve := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			return // it is dead
		}
		defer server.Close()
		go func() {
			io.Copy(client, server) //nolint:errcheck,gosec // ends with either
			client.Close()          //nolint:gosec // so does the request
		}()
		if n, _ := io.CopyN(server, client, after); n == after && killed.CompareAndSwap(false, true) {
			s.Kill(t)
		}
	}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(client)
		}
	}()
	return "http://" + ln.Addr().String(), killed
}

func TestS3NoticesAnAnswerThatWasCut(t *testing.T) {
	key := keyOf(t, 1, "261122", nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 00:00:00 GMT")
		w.Header().Set("ETag", `"x"`)
		w.Write([]byte("half")) //nolint:errcheck,gosec // the server closes the connection: the rest never comes
	}))
	t.Cleanup(server.Close)
	b, err := blob.Open("s3://bucket?anonymous=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := b.Get(t.Context(), key, 100); err == nil {
		t.Errorf("got %q", data)
	}
}

func TestS3StopsWaitingWhenItIsCancelled(t *testing.T) {
	arrived := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done() // it never answers
	}))
	t.Cleanup(server.Close)
	b, err := blob.Open("s3://bucket?anonymous=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	key := keyOf(t, 1, "261122", nil)
	for what, do := range map[string]func(context.Context) error{
		"check":  b.Check,
		"put":    func(ctx context.Context) error { return b.Put(ctx, key, nil) },
		"get":    func(ctx context.Context) error { _, err := b.Get(ctx, key, 1); return err },
		"days":   func(ctx context.Context) error { _, err := b.Days(ctx); return err },
		"delete": func(ctx context.Context) error { return b.Delete(ctx, blob.Entry{Path: key}) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- do(ctx) }()
		<-arrived
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
