package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const foreignRules = `
rules:
- {name: later, when: annotation.Later == "yes", result: defer}
- {name: never, when: annotation.Never == "yes", result: reject}
- {name: accept_everything, result: accept}
`

// Doors that are not ours, and rules of ours: one up for all of it.
func TestDoorsAndRules(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(foreignRules), 0o600); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, "--symbols", sampleSymbols, "--throttle", rules, "--retry-window", "1h")
	dump := "../../testdata/crashes/orchard-null.dmp"
	annotations := []string{"ProductName=Acme", "Version=1.0", "Comments=it hurts"}
	var flags []string
	for _, a := range annotations {
		flags = append(flags, "--annotation", a)
	}
	ours := u.submit(append(flags, dump)...)[0]
	t.Run("the same report again", func(t *testing.T) {
		if again := u.submit(append(flags, dump)...)[0]; again != ours {
			t.Errorf("%s, and then %s", ours, again)
		}
	})
	foreign := map[string]func(t *testing.T) *exec.Cmd{
		"Python": func(t *testing.T) *exec.Cmd {
			t.Helper()
			python, err := filepath.Abs("../../.cache/python/bin/python")
			if _, statErr := os.Stat(python); err != nil || statErr != nil {
				python = "python3"
			}
			if err := exec.CommandContext(t.Context(), python, "-c", "import confluent_kafka, fastavro").Run(); err != nil {
				t.Skip("Python's confluent-kafka and fastavro are missing: python3 -m venv .cache/python && .cache/python/bin/pip install confluent-kafka fastavro")
			}
			return exec.Command(python, append([]string{"../../docs/examples/raw_crash.py", u.kafka, "http://" + u.registry, dump}, annotations...)...)
		},
		"C": func(t *testing.T) *exec.Cmd {
			t.Helper()
			if _, err := os.Stat("/usr/include/librdkafka/rdkafka.h"); err != nil {
				missing(t, "librdkafka-dev")
			}
			program := filepath.Join(t.TempDir(), "raw_crash")
			if out, err := exec.Command(needTool(t, "cc"), "-Wall", "-Werror", "-o", program, "../../docs/examples/raw_crash.c", "-lrdkafka", "-lcrypto").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return exec.Command(program, append([]string{u.kafka, "9", dump}, annotations...)...)
		},
	}
	for _, language := range slices.Sorted(maps.Keys(foreign)) {
		t.Run("a crash of "+language, func(t *testing.T) {
			cmd := foreign[language](t)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			id, is := strings.CutPrefix(strings.TrimSpace(string(out)), "CrashID=bp-")
			if err != nil || !is {
				t.Fatalf("%v\n%s%s", err, out, &errs)
			}
			u.eachOnce([]string{ours, id})
			for _, table := range []string{"crashes", "aftershock_protected.crashes"} {
				if d := cmp.Diff(u.row(table, ours), u.row(table, id)); d != "" {
					t.Errorf("%s differs (-ours +theirs)\n%s", table, d)
				}
			}
		})
	}
	t.Run("none breaks the contract", func(t *testing.T) {
		if out, err := program(t.Context(), "raw", "check", "--brokers", u.kafka, "--blob", filepath.Join(u.dir, "blobs")).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a deferred crash", func(t *testing.T) {
		id := u.submit("--annotation", "Later=yes", "../../testdata/crashes/orchard-null.dmp")[0]
		if id[29] != '1' {
			t.Errorf("%s has another digit than 1", id)
		}
		told := u.verified()
		if !strings.Contains(told, "1 that the door's rules deferred") {
			t.Errorf("verify says\n%s", told)
		}
		if text, err := u.query("SELECT count() FROM crashes WHERE crash_id = '" + id + "'"); err != nil || text != "0\n" {
			t.Errorf("%q rows, %v", text, err)
		}
		if out, err := program(t.Context(), "reprocess", id, "--brokers", u.kafka).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		u.eachOnce([]string{id})
		if told := u.verified(); strings.Contains(told, "deferred") {
			t.Errorf("verify says\n%s", told)
		}
	})
	t.Run("a rejected report", func(t *testing.T) {
		cmd := program(t.Context(), "submit", "--url", "http://"+u.collector+"/submit", "--annotation", "Never=yes", dump)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Discarded=rule_never") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("rules change", func(t *testing.T) {
		write := func(text, says string) {
			t.Helper()
			if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			eventually(t, 20*time.Second, func() error {
				ready, err := httpGet("http://" + u.observed + "/readyz")
				if err == nil && !strings.Contains(ready, "collector.throttle: "+says+"\n") {
					err = fmt.Errorf("/readyz says\n%s", ready)
				}
				return err
			})
		}
		write("rules: [{name: broken, result: perhaps}]", string(partOldRules))
		if id := u.submit("--annotation", "Later=yes", "--annotation", "Another=one", dump)[0]; id[29] != '1' {
			t.Error("the rules before do not stay")
		}
		write("rules: [{name: all, result: accept}]", string(partReady))
		if id := u.submit("--annotation", "Later=yes", "--annotation", "Another=two", dump)[0]; id[29] != '0' {
			t.Error("the new rules do not count")
		}
	})
	t.Run("a heartbeat", func(t *testing.T) {
		for path, want := range map[string]string{"/__heartbeat__": `{"errors":[]}`, "/__lbheartbeat__": "{}"} {
			if text, err := httpGet("http://" + u.collector + path); err != nil || text != want {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		}
		res, err := http.Get("http://" + u.collector + "/__version__")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var version struct{ Version, Commit *string }
		if err := json.NewDecoder(res.Body).Decode(&version); err != nil || version.Version == nil || version.Commit == nil {
			t.Errorf("%+v, %v", version, err)
		}
	})
	t.Run("what rules would have done", func(t *testing.T) {
		try := filepath.Join(t.TempDir(), "try.yaml")
		if err := os.WriteFile(try, []byte("rules: [{name: acme, when: 'annotation.ProductName == \"Acme\" && dump.kind == \"minidump\"', result: reject}, {name: rest, result: accept}]"), 0o600); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		cmd := program(t.Context(), "throttle", "try", try, "--last", "1000", "--brokers", u.kafka)
		cmd.Stderr = &errs
		out, err := cmd.Output()
		fields := strings.Fields(string(out))
		if err != nil || len(fields) < 9 || !strings.Contains(string(out), "acme") || strings.Contains(string(out), "0 rejected") {
			t.Errorf("%v\n%s%s", err, out, &errs)
		}
	})
}

// row is a crash's in a table, without what says which record it is of.
func (u *upProcess) row(table, id string) map[string]any {
	u.t.Helper()
	text, err := u.query("SELECT * FROM " + table + " WHERE crash_id = '" + id + "' FORMAT JSONEachRow")
	if err != nil {
		u.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		u.t.Fatalf("%v: %q", err, text)
	}
	for _, name := range []string{"crash_id", "received_at", "raw_partition", "raw_offset", "processed_partition", "processed_offset", "ver", "content_hash"} {
		delete(out, name)
	}
	return out
}

// verified is what verify prints of a world that is whole.
func (u *upProcess) verified() (text string) {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		out, err := program(u.t.Context(), "verify", "--brokers", u.kafka, "--clickhouse-url", u.clickhouseURL()).CombinedOutput()
		text = string(out)
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		return err
	})
	return text
}
