package stream_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// A registry that asks for a password gets it, and one that refuses is no registry without
// schemas.
func TestSchemaRegistryWithAPassword(t *testing.T) {
	t.Parallel()
	registry := srfake.New()
	t.Cleanup(registry.Close)
	to, err := url.Parse(registry.URL())
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "ada" || password != "secret" {
			http.Error(w, `{"error_code":40101,"message":"no"}`, http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	at := strings.TrimPrefix(server.URL, "http://")
	if made, err := stream.SchemaIDs(t.Context(), "http://ada:secret@"+at, true); err != nil || len(made) != len(schema.Schemas()) {
		t.Errorf("%v, %v", made, err)
	}
	for _, who := range []string{"", "ada@", "ada:wrong@"} {
		made, err := stream.SchemaIDs(t.Context(), "http://"+who+at, true)
		if err == nil || !strings.HasPrefix(err.Error(), "schema registry http://"+at+": ") || strings.Contains(err.Error(), "registers it") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("as %q: %v, %v", who, made, err)
		}
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
