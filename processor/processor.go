// Package processor derives a processed crash from a raw one. START HERE.
//
// Processor.Process is pure: the same raw crash, symbols and signature version
// give the same bytes, whenever and wherever it runs. It reads no file, no
// network and no clock; symbols come from a function handed in. Its steps, in
// their order:
//
//	read the dump      minidump       bytes → streams
//	walk the stacks    stackwalk      threads → frames with trust (ping.go: those of a ping)
//	classify           the registry   annotations → public or protected
//	additional dumps   as the main one
//	derive             facts          annotations and dump → typed values with a name
//	fit                limits.go      what is too large is cut, with a note
//	sign               signature      what the event holds → signature
//
// Signing comes last and sees the event alone: signing again without the dump
// gives the same.
//
// Bad input never fails it: what cannot be read becomes a note with a stable
// code, and the rest is kept.
package processor

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"aftershock/facts"
	"aftershock/minidump"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stackwalk/analysis"
)

// Version is the process version of this code: it counts changes of what
// Process makes of the same input. A signature version names it.
const Version = 7

// Processor makes processed crashes for one signature version. It is immutable
// and safe for concurrent use.
type Processor struct {
	// SignatureVersion is stamped on every event.
	SignatureVersion int32
	Ruleset          *signature.Ruleset
	Annotations      *schema.Registry
	Symbols          Symbols
}

// Input is one raw crash with its main dump, or its stack if it is a ping, in memory.
type Input struct {
	Raw      *schema.RawCrash
	Position schema.Position
	Revision int64
	// Dump is the bytes of Raw.Main, nil when there is none. It must not change while
	// Process runs.
	Dump []byte
	// Beside is the bytes of those other dumps that Raw.Beside names, by name, without those
	// that could not be had.
	Beside map[string][]byte
}

// Process derives the processed crash. The error is ctx's: everything else
// becomes a note.
func (p *Processor) Process(ctx context.Context, in Input) (*schema.ProcessedCrash, error) {
	out := &schema.ProcessedCrash{
		CrashID: in.Raw.CrashID, ReceivedAt: in.Raw.ReceivedAt, Raw: in.Position,
		Kind: schema.KindOf(in.Raw.Kind), SignatureVersion: p.SignatureVersion, Revision: in.Revision, ProcessVersion: Version,
		RulesetHash: p.Ruleset.Hash(), RegistryHash: p.Annotations.Hash(),
		DumpStatus: schema.DumpOK,
	}
	out.ThrottleRule, out.ThrottleRate = in.Raw.Throttle.Shown()
	n := &notes{}
	if !in.Raw.Throttle.Valid() {
		n.add(schema.StageDoor, schema.NoteThrottleMalformed, schema.NoIndex)
	}
	for _, code := range in.Raw.Notes {
		n.door(code)
	}
	for i, d := range in.Raw.Dumps {
		if i == maxDumps {
			n.add(schema.StageEvent, schema.NoteDumpsCapped, schema.NoIndex)
			break
		}
		out.Dumps = append(out.Dumps, schema.DumpSummary{Name: n.text(d.Name), Size: d.Size, SHA256: hex.EncodeToString(d.SHA256[:])})
	}
	var said facts.Dump
	if out.Kind == schema.KindPing {
		p.pingStacks(ctx, in, out, n)
	} else {
		said = p.stacks(ctx, in.Dump, out, n)
		p.additional(ctx, in, out, n)
	}
	if err := ctx.Err(); err != nil {
		return nil, err // a stack without the symbols it should have is worse than none
	}
	facts.Platform(&out.System, in.Raw.Annotations)
	p.classify(in.Raw.Annotations, out, n)
	derived := facts.Derive(facts.Input{Crash: out, Registry: p.Annotations, Dump: said, MemoryReport: in.Beside[schema.MemoryReport]})
	out.Facts, out.ProtectedFacts = derived.Public, derived.Protected
	for _, code := range derived.Notes {
		n.add(schema.StageFacts, code, schema.NoIndex)
	}
	fit(out, n)
	p.sign(out)
	out.Notes = n.list
	return out, nil
}

// stacks reads and walks the main dump, and returns what facts are derived of. Without a
// readable one it says why in DumpStatus.
func (p *Processor) stacks(ctx context.Context, data []byte, out *schema.ProcessedCrash, n *notes) facts.Dump {
	dump, _ := readDump(data, out, n)
	if dump == nil {
		return facts.Dump{}
	}
	return facts.DumpOf(dump, p.walk(ctx, dump, out, n))
}

// readDump reads a dump, nil when there is none. Where it cannot be walked it says why in
// DumpStatus.
func readDump(data []byte, out *schema.ProcessedCrash, n *notes) (dump *minidump.Dump, walkable bool) {
	if data == nil {
		out.DumpStatus = statusNoDump
		n.add(schema.StageDump, schema.NoteDumpMissing, schema.NoIndex)
		return nil, false
	}
	if len(data) == 0 {
		out.DumpStatus = statusEmpty
		n.add(schema.StageDump, schema.NoteDumpUnreadable, schema.NoIndex)
		return nil, false
	}
	dump, err := minidump.Parse(data)
	if err == nil {
		for _, f := range dump.Findings {
			n.add(schema.StageDump, string(f.Code), f.Index)
		}
		err = dump.Walkable()
	}
	if err != nil {
		out.DumpStatus = dumpStatus(err)
		n.add(schema.StageDump, schema.NoteDumpUnreadable, schema.NoIndex)
	}
	return dump, err == nil
}

// walk walks a dump and describes it, and returns what its instruction tells.
func (p *Processor) walk(ctx context.Context, dump *minidump.Dump, out *schema.ProcessedCrash, n *notes) *analysis.Analysis {
	walk, symbols := Walk(ctx, dump, p.Symbols, walkOptions)
	found := analysis.Analyze(dump, walkOptions.Version)
	describe(dump, symbols, found, out, n)
	modules(dump, symbols, out, n)
	threads(dump, walk, symbols, out, n)
	return found
}

// Dump statuses beside schema.DumpOK.
const (
	statusNoDump     = "NoMinidump"
	statusEmpty      = "EmptyMinidump"
	statusNoHeader   = "MissingHeader"
	statusNoThreads  = "MissingThreadList"
	statusNoSystem   = "MissingSystemInfo"
	statusVersion    = "VersionMismatch"
	statusUnreadable = "Unreadable"
)

// dumpStatus names why a dump cannot be walked, where it can in the words of
// minidump-stackwalk, because they end in signatures.
func dumpStatus(err error) string {
	switch {
	case errors.Is(err, minidump.ErrNotMinidump):
		return statusNoHeader
	case errors.Is(err, minidump.ErrVersion):
		return statusVersion
	case errors.Is(err, minidump.ErrNoThreadList):
		return statusNoThreads
	case errors.Is(err, minidump.ErrNoSystemInfo):
		return statusNoSystem
	}
	return statusUnreadable
}

// sign makes the signature of what the event holds.
func (p *Processor) sign(out *schema.ProcessedCrash) {
	r := p.Ruleset.Generate(signature.FromProcessed(out))
	out.Signature, out.ProtoSignature, out.SignatureNotes = r.Signature, r.ProtoSignature, r.Notes
}

// classify copies the annotations in the order of their names, each as schema.ClientText.
// Public is one that the registry calls so and whose value has the shape it should.
func (p *Processor) classify(annotations map[string]string, out *schema.ProcessedCrash, n *notes) {
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if p.Annotations.Lookup(name).Class == schema.ClassNeverStore { // a door that is not ours has left it in
			n.once(schema.StageEvent, schema.NoteNeverStoreRemoved)
			continue
		}
		value := schema.ClientText(annotations[name])
		public := p.Annotations.Public(name, value)
		if !public && p.Annotations.Lookup(name).Class == schema.ClassPublic {
			n.once(schema.StageEvent, schema.NoteAnnotationNotPublic)
		}
		out.Annotations = append(out.Annotations, schema.Annotation{Name: n.text(name), Value: n.long(value), Public: public})
	}
}
