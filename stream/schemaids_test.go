package stream_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"aftershock/schema"
	"aftershock/stream"
)

func TestSchemaIDsOfARegistry(t *testing.T) {
	registry := srfake.New()
	t.Cleanup(registry.Close)
	if _, err := stream.SchemaIDs(t.Context(), registry.URL(), false); err == nil || !strings.Contains(err.Error(), "topics create") {
		t.Fatalf("an empty registry: %v", err)
	}
	made, err := stream.SchemaIDs(t.Context(), registry.URL(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != len(schema.Schemas()) {
		t.Fatalf("%v", made)
	}
	found, err := stream.SchemaIDs(t.Context(), registry.URL(), false)
	if err != nil {
		t.Fatal(err)
	}
	for id := range made {
		if made[id] != found[id] {
			t.Errorf("schema %d was given %d, and then %d", id, made[id], found[id])
		}
	}
	t.Cleanup(func() { _ = schema.UseIDs(nil) }) // nil is never refused
	if err := schema.UseIDs(found); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaRegistryThatIsNone(t *testing.T) {
	for _, at := range []string{"", "localhost:8081", "ftp://x", "http://"} {
		if _, err := stream.SchemaIDs(t.Context(), at, false); err == nil {
			t.Errorf("%q is taken", at)
		}
	}
	if _, err := stream.SchemaIDs(t.Context(), "http://ada:secret@127.0.0.1:1", false); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
