package symbolicate

import (
	"strconv"
	"strings"

	"aftershock/breakpad"
	"aftershock/symbolcache"
)

// unknown is the module of a frame that is in none, and the function of a record
// without a name.
const unknown = "<unknown>"

// answer5 writes the results of v5, up to the brace that ends the answer.
func (s *stream) answer5(q *request) {
	s.buf = append(s.buf, `{"results":[`...)
	for i, j := range q.jobs {
		modules := q.modulesOf(j)
		s.await(modules, i > 0)
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.quoteModules(modules)
		s.buf = append(s.buf, `{"stacks":[`...)
		for n, stack := range q.stacksOf(j) {
			if n > 0 {
				s.buf = append(s.buf, ',')
			}
			if s.stack5(modules, q.framesOf(stack)); s.err != nil {
				return
			}
		}
		s.buf = append(s.buf, `],"found_modules":{`...)
		s.foundModules(q, modules)
		s.buf = append(s.buf, "}}"...)
	}
	s.buf = append(s.buf, ']')
}

func (s *stream) stack5(modules []module, frames []frame) {
	s.buf = append(s.buf, '[')
	for i, f := range frames {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = strconv.AppendInt(append(s.buf, `{"frame":`...), int64(i), 10)
		s.buf = append(s.buf, `,"module":"`...)
		s.buf = s.appendModule(s.buf, f)
		s.buf = append(s.buf, `","module_offset":"`...)
		s.buf = append(appendOffset(s.buf, f), '"')
		if file := fileOf(modules, f); file != nil {
			s.names(file, f.offset, v5)
		}
		s.buf = append(s.buf, '}')
		if !s.full() {
			return
		}
	}
	s.buf = append(s.buf, ']')
}

// quoteModules writes down what answers call the modules, escaped.
func (s *stream) quoteModules(modules []module) {
	s.quoted, s.escaped = s.quoted[:0], s.escaped[:0]
	for i := range modules {
		start := len(s.escaped)
		if m := &modules[i]; m.needed {
			s.escaped = appendEscaped(s.escaped, []byte(nameOf(m)))
		}
		s.quoted = append(s.quoted, s.escaped[start:])
	}
}

// nameOf is what v4 and v5 call a module: the program's file that its symbols name,
// unless it has a space, as Eliot reads that record.
func nameOf(m *module) string {
	if f := m.lookup.file(); f != nil && f.CodeFile != "" && !strings.Contains(f.CodeFile, " ") {
		return f.CodeFile
	}
	if m.key.DebugFile == "" {
		return unknown
	}
	return m.key.DebugFile
}

func (s *stream) appendModule(b []byte, f frame) []byte {
	if f.module == nowhere {
		return append(b, unknown...)
	}
	return append(b, s.quoted[f.module]...)
}

// fileOf is where v4 and v5 take the names of a frame from; nil when there is none.
func fileOf(modules []module, f frame) *symbolcache.File {
	if f.module == nowhere || f.below {
		return nil
	}
	return modules[f.module].lookup.file()
}

// names writes the members that tell what is at an offset, if anything is, and tells
// whether that is the name of a PUBLIC record.
func (s *stream) names(file *symbolcache.File, offset uint64, v version) (named, public bool) {
	p := placeOf(file, offset, v)
	w, ok := s.known.get(&p)
	if ok {
		s.buf = append(s.buf, w.text...)
		return w.text != "", w.public
	}
	path := appendCleanPath
	if v == v6 {
		path = appendEscaped
	}
	start := len(s.buf)
	s.at.Reset()
	if file.AppendLocations(&s.at, offset); len(s.at.List) > 0 {
		public = s.at.List[len(s.at.List)-1].Public
		s.buf = appendNames(s.buf, offset, s.at.List, path)
	}
	s.known.put(&p, s.buf[start:], public)
	return len(s.buf) > start, public
}

// appendNames appends the function at an offset, which is the last of a list, and the
// calls that are inlined there. path appends a source file's.
func appendNames(b []byte, offset uint64, list []breakpad.Location, path func(b, path []byte) []byte) []byte {
	last := len(list) - 1
	b = appendFunction(append(b, ','), &list[last])
	b = appendHex(append(b, `,"function_offset":"`...), offset-list[last].FunctionRVA)
	b = appendPlace(append(b, '"'), &list[last], path)
	if last == 0 {
		return b
	}
	b = append(b, `,"inlines":[`...)
	for i := range list[:last] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFunction(append(b, '{'), &list[i])
		b = append(appendPlace(b, &list[i], path), '}')
	}
	return append(b, ']')
}

func appendFunction(b []byte, l *breakpad.Location) []byte {
	b = append(b, `"function":`...)
	if len(l.Function) == 0 && !l.Inline {
		return append(b, `"`+unknown+`"`...)
	}
	return append(appendEscaped(append(b, '"'), l.Function), '"')
}

// appendPlace appends the file, and the line, which means nothing without: it may be
// 0, which is none.
func appendPlace(b []byte, l *breakpad.Location, path func(b, path []byte) []byte) []byte {
	if !l.HasFile || len(l.File) == 0 {
		return b
	}
	b = append(path(append(b, `,"file":"`...), l.File), '"')
	if l.HasLine && l.Line != 0 {
		b = strconv.AppendUint(append(b, `,"line":`...), uint64(l.Line), 10)
	}
	return b
}

// foundModules appends the members that tell which modules have symbols, each
// once.
func (s *stream) foundModules(q *request, modules []module) {
	clear(q.keys)
	for i := range modules {
		m := &modules[i]
		if _, again := q.keys[m.key]; again {
			continue
		}
		if len(q.keys) > 0 {
			s.buf = append(s.buf, ',')
		}
		q.keys[m.key] = i
		s.buf = appendEscaped(append(s.buf, '"'), []byte(m.key.DebugFile))
		s.buf = appendEscaped(append(s.buf, '/'), []byte(m.key.DebugID))
		s.buf = append(s.buf, `":`...)
		s.buf = appendFound(s.buf, m.lookup)
		if !s.full() {
			return
		}
	}
}

// appendFound appends one of the three values: there are names, there are none, and
// nobody asked.
func appendFound(b []byte, l *lookup) []byte {
	switch {
	case l == nil:
		return append(b, "null"...)
	case l.file() != nil:
		return append(b, "true"...)
	}
	return append(b, "false"...)
}
