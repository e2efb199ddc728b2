package schema

import (
	"encoding/json"
	"slices"
	"sync"
)

// FactInfo is the data dictionary's entry of a fact.
type FactInfo struct {
	Name   string
	Class  Class
	Source string // what it is derived of
	Doc    string
}

// Dictionary is the entries of the data dictionary in the order of the newest schema: those of
// the record facts, then those of protected_facts, and of the records in them with their
// names joined by a point. The caller must not change it.
func Dictionary() []FactInfo { return dictionary() }

var dictionary = sync.OnceValue(func() (out []FactInfo) {
	type field struct {
		Name   string          `json:"name"`
		Class  Class           `json:"class"`
		Source string          `json:"source"`
		Doc    string          `json:"doc"`
		Type   json.RawMessage `json:"type"`
	}
	var fields func(prefix string, from FactInfo, of json.RawMessage)
	fields = func(prefix string, from FactInfo, of json.RawMessage) {
		for _, f := range fieldsOf[field](of) {
			e := FactInfo{prefix + f.Name, f.Class, f.Source, f.Doc}
			if e.Source == "" {
				e.Source = from.Source
			}
			if len(fieldsOf[field](f.Type)) > 0 {
				fields(e.Name+".", e, f.Type)
				continue
			}
			out = append(out, e)
		}
	}
	for _, f := range fieldsOf[field](json.RawMessage(released.newest("ProcessedCrash").Avsc)) {
		if slices.Contains([]string{"facts", "protected_facts"}, f.Name) {
			fields("", FactInfo{}, f.Type)
		}
	}
	return out
})

// fieldsOf are the fields of the record that a type is, is a list of, or may be.
func fieldsOf[F any](of json.RawMessage) []F {
	var record struct {
		Fields []F             `json:"fields"`
		Items  json.RawMessage `json:"items"`
	}
	var union []json.RawMessage
	switch {
	case json.Unmarshal(of, &union) == nil:
		for _, branch := range union {
			if fields := fieldsOf[F](branch); fields != nil {
				return fields
			}
		}
	case json.Unmarshal(of, &record) != nil:
	case record.Items != nil:
		return fieldsOf[F](record.Items)
	}
	return record.Fields
}
