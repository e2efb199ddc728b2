package symbolcache

// ids gives the ids of a text, which may be sparse, indices from 0 in the order
// in which they are mentioned first. Ids that are not much larger than the
// number of those seen, which are most, cost an array's element each.
type ids struct {
	dense  []uint32 // id → index + 1
	sparse map[uint32]uint32
	count  uint32
	meter  *meter
}

// denseIDs is the number of ids for which there is always an array.
const denseIDs = 1 << 10

func (t *ids) index(id uint32) uint32 {
	if uint64(id) < uint64(len(t.dense)) && t.dense[id] != 0 {
		return t.dense[id] - 1
	}
	return t.add(id)
}

func (t *ids) add(id uint32) uint32 {
	if index, ok := t.sparse[id]; ok {
		return index
	}
	index := t.count
	t.count++
	t.meter.hold(idBytes)
	if uint64(id) < denseIDs+4*uint64(t.count) {
		for uint64(len(t.dense)) <= uint64(id) {
			t.dense = append(t.dense, 0)
		}
		t.dense[id] = index + 1
		return index
	}
	if t.sparse == nil {
		t.sparse = map[uint32]uint32{}
	}
	t.sparse[id] = index
	return index
}

// definitions are names by index of ids; undefined where there is none.
type definitions struct {
	ids
	names []uint32
}

// index is that of an id, which need not be defined yet.
func (d *definitions) index(id uint32) uint32 {
	index := d.ids.index(id)
	if int(index) == len(d.names) {
		d.names = append(d.names, undefined)
	}
	return index
}

func (d *definitions) define(id, name uint32) { d.names[d.index(id)] = name }
