package signature

import (
	"slices"
	"strings"
)

// asyncShutdownTimeout replaces the signature when a phase of the shutdown took
// too long: what it waited for matters, not where the stack happened to be.
func (g *generation) asyncShutdownTimeout() bool {
	if g.crash.unreadable.has(shutdownField) {
		return false
	}
	if g.crash.AsyncShutdownTimeout == "" {
		return true
	}
	parts, problem, ok := shutdownParts(g.crash.AsyncShutdownTimeout)
	if !ok {
		return false
	}
	if problem != "" {
		g.note("Error parsing AsyncShutdownTimeout: " + problem)
		parts = append(parts, "UNKNOWN")
	}
	g.note(`Signature replaced with a Shutdown Timeout signature, was: "` + g.result.Signature + `"`)
	g.result.Signature = strings.Join(append([]string{"AsyncShutdownTimeout"}, parts...), " | ")
	return true
}

// shutdownParts returns the phase and the conditions that it waited for.
// problem is what hid the rest; ok is false when the JSON is no object at all.
func shutdownParts(text string) (parts []string, problem string, ok bool) {
	r := jsonReader{in: text}
	var document any
	if err := r.document(func() { document = r.value() }); err != nil {
		return nil, err.Error(), r.err.message != errTooDeep
	}
	o, ok := document.(*jsonObject)
	if !ok {
		return nil, "", false
	}
	phase, ok := o.values["phase"].(string)
	if !ok {
		phase = "(unknown)"
	}
	parts = []string{phase}
	conditions, ok := iterate(o.values["conditions"])
	if !ok {
		return nil, "", false
	}
	var names []string
	for _, c := range conditions {
		if o, isObject := c.(*jsonObject); isObject {
			if c, ok = o.values["name"]; !ok {
				return parts, "'name'", true
			}
		}
		names = append(names, str(c))
	}
	if len(names) == 0 {
		return append(parts, "(none)"), "", true
	}
	slices.Sort(names)
	return append(parts, strings.Join(names, ",")), "", true
}

// iterate is what a loop of Python's sees in a value; falsy ones are empty.
func iterate(v any) (items []any, ok bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case string:
		for _, c := range v {
			items = append(items, string(c))
		}
		return items, true
	case *jsonObject:
		for _, k := range v.keys {
			items = append(items, k)
		}
		return items, true
	case nil:
		return nil, true
	case bool:
		return nil, !v
	case jsonInt:
		return nil, v == "0"
	case float64:
		return nil, v == 0
	}
	return nil, false
}
