package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// importCrashes is how many crashes the test of imports has.
const importCrashes = "AFTERSHOCK_IMPORT_CRASHES"

// referenceArchive lays crashes out as the reference stores them, and returns their ids. The
// dumps are the samples, in turn.
func referenceArchive(t *testing.T, dir string, n int) (ids []string) {
	t.Helper()
	write := func(path string, data []byte) {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dumps := samples(t)
	at := time.Now().UTC().Add(-48 * time.Hour)
	for i := range n {
		dump, err := os.ReadFile(dumps[i%len(dumps)])
		if err != nil {
			t.Fatal(err)
		}
		id := schema.NewCrashID(at, 0)
		raw, err := json.Marshal(map[string]any{
			"ProductName": "Firefox", "ReleaseChannel": "release", "Version": "150.0", "uuid": id, "version": 2, "Number": i,
			"submitted_timestamp": at.Add(time.Duration(i) * time.Millisecond).Format("2006-01-02T15:04:05.000000+00:00"),
			"metadata": map[string]any{
				"throttle_rule": "is_firefox_desktop", "payload": "json", "payload_compressed": "0", "payload_size": len(dump), "user_agent": "x",
				"dump_checksums": map[string]string{"upload_file_minidump": fmt.Sprintf("%x", sha256.Sum256(dump))},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		write("v1/dump/"+id, dump)
		write("v1/dump_names/"+id, []byte(`["upload_file_minidump"]`))
		write("v1/raw_crash/"+at.Format("20060102")+"/"+id, raw)
		ids = append(ids, id)
	}
	return ids
}

// An archive is imported whole although each run of the import is killed: every crash once,
// with its id, its time and its weight, signed as if it had come through the door.
func TestImportSurvivesKills(t *testing.T) {
	t.Parallel()
	n := 150
	if text := os.Getenv(importCrashes); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	u := startUp(t, "--symbols", sampleSymbols)
	dir := t.TempDir()
	ids := referenceArchive(t, dir, n)
	journal := filepath.Join(t.TempDir(), "journal")
	args := []string{
		"import", dir, "--brokers", u.kafka, "--blob", filepath.Join(u.dir, "blobs"), "--journal", journal, "--throttle", "../../docs/throttle/mozilla.yaml",
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) //nolint:gosec // anywhere will do
	for kill := range 5 {
		cmd := program(t.Context(), append(args, "--rate", strconv.Itoa(n/10))...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(200+r.IntN(1200)) * time.Millisecond)
		cmd.Process.Kill() // it may have ended
		if err := cmd.Wait(); err == nil && kill == 0 {
			t.Error("the first run was through before it was killed: the test shows nothing")
		}
	}
	var errs bytes.Buffer
	cmd := program(t.Context(), append(args, "--rate", "0")...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), fmt.Sprintf("%d crashes: ", n)) || !strings.Contains(string(out), " 0 skipped") {
		t.Fatalf("%v\n%s%s", err, out, &errs)
	}
	t.Logf("the last run: %s", out)
	u.eachOnce(ids)
	raw := map[string]int{}
	for _, r := range u.topic(schema.TopicRaw) {
		raw[string(r.Key)]++
	}
	for _, id := range ids {
		if raw[id] != 1 {
			t.Errorf("%s has %d raw records", id, raw[id])
		}
	}
	door := u.submit(samples(t)...)
	u.eachOnce(door)
	text, err := u.query("SELECT crash_id, signature, throttle_rule, throttle_rate, toUnixTimestamp64Milli(received_at) FROM crashes")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, line := range lines(text) {
		f := strings.Split(line, "\t")
		rows[f[0]] = f[1:]
	}
	for i, id := range ids {
		got, want := rows[id], rows[door[i%len(door)]]
		if got[0] != want[0] || got[1] != "is_firefox_desktop" || got[2] != "0.1" {
			t.Errorf("%s: %q, signed %q by the door", id, got, want[0])
		}
		if day := time.UnixMilli(must(strconv.ParseInt(got[3], 10, 64))).UTC().Format("060102"); day != id[30:] {
			t.Errorf("%s was received on %s", id, day)
		}
	}
	// Once more imports nothing; another archive wants another journal.
	if out, err := program(t.Context(), args...).Output(); err != nil || !strings.Contains(string(out), fmt.Sprintf("0 imported, %d before", n)) {
		t.Errorf("%v\n%s", err, out)
	}
	other := append([]string{"import", filepath.Dir(dir)}, args[2:]...)
	if out, err := program(t.Context(), other...).CombinedOutput(); err == nil {
		t.Errorf("another archive with the same journal:\n%s", out)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
