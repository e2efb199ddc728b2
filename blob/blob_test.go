package blob_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/blob"
	"aftershock/schema"
)

const crashID = "0bba929f-8721-460c-8e70-a43c90261122"

func TestKeyNamesCrashAndContent(t *testing.T) {
	sum := schema.SHA256(sha256.Sum256([]byte("dump")))
	key, err := blob.Key(crashID, "upload_file_minidump", sum)
	if err != nil {
		t.Fatal(err)
	}
	if want := "raw/v1/2026/11/22/" + crashID + "/upload_file_minidump-" + hex.EncodeToString(sum[:8]); key != want {
		t.Errorf("key %q, want %q", key, want)
	}
	hostile, err := blob.Key(crashID, "../../etc/"+strings.Repeat("x", 500), sum)
	if err != nil || strings.Contains(hostile, "..") || len(filepath.Base(hostile)) > 255 {
		t.Errorf("key %q, %v", hostile, err)
	}
	if _, err := blob.Key("../../../etc/passwd", "x", sum); !errors.Is(err, blob.ErrBadKey) {
		t.Errorf("a key of a bad crash id: %v", err)
	}
}

func TestDirKeepsWhatWasPut(t *testing.T) {
	root := t.TempDir()
	d, err := blob.NewDir(filepath.Join(root, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("stack"), 1000)
	key, err := blob.Key(crashID, "d", schema.SHA256(sha256.Sum256(data)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a repeated Put is no error
		if err := d.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Get(t.Context(), key, int64(len(data)))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := d.Get(t.Context(), key, int64(len(data))-1); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("one byte past the limit: %v", err)
	}
	if _, err := d.Get(t.Context(), key+"0", 1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a missing blob: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(filepath.Join(root, "blobs", key)))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the blob, %v", len(entries)-1, err)
	}
}

func TestDirRefusesKeysThatLeaveIt(t *testing.T) {
	d, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "/etc/passwd", "raw/v1/../../x", "raw/v1/a//b", "other/x", "raw/v1/./x"} {
		if err := d.Put(t.Context(), key, nil); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("Put(%q) = %v", key, err)
		}
		if _, err := d.Get(t.Context(), key, 1); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("Get(%q) = %v", key, err)
		}
	}
}
