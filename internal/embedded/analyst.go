package embedded

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The address that is handed to analysts shows the public database and nothing else, to
// whoever reaches it and whatever password is sent. What a statement names is looked at
// word by word, and what is not known to be harmless is refused: other databases, tables of
// the engine's own but those that describe, functions that read tables by a text, names
// that come from outside the statement. Each statement has bounds that it cannot change.

const (
	analystMemory     = 512 << 20 // bytes of one statement
	analystTime       = time.Minute
	analystDisk       = 4 << 30 // bytes that one statement may spill
	analystStatements = 4       // at a time; no more than half of the connections: others read too
	// databasesKept is how long the names of databases are believed.
	databasesKept = time.Second
)

// publicDatabase is what analysts see.
const publicDatabase = "aftershock"

// analystFunctions are the table functions that read nothing.
var analystFunctions = set("format generate_series generateseries null numbers numbers_mt one values view zeros zeros_mt")

// analystTables are the tables of system that describe: clients ask for them to show what
// there is.
var analystTables = set("build_options collations columns data_type_families databases functions formats graphite_retentions keywords licenses numbers one settings table_engines table_functions tables time_zones zeros")

// tellingFunctions read a table whose name is a text, or tell of the machine.
var tellingFunctions = set("joinget joingetornull hascolumnintable dictget file catboostevaluate filesystemavailable filesystemcapacity filesystemunreserved getserversetting getmacro " +
	"addresstoline addresstolinewithinlines addresstosymbol demangle showcertificate getoskernelversion hostname fqdn fullhostname servername")

// analystSettings are what may be set: of settings that hold SQL in a text, switch the
// language, or take the parser's bounds away there are more with every release.
var analystSettings = set("max_threads max_block_size max_result_rows result_overflow_mode max_rows_to_read max_bytes_to_read read_overflow_mode max_rows_to_group_by group_by_overflow_mode " +
	"max_bytes_before_external_group_by max_bytes_before_external_sort join_algorithm join_use_nulls group_by_use_nulls extremes date_time_input_format date_time_output_format " +
	"session_timezone limit offset final enable_analyzer prefer_column_name_to_alias aggregate_functions_null_for_empty transform_null_in union_default_mode " +
	"empty_result_for_aggregation_by_empty_set optimize_read_in_order optimize_aggregation_in_order use_uncompressed_cache max_rows_in_join max_bytes_in_join join_overflow_mode")

// analystSetting tells whether an analyst may set something.
func analystSetting(name string) bool {
	name = strings.ToLower(name)
	return analystSettings[name] || strings.HasPrefix(name, "output_format_") && !outsideSettings[name] || strings.HasPrefix(name, "format_csv_")
}

// analystRows leaves in the tables that describe what there is the databases that are shown.
const analystRows = `{'system.databases': 'name IN (''aftershock'', ''system'', ''information_schema'', ''INFORMATION_SCHEMA'')',` +
	` 'system.tables': 'database IN (''aftershock'', ''system'', ''information_schema'', ''INFORMATION_SCHEMA'')',` +
	` 'system.columns': 'database IN (''aftershock'', ''system'', ''information_schema'', ''INFORMATION_SCHEMA'')'}`

// boundedSettings are a statement's bounds, and what could take them away.
var boundedSettings = set("readonly profile max_memory_usage max_memory_usage_for_user max_execution_time max_execution_time_leaf max_estimated_execution_time timeout_overflow_mode " +
	"timeout_overflow_mode_leaf timeout_before_checking_execution_speed max_temporary_data_on_disk_size_for_query max_temporary_data_on_disk_size_for_user memory_overcommit_ratio_denominator " +
	"memory_overcommit_ratio_denominator_for_user max_untracked_memory allow_introspection_functions allow_ddl log_comment log_queries max_result_bytes use_query_cache enable_writes_to_query_cache enable_reads_from_query_cache priority workload")

// shown are what SHOW may show.
var shown = set("tables databases columns fields create full extended functions settings index indexes indices keys")

func errAnalyst(what string) error {
	return exceptionf(497, "ACCESS_DENIED", "Not enough privileges: %s: this address shows the public database, %s, alone", what, publicDatabase)
}

// analyst is what a facade for analysts knows.
type analyst struct {
	slots chan struct{} // statements that run

	mu        sync.Mutex
	databases map[string]bool // in small letters
	asked     time.Time
}

func newAnalyst(connections int) *analyst {
	return &analyst{slots: make(chan struct{}, max(1, min(analystStatements, connections/2)))}
}

// take waits for a place among the statements that run.
func (a *analyst) take(r *http.Request) (give func(), err error) {
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// others are the databases that are not shown.
func (f *facade) others() (map[string]bool, error) {
	a := f.analyst
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.asked) < databasesKept {
		return a.databases, nil
	}
	text, err := f.pool.control.text("SELECT lower(name) FROM system.databases")
	if err != nil {
		return nil, err
	}
	a.databases, a.asked = set(text), time.Now()
	for _, name := range []string{publicDatabase, "system", "information_schema"} {
		delete(a.databases, name)
	}
	// It is refused before somebody makes it.
	a.databases["aftershock_protected"] = true
	return a.databases, nil
}

// publicOnly lets a request of an analyst pass, with bounds, or refuses it.
func (f *facade) publicOnly(r *request, s statement) error {
	if s.kind != kindSelect && s.kind != kindRead {
		return errAnalyst("statements may only read")
	}
	others, err := f.others()
	if err != nil {
		return err
	}
	switch strings.ToLower(r.database) {
	case "", "default", publicDatabase, "information_schema": // not system: its tables would have no name before them
	default:
		return errAnalyst("the database " + r.database)
	}
	if strings.EqualFold(r.database, "default") { // what clients send that were told none
		r.database = publicDatabase
	}
	r.session = sessionRequest{} // nothing is kept between statements
	f.bound(r)
	if !mayStream(s, r) { // the engine has such a result whole, outside what it counts
		r.settings = append(r.settings, param{"max_result_bytes", fmt.Sprint(analystMemory)})
	}
	return publicTokens(s, others, f.tableFunctions)
}

// bound replaces what a request says of its bounds.
func (f *facade) bound(r *request) {
	kept := r.settings[:0]
	for _, setting := range r.settings {
		if analystSetting(setting.name) {
			kept = append(kept, setting)
		}
	}
	kept = append(kept,
		param{"max_memory_usage", fmt.Sprint(analystMemory)}, param{"max_execution_time", fmt.Sprint(int(analystTime.Seconds()))},
		param{"max_temporary_data_on_disk_size_for_query", fmt.Sprint(int64(analystDisk))}, param{"additional_table_filters", analystRows})
	r.settings = kept
}

// publicTokens looks at what a statement names.
func publicTokens(s statement, others, tableFunctions map[string]bool) error {
	l := &lexer{text: s.text}
	var before, last token // the two tokens that stand before
	settings := false      // behind SETTINGS
	for i := 0; ; i++ {
		t := l.next()
		if t.kind == tokenEnd || t.kind == tokenBroken {
			return nil
		}
		name := strings.ToLower(l.name(t))
		begins := settings && (l.symbol(last, ',') || l.word(last) == "SETTINGS") && !isText(l, t) // a setting's name
		// Behind a point stands a column of that name, unless a number ended with the point.
		column := l.symbol(last, '.') && !isNumber(l, before)
		settings = !l.symbol(t, ')') && (settings || l.word(t) == "SETTINGS" && !column)
		switch {
		case i == 1 && s.verb == "SHOW" && !shown[name]:
			return errAnalyst("SHOW " + strings.ToUpper(name))
		case strings.Contains(strings.ToLower(l.text[t.from:t.to]), "aftershock_protected"):
			return errAnalyst("aftershock_protected")
		case l.escaped(t):
			return errAnalyst("a name with an escape in it")
		case begins && name != "" && !analystSetting(name), settings && boundedSettings[name] && !isText(l, t):
			return errAnalyst("the setting " + name)
		case name == "identifier" && l.symbol(last, ':'):
			return errAnalyst("a name that is a parameter")
		case l.symbol(last, '.') && strings.EqualFold(l.name(before), "system") && !analystTables[name]:
			return errAnalyst("system." + name)
		case l.symbol(last, '.') && isText(l, t), l.symbol(t, '.') && isText(l, last):
			return errAnalyst("a text as a name")
		case others[name] && (name != "default" || l.symbol(last, '.') || s.verb == "SHOW"),
			l.symbol(t, '.') && others[strings.ToLower(l.name(last))]:
			return errAnalyst("the database " + name)
		case l.symbol(t, '('):
			called := strings.ToLower(l.name(last))
			if isText(l, last) {
				called = ""
			}
			if tellingFunctions[called] || strings.HasPrefix(called, "dictget") || strings.HasPrefix(called, "dicthas") || strings.HasPrefix(called, "dictis") ||
				tableFunctions[called] && !analystFunctions[called] {
				return errAnalyst("the function " + called)
			}
		}
		before, last = last, t
	}
}

// isNumber tells whether a token begins as a number does.
func isNumber(l *lexer, t token) bool {
	return t.kind == tokenWord && l.text[t.from] >= '0' && l.text[t.from] <= '9'
}

// isText tells whether a token is a string.
func isText(l *lexer, t token) bool {
	return t.kind == tokenQuoted && l.text[t.from] != '`' && l.text[t.from] != '"'
}
