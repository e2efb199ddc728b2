package symbolcache_test

import (
	"bytes"
	"testing"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket/buckettest"
	"aftershock/internal/freeport"
	"aftershock/symbolcache"
)

func TestS3(t *testing.T) {
	server := buckettest.Start(t)
	upload := func(name string, content []byte) {
		t.Helper()
		if _, err := server.Client.PutObject(t.Context(), buckettest.Bucket, name, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	odd := `a b%2e?c#d+ä` // names come from dumps
	upload("v1/"+symPath("1"), []byte(text))
	upload("v1/"+symPath("2"), gzipped(t, text))
	upload("v1/"+odd+"/"+debugID+"/"+odd+".sym", zstded(t, text))
	upload(symPath("3"), []byte(text))

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
	check("plain", server.Name(buckettest.Bucket+"/v1"), key(1), symbolcache.Found)
	check("gzip", server.Name(buckettest.Bucket+"/v1/"), key(2), symbolcache.Found)
	check("an odd name", server.Name(buckettest.Bucket+"/v1"), symbolcache.Key{DebugFile: odd, DebugID: debugID}, symbolcache.Found)
	check("no prefix", server.Name(buckettest.Bucket), key(3), symbolcache.Found)
	check("missing", server.Name(buckettest.Bucket+"/v1"), key(3), symbolcache.Missing)
	check("no such bucket", server.Name("nowhere"), key(1), symbolcache.Error)
	check("anonymous", server.Name(buckettest.Bucket+"/v1", "anonymous", "true"), key(1), symbolcache.Denied)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	check("a wrong secret", server.Name(buckettest.Bucket+"/v1"), key(1), symbolcache.Denied)
	check("nobody listens", server.Name(buckettest.Bucket, "endpoint", "http://"+freeport.Address(t)), key(1), symbolcache.Error)
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
