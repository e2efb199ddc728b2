// Command truth prints how true the stacks of walkers are, over a set of dumps
// whose true stacks are known.
//
//	go run ./script/truth -set DIR [-versions 1,2,3] [-conditions a,b] [-match REGEXP] [-kinds] [-calibration] [-list]
//	go run ./script/truth -set DIR -tool 'minidump-stackwalk --json --symbols-path {symbols} {dump}'
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"aftershock/internal/truth"
	"aftershock/stackwalk"
)

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.set, "set", "", "the folder of the set")
	flag.StringVar(&o.versions, "versions", "1,2,3", "walker versions to compare")
	flag.StringVar(&o.tool, "tool", "", "another program to compare; {dump}, {symbols} and {cache} are replaced")
	flag.StringVar(&o.conditions, "conditions", "", "prefixes of the conditions to walk in; all if empty")
	flag.StringVar(&o.match, "match", "", "only dumps whose names match this regular expression")
	flag.BoolVar(&o.modules, "modules", false, "also with the modules' own files at hand, for the last version")
	flag.BoolVar(&o.list, "list", false, "list false and lost frames, and wrong names")
	flag.BoolVar(&o.kinds, "kinds", false, "also by kind of crash, architecture, and what wrote the dump")
	flag.BoolVar(&o.calibration, "calibration", false, "also how true frames are of which a probability was told")
	flag.Parse()
	if err := run(&o); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	set, versions, tool, conditions, match string
	list, kinds, calibration, modules      bool
}

func run(o *options) error {
	cases, err := truth.Load(o.set)
	if err != nil {
		return err
	}
	match, err := regexp.Compile(o.match)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(c truth.Case) bool { return !match.MatchString(c.Dump) })
	if len(cases) == 0 {
		return fmt.Errorf("%s: no such dumps", o.set)
	}
	var table truth.Table
	var names []string
	measure := func(name string, tool truth.Tool) error {
		names = append(names, name)
		var each func(string, *truth.Case, *truth.Thread, []truth.Reported, *truth.Judged)
		if o.list {
			each = func(condition string, c *truth.Case, _ *truth.Thread, got []truth.Reported, j *truth.Judged) {
				list(condition+" "+name+" "+c.Dump, got, j)
			}
		}
		return table.Measure(cases, chosen(o.conditions), name, tool, each)
	}
	if o.tool != "" {
		cache, err := os.MkdirTemp("", "truth")
		if err != nil {
			return err
		}
		defer os.RemoveAll(cache) //nolint:errcheck // a temporary folder
		arguments := strings.Fields(o.tool)
		if err := measure(arguments[0], &truth.Command{Dir: o.set, Cache: cache, Arguments: arguments}); err != nil {
			return err
		}
	}
	for text := range strings.SplitSeq(o.versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := measure("version "+text, truth.NewWalker(o.set, version)); err != nil {
			return err
		}
	}
	if o.modules {
		w := truth.NewWalker(o.set, stackwalk.NewestVersion)
		w.Modules = true
		if err := measure("with files", w); err != nil {
			return err
		}
	}
	groups := table.Groups()
	if !o.kinds {
		groups = groups[:1]
	}
	for _, group := range groups {
		if err := show(&table, group, names, chosen(o.conditions)); err != nil {
			return err
		}
	}
	for _, name := range names {
		if o.calibration {
			calibration(name, table.Calibration(name))
		}
	}
	return nil
}

// show writes the table of a group.
func show(table *truth.Table, group string, names, conditions []string) error {
	var out strings.Builder
	out.WriteString("\n" + group + "\t")
	for _, name := range names {
		out.WriteString(name + ": precision\trecall\twrong names\texact\t")
	}
	for _, condition := range conditions {
		out.WriteString("\n" + condition + "\t")
		for _, name := range names {
			s := table.Score(condition, name, group)
			for _, share := range [][2]int{{s.True, s.Reported}, {s.Wanted - s.Lost, s.Wanted}, {s.Wrong, s.Named}, {s.Exact, s.Threads}} {
				out.WriteString(percent(share[0], share[1]) + "\t")
			}
		}
	}
	out.WriteString("\n")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := w.Write([]byte(out.String())); err != nil {
		return err
	}
	return w.Flush()
}

func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64)
}

func calibration(name string, c truth.Calibration) {
	fmt.Printf("\n%s: told\ttrue\tframes\n", name)
	for i, bin := range c {
		if bin.Frames > 0 {
			fmt.Printf("%d0 to %d0 %%:\t%.1f\t%s\t%d\n", i, i+1, 100*bin.Told/float64(bin.Frames), percent(bin.True, bin.Frames), bin.Frames)
		}
	}
}

func chosen(prefixes string) []string {
	if prefixes == "" {
		return truth.Conditions
	}
	return slices.DeleteFunc(slices.Clone(truth.Conditions), func(c string) bool {
		return !slices.ContainsFunc(strings.Split(prefixes, ","), func(p string) bool { return strings.HasPrefix(c, p) })
	})
}

func list(where string, got []truth.Reported, j *truth.Judged) {
	for i, r := range got {
		if !j.Right[i] {
			fmt.Printf("FALSE %s %d: %s+%#x %s %s\n", where, i+1, r.Module, r.At, r.Function, r.Trust)
		}
	}
	for i := range j.Lost {
		f := &j.Lost[i]
		fmt.Printf("LOST  %s: %s+%#x %s %s\n", where, f.Module, uint64(f.Offset), f.Function, f.Kind)
	}
	for _, i := range j.WrongNames {
		fmt.Printf("NAME  %s %d: %s+%#x %s+%#x %s\n", where, i+1, got[i].Module, got[i].At, got[i].Function, got[i].FunctionOffset, got[i].Trust)
	}
}
