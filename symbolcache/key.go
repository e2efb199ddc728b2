package symbolcache

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Key identifies a symbol file as a module of a dump does. Values come from
// dumps: nothing about them can be relied on.
type Key struct {
	DebugFile string // path or base name; when empty, CodeFile stands for it
	DebugID   string // 32 hexadecimal digits and the age
	// CodeFile and CodeID are asked for when there is no debug id.
	CodeFile string
	CodeID   string
}

// Limits of what is asked for. A key that passes one is Missing.
const (
	// maxNameBytes is of a base name; with the longest ending it still is a
	// file's name everywhere.
	maxNameBytes = 200
	// A debug id has 32 digits and an age, of which eight are needed.
	minDebugIDBytes = 33
	maxDebugIDBytes = 48
	// maxCodeIDBytes is a build id of ELF.
	maxCodeIDBytes = 40
)

// guidDigits are the digits of a debug id before the age.
const guidDigits = 32

// path is the place of a key's file in a source: <debug file>/<debug id>/<stem>.sym,
// or with the code file and code id for a module without a debug id, which
// Mozilla's server redirects. A path has three elements, of which none leaves its
// folder. It is false for a key that cannot have one: without name or id, with
// an id of zeros, or with a name that is no file's.
//
// Letter case is that of Breakpad: a debug id's digits are upper case, its age
// lower case; code ids are upper case.
func (k Key) path() (string, bool) {
	if id, ok := debugID(k.DebugID); ok {
		name := k.DebugFile
		if name == "" {
			name = k.CodeFile
		}
		return join(name, id, ".pdb")
	}
	if len(k.CodeID) > maxCodeIDBytes || !digits(k.CodeID) {
		return "", false
	}
	return join(k.CodeFile, strings.ToUpper(k.CodeID), ".dll")
}

// otherCase is a path with the digits of its age in upper case, as Eliot asks for it,
// so that some stores have it so. It is false for a path that has no such digits.
func otherCase(path string) (string, bool) {
	name, rest, _ := strings.Cut(path, "/")
	id, leaf, _ := strings.Cut(rest, "/")
	upper := strings.ToUpper(id)
	if upper == id {
		return "", false
	}
	return name + "/" + upper + "/" + leaf, true
}

func debugID(id string) (string, bool) {
	if len(id) < minDebugIDBytes || len(id) > maxDebugIDBytes || !digits(id) || !digits(id[:guidDigits]) {
		return "", false
	}
	return strings.ToUpper(id[:guidDigits]) + strings.ToLower(id[guidDigits:]), true
}

// digits tells whether an id consists of hexadecimal digits that are not all zero.
func digits(id string) bool {
	return strings.Trim(id, "0") != "" && strings.Trim(id, "0123456789abcdefABCDEF") == ""
}

// join joins the elements of a path; the ending is what .sym replaces.
func join(name, id, ending string) (string, bool) {
	leaf := name[strings.LastIndexAny(name, `/\`)+1:]
	if leaf == "" || leaf == "." || leaf == ".." || len(leaf) > maxNameBytes || !utf8.ValidString(leaf) ||
		strings.ContainsFunc(leaf, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", false
	}
	stem := leaf
	if n := len(leaf) - len(ending); n > 0 && strings.EqualFold(leaf[n:], ending) {
		stem = leaf[:n]
	}
	return leaf + "/" + id + "/" + stem + ".sym", true
}

// hashKey names a file in the cache. The scope is part of it: the same module
// can have other symbols in other sources.
func hashKey(scope, path string) string {
	sum := sha256.Sum256([]byte(scope + "\x00" + path))
	return hex.EncodeToString(sum[:])
}

// scopeOf tells lists of sources apart. Names are hashed one by one, so that none
// looks like two.
func scopeOf(sources []Source) string {
	h := sha256.New()
	for _, s := range sources {
		sum := sha256.Sum256([]byte(s.Name()))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
