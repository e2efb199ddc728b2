package facts

import (
	_ "embed"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"aftershock/schema"
)

// The public form of a text that a program wrote when it gave up: the program's literals
// are kept, values are replaced, a number by # and anything else by …. What is kept is
// safe by construction: a word passes only if it is a word of words.txt, which are those
// of assertions and code, or of a name in the crash's own public stack; what could be
// somebody's is made of no such words.

const (
	// maxPublicText is how much of a text is read.
	maxPublicText = 512
	value         = "…"
	number        = "#"
)

//go:embed words.txt
var wordsFile string

// literals are the words of words.txt, in small letters.
var literals = func() map[string]bool {
	words := map[string]bool{}
	for line := range strings.Lines(wordsFile) {
		if !strings.HasPrefix(line, "//") {
			for _, w := range strings.Fields(line) {
				words[w] = true
			}
		}
	}
	return words
}()

var (
	// A chunk between blanks that is a place, an address or a name of somebody, whatever
	// it is made of: URLs, paths, mail addresses, escapes, assignments, things with several
	// dots.
	place = regexp.MustCompile(`@|://|\\|%|\w=\w|\w=$|^~|[\w.]/[\w.]|^/\w|\w\.\w+\.\w|\w[+/=]{1,2}$`)
	// numeral is a number: decimal, hexadecimal with a mark, with a fraction or a unit.
	numeral = regexp.MustCompile(`^(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:[uUlL]{1,3}|ms|s|[kKMG]i?B)?$`)
	// separators between values that were replaced say nothing.
	values = regexp.MustCompile(`…(?:[-\s.,:;/\\_+=*~|#@&?!%$'"]*…)+`)
	counts = regexp.MustCompile(`#(?:[.:,/-]?#)+`)
	blanks = regexp.MustCompile(`\s+`)
)

// publicText is the public form of a text; empty for an empty one.
func (d *derivation) publicText(s string) string {
	s = schema.CutText(strings.ToValidUTF8(s, "\uFFFD"), maxPublicText)
	if s == "" {
		return ""
	}
	out := &strings.Builder{}
	for _, piece := range pieces(s) {
		if piece.quoted {
			out.WriteString(value)
			continue
		}
		d.unquoted(out, piece.text)
	}
	shown := values.ReplaceAllLiteralString(out.String(), value)
	return strings.TrimSpace(blanks.ReplaceAllLiteralString(counts.ReplaceAllLiteralString(shown, number), " "))
}

// unquoted writes the public form of what stands outside quotes.
func (d *derivation) unquoted(out *strings.Builder, s string) {
	for s != "" {
		blank := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsSpace(c) })
		if blank < 0 {
			out.WriteString(s)
			return
		}
		out.WriteString(s[:blank])
		s = s[blank:]
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			end = len(s)
		}
		d.chunk(out, s[:end])
		s = s[end:]
	}
}

// chunk writes the public form of what stands between blanks: word by word, unless it is
// a place.
func (d *derivation) chunk(out *strings.Builder, s string) {
	if place.MatchString(s) {
		out.WriteString(value)
		return
	}
	for s != "" {
		end := strings.IndexFunc(s, func(c rune) bool { return !isWord(c) })
		if end != 0 {
			if end < 0 {
				end = len(s)
			}
			out.WriteString(d.word(s[:end]))
			s = s[end:]
			continue
		}
		c, size := utf8.DecodeRuneInString(s)
		if c < utf8.RuneSelf && unicode.IsPrint(c) {
			out.WriteRune(c)
		} else {
			out.WriteString(value)
		}
		s = s[size:]
	}
}

func isWord(c rune) bool {
	return c == '_' || c >= utf8.RuneSelf && c != '…' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// word is the public form of a word: itself when all its parts are known, with digits
// behind replaced.
func (d *derivation) word(w string) string {
	if numeral.MatchString(w) {
		return number
	}
	if d.known(w) {
		return w
	}
	stem := strings.TrimRight(w, "0123456789")
	if stem != "" && len(w)-len(stem) <= maxTrailing && stem != w && d.known(stem) {
		return stem + number
	}
	return value
}

const (
	// maxTrailing digits behind a word may count something; more are a number of somebody.
	maxTrailing = 3
	// maxParts of a name: a longer one is made of something else.
	maxParts = 12
)

// known tells whether all parts of a name are words: of some, one may be a letter, as of
// members and arguments (mIndex, aName).
func (d *derivation) known(name string) bool {
	all := parts(name)
	if len(all) == 0 || len(all) > maxParts {
		return strings.Trim(name, "_") == ""
	}
	letters := 0
	for _, p := range all {
		switch {
		case len(p) == 1 && len(all) > 1:
			if letters++; letters > 1 {
				return false
			}
		case !literals[p] && !d.stackWords()[p]:
			return false
		}
	}
	return true
}

// parts are the words that a name is made of, in small letters: those between underscores,
// and capitals begin one (nsHTTPChannel is ns, http, channel). Nil if there is anything in
// it but letters and underscores, or digits that belong to a known word (utf8, int32_t).
func parts(name string) (out []string) {
	for piece := range strings.SplitSeq(name, "_") {
		start := 0
		for i := 1; i <= len(piece); i++ {
			if i < len(piece) && !beginsPart(piece, i) {
				continue
			}
			out = append(out, strings.ToLower(piece[start:i]))
			start = i
		}
	}
	kept := out[:0]
	for _, p := range out {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// beginsPart tells whether a word begins at i: a capital behind a small letter, or before
// one when it stands behind capitals.
func beginsPart(s string, i int) bool {
	if s[i] < 'A' || s[i] > 'Z' {
		return false
	}
	before := s[i-1] < 'A' || s[i-1] > 'Z'
	small := i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z'
	return before || small
}

// stackWords are the words of the names in the crashing thread: they are public anyway.
func (d *derivation) stackWords() map[string]bool {
	if d.ownWords != nil {
		return d.ownWords
	}
	d.ownWords = map[string]bool{}
	t := d.crashing()
	if t == nil {
		return d.ownWords
	}
	add := func(function string) {
		for w := range strings.FieldsFuncSeq(schema.CutText(function, maxText), func(c rune) bool { return !isWord(c) }) {
			for _, p := range parts(w) {
				if len(p) >= minOwnWord && !strings.ContainsFunc(p, func(c rune) bool { return c < 'a' || c > 'z' }) {
					d.ownWords[p] = true
				}
			}
		}
	}
	for i := range t.Frames[:min(len(t.Frames), maxOwnFrames)] {
		add(t.Frames[i].Function)
		for _, in := range t.Frames[i].Inlines {
			add(in.Function)
		}
	}
	return d.ownWords
}

const (
	minOwnWord   = 3
	maxOwnFrames = 64
)

// piece is a part of a text inside or outside quotes.
type piece struct {
	text   string
	quoted bool
}

// pieces takes what stands in quotes apart. Text in backticks is code and is looked at
// word by word; a quote that nothing closes is one to the end; one inside a word is none.
func pieces(s string) (out []piece) {
	start := 0
	for i := 0; i < len(s); {
		open, size := utf8.DecodeRuneInString(s[i:])
		shut, isQuote := quotes[open]
		if !isQuote || open == '\'' && i > 0 && isLetter(s[i-1]) {
			i += size
			continue
		}
		rest := s[i+size:]
		end := closing(rest, shut)
		out = append(out, piece{s[start:i], false}, piece{"", true})
		if end < 0 {
			return out
		}
		i += size + end
		start = i
	}
	return append(out, piece{s[start:], false})
}

var quotes = map[rune]rune{'"': '"', '\'': '\'', '“': '”', '‘': '’', '«': '»', '„': '“'}

// closing is where the text goes on behind the quote that closes, -1 when none does.
func closing(s string, shut rune) int {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if c == '\\' && i < len(s) {
			i++
			continue
		}
		if c == shut && (shut != '\'' || i >= len(s) || !isLetter(s[i])) {
			return i
		}
	}
	return -1
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
