package signature

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/tools/txtar"
)

// Files of a ruleset, by the names that Socorro gives them. switches.txt is
// ours: without it every switch is off, which is Socorro's behaviour.
const (
	irrelevantFile  = "irrelevant_signature_re.txt"
	prefixFile      = "prefix_signature_re.txt"
	lineNumbersFile = "signatures_with_line_numbers_re.txt"
	sentinelsFile   = "signature_sentinels.txt"
	switchesFile    = "switches.txt"
)

var fileNames = []string{irrelevantFile, prefixFile, lineNumbersFile, sentinelsFile, switchesFile}

// Limits of a ruleset, which comes from an operator or a Kafka topic.
const (
	maxFileBytes = 1 << 20
	maxLines     = 20_000 // of one file
	maxLineBytes = 4 << 10
)

// Ruleset is the data of the signature rules: lists of regular expressions,
// matched at the beginning of a normalised frame, of sentinels and of switches.
// It is safe for concurrent use; all it changes is a cache of bounded size.
type Ruleset struct {
	irrelevant, prefix, lineNumbers list
	sentinels                       map[string]bool
	sentinelLines                   []line
	switches                        switches
	files                           []File
	hash                            string
	cache                           *cache
}

// File is one file of a ruleset.
type File struct{ Name, Text string }

//go:embed rulesets
var rulesets embed.FS

// Default is the ruleset that ships with this release.
func Default() *Ruleset { return shipped() }

// shipped compiles it when it is first asked for: most verbs never do.
var shipped = sync.OnceValue(func() *Ruleset {
	dir, err := fs.Sub(rulesets, "rulesets/v2")
	if err != nil {
		panic(err) // a path in the source
	}
	r, err := FromFS(dir)
	if err != nil {
		panic(err) // embedded: a test reads it
	}
	return r
})

// FromFS reads the ruleset in a directory. Files of other names are ignored.
func FromFS(dir fs.FS) (*Ruleset, error) {
	files := map[string]string{}
	for _, name := range fileNames {
		text, err := fs.ReadFile(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ruleset: %w", err)
		}
		files[name] = string(text)
	}
	return FromFiles(files)
}

// FromArchive reads a ruleset that is one file: a txtar archive of the files
// that a directory would hold.
func FromArchive(data []byte) (*Ruleset, error) {
	files := map[string]string{}
	for _, f := range txtar.Parse(data).Files {
		if _, again := files[f.Name]; again {
			return nil, fmt.Errorf("ruleset: %s: twice in the archive", f.Name)
		}
		files[f.Name] = string(f.Data)
	}
	return FromFiles(files)
}

// Archive is the ruleset as one file: FromArchive of it gives an equal one when
// every file ends with a newline.
func (r *Ruleset) Archive() []byte {
	var a txtar.Archive
	for _, f := range r.files {
		a.Files = append(a.Files, txtar.File{Name: f.Name, Data: []byte(f.Text)})
	}
	return txtar.Format(&a)
}

// FromFiles reads a ruleset from texts by file name. It refuses unknown names,
// none at all, and lines that do not compile or match the empty text, with file
// and line.
func FromFiles(files map[string]string) (*Ruleset, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("ruleset: want one or more of %s", strings.Join(fileNames, ", "))
	}
	r := &Ruleset{sentinels: map[string]bool{}, cache: newCache()}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if err := r.read(name, text); err != nil {
			return nil, fmt.Errorf("ruleset: %s:%w", name, err)
		}
		r.files = append(r.files, File{name, text})
	}
	r.hash = hash(r.files)
	r.cache.least = r.switches.probability
	return r, nil
}

// Hash identifies the content: SHA-256 of names and texts, hexadecimal.
func (r *Ruleset) Hash() string { return r.hash }

// Files are the ruleset's files by name: FromFiles of them gives an equal one.
// The caller must not change the slice.
func (r *Ruleset) Files() []File { return r.files }

func hash(files []File) string {
	h := sha256.New()
	for _, f := range files {
		for _, s := range []string{f.Name, f.Text} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
			h.Write([]byte(s))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r *Ruleset) read(name, text string) (err error) {
	if !slices.Contains(fileNames, name) {
		return errors.New(" no file of a ruleset has this name")
	}
	if len(text) > maxFileBytes {
		return fmt.Errorf(" %d bytes, want at most %d", len(text), maxFileBytes)
	}
	lines, err := listLines(text)
	if err != nil {
		return err
	}
	switch name {
	case irrelevantFile:
		r.irrelevant, err = compile(name, lines)
	case prefixFile:
		r.prefix, err = compile(name, lines)
	case lineNumbersFile:
		r.lineNumbers, err = compile(name, lines)
	case sentinelsFile:
		r.sentinelLines = lines
		for _, l := range lines {
			r.sentinels[l.text] = true
		}
	case switchesFile:
		err = r.switches.read(lines)
	}
	return err
}

// listLines trims lines and drops blank ones and comments.
func listLines(text string) ([]line, error) {
	var out []line
	number := 0
	for s := range strings.SplitSeq(text, "\n") {
		number++
		s = strip(s)
		switch {
		case s == "" || strings.HasPrefix(s, "#"):
		case number > maxLines:
			return nil, &lineError{number, fmt.Errorf("more than %d lines", maxLines)}
		case len(s) > maxLineBytes:
			return nil, &lineError{number, fmt.Errorf("%d bytes, want at most %d", len(s), maxLineBytes)}
		default:
			out = append(out, line{number, s})
		}
	}
	return out, nil
}

// sentinelLine is the line that makes a frame a sentinel.
func (r *Ruleset) sentinelLine(frame string) ListLine {
	for _, l := range r.sentinelLines {
		if l.text == frame {
			return ListLine{sentinelsFile, l.number, l.text}
		}
	}
	return ListLine{}
}

// probabilitySwitch is the one that has a value.
const probabilitySwitch = "probability"

func (s *switches) read(lines []line) error {
	byName := s.byName()
	for _, l := range lines {
		if value, ok := strings.CutPrefix(l.text, probabilitySwitch+" "); ok {
			p, err := strconv.ParseFloat(strip(value), 64)
			if err != nil || !(p > 0 && p <= 1) {
				return &lineError{l.number, fmt.Errorf("%s: want a number above 0 and up to 1, not %q", probabilitySwitch, value)}
			}
			s.probability = p
			continue
		}
		on, ok := byName[l.text]
		if !ok {
			names := append(slices.Sorted(maps.Keys(byName)), probabilitySwitch+" P")
			return &lineError{l.number, fmt.Errorf("no such switch: %q; there are: %s", l.text, strings.Join(names, ", "))}
		}
		*on = true
	}
	return nil
}
