package collector

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"aftershock/blob"
	"aftershock/redact"
	"aftershock/schema"
)

// fill puts the report into its raw crash, and stores the blobs that it names.
func (c *Collector) fill(ctx context.Context, raw *schema.RawCrash, rep *report) error {
	removed := redact.Door(rep.annotations, c.o.Annotations)
	if live := c.o.Live(); live != nil && live != c.o.Annotations {
		removed += redact.Door(rep.annotations, live)
	}
	if removed > 0 {
		rep.note(schema.NoteNeverStoreRemoved)
	}
	raw.Annotations = rep.annotations
	if err := c.overflow(ctx, raw, rep); err != nil {
		return err
	}
	raw.Notes = rep.notes
	left := schema.MaxRawBytes - eventOverhead - annotationBytes(raw)
	for _, p := range rep.dumps {
		d, err := c.dump(ctx, raw.CrashID, p, min(c.o.InlineMax, left))
		if err != nil {
			return err
		}
		left -= len(d.Inline)
		raw.Dumps = append(raw.Dumps, d)
	}
	return nil
}

// eventOverhead bounds what an event takes beside annotations and inline
// dumps: ids, notes, and for each dump its name, digest and key.
const eventOverhead = 4<<10 + maxDumps*512

// annotationBytes bounds what the annotations take of the event.
func annotationBytes(raw *schema.RawCrash) int {
	n := 0
	for name, value := range raw.Annotations {
		n += len(name) + len(value) + 10 // two lengths of at most 5 bytes
	}
	for _, ref := range raw.AnnotationOverflow {
		n += len(ref.Name) + len(ref.Blob) + 60
	}
	return n
}

// overflow moves annotations that are too large, and then the largest until
// the rest fits, to the blob store.
func (c *Collector) overflow(ctx context.Context, raw *schema.RawCrash, rep *report) error {
	total := 0
	names := make([]string, 0, len(raw.Annotations))
	for name, value := range raw.Annotations {
		names = append(names, name)
		total += len(value)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := len(raw.Annotations[b]) - len(raw.Annotations[a]); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		value := raw.Annotations[name]
		if len(value) <= maxInlineAnnotation && total <= maxInlineAnnotations {
			return nil
		}
		rep.note(schema.NoteAnnotationOverflow)
		sum := schema.SHA256(sha256.Sum256([]byte(value)))
		key, err := blob.Key(raw.CrashID, "annotation_"+name, sum)
		if err != nil {
			return err
		}
		if err := c.o.Blobs.Put(ctx, key, []byte(value)); err != nil {
			return fmt.Errorf("store annotation: %w", err)
		}
		raw.AnnotationOverflow = append(raw.AnnotationOverflow, schema.AnnotationRef{Name: name, Size: int64(len(value)), SHA256: sum, Blob: key})
		delete(raw.Annotations, name)
		total -= len(value)
	}
	return nil
}

// dump puts a dump inline, if it takes at most inlineMax bytes, or into the blob store.
func (c *Collector) dump(ctx context.Context, crashID string, p packed, inlineMax int) (schema.Dump, error) {
	d := schema.Dump{Name: p.name, Size: p.size, SHA256: p.sum, Encoding: p.encoding}
	if len(p.stored) <= inlineMax && p.size > 0 {
		// stored may have much more capacity than length: it lives as long as the event
		d.Inline = bytes.Clone(p.stored)
		return d, nil
	}
	key, err := blob.Key(crashID, p.name, d.SHA256)
	if err != nil {
		return d, err
	}
	if err := c.o.Blobs.Put(ctx, key, p.stored); err != nil {
		return d, fmt.Errorf("store dump: %w", err)
	}
	d.Blob = &key
	c.metrics.claims.Inc()
	return d, nil
}
