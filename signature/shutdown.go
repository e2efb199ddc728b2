package signature

import (
	"slices"
	"strings"

	"aftershock/internal/pyjson"
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
	r := pyjson.New(text)
	var document any
	if err := r.Document(func() { document = r.Value() }); err != nil {
		return nil, err.Error(), !r.TooDeep()
	}
	o, ok := document.(*pyjson.Object)
	if !ok {
		return nil, "", false
	}
	phase, ok := o.Values["phase"].(string)
	if !ok {
		phase = "(unknown)"
	}
	parts = []string{phase}
	conditions, ok := iterate(o.Values["conditions"])
	if !ok {
		return nil, "", false
	}
	var names []string
	for _, c := range conditions {
		if o, isObject := c.(*pyjson.Object); isObject {
			if c, ok = o.Values["name"]; !ok {
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
	case *pyjson.Object:
		for _, k := range v.Keys {
			items = append(items, k)
		}
		return items, true
	case nil:
		return nil, true
	case bool:
		return nil, !v
	case pyjson.Int:
		return nil, v == "0"
	case float64:
		return nil, v == 0
	}
	return nil, false
}
