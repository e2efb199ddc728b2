package symboldump

import (
	"math"
	"strconv"
	"strings"
)

// rustV0 demangles a name of Rust's second mangling (RFC 2603) as rustc-demangle's
// short form does: without the hashes of crates and the types of constants. It
// answers false for names that make no sense, or have what is not read here
// (Punycode, constants that are no numbers).
func rustV0(mangled string) (string, bool) {
	rest, ok := strings.CutPrefix(mangled, "_R")
	if !ok || rest == "" || rest[0] < 'A' || rest[0] > 'Z' {
		return "", false
	}
	p := rustParser{text: rest}
	p.path(true)
	if p.at < len(p.text) && p.text[p.at] != '.' { // the crate that instantiated it
		p.quietly(func() { p.path(false) })
	}
	suffix := p.text[min(p.at, len(p.text)):]
	if p.bad || suffix != "" && suffix[0] != '.' {
		return "", false
	}
	return p.out.String() + suffix, true
}

// rustParser reads a name and writes it at the same time.
type rustParser struct {
	text  string
	at    int
	out   strings.Builder
	quiet int // parts that are read and not written
	depth int
	bound uint64 // lifetimes that binders around have named
	bad   bool
}

// maxRustDepth bounds how deep paths and types nest. rustc-demangle's limit is 500.
const maxRustDepth = 500

func (p *rustParser) fail() { p.bad, p.at = true, len(p.text) }

func (p *rustParser) write(s string) {
	if p.quiet > 0 || p.bad {
		return
	}
	if p.out.Len()+len(s) > maxDemangledBytes {
		p.fail()
		return
	}
	p.out.WriteString(s)
}

func (p *rustParser) quietly(read func()) {
	p.quiet++
	read()
	p.quiet--
}

func (p *rustParser) next() byte {
	if p.at >= len(p.text) {
		p.fail()
		return 0
	}
	p.at++
	return p.text[p.at-1]
}

func (p *rustParser) eat(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// base62 reads a number of 0-9a-zA-Z and "_"; "_" alone is 0.
func (p *rustParser) base62() uint64 {
	if p.eat('_') {
		return 0
	}
	var v uint64
	for !p.eat('_') {
		c := p.next()
		var digit uint64
		switch {
		case c >= '0' && c <= '9':
			digit = uint64(c - '0')
		case c >= 'a' && c <= 'z':
			digit = uint64(c-'a') + 10
		case c >= 'A' && c <= 'Z':
			digit = uint64(c-'A') + 36
		default:
			p.fail()
		}
		if p.bad || v > (math.MaxUint64-2-digit)/62 {
			p.fail()
			return 0
		}
		v = v*62 + digit
	}
	return v + 1
}

// optional62 is 0 without the tag, else one more than the number behind it.
func (p *rustParser) optional62(tag byte) uint64 {
	if !p.eat(tag) {
		return 0
	}
	return p.base62() + 1
}

func (p *rustParser) identifier() string {
	if p.eat('u') { // Punycode
		p.fail()
		return ""
	}
	from := p.at
	if !p.eat('0') { // which no number begins with
		for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
			p.at++
		}
	}
	n, err := strconv.Atoi(p.text[from:p.at])
	p.eat('_')
	if err != nil || n > len(p.text)-p.at {
		p.fail()
		return ""
	}
	p.at += n
	return p.text[p.at-n : p.at]
}

// backref reads what stands at an earlier place; not when nothing is written.
func (p *rustParser) backref(read func()) {
	start := p.at - 1
	to := p.base62()
	if p.bad || to >= uint64(start) {
		p.fail()
		return
	}
	if p.quiet > 0 {
		return
	}
	back := p.at
	p.at = int(to)
	read()
	if !p.bad {
		p.at = back
	}
}

// enter counts a level of nesting.
func (p *rustParser) enter() bool {
	if p.depth++; p.depth > maxRustDepth {
		p.fail()
	}
	return !p.bad
}

// path reads a path. inValue tells that generic arguments need a "::" before them.
func (p *rustParser) path(inValue bool) {
	if !p.enter() {
		return
	}
	defer func() { p.depth-- }()
	switch tag := p.next(); tag {
	case 'C':
		p.optional62('s')
		p.write(p.identifier())
	case 'N':
		p.nested(p.next(), inValue)
	case 'M', 'X', 'Y':
		if tag != 'Y' { // where the impl stands
			p.optional62('s')
			p.quietly(func() { p.path(false) })
		}
		p.write("<")
		p.typ()
		if tag != 'M' {
			p.write(" as ")
			p.path(false)
		}
		p.write(">")
	case 'I':
		p.path(inValue)
		if inValue {
			p.write("::")
		}
		p.write("<")
		p.list(p.genericArgument)
		p.write(">")
	case 'B':
		p.backref(func() { p.path(inValue) })
	default:
		p.fail()
	}
}

// nested reads the rest of a path with a name in it.
func (p *rustParser) nested(namespace byte, inValue bool) {
	p.path(inValue)
	number := p.optional62('s')
	name := p.identifier()
	if namespace >= 'a' && namespace <= 'z' {
		if name != "" {
			p.write("::" + name)
		}
		return
	}
	kind := string(rune(namespace))
	switch namespace {
	case 'C':
		kind = "closure"
	case 'S':
		kind = "shim"
	}
	if name != "" {
		kind += ":" + name
	}
	p.write("::{" + kind + "#" + strconv.FormatUint(number, 10) + "}")
}

// list reads up to an E, and answers how many there were.
func (p *rustParser) list(one func()) int {
	n := 0
	for ; !p.bad && !p.eat('E'); n++ {
		if n > 0 {
			p.write(", ")
		}
		one()
	}
	return n
}

func (p *rustParser) genericArgument() {
	switch {
	case p.eat('L'):
		p.lifetime(p.base62())
	case p.eat('K'):
		p.constant()
	default:
		p.typ()
	}
}

func (p *rustParser) lifetime(index uint64) {
	switch {
	case index == 0:
		p.write("'_")
	case index > p.bound:
		p.fail()
	case p.bound-index < 26:
		p.write("'" + string(rune('a'+p.bound-index)))
	default:
		p.write("'_" + strconv.FormatUint(p.bound-index, 10))
	}
}

// binder reads the lifetimes that "for<…>" names, and what they hold for.
func (p *rustParser) binder(read func()) {
	n := p.optional62('G')
	if n > 1<<10 {
		p.fail()
		return
	}
	before := p.bound
	if n > 0 {
		p.write("for<")
		for i := range n {
			if i > 0 {
				p.write(", ")
			}
			p.bound++
			p.lifetime(1)
		}
		p.write("> ")
	}
	read()
	p.bound = before
}

var rustBasicTypes = map[byte]string{
	'a': "i8", 'b': "bool", 'c': "char", 'd': "f64", 'e': "str", 'f': "f32", 'h': "u8", 'i': "isize", 'j': "usize", 'l': "i32", 'm': "u32",
	'n': "i128", 'o': "u128", 'p': "_", 's': "i16", 't': "u16", 'u': "()", 'v': "...", 'x': "i64", 'y': "u64", 'z': "!",
}

func (p *rustParser) typ() {
	if !p.enter() {
		return
	}
	defer func() { p.depth-- }()
	tag := p.next()
	if name, ok := rustBasicTypes[tag]; ok {
		p.write(name)
		return
	}
	switch tag {
	case 'R', 'Q':
		p.write("&")
		if p.eat('L') {
			if index := p.base62(); index != 0 {
				p.lifetime(index)
				p.write(" ")
			}
		}
		if tag == 'Q' {
			p.write("mut ")
		}
		p.typ()
	case 'P':
		p.write("*const ")
		p.typ()
	case 'O':
		p.write("*mut ")
		p.typ()
	case 'A', 'S':
		p.write("[")
		p.typ()
		if tag == 'A' {
			p.write("; ")
			p.constant()
		}
		p.write("]")
	case 'T':
		p.write("(")
		if p.list(p.typ) == 1 {
			p.write(",")
		}
		p.write(")")
	case 'F':
		p.binder(p.function)
	case 'D':
		p.write("dyn ")
		p.binder(p.dynTraits)
		if !p.eat('L') {
			p.fail()
		} else if index := p.base62(); index != 0 {
			p.write(" + ")
			p.lifetime(index)
		}
	case 'B':
		p.backref(p.typ)
	default: // a path
		if p.bad {
			return
		}
		p.at--
		p.path(false)
	}
}

func (p *rustParser) function() {
	if p.eat('U') {
		p.write("unsafe ")
	}
	if p.eat('K') {
		abi := "C"
		if !p.eat('C') {
			abi = strings.ReplaceAll(p.identifier(), "_", "-")
		}
		p.write(`extern "` + abi + `" `)
	}
	p.write("fn(")
	p.list(p.typ)
	p.write(")")
	if !p.eat('u') {
		p.write(" -> ")
		p.typ()
	}
}

func (p *rustParser) dynTraits() {
	for n := 0; !p.bad && !p.eat('E'); n++ {
		if n > 0 {
			p.write(" + ")
		}
		open := p.openPath()
		for p.eat('p') {
			if open {
				p.write(", ")
			} else {
				p.write("<")
			}
			open = true
			p.write(p.identifier() + " = ")
			p.typ()
		}
		if open {
			p.write(">")
		}
	}
}

// openPath reads a path and leaves its generic arguments open: it answers whether
// there are some.
func (p *rustParser) openPath() (open bool) {
	switch {
	case p.eat('B'):
		p.backref(func() { open = p.openPath() })
	case p.eat('I'):
		p.path(false)
		p.write("<")
		p.list(p.genericArgument)
		open = true
	default:
		p.path(false)
	}
	return open
}

// constant reads a number, a truth or a character.
func (p *rustParser) constant() {
	if !p.enter() {
		return
	}
	defer func() { p.depth-- }()
	kind := p.next()
	switch kind {
	case 'B':
		p.backref(p.constant)
		return
	case 'p':
		p.write("_")
		return
	case 'a', 's', 'l', 'x', 'n', 'i':
		if p.eat('n') {
			p.write("-")
		}
	case 'h', 't', 'm', 'y', 'o', 'j', 'b', 'c':
	default:
		p.fail()
		return
	}
	from := p.at
	for !p.bad && !p.eat('_') {
		if c := p.next(); (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			p.fail()
		}
	}
	if p.bad {
		return
	}
	hex := p.text[from : p.at-1]
	v, err := strconv.ParseUint("0"+hex, 16, 64)
	switch {
	case kind == 'b' && err == nil && v < 2:
		p.write(strconv.FormatBool(v == 1))
	case kind == 'c' && err == nil && v <= 0x10ffff:
		p.write(strconv.QuoteRune(rune(v)))
	case kind == 'b' || kind == 'c':
		p.fail()
	case err != nil:
		p.write("0x" + hex)
	default:
		p.write(strconv.FormatUint(v, 10))
	}
}
