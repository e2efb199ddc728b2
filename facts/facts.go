// Package facts derives typed, named values from a crash's annotations and dump:
// how long it had run, what its system is called, what its assertion said. START HERE.
//
// Derive is pure. Each idea has a file, and is a method of derivation that fills the
// fields it is about; what a field is and what it is derived of stands beside it in
// schema/avsc/processed_crash.v4.avsc, the data dictionary. What is missing is nil, and
// never 0, "" or "unknown" where a value could be meant. A value that cannot be read
// costs its own field, with a note that does not quote it.
//
// schema.Facts may be shown to anybody, by how they are made: of public annotations, of
// names in the code, of lists of known words; free text passes publicText first.
package facts

import (
	"maps"
	"slices"
	"strings"

	"aftershock/schema"
)

// What facts keep.
const (
	maxText     = 1 << 10 // bytes of a text
	maxLongText = 16 << 10
	maxList     = 256 // elements of a list
)

// Input is what facts are derived of. It must not change meanwhile.
type Input struct {
	// Crash has everything but its facts and its signature.
	Crash *schema.ProcessedCrash
	// Registry is what its annotations were classified with.
	Registry *schema.Registry
	// Dump is what the main dump says that Crash does not; the zero value without one.
	Dump Dump
	// MemoryReport are the bytes of the dump of that name, nil for none.
	MemoryReport []byte
}

// Facts are what Derive returns. Notes are codes of schema's catalogue, each once,
// sorted.
type Facts struct {
	Public    *schema.Facts
	Protected *schema.ProtectedFacts
	Notes     []string
}

// derivation is what ideas read and fill.
type derivation struct {
	Input
	annotations map[string]*schema.Annotation
	means       map[string]string // what public annotations mean, by Registry.Meanings
	pub         *schema.Facts
	prot        *schema.ProtectedFacts
	notes       map[string]bool
	ownWords    map[string]bool // see stackWords
}

// ideas in their order: none reads what another one fills but for the public text, which
// knows the names in the crash's own stack.
var ideas = []func(*derivation){
	(*derivation).process, (*derivation).times, (*derivation).system, (*derivation).address, (*derivation).thread,
	(*derivation).reasons, (*derivation).java, (*derivation).mac, (*derivation).modules, (*derivation).signers,
	(*derivation).graphics, (*derivation).addons, (*derivation).shutdown, (*derivation).utility, (*derivation).distribution,
	(*derivation).crumbs, (*derivation).memoryReport, (*derivation).heapChecker, (*derivation).writer, (*derivation).report,
}

// Derive returns the facts of a crash. The result shares nothing that changes with the
// input. It is safe for concurrent use.
func Derive(in Input) Facts {
	d := &derivation{Input: in, annotations: map[string]*schema.Annotation{}, pub: &schema.Facts{}, prot: &schema.ProtectedFacts{}, notes: map[string]bool{}}
	for i := range in.Crash.Annotations {
		a := &in.Crash.Annotations[i]
		d.annotations[a.Name] = a
	}
	d.means = in.Registry.Meanings(in.Crash.Annotations)
	for _, idea := range ideas {
		idea(d)
	}
	return Facts{d.pub, d.prot, slices.Sorted(maps.Keys(d.notes))}
}

// note says that something could not be read.
func (d *derivation) note(code string) { d.notes[code] = true }

// any is the value of an annotation, whoever may see it; empty when there is none. Of what comes of it only names or numbers may be public.
func (d *derivation) any(name string) string {
	if a := d.annotations[name]; a != nil {
		return a.Value
	}
	return ""
}

// public is the value of an annotation if anybody may see it; empty when not. An
// annotation that is there and is not public is noted by whoever classified it.
func (d *derivation) public(name string) string {
	if a := d.annotations[name]; a != nil && a.Public {
		return a.Value
	}
	return ""
}

// crashing is the thread that crashed, nil for none.
func (d *derivation) crashing() *schema.Thread {
	i := d.Crash.Crash.CrashingThread
	if i == nil || *i < 0 || int(*i) >= len(d.Crash.Threads) {
		return nil
	}
	return &d.Crash.Threads[*i]
}

// text is a fact of a text: nil of an empty one.
func text(s string) *string { return long(s, maxText) }

// long is text with a limit of its own, in bytes.
func long(s string, limit int) *string {
	if s == "" {
		return nil
	}
	return new(schema.CutText(strings.ToValidUTF8(s, "\uFFFD"), limit))
}
