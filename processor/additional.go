package processor

import (
	"context"
	"strings"

	"aftershock/schema"
	"aftershock/symbolcache"
)

// additional reads and walks the dumps beside the main one: of a hang, they are those of
// the processes that it waited for. They are no part of the signature. When the main dump
// has waited for symbols as long as a crash may, they are walked with the symbols that are
// known.
func (p *Processor) additional(ctx context.Context, in Input, out *schema.ProcessedCrash, n *notes) {
	symbols := p.Symbols
	for i := range in.Raw.Dumps {
		d := &in.Raw.Dumps[i]
		if !schema.AdditionalDumpName(d.Name) {
			continue
		}
		if len(out.AdditionalDumps) == schema.MaxAdditionalDumps {
			n.once(schema.StageEvent, schema.NoteDumpsCapped)
			return
		}
		if outOfTime(out) {
			symbols.Find = func(context.Context, symbolcache.Key) symbolcache.Lookup {
				return symbolcache.Lookup{Outcome: symbolcache.Timeout}
			}
		}
		// It is read as a main one is, into a crash of its own.
		own := &schema.ProcessedCrash{DumpStatus: schema.DumpOK}
		codes := &notes{}
		with := *p
		with.Symbols = symbols
		if dump, walkable := readDump(in.Beside[d.Name], own, codes); dump != nil {
			with.walk(ctx, dump, own, codes)
			if !walkable {
				n.once(schema.StageDump, schema.NoteAdditionalDump)
			}
		} else {
			n.once(schema.StageDump, schema.NoteAdditionalDump)
		}
		if countFrames(own) > maxAdditionalFrames {
			framesOfOthers(own, crashingThread(own))
			codes.once(schema.StageEvent, schema.NoteEventShrunk)
		}
		out.AdditionalDumps = append(out.AdditionalDumps, schema.AdditionalDump{
			Name: n.text(d.Name), DumpStatus: own.DumpStatus, Reason: own.Crash.Reason, Address: own.Crash.Address, ProcessID: own.Crash.ProcessID,
			CrashingThread: own.Crash.CrashingThread, Threads: own.Threads, Modules: inStacks(own), Notes: codes.list,
		})
	}
}

// maxAdditionalFrames of a dump beside the main one are kept of all its threads: those of
// all dumps together are in memory before the event is made to fit.
const maxAdditionalFrames = 8192

func countFrames(c *schema.ProcessedCrash) (n int) {
	for i := range c.Threads {
		n += len(c.Threads[i].Frames)
	}
	return n
}

// outOfTime tells whether a dump that was walked lacks symbols because their sources did
// not answer in time.
func outOfTime(out *schema.ProcessedCrash) bool {
	late := func(modules []schema.Module) bool {
		for i := range modules {
			if modules[i].Symbols == string(symbolcache.Timeout) {
				return true
			}
		}
		return false
	}
	if late(out.Modules) {
		return true
	}
	for i := range out.AdditionalDumps {
		if late(out.AdditionalDumps[i].Modules) {
			return true
		}
	}
	return false
}

// inStacks are the modules that a crash's frames lie in.
func inStacks(c *schema.ProcessedCrash) (kept []schema.Module) {
	named := map[string]bool{}
	for i := range c.Threads {
		for j := range c.Threads[i].Frames {
			named[strings.ToLower(c.Threads[i].Frames[j].Module)] = true
		}
	}
	for i := range c.Modules {
		if named[strings.ToLower(c.Modules[i].Filename)] {
			kept = append(kept, c.Modules[i])
		}
	}
	return kept
}
