package blob_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	if day, err := blob.Day(hostile); err != nil || day.Format(time.DateOnly) != "2026-11-22" {
		t.Errorf("a name at the limit: %v, %v", day, err)
	}
	if _, err := blob.Day(strings.Replace(hostile, "x", "xx", 1)); !errors.Is(err, blob.ErrBadKey) {
		t.Errorf("a name one byte longer: %v", err)
	}
	if _, err := blob.Key("../../../etc/passwd", "x", sum); !errors.Is(err, blob.ErrBadKey) {
		t.Errorf("a key of a bad crash id: %v", err)
	}
}
