package clickhouse_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// docs/fields.md is made of the schema, the registry and the tables: run with -update after
// a change.
func TestFieldsAreDocumented(t *testing.T) {
	var out bytes.Buffer
	out.WriteString(`# Fields

Made by ` + "`make generate`" + ` from the schema, the annotation registry and the tables.

The views ` + "`crashes`" + ` and ` + "`pings`" + ` have these columns, and ` + "`crash_by_id`" + ` and ` + "`ping_by_id`" + ` as well, which answer sooner for one crash. Those of ` + "`aftershock`" + ` may be seen by anybody; ` + "`aftershock_protected`" + ` needs a grant.
A value that is missing is NULL, or an empty list, and never 0, an empty text or "unknown" where a value could be meant. A value that could not be read
has a note, which does not quote it.

Free text that programs write when they give up (assertions, aborts, names of threads) is public in a form of its own: words of a list
(facts/words.txt) and of names in the crash's own stack are kept, a number is ` + "`#`" + `, anything else ` + "`…`" + `. The text itself is protected.
`)
	for _, part := range []struct {
		title string
		class schema.Class
	}{{"aftershock: public", schema.ClassPublic}, {"aftershock_protected: with a grant", schema.ClassProtected}} {
		fmt.Fprintf(&out, "\n## %s\n\n| column | type | is | from |\n| --- | --- | --- | --- |\n", part.title)
		for _, c := range clickhouse.Columns(part.class) {
			if c.Doc == "" {
				t.Errorf("%s of %s is described nowhere", c.Name, part.title)
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", c.Name, c.Type, strings.ReplaceAll(c.Doc, "|", `\|`), c.Source)
		}
	}
	const path = "../../docs/fields.md"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), out.String()); d != "" {
		t.Errorf("docs/fields.md is not of today: run make generate\n%s", d)
	}
}

// The dictionary is that of the views: every column, with its type.
func TestTheDictionaryIsThatOfTheViews(t *testing.T) {
	_, conn := open(t)
	plain := func(kind string) string {
		return strings.NewReplacer(", 'UTC'", "", "('UTC')", "", ", ", ",").Replace(kind)
	}
	for database, class := range map[string]schema.Class{"aftershock": schema.ClassPublic, "aftershock_protected": schema.ClassProtected} {
		columns := func(view string) map[string]string {
			out := map[string]string{}
			for _, line := range ask(t, conn, "SELECT concat(name, ' ', type) FROM system.columns WHERE database = '"+database+"' AND table = '"+view+"'") {
				name, kind, _ := strings.Cut(line, " ")
				out[name] = plain(kind)
			}
			return out
		}
		want := columns(clickhouse.Reports.View)
		if d := cmp.Diff(want, columns(clickhouse.Reports.ByID)); d != "" {
			t.Errorf("%s, one crash: %s", database, d)
		}
		got := map[string]string{}
		for _, c := range clickhouse.Columns(class) {
			got[c.Name] = plain(c.Type)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", database, d)
		}
	}
}
