// Package archive reads crashes that another system has stored: the reference's storage
// (reference.go), and folders of dumps as crash clients and servers keep them (folder.go).
// It knows what lies where, and nothing of what becomes of it.
package archive

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Crash is one that an archive holds.
type Crash struct {
	// Path is where it lies, for people.
	Path string
	// ID is its crash id, or what its client called it; "" when nobody has.
	ID string
	// Received is when it came; zero when nobody knows.
	Received time.Time
	// JSON is an object of its annotations, which need not be strict JSON; Annotations are
	// those that are written otherwise. Either may be empty.
	JSON        []byte
	Annotations map[string]string
	Dumps       []Dump
	// Sent: its client says that it was sent, and taken.
	Sent bool
}

// Dump is one of a crash, in memory.
type Dump struct {
	Name string
	Data []byte
}

// SkipError says why something of an archive is no crash that can be taken. The archive
// goes on behind it.
type SkipError struct {
	Path string
	// Code is stable; Err says more.
	Code string
	Err  error
}

func (e *SkipError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Path, e.Code, e.Err) }

func (e *SkipError) Unwrap() error { return e.Err }

// Codes of what is skipped.
const (
	SkipTooLarge    = "too_large"    // a file is larger than MaxFileBytes
	SkipDumpMissing = "dump_missing" // a dump that the crash names is not there
	SkipDumpNames   = "dump_names"   // the list of dumps is none
	SkipAnnotations = "annotations"  // a side file makes no sense
	SkipSent        = "sent"         // its client has sent it already
	SkipUnfinished  = "unfinished"   // it is being written, or was when its writer ended
	SkipNoMinidump  = "not_minidump" // a dump that is none
)

// MaxFileBytes is the largest file that is read.
const MaxFileBytes = 100 << 20

// Archive is one.
type Archive interface {
	// Count is how many crashes there are, about.
	Count(ctx context.Context) (int, error)
	// Each hands every crash to each, in the same order every time, or a *SkipError
	// instead, until each fails. wanted is asked before a crash is read, by its path.
	Each(ctx context.Context, wanted func(path string) bool, each func(*Crash, *SkipError) error) error
}

// Open finds out what kind of archive lies there.
func Open(ctx context.Context, files Files) (Archive, error) {
	if r, err := openReference(ctx, files); r != nil || err != nil {
		return r, err
	}
	return openFolder(ctx, files)
}

// read reads a file, or says why it is skipped.
func read(ctx context.Context, files Files, path, crash string) ([]byte, *SkipError, error) {
	data, err := files.Read(ctx, path, MaxFileBytes)
	switch {
	case err == nil:
		return data, nil, nil
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case errors.Is(err, ErrTooLarge):
		return nil, &SkipError{crash, SkipTooLarge, fmt.Errorf("%s: more than %d bytes", path, MaxFileBytes)}, nil
	case errors.Is(err, ErrNotFound):
		return nil, &SkipError{crash, SkipDumpMissing, fmt.Errorf("%s is not there", path)}, nil
	}
	return nil, nil, err
}
