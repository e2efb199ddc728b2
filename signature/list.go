package signature

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// list is a file of regular expressions, of which any may match the beginning
// of a frame. The empty list matches nothing.
//
// Trying each line, or all of them joined, takes microseconds a frame, so lines
// are found by the literals that a match must begin with. The literals are
// sorted; those that begin a frame are then the last one that is not above it,
// and its ancestors: each literal knows the longest other one that it begins
// with. Most lines are a literal and nothing else and need no expression at
// all. TestListIsItsLinesJoined and a fuzz test hold the index to the meaning.
type list struct {
	file     string
	lines    []line
	literals []indexed
	anywhere []remainder // of lines that may begin with anything
}

// indexed is a literal with what its lines want behind it.
type indexed struct {
	text       string
	parent     int // the longest other literal that text begins with, or -1
	remainders []remainder
}

// remainder is what is left to decide of a line once its literal was found.
type remainder struct {
	line  int            // index of list.lines
	end   bool           // the frame must end behind the literal
	holds string         // a text that every match has somewhere
	re    *regexp.Regexp // nil when the literal is all
}

func (m *remainder) match(frame string, literal int) bool {
	if m.re == nil {
		return !m.end || len(frame) == literal
	}
	return (m.holds == "" || strings.Contains(frame, m.holds)) && m.re.MatchString(frame)
}

// match tells whether a line matches the beginning of frame.
func (l *list) match(frame string) bool { return l.find(frame, false) >= 0 }

// line returns the first line that matches the beginning of frame.
func (l *list) line(frame string) ListLine {
	i := l.find(frame, true)
	if i < 0 {
		return ListLine{}
	}
	return ListLine{l.file, l.lines[i].number, l.lines[i].text}
}

// find returns a line that matches, or the first one, or -1.
func (l *list) find(frame string, first bool) int {
	found := -1
	for i := l.below(frame); i >= 0; i = l.literals[i].parent {
		literal := &l.literals[i]
		if !strings.HasPrefix(frame, literal.text) {
			continue
		}
		for j := range literal.remainders {
			if m := &literal.remainders[j]; (found < 0 || m.line < found) && m.match(frame, len(literal.text)) {
				if found = m.line; !first {
					return found
				}
			}
		}
	}
	for j := range l.anywhere {
		if m := &l.anywhere[j]; (found < 0 || m.line < found) && m.match(frame, 0) {
			if found = m.line; !first {
				return found
			}
		}
	}
	return found
}

// below is the index of the last literal that is not above frame in order.
func (l *list) below(frame string) int {
	low, high := 0, len(l.literals) // literals[low-1] <= frame < literals[high]
	for low < high {
		if middle := int(uint(low+high) >> 1); l.literals[middle].text <= frame {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low - 1
}

// line is a line of a list with its number.
type line struct {
	number int
	text   string
}

// anchored is a line's expression as it is matched.
func anchored(text string) string { return `^(?:` + text + `)` }

// compile makes the list of a file's lines. It refuses a line that does not
// compile, or that would match every frame.
func compile(file string, lines []line) (list, error) {
	l := list{file: file, lines: lines}
	byText, all := map[string][]remainder{}, 0
	for i, in := range lines {
		parsed, err := syntax.Parse(in.text, syntax.Perl) // by itself: "a)|(b" would leave the anchor
		if err != nil {
			return list{}, &lineError{in.number, err}
		}
		if n := size(parsed); n > maxLineSize {
			return list{}, &lineError{in.number, fmt.Errorf("an expression of %d steps, of which %d are the most: it repeats too much", n, maxLineSize)}
		} else if all += n; all > maxListSize {
			return list{}, &lineError{in.number, fmt.Errorf("the lines up to this one have more than %d steps together", maxListSize)}
		}
		begins := beginnings(parsed)
		var re *regexp.Regexp // only where a literal is not all: compiling takes longer than everything else
		if slices.ContainsFunc(begins, func(b beginning) bool { return !b.whole() || b.text == "" }) {
			if re, err = regexp.Compile(anchored(in.text)); err != nil {
				return list{}, &lineError{in.number, err}
			}
			if re.MatchString("") {
				return list{}, &lineError{in.number, fmt.Errorf("%q matches every frame", in.text)}
			}
		}
		holds := longestLiteral(parsed)
		for _, b := range begins {
			m := remainder{line: i, holds: holds, re: re, end: b.end}
			switch {
			case b.text == "" && !b.whole():
				l.anywhere = append(l.anywhere, m)
				continue
			case b.whole():
				m.re, m.holds = nil, ""
			}
			byText[b.text] = append(byText[b.text], m)
		}
	}
	for text, remainders := range byText {
		l.literals = append(l.literals, indexed{text, -1, remainders})
	}
	slices.SortFunc(l.literals, func(a, b indexed) int { return cmp.Compare(a.text, b.text) })
	for i := range l.literals {
		parent := i - 1
		for parent >= 0 && !strings.HasPrefix(l.literals[i].text, l.literals[parent].text) {
			parent = l.literals[parent].parent
		}
		l.literals[i].parent = parent
	}
	return l, nil
}

// Limits of what expressions compile to: to match a text costs as many steps for each of its bytes
// at worst, and to compile one takes time and memory in proportion. Lists of products have some
// thousand steps.
const (
	maxLineSize = 10_000
	maxListSize = 200_000
)

// size is how many steps an expression compiles to, about; more than any limit is as much as that.
func size(re *syntax.Regexp) int {
	const enough = 1 << 30
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		return max(1, len(re.Rune))
	case syntax.OpRepeat:
		times := re.Max
		if times < 0 {
			times = re.Min + 1
		}
		return int(min(int64(enough), 1+int64(times)*int64(size(re.Sub[0]))))
	default:
	}
	for _, sub := range re.Sub {
		n = min(enough, n+size(sub))
	}
	return n
}

// lineError is what is wrong with a line of a file.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }
