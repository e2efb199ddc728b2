package truth

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"aftershock/minidump"
)

// Command is another program: its arguments, in which {dump}, {symbols} and {cache}
// are replaced, with the JSON of minidump-stackwalk on its standard output.
type Command struct {
	Dir       string // the set's
	Cache     string // a folder for caches, one a condition
	Arguments []string
}

// Walk runs the program. A program that fails finds nothing.
func (c *Command) Walk(condition string, of *Case) (map[uint32][]Reported, error) {
	cache := filepath.Join(c.Cache, condition)
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return nil, err
	}
	replaced := strings.NewReplacer("{dump}", filepath.Join(c.Dir, "dumps", of.Dump), "{symbols}", filepath.Join(c.Dir, "symbols", condition), "{cache}", cache)
	arguments := make([]string, len(c.Arguments))
	for i, a := range c.Arguments {
		arguments[i] = replaced.Replace(a)
	}
	text, err := exec.CommandContext(context.Background(), arguments[0], arguments[1:]...).Output() //nolint:gosec // the caller's command
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	var out struct{ Threads []jsonThread }
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", of.Dump, err)
	}
	found := map[uint32][]Reported{}
	for _, t := range out.Threads {
		frames := []Reported{}
		for i := range t.Frames {
			if i > 0 {
				frames = append(frames, t.Frames[i].reported())
			}
		}
		found[t.ID] = frames
	}
	return found, nil
}

type jsonThread struct {
	ID     uint32 `json:"thread_id"` //nolint:tagliatelle // minidump-stackwalk's spelling
	Frames []jsonFrame
}

//nolint:tagliatelle // minidump-stackwalk's spelling
type jsonFrame struct {
	Module         string
	Offset         string
	ModuleOffset   string `json:"module_offset"`
	Function       string
	FunctionOffset string `json:"function_offset"`
	Trust          string
	Doubt          []string
	Probability    float64
}

func (f *jsonFrame) reported() Reported {
	number := func(text string) uint64 {
		v, _ := strconv.ParseUint(text, 0, 64)
		return v
	}
	out := Reported{
		At: number(f.Offset), Function: f.Function, FunctionOffset: number(f.FunctionOffset), HasOffset: f.FunctionOffset != "",
		Trust: f.Trust, Doubt: len(f.Doubt) > 0, Probability: f.Probability,
	}
	if f.Module != "" {
		out.Module, out.At = minidump.BaseName(f.Module), number(f.ModuleOffset)
	}
	return out
}
