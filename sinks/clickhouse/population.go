package clickhouse

import (
	"strings"

	"aftershock/schema"
)

// Population is crashes that are counted by themselves: each has tables of its own, of the
// same columns, and no question is answered with rows of two.
type Population struct {
	Kind string // of its crashes
	// Rows is its table, View what analysts ask, and ByID what they ask for one crash, in both
	// databases.
	Rows, View, ByID string
	// Signatures is its narrow table, in aftershock.
	Signatures string
}

// The populations. A version shows all of them for the same time.
var (
	Reports     = Population{Kind: schema.KindReport, Rows: "crash_rows", View: "crashes", ByID: "crash_by_id", Signatures: "signatures"}
	Pings       = Population{Kind: schema.KindPing, Rows: "ping_rows", View: "pings", ByID: "ping_by_id", Signatures: "ping_signatures"}
	Populations = []Population{Reports, Pings}
)

// PopulationOf is the one of crashes of a kind.
func PopulationOf(kind string) Population {
	if schema.KindOf(kind) == schema.KindPing {
		return Pings
	}
	return Reports
}

// SQL puts the names into a query, for $rows, $view, $by_id and $signatures.
func (p Population) SQL(query string) string {
	return strings.NewReplacer("$rows", p.Rows, "$view", p.View, "$by_id", p.ByID, "$signatures", p.Signatures).Replace(query)
}
