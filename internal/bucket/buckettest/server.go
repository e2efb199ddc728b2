// Package buckettest is S3 for tests: a real server with one bucket. It lies
// outside the repository; tests skip where it does not (internal/reference).
package buckettest

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"aftershock/internal/freeport"
	"aftershock/internal/reference"
)

// The owner's credentials, of a server that lives as long as a test.
const (
	Key    = "aftershock"
	Secret = "aftershock-secret"
)

// Bucket is the one that a Server has.
const Bucket = "objects"

// Server is a running S3 server.
type Server struct {
	URL    string
	Client *minio.Client // its owner's
	script string
	dir    string
	port   string
}

// Start starts a server and ends it with the test. The environment's credentials
// become its owner's.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{script: reference.Path(t, "servers", "s3.sh"), dir: t.TempDir(), port: strconv.Itoa(freeport.Row(t, 1))}
	s.URL = "http://127.0.0.1:" + s.port
	if err := s.run(t.Context(), "start", s.dir, s.port); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Asked politely it waits for connections that clients keep.
		if err := s.run(context.Background(), "kill", s.dir); err != nil {
			t.Error(err)
		}
	})
	var err error
	s.Client, err = minio.New("127.0.0.1:"+s.port, &minio.Options{Creds: credentials.NewStaticV4(Key, Secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.MakeBucket(t.Context(), Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"} {
		t.Setenv(variable, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_ACCESS_KEY_ID", Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", Secret)
	return s
}

// Name is the URL of a bucket on this server; more are further parameters, name
// and value in turns.
func (s *Server) Name(bucketAndPrefix string, more ...string) string {
	q := url.Values{"endpoint": {s.URL}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "s3://" + bucketAndPrefix + "?" + q.Encode()
}

// Kill ends the server at once. It may be called by any goroutine.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.run(t.Context(), "kill", s.dir); err != nil {
		t.Error(err)
	}
}

// Restart starts it again with what it had.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(t.Context(), "start", s.dir, s.port); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) run(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "bash", append([]string{s.script}, args...)...).CombinedOutput() //nolint:gosec // a starter of ours
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	return nil
}
