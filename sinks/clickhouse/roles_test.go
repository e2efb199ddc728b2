package clickhouse_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// rolesSQL are the statements that an administrator runs on a server with users,
// which the embedded one has not.
func rolesSQL(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/clickhouse/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`(?m)^--.*$`).ReplaceAllString(string(text), "")
	var out []string
	for s := range strings.SplitSeq(plain, ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// The engine understands every statement, and every table in them is there.
func TestAccessIsGrantedOnWhatThereIs(t *testing.T) {
	db, _ := open(t)
	on := regexp.MustCompile(`(?:ON|ALTER TABLE) (aftershock\w*)\.(\w+|\*)`)
	statements := rolesSQL(t)
	if len(statements) < 15 {
		t.Fatalf("%d statements", len(statements))
	}
	for _, s := range statements {
		rows, err := db.Conn().Query(t.Context(), "EXPLAIN AST "+s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		rows.Close()
		m := on.FindStringSubmatch(s)
		if m == nil || m[2] == "*" {
			continue
		}
		var n uint64
		if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = ? AND name = ?", m[1], m[2]).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s.%s: %d, %v", m[1], m[2], n, err)
		}
	}
}

// Each population's views are read by who may read their database's, and by nobody as
// themselves.
func TestAccessIsGrantedToEveryPopulation(t *testing.T) {
	text := strings.Join(rolesSQL(t), ";\n") + ";\n"
	for _, of := range clickhouse.Populations {
		for _, statement := range []string{
			"GRANT SELECT ON aftershock.$rows TO aftershock_views",
			"GRANT SELECT ON aftershock_protected.$rows TO aftershock_views",
			"GRANT SELECT ON aftershock.$signatures TO aftershock_views",
			"ALTER TABLE aftershock.$view MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views",
			"ALTER TABLE aftershock.$by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views",
			"ALTER TABLE aftershock_protected.$view MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views",
			"ALTER TABLE aftershock_protected.$by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views",
			"GRANT SELECT ON aftershock.$view TO analyst_public",
			"GRANT SELECT ON aftershock.$by_id TO analyst_public",
			"GRANT SELECT ON aftershock_protected.$view TO analyst_protected",
			"GRANT SELECT ON aftershock_protected.$by_id TO analyst_protected",
		} {
			if want := of.SQL(statement) + ";\n"; !strings.Contains(text, want) {
				t.Errorf("missing: %s", want)
			}
		}
	}
}

// Whoever only has the public role reads the views, and no table behind them.
func TestPublicRoleReadsTheViewsAlone(t *testing.T) {
	admin := os.Getenv("AFTERSHOCK_TEST_CLICKHOUSE_ADMIN") // http://user:password@host:port of a server with users
	if admin == "" {
		t.Skip("AFTERSHOCK_TEST_CLICKHOUSE_ADMIN names no server: the embedded one has no users")
	}
	ctx := t.Context()
	db, err := clickhouse.Open(admin, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	for _, s := range append(rolesSQL(t), "CREATE USER OR REPLACE aftershock_test IDENTIFIED BY 'test'", "GRANT analyst_public TO aftershock_test", "SET DEFAULT ROLE analyst_public TO aftershock_test") {
		if err := db.Conn().Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	reader, err := clickhouse.Open(regexp.MustCompile(`//.*@`).ReplaceAllString(admin, "//aftershock_test:test@"), schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, s := range []string{"SELECT count() FROM aftershock.crashes", "SELECT count() FROM aftershock.pings", "SELECT count() FROM aftershock.crash_by_id", "SELECT count() FROM aftershock.lineage"} {
		if err := reader.Conn().Exec(ctx, s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{
		"SELECT count() FROM aftershock.crash_rows", "SELECT count() FROM aftershock_protected.crashes", "SELECT count() FROM aftershock_protected.crash_rows",
		"SELECT count() FROM aftershock.ping_rows", "SELECT count() FROM aftershock_protected.pings", "SELECT count() FROM aftershock_protected.crash_by_id", "SELECT count() FROM aftershock_protected.ping_rows",
		"SELECT count() FROM aftershock.activation", "INSERT INTO aftershock.activation (epoch) VALUES (99)", "SELECT * FROM url('http://127.0.0.1:1', CSV, 'a String')",
	} {
		if err := reader.Conn().Exec(ctx, s); err == nil {
			t.Errorf("%s: allowed", s)
		}
	}
}
