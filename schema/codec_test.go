package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"aftershock/schema"
)

var update = flag.Bool("update", false, "rewrite golden files; frozen examples are only written when new")

// fill sets every field below v to a value that is not zero, so that an event
// with a field that is lost on the way differs.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[schema.Encoding]() {
			v.SetString(string(schema.EncodingZstd))
			return
		}
		v.SetString(strings.Repeat("x", *n%7+1))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map: // one key: the encoder takes Go's order
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(1_790_000_000_000 + int64(*n)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("fill: " + v.Kind().String())
	}
}

// eachEvent calls the test with a filled event of each kind.
func eachEvent(t *testing.T, test func(t *testing.T, e events)) {
	t.Helper()
	for name, e := range map[string]events{
		"raw_crash": of[schema.RawCrash](), "processed_crash": of[schema.ProcessedCrash](),
		"telemetry_crash": of[schema.TelemetryCrash](), "version_event": of[schema.VersionEvent](), "reprocess_request": of[schema.ReprocessRequest](), "ruleset": of[schema.RulesetEvent](), "symbols_event": of[schema.SymbolsEvent](), "audit_event": of[schema.AuditEvent](),
	} {
		e.name = name
		b, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range schema.Schemas() {
			if s.ID == int(b[4]) {
				e.newest = s.Version
			}
		}
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

type events struct {
	name   string
	newest int // version
	filled any
	blank  func() any
	encode func() ([]byte, error)
	decode func([]byte) (any, error)
}

func of[E schema.Event]() events {
	e, n := new(E), 0
	fill(reflect.ValueOf(e).Elem(), &n)
	return events{
		filled: e,
		blank:  func() any { return new(E) },
		encode: func() ([]byte, error) { return schema.Encode(e) },
		decode: func(b []byte) (any, error) { return schema.Decode[E](b) },
	}
}

func TestEveryFieldSurvivesTheWire(t *testing.T) {
	eachEvent(t, func(t *testing.T, e events) {
		b, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e.filled, got); d != "" {
			t.Error(d)
		}
	})
}

// A frozen example is never rewritten: it is what lies in somebody's topic.
func TestFrozenExamplesDecode(t *testing.T) {
	eachEvent(t, func(t *testing.T, e events) {
		for version := 1; version < e.newest; version++ {
			// What a release made of its example, frozen when the next one came.
			want := e.blank()
			if err := json.Unmarshal(read(t, fmt.Sprintf("%s.v%d.json", e.name, version)), want); err != nil {
				t.Fatal(err)
			}
			e.decodes(t, version, want)
		}
		if path := filepath.Join("testdata", fmt.Sprintf("%s.v%d.bin", e.name, e.newest)); *update {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				b, err := e.encode()
				if err == nil {
					err = os.WriteFile(path, b, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		e.decodes(t, e.newest, e.filled)
	})
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decodes compares the frozen example of a version.
func (e events) decodes(t *testing.T, version int, want any) {
	t.Helper()
	got, err := e.decode(read(t, fmt.Sprintf("%s.v%d.bin", e.name, version)))
	if err != nil {
		t.Fatalf("version %d: %v", version, err)
	}
	// A list that a version lacks reads as an empty one.
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("the frozen example of version %d reads differently:\n%s", version, d)
	}
}

func TestAnotherAvroLibraryReadsTheSame(t *testing.T) {
	eachEvent(t, func(t *testing.T, e events) {
		b, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range schema.Schemas() {
			if s.ID != int(b[4]) {
				continue
			}
			codec, err := goavro.NewCodec(s.Avsc)
			if err != nil {
				t.Fatal(err)
			}
			native, rest, err := codec.NativeFromBinary(b[5:])
			if err != nil || len(rest) > 0 {
				t.Fatalf("goavro: %v, %d bytes left", err, len(rest))
			}
			again, err := codec.BinaryFromNative(nil, native)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, b[5:]) {
				t.Error("goavro encodes what it read to other bytes")
			}
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good, err := schema.Encode(&schema.RawCrash{CrashID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		value []byte
		want  error
	}{
		"nothing":          {nil, schema.ErrNotConfluent},
		"a short header":   {good[:4], schema.ErrNotConfluent},
		"another magic":    {append([]byte{1}, good[1:]...), schema.ErrNotConfluent},
		"an unknown id":    {append([]byte{0, 0, 0, 1, 0}, good[5:]...), schema.ErrUnknownSchema},
		"another event":    {append([]byte{0, 0, 0, 0, 2}, good[5:]...), schema.ErrUnknownSchema},
		"a truncated body": {good[:len(good)-1], nil},
		"a tail":           {append(bytes.Clone(good), 0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := schema.Decode[schema.RawCrash](tc.value)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("err = %v, want %v", err, tc.want)
			}
		})
	}
}

// A value with nothing behind its header is of the format, and cut.
func TestAHeaderAloneIsAnEventThatIsCut(t *testing.T) {
	raw, err := schema.Encode(&schema.RawCrash{})
	if err != nil {
		t.Fatal(err)
	}
	processed, err := schema.Encode(&schema.ProcessedCrash{})
	if err != nil {
		t.Fatal(err)
	}
	for name, decode := range map[string]func() error{
		"an event": func() error { _, err := schema.Decode[schema.RawCrash](raw[:5]); return err },
		"a head":   func() error { _, err := schema.DecodeHead(processed[:5]); return err },
		"signable": func() error { _, err := schema.DecodeSignable(processed[:5]); return err },
	} {
		if err := decode(); err == nil || errors.Is(err, schema.ErrNotConfluent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := append([]byte{1}, processed[1:]...)
	if _, err := schema.DecodeHead(other); !errors.Is(err, schema.ErrNotConfluent) {
		t.Errorf("a head of another format: %v", err)
	}
	if _, err := schema.DecodeSignable(other); !errors.Is(err, schema.ErrNotConfluent) {
		t.Errorf("another format, to be signed: %v", err)
	}
}

// The versions of a subject are 1, 2, 3, and so the ids of all.
func TestReleasesAreCounted(t *testing.T) {
	versions := map[string]int{}
	for i, s := range schema.Schemas() {
		versions[s.Subject]++
		if s.Version != versions[s.Subject] || s.ID != i+1 {
			t.Errorf("release %d: %s version %d has the id %d", i+1, s.Subject, s.Version, s.ID)
		}
	}
}

func FuzzDecodeRawCrash(f *testing.F) {
	e := of[schema.RawCrash]()
	b, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, value []byte) {
		raw, err := schema.Decode[schema.RawCrash](value)
		if err != nil {
			return
		}
		b, err := schema.Encode(raw)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := schema.Decode[schema.RawCrash](b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(raw, again); d != "" {
			t.Error(d)
		}
	})
}

// publicFields lists the paths of the public leaves of a schema.
func publicFields(t *testing.T, prefix string, node *avro.SchemaNode, out *[]string) {
	t.Helper()
	switch node.Type {
	case "record":
		for i := range node.Fields {
			f := &node.Fields[i]
			class, ok := f.Props["class"].(string)
			if ok && class != "public" && class != "protected" {
				t.Errorf("%s.%s: class %q", prefix, f.Name, class)
			}
			path := prefix + "." + f.Name
			before := len(*out)
			publicFields(t, path, &f.Type, out)
			if leaf := len(*out) == before && !container(&f.Type); leaf && class == "public" {
				*out = append(*out, path)
			}
		}
	case "array":
		publicFields(t, prefix+"[]", node.Items, out)
	case "union":
		for i := range node.Branches {
			publicFields(t, prefix, &node.Branches[i], out)
		}
	}
}

func container(n *avro.SchemaNode) bool {
	switch n.Type {
	case "record":
		return true
	case "array":
		return container(n.Items)
	}
	return false
}

// To publish a field, or an annotation, edit the golden list with your eyes open.
func TestPublicFieldsAreTheGoldenOnes(t *testing.T) {
	var got []string
	for _, s := range schema.Schemas() {
		parsed := avro.MustParse(s.Avsc)
		root := parsed.Root().ExpandReferences()
		publicFields(t, root.Name, root, &got)
	}
	for _, name := range schema.DefaultRegistry.Names() {
		if e := schema.DefaultRegistry.Lookup(name); e.Class == schema.ClassPublic {
			got = append(got, "annotation "+name+" "+string(e.Type))
		}
	}
	text := strings.Join(got, "\n") + "\n"
	path := filepath.Join("testdata", "public_fields.golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), text); d != "" {
		t.Errorf("the set of public fields changed:\n%s", d)
	}
}

func TestTelemetryHasNoProtectedField(t *testing.T) {
	for _, s := range schema.Schemas() {
		if strings.HasPrefix(s.Subject, schema.TopicTelemetry) && strings.Contains(s.Avsc, `"class": "protected"`) {
			t.Errorf("%s version %d has a protected field", s.Subject, s.Version)
		}
	}
}

func TestEveryFieldHasAClass(t *testing.T) {
	for _, s := range schema.Schemas() {
		fields := strings.Count(s.Avsc, `{"name": `)
		if classes := strings.Count(s.Avsc, `"class": "`); classes != fields {
			t.Errorf("%s version %d: %d classes for %d fields", s.Subject, s.Version, classes, fields)
		}
	}
}

// A reader of today must read what any earlier release wrote.
func TestSchemasAreBackwardTransitive(t *testing.T) {
	for _, reader := range schema.Schemas() {
		for _, writer := range schema.Schemas() {
			if writer.Subject != reader.Subject || writer.Version > reader.Version {
				continue
			}
			if err := avro.CheckCompatibility(avro.MustParse(writer.Avsc), avro.MustParse(reader.Avsc)); err != nil {
				t.Errorf("%s: version %d cannot read version %d: %v", reader.Subject, reader.Version, writer.Version, err)
			}
		}
	}
}
