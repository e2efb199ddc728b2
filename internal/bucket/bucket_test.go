package bucket_test

import (
	"strings"
	"testing"

	"aftershock/internal/bucket"
)

func TestURLsSayWhereObjectsLie(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	for name, want := range map[string]struct{ text, endpoint, key string }{
		"s3://crashes":                                          {"s3://crashes", "https://s3.amazonaws.com", "x"},
		"s3://crashes/":                                         {"s3://crashes", "https://s3.amazonaws.com", "x"},
		"s3://crashes/a/b/?region=eu-west-1":                    {"s3://crashes/a/b", "https://s3.amazonaws.com", "a/b/x"},
		"s3://crashes/a?endpoint=http://127.0.0.1:7070":         {"s3://crashes/a", "http://127.0.0.1:7070", "a/x"},
		"s3://crashes?endpoint=https://s3.test&anonymous=true":  {"s3://crashes", "https://s3.test", "x"},
		"s3://crashes?endpoint=http%3A%2F%2F127.0.0.1&region=r": {"s3://crashes", "http://127.0.0.1", "x"},
	} {
		b, err := bucket.Open(name, bucket.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b.String() != want.text || b.Endpoint != want.endpoint || b.Key("x") != want.key {
			t.Errorf("%s is %s at %s, keys like %s; want %v", name, b, b.Endpoint, b.Key("x"), want)
		}
	}
}

func TestURLsThatNameNoBucketAreRefusedWithoutRepeatingThem(t *testing.T) {
	for _, name := range []string{
		"", "s3://", "s3:///prefix", "http://bucket", "s3://%zz", "s3://key:s3cr3t@bucket", "s3://key:s3cr3t/x@bucket", "s3://b",
		"s3://bucket?regoin=s3cr3t", "s3://bucket?endpoint=", "s3://bucket?endpoint=ftp://x", "s3://bucket?endpoint=x",
		"s3://bucket?endpoint=http://key:s3cr3t@host", "s3://bucket?endpoint=http://host:s3cr3t",
	} {
		_, err := bucket.Open(name, bucket.Options{})
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
}
