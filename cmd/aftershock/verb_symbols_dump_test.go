package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpackFixture writes a file of symboldump's testdata.
func unpackFixture(t *testing.T, name, to string) {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("..", "..", "symboldump", "testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, data)
}

func TestSymbolsDumpFindsWhatBelongsToAModule(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "libmodule.so")
	unpackFixture(t, "stripped.so", binary)
	out := filepath.Join(dir, "libmodule.sym")
	said, err := runSymbols(t, "dump", "--debug-dir", filepath.Join(dir, "none"), binary, "-o", out)
	if err != nil || !strings.Contains(said, " 0 functions") {
		t.Fatalf("stripped: %v %s", err, said)
	}
	// .gnu_debuglink names dwz.debug, which lies in .debug; that names common.dwz.
	unpackFixture(t, "dwz.debug", filepath.Join(dir, ".debug", "dwz.debug"))
	said, err = runSymbols(t, "dump", "--debug-dir", filepath.Join(dir, "none"), binary, "-o", out)
	if err != nil || !strings.Contains(said, "alternate_missing") {
		t.Fatalf("without the dwz file: %v %s", err, said)
	}
	unpackFixture(t, "dwz.common", filepath.Join(dir, ".debug", "common.dwz"))
	said, err = runSymbols(t, "dump", "--debug-dir", filepath.Join(dir, "none"), binary, "-o", out)
	if err != nil || strings.Contains(said, "missing") {
		t.Fatalf("with all: %v %s", err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MODULE Linux x86_64 ", " libmodule.so\n", " 0 many\n", "INLINE_ORIGIN 1 square\n", "STACK CFI INIT "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".dump-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	stdout, err := runSymbols(t, "dump", "-q", "--debug-dir", filepath.Join(dir, "none"), binary)
	if err != nil || stdout != string(text) {
		t.Errorf("standard output: %v, %d bytes, want %d", err, len(stdout), len(text))
	}
}

func TestSymbolsDumpTakesAPartOfAUniversalFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "universal")
	unpackFixture(t, "macho-universal", file)
	for arch, want := range map[string]string{"": "MODULE Mac x86_64 ", "arm64": "MODULE Mac arm64 "} {
		args := []string{"dump", "-q", file}
		if arch != "" {
			args = append(args, "--arch", arch)
		}
		if text, err := runSymbols(t, args...); err != nil || !strings.HasPrefix(text, want) {
			t.Errorf("%q: %v %.40s", arch, err, text)
		}
	}
	for _, arch := range []string{"x86", "pdp11"} {
		if _, err := runSymbols(t, "dump", "-q", file, "--arch", arch); err == nil {
			t.Errorf("there is no part for %s", arch)
		}
	}
}

func TestSymbolsDumpRefusesFilesOfAnotherBuild(t *testing.T) {
	dir := t.TempDir()
	binary, other := filepath.Join(dir, "a.so"), filepath.Join(dir, "b.so")
	unpackFixture(t, "stripped.so", binary)
	unpackFixture(t, "amd64.so", other)
	if _, err := runSymbols(t, "dump", binary, other); err == nil || !strings.Contains(err.Error(), "not of one build") {
		t.Errorf("another build's debug file: %v", err)
	}
	text := filepath.Join(dir, "a.txt")
	writeFile(t, text, []byte("no module"))
	if _, err := runSymbols(t, "dump", text); err == nil || !strings.Contains(err.Error(), "neither ELF, PE nor Mach-O") {
		t.Errorf("a text: %v", err)
	}
}
