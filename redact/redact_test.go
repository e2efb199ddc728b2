package redact_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"aftershock/redact"
	"aftershock/schema"
)

func TestDoorRemovesWhatIsNeverStored(t *testing.T) {
	a := map[string]string{"Email": "jane@example.org", "TelemetryClientId": "c0ffee", "ProductName": "Fenix", "URL": "https://example.org"}
	if n := redact.Door(a, schema.DefaultRegistry); n != 2 {
		t.Errorf("removed %d, want 2", n)
	}
	if d := cmp.Diff(map[string]string{"ProductName": "Fenix", "URL": "https://example.org"}, a); d != "" {
		t.Error(d)
	}
}

// plant writes a canary, unique to the field, into every string field that the
// schema does not call public, and lists them.
func plant(t *testing.T, v reflect.Value, node *avro.SchemaNode, path string, public bool, canaries *[]string) {
	t.Helper()
	switch node.Type {
	case "record":
		for i := range node.Fields {
			f := &node.Fields[i]
			plant(t, fieldByTag(t, v, f.Name), &f.Type, path+"."+f.Name, f.Props["class"] == "public", canaries)
		}
	case "array":
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		plant(t, v.Index(0), node.Items, path+"[0]", public, canaries)
		plant(t, v.Index(1), node.Items, path+"[1]", public, canaries)
	case "union":
		v.Set(reflect.New(v.Type().Elem()))
		for i := range node.Branches {
			if node.Branches[i].Type != "null" {
				plant(t, v.Elem(), &node.Branches[i], path, public, canaries)
			}
		}
	case "string":
		if public {
			v.SetString("shown")
			return
		}
		canary := fmt.Sprintf("canary%03dx", len(*canaries))
		*canaries = append(*canaries, canary)
		v.SetString(canary)
	}
}

func fieldByTag(t *testing.T, v reflect.Value, name string) reflect.Value {
	t.Helper()
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("avro"), ","); tag == name {
			return v.Field(i)
		}
	}
	t.Fatalf("%s has no field %s", v.Type(), name)
	return reflect.Value{}
}

func TestNoProtectedFieldIsInThePublicView(t *testing.T) {
	var root *avro.SchemaNode
	for _, s := range schema.Schemas() {
		if s.Subject == "crash.processed-value" {
			root = avro.MustParse(s.Avsc).Root().ExpandReferences()
		}
	}
	var p schema.ProcessedCrash
	var canaries []string
	plant(t, reflect.ValueOf(&p).Elem(), root, "", false, &canaries)
	if len(canaries) < 20 {
		t.Fatalf("only %d canaries: the test does not plant what it should", len(canaries))
	}
	// What the event claims about a class must not suffice.
	for i := range p.Annotations {
		p.Annotations[i].Public = true
	}
	thread := int32(1)
	p.Crash.CrashingThread = &thread
	pub, err := redact.Public(&p, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	b, err := schema.Encode(pub)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range canaries {
		if bytes.Contains(b, []byte(c)) {
			t.Errorf("the public view holds %s", c)
		}
	}
	if len(pub.Frames) != 2 || pub.Frames[0].Function != "shown" {
		t.Errorf("the public frames are missing: %+v", pub.Frames)
	}
	want := schema.PublicModule{Filename: "shown", Version: "shown", CodeID: "shown", DebugFile: "shown", DebugID: "shown", Symbols: "shown", SymbolsSHA256: "shown"}
	if d := cmp.Diff([]schema.PublicModule{want, want}, pub.Modules); d != "" {
		t.Errorf("the public modules are others: %s", d)
	}
}

func TestPublicAnnotationsFillTheFieldsTheyMean(t *testing.T) {
	p := schema.ProcessedCrash{ReceivedAt: time.UnixMilli(1).UTC(), Annotations: []schema.Annotation{
		{Name: "SafeMode", Value: "secret words", Public: true}, // not of its type
		{Name: "Version", Value: "1.2", Public: false},          // was not public then
		{Name: "channel", Value: "beta", Public: true},
		{Name: "prod", Value: "second", Public: true},
		{Name: "ProductName", Value: "first", Public: true},
		{Name: "URL", Value: "https://example.org", Public: true}, // is not public now
	}}
	pub, err := redact.Public(&p, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	if pub.Product != "first" || pub.Channel != "beta" || pub.Version != "" {
		t.Errorf("product %q, channel %q, version %q", pub.Product, pub.Channel, pub.Version)
	}
	want := []schema.PublicAnnotation{{Name: "channel", Value: "beta"}, {Name: "prod", Value: "second"}, {Name: "ProductName", Value: "first"}}
	if d := cmp.Diff(want, pub.Annotations); d != "" {
		t.Error(d)
	}
}

func TestContentHashIgnoresVersionAndRevision(t *testing.T) {
	a := schema.ProcessedCrash{CrashID: "x", Signature: "f", SignatureVersion: 1, ReceivedAt: time.UnixMilli(7).UTC()}
	b, c := a, a
	b.SignatureVersion, b.Revision = 2, 9
	c.Signature = "g"
	var hash [3]string
	for i, p := range []schema.ProcessedCrash{a, b, c} {
		pub, err := redact.Public(&p, schema.DefaultRegistry)
		if err != nil {
			t.Fatal(err)
		}
		hash[i] = pub.ContentHash
	}
	if hash[0] != hash[1] || hash[0] == hash[2] || hash[0] == "" {
		t.Errorf("hashes %q", hash)
	}
}

// Readers compare the hash with what an earlier release said of a crash. The same moment
// counts in milliseconds, wherever it was noted.
func TestContentHashChangesWithTheSchemaAlone(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 7e6, time.UTC)
	for name, received := range map[string]time.Time{
		"UTC": at, "elsewhere": at.In(time.FixedZone("east", 3600)), "within the millisecond": at.Add(999_999),
	} {
		p := schema.ProcessedCrash{CrashID: "x", ReceivedAt: received, SignatureVersion: 3, Revision: 4, Signature: "f", Threads: make([]schema.Thread, 2)}
		public, err := redact.Public(&p, schema.DefaultRegistry)
		if err != nil {
			t.Fatal(err)
		}
		if want := "1de543af59f2532c6019333800cd76d41c6aeb730c13de6c378370c68694db91"; public.ContentHash != want {
			t.Errorf("%s: %s, want %s", name, public.ContentHash, want)
		}
		if public.SignatureVersion != 3 || public.Revision != 4 || !public.ReceivedAt.Equal(received) || public.ThreadCount != 2 {
			t.Errorf("%s: %+v", name, public)
		}
	}
}

func TestEachMeaningFillsItsField(t *testing.T) {
	registry, err := schema.ParseRegistry([]byte(`[
		{name: a, type: product, class: public, means: product, description: d}, {name: b, type: version, class: public, means: version, description: d},
		{name: c, type: channel, class: public, means: channel, description: d}, {name: d, type: build-id, class: public, means: build_id, description: d},
		{name: e, type: process-type, class: public, means: process_type, description: d}, {name: f, type: product, class: public, means: product, description: d}]`))
	if err != nil {
		t.Fatal(err)
	}
	p := schema.ProcessedCrash{}
	for name, value := range map[string]string{"a": "Acme", "b": "1.2", "c": "beta", "d": "123", "e": "main", "f": "Other"} {
		p.Annotations = append(p.Annotations, schema.Annotation{Name: name, Value: value, Public: true})
	}
	public, err := redact.Public(&p, registry)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{public.Product, public.Version, public.Channel, public.BuildID, public.ProcessType}
	if d := cmp.Diff([]string{"Acme", "1.2", "beta", "123", "main"}, got); d != "" {
		t.Error(d)
	}
}

func TestFramesAreThoseOfTheThreadThatCrashed(t *testing.T) {
	index := func(i int32) *int32 { return &i }
	threads := []schema.Thread{{Frames: []schema.Frame{{Function: "first"}}}, {Frames: []schema.Frame{{Function: "second"}}}}
	for name, tc := range map[string]struct {
		crashing *int32
		want     string
	}{
		"unknown":  {nil, "first"},
		"first":    {index(0), "first"},
		"last":     {index(1), "second"},
		"past":     {index(2), ""},
		"negative": {index(-1), ""},
	} {
		public, err := redact.Public(&schema.ProcessedCrash{Crash: schema.CrashInfo{CrashingThread: tc.crashing}, Threads: threads}, schema.DefaultRegistry)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range public.Frames {
			got += f.Function
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
