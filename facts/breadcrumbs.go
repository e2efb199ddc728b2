package facts

import (
	"encoding/json"

	"aftershock/schema"
)

const maxBreadcrumbs = 128

// crumbs are what the program did before, as Sentry's clients write it: a list, or one in
// an object's values.
func (d *derivation) crumbs() {
	value := d.any("Breadcrumbs")
	if value == "" {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(value), &list) != nil {
		var wrapped struct {
			Values []json.RawMessage `json:"values"`
		}
		if json.Unmarshal([]byte(value), &wrapped) != nil {
			d.note(schema.NoteBreadcrumbsMalformed)
			return
		}
		list = wrapped.Values
	}
	if len(list) > maxBreadcrumbs {
		d.note(schema.NoteFactsCapped)
		list = list[len(list)-maxBreadcrumbs:] // the last ones led to the crash
	}
	for _, raw := range list {
		var crumb struct {
			Timestamp json.RawMessage `json:"timestamp"`
			Type      string          `json:"type"`
			Category  string          `json:"category"`
			Level     string          `json:"level"`
			Message   string          `json:"message"`
			Data      json.RawMessage `json:"data"`
		}
		if json.Unmarshal(raw, &crumb) != nil {
			d.note(schema.NoteBreadcrumbsMalformed)
			continue
		}
		d.prot.Breadcrumbs = append(d.prot.Breadcrumbs, schema.Breadcrumb{
			Timestamp: schema.CutText(plainJSON(crumb.Timestamp), maxName), Type: schema.CutText(crumb.Type, maxName), Category: schema.CutText(crumb.Category, maxName),
			Level: schema.CutText(crumb.Level, maxName), Message: schema.CutText(crumb.Message, maxText), Data: schema.CutText(string(crumb.Data), maxText),
		})
	}
}

// plainJSON is a JSON text's value, and a number as it stands.
func plainJSON(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
