// Command truth prints how true the stacks of walkers are, over a set of dumps
// whose true stacks are known.
//
//	go run ./script/truth -set DIR [-versions 1,2,3] [-conditions a,b] [-match REGEXP] [-list] [-kinds]
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"aftershock/internal/truth"
)

func main() {
	log.SetFlags(0)
	set := flag.String("set", "", "the folder of the set")
	versions := flag.String("versions", "1,2,3", "walker versions to compare")
	conditions := flag.String("conditions", "", "prefixes of the conditions to walk in; all if empty")
	match := flag.String("match", "", "only dumps whose names match this regular expression")
	list := flag.Bool("list", false, "list false and lost frames, and wrong names")
	kinds := flag.Bool("kinds", false, "also by kind of crash, architecture, writer")
	flag.Parse()
	cases, err := truth.Load(*set)
	if err != nil {
		log.Fatal(err)
	}
	if len(cases) == 0 {
		log.Fatalf("%s: no truth/*.json there", *set)
	}
	want := regexp.MustCompile(*match)
	var tools []string
	scores := map[[3]string]*truth.Score{} // by condition, tool and group
	groups := []string{"all"}
	for version := range strings.SplitSeq(*versions, ",") {
		v, err := strconv.Atoi(version)
		if err != nil {
			log.Fatal(err)
		}
		w := truth.NewWalker(*set, v)
		tool := "version " + version
		tools = append(tools, tool)
		for _, condition := range chosen(*conditions) {
			for i := range cases {
				c := &cases[i]
				if !want.MatchString(c.Dump) {
					continue
				}
				got, err := w.Walk(condition, c)
				if err != nil {
					log.Fatal(err)
				}
				for t := range c.Threads {
					th := &c.Threads[t]
					callers := got[th.TID]
					j := th.Judge(callers)
					kind := "other threads"
					if th.Crashed {
						kind = c.Kind
					}
					in := []string{kind, c.Arch, "by " + c.Writer}
					if kind != "stack overflow" {
						in = append(in, "all")
					}
					for _, group := range in {
						key := [3]string{condition, tool, group}
						if scores[key] == nil {
							scores[key] = new(truth.Score)
						}
						scores[key].Add(j.Score)
						if !contains(groups, group) {
							groups = append(groups, group)
						}
					}
					if *list {
						describe(condition, tool, c, th, &j, callers)
					}
				}
			}
		}
	}
	if !*kinds {
		groups = groups[:1]
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, group := range groups {
		fmt.Fprintf(out, "\n%s\t", group)
		for _, tool := range tools {
			fmt.Fprintf(out, "%s: precision\trecall\twrong names\texact\t", tool)
		}
		fmt.Fprintln(out)
		for _, condition := range chosen(*conditions) {
			fmt.Fprintf(out, "%s\t", condition)
			for _, tool := range tools {
				s := scores[[3]string{condition, tool, group}]
				if s == nil {
					s = new(truth.Score)
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t", percent(s.True, s.Reported), percent(s.Wanted-s.Lost, s.Wanted), percent(s.Wrong, s.Named), percent(s.Exact, s.Threads))
			}
			fmt.Fprintln(out)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64)
}

func chosen(prefixes string) []string {
	if prefixes == "" {
		return truth.Conditions
	}
	var out []string
	for _, c := range truth.Conditions {
		for p := range strings.SplitSeq(prefixes, ",") {
			if strings.HasPrefix(c, p) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

func describe(condition, tool string, c *truth.Case, th *truth.Thread, j *truth.Judged, callers []truth.Reported) {
	for i, r := range callers {
		if !j.Right[i] {
			fmt.Printf("FALSE %s %s %s %s %d: %s+%#x %s %s\n", condition, tool, c.Dump, c.Writer, i+1, r.Module, r.At, r.Function, r.Trust)
		}
	}
	for _, f := range j.Lost {
		fmt.Printf("LOST  %s %s %s %s: %s+%#x %s %s\n", condition, tool, c.Dump, c.Writer, f.Module, uint64(f.Offset), f.Function, f.Kind)
	}
	_ = th
}
