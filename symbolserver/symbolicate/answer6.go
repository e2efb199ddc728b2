package symbolicate

import (
	"strconv"

	"aftershock/symbolcache"
)

// Reasons to doubt a name, as v6 says them.
const (
	// doubtLossy: lines of the symbol file make no sense, and one that does not could
	// have told more of this address.
	doubtLossy = "lossy"
	// doubtPublic: the name is that of the PUBLIC record before the address, which has no
	// end. function_offset is how far behind its start the address is.
	doubtPublic = "public"
	// doubtOther: the symbol file says that it is of another debug id.
	doubtOther = "other_debug_id"
)

// answer6 writes the answer of v6.
func (s *stream) answer6(q *request) {
	s.buf = append(s.buf, `{"results":[`...)
	for i, j := range q.jobs {
		modules := q.modulesOf(j)
		s.await(modules, i > 0)
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = append(s.buf, `{"modules":[`...)
		for n := range modules {
			if n > 0 {
				s.buf = append(s.buf, ',')
			}
			s.buf = appendModule6(s.buf, &modules[n])
			if !s.full() {
				return
			}
		}
		s.buf = append(s.buf, `],"stacks":[`...)
		for n, stack := range q.stacksOf(j) {
			if n > 0 {
				s.buf = append(s.buf, ',')
			}
			if s.stack6(modules, q.framesOf(stack)); s.err != nil {
				return
			}
		}
		s.buf = append(s.buf, "]}"...)
		if s.started { // a large answer: a job is of use as soon as it is there
			s.flush()
		}
	}
	s.buf = append(s.buf, "]}"...)
}

// appendModule6 appends what became of looking for a module's symbols, and what they
// are.
func appendModule6(b []byte, m *module) []byte {
	outcome := symbolcache.Unused
	switch {
	case m.lookup != nil:
		outcome = m.lookup.Outcome
	case m.needed: // it has no name or no id
		outcome = symbolcache.Missing
	}
	b = appendString(append(b, `{"outcome":`...), string(outcome))
	if m.lookup == nil || m.lookup.File == nil {
		return append(b, '}')
	}
	f := m.lookup.File
	b = append(append(append(b, `,"sha256":"`...), m.lookup.SHA256...), '"')
	b = strconv.AppendInt(append(b, `,"bad_lines":`...), int64(f.BadLines()), 10)
	b = appendString(append(b, `,"debug_file":`...), f.Name)
	b = appendString(append(b, `,"debug_id":`...), f.DebugID)
	for _, t := range [...]struct{ name, text string }{{`,"code_file":`, f.CodeFile}, {`,"code_id":`, f.CodeID}, {`,"url":`, f.URL}} {
		if t.text != "" {
			b = appendString(append(b, t.name...), t.text)
		}
	}
	return append(b, '}')
}

func (s *stream) stack6(modules []module, frames []frame) {
	s.buf = append(s.buf, '[')
	for i, f := range frames {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.frame6(modules, f)
		if !s.full() {
			return
		}
	}
	s.buf = append(s.buf, ']')
}

func (s *stream) frame6(modules []module, f frame) {
	if f.module == nowhere {
		s.buf = append(appendHex(append(s.buf, `{"module":null,"address":"`...), f.offset), `"}`...)
		return
	}
	s.buf = strconv.AppendInt(append(s.buf, `{"module":`...), int64(f.module), 10)
	s.buf = append(appendHex(append(s.buf, `,"offset":"`...), f.offset), '"')
	if l := modules[f.module].lookup; l != nil && l.File != nil {
		if named, public := s.names(l.File, f.offset, v6); named {
			s.buf = appendDoubts(s.buf, l, public)
		}
	}
	s.buf = append(s.buf, '}')
}

// appendDoubts appends the reasons to doubt a name, if there are any.
func appendDoubts(b []byte, l *lookup, public bool) []byte {
	start := len(b)
	for _, d := range [...]struct {
		holds  bool
		reason string
	}{{l.File.BadLines() > 0, doubtLossy}, {public, doubtPublic}, {l.other, doubtOther}} {
		if !d.holds {
			continue
		}
		if len(b) == start {
			b = append(b, `,"doubt":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), d.reason...), '"')
	}
	if len(b) > start {
		b = append(b, ']')
	}
	return b
}
