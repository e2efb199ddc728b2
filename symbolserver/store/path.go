package store

import (
	"errors"
	"fmt"
	"strings"

	"aftershock/symbolcache"
)

// ErrBadPath is about what is no path of the layout.
var ErrBadPath = errors.New("not a path of the layout")

// Limits of a path.
const (
	// MaxNameBytes is of a module's name: with every ending it still is a file's name.
	MaxNameBytes = 200
	// MaxLeafBytes is of the last element: a module's name with the longest ending.
	MaxLeafBytes = 216
	// A debug id has 32 digits and an age; a longer one is none.
	MinDebugIDDigits = 33
	MaxDebugIDDigits = 48
	// A PE's code id is its time stamp, eight digits, and its size.
	MinCodeIDDigits = 9
	MaxCodeIDDigits = 16
	// A build id is bytes, up to those that elfutils takes.
	MinBuildIDDigits = 2
	MaxBuildIDDigits = 128
	// maxPathBytes is beyond every path; what is longer is not looked at.
	maxPathBytes = 1024
)

// Elements of their own.
const (
	reserved   = ".aftershock"
	tried      = "try"
	buildID    = "buildid"
	Executable = "executable"
	DebugInfo  = "debuginfo"
)

// IncomingFolder is where files come to that are not yet looked at.
const IncomingFolder = reserved + "/incoming/"

// Incoming is the path of the n'th file of an upload, whose id has 32 hexadecimal digits;
// -1 is that of the upload itself.
func Incoming(id string, n int) string {
	if n < 0 {
		return IncomingFolder + id
	}
	return fmt.Sprintf("%s%s-%d", IncomingFolder, id, n)
}

// incomingIDDigits are those of an upload, and incomingDigits those of a file's number.
const incomingIDDigits, incomingDigits = 32, 6

// inIncoming tells whether a path is one of Incoming.
func inIncoming(path string) bool {
	name, ok := strings.CutPrefix(path, IncomingFolder)
	id, number, file := strings.Cut(name, "-")
	return ok && len(id) == incomingIDDigits && strings.Trim(id, "0123456789abcdef") == "" &&
		(!file || number != "" && len(number) <= incomingDigits && strings.Trim(number, "0123456789") == "")
}

// Kind is what the id of a path is.
type Kind int

// Kinds.
const (
	ByDebugID Kind = iota + 1
	ByCodeID
	ByBuildID
)

// Path is a path of the layout, in elements. Its ids are in the letter case in which
// every tool writes them: a debug id's digits upper, its age lower; a code id's time stamp
// upper, its size lower; a build id lower.
type Path struct {
	Try  bool
	Kind Kind
	File string // the module's name; "buildid" with a build id
	ID   string
	Leaf string
}

// String is the path in a store.
func (p Path) String() string {
	path := p.File + "/" + p.ID + "/" + p.Leaf
	if p.Try {
		return tried + "/" + path
	}
	return path
}

// IsSym tells whether the path is that of a symbol file.
func (p Path) IsSym() bool { return strings.HasSuffix(p.Leaf, ".sym") }

// SymName is the name under which every tool looks for a module's symbol file.
func SymName(debugFile string) string {
	const ending = ".pdb"
	if n := len(debugFile) - len(ending); n > 0 && strings.EqualFold(debugFile[n:], ending) {
		debugFile = debugFile[:n]
	}
	return debugFile + ".sym"
}

// ParsePath reads a path of a file, whoever it is from. The id may be in any letter case.
// What it returns stays below the place that it is joined to, and begins with no name
// that is ours.
func ParsePath(path string) (Path, error) {
	p, ok := parsePath(path)
	if !ok {
		return Path{}, fmt.Errorf("%w: %.300q: want <module>/<id>/<file>, buildid/<id>/executable or buildid/<id>/debuginfo, or that below try/", ErrBadPath, path)
	}
	return p, nil
}

func parsePath(path string) (Path, bool) {
	p, ok := elements(path)
	switch {
	case !ok:
		return Path{}, false
	case p.File == buildID && (p.Leaf == Executable || p.Leaf == DebugInfo):
		p.Kind, p.ID = ByBuildID, strings.ToLower(p.ID)
		return p, within(p.ID, MinBuildIDDigits, MaxBuildIDDigits) && len(p.ID)%2 == 0
	case within(p.ID, MinDebugIDDigits, MaxDebugIDDigits):
		const guid = MinDebugIDDigits - 1
		p.Kind, p.ID = ByDebugID, strings.ToUpper(p.ID[:guid])+strings.ToLower(p.ID[guid:])
		return p, strings.Trim(p.ID[:guid], "0") != "" && ofModule(p)
	case within(p.ID, MinCodeIDDigits, MaxCodeIDDigits):
		const stamp = 8
		p.Kind, p.ID = ByCodeID, strings.ToUpper(p.ID[:stamp])+strings.ToLower(p.ID[stamp:])
		return p, !p.IsSym() && ofModule(p)
	}
	return Path{}, false
}

// ParseCode reads a path that asks for a symbol file by code file and code id, as
// Mozilla's server answers it: the id is shorter than a debug id's, or an ELF's build id of
// 40 digits. The code id it returns is in upper case.
func ParseCode(path string) (try bool, codeFile, codeID string, ok bool) {
	p, ok := elements(path)
	if !ok || !p.IsSym() || !within(p.ID, 1, MinDebugIDDigits-1) && !within(p.ID, 40, 40) {
		return false, "", "", false
	}
	return p.Try, p.File, strings.ToUpper(p.ID), true
}

// elements takes apart a path of three elements, or of four that begin with try.
func elements(path string) (p Path, ok bool) {
	if len(path) > maxPathBytes {
		return Path{}, false
	}
	parts := strings.Split(path, "/")
	if len(parts) == 4 && parts[0] == tried {
		p.Try, parts = true, parts[1:]
	}
	if len(parts) != 3 || !validName(parts[0], MaxNameBytes) || parts[0] == reserved || !validName(parts[2], MaxLeafBytes) {
		return Path{}, false
	}
	p.File, p.ID, p.Leaf = parts[0], parts[1], parts[2]
	return p, true
}

// validName tells whether an element may be a file's name. What it forbids is what
// Mozilla's server forbids in a key.
func validName(name string, maxBytes int) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxBytes {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7f || strings.IndexByte("\\^`><{}[]#%\"'|/", c) >= 0 {
			return false
		}
	}
	return true
}

// within tells whether an id has so many hexadecimal digits, not all of them zero.
func within(id string, least, most int) bool {
	return len(id) >= least && len(id) <= most && strings.Trim(id, "0") != "" && strings.Trim(id, "0123456789abcdefABCDEF") == ""
}

// leafEndings are those of files beside a module's own.
var leafEndings = []string{".sym", ".dl_", ".ex_", ".pd_", ".dbg", ".dbg.gz", ".tar.bz2"}

// ofModule tells whether a path's last element is a file of its module: the module
// itself, that as the symbol server packs it, which has the last letter replaced, or one
// of a known ending.
func ofModule(p Path) bool {
	if p.Leaf == "file.ptr" {
		return false // asked for by symbol servers' clients, and never there
	}
	if p.Leaf == p.File || p.Leaf == p.File[:len(p.File)-1]+"_" {
		return true
	}
	for _, ending := range leafEndings {
		if len(p.Leaf) > len(ending) && strings.HasSuffix(p.Leaf, ending) {
			return true
		}
	}
	return false
}

// checkPath tells whether a store has such a path: a file's, one of the index, or of what comes in.
func checkPath(path string) error {
	if p, ok := parsePath(path); ok && p.String() == path || inIndex(path) || inIncoming(path) {
		return nil
	}
	return fmt.Errorf("%w: %.300q", ErrBadPath, path)
}

// checkRead is checkPath for who only asks: such a file there is not.
func checkRead(path string) error {
	if err := checkPath(path); err != nil {
		return fmt.Errorf("%w: %w", symbolcache.ErrNotFound, err)
	}
	return nil
}
