// Package truth measures how true walked stacks are: against dumps for whose
// threads the list of return addresses that was really on the stack is known.
//
// A set is a folder with dumps/, truth/ (a JSON a dump), symbols/ (a folder a
// condition) and, for walks with modules' own files, modules/. script/truth
// prints its table, and a test here keeps it from getting worse.
package truth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Conditions are the folders of symbols/: what is known when a dump is walked.
var Conditions = []string{"a-full", "b-program", "c-nocfi", "d-public", "e-none", "f-stripped"}

// Case is a dump of a set.
type Case struct {
	Dump    string   `json:"dump"`    // the file's name below dumps/
	Program string   `json:"program"` // and how it was built and died:
	Variant string   `json:"variant"`
	Writer  string   `json:"writer"` // what wrote the dump
	Kind    string   `json:"kind"`   // how the crashed thread died
	Arch    string   `json:"arch"`
	Threads []Thread `json:"threads"`
}

// Thread is one whose stack is known for certain.
type Thread struct {
	TID     uint32  `json:"tid"`
	Crashed bool    `json:"crashed"`
	Frames  []Frame `json:"frames"` // innermost first; the first is the registers'
}

// Frame is one that was really there.
type Frame struct {
	Module string  `json:"module"` // empty outside modules
	Offset address `json:"offset"` // of the return address; absolute outside modules
	// Function is empty where nobody knows it; Start is where it starts.
	Function string   `json:"function"`
	Names    []string `json:"names"`
	Start    address  `json:"start"`
	Kind     string   `json:"kind"`
	// Slot is where the return address lay on the stack; 0 if that is unknown.
	Slot address `json:"slot"`
	// InDump tells whether the dump holds the word that proves the frame.
	InDump bool `json:"in_dump"` //nolint:tagliatelle // the set's spelling
}

// address is written as 0x… in the set; it is 0 where null.
type address uint64

func (a *address) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" {
		return nil
	}
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return fmt.Errorf("address %q: %w", text, err)
	}
	*a = address(v)
	return nil
}

// interrupted is the kind of a frame that a signal stopped: its offset is the
// exact instruction, not a return address.
const interrupted = "interrupted"

// Load reads the truth of a set's dumps, in the order of their names.
func Load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "truth", "*.json"))
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c Case
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Case) int { return cmp.Compare(a.Dump, b.Dump) })
	return out, nil
}
