package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClickHousePasswordComesFromBesideTheURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret/@:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ file, env, url, want string }{
		"none":                {"", "", "http://c:8123", "http://c:8123"},
		"in the URL":          {"", "", "http://a:b@c:8123", "http://a:b@c:8123"},
		"in a file":           {file, "", "http://c:8123", "http://default:s3cret%2F%40%3A@c:8123"},
		"in the environment":  {"", "s3cret", "http://jane@c:8123", "http://jane:s3cret@c:8123"},
		"in both":             {file, "x", "http://c:8123", ""},
		"in the URL as well":  {file, "", "http://a:b@c:8123", ""},
		"in a file not there": {file + "x", "", "http://c:8123", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(clickhousePassword, tc.env)
			got, err := (&run{passwordFile: tc.file}).withPassword(tc.url)
			if got != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Neither a server that is away nor a URL that is none makes the password visible.
func TestClickHousePasswordIsNeverPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--clickhouse-password-file", file, "--clickhouse-url", "http://jane@127.0.0.1:1"},
		{"--clickhouse-url", "http://jane:s3cret@127.0.0.1:1"},
		{"--clickhouse-url", "http://jane:s3cret with blanks@127.0.0.1:x"},
		{"--clickhouse-url", "nothing://jane:s3cret@127.0.0.1:1"},
	} {
		var stdout, stderr bytes.Buffer
		if code := Main(append([]string{"replay", "lineage", "x"}, args...), &stdout, &stderr); code == 0 || strings.Contains(stdout.String()+stderr.String(), "s3cret") {
			t.Errorf("%q: code %d, %s%s", args, code, &stdout, &stderr)
		}
	}
}
