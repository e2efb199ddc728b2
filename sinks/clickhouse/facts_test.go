package clickhouse_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
)

// fillFacts sets every field below v, each to a value of its own, and returns the values by
// column as ClickHouse's toString writes them.
func fillFacts(v reflect.Value, prefix string, n *int, want map[string]string) {
	for i := range v.NumField() {
		name, field := prefix+v.Type().Field(i).Tag.Get("avro"), v.Field(i)
		if column, other := map[string]string{"address": "adjusted_address"}[name]; other {
			name = column
		}
		*n++
		switch field.Interface().(type) {
		case *schema.MemoryMeasures:
			field.Set(reflect.New(field.Type().Elem()))
			fillFacts(field.Elem(), "memory_", n, want)
			continue
		case []schema.MemoryAccess, []schema.Breadcrumb, []schema.ModuleSigner:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			of := map[string]string{}
			fillFacts(field.Index(0), name+".", n, of)
			for column, text := range of {
				if _, err := fmt.Sscan(text, new(int)); err != nil && text != "true" {
					text = "'" + text + "'"
				}
				want[column] = "[" + text + "]"
			}
			continue
		}
		switch kind := field.Type(); kind {
		case reflect.TypeFor[*string](), reflect.TypeFor[string]():
			text := fmt.Sprint("text ", *n)
			want[name] = text
			if kind.Kind() == reflect.String {
				field.SetString(text)
			} else {
				field.Set(reflect.ValueOf(&text))
			}
		case reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{fmt.Sprint("a", *n), fmt.Sprint("b", *n)}))
			want[name] = fmt.Sprintf("['a%d','b%d']", *n, *n)
		case reflect.TypeFor[*bool](), reflect.TypeFor[bool]():
			want[name] = "true"
			if kind.Kind() == reflect.Bool {
				field.SetBool(true)
			} else {
				field.Set(reflect.ValueOf(new(true)))
			}
		default: // numbers
			want[name] = fmt.Sprint(*n)
			if kind.Kind() == reflect.Int32 {
				field.SetInt(int64(*n))
				continue
			}
			field.Set(reflect.New(kind.Elem()))
			field.Elem().SetInt(int64(*n))
		}
	}
}

// column reads a column of the one row, as text.
func column(t *testing.T, db, name string, ask func(query string) []string) string {
	t.Helper()
	value := "`" + name + "`"
	if strings.HasSuffix(name, "_time") {
		value = "toUnixTimestamp(" + value + ")"
	}
	got := ask(fmt.Sprintf("SELECT ifNull(toString(%s), 'NULL') FROM %s.crashes", value, db))
	if len(got) != 1 {
		t.Fatalf("%s: %d rows", name, len(got))
	}
	return got[0]
}

// Every fact is in its own column, and every fact that is missing is NULL, or an empty list.
func TestFactsAreColumns(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	look := func(query string) []string { return ask(t, conn, query) }
	crash := row(id(1, "261122"), 1, 0, 10, noon, "f")
	public, protected, n := map[string]string{}, map[string]string{}, 0
	crash.Processed.Facts, crash.Processed.ProtectedFacts = &schema.Facts{}, &schema.ProtectedFacts{}
	if err := db.Write(t.Context(), []sinks.Row{crash}); err != nil {
		t.Fatal(err)
	}
	fillFacts(reflect.ValueOf(crash.Processed.Facts).Elem(), "", &n, public)
	fillFacts(reflect.ValueOf(crash.Processed.ProtectedFacts).Elem(), "", &n, protected)
	if len(public) < 50 || len(protected) < 15 {
		t.Fatalf("%d and %d columns", len(public), len(protected))
	}
	delete(public, "process_type") // shown in the column that was there before
	for database, columns := range map[string]map[string]string{"aftershock": public, "aftershock_protected": protected} {
		for name := range columns {
			if got := column(t, database, name, look); got != "NULL" && got != "[]" {
				t.Errorf("missing %s is %q", name, got)
			}
		}
	}
	// What an annotation says that is not public is hidden; these facts are of no annotation.
	crash.Processed.Revision = 1
	for _, name := range []string{"ProductName", "Version", "CrashTime", "StartupTime", "InstallTime"} {
		crash.Processed.Annotations = append(crash.Processed.Annotations, schema.Annotation{Name: name, Value: "7", Public: true})
	}
	crash.Processed.AdditionalDumps = []schema.AdditionalDump{{
		Name: "upload_file_minidump_browser", DumpStatus: "OK", Reason: "SIGABRT", CrashingThread: new(int32(1)), Threads: []schema.Thread{{}, {Frames: []schema.Frame{{Module: "m", Function: "g"}}}},
	}, {Name: "gone", CrashingThread: new(int32(7))}}
	if err := db.Write(t.Context(), []sinks.Row{crash}); err != nil {
		t.Fatal(err)
	}
	maps.Copy(protected, map[string]string{
		"additional_dumps.name": "['upload_file_minidump_browser','gone']", "additional_dumps.dump_status": "['OK','']", "additional_dumps.reason": "['SIGABRT','']",
		"additional_dumps.thread_count": "[2,0]", "additional_dumps.stack": "[['m!g'],[]]",
	})
	for database, columns := range map[string]map[string]string{"aftershock": public, "aftershock_protected": protected} {
		for name, want := range columns {
			if got := column(t, database, name, look); got != want {
				t.Errorf("%s.%s is %q, want %q", database, name, got, want)
			}
		}
	}
}

// Annotations with a column of their own have the registry's type there, in the database of
// their class, and are NULL when they have not that type.
func TestAnnotationsAreColumns(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	values := map[schema.ValueType]string{
		schema.TypeInteger: "12345678901", schema.TypeDecimal: "1.5", schema.TypeBoolean: "1", schema.TypeHexID: "0x10de", schema.TypeVersion: "1.2.3", schema.TypeProduct: "Acme",
		schema.TypeWord: "Running", schema.TypeChannel: "some-phase", schema.TypeIdentifier: "a::B", schema.TypeLocale: "en-US", schema.TypeGUID: "{ec8030f7-c20a-464f-9b0e-13a3a9e97384}",
		schema.TypeBuildID: "20261101093015", schema.TypeABI: "arm64-v8a", schema.TypeText: "any text",
	}
	types := map[schema.ValueType]string{schema.TypeInteger: "Nullable(Int64)", schema.TypeDecimal: "Nullable(Float64)", schema.TypeBoolean: "Nullable(Bool)", schema.TypeText: "Nullable(String)"}
	crash, wrong := row(id(1, "261122"), 1, 0, 10, noon, "f"), row(id(1, "261122"), 1, 1, 10, noon, "f")
	seen := map[string]bool{}
	for _, e := range schema.Columns() {
		value, ok := values[e.Type]
		if !ok || seen[e.Column+string(e.Class)] {
			t.Fatalf("%+v", e)
		}
		seen[e.Column+string(e.Class)] = true
		public := e.Class == schema.ClassPublic
		if public != schema.DefaultRegistry.Public(e.Name, value) {
			t.Errorf("%q is no %s", value, e.Type)
		}
		crash.Processed.Annotations = append(crash.Processed.Annotations, schema.Annotation{Name: e.Name, Value: value, Public: public})
		if e.Type != schema.TypeText {
			wrong.Processed.Annotations = append(wrong.Processed.Annotations, schema.Annotation{Name: e.Name, Value: "~"})
		}
	}
	byName := func(r *sinks.Row) {
		a := r.Processed.Annotations
		slices.SortFunc(a, func(x, y schema.Annotation) int { return strings.Compare(x.Name, y.Name) })
		r.Processed.Annotations = slices.CompactFunc(a, func(x, y schema.Annotation) bool { return x.Name == y.Name })
	}
	look := func(query string) []string { return ask(t, conn, query) }
	for _, r := range []*sinks.Row{&crash, &wrong} {
		byName(r)
		if err := db.Write(t.Context(), []sinks.Row{*r}); err != nil {
			t.Fatal(err)
		}
		for _, e := range schema.Columns() {
			database, want := "aftershock", values[e.Type]
			if e.Class != schema.ClassPublic {
				database = "aftershock_protected"
			}
			switch {
			case r == &wrong && (e.Class == schema.ClassPublic || e.Type != schema.TypeText):
				want = "NULL"
			case e.Type == schema.TypeBoolean:
				want = "true"
			case e.Name == "URL" && r == &wrong:
				want = "https://example.org/secret"
			case r == &wrong:
				want = "NULL"
			}
			if e.Name == "URL" { // the row's own stands first
				want = "https://example.org/secret"
			}
			if got := column(t, database, e.Column, look); got != want {
				t.Errorf("%s.%s is %q, want %q", database, e.Column, got, want)
			}
			kind := types[e.Type]
			if kind == "" {
				kind = "LowCardinality(Nullable(String))"
			}
			if got := look(fmt.Sprintf("SELECT type FROM system.columns WHERE database = '%s' AND table = 'crashes' AND name = '%s'", database, e.Column)); !slices.Equal(got, []string{kind}) {
				t.Errorf("%s.%s is a %v, want %s", database, e.Column, got, kind)
			}
		}
	}
}
