package embedded

import "strings"

// What reaches beyond the engine's own tables is nobody's: files, other servers,
// programs. Of table functions, engines and verbs those stand here that stay inside;
// the engine names its table functions itself, so that a new one is refused too.

// insideFunctions are table functions that reach nothing else.
var insideFunctions = set("dummy format fuzzjson generaterandom generateseries generate_series input loop merge mergetreeanalyzeindexes mergetreeindex mergetreeprojection " +
	"mergetreetextindex null numbers numbers_mt one primes timeseriesdata timeseriesmetrics timeseriesselector timeseriestags values view viewexplain viewifpermitted zeros zeros_mt fuzzquery")

// outsideFunctions are functions that are no table functions, or none that every
// engine names.
var outsideFunctions = set("file catboostevaluate reversednsquery disk python executable executablepool dictionary zookeeper cluster clusterallreplicas url s3 remote remotesecure " +
	"hdfs jdbc odbc mysql postgresql mongodb redis sqlite azureblobstorage http source " +
	"aigenerate aiembed aiclassify aiextract aitranslate")

// outsideScalars are those of them that another function may be told to call, by the name
// alone: arrayMap(file, …), * APPLY file.
var outsideScalars = set("file catboostevaluate reversednsquery aigenerate aiembed aiclassify aiextract aitranslate")

// insideEngines are engines of tables and databases, beside those that end in MergeTree.
var insideEngines = set("memory null view materializedview log tinylog stripelog set join buffer atomic merge")

// outsideVerbs begin statements that reach beyond by themselves.
var outsideVerbs = set("backup restore attach detach install")

// outsideWords make a format or a statement reach beyond wherever they stand.
var outsideWords = set("format_avro_schema_registry_url dictionary infile outfile avroconfluent named")

// outsideSettings are settings that name a file, to read or to write, that hold SQL in a
// text, which nobody looks at, or another language than what is looked at.
var outsideSettings = set("additional_table_filters additional_result_filter parallel_replicas_custom_key implicit_table_at_top_level allow_experimental_kusto_dialect " +
	"allow_experimental_prql_dialect allow_experimental_polyglot_dialect polyglot_dialect promql_database promql_table function_implementation allow_experimental_ai_functions url_base format_schema format_schema_source format_template_row format_template_resultset input_format_record_errors_file_path output_format_schema")

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

func errOutside(what string) error {
	return exceptionf(497, "ACCESS_DENIED", "Not enough privileges: %s reaches beyond the tables of the embedded server", what)
}

// forbid looks for what reaches beyond. Names are looked at as the engine reads
// them, quoted or not. A server without a token has no such bounds.
func (f *facade) forbid(r *request, s statement) error {
	if f.token == "" {
		return nil
	}
	for _, setting := range r.settings {
		if name := strings.ToLower(setting.name); outsideWords[name] || outsideSettings[name] {
			return errOutside(setting.name)
		}
	}
	for _, name := range []string{r.format, s.format} {
		if outsideWords[strings.ToLower(name)] {
			return errOutside(name)
		}
	}
	if outsideVerbs[strings.ToLower(s.verb)] {
		return errOutside(s.verb)
	}
	l := &lexer{text: s.text}
	var before, at token // the token before, and the one before the last bracket of a parameter
	for t := l.next(); t.kind != tokenEnd && t.kind != tokenBroken; t = l.next() {
		word := l.word(t)
		switch {
		case l.escaped(t):
			return errOutside("a name with an escape in it")
		case l.foreign(t):
			return errOutside("a name that is not ASCII and not in quotes")
		case l.symbol(t, '{'):
			at = before
		case strings.EqualFold(l.name(t), "Identifier") && l.symbol(before, ':') && !l.behindName(at):
			return errOutside("a name that is a parameter, which may be taken for a function (write table.{column:Identifier}),")
		case outsideScalars[strings.ToLower(l.name(t))] && !isText(l, t) && !l.behindName(before):
			return errOutside("the name of the function " + strings.ToLower(l.name(t)) + ", which may be taken for it (write table.column),")
		case outsideSettings[strings.ToLower(l.name(t))]:
			return errOutside("the setting " + strings.ToLower(l.name(t)))
		case outsideWords[strings.ToLower(word)] && s.kind != kindSelect && s.kind != kindRead,
			word == "FORMAT_AVRO_SCHEMA_REGISTRY_URL":
			return errOutside(strings.ToLower(word))
		case l.symbol(t, '('):
			if err := f.forbidFunction(l, before); err != nil {
				return err
			}
		case word == "ENGINE" && s.kind == kindOther:
			if err := forbidEngine(l); err != nil {
				return err
			}
			before = token{}
			continue
		}
		before = t
	}
	return nil
}

// nameFollows are words behind which a name is one of a column, an alias or a table.
var nameFollows = set("as select where prewhere having and or not by on in is from join using when then else between like table")

// behindName tells whether a name behind t is none of a function that another one calls:
// such stand first in brackets, or behind APPLY.
func (l *lexer) behindName(t token) bool {
	switch t.kind {
	case tokenSymbol:
		return !l.symbol(t, '(')
	case tokenWord:
		return nameFollows[strings.ToLower(l.text[t.from:t.to])]
	case tokenEnd, tokenQuoted, tokenBroken:
	}
	return false
}

// forbidFunction looks at what stands before a bracket.
func (f *facade) forbidFunction(l *lexer, t token) error {
	if t.kind != tokenWord && t.kind != tokenQuoted {
		return nil
	}
	name := l.text[t.from:t.to]
	if t.kind == tokenQuoted {
		if name[0] == '\'' {
			return nil
		}
		if name = name[1 : len(name)-1]; strings.ContainsAny(name, "\\`\"") {
			return errOutside("a function whose name has to be unescaped")
		}
	}
	if lower := strings.ToLower(name); outsideFunctions[lower] || f.tableFunctions[lower] && !insideFunctions[lower] {
		return errOutside("the function " + lower)
	}
	return nil
}

// forbidEngine looks at what stands behind ENGINE.
func forbidEngine(l *lexer) error {
	t := l.next()
	if l.symbol(t, '=') {
		t = l.next()
	}
	name := strings.ToLower(strings.Trim(l.text[t.from:t.to], "`\"'"))
	if !insideEngines[name] && !strings.HasSuffix(name, "mergetree") {
		return errOutside("an engine other than those of the server's own tables")
	}
	return nil
}
