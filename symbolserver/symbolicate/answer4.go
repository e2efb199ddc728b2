package symbolicate

// answer4 writes the answer of v4, which has function names only.
func (s *stream) answer4(q *request) {
	j := q.jobs[0]
	modules := q.modulesOf(j)
	s.await(modules, false)
	s.quoteModules(modules)
	s.buf = append(s.buf, `{"symbolicatedStacks":[`...)
	for i, stack := range q.stacksOf(j) {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		if s.stack4(modules, q.framesOf(stack)); s.err != nil {
			return
		}
	}
	s.buf = append(s.buf, `],"knownModules":[`...)
	for i := range modules {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = appendFound(s.buf, modules[i].lookup)
	}
	s.buf = append(s.buf, "]}"...)
}

// stack4 writes a frame as "function (in module)", with the offset for want of a
// function.
func (s *stream) stack4(modules []module, frames []frame) {
	s.buf = append(s.buf, '[')
	for i, f := range frames {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = append(s.buf, '"')
		s.at.Reset()
		if file := fileOf(modules, f); file != nil {
			file.AppendLocations(&s.at, f.offset)
		}
		switch n := len(s.at.List); {
		case n == 0:
			s.buf = appendOffset(s.buf, f)
		case len(s.at.List[n-1].Function) == 0:
			s.buf = append(s.buf, unknown...)
		default:
			s.buf = appendEscaped(s.buf, s.at.List[n-1].Function)
		}
		s.buf = append(s.buf, " (in "...)
		s.buf = append(s.appendModule(s.buf, f), `)"`...)
		if !s.full() {
			return
		}
	}
	s.buf = append(s.buf, ']')
}
