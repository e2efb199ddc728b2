package replay

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// accepted are conditions.
var accepted = []string{
	"1", "arrayExists(s -> s = 'missing', modules.symbols)", "signature LIKE 'a%' AND NOT (version = '1' OR uptime_seconds > -1.5e3)",
	"product IN ('a', 'b')", "raw_offset NOT IN [1, -2, (3)]", "(product, version) IN (('a', 'b'), ('c', 'd'))", "annotations['ProductName'] = 'x'",
	"signature = 'it''s; -- /* \\' a text) UNION SELECT'", "`stack.function`[1] = 'f' and \"product\" != ''", "received_at >= '2026-11-22' ? 1 : 0",
	"signature = 'ünïcödé “quotes”'", "toString(raw_offset)::Int64 BETWEEN 0x10 AND 2", "has(modules.filename, 'libc.so')\n\tAND 1",
	"has(stack.file, 'a.cc') AND `stack.file`[1] = ''",
	strings.Repeat(" ", 9_999) + "1",
}

func TestConditionsAreExpressionsAndNothingElse(t *testing.T) {
	for _, condition := range accepted {
		if err := checkCondition(condition); err != nil {
			t.Errorf("%.80s: %v", condition, err)
		}
	}
	for name, condition := range map[string]string{
		"nothing": " \n", "one byte too long": strings.Repeat(" ", 10_000) + "1",
		"another statement": "1; DROP TABLE aftershock.crash_rows", "the end of the brackets": "1) OR (1", "an open bracket": "(1", "brackets across": "([1)]",
		"a comment": "1 -- ", "a comment of C": "1 /* */", "a comment of MySQL": "1 # ", "settings behind": "1) SETTINGS readonly = 0 --",
		"a union": "1 UNION ALL 1", "a subquery": "crash_id IN (SELECT crash_id FROM aftershock_protected.crash_rows)", "a bare subquery": "(SELECT 1) = 1",
		"a with": "(WITH 1 AS x SELECT x)", "a from first": "(FROM system.tables SELECT 1)", "a table": "crash_id IN aftershock_protected.crash_rows",
		"a table in brackets": "crash_id IN (aftershock_protected.crash_rows)", "a quoted table": "crash_id IN (`t`)", "a table function": "crash_id IN url('http://x', 'CSV', 'a String')",
		"in as a function": "in(crash_id, tablename)", "its other names": "globalNotNullIn(crash_id, tablename)", "in, quoted": "`in`(crash_id, tablename)",
		"a file": "length(file('/etc/passwd')) > 0", "a file, quoted": "`file`('/etc/passwd') = ''", "a file, escaped": "`fi\\x6ce`('/etc/passwd') = ''",
		"a file, with space": "file\n ('/etc/passwd') = ''", "a file, in capitals": "FILE('/etc/passwd') = ''", "a dictionary": "dictGetString('d', 'a', 1) = ''", "a join": "joinGet('t', 'a', 1) = 1", "a wait": "sleepEachRow(3)",
		"a counter": "generateSerialID('a') = 1", "nothing after in": "product IN", "a text without end": "product = 'a", "a text that escapes its end": `product = 'a\'`,
		"a here document": "product = $$a$$", "other quotes": "product = ‘a’", "a parameter": "product = {p:String}", "a null byte": "product = 'a\x00'", "no UTF-8": "product = '\xff'", "a delete": "product = 'a\x7f'",
	} {
		if err := checkCondition(condition); !errors.Is(err, ErrCondition) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhereSelectsCrashesThatAreSeen(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1}}}); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		r := stored(crashID(n, "261122"), 1, 0, int64(n), noon, fmt.Sprint("signature ", n), "")
		r.Processed.Modules[0].Symbols = []string{"found", "missing"}[n%2]
		write(t, db, r, stored(crashID(10+n, "261122"), 2, 0, int64(10+n), noon, "of a version that is not seen", ""))
	}
	limits := clickhouse.Limits{MemoryBytes: 1 << 30, Time: promotionTime}
	where := func(condition string, limit int) (string, int64, error) {
		selected, all, err := Where(t.Context(), db, limits, clickhouse.Reports, condition, limit)
		var ids []string
		for _, s := range selected {
			ids = append(ids, fmt.Sprintf("%.8s at %d", s.CrashID, s.Raw.Offset))
		}
		return strings.Join(ids, ", "), all, err
	}
	for name, tc := range map[string]struct {
		condition string
		limit     int
		want      string
		all       int64
	}{
		"a lambda":        {"arrayExists(s -> s = 'missing', modules.symbols)", 10, "00000001 at 1, 00000003 at 3", 2},
		"at the limit":    {"arrayExists(s -> s = 'missing', modules.symbols)", 2, "00000001 at 1, 00000003 at 3", 2},
		"above the limit": {"1", 4, "", 5},
		"a list":          {"signature IN ('signature 4', 'x')", 10, "00000004 at 4", 1},
		"nothing":         {"signature = 'it''s ?; $1 {p:String} -- ) \\' OR 1'", 10, "", 0},
		"a column whose name a function has, too": {"empty(stack.file) AND raw_offset = 2", 10, "00000002 at 2", 1},
		"an or": {"0 OR raw_offset = 2", 10, "00000002 at 2", 1},
	} {
		if got, all, err := where(tc.condition, tc.limit); err != nil || got != tc.want || all != tc.all {
			t.Errorf("%s: %q of %d, %v", name, got, all, err)
		}
	}
	if _, _, err := where("1; DROP TABLE aftershock.crash_rows", 10); !errors.Is(err, ErrCondition) {
		t.Errorf("what is no condition: %v", err)
	}
	for _, condition := range []string{"no_such_column = 1", "signature", "1 +", "x -> x", "1, 2", "address = ''"} {
		if got, _, err := where(condition, 10); err == nil {
			t.Errorf("%s: %q", condition, got)
		}
	}
	for _, limit := range []int{0, MaxSelected + 1} {
		if _, _, err := where("1", limit); err == nil {
			t.Errorf("a limit of %d", limit)
		}
	}
}

// What would come through, if the check above did not see it, cannot write and cannot
// read files.
func TestServerRefusesWhatIsMoreThanReading(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	file := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"SELECT count() FROM file('" + file + "', 'LineAsString', 'a String') SETTINGS readonly = 1",
		"SELECT count() FROM url('http://127.0.0.1:1/', 'CSV', 'a String') SETTINGS readonly = 1",
		"SELECT count() FROM remote('127.0.0.1:1', 'aftershock', 'crash_rows') SETTINGS readonly = 1",
		"SELECT 1 INTO OUTFILE '" + file + "' TRUNCATE SETTINGS readonly = 1",
		"SELECT 1 SETTINGS readonly = 1; DROP TABLE aftershock.crash_rows",
	} {
		rows, err := db.Query(t.Context(), clickhouse.Limits{}, statement)
		if err == nil {
			rows.Close()
			t.Errorf("%s was run", statement)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "secret" {
		t.Errorf("%q, %v", data, err)
	}
	asked(t, db, "SELECT toString(count()) FROM aftershock.crash_rows")
}

// The engine cuts a condition as the check does: what comes through stays in its
// brackets, and what follows it is ours.
func TestServerReadsConditionsAsTheCheckDoes(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	for _, condition := range accepted {
		rows, err := db.Query(t.Context(), clickhouse.Limits{}, "SELECT formatQuerySingleLine(unhex('"+hex.EncodeToString([]byte("SELECT 1 FROM crashes WHERE (\n"+condition+"\n) SETTINGS readonly = 1"))+"'))")
		if err != nil {
			t.Errorf("%.80q: %v", condition, err)
			continue
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil || !strings.HasPrefix(text, "SELECT 1 FROM crashes WHERE ") || !strings.HasSuffix(text, " SETTINGS readonly = 1") || strings.Count(text, "FROM") != 1 {
				t.Errorf("%.80q is read as %q, %v", condition, text, err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%.80q: %v", condition, err)
		}
		rows.Close()
	}
}

// Read character by character, an accepted condition never leaves its brackets.
func FuzzAcceptedConditionsStayInTheirBrackets(f *testing.F) {
	for _, condition := range append(slices.Clone(accepted), "1) OR (1", "'a\\'", "1 -- ", "`a``b`", "\"a\\\"b\"") {
		f.Add(condition)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		if checkCondition(condition) != nil {
			return
		}
		depth := 0
		var quote byte
		for i := 0; i < len(condition); i++ {
			switch c := condition[i]; {
			case quote != 0 && c == '\\':
				i++
			case quote != 0 && c == quote:
				quote = 0 // a doubled one opens again
			case quote != 0:
			case c == '\'' || c == '"' || c == '`':
				quote = c
			case c == '(' || c == '[':
				depth++
			case c == ')' || c == ']':
				depth--
			case c == ';' || c == '#' || c == '{' || c >= 0x80 || strings.HasPrefix(condition[i:], "--") || strings.HasPrefix(condition[i:], "/*"):
				t.Fatalf("%q: %q", condition, condition[i:])
			}
			if depth < 0 {
				t.Fatalf("%q leaves its brackets", condition)
			}
		}
		if depth != 0 || quote != 0 {
			t.Fatalf("%q does not end", condition)
		}
	})
}
