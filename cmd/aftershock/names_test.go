package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/schema"
)

func TestNamesBecomePartOfTheRegistry(t *testing.T) {
	shipped := schema.DefaultRegistry
	t.Cleanup(func() { schema.DefaultRegistry = shipped })
	file := filepath.Join(t.TempDir(), "names.yaml")
	if err := os.WriteFile(file, []byte("products: [vue.js]\nchannels: [stable]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := useRegistry(nil, file); err != nil {
		t.Fatal(err)
	}
	r := schema.DefaultRegistry
	if !r.Public("prod", "vue.js") || r.Public("prod", "Firefox") || r.Public("channel", "beta") || r.Hash() == shipped.Hash() {
		t.Error("the names are not used")
	}
}

func TestNamesThatCannotBeReadAreWrongUse(t *testing.T) {
	shipped := schema.DefaultRegistry
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("#"), maxNamesBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/nowhere", large, t.TempDir()} {
		var stderr bytes.Buffer
		if code := Main([]string{"topics", "create", "--brokers", "127.0.0.1:1", "--names", path}, &bytes.Buffer{}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "--names") {
			t.Errorf("%s: code %d, %s", path, code, stderr.String())
		}
	}
	if schema.DefaultRegistry != shipped {
		t.Error("the registry changed")
	}
}
