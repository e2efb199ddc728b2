package symbolicate

import (
	"fmt"
	"strings"

	"aftershock/symbolcache"
)

// decode5 reads a request of v4, which is one job, or v5. Mistakes are told in the
// order and the words of Eliot: of the first job that has one, the modules before
// the stacks.
func (q *request) decode5(text string, v version, l *Limits) *problem {
	s, p := valid(text, q.ends)
	q.ends = s.ends
	if p != nil {
		return p
	}
	if v == v5 && s.peek() == '{' {
		if jobs := s.back(0).member("jobs"); jobs != absent {
			return q.decodeJobs(s.back(jobs), l)
		}
	}
	return q.decodeJob(0, &s, l)
}

// member is where the value of a member of an object starts. Of several with one name
// the last counts.
func (s *scanner) member(name string) (value int) {
	value = absent
	if !s.object() {
		return value
	}
	for s.more('}') {
		if s.key() == name {
			value = s.skip()
		} else {
			s.skip()
		}
	}
	return value
}

func (q *request) decodeJobs(s *scanner, l *Limits) *problem {
	switch s.peek() {
	case '[':
	case '{', '"': // Eliot takes these for lists of their keys and letters
		if s.at++; s.peek() == '}' || s.text[s.at-1:s.at+1] == `""` {
			return nil
		}
		return badRequest("job 0 is invalid")
	default:
		return badRequest("jobs must be a list")
	}
	count := 0
	for all := s.back(s.at + 1); all.more(']'); count++ {
		all.skip()
	}
	if count > l.Jobs {
		return tooMany("jobs", l.Jobs)
	}
	s.array()
	for i := 0; s.more(']'); i++ {
		if p := q.decodeJob(i, s, l); p != nil {
			return p
		}
	}
	return nil
}

func (q *request) decodeJob(i int, s *scanner, l *Limits) *problem {
	if !s.object() {
		return badRequest(fmt.Sprintf("job %d is invalid", i))
	}
	stacks, modules := absent, absent
	for s.more('}') {
		switch s.key() {
		case "stacks":
			stacks = s.skip()
		case "memoryMap":
			modules = s.skip()
		default:
			s.skip()
		}
	}
	switch absent {
	case stacks:
		return badRequest(fmt.Sprintf("job %d is invalid: no stacks specified", i))
	case modules:
		return badRequest(fmt.Sprintf("job %d is invalid: no memoryMap specified", i))
	}
	q.beginJob()
	if mistake, p := q.decodeModules5(s.back(modules), l); p != nil {
		return p
	} else if mistake != "" {
		return badRequest(fmt.Sprintf("job %d has invalid modules: %s", i, mistake))
	}
	if mistake, p := q.decodeStacks5(s.back(stacks), l); p != nil {
		return p
	} else if mistake != "" {
		return badRequest(fmt.Sprintf("job %d has invalid stacks: %s", i, mistake))
	}
	q.endJob()
	return nil
}

// decodeModules5 reads [[debug file, debug id], ...].
func (q *request) decodeModules5(s *scanner, l *Limits) (mistake string, p *problem) {
	if !s.array() {
		return "modules must be a list", nil
	}
	for i := 0; s.more(']'); i++ {
		var texts [2]string
		var ok [2]bool
		n := 0
		if s.array() {
			for ; s.more(']'); n++ {
				if n < len(texts) {
					texts[n], ok[n] = s.string()
				} else {
					s.skip()
				}
			}
		}
		switch {
		case n != len(texts):
			return fmt.Sprintf("module index %d does not have a debug_filename and debug_id", i), nil
		case !ok[0] || !consistsOf(texts[0], isNameByte):
			return fmt.Sprintf("module index %d has an invalid debug_filename", i), nil
		case !ok[1] || !consistsOf(texts[1], isHexByte):
			return fmt.Sprintf("module index %d has an invalid debug_id", i), nil
		}
		if p := q.addModule(symbolcache.Key{DebugFile: texts[0], DebugID: texts[1]}, l); p != nil {
			return "", p
		}
	}
	q.endJob()
	return "", nil
}

// consistsOf tells whether all bytes are of a kind. A line feed may end a text: Eliot
// lets it pass.
func consistsOf(text string, is func(byte) bool) bool {
	text = strings.TrimSuffix(text, "\n")
	for i := range len(text) {
		if !is(text[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return isDigit(c) || (c|0x20)-'a' < 26 || strings.IndexByte("_.+{}@<> ~-", c) >= 0
}

func isHexByte(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 6 }

// decodeStacks5 reads [[[module, offset], ...], ...].
func (q *request) decodeStacks5(s *scanner, l *Limits) (mistake string, p *problem) {
	j := &q.jobs[len(q.jobs)-1]
	modules := uint64(j.modules.to - j.modules.from)
	if !s.array() {
		return "stacks must be a list of lists", nil
	}
	i := 0
	for ; s.more(']'); i++ {
		if !s.array() {
			return fmt.Sprintf("stack %d is not a list", i), nil
		}
		if p := q.beginStack(l); p != nil {
			return "", p
		}
		for n := 0; s.more(']'); n++ {
			f, mistake := s.frame5(modules)
			if mistake != "" {
				return fmt.Sprintf("stack %d frame %d %s", i, n, mistake), nil
			}
			if p := q.addFrame(f, l); p != nil {
				return "", p
			}
		}
	}
	if i == 0 {
		return "no stacks specified", nil
	}
	return "", nil
}

// frame5 reads [module, offset]; a module of -1 is none.
func (s *scanner) frame5(modules uint64) (f frame, mistake string) {
	var numbers [2]number
	var ok [2]bool
	n := 0
	if s.array() {
		for ; s.more(']'); n++ {
			if n < len(numbers) {
				numbers[n], ok[n] = s.integer()
			} else {
				s.skip()
			}
		}
	}
	index, offset := &numbers[0], &numbers[1]
	none := index.isMinusOne()
	switch {
	case n != len(numbers):
		return f, "is not a list of two items"
	case !ok[0]:
		return f, "has an invalid module_index"
	case !none && (index.huge || index.negative || index.abs >= modules):
		return f, "has a module_index that isn't in modules"
	case !ok[1] || offset.huge || offset.negative && !offset.isMinusOne():
		return f, "has an invalid module_offset"
	}
	f = frame{offset: offset.abs, module: nowhere, below: offset.negative}
	if !none {
		f.module = int32(index.abs)
	}
	return f, ""
}

func (n *number) isMinusOne() bool { return n.negative && n.abs == 1 && !n.huge }
