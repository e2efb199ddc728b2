package symbolicate_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"aftershock/breakpad"
)

// What the oracle asks and answers: maps and fmt, slow and easy to believe.

type object = map[string]any

func (a asked) request(v int) string {
	modules, stacks := []any{}, []any{}
	for _, m := range a.modules {
		if v == 6 {
			modules = append(modules, object{"debug_file": m.name, "debug_id": m.id})
		} else {
			modules = append(modules, []string{m.name, m.id})
		}
	}
	for _, stack := range a.stacks {
		frames := []any{}
		for _, f := range stack {
			switch {
			case v < 6:
				frames = append(frames, []any{f.module, f.offset})
			case f.module < 0:
				frames = append(frames, object{"address": fmt.Sprintf("%#x", f.offset)})
			default:
				frames = append(frames, object{"module": f.module, "offset": f.offset})
			}
		}
		stacks = append(stacks, frames)
	}
	var request object
	switch v {
	case 4:
		request = object{"memoryMap": modules, "stacks": stacks}
	case 5:
		request = object{"jobs": []any{object{"memoryMap": modules, "stacks": stacks}}}
	case 6:
		request = object{"jobs": []any{object{"modules": modules, "stacks": stacks}}}
	}
	b, _ := json.Marshal(request) //nolint:errchkjson // strings and numbers
	return string(b)
}

func (a asked) want(v int) any {
	stacks := []any{}
	used := map[string]bool{}
	for _, stack := range a.stacks {
		frames := []any{}
		for i, f := range stack {
			if f.module >= 0 {
				used[a.modules[f.module].name] = true
			}
			switch v {
			case 4:
				frames = append(frames, a.frame4(f))
			case 5:
				frames = append(frames, a.frame5(i, f))
			case 6:
				frames = append(frames, a.frame6(f))
			}
		}
		stacks = append(stacks, frames)
	}
	found := object{}
	list, modules := []any{}, []any{}
	for _, m := range a.modules {
		var value any
		if used[m.name] {
			value = m.text != nil && m.id == m.text.DebugID
		}
		found[m.name+"/"+m.id] = value
		list = append(list, value)
		modules = append(modules, m.outcome(used[m.name]))
	}
	switch v {
	case 4:
		return object{"symbolicatedStacks": stacks, "knownModules": list}
	case 5:
		return object{"results": []any{object{"stacks": stacks, "found_modules": found}}}
	}
	return object{"results": []any{object{"stacks": stacks, "modules": modules}}}
}

func (k known) outcome(used bool) object {
	switch {
	case !used:
		return object{"outcome": "unused"}
	case k.text == nil:
		return object{"outcome": "missing"}
	}
	f := k.text
	o := object{"outcome": "found", "bad_lines": f.BadLines(), "debug_file": f.Name, "debug_id": f.DebugID, "sha256": k.sha256}
	if f.BadLines() > 0 {
		o["outcome"] = "found_lossy"
	}
	for name, text := range map[string]string{"code_file": f.CodeFile, "code_id": f.CodeID, "url": f.URL} {
		if text != "" {
			o[name] = text
		}
	}
	return o
}

// list is what the plain reader says of a frame.
func (a asked) list(f askedFrame, other bool) []breakpad.Location {
	if f.module < 0 || a.modules[f.module].text == nil {
		return nil
	}
	m := a.modules[f.module]
	if !other && m.id != m.text.DebugID {
		return nil
	}
	var at breakpad.Locations
	m.text.AppendLocations(&at, f.offset)
	return at.List
}

func (a asked) module(f askedFrame) string {
	if f.module < 0 {
		return "<unknown>"
	}
	m := a.modules[f.module]
	if m.text != nil && m.id == m.text.DebugID && m.text.CodeFile != "" && !strings.Contains(m.text.CodeFile, " ") {
		return m.text.CodeFile
	}
	return m.name
}

func (a asked) frame4(f askedFrame) string {
	name := fmt.Sprintf("%#x", f.offset)
	if list := a.list(f, false); len(list) > 0 {
		name = functionOf(list[len(list)-1])
	}
	return fmt.Sprintf("%s (in %s)", name, a.module(f))
}

func (a asked) frame5(i int, f askedFrame) object {
	out := object{"frame": i, "module": a.module(f), "module_offset": fmt.Sprintf("%#x", f.offset)}
	names(out, f.offset, a.list(f, false), cleaned)
	return out
}

func (a asked) frame6(f askedFrame) object {
	if f.module < 0 {
		return object{"module": nil, "address": fmt.Sprintf("%#x", f.offset)}
	}
	out := object{"module": f.module, "offset": fmt.Sprintf("%#x", f.offset)}
	list := a.list(f, true)
	names(out, f.offset, list, func(path string) string { return path })
	if len(list) == 0 {
		return out
	}
	var doubt []string
	m := a.modules[f.module]
	if m.text.BadLines() > 0 {
		doubt = append(doubt, "lossy")
	}
	if list[len(list)-1].Public {
		doubt = append(doubt, "public")
	}
	if m.id != m.text.DebugID {
		doubt = append(doubt, "other_debug_id")
	}
	if doubt != nil {
		out["doubt"] = doubt
	}
	return out
}

func functionOf(l breakpad.Location) string {
	if len(l.Function) == 0 && !l.Inline {
		return "<unknown>"
	}
	return string(l.Function)
}

func names(out object, offset uint64, list []breakpad.Location, path func(string) string) {
	if len(list) == 0 {
		return
	}
	var inlines []object
	for i, l := range list {
		to := out
		if i < len(list)-1 {
			to = object{}
			inlines = append(inlines, to)
		} else {
			out["function_offset"] = fmt.Sprintf("%#x", offset-l.FunctionRVA)
		}
		to["function"] = functionOf(l)
		if l.HasFile && len(l.File) > 0 {
			to["file"] = path(string(l.File))
			if l.HasLine && l.Line > 0 {
				to["line"] = l.Line
			}
		}
	}
	if inlines != nil {
		out["inlines"] = inlines
	}
}

var (
	dot    = regexp.MustCompile(`(^|/)\.(/|$)`)
	dotDot = regexp.MustCompile(`(^|/)([^/]+)/\.\.(/|$)`)
)

// cleaned takes . and .. out of a path, one after the other.
func cleaned(path string) string {
	separator := "/"
	if strings.Contains(path, `\`) || strings.HasPrefix(path, "//") || regexp.MustCompile(`^[A-Za-z]:(/|$)`).MatchString(path) {
		separator = `\`
	}
	path = strings.ReplaceAll(path, `\`, "/")
	replace := func(find *regexp.Regexp, keep func(string) bool) bool {
		for _, at := range find.FindAllStringSubmatchIndex(path, -1) {
			if keep != nil && keep(path[at[4]:at[5]]) {
				continue
			}
			path = path[:at[3]] + path[at[1]:]
			return true
		}
		return false
	}
	for replace(dot, nil) || replace(dotDot, func(name string) bool { return name == ".." }) {
	}
	return strings.ReplaceAll(path, "/", separator)
}
