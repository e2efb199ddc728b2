package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Everybody else's decoders ask the registry for the id that stands in an event.
func TestEventsCarryTheIDsOfARegistry(t *testing.T) {
	registry := srfake.New()
	t.Cleanup(registry.Close)
	t.Cleanup(func() { _ = schema.UseIDs(nil) }) // nil is never refused
	registry.SeedSchema("of.somebody.else-value", 1, 1, sr.Schema{Schema: `"string"`})
	k, _ := streamtest.Broker(t, 1)
	verb := func(args ...string) (string, int) {
		var stdout, stderr bytes.Buffer
		code := Main(append(args, "--brokers", k.Brokers[0], "--schema-registry", registry.URL()), &stdout, &stderr)
		return stdout.String() + stderr.String(), code
	}
	if out, code := verb("replay", "status"); code != 1 || !strings.Contains(out, "topics create --schema-registry") {
		t.Fatalf("before they are registered: exit %d: %s", code, out)
	}
	if out, code := verb("topics", "create", "--replication", "1", "--partitions", "1"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	cl, err := sr.NewClient(sr.URLs(registry.URL()))
	if err != nil {
		t.Fatal(err)
	}
	err = stream.EachCommitted(t.Context(), k, schema.TopicVersions, func(r *kgo.Record) error {
		id := int(binary.BigEndian.Uint32(r.Value[1:]))
		text, err := cl.SchemaByID(t.Context(), id)
		if err == nil && !strings.Contains(text.Schema, "VersionEvent") {
			t.Errorf("id %d is that of %.100s", id, text.Schema)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, code := verb("replay", "status"); code != 0 || !strings.Contains(out, "version 1: live") {
		t.Errorf("exit %d: %s", code, out)
	}
}
