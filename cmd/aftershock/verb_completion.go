package main

import (
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionVerb prints what a shell needs to complete the verbs and flags. The scripts
// ask this program, so that they never say what another release had.
type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

var completionScripts = map[string]string{
	"bash": `_aftershock() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _aftershock aftershock
`,
	"zsh": `#compdef aftershock
_aftershock() {
	local -a answers
	answers=(${(f)"$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
	(( ${#answers} )) && compadd -- "${answers[@]}" || _files
}
compdef _aftershock aftershock
`,
	"fish": `function _aftershock
	set -l words (commandline -opc) (commandline -ct)
	$words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c aftershock -n 'count (_aftershock) >/dev/null' -f -a '(_aftershock)'
`,
}

// Run prints the script.
func (v *completionVerb) Run(r *run) error {
	_, err := io.WriteString(r.stdout, completionScripts[v.Shell])
	return err
}

// completeVerb is what the scripts ask.
type completeVerb struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints what the last word may become, a line each; nothing where that is a value.
func (v *completeVerb) Run(r *run, k *kong.Context) error {
	words := v.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, answer := range complete(k.Model.Node, words) {
		if _, err := io.WriteString(r.stdout, answer+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// complete lists what may follow: the last word is the one that is being typed, those before it
// are followed through the tree of verbs.
func complete(node *kong.Node, words []string) []string {
	last := ""
	if n := len(words); n > 0 {
		last, words = words[n-1], words[:n-1]
	}
	flags := flagsOf(node)
	var wants *kong.Flag // whose value comes next
	for _, word := range words {
		switch {
		case wants != nil:
			wants = nil
		case strings.HasPrefix(word, "--"):
			name, _, valued := strings.Cut(word[2:], "=")
			if f := flags[name]; f != nil && !valued && !f.IsBool() {
				wants = f
			}
		default:
			if child := childOf(node, word); child != nil {
				node = child
				for name, f := range flagsOf(node) {
					flags[name] = f
				}
			}
		}
	}
	var out []string
	switch {
	case wants != nil:
		out = enumOf(wants.Value)
	case strings.HasPrefix(last, "-"):
		for name, f := range flags {
			if !f.Hidden {
				out = append(out, "--"+name)
			}
		}
	case node.Leaf():
		for _, p := range node.Positional {
			out = append(out, enumOf(p)...)
		}
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				out = append(out, child.Name)
			}
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool { return !strings.HasPrefix(s, last) })
	slices.Sort(out)
	return out
}

func flagsOf(node *kong.Node) map[string]*kong.Flag {
	out := map[string]*kong.Flag{}
	for _, f := range node.Flags {
		out[f.Name] = f
	}
	return out
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// enumOf are the values that there are, if there is a list.
func enumOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })
}
