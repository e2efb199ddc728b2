package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream/streamtest"
)

func TestGetDescribesACrashWithoutItsValues(t *testing.T) {
	p := newPlant(t)
	p.put(1, 2)
	for _, args := range [][]string{{"get", autumnID(2)}, {"get", "bp-" + autumnID(2), "--json"}} {
		out, errs, code := p.run(args...)
		if code != 0 || strings.Contains(out+errs, secret) {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errs)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte("inline 2")))
		for _, want := range []string{autumnID(2), "crash.raw", "URL", "protected", "ProductName", "public", "Unknown", sum, "zstd", "raw/v1/2026/11/22", schema.NoteAnnotationTwice} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %s in\n%s", args, want, out)
			}
		}
		if out, _, _ = p.run(append(args, "--values")...); strings.Count(out, secret) != 4 {
			t.Errorf("--values: %s", out)
		}
	}
	var facts rawFacts
	out, _, _ := p.run("get", autumnID(1), "--json")
	if err := json.Unmarshal([]byte(out), &facts); err != nil || len(facts.Annotations) != 3 || !facts.ReceivedAt.Equal(autumn) || facts.Annotations[2].Size != int64(len(secret)) {
		t.Errorf("%v: %s", err, out)
	}
	for name, args := range map[string][]string{autumnID(3) + ": no raw crash has this id": {autumnID(3)}, "want 36 characters": {"crash"}} {
		want := exitFailed
		if args[0] == "crash" {
			want = exitUsage
		}
		if _, errs, code := p.run("get", args[0]); code != want || !strings.Contains(errs, name) {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

func TestGetGivesDumpsBackAsTheyCame(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.put(1)
	file := filepath.Join(t.TempDir(), "out.dmp")
	other := []string{"--dump-name", "upload_file_minidump_browser", "--dump", "-"}
	for name, tc := range map[string]struct {
		args []string
		out  string
		code int
		errs string
	}{
		"the main dump":            {[]string{"--dump", "-"}, "inline 1", 0, ""},
		"to a file":                {[]string{"--dump", file}, "", 0, ""},
		"another, of the store":    {append(other, "--blob", p.blobs), "blob 1", 0, ""},
		"without a store":          {other, "", exitFailed, "--blob"},
		"a store that is not that": {append(other, "--blob", t.TempDir()), "", exitFailed, "blob not found"},
		"a dump that is none":      {[]string{"--dump", "-", "--dump-name", "x"}, "", exitFailed, "upload_file_minidump_browser"},
	} {
		out, errs, code := p.run(append([]string{"get", autumnID(1)}, tc.args...)...)
		if out != tc.out || code != tc.code || !strings.Contains(errs, tc.errs) {
			t.Errorf("%s: exit code %d, %q, %s", name, code, out, errs)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "inline 1" {
		t.Errorf("%q, %v", data, err)
	}
	raw := p.rawCrash(2)
	raw.Dumps[0].SHA256[0]++
	value, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, p.kafka, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(autumnID(2)), Value: value, Timestamp: autumn})
	if out, errs, code := p.run("get", autumnID(2), "--dump", "-"); code != exitFailed || out != "" || !strings.Contains(errs, "SHA-256") {
		t.Errorf("other bytes: exit code %d, %q, %s", code, out, errs)
	}
}
