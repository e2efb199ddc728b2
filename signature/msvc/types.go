package msvc

import (
	"strconv"
	"strings"
)

var primitives = map[string]string{
	"C": "signed char", "D": "char", "E": "unsigned char", "F": "short", "G": "unsigned short", "H": "int", "I": "unsigned int", "J": "long",
	"K": "unsigned long", "M": "float", "N": "double", "O": "long double", "X": "void", "_J": "__int64", "_K": "unsigned __int64", "_N": "bool",
	"_W": "wchar_t", "_Q": "char8_t", "_S": "char16_t", "_U": "char32_t", "_L": "__int128", "_M": "unsigned __int128", "_P": "auto", "_T": "decltype(auto)",
}

// qualifiers by the letters A to D.
var qualifiers = [...]string{"", " const", " volatile", " const volatile"}

// typ is a type.
func (d *decoder) typ() string {
	if !d.enter() {
		return ""
	}
	defer d.leave()
	switch {
	case d.skip("$$T"):
		return d.text("std::nullptr_t")
	case d.skip("$$B"):
		return d.typ()
	case d.skip("$$A6"):
		return d.signature()
	case d.skip("$$A8@@"):
		d.thisQualifiers()
		return d.signature()
	case d.skip("$$C"), d.skip("?"):
		q := d.qualifier()
		return d.text(d.typ(), q)
	case d.skip("$$Q"), d.skip("$$R"):
		return d.pointer("&&")
	case d.skip("T"), d.skip("U"), d.skip("V"):
		return d.class()
	case d.skip("W"):
		d.next() // the size of its numbers
		return d.class()
	case d.skip("A"), d.skip("B"):
		return d.pointer("&")
	case d.skip("P"), d.skip("Q"), d.skip("R"), d.skip("S"):
		return d.pointer("*")
	case d.skip("Y"):
		return d.array()
	}
	for _, size := range [...]int{1, 2} {
		if len(d.rest) >= size {
			if name, ok := primitives[d.rest[:size]]; ok {
				d.rest = d.rest[size:]
				return d.text(name)
			}
		}
	}
	return d.fail()
}

func (d *decoder) qualifier() string {
	if c := d.next() - 'A'; c < 4 {
		return qualifiers[c]
	}
	return d.fail()
}

// class is the qualified name of a class or enumeration.
func (d *decoder) class() string {
	name, _ := d.unqualified()
	return d.text(qualify(d.scopes(), name))
}

// extended passes over __ptr64, __unaligned and __restrict.
func (d *decoder) extended() {
	d.rest = strings.TrimLeft(d.rest, "EFI")
}

func (d *decoder) pointer(kind string) string {
	switch {
	case d.skip("6"):
		return d.text(d.signature(), kind)
	case d.skip("8"):
		class := d.class()
		d.thisQualifiers()
		return d.text(d.signature(), " ", class, "::", kind)
	}
	d.extended()
	if c := d.peek(); c >= 'Q' && c <= 'T' { // to a member
		d.next()
		class := d.class()
		return d.text(d.typ(), qualifiers[c-'Q'], " ", class, "::", kind)
	}
	q := d.qualifier()
	return d.text(d.typ(), q, " ", kind)
}

func (d *decoder) array() string {
	n, _ := d.number()
	if n > maxParts {
		return d.fail()
	}
	bounds := ""
	for range n {
		size, _ := d.number()
		bounds += "[" + strconv.FormatUint(size, 10) + "]"
	}
	return d.text(d.typ(), bounds)
}

// thisQualifiers are those of a member function's object.
func (d *decoder) thisQualifiers() {
	d.extended()
	if !d.skip("G") {
		d.skip("H")
	}
	d.qualifier()
}

// signature is the type of a function from its calling convention on, without its
// qualifiers: "int (char)".
func (d *decoder) signature() string {
	returns, params := d.prototype()
	return d.text(returns, " (", params, ")")
}

func (d *decoder) prototype() (returns, params string) {
	if c := d.next(); c < 'A' || c > 'Z' {
		d.fail()
	}
	if !d.skip("@") { // constructors return nothing
		returns = d.typ()
	}
	params = strings.Join(d.parameters(), ",")
	if !d.skip("Z") && !d.skip("_E") {
		d.fail()
	}
	return returns, params
}

func (d *decoder) parameters() []string {
	if d.skip("X") {
		return nil
	}
	var out []string
	for !d.bad {
		switch c := d.peek(); {
		case d.skip("@"):
			return out
		case d.skip("Z"):
			return append(out, "...")
		case len(out) == maxParts:
			d.fail()
		case c >= '0' && c <= '9':
			d.next()
			if int(c-'0') >= len(d.params) {
				d.fail()
				return nil
			}
			out = append(out, d.text(d.params[c-'0']))
		default:
			before := len(d.rest)
			t := d.typ()
			if before-len(d.rest) > 1 && len(d.params) < maxBackRefs {
				d.params = append(d.params, t)
			}
			out = append(out, t)
		}
	}
	return nil
}

// function reads the type behind a name, and answers what a function returns.
func (d *decoder) function() (returns string) {
	switch c := d.next(); {
	case c == '9': // extern "C"
		return ""
	case c >= '0' && c <= '4': // a variable
		d.typ()
		d.extended()
		d.qualifier()
		return ""
	case c < 'A' || c > 'Z':
		return d.fail()
	case c >= 'Y':
	default:
		switch kind := (c - 'A') % 8; kind {
		case 2, 3: // static
		case 6, 7: // thunks that adjust the object
			d.number()
			d.thisQualifiers()
		default:
			d.thisQualifiers()
		}
	}
	returns, _ = d.prototype()
	return returns
}

// arguments are those of a template, up to '@'.
func (d *decoder) arguments() []string {
	var out []string
	for !d.bad && !d.skip("@") {
		if len(out) == maxParts {
			d.fail()
		}
		switch {
		case d.skip("$$V"), d.skip("$$$V"), d.skip("$$Z"), d.skip("$S"): // of packs
		case d.skip("$$Y"):
			out = append(out, d.class())
		case d.skip("$M"): // of a type that stands before
			d.typ()
		case d.skip("$0"):
			v, negative := d.number()
			text := strconv.FormatUint(v, 10)
			if negative {
				text = "-" + text
			}
			out = append(out, d.text(text))
		case d.skip("$1?"), d.skip("$E?"):
			out = append(out, d.text("&", d.symbol(true)))
		default:
			out = append(out, d.typ())
		}
	}
	return out
}
