package embedded

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// RegistrySchema is one version of an Avro schema in a registry's table.
type RegistrySchema struct {
	ID      int
	Subject string
	Version int
	Schema  string
}

// maxRegistryBody bounds the body of a schema look-up.
const maxRegistryBody = 1 << 20

// Error codes of the Confluent Schema Registry API.
const (
	registrySubjectNotFound = 40401
	registryVersionNotFound = 40402
	registrySchemaNotFound  = 40403
	registryInvalidSchema   = 42201
	registryInvalidVersion  = 42202
	registryReadOnly        = 40301
	registryNotFound        = 404
	registryNotAllowed      = 405
)

// RegistryHandler serves schemas over the Confluent Schema Registry API, read
// only: look-ups by id, by subject and version, and by content; every write is
// refused. A schema with the same ID may stand under several subjects. The
// handler keeps a copy of the slice and is safe for concurrent use.
func RegistryHandler(schemas []RegistrySchema) http.Handler {
	r := registry{schemas: slices.Clone(schemas)}
	slices.SortStableFunc(r.schemas, func(a, b RegistrySchema) int { return a.Version - b.Version })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", registryRoot)
	mux.HandleFunc("GET /subjects", r.subjects)
	mux.HandleFunc("GET /subjects/{subject}/versions", r.versions)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", r.version)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}/schema", r.versionSchema)
	mux.HandleFunc("POST /subjects/{subject}", r.lookup)
	mux.HandleFunc("GET /schemas/types", func(w http.ResponseWriter, _ *http.Request) { reply(w, []string{"AVRO"}) })
	mux.HandleFunc("GET /schemas/ids/{id}", r.byID)
	mux.HandleFunc("GET /schemas/ids/{id}/schema", r.byIDSchema)
	mux.HandleFunc("GET /schemas/ids/{id}/versions", r.byIDVersions)
	mux.HandleFunc("GET /config", compatibility)
	mux.HandleFunc("GET /config/{subject}", compatibility)
	mux.HandleFunc("GET /mode", mode)
	mux.HandleFunc("GET /mode/{subject}", mode)
	for _, write := range []string{
		"POST /subjects/{subject}/versions", "DELETE /subjects/{subject}",
		"DELETE /subjects/{subject}/versions/{version}", "PUT /config", "PUT /config/{subject}",
		"DELETE /config/{subject}", "PUT /mode", "PUT /mode/{subject}", "DELETE /mode/{subject}",
	} {
		mux.HandleFunc(write, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusForbidden, registryReadOnly, "this registry is read-only: its schemas are part of the program")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(w, http.StatusMethodNotAllowed, registryNotAllowed, "HTTP 405 Method Not Allowed")
			return
		}
		refuse(w, http.StatusNotFound, registryNotFound, "HTTP 404 Not Found")
	})
	return mux
}

// registryRoot answers clients, which ask for JSON or for nothing in particular, as other
// registries do, and people with what this is.
func registryRoot(w http.ResponseWriter, r *http.Request) {
	if accept := r.Header.Get("Accept"); accept == "" || strings.Contains(accept, "json") {
		reply(w, struct{}{})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	//nolint:gosec // plain text, which no browser takes for more
	_, _ = fmt.Fprintf(w, `This is the schema registry of Aftershock, read-only: Confluent's API for the Avro schemas of its topics.

  curl http://%[1]s/subjects
  curl http://%[1]s/subjects/crash.telemetry-value/versions/latest
`, r.Host) // the client has gone
}

// registry is the table, sorted by version.
type registry struct{ schemas []RegistrySchema }

// subjectSchema is a schema under its subject, as the API shows it.
type subjectSchema struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
}

func (r registry) subjects(w http.ResponseWriter, _ *http.Request) {
	names := []string{}
	for _, s := range r.schemas {
		names = append(names, s.Subject)
	}
	slices.Sort(names)
	reply(w, slices.Compact(names))
}

// ofSubject is the subject's schemas by version; it has answered when ok is false.
func (r registry) ofSubject(w http.ResponseWriter, subject string) (found []RegistrySchema, ok bool) {
	for _, s := range r.schemas {
		if s.Subject == subject {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		refuse(w, http.StatusNotFound, registrySubjectNotFound, fmt.Sprintf("Subject '%s' not found.", subject))
	}
	return found, len(found) > 0
}

func (r registry) versions(w http.ResponseWriter, req *http.Request) {
	found, ok := r.ofSubject(w, req.PathValue("subject"))
	if !ok {
		return
	}
	var versions []int
	for _, s := range found {
		versions = append(versions, s.Version)
	}
	reply(w, versions)
}

func (r registry) version(w http.ResponseWriter, req *http.Request) {
	if s, ok := r.findVersion(w, req); ok {
		reply(w, subjectSchema{s.Subject, s.Version, s.ID, s.Schema})
	}
}

func (r registry) versionSchema(w http.ResponseWriter, req *http.Request) {
	if s, ok := r.findVersion(w, req); ok {
		reply(w, json.RawMessage(s.Schema))
	}
}

// findVersion is the schema that the path names; it has answered when ok is false.
func (r registry) findVersion(w http.ResponseWriter, req *http.Request) (found RegistrySchema, ok bool) {
	schemas, ok := r.ofSubject(w, req.PathValue("subject"))
	if !ok {
		return found, false
	}
	text := req.PathValue("version")
	if text == "latest" || text == "-1" {
		return schemas[len(schemas)-1], true
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		refuse(w, http.StatusUnprocessableEntity, registryInvalidVersion,
			fmt.Sprintf("The specified version '%s' is not a valid version id.", text))
		return found, false
	}
	i := slices.IndexFunc(schemas, func(s RegistrySchema) bool { return s.Version == version })
	if i < 0 {
		refuse(w, http.StatusNotFound, registryVersionNotFound, fmt.Sprintf("Version %d not found.", version))
		return found, false
	}
	return schemas[i], true
}

// lookup finds a schema of the subject by its content.
func (r registry) lookup(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRegistryBody))
	var want struct {
		Schema string `json:"schema"`
	}
	if err == nil {
		err = json.Unmarshal(body, &want)
	}
	text, canonicalErr := canonicalJSON(want.Schema)
	if err != nil || canonicalErr != nil {
		refuse(w, http.StatusUnprocessableEntity, registryInvalidSchema, "Invalid schema")
		return
	}
	schemas, ok := r.ofSubject(w, req.PathValue("subject"))
	if !ok {
		return
	}
	for _, s := range slices.Backward(schemas) {
		if have, err := canonicalJSON(s.Schema); err == nil && have == text {
			reply(w, subjectSchema{s.Subject, s.Version, s.ID, s.Schema})
			return
		}
	}
	refuse(w, http.StatusNotFound, registrySchemaNotFound, "Schema not found")
}

// canonicalJSON makes texts that differ in white space and key order equal.
func canonicalJSON(text string) (string, error) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return "", err
	}
	out, err := json.Marshal(value)
	return string(out), err
}

func (r registry) byID(w http.ResponseWriter, req *http.Request) {
	if found, ok := r.findID(w, req); ok {
		reply(w, struct {
			Schema string `json:"schema"`
		}{found[0].Schema})
	}
}

func (r registry) byIDSchema(w http.ResponseWriter, req *http.Request) {
	if found, ok := r.findID(w, req); ok {
		reply(w, json.RawMessage(found[0].Schema))
	}
}

func (r registry) byIDVersions(w http.ResponseWriter, req *http.Request) {
	type place struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	found, ok := r.findID(w, req)
	if !ok {
		return
	}
	var places []place
	for _, s := range found {
		places = append(places, place{s.Subject, s.Version})
	}
	reply(w, places)
}

// findID is every place of the id that the path names; it has answered when ok is false.
func (r registry) findID(w http.ResponseWriter, req *http.Request) (found []RegistrySchema, ok bool) {
	id, err := strconv.Atoi(req.PathValue("id"))
	for _, s := range r.schemas {
		if err == nil && s.ID == id {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		refuse(w, http.StatusNotFound, registrySchemaNotFound, fmt.Sprintf("Schema %s not found", req.PathValue("id")))
	}
	return found, len(found) > 0
}

func compatibility(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]string{"compatibilityLevel": "BACKWARD_TRANSITIVE"})
}

func mode(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]string{"mode": "READONLY"}) }

// registryMediaType is what Confluent's own registry answers with.
const registryMediaType = "application/vnd.schemaregistry.v1+json"

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", registryMediaType)
	_ = json.NewEncoder(w).Encode(value) // the client has gone: nobody to tell
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", registryMediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // see reply
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{code, message})
}
