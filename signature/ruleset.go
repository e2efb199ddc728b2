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
	"regexp"
	"slices"
	"strings"
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
)

// Ruleset is the data of the signature rules: lists of regular expressions,
// matched at the start of a normalised frame, and of sentinels. It is immutable
// and safe for concurrent use.
type Ruleset struct {
	irrelevant, prefix, lineNumbers list
	sentinels                       map[string]bool
	switches                        switches
	files                           []File
	hash                            string
}

// File is one file of a ruleset.
type File struct{ Name, Text string }

// switches are behaviours beyond Socorro's.
type switches struct {
	coarseAddresses bool
}

// list is a file of regular expressions, joined. A nil expression matches nothing.
type list struct{ re *regexp.Regexp }

func (l list) match(frame string) bool { return l.re != nil && l.re.MatchString(frame) }

//go:embed rulesets
var rulesets embed.FS

var defaultRuleset = func() *Ruleset {
	r, err := v1()
	if err != nil {
		panic(err) // embedded: a test reads it
	}
	return r
}()

func v1() (*Ruleset, error) {
	dir, err := fs.Sub(rulesets, "rulesets/v1")
	if err != nil {
		return nil, err
	}
	return FromFS(dir)
}

// Default is the ruleset that ships with this release.
func Default() *Ruleset { return defaultRuleset }

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

// FromFiles reads a ruleset from texts by file name. It refuses unknown names,
// none at all, and lines that do not compile or match the empty text, with file
// and line.
func FromFiles(files map[string]string) (*Ruleset, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("ruleset: want one or more of %s", strings.Join(fileNames, ", "))
	}
	r := &Ruleset{sentinels: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if err := r.read(name, text); err != nil {
			return nil, fmt.Errorf("ruleset: %s:%w", name, err)
		}
		r.files = append(r.files, File{name, text})
	}
	r.hash = hash(r.files)
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
	if len(text) > maxFileBytes {
		return fmt.Errorf(" %d bytes, want at most %d", len(text), maxFileBytes)
	}
	lines, err := listLines(text)
	if err != nil {
		return err
	}
	switch name {
	case irrelevantFile:
		r.irrelevant, err = compile(lines)
	case prefixFile:
		r.prefix, err = compile(lines)
	case lineNumbersFile:
		r.lineNumbers, err = compile(lines)
	case sentinelsFile:
		for _, l := range lines {
			r.sentinels[l.text] = true
		}
	case switchesFile:
		err = r.switches.read(lines)
	default:
		return errors.New(" no file of a ruleset has this name")
	}
	return err
}

// line is a line of a list with its number.
type line struct {
	number int
	text   string
}

// listLines trims lines and drops blank ones and comments.
func listLines(text string) ([]line, error) {
	var out []line
	number := 0
	for s := range strings.SplitSeq(text, "\n") {
		if number++; number > maxLines {
			return nil, fmt.Errorf("%d: more than %d lines", number, maxLines)
		}
		if s = strings.TrimFunc(s, isSpace); s != "" && !strings.HasPrefix(s, "#") {
			out = append(out, line{number, s})
		}
	}
	return out, nil
}

// compile joins the lines into one expression that matches at the start.
func compile(lines []line) (list, error) {
	if len(lines) == 0 {
		return list{}, nil
	}
	texts := make([]string, len(lines))
	for i, l := range lines {
		re, err := regexp.Compile(`^(?:` + l.text + `)`)
		if err != nil {
			return list{}, fmt.Errorf("%d: %w", l.number, err)
		}
		if re.MatchString("") {
			return list{}, fmt.Errorf("%d: %q matches every frame", l.number, l.text)
		}
		texts[i] = `(?:` + l.text + `)`
	}
	re, err := regexp.Compile(`^(?:` + strings.Join(texts, "|") + `)`)
	if err != nil {
		return list{}, fmt.Errorf("%d: all lines together: %w", lines[0].number, err)
	}
	return list{re}, nil
}

func (s *switches) read(lines []line) error {
	for _, l := range lines {
		switch l.text {
		case "coarse_addresses":
			s.coarseAddresses = true
		default:
			return fmt.Errorf("%d: no such switch: %q", l.number, l.text)
		}
	}
	return nil
}
