package schema

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// wireIDs are the ids on the wire by built-in id, and back.
type wireIDs struct{ wire, builtIn map[int]int }

// registryIDs is nil while the built-in ids are on the wire.
var registryIDs atomic.Pointer[wireIDs]

// UseIDs lets every event of this process carry the ids that a schema registry has
// given to the released schemas, by built-in id, instead of the built-in ones; nil
// goes back to those. Only events with ids of that table are read: what was written
// with the built-in ones before looks like somebody else's. It must be called before
// anything is encoded or decoded.
func UseIDs(given map[int]int) error {
	if given == nil {
		registryIDs.Store(nil)
		return nil
	}
	ids := &wireIDs{wire: map[int]int{}, builtIn: map[int]int{}}
	for _, s := range released {
		id, ok := given[s.ID]
		if !ok || id < 0 || id > 1<<31-1 {
			return fmt.Errorf("schema %s version %d has no id", s.Subject, s.Version)
		}
		if _, twice := ids.builtIn[id]; twice {
			return errors.New("two schemas have the same id")
		}
		ids.wire[s.ID], ids.builtIn[id] = id, s.ID
	}
	registryIDs.Store(ids)
	return nil
}

// WireID is the id that events of the schema with a built-in id carry.
func WireID(builtIn int) int {
	if ids := registryIDs.Load(); ids != nil {
		return ids.wire[builtIn]
	}
	return builtIn
}

// builtInID is WireID's opposite, -1 for an id that no released schema has.
func builtInID(wire int) int {
	ids := registryIDs.Load()
	if ids == nil {
		return wire
	}
	if id, ok := ids.builtIn[wire]; ok {
		return id
	}
	return -1
}
