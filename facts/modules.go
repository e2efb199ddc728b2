package facts

import (
	"slices"
	"strings"

	"aftershock/schema"
)

// modules are what the program had loaded, as far as stacks need it.
func (d *derivation) modules() {
	c := d.Crash
	if len(c.Modules) > 0 && schema.KindOf(c.Kind) == schema.KindReport { // a ping's list is in no order, and knows of none that are gone
		d.pub.MainModule = text(c.Modules[0].Filename) // writers put the program first
		d.pub.UnloadedModuleCount = new(int32(len(c.UnloadedModules)))
	}
	if len(c.Dumps) > 0 {
		beside := int32(0)
		for i := range c.Dumps {
			if schema.AdditionalDumpName(c.Dumps[i].Name) {
				beside++
			}
		}
		d.pub.AdditionalDumpCount = &beside
	}
	for i := range c.UnloadedModules {
		if name := c.UnloadedModules[i].Filename; name != "" && !slices.Contains(d.pub.UnloadedModules, name) {
			if len(d.pub.UnloadedModules) == maxUnloaded {
				d.note(schema.NoteFactsCapped)
				break
			}
			d.pub.UnloadedModules = append(d.pub.UnloadedModules, name)
		}
	}
	for i := range c.Modules {
		m := &c.Modules[i]
		if m.Symbols != symbolsMissing || m.Filename == "" {
			continue
		}
		if len(d.pub.MissingSymbols) == maxList {
			d.note(schema.NoteFactsCapped)
			break
		}
		version := m.Version
		if version == "" {
			version = noVersion
		}
		name := escaped.Replace(m.Filename) + "/" + escaped.Replace(version) + "/" + m.DebugID
		if m.CodeID != "" {
			name += "/" + m.CodeID
		}
		d.pub.MissingSymbols = append(d.pub.MissingSymbols, name)
	}
	d.modulesInStack()
}

const (
	maxUnloaded    = 64
	symbolsMissing = "missing" // symbolcache.Missing
	noVersion      = "None"    // as the reference writes it
)

// escaped keeps the parts of a module's name apart.
var escaped = strings.NewReplacer("/", `\/`, ";", "")

// modulesInStack are the modules of the crashing thread's frames.
func (d *derivation) modulesInStack() {
	t := d.crashing()
	if t == nil {
		return
	}
	named := map[string]bool{}
	for i := range t.Frames {
		named[t.Frames[i].Module] = true
	}
	delete(named, "")
	for i := range d.Crash.Modules {
		m := &d.Crash.Modules[i]
		if named[m.Filename] && m.DebugID != "" {
			d.pub.ModulesInStack = append(d.pub.ModulesInStack, escaped.Replace(m.Filename)+"/"+m.DebugID)
			delete(named, m.Filename)
		}
	}
	slices.Sort(d.pub.ModulesInStack)
	if len(d.pub.ModulesInStack) > maxList {
		d.note(schema.NoteFactsCapped)
		d.pub.ModulesInStack = d.pub.ModulesInStack[:maxList]
	}
}
