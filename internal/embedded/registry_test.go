package embedded

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

var registryTable = []RegistrySchema{
	{ID: 2, Subject: "a-value", Version: 2, Schema: `{"type": "record", "name": "A", "fields": [{"name": "x", "type": "long"}]}`},
	{ID: 1, Subject: "a-value", Version: 1, Schema: `"string"`},
	{ID: 1, Subject: "b-value", Version: 1, Schema: `"string"`},
}

func TestRegistryAnswersTheClient(t *testing.T) {
	server := httptest.NewServer(RegistryHandler(registryTable))
	defer server.Close()
	client, err := sr.NewClient(sr.URLs(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if got, err := client.Subjects(ctx); err != nil || !slices.Equal(got, []string{"a-value", "b-value"}) {
		t.Errorf("Subjects: %v, %v", got, err)
	}
	if got, err := client.SubjectVersions(ctx, "a-value"); err != nil || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("SubjectVersions: %v, %v", got, err)
	}
	for version, id := range map[int]int{1: 1, 2: 2, -1: 2} {
		if got, err := client.SchemaByVersion(ctx, "a-value", version); err != nil || got.ID != id {
			t.Errorf("SchemaByVersion %d: %v, %v", version, got, err)
		}
	}
	if got, err := client.SchemaByID(ctx, 1); err != nil || got.Schema != `"string"` {
		t.Errorf("SchemaByID: %v, %v", got, err)
	}
	if got, err := client.SchemaUsagesByID(ctx, 1); err != nil || len(got) != 2 {
		t.Errorf("SchemaUsagesByID: %v, %v", got, err)
	}
	if got, err := client.SupportedTypes(ctx); err != nil || !slices.Equal(got, []sr.SchemaType{sr.TypeAvro}) {
		t.Errorf("SupportedTypes: %v, %v", got, err)
	}
	if got := client.Compatibility(ctx); got[0].Err != nil || got[0].Level != sr.CompatBackwardTransitive {
		t.Errorf("Compatibility: %v", got)
	}
	found, err := client.LookupSchema(ctx, "a-value", sr.Schema{Schema: `{"name":"A","type":"record","fields":[{"type":"long","name":"x"}]}`})
	if err != nil || found.ID != 2 || found.Version != 2 {
		t.Errorf("LookupSchema: %v, %v", found, err)
	}

	wantCode := func(what string, err error, code int) {
		t.Helper()
		var refused *sr.ResponseError
		if !errors.As(err, &refused) || refused.ErrorCode != code || refused.Message == "" {
			t.Errorf("%s: %v, want code %d", what, err, code)
		}
	}
	_, err = client.SchemaByID(ctx, 3)
	wantCode("unknown id", err, registrySchemaNotFound)
	_, err = client.SubjectVersions(ctx, "c")
	wantCode("unknown subject", err, registrySubjectNotFound)
	_, err = client.SchemaByVersion(ctx, "a-value", 3)
	wantCode("unknown version", err, registryVersionNotFound)
	_, err = client.LookupSchema(ctx, "a-value", sr.Schema{Schema: `"int"`})
	wantCode("unknown schema", err, registrySchemaNotFound)
	_, err = client.LookupSchema(ctx, "a-value", sr.Schema{Schema: `{`})
	wantCode("broken schema", err, registryInvalidSchema)
	_, err = client.CreateSchema(ctx, "c", sr.Schema{Schema: `"int"`})
	wantCode("create", err, registryReadOnly)
	_, err = client.DeleteSubject(ctx, "a-value", sr.SoftDelete)
	wantCode("delete", err, registryReadOnly)
	wantCode("set compatibility", client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone})[0].Err, registryReadOnly)
}

func TestRegistryRefusesOtherPaths(t *testing.T) {
	handler := RegistryHandler(registryTable)
	for request, want := range map[string]int{
		"GET /nosuch":                      http.StatusNotFound,
		"POST /compatibility/subjects/a":   http.StatusMethodNotAllowed,
		"DELETE /":                         http.StatusMethodNotAllowed,
		"GET /subjects/a-value/versions/x": http.StatusUnprocessableEntity,
		"GET /":                            http.StatusOK,
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		if w.Code != want || !strings.HasPrefix(w.Body.String(), "{") {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
	long := httptest.NewRecorder()
	body := `{"schema": "` + strings.Repeat(" ", maxRegistryBody) + `"}`
	handler.ServeHTTP(long, httptest.NewRequest(http.MethodPost, "/subjects/a-value", strings.NewReader(body)))
	if long.Code != http.StatusUnprocessableEntity {
		t.Errorf("long body: %d", long.Code)
	}
}

// serveRegistry serves registryTable at addr until the test ends.
func serveRegistry(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: RegistryHandler(registryTable), ReadHeaderTimeout: time.Second}}
	server.Start()
	t.Cleanup(server.Close)
}

func TestRegistryTellsClientsAndPeopleApart(t *testing.T) {
	for accept, want := range map[string]string{
		"":                    registryMediaType,
		"*/*":                 "text/plain; charset=utf-8",
		"text/html,*/*;q=0.8": "text/plain; charset=utf-8",
		"application/vnd.schemaregistry.v1+json, application/json": registryMediaType,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		RegistryHandler(registryTable).ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); got != want || w.Code != http.StatusOK {
			t.Errorf("Accept %q: %d, %s", accept, w.Code, got)
		}
	}
}
