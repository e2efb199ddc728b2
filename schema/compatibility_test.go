package schema_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"aftershock/schema"
)

// compatible tells why a schema cannot follow an earlier one of its subject:
// readers of today read what was written then, and what stood there without a
// default, which others' readers need, is still there under a name of its own.
func compatible(earlier, later *avro.Schema) error {
	if err := avro.CheckCompatibility(earlier, later); err != nil {
		return err
	}
	return keepsFields("", earlier.Root().ExpandReferences(), later.Root().ExpandReferences())
}

func keepsFields(path string, earlier, later *avro.SchemaNode) error {
	switch {
	case earlier.Type == "array" && later.Type == "array":
		return keepsFields(path+"[]", earlier.Items, later.Items)
	case earlier.Type == "map" && later.Type == "map":
		return keepsFields(path+"{}", earlier.Values, later.Values)
	case earlier.Type == "union" && later.Type == "union":
		for i := range min(len(earlier.Branches), len(later.Branches)) {
			if err := keepsFields(path, &earlier.Branches[i], &later.Branches[i]); err != nil {
				return err
			}
		}
	case earlier.Type == "record" && later.Type == "record":
		for _, f := range earlier.Fields {
			at := slices.IndexFunc(later.Fields, func(g avro.SchemaField) bool {
				return g.Name == f.Name || slices.Contains(g.Aliases, f.Name)
			})
			switch {
			case at < 0 && !f.HasDefault:
				return fmt.Errorf("%s.%s is gone and had no default: its readers need it (rename with an alias, or keep it)", path, f.Name)
			case at >= 0:
				if err := keepsFields(path+"."+f.Name, &f.Type, &later.Fields[at].Type); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// BACKWARD_TRANSITIVE: each release follows every earlier one of its subject.
func TestReleasesFollowEachOther(t *testing.T) {
	for _, later := range schema.Schemas() {
		for _, earlier := range schema.Schemas() {
			if earlier.Subject != later.Subject || earlier.Version >= later.Version {
				continue
			}
			if err := compatible(avro.MustParse(earlier.Avsc), avro.MustParse(later.Avsc)); err != nil {
				t.Errorf("%s: version %d after version %d: %v", later.Subject, later.Version, earlier.Version, err)
			}
		}
	}
}

func TestChangesThatBreakReadersAreRefused(t *testing.T) {
	const earlier = `{"type": "record", "name": "E", "fields": [
		{"name": "id", "type": "string"},
		{"name": "n", "type": "int"},
		{"name": "note", "type": "string", "default": ""},
		{"name": "parts", "type": {"type": "array", "items": {"type": "record", "name": "Part", "fields": [{"name": "size", "type": "int"}]}}}]}`
	for name, tc := range map[string]struct {
		from, to string
		good     bool
	}{
		"nothing changed":              {``, ``, true},
		"a field added with a default": {`{"name": "n",`, `{"name": "new", "type": "int", "default": 1}, {"name": "n",`, true},
		"a field added without":        {`{"name": "n",`, `{"name": "new", "type": "int"}, {"name": "n",`, false},
		"a field removed":              {`{"name": "n", "type": "int"},`, ``, false},
		"an optional field removed":    {`{"name": "note", "type": "string", "default": ""},`, ``, true},
		"a part's field removed":       {`[{"name": "size", "type": "int"}]`, `[]`, false},
		"a field renamed":              {`"name": "n", "type": "int"`, `"name": "m", "type": "int"`, false},
		"renamed, with a default":      {`"name": "n", "type": "int"`, `"name": "m", "type": "int", "default": 0`, false},
		"renamed, with an alias":       {`"name": "n", "type": "int"`, `"name": "m", "aliases": ["n"], "type": "int"`, true},
		"a part's field renamed":       {`"name": "size"`, `"name": "bytes", "default": 0`, false},
		"a type changed":               {`"name": "n", "type": "int"`, `"name": "n", "type": "string"`, false},
		"a wider type":                 {`"name": "n", "type": "int"`, `"name": "n", "type": "long"`, true},
		"a narrower type":              {`"name": "size", "type": "int"`, `"name": "size", "type": "boolean"`, false},
		"a field that may be null now": {`"name": "n", "type": "int"`, `"name": "n", "type": ["null", "int"]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			later := strings.Replace(earlier, tc.from, tc.to, 1)
			if tc.from != tc.to && later == earlier {
				t.Fatal("the case changes nothing")
			}
			err := compatible(avro.MustParse(earlier), avro.MustParse(later))
			if (err == nil) != tc.good {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// The files of releases are frozen by their digests: what is written with an id
// must be read with the very same text for ever.
func TestReleasedSchemasNeverChange(t *testing.T) {
	const path = "testdata/avsc.sha256"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frozen := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			frozen[name] = sum
		}
	}
	files, err := filepath.Glob("avsc/*.avsc")
	if err != nil || len(files) != len(schema.Schemas()) {
		t.Errorf("%d files for %d releases, %v", len(files), len(schema.Schemas()), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(data))
		switch frozen[file] {
		case sum:
		case "":
			t.Errorf("%s is new: add the line %q to %s", file, sum+"  "+file, path)
		default:
			t.Errorf("%s was released and has changed: take the change back and make a new version of the file", file)
		}
		delete(frozen, file)
	}
	for file := range frozen {
		t.Errorf("%s was released and is gone", file)
	}
}
