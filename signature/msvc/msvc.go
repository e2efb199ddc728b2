// Package msvc decodes the names that Microsoft's C++ compiler gives functions.
//
// The entry point is [Name]: of ?push_back@?$vector@H@std@@QEAAXAEBH@Z it makes
// std::vector<int>::push_back. Parameters and return types are read over where a
// name in a function needs it, and not printed; the return type of a conversion
// is. The grammar has no official text: it is known from what the compiler and
// its own undname print.
//
// Work and output are bounded, whatever the name: see the constants.
package msvc

import (
	"errors"
	"strings"
)

// ErrName tells that a text is no name of the compiler's, or one with something
// in it that this package does not know.
var ErrName = errors.New("no name of Microsoft's compiler")

// Limits: the compiler itself replaces names of more than 4,096 bytes by a hash.
const (
	maxNameBytes = 8 << 10
	maxTextBytes = 16 << 10 // of all that is decoded: back-references can multiply it
	maxDepth     = 64       // of names and types in each other
	maxBackRefs  = 10       // of each kind, by the grammar
	maxParts     = 256      // of a list: scopes, parameters, template arguments
)

// Name decodes the name of a function or variable, without types.
func Name(mangled string) (string, error) {
	if len(mangled) > maxNameBytes || len(mangled) < 2 || mangled[0] != '?' {
		return "", ErrName
	}
	d := decoder{rest: mangled[1:], left: maxTextBytes}
	text := d.symbol(false)
	if d.bad {
		return "", ErrName
	}
	return text, nil
}

// decoder reads from the front; the first thing that it does not understand sets
// bad, after which nothing counts.
type decoder struct {
	rest   string
	bad    bool
	depth  int
	left   int      // bytes that may still be made
	names  []string // that digits refer to
	params []string // the same, of types in lists of parameters
}

func (d *decoder) fail() string {
	d.bad, d.rest = true, ""
	return ""
}

// text counts what is made.
func (d *decoder) text(parts ...string) string {
	s := strings.Join(parts, "")
	if d.left -= len(s); d.left < 0 {
		return d.fail()
	}
	return s
}

// enter bounds the depth; leave follows in any case.
func (d *decoder) enter() bool {
	if d.depth++; d.depth > maxDepth {
		d.fail()
	}
	return !d.bad
}

func (d *decoder) leave() { d.depth-- }

// skip passes over a prefix if it stands next.
func (d *decoder) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(d.rest, prefix)
	d.rest = rest
	return ok
}

// next is the next byte, 0 at the end.
func (d *decoder) next() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) peek() byte {
	if d.rest == "" {
		return 0
	}
	return d.rest[0]
}

// until is what stands before an end.
func (d *decoder) until(end string) string {
	text, rest, ok := strings.Cut(d.rest, end)
	if !ok || text == "" {
		return d.fail()
	}
	d.rest = rest
	return text
}

func (d *decoder) remember(name string) {
	if len(d.names) == maxBackRefs {
		return
	}
	for _, n := range d.names {
		if n == name {
			return
		}
	}
	d.names = append(d.names, name)
}

// reference is the name that a digit stands for.
func (d *decoder) reference() string {
	if i := int(d.next() - '0'); i >= 0 && i < len(d.names) {
		return d.text(d.names[i])
	}
	return d.fail()
}

// number is a digit for 1 to 10, or hexadecimal in the letters A to P up to '@'.
func (d *decoder) number() (v uint64, negative bool) {
	negative = d.skip("?")
	if c := d.peek(); c >= '0' && c <= '9' {
		d.next()
		return uint64(c-'0') + 1, negative
	}
	for !d.bad {
		c := d.next()
		switch {
		case c == '@':
			return v, negative
		case c < 'A' || c > 'P' || v>>60 != 0:
			d.fail()
		}
		v = v<<4 | uint64(c-'A')
	}
	return 0, false
}

// symbol is a whole name behind its '?'. Of one in another name the type is read,
// too, to find its end.
func (d *decoder) symbol(whole bool) string {
	if !d.enter() {
		return ""
	}
	defer d.leave()
	name, kind := d.unqualified()
	scopes := d.scopes()
	switch kind {
	case constructor, destructor:
		if len(scopes) == 0 {
			return d.fail()
		}
		name = d.text(map[special]string{constructor: "", destructor: "~"}[kind], withoutTemplate(scopes[0]))
	case conversion:
		name = d.text("operator ", d.function())
		whole = false
	case initializer:
		return d.text(name, "'")
	default:
	}
	if whole {
		d.function()
	}
	return d.text(qualify(scopes, name))
}

// qualify puts scopes, the innermost first, before a name.
func qualify(scopes []string, name string) string {
	var b strings.Builder
	for i := len(scopes) - 1; i >= 0; i-- {
		b.WriteString(scopes[i])
		b.WriteString("::")
	}
	return b.String() + name
}

// withoutTemplate is a class' own name: what its constructor is called.
func withoutTemplate(class string) string {
	if i := strings.IndexByte(class, '<'); i > 0 {
		return class[:i]
	}
	return class
}

// scopes are those of a name, the innermost first, up to '@'.
func (d *decoder) scopes() []string {
	var out []string
	for !d.bad && !d.skip("@") {
		if len(out) == maxParts {
			d.fail()
		}
		out = append(out, d.scope())
	}
	return out
}

func (d *decoder) scope() string {
	switch c := d.peek(); {
	case c >= '0' && c <= '9':
		return d.reference()
	case d.skip("?$"):
		return d.template()
	case d.skip("?A"):
		d.skip("0x")
		d.rest = strings.TrimLeft(d.rest, "0123456789abcdef")
		if !d.skip("@") {
			return d.fail()
		}
		d.remember("`anonymous namespace'")
		return d.text("`anonymous namespace'")
	case d.skip("?Q"): // an interface
		return d.plain()
	case d.skip("?"):
		// A name in a function: its number there, and the function.
		d.number()
		if !d.skip("??") {
			return d.fail()
		}
		return d.text("`", d.symbol(true), "'")
	}
	return d.plain()
}

// plain is an identifier.
func (d *decoder) plain() string {
	name := d.until("@")
	if strings.ContainsAny(name, "?") {
		return d.fail()
	}
	d.remember(name)
	return d.text(name)
}

// template is a name with arguments, whose references count anew.
func (d *decoder) template() string {
	if !d.enter() {
		return ""
	}
	defer d.leave()
	names, params := d.names, d.params
	d.names, d.params = nil, nil
	name, _ := d.unqualified()
	args := d.arguments()
	d.names, d.params = names, params
	text := d.text(name, "<", strings.Join(args, ","), ">")
	d.remember(text)
	return text
}

// special is a name that is made of others.
type special uint8

const (
	ordinary special = iota
	constructor
	destructor
	conversion
	initializer
)

// unqualified is a name without its scopes.
func (d *decoder) unqualified() (string, special) {
	switch c := d.peek(); {
	case c >= '0' && c <= '9':
		return d.reference(), ordinary
	case d.skip("?$"):
		return d.template(), ordinary
	case d.skip("?0"):
		return "", constructor
	case d.skip("?1"):
		return "", destructor
	case d.skip("?B"):
		return "", conversion
	case d.skip("?__E"):
		return d.initializer("`dynamic initializer for '"), initializer
	case d.skip("?__F"):
		return d.initializer("`dynamic atexit destructor for '"), initializer
	case d.skip("?__K"):
		return d.text("operator \"\" ", d.until("@")), ordinary
	case d.skip("?"):
		for _, op := range operators {
			if d.skip(op.code) {
				return d.text(op.name), ordinary
			}
		}
		return d.fail(), ordinary
	}
	return d.plain(), ordinary
}

// initializer is of a variable, whose name is whole or plain.
func (d *decoder) initializer(what string) string {
	if d.skip("?") {
		name := d.symbol(true)
		d.skip("@")
		return d.text(what, name)
	}
	name := d.plain()
	return d.text(what, name)
}
