// Package redact decides what leaves: Door removes from a report what must
// never be stored, Public makes the view of a processed crash that anybody may
// see.
//
// Public copies field by field what the schema calls public, so that a new
// field stays protected until somebody writes it here. A value of a public
// annotation must also have the shape of its type, in the registry of today
// and at the time of processing.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"aftershock/schema"
)

// Door removes the annotations of class never-store from the map and tells how
// many there were.
func Door(annotations map[string]string, registry *schema.Registry) int {
	removed := 0
	for name := range annotations {
		if registry.Lookup(name).Class == schema.ClassNeverStore {
			delete(annotations, name)
			removed++
		}
	}
	return removed
}

// Public returns the public view of a processed crash. The result shares
// slices with p. It fails only if the view cannot be encoded.
func Public(p *schema.ProcessedCrash, registry *schema.Registry) (*schema.TelemetryCrash, error) {
	annotations := registry.PublicOf(p.Annotations)
	means := registry.MeaningsOf(annotations)
	t := &schema.TelemetryCrash{
		CrashID:          p.CrashID,
		ReceivedAt:       p.ReceivedAt,
		Kind:             schema.KindOf(p.Kind),
		SignatureVersion: p.SignatureVersion,
		Revision:         p.Revision,
		Signature:        p.Signature,
		ProtoSignature:   p.ProtoSignature,
		SignatureNotes:   p.SignatureNotes,
		DumpStatus:       p.DumpStatus,
		OS:               p.System.OS,
		OSVersion:        p.System.OSVersion,
		CPUArch:          p.System.CPUArch,
		CPUInfo:          p.System.CPUInfo,
		CPUCount:         p.System.CPUCount,
		Reason:           p.Crash.Reason,
		UptimeSeconds:    p.Crash.UptimeSeconds,
		CrashingThread:   p.Crash.CrashingThread,
		ThreadCount:      int32(len(p.Threads)),
		Frames:           frames(p),
		Modules:          modules(p.Modules),
		Annotations:      annotations,
		MemoryMapCount:   p.MemoryMapCount,
		ThrottleRule:     p.ThrottleRule,
		ThrottleRate:     p.ThrottleRate,
		Notes:            p.Notes,
		Facts:            facts(p, registry, means),
	}
	t.Product, t.Version, t.Channel = means[schema.MeansProduct], means[schema.MeansVersion], means[schema.MeansChannel]
	t.BuildID, t.ProcessType = means[schema.MeansBuildID], means[schema.MeansProcessType]
	if t.Facts != nil && t.Facts.ProcessType != nil {
		t.ProcessType = *t.Facts.ProcessType
	}
	return t, stamp(t)
}

// frames are those of the crashing thread, or of the first one.
func frames(p *schema.ProcessedCrash) []schema.PublicFrame {
	crashing := 0
	if p.Crash.CrashingThread != nil {
		crashing = int(*p.Crash.CrashingThread)
	}
	if crashing < 0 || crashing >= len(p.Threads) {
		return nil
	}
	thread := p.Threads[crashing].Frames
	out := make([]schema.PublicFrame, len(thread))
	for i := range thread {
		f := &thread[i]
		out[i] = schema.PublicFrame{
			Trust: f.Trust, Module: f.Module, ModuleOffset: f.ModuleOffset, Function: f.Function,
			FunctionOffset: f.FunctionOffset, File: f.File, Line: f.Line, Inlines: f.Inlines, Unloaded: f.Unloaded,
			Doubt: f.Doubt, Probability: f.Probability,
		}
	}
	return out
}

func modules(in []schema.Module) []schema.PublicModule {
	out := make([]schema.PublicModule, len(in))
	for i := range in {
		m := &in[i]
		out[i] = schema.PublicModule{
			Filename: m.Filename, Size: m.Size, Version: m.Version, CodeID: m.CodeID,
			DebugFile: m.DebugFile, DebugID: m.DebugID, Symbols: m.Symbols, SymbolsSHA256: m.SymbolsSHA256,
		}
	}
	return out
}

// stamp sets the content hash: equal for events that differ only in version,
// revision or the hash itself.
func stamp(t *schema.TelemetryCrash) error {
	content := *t
	content.SignatureVersion, content.Revision, content.ContentHash = 0, 0, ""
	content.ReceivedAt = content.ReceivedAt.UTC().Truncate(time.Millisecond)
	kept, _ := encodings.Get().(*[]byte)
	b, err := schema.AppendEncode((*kept)[:0], &content)
	if err != nil {
		return fmt.Errorf("content hash: %w", err)
	}
	sum := sha256.Sum256(b)
	if *kept = b; cap(b) <= maxKept {
		encodings.Put(kept)
	}
	t.ContentHash = hex.EncodeToString(sum[:])
	return nil
}

// encodings are what events were encoded in, to be used again: each takes tens of kilobytes.
var encodings = sync.Pool{New: func() any { return new([]byte) }}

// maxKept bounds one that is used again.
const maxKept = 1 << 20
