package facts

import (
	"regexp"
	"strings"

	"aftershock/schema"
)

// actor is a name of a class or a word.
var actor = regexp.MustCompile(`^[A-Za-z][A-Za-z]{0,39}(?:-[A-Za-z]{1,20}){0,3}$`)

const maxActors = 32

// utility are the actors of a utility process: a list of names.
func (d *derivation) utility() {
	value := d.any("UtilityActorsName")
	if value == "" {
		return
	}
	looked := 0
	for name := range strings.SplitSeq(value, ",") {
		if looked++; looked > maxList {
			d.note(schema.NoteFactsCapped)
			return
		}
		shown := d.publicText(strings.TrimSpace(name))
		switch {
		case shown == "":
		case !actor.MatchString(shown):
			d.note(schema.NoteActorsMalformed)
		case len(d.pub.UtilityActors) == maxActors:
			d.note(schema.NoteFactsCapped)
			return
		default:
			d.pub.UtilityActors = append(d.pub.UtilityActors, shown)
		}
	}
}
