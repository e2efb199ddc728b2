package symbolcache

import (
	"context"
	"errors"
	"strings"
	"time"
)

// modulePath names a module's own file: <name>/<debug id>/<code id>, of which one id
// may be empty. modules turns it into what sources have. It is false for a key
// that cannot have one.
func (k Key) modulePath() (string, bool) {
	id, ok := debugID(k.DebugID)
	code := k.CodeID
	if len(code) > maxCodeIDBytes || !digits(code) {
		code = ""
	}
	name := k.CodeFile
	if name == "" {
		name = k.DebugFile
	}
	path, named := join(name, id, "\x00") // which replaces nothing
	if !named || !ok && code == "" {
		return "", false
	}
	leaf, _, _ := strings.Cut(path, "/")
	return leaf + "/" + id + "/" + code, true
}

// modules is a source of modules' own files. In the order in which they are asked
// for, they lie at
//
//	<name>/<debug id>/<name>               as symbol files do
//	<name>/<code id>/<name>                as PE files do on Microsoft's servers
//	<name>/elf-buildid-<id>/<name>         and ELF files (SSQP key conventions)
//	buildid/<build id>/executable          on debuginfod's
type modules struct{ Source }

func (m modules) Name() string { return "modules " + m.Source.Name() }

// places are those of a path.
func (m modules) places(path string) []string {
	name, rest, _ := strings.Cut(path, "/")
	id, code, _ := strings.Cut(rest, "/")
	var out []string
	if id != "" {
		out = append(out, name+"/"+id+"/"+name)
	}
	if code != "" {
		lower := strings.ToLower(code)
		out = append(out, name+"/"+code+"/"+name)
		if lower != code {
			out = append(out, name+"/"+lower+"/"+name)
		}
		if len(code) == buildIDDigits {
			out = append(out, name+"/elf-buildid-"+lower+"/"+name, "buildid/"+lower+"/executable")
		}
	}
	return out
}

// buildIDDigits are those of a build id by SHA-1, as linkers write it.
const buildIDDigits = 40

// Open opens the file at the first place that has it.
func (m modules) Open(ctx context.Context, path string) (Body, error) {
	denied := error(nil)
	for _, place := range m.places(path) {
		body, err := m.Source.Open(ctx, place)
		switch {
		case err == nil:
			return body, nil
		case errors.Is(err, ErrDenied):
			denied = err // as S3 answers for what it has not, to who may not list
		case !errors.Is(err, ErrNotFound):
			return Body{}, err
		}
	}
	if denied != nil {
		return Body{}, denied
	}
	return Body{}, ErrNotFound
}

func (m modules) changedSince(path string, t time.Time) bool {
	s, ok := m.Source.(changer)
	if !ok {
		return false
	}
	for _, place := range m.places(path) {
		if s.changedSince(place, t) {
			return true
		}
	}
	return false
}
