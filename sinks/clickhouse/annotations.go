package clickhouse

import chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

// annotationMap is a Map column's value that keeps the order of the event: a Go map
// would give the same crash other bytes each time it is stored.
type annotationMap struct{ names, values []string }

var _ chcolumn.IterableOrderedMap = (*annotationMap)(nil)

func newAnnotationMap[A any](of []A, pair func(A) (name, value string)) *annotationMap {
	m := &annotationMap{make([]string, len(of)), make([]string, len(of))}
	for i := range of {
		m.names[i], m.values[i] = pair(of[i])
	}
	return m
}

// Put implements column.IterableOrderedMap.
func (m *annotationMap) Put(name, value any) {
	m.names, m.values = append(m.names, name.(string)), append(m.values, value.(string)) //nolint:forcetypeassert // the column's
}

// Iterator implements column.IterableOrderedMap.
func (m *annotationMap) Iterator() chcolumn.MapIterator { return &annotationIterator{m, -1} }

type annotationIterator struct {
	of *annotationMap
	at int
}

func (i *annotationIterator) Next() bool { i.at++; return i.at < len(i.of.names) }
func (i *annotationIterator) Key() any   { return i.of.names[i.at] }
func (i *annotationIterator) Value() any { return i.of.values[i.at] }
