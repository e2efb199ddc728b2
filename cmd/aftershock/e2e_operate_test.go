package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// verb runs a verb against up.
func (u *upProcess) verb(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = Main(append(args, "--brokers", u.kafka), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// execute changes the tables.
func (u *upProcess) execute(sql string) {
	u.t.Helper()
	res, err := testClient.Post("http://"+u.clickhouse+"/?password="+u.token(), "text/plain", strings.NewReader(sql))
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		u.t.Fatalf("%s: %s %s, %v", sql, res.Status, text, err)
	}
}

// whole waits until verify finds everything there, and nothing behind.
func (u *upProcess) whole() {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		out, errs, code := u.verb("verify", "--clickhouse-url", u.clickhouseURL())
		if code != 0 || !strings.Contains(out, "is whole") {
			return fmt.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		for _, line := range lines(out) {
			if strings.Contains(line, " behind") && !strings.Contains(line, ", 0 behind") {
				return errors.New(line)
			}
		}
		return nil
	})
}

// revision waits until a crash is seen and published in a revision above another,
// and returns it.
func (u *upProcess) revision(id string, above int64) (revision int64) {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		text, err := u.query("SELECT toString(revision) FROM crashes WHERE crash_id = '" + id + "'")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(text, &revision); err != nil || revision <= above {
			return fmt.Errorf("%s has revision %q in crashes", id, text)
		}
		published := int64(-1)
		for _, r := range u.topic(schema.TopicTelemetry) {
			c, err := schema.Decode[schema.TelemetryCrash](r.Value)
			if err != nil {
				return err
			}
			if c.CrashID == id {
				published = c.Revision
			}
		}
		if published != revision {
			return fmt.Errorf("%s has revision %d in crashes, and %d is published", id, revision, published)
		}
		return nil
	})
	return revision
}

// Crashes are read back, found missing, asked for again and retried, by the verbs
// that an operator has, on real processes.
func TestOperatorsVerbs(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	blobs := filepath.Join(u.dir, "blobs")
	dumps := samples(t)[:4]
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard", "--annotation", "URL=https://example.org/" + secret}, dumps...)...)
	u.rows(len(ids))
	u.whole()

	t.Run("get gives back what was sent", func(t *testing.T) {
		for i, id := range ids {
			want, err := os.ReadFile(dumps[i])
			if err != nil {
				t.Fatal(err)
			}
			out, errs, code := u.verb("get", "bp-"+id, "--dump", "-", "--blob", blobs)
			if code != 0 || out != string(want) {
				t.Errorf("%s: exit code %d, %d bytes of %d, %s", dumps[i], code, len(out), len(want), errs)
			}
		}
		out, errs, code := u.verb("get", ids[0])
		if code != 0 || strings.Contains(out+errs, secret) || !strings.Contains(out, fmt.Sprintf("annotation   URL (protected, %d bytes)", len("https://example.org/"+secret))) {
			t.Errorf("exit code %d, %s%s", code, out, errs)
		}
	})
	t.Run("reprocess raises the revision", func(t *testing.T) {
		if out, errs, code := u.verb("reprocess", ids[1], "--reason", "test"); code != 0 {
			t.Fatalf("exit code %d, %s%s", code, out, errs)
		}
		u.revision(ids[1], 0)
		u.rows(len(ids))
		u.whole()
	})
	t.Run("a hole in a table is found and mended", func(t *testing.T) {
		u.execute("ALTER TABLE aftershock.crash_rows DELETE WHERE crash_id = '" + ids[2] + "' SETTINGS mutations_sync = 2")
		u.execute("ALTER TABLE aftershock_protected.crash_rows DELETE WHERE crash_id = '" + ids[3] + "' SETTINGS mutations_sync = 2")
		u.rows(len(ids) - 1)
		verify := []string{"verify", "--clickhouse-url", u.clickhouseURL()}
		out, errs, code := u.verb(verify...)
		if code != exitFailed || !strings.Contains(errs, fmt.Sprintf("2 of %d raw records lack something", len(ids))) {
			t.Errorf("exit code %d, %s%s", code, out, errs)
		}
		for _, table := range []string{"  rows of aftershock,", "  rows of aftershock_protected,"} {
			holes := 0
			for _, line := range lines(out) {
				if strings.HasPrefix(line, table) && !strings.Contains(line, "missing none") {
					holes++
				}
			}
			if holes != 1 {
				t.Errorf("%d partitions of%s have a hole, want 1:\n%s", holes, table, out)
			}
		}
		if out, errs, code := u.verb(append(verify, "--repair")...); code != 0 || !strings.Contains(out, "asked for 2 raw records") {
			t.Errorf("repair: exit code %d, %s%s", code, out, errs)
		}
		u.revision(ids[2], 0)
		u.rows(len(ids))
		u.whole()
	})

	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	t.Run("what is no crash is a dead letter, and accounted for", func(t *testing.T) {
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(secret), Value: []byte(secret)})
		u.letter(schema.DeadRawUndecodable)
		u.whole()
		if out, errs, code := u.verb("dlq", "retry", "--class", schema.DeadRawUndecodable); code != exitFailed || !strings.Contains(out, "1 letters left out") {
			t.Errorf("retry: exit code %d, %s%s", code, out, errs)
		}
	})
	t.Run("a letter is retried when its blob has come back", func(t *testing.T) {
		id, dump := schema.NewCrashID(time.Now(), 0), []byte("no dump, but the one that was sent")
		key, err := blob.Key(id, schema.MainDump, sha256.Sum256(dump))
		if err != nil {
			t.Fatal(err)
		}
		raw := &schema.RawCrash{
			CrashID: id, ReceivedAt: time.Now().UTC().Truncate(time.Millisecond), Annotations: map[string]string{"Comments": secret},
			Dumps: []schema.Dump{{Name: schema.MainDump, Size: int64(len(dump)), SHA256: sha256.Sum256(dump), Encoding: schema.EncodingNone, Blob: &key}},
		}
		value, err := schema.Encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value, Timestamp: raw.ReceivedAt})
		at := u.letter(schema.DeadBlobMissing)
		u.whole()
		out, errs, code := u.verb("dlq", "show", at)
		if code != 0 || !strings.Contains(out, id) || strings.Contains(out+errs, secret) {
			t.Errorf("show: exit code %d, %s%s", code, out, errs)
		}
		store, err := blob.Open(blobs)
		if err == nil {
			err = store.Put(t.Context(), key, dump)
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, errs, code := u.verb("dlq", "retry", "--class", schema.DeadBlobMissing); code != 0 || !strings.Contains(out, "1 crashes asked for") {
			t.Errorf("retry: exit code %d, %s%s", code, out, errs)
		}
		u.revision(id, 0)
		u.whole()
	})
	out, errs, code := u.verb("dlq", "list")
	if code != 0 || strings.Contains(out+errs, secret) || !strings.HasSuffix(out, "total 2\n") {
		t.Errorf("list: exit code %d, %s%s", code, out, errs)
	}
	if ids := u.rows(len(ids) + 1); slices.Contains(ids, secret) {
		t.Errorf("%q", ids)
	}
}

// letter waits for the only dead letter of a class and returns its position.
func (u *upProcess) letter(class string) (at string) {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		out, errs, code := u.verb("dlq", "list", "--positions", "--class", class)
		found := lines(out)
		if code != 0 || len(found) != 2 || strings.Contains(out+errs, secret) {
			return fmt.Errorf("exit code %d, %s%s", code, out, errs)
		}
		at, _, _ = strings.Cut(found[0], " ")
		return nil
	})
	return at
}

// What analysts see is looked at, and not only what is stored: a projection that was lost is
// told, and made again.
func TestALostProjectionIsNoticed(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	u.rows(len(u.submit(samples(t)[:3]...)))
	u.whole()
	u.execute("TRUNCATE TABLE aftershock.activation")
	if out, errs, code := u.verb("verify", "--clickhouse-url", "http://"+u.clickhouse); code != exitFailed || !strings.Contains(errs, "the views show another activation") {
		t.Errorf("nothing is seen: exit code %d, %s%s", code, out, errs)
	}
	eventually(t, 2*projectionLook+10*time.Second, func() error {
		text, err := u.query("SELECT count() FROM crashes")
		if err == nil && strings.TrimSpace(text) != "3" {
			err = fmt.Errorf("%s crashes are seen", text)
		}
		return err
	})
	u.whole()
	if out, errs, code := u.verb("verify", "--max-lag", "0"); code != 0 {
		t.Errorf("nothing is behind: exit code %d, %s%s", code, out, errs)
	}
}
