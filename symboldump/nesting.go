package symboldump

import "cmp"

// nesting makes inlined calls lie properly in each other: a call lies in one
// range of its caller, and two calls of one depth do not overlap. Debug
// information does not always say so.
type nesting struct {
	heap []call // by address, then depth: the next one first
	ends []uint64
	out  []call
}

// nest answers the calls of a function's range, by address and depth. What spans
// the ends of its caller is cut, and what is left of it belongs to the next one.
func (n *nesting) nest(calls []call, at span, load uint64, fr *functionReader) []inline {
	if len(calls) == 0 {
		return nil
	}
	n.heap, n.ends, n.out = n.heap[:0], n.ends[:0], n.out[:0]
	for _, c := range calls {
		if c.low >= at.low && c.low < at.high {
			n.push(c)
		}
	}
	// Of well-formed calls none is cut. A bound on cuts bounds the work.
	cuts := len(n.heap)
	for len(n.heap) > 0 {
		c := n.pop()
		depth := int(c.depth)
		if depth > len(n.ends) { // its caller ends before
			continue
		}
		if depth < len(n.ends) && c.low < n.ends[depth] { // behind its sibling
			if c.low = n.ends[depth]; c.low < c.high && cuts > 0 {
				cuts--
				n.push(c)
			}
			continue
		}
		n.ends = n.ends[:depth]
		end := at.high
		if depth > 0 {
			end = n.ends[depth-1]
		}
		if c.low >= end {
			continue
		}
		if c.high > end {
			if rest := c; depth > 0 && cuts > 0 {
				cuts--
				rest.low = end
				n.push(rest)
			}
			c.high = end
		}
		n.out = append(n.out, c)
		n.ends = append(n.ends, c.high)
	}
	return fr.keepInlines(n.out, load)
}

// keepInlines copies calls to where they stay.
func (fr *functionReader) keepInlines(calls []call, load uint64) []inline {
	if cap(fr.calls)-len(fr.calls) < len(calls) {
		fr.calls = make([]inline, 0, max(len(calls), roomChunk))
	}
	at := len(fr.calls)
	for _, c := range calls {
		fr.calls = append(fr.calls, inline{
			rva: uint32(c.low - load), size: uint32(c.high - c.low), depth: c.depth,
			callLine: c.callLine, callFile: c.callFile, origin: c.origin,
		})
	}
	return fr.calls[at:len(fr.calls):len(fr.calls)]
}

func before(a, b call) bool {
	return cmp.Or(cmp.Compare(a.low, b.low), cmp.Compare(a.depth, b.depth), cmp.Compare(a.order, b.order)) < 0
}

func (n *nesting) push(c call) {
	n.heap = append(n.heap, c)
	for i := len(n.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(n.heap[i], n.heap[up]) {
			return
		}
		n.heap[i], n.heap[up] = n.heap[up], n.heap[i]
		i = up
	}
}

func (n *nesting) pop() call {
	top := n.heap[0]
	last := len(n.heap) - 1
	n.heap[0] = n.heap[last]
	n.heap = n.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if child+1 < last && before(n.heap[child+1], n.heap[child]) {
			child++
		}
		if !before(n.heap[child], n.heap[i]) {
			return top
		}
		n.heap[i], n.heap[child] = n.heap[child], n.heap[i]
		i = child
	}
}
