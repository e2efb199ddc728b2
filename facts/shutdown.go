package facts

import (
	"encoding/json"

	"aftershock/schema"
)

const maxBlockers = 32

// shutdown is where a shutdown of Firefox hung (AsyncShutdown.sys.mjs).
func (d *derivation) shutdown() {
	value := d.any("AsyncShutdownTimeout")
	if value == "" {
		return
	}
	var timeout struct {
		Phase      string            `json:"phase"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal([]byte(value), &timeout); err != nil {
		d.note(schema.NoteShutdownMalformed)
		return
	}
	d.pub.AsyncShutdownPhase = text(d.shownName(timeout.Phase))
	for i, condition := range timeout.Conditions {
		if i == maxBlockers {
			d.note(schema.NoteFactsCapped)
			break
		}
		var name string
		if json.Unmarshal(condition, &name) != nil {
			var named struct {
				Name string `json:"name"`
			}
			if json.Unmarshal(condition, &named) != nil {
				d.note(schema.NoteShutdownMalformed)
				continue
			}
			name = named.Name
		}
		if shown := d.shownName(name); shown != "" {
			d.pub.AsyncShutdownBlockers = append(d.pub.AsyncShutdownBlockers, shown)
		}
	}
}

// shownName is the public form of a name.
func (d *derivation) shownName(name string) string {
	return schema.CutText(d.publicText(name), maxName)
}
