package symboldump

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// cloneSuffixes are what compilers append to the name of a function that they
// made a part or a variant of; the number behind one goes with it. dump_syms cuts
// the same off.
var cloneSuffixes = [...]string{".cold", ".constprop", ".llvm", ".localalias", ".lto_priv", ".isra", ".part", ".str"}

// symbolName is a symbol's name as records have it: demangled, without return
// type, on one line.
func symbolName(raw []byte, report *Report) string {
	if len(raw) > maxNameBytes {
		raw = raw[:maxNameBytes]
		report.drop(NameTooLong)
	}
	name := withoutClones(string(raw))
	if isMangled(name) && report.demangle(len(name)) {
		plain, ok := demangled(name)
		if report.spell(plain, ok); ok {
			return oneLine(plain)
		}
	}
	return oneLine(name)
}

// publicName is the name of a symbol whose language nobody knows: what is not
// mangled is its whole name.
func publicName(raw []byte, report *Report) string {
	if !isMangled(string(cut(raw, 4))) {
		return wholeName(raw, report)
	}
	return symbolName(raw, report)
}

// wholeName is a name of which nothing is cut but what is beyond the limit.
func wholeName(raw []byte, report *Report) string {
	if len(raw) > maxNameBytes {
		report.drop(NameTooLong)
	}
	return oneLine(string(cut(raw, maxNameBytes)))
}

func isMangled(name string) bool {
	return strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "__Z") || strings.HasPrefix(name, "_R")
}

// demangled is the name of C++ or Rust.
func demangled(name string) (string, bool) {
	mangled := name
	if strings.HasPrefix(name, "__") { // as Mach-O has them
		mangled = name[1:]
	}
	if plain, ok := rustV0(mangled); ok {
		return plain, true
	}
	if plain, ok := oldRust(mangled); ok {
		return plain, len(plain) <= maxDemangledBytes
	}
	options := []demangle.Option{demangle.NoClones, demangle.MaxLength(maxDemangledPower)}
	if strings.HasPrefix(mangled, "_R") {
		plain, err := demangle.ToString(mangled, options...)
		return plain, err == nil && len(plain) <= maxDemangledBytes
	}
	ast, err := demangle.ToAST(mangled, options...)
	if err != nil {
		return "", false
	}
	if t, ok := ast.(*demangle.Typed); ok {
		withoutReturn(t.Type)
	}
	plain := demangle.ASTToString(ast, options...)
	return plain, len(plain) < maxDemangledBytes
}

func withoutReturn(a demangle.AST) {
	switch t := a.(type) {
	case *demangle.FunctionType:
		t.Return = nil
	case *demangle.MethodWithQualifiers:
		withoutReturn(t.Method)
	}
}

// withoutClones cuts what compilers append to names.
func withoutClones(name string) string {
	for range maxCloneParts {
		cut := name
		if i := strings.LastIndex(cut, "[clone"); i >= 0 && strings.IndexByte(cut[i:], ']') >= len(strings.TrimRight(cut[i:], " "))-1 {
			cut = strings.TrimSuffix(cut[:i], " ")
		} else {
			if i := strings.LastIndexByte(cut, '.'); i >= 0 && i+1 < len(cut) && strings.Trim(cut[i+1:], "0123456789") == "" {
				cut = cut[:i]
			}
			suffixed := cut
			for _, suffix := range cloneSuffixes {
				cut = strings.TrimSuffix(cut, suffix)
			}
			if cut == suffixed { // a number alone is part of the name
				return name
			}
		}
		if cut == name {
			return name
		}
		name = cut
	}
	return name
}

// oneLine makes the rest of a record of a name. Bytes that are no UTF-8 stay.
func oneLine(name string) string {
	if !strings.ContainsAny(name, "\n\r\x00") {
		return name
	}
	line := []byte(name)
	for i, c := range line {
		if c == '\n' || c == '\r' || c == 0 {
			line[i] = '_'
		}
	}
	return string(line)
}
