package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// upgradeFixture is made by script/upgrade-fixture.sh.
var upgradeFixture = filepath.Join("..", "..", "testdata", "upgrade")

// unpack writes a gzipped tar of our own into a directory.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			path := filepath.Join(dir, h.Name) //nolint:gosec // our own file
			switch h.Typeflag {
			case tar.TypeDir:
				err = os.MkdirAll(path, 0o700)
			case tar.TypeSymlink:
				err = os.Symlink(h.Linkname, path)
			default:
				var text []byte
				if text, err = io.ReadAll(in); err == nil {
					err = os.WriteFile(path, text, 0o600)
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A new release goes on with the data of the one before: what was seen is seen as it was,
// the door is open, the terminal says what to type, and when that is done every crash of
// both is seen once.
func TestUpgradeFromTheReleaseBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, filepath.Join(upgradeFixture, "data.tar.gz"), dir)
	want, err := os.ReadFile(filepath.Join(upgradeFixture, "seen.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	before := strings.Count(string(want), "\n")
	u := newUp(t, filepath.Join(dir, "data"), "--symbols", sampleSymbols)
	u.start()
	u.waitOpen()
	got, err := u.query("SELECT crash_id, signature_version, signature FROM crashes ORDER BY toString(crash_id) FORMAT TSV")
	if err != nil || got != string(want) {
		t.Errorf("seen after the upgrade: %v\n%s\nbefore it:\n%s", err, got, want)
	}
	came := u.submit(samples(t)...)
	if _, err := httpGet("http://" + u.observed + "/readyz"); err == nil {
		t.Log("this release serves the version that is seen: no new one is needed")
	} else {
		if !strings.Contains(u.log.String(), startCommand) {
			t.Errorf("up does not say what to type:\n%s", u.log)
		}
		u.mustReplay("start", "--ruleset", "default")
		u.caughtUp(3)
		t.Log(u.mustReplay("promote", "3"))
	}
	u.waitReady()
	u.want(before + len(came))
	u.agree()
	u.whole()
}
