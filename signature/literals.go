package signature

import (
	"regexp/syntax"
	"unicode/utf8"
)

// beginning is a literal that matches of an expression begin with.
type beginning struct {
	text string
	more bool // the rest of the expression decides
	end  bool // the text must end there
}

// whole tells whether the literal is all that the expression asks for.
func (b beginning) whole() bool { return !b.more }

// maxBeginnings bounds the literals of one line.
const maxBeginnings = 64

var anything = []beginning{{more: true}}

// beginnings returns literals such that every match of re at the beginning of a
// text begins with one of them.
func beginnings(re *syntax.Regexp) []beginning {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []beginning{{}}
	case syntax.OpEndText:
		return []beginning{{end: true}}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []beginning{{text: string(re.Rune)}}
		}
	case syntax.OpCharClass:
		return classBeginnings(re)
	case syntax.OpCapture:
		return beginnings(re.Sub[0])
	case syntax.OpQuest:
		return union([]beginning{{}}, beginnings(re.Sub[0]))
	case syntax.OpPlus:
		return open(beginnings(re.Sub[0]))
	case syntax.OpAlternate:
		var out []beginning
		for _, sub := range re.Sub {
			out = union(out, beginnings(sub))
		}
		return out
	case syntax.OpConcat:
		out := []beginning{{}}
		for _, sub := range re.Sub {
			out = follow(out, beginnings(sub))
		}
		return out
	default:
	}
	return anything
}

func classBeginnings(re *syntax.Regexp) []beginning {
	var out []beginning
	for i := 0; i < len(re.Rune); i += 2 {
		for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
			if len(out) == maxBeginnings || c >= utf8.RuneSelf {
				return anything
			}
			out = append(out, beginning{text: string(c)})
		}
	}
	return out
}

// open says that more may follow each.
func open(in []beginning) []beginning {
	out := make([]beginning, len(in))
	for i, b := range in {
		out[i] = beginning{text: b.text, more: true}
	}
	return out
}

func union(a, b []beginning) []beginning {
	if len(a)+len(b) > maxBeginnings {
		return anything
	}
	return append(append([]beginning(nil), a...), b...)
}

// follow lets b follow a. Where that is too much, a is all that is indexed.
func follow(a, b []beginning) []beginning {
	if len(a)*len(b) > maxBeginnings {
		return open(a)
	}
	var out []beginning
	for _, x := range a {
		if x.more {
			out = append(out, x)
			continue
		}
		for _, y := range b {
			switch {
			case !x.end:
				out = append(out, beginning{x.text + y.text, y.more, y.end})
			case y.text == "" && !y.more: // nothing may follow the end but nothing
				out = append(out, x)
			default:
				out = append(out, beginning{text: x.text, more: true})
			}
		}
	}
	return out
}

// longestLiteral returns the longest literal that no match can do without.
func longestLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return longestLiteral(re.Sub[0])
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if s := longestLiteral(sub); len(s) > len(longest) {
				longest = s
			}
		}
		return longest
	default:
	}
	return ""
}
