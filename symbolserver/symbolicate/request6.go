package symbolicate

import (
	"fmt"
	"strconv"
	"strings"

	"aftershock/symbolcache"
)

// decode6 reads a request of v6: {"jobs": [{"modules": [...], "stacks": [...]}, ...]}.
// Members that it does not know are left alone, null is as if the member were not
// there.
func (q *request) decode6(text string, l *Limits) *problem {
	s, p := valid(text, q.ends)
	q.ends = s.ends
	if p != nil {
		return p
	}
	if s.peek() != '{' {
		return badRequest("the request must be an object")
	}
	jobs := s.back(s.member("jobs"))
	if !jobs.array() {
		return badRequest("jobs must be a list")
	}
	for i := 0; jobs.more(']'); i++ {
		if i == l.BatchJobs {
			return tooMany("jobs", l.BatchJobs)
		}
		if mistake, p := q.decodeJob6(jobs, l); p != nil {
			return p
		} else if mistake != "" {
			return badRequest(fmt.Sprintf("job %d: %s", i, mistake))
		}
	}
	return nil
}

func (q *request) decodeJob6(s *scanner, l *Limits) (mistake string, p *problem) {
	if !s.object() {
		return "must be an object", nil
	}
	stacks, modules := absent, absent
	for s.more('}') {
		switch s.key() {
		case "modules":
			modules = s.skip()
		case "stacks":
			stacks = s.skip()
		default:
			s.skip()
		}
	}
	q.beginJob()
	if mistake, p = q.decodeModules6(s.back(modules), l); mistake == "" && p == nil {
		mistake, p = q.decodeStacks6(s.back(stacks), l)
	}
	q.endJob()
	return mistake, p
}

func (q *request) decodeModules6(s *scanner, l *Limits) (mistake string, p *problem) {
	q.spans = q.spans[:0]
	if !s.array() {
		return "modules must be a list", nil
	}
	for i := 0; s.more(']'); i++ {
		k, at, mistake := s.module6()
		if mistake != "" {
			return fmt.Sprintf("module %d: %s", i, mistake), nil
		}
		if p := q.addModule(k, l); p != nil {
			return "", p
		}
		if at.module != nowhere {
			at.module = int32(i)
			q.spans = append(q.spans, at)
		}
	}
	q.spans = disjoint(q.spans)
	q.endJob()
	return "", nil
}

// module6 reads a module, and where it lies: its span's module is nowhere if that is
// not said.
func (s *scanner) module6() (k symbolcache.Key, at span, mistake string) {
	at.module = nowhere
	if !s.object() {
		return k, at, "must be an object"
	}
	var base, size uint64
	var hasBase, hasSize bool
	for s.more('}') {
		name := s.key()
		if s.peek() == 'n' { // null
			s.skip()
			continue
		}
		ok := true
		switch name {
		case "debug_file":
			k.DebugFile, ok = s.text6()
		case "debug_id":
			k.DebugID, ok = s.text6()
		case "code_file":
			k.CodeFile, ok = s.text6()
		case "code_id":
			k.CodeID, ok = s.text6()
		case "base":
			base, ok = s.address()
			hasBase = true
		case "size":
			size, ok = s.address()
			hasSize = true
		default:
			s.skip()
		}
		if !ok {
			return k, at, "invalid " + name
		}
	}
	if hasBase && hasSize && size > 0 {
		at.module, at.base, at.first = 0, base, base
		if at.last = base + size - 1; at.last < base {
			at.last = ^uint64(0)
		}
	}
	return k, at, ""
}

// text6 reads a name or an id.
func (s *scanner) text6() (string, bool) {
	text, ok := s.string()
	return text, ok && len(text) <= maxTextBytes
}

// address reads a number of 64 bits: an integer, or a string of 0x and hexadecimal
// digits, for those whose integers are shorter.
func (s *scanner) address() (uint64, bool) {
	switch s.peek() {
	case '"':
		text, _ := s.string()
		digits, ok := strings.CutPrefix(text, "0x")
		v, err := strconv.ParseUint(digits, 16, 64)
		return v, ok && err == nil
	case 't', 'f':
		s.skip()
		return 0, false
	}
	n, ok := s.integer()
	return n.abs, ok && !n.negative && !n.huge
}

func (q *request) decodeStacks6(s *scanner, l *Limits) (mistake string, p *problem) {
	j := &q.jobs[len(q.jobs)-1]
	modules := uint64(j.modules.to - j.modules.from)
	if !s.array() {
		return "stacks must be a list", nil
	}
	for i := 0; s.more(']'); i++ {
		if !s.array() {
			return fmt.Sprintf("stack %d must be a list", i), nil
		}
		if p := q.beginStack(l); p != nil {
			return "", p
		}
		for n := 0; s.more(']'); n++ {
			f, mistake := s.frame6(modules, q.spans)
			if mistake != "" {
				return fmt.Sprintf("stack %d: frame %d: %s", i, n, mistake), nil
			}
			if p := q.addFrame(f, l); p != nil {
				return "", p
			}
		}
	}
	return "", nil
}

// frame6 reads {"module": index, "offset": number} or {"address": number}.
func (s *scanner) frame6(modules uint64, spans []span) (f frame, mistake string) {
	if !s.object() {
		return f, "must be an object"
	}
	var index, offset, address uint64
	var hasIndex, hasOffset, hasAddress bool
	for s.more('}') {
		name := s.key()
		if s.peek() == 'n' { // null
			s.skip()
			continue
		}
		ok := true
		switch name {
		case "module":
			var n number
			c := s.peek()
			n, ok = s.integer()
			index, hasIndex, ok = n.abs, true, ok && c != 't' && c != 'f' && !n.negative && !n.huge
		case "offset":
			offset, ok = s.address()
			hasOffset = true
		case "address":
			address, ok = s.address()
			hasAddress = true
		default:
			s.skip()
		}
		if !ok {
			return f, "invalid " + name
		}
	}
	switch {
	case hasAddress && !hasIndex && !hasOffset:
		if at, ok := spanAt(spans, address); ok {
			return frame{offset: address - at.base, module: at.module}, ""
		}
		return frame{offset: address, module: nowhere}, ""
	case hasAddress || !hasIndex || !hasOffset:
		return f, "want either a module and an offset or an address"
	case index >= modules:
		return f, "module is not one of the job's"
	}
	return frame{offset: offset, module: int32(index)}, ""
}
