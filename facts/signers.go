package facts

import (
	"encoding/json"
	"maps"
	"slices"

	"aftershock/schema"
)

// signers are who signed the modules: {"Signer": ["a.dll", ...], ...}.
func (d *derivation) signers() {
	value := d.any("ModuleSignatureInfo")
	if value == "" {
		return
	}
	var all map[string][]string
	if err := json.Unmarshal([]byte(value), &all); err != nil {
		d.note(schema.NoteSignersMalformed)
		return
	}
	for _, signer := range slices.Sorted(maps.Keys(all)) {
		for _, module := range all[signer] {
			if len(d.prot.ModuleSigners) == maxSigners {
				d.note(schema.NoteFactsCapped)
				return
			}
			d.prot.ModuleSigners = append(d.prot.ModuleSigners, schema.ModuleSigner{Module: schema.CutText(module, maxName), Signer: schema.CutText(signer, maxName)})
		}
	}
}

const (
	maxSigners = 1024
	maxName    = 256 // bytes of a module's or signer's name
)
