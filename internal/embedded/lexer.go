package embedded

import "strings"

// tokenKind is what a token of a SQL statement is, as far as it matters for
// finding where the statement ends.
type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // keyword, bare identifier, number
	tokenQuoted           // string or quoted identifier
	tokenSymbol           // any other single byte
	tokenBroken           // a quotation or comment that does not end
)

// token is a token and where it stands in the text.
type token struct {
	kind     tokenKind
	from, to int
}

// lexer splits SQL into tokens the way ClickHouse does; white space and
// comments are skipped.
type lexer struct {
	text string
	pos  int
}

func (l *lexer) next() token {
	if from, ok := l.skipBlank(); !ok {
		return token{tokenBroken, from, len(l.text)}
	}
	from := l.pos
	if from == len(l.text) {
		return token{tokenEnd, from, from}
	}
	kind := tokenSymbol
	switch b := l.text[from]; {
	case isWordByte(b):
		kind = l.rest()
	case b == '\'' || b == '"' || b == '`':
		kind = l.quoted(b)
	case b == '$':
		kind = l.heredoc()
	default:
		l.pos++
	}
	return token{kind, from, l.pos}
}

// word is the token's text in upper case if it is a bare word, else "".
func (l *lexer) word(t token) string {
	if t.kind != tokenWord {
		return ""
	}
	return strings.ToUpper(l.text[t.from:t.to])
}

// name is what the token names, quoted or not: a string too, which some places take for a
// name. It is as it stands between the quotes.
func (l *lexer) name(t token) string {
	switch t.kind {
	case tokenWord:
		return l.text[t.from:t.to]
	case tokenQuoted:
		if quote := l.text[t.from]; quote == '`' || quote == '"' || quote == '\'' {
			return l.text[t.from+1 : t.to-1]
		}
	case tokenEnd, tokenSymbol, tokenBroken:
	}
	return ""
}

// escaped tells whether the token is a quoted identifier that names something else than it
// shows.
func (l *lexer) escaped(t token) bool {
	return t.kind == tokenQuoted && (l.text[t.from] == '`' || l.text[t.from] == '"') && strings.Contains(l.text[t.from:t.to], `\`)
}

// symbol tells whether the token is the byte b.
func (l *lexer) symbol(t token, b byte) bool { return t.kind == tokenSymbol && l.text[t.from] == b }

// skipBlank moves over white space and comments. It answers false and where
// the comment began when one does not end.
func (l *lexer) skipBlank() (from int, ok bool) {
	for l.pos < len(l.text) {
		rest := l.text[l.pos:]
		switch {
		case strings.IndexByte(" \t\n\v\f\r\x00", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.pos += end + 1
			} else {
				l.pos = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				from, l.pos = l.pos, len(l.text)
				return from, false
			}
			l.pos += 2 + end + 2
		default:
			return 0, true
		}
	}
	return 0, true
}

// quoted moves over a quotation: a backslash takes the next byte with it, a
// doubled quote stands for itself.
func (l *lexer) quoted(quote byte) tokenKind {
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '\\':
			l.pos++
		case quote:
			if l.pos+1 < len(l.text) && l.text[l.pos+1] == quote {
				l.pos++
				continue
			}
			l.pos++
			return tokenQuoted
		}
	}
	l.pos = len(l.text)
	return tokenBroken
}

// heredoc moves over $tag$ … $tag$, or if it is none over the word that begins with the
// dollar, or over the dollar.
func (l *lexer) heredoc() tokenKind {
	rest := l.text[l.pos:]
	end := 1
	for end < len(rest) && isWordByte(rest[end]) {
		end++
	}
	if end < len(rest) && rest[end] == '$' {
		tag := rest[:end+1]
		if closing := strings.Index(rest[end+1:], tag); closing >= 0 {
			l.pos += end + 1 + closing + len(tag)
			return tokenQuoted
		}
	}
	l.pos++
	if end == 1 {
		return tokenSymbol
	}
	return l.rest()
}

// rest moves to the end of a word; behind its begin there may be dollars.
func (l *lexer) rest() tokenKind {
	for l.pos < len(l.text) && (isWordByte(l.text[l.pos]) || l.text[l.pos] == '$') {
		l.pos++
	}
	return tokenWord
}

// foreign tells whether the token has letters in it that are not ASCII and stands outside
// ASCII quotes. The engine takes some for quotes and blanks: from there on its tokens are
// not the lexer's.
func (l *lexer) foreign(t token) bool {
	return t.kind != tokenQuoted && strings.ContainsFunc(l.text[t.from:t.to], func(c rune) bool { return c >= 0x80 })
}

func isWordByte(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b >= 0x80
}
