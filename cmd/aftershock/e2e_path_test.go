package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/internal/bucket/buckettest"
	"aftershock/internal/reference"
	"aftershock/schema"
)

// One report by each kind of client goes through the whole path, by real
// processes, and is read back with tools that are not ours.
func TestCrashesOfEveryClientAreCountedAndPublished(t *testing.T) {
	t.Parallel()
	curl, kcat := needTool(t, "curl"), needTool(t, "kcat")
	u := startUp(t, "--symbols", sampleSymbols)
	dumps := samples(t)
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard", "--annotation", "Version=2.1.0"}, dumps...)...)
	ids = append(ids, u.submit("--gzip", dumps[0])...)

	out, err := exec.CommandContext(t.Context(), curl, "-sS", "-F", "ProductName=by-curl", "-F", schema.MainDump+"=@"+dumps[0], "http://"+u.collector+"/submit").Output()
	id, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "CrashID=bp-")
	if err != nil || !ok {
		t.Fatalf("curl: %v, %q", err, out)
	}
	ids = append(ids, id)
	want := len(ids)
	if crashpadUploads(t, "http://"+u.collector+"/submit") {
		want++
	}

	got := u.rows(want)
	for _, id := range ids {
		if !slices.Contains(got, id) {
			t.Errorf("%s is not in crashes", id)
		}
	}

	t.Run("a signature is counted", func(t *testing.T) {
		text, err := u.query("SELECT signature, count() FROM crashes GROUP BY signature")
		if err != nil || len(lines(text)) < 10 {
			t.Errorf("%v\n%s", err, text)
		}
		empty, err := u.query("SELECT count() FROM crashes WHERE signature = '' OR signature LIKE 'EMPTY%' OR dump_status != 'OK'")
		if err != nil || strings.TrimSpace(empty) != "0" {
			t.Errorf("%s crashes have no signature (%v)", strings.TrimSpace(empty), err)
		}
	})
	t.Run("clickhouse-go reads the same", func(t *testing.T) {
		o, err := ch.ParseDSN("http://" + u.clickhouse + "/aftershock")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := ch.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var signatures, crashes uint64
		err = conn.QueryRow(t.Context(), "SELECT count(), sum(c) FROM (SELECT signature, count() AS c FROM crashes GROUP BY signature)").Scan(&signatures, &crashes)
		if err != nil || crashes != uint64(want) || signatures < 10 {
			t.Errorf("%d signatures, %d crashes, %v", signatures, crashes, err)
		}
	})
	t.Run("kcat reads the public topic", func(t *testing.T) {
		eventually(t, time.Minute, func() error {
			out, err := exec.CommandContext(t.Context(), kcat, "-b", u.kafka, "-t", schema.TopicTelemetry, "-C", "-e", "-q",
				"-X", "isolation.level=read_committed", "-f", "%k\n").Output()
			if err != nil {
				return err
			}
			keys := lines(string(out))
			slices.Sort(keys)
			if !slices.Equal(keys, got) {
				return fmt.Errorf("kcat has %d keys, ClickHouse %d", len(keys), len(got))
			}
			return nil
		})
	})
	t.Run("the registry has the schema of what is there", func(t *testing.T) {
		const subject = "crash.telemetry-value"
		newest := 0
		for _, s := range schema.Schemas() {
			if s.Subject == subject {
				newest = s.ID
			}
		}
		text, err := httpGet("http://" + u.registry + "/subjects/" + subject + "/versions/latest")
		if err != nil || !strings.Contains(text, fmt.Sprintf(`"id":%d,`, newest)) {
			t.Errorf("want id %d: %v %s", newest, err, text)
		}
	})
}

// crashpadUploads lets a program crash under Chromium's real Crashpad handler,
// which uploads the report. The program and the script are not ours: they lie
// beside the project where it is developed.
func crashpadUploads(t *testing.T, target string) bool {
	t.Helper()
	script, ok := reference.Find(t, "crasher", "upload.sh")
	if !ok {
		t.Log("no upload by Crashpad: no script for it")
		return false
	}
	if _, err := os.Stat("/usr/lib/chromium/chrome_crashpad_handler"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Logf("no upload by Crashpad: %v", err)
		return false
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", script, target, "null")
	cmd.Env = append(os.Environ(), "CRASHER="+buildCrasher(t, script), "KEEP="+filepath.Join(dir, "db"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "uploaded") {
		t.Fatalf("Crashpad's upload: %v\n%s", err, out)
	}
	return true
}

// buildCrasher builds the program that crashes, which lies beside the script.
func buildCrasher(t *testing.T, script string) string {
	t.Helper()
	crasher := filepath.Join(t.TempDir(), "crasher")
	if out, err := exec.CommandContext(t.Context(), needTool(t, "g++"), "-O2", "-g", "-std=c++17", "-o", crasher,
		filepath.Join(filepath.Dir(script), "crasher.cc"), "-pthread").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return crasher
}

func TestPrivateValuesStayPrivate(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	var canaries []string
	canary := func(place string) string {
		c := "canary-" + place + "-7f3a"
		canaries = append(canaries, c)
		return c
	}
	args := []string{
		"--annotation", "URL=https://example.org/" + canary("url"),
		"--annotation", "Comments=it broke, " + canary("comment"),
		"--annotation", "SomethingUnknown=" + canary("unknown"),
		"--annotation", canary("unknown_name") + "=1",
		"--annotation", "Version=jane@" + canary("version_that_is_none"),
		"--annotation", "Email=" + canary("email") + "@example.org",
		"--annotation", "ProductName=shown-product",
		canaryDump(t, canary),
	}
	id := u.submit(args...)[0]
	u.rows(1)
	var topic []byte
	eventually(t, time.Minute, func() error {
		records := u.topic(schema.TopicTelemetry)
		if len(records) != 1 {
			return fmt.Errorf("%d records", len(records))
		}
		topic = slices.Concat(records[0].Key, records[0].Value)
		for _, h := range records[0].Headers {
			topic = append(append(topic, h.Key...), h.Value...)
		}
		return nil
	})
	metrics, err := httpGet("http://" + u.observed + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	ready, err := httpGet("http://" + u.observed + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	public := map[string]string{"topic": string(topic), "metrics": metrics, "readyz": ready, "log": u.log.String()}
	tables, err := u.query("SELECT name FROM system.tables WHERE database = 'aftershock'")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range lines(tables) {
		if public["table "+table], err = u.query("SELECT * FROM aftershock." + table + " FORMAT JSONEachRow"); err != nil {
			t.Fatal(err)
		}
	}
	if len(public) < 8 || !strings.Contains(public["table crashes"], "shown-product") || !strings.Contains(public["topic"], "shown-product") {
		t.Fatalf("the public value is not where it should be: the test looks at the wrong places (%d)", len(public))
	}
	for place, text := range public {
		for _, c := range canaries {
			if strings.Contains(text, c) {
				t.Errorf("%s holds %s", place, c)
			}
		}
	}
	// They are not lost either: whoever may see them does.
	protected, err := u.query("SELECT * FROM aftershock_protected.crashes WHERE crash_id = '" + id + "' FORMAT JSONEachRow")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range canaries {
		stored := !strings.Contains(c, "email") && !strings.Contains(c, "maps")
		if strings.Contains(protected, c) != stored {
			t.Errorf("protected row holds %s: %v, want %v", c, !stored, stored)
		}
	}
}

func TestEveryDumpByClaimCheck(t *testing.T) {
	t.Run("directory", func(t *testing.T) { byClaimCheck(t) })
	t.Run("S3", func(t *testing.T) { byClaimCheck(t, "--blob", buckettest.Start(t).Name(buckettest.Bucket+"/blobs")) })
}

func byClaimCheck(t *testing.T, args ...string) {
	u := startUp(t, append(args, "--inline-max", "0", "--symbols", sampleSymbols)...)
	dumps := samples(t)
	ids := u.submit(dumps...)
	large := filepath.Join(t.TempDir(), "large.dmp")
	writeLargeDump(t, large, 25<<20)
	ids = append(ids, u.submit(large)...)
	got := u.rows(len(ids))
	slices.Sort(ids)
	if !slices.Equal(ids, got) {
		t.Errorf("sent %q, have %q", ids, got)
	}
	for _, r := range u.topic(schema.TopicRaw) {
		raw, err := schema.Decode[schema.RawCrash](r.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range raw.Dumps {
			if d.Blob == nil || d.Inline != nil {
				t.Errorf("%s travelled inside its event", raw.CrashID)
			}
		}
	}
	if text, err := u.query("SELECT count() FROM crashes WHERE dump_status != 'OK'"); err != nil || strings.TrimSpace(text) != "0" {
		t.Errorf("%s dumps were not read (%v)", strings.TrimSpace(text), err)
	}
	if n := len(u.telemetry()); n != len(ids) {
		t.Errorf("%d crashes published, want %d", n, len(ids))
	}
}

func TestUpRefusesASecondOneAndBadFlags(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a data directory in use": {[]string{"up", "--data-dir", u.dir}, exitFailed, "in use by process"},
		"a port in use": {
			[]string{"up", "--data-dir", t.TempDir(), "--kafka-listen", u.kafka},
			exitFailed, "something listens on",
		},
		"symbols that are not there": {[]string{"up", "--data-dir", t.TempDir(), "--symbols", "/nonexistent"}, exitFailed, "no such file"},
		"an unknown flag":            {[]string{"up", "--no-such-flag"}, exitUsage, "unknown flag"},
		"no verb":                    {nil, exitUsage, "expected one of"},
		"an unknown walker version":  {append([]string{"walk", "--walker-version", "99"}, samples(t)[0]), exitUsage, "walker version"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := program(t.Context(), tc.args...).CombinedOutput()
			var exit *exec.ExitError
			if code := -1; err != nil {
				if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // not wrapped
					exit, code = e, e.ExitCode()
				}
				if code != tc.code {
					t.Errorf("exit code %d, want %d", code, tc.code)
				}
			}
			if exit == nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if res, err := http.Get("http://" + u.observed + "/healthz"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("up no longer answers: %v", err)
	} else {
		res.Body.Close()
	}
}
