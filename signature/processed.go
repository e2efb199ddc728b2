package signature

import (
	"strconv"

	"aftershock/schema"
)

// FromProcessed is what the signature of a processed crash is made of: what is
// public of it. It reads nothing that stands behind the threads, and of those the
// first and the crashing one, as schema.DecodeSignable does.
func FromProcessed(p *schema.ProcessedCrash) *Crash {
	c := &Crash{OS: p.System.OS, Reason: p.Crash.Reason}
	if p.DumpStatus != schema.DumpOK {
		c.DumpStatus = p.DumpStatus
	}
	if p.Crash.BitFlipPercent != nil {
		c.BitFlipPercent = *p.Crash.BitFlipPercent
	}
	c.annotate(p.Annotations, len(p.Threads) > 0)
	if p.Crash.CrashingThread != nil {
		c.CrashingThread = new(int(*p.Crash.CrashingThread))
	}
	c.Threads = make([]Thread, len(p.Threads))
	for i := range p.Threads {
		if i != 0 && i != c.threadIndex() {
			continue
		}
		from, t := &p.Threads[i], &c.Threads[i]
		if from.LastError != nil {
			t.LastError = *from.LastError
		}
		for j := range from.Frames {
			f := fromFrame(&from.Frames[j])
			if f.Doubtful && p.Kind == schema.KindPing && from.Frames[j].Trust != "context" {
				f.ModuleOffset = callBefore(f.ModuleOffset, p.System.CPUArch)
			}
			t.Frames = append(t.Frames, f)
		}
	}
	return c
}

// callBefore is where the call lies before a return address, which is what frames of
// pings have: where those of dumps are.
func callBefore(offset, cpu string) string {
	bytes := uint64(1)
	switch cpu {
	case "arm64":
		bytes = 4
	case "arm":
		bytes = 2
	}
	v, err := strconv.ParseUint(offset, 0, 64)
	if err != nil || v < bytes {
		return offset
	}
	return "0x" + strconv.FormatUint(v-bytes, 16)
}

func fromFrame(from *schema.Frame) Frame {
	f := Frame{
		Module: from.Module, ModuleOffset: from.ModuleOffset, Offset: from.Offset,
		Function: from.Function, File: from.File, Line: from.Line,
		language: languageOf(from.File),
		Doubtful: from.Doubt != "", Probability: from.Probability,
	}
	for _, in := range from.Inlines {
		f.Inlines = append(f.Inlines, Inline{Function: in.Function, File: in.File, Line: in.Line, language: languageOf(in.File)})
	}
	if len(from.Unloaded) > 0 {
		f.Unloaded = from.Unloaded[0].Module
	}
	return f
}
