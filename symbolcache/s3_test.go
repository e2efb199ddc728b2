package symbolcache_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"aftershock/internal/reference"
	"aftershock/symbolcache"
)

const (
	s3Key    = "aftershock"
	s3Secret = "aftershock-secret" // of a server that lives as long as a test
	s3Bucket = "symbols"
)

// startS3 starts a real S3 server and returns its URL and a client of its owner.
func startS3(t *testing.T) (string, *minio.Client) {
	t.Helper()
	script := reference.Path(t, "servers", "s3.sh")
	port := freePort(t)
	dir := t.TempDir()
	run := func(ctx context.Context, args ...string) error {
		out, err := exec.CommandContext(ctx, "bash", append([]string{script}, args...)...).CombinedOutput() //nolint:gosec // a starter of ours
		if err != nil {
			return fmt.Errorf("%s: %w", out, err)
		}
		return nil
	}
	if err := run(t.Context(), "start", dir, port); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(context.Background(), "stop", dir); err != nil {
			t.Error(err)
		}
	})
	client, err := minio.New("127.0.0.1:"+port, &minio.Options{Creds: credentials.NewStaticV4(s3Key, s3Secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), s3Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + port, client
}

// freePort lies below the ports of outgoing connections.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10_000 + rand.IntN(20_000)) //nolint:gosec // not a secret
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			ln.Close() //nolint:gosec // nobody has connected
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func TestS3(t *testing.T) {
	server, client := startS3(t)
	upload := func(name string, content []byte) {
		t.Helper()
		if _, err := client.PutObject(t.Context(), s3Bucket, name, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	odd := `a b%2e?c#d+ä` // names come from dumps
	upload("v1/"+symPath("1"), []byte(text))
	upload("v1/"+symPath("2"), gzipped(t, text))
	upload("v1/"+odd+"/"+debugID+"/"+odd+".sym", zstded(t, text))
	upload(symPath("3"), []byte(text))

	name := func(bucket string, parameters ...string) string {
		q := url.Values{"endpoint": {server}}
		for i := 0; i < len(parameters); i += 2 {
			q.Set(parameters[i], parameters[i+1])
		}
		return "s3://" + bucket + "?" + q.Encode()
	}
	cache := func(name string) *symbolcache.Cache {
		t.Helper()
		s, err := symbolcache.NewSource(name)
		if err != nil {
			t.Fatal(err)
		}
		return open(t, symbolcache.Options{}, s)
	}
	check := func(what, source string, k symbolcache.Key, want symbolcache.Outcome) {
		t.Helper()
		if got := get(t, cache(source), k); got.Outcome != want {
			t.Errorf("%s: %s, want %s", what, got.Outcome, want)
		}
	}
	clean := []string{"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "AWS_SESSION_TOKEN"}
	for _, variable := range clean {
		t.Setenv(variable, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_ACCESS_KEY_ID", s3Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3Secret)
	check("plain", name(s3Bucket+"/v1"), key(1), symbolcache.Found)
	check("gzip", name(s3Bucket+"/v1/"), key(2), symbolcache.Found)
	check("an odd name", name(s3Bucket+"/v1"), symbolcache.Key{DebugFile: odd, DebugID: debugID}, symbolcache.Found)
	check("no prefix", name(s3Bucket), key(3), symbolcache.Found)
	check("missing", name(s3Bucket+"/v1"), key(3), symbolcache.Missing)
	check("no such bucket", name("nowhere"), key(1), symbolcache.Error)
	check("anonymous", name(s3Bucket+"/v1", "anonymous", "true"), key(1), symbolcache.Denied)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	check("a wrong secret", name(s3Bucket+"/v1"), key(1), symbolcache.Denied)
	check("nobody listens", strings.Replace(name(s3Bucket), url.QueryEscape(server), url.QueryEscape("http://127.0.0.1:"+freePort(t)), 1), key(1), symbolcache.Error)
}

func TestNamesOfSourcesAreChecked(t *testing.T) {
	for _, name := range []string{
		"s3://bucket?endpoint=ftp://x", "s3://bucket?endpoint=x", "s3://bucket?regoin=x", "s3://", "s3://bucket/%zz", "http://%zz", "/nowhere/at/all", "ftp://x",
	} {
		if _, err := symbolcache.NewSource(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
