package minidumptest

import "aftershock/minidump"

// Stack is the memory of a thread's stack, written from low to high addresses
// in words of the dump's CPU. Labels name places in it, so that a saved frame
// pointer can point at a frame that is written later.
type Stack struct {
	base  uint64
	words []word
}

type word struct {
	value uint64
	label string // when set, the value is the label's address
}

// StackAt starts a stack at an address.
func StackAt(base uint64) Stack { return Stack{base: base} }

// Words appends values.
func (s Stack) Words(values ...uint64) Stack {
	for _, v := range values {
		s.words = append(s.words[:len(s.words):len(s.words)], word{value: v})
	}
	return s
}

// Zeros appends n words of 0.
func (s Stack) Zeros(n int) Stack { return s.Words(make([]uint64, n)...) }

// PointerTo appends a word that holds the address of a label; the label is
// defined by a Mark with the name, before or after.
func (s Stack) PointerTo(label string) Stack {
	s.words = append(s.words[:len(s.words):len(s.words)], word{label: label})
	return s
}

// Mark gives the next word a name.
func (s Stack) Mark(label string) Stack {
	s.words = append(s.words[:len(s.words):len(s.words)], word{label: ":" + label})
	return s
}

// Address is where a label is, with words of this CPU.
func (s Stack) Address(cpu minidump.CPU, label string) uint64 {
	addr := s.base
	for _, w := range s.words {
		if w.label == ":"+label {
			return addr
		}
		if w.label == "" || w.label[0] != ':' {
			addr += uint64(cpu.WordBytes())
		}
	}
	panic("minidumptest: no label " + label)
}

func (s Stack) bytes(b *Builder) []byte {
	w := b.writer()
	for _, word := range s.words {
		v := word.value
		if word.label != "" {
			if word.label[0] == ':' {
				continue
			}
			v = s.Address(b.cpu, word.label)
		}
		if b.cpu.WordBytes() == 4 {
			w.u32(uint32(v))
		} else {
			w.u64(v)
		}
	}
	return w.out
}
