package embedded

import "strings"

// statementKind is how a statement has to be run.
type statementKind int

const (
	// kindSelect may be streamed.
	kindSelect statementKind = iota
	// kindRead reads too, but the engine answers it in one piece only.
	kindRead
	// kindInsert is an INSERT with data, which the engine must get through its
	// insert stream: as a plain query it silently drops rows of binary formats.
	kindInsert
	// kindOther is everything else: definitions, INSERT … SELECT, SET, …
	kindOther
)

// statement is one SQL statement and, for an insert, its data.
type statement struct {
	kind   statementKind
	verb   string // first word, upper case
	text   string // for kindInsert without format and data
	format string // of the insert's data or of the result; "" when not said
	data   string // what followed an insert in the same text
}

var (
	errEmptyQuery     = exceptionf(62, "SYNTAX_ERROR", "Empty query")
	errMultiStatement = exceptionf(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
	errUnfinished     = exceptionf(62, "SYNTAX_ERROR", "Syntax error: a quotation or comment does not end")
	errInsertSource   = exceptionf(62, "SYNTAX_ERROR", "Syntax error: INSERT wants VALUES, FORMAT or SELECT")
	errSemicolon      = exceptionf(62, "SYNTAX_ERROR", "Syntax error: excessive ';' before the data of an INSERT")
	errInputFunction  = exceptionf(48, "NOT_IMPLEMENTED", "The input function is not supported by the embedded server")
	errFiles          = exceptionf(48, "NOT_IMPLEMENTED", "INTO OUTFILE and FROM INFILE are not allowed over HTTP")
)

// parseStatement finds out what text asks for. Of the data of an insert only
// the beginning need be there. Its errors are in ClickHouse's words; what it
// lets through may still be refused by the engine.
func parseStatement(text string) (statement, error) {
	l := &lexer{text: text}
	first := l.next()
	if first.kind == tokenEnd || l.symbol(first, ';') {
		return statement{}, errEmptyQuery
	}
	s := statement{verb: l.word(first), text: text, kind: kindOther}
	switch s.verb {
	case "INSERT":
		return parseInsert(l, s)
	case "SELECT", "WITH":
		s.kind = kindSelect
	case "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "FROM":
		s.kind = kindRead
	case "":
		if l.symbol(first, '(') {
			s.kind = kindRead
		}
	}
	end, err := scanToEnd(l, first, &s)
	if err != nil {
		return statement{}, err
	}
	s.text = text[:end]
	return s, nil
}

// scanToEnd reads the rest of a statement from its token t on, notes its
// format and answers where it ends: before a semicolon, after which nothing
// may follow.
func scanToEnd(l *lexer, t token, s *statement) (end int, err error) {
	previous, depth := "", 0
	for ; ; t = l.next() {
		switch t.kind {
		case tokenEnd:
			return t.from, nil
		case tokenBroken:
			return 0, errUnfinished
		case tokenWord, tokenQuoted, tokenSymbol:
		}
		word := l.word(t)
		switch {
		case s.verb == "INSERT" && previous == "INPUT" && l.symbol(t, '('):
			return 0, errInputFunction
		case l.symbol(t, '('), l.symbol(t, '['), l.symbol(t, '{'):
			depth++
		case l.symbol(t, ')'), l.symbol(t, ']'), l.symbol(t, '}'):
			depth--
		case l.symbol(t, ';'):
			if l.next().kind != tokenEnd {
				return 0, errMultiStatement
			}
			return t.from, nil
		case depth == 0 && previous == "INTO" && word == "OUTFILE":
			return 0, errFiles
		case depth == 0 && previous == "FORMAT" && word != "":
			s.format = l.text[t.from:t.to]
		}
		previous = word
	}
}

// parseInsert goes on after INSERT.
func parseInsert(l *lexer, s statement) (statement, error) {
	t := l.next()
	for word := l.word(t); word == "INTO" || word == "TABLE" || word == "FUNCTION"; word = l.word(t) {
		t = l.next()
	}
	depth, previous := 0, ""
	for t = l.next(); ; t = l.next() { // t was the table's name, which may be a keyword
		switch t.kind {
		case tokenEnd:
			return statement{}, errInsertSource
		case tokenBroken:
			return statement{}, errUnfinished
		case tokenWord, tokenQuoted, tokenSymbol:
		}
		word := l.word(t)
		switch {
		case previous == "(" && depth == 1 && (word == "SELECT" || word == "WITH"),
			depth == 0 && (word == "SELECT" || word == "WITH"):
			return insertSelect(l, t, s)
		case l.symbol(t, '('):
			depth++
		case l.symbol(t, ')'):
			depth--
		case l.symbol(t, ';') && depth == 0:
			return statement{}, errInsertSource
		case depth > 0 || previous == ".":
		case previous == "FROM" && word == "INFILE":
			return statement{}, errFiles
		case word == "VALUES":
			s.kind, s.format = kindInsert, "Values"
			s.text, s.data = l.text[:t.from], l.text[t.to:]
			return s, nil
		case word == "FORMAT":
			name := l.next()
			if name.kind != tokenWord {
				return statement{}, errInsertSource
			}
			s.kind, s.format = kindInsert, l.text[name.from:name.to]
			s.text, s.data = l.text[:t.from], l.text[name.to:]
			return trimDataStart(s)
		}
		previous = word
		if t.kind == tokenSymbol {
			previous = l.text[t.from:t.to]
		}
	}
}

// insertSelect reads the rest of an INSERT … SELECT, which has no data.
func insertSelect(l *lexer, t token, s statement) (statement, error) {
	end, err := scanToEnd(l, t, &s)
	if err != nil {
		return statement{}, err
	}
	s.text = l.text[:end]
	return s, nil
}

// trimDataStart drops what separates FORMAT name from the data: blanks, then
// one line end. Everything after it is data, even if it looks like blanks.
func trimDataStart(s statement) (statement, error) {
	if strings.HasPrefix(s.data, ";") {
		return statement{}, errSemicolon
	}
	s.data = strings.TrimLeft(s.data, " \t\f")
	s.data = strings.TrimPrefix(s.data, "\r")
	s.data = strings.TrimPrefix(s.data, "\n")
	return s, nil
}
