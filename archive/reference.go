package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"aftershock/schema"
)

// reference is the storage of the reference's collector and processor (Socorro, Antenna):
//
//	v1/raw_crash/YYYYMMDD/<id>   the annotations, a JSON object with metadata beside them
//	v1/dump_names/<id>           a JSON list of the dumps' names
//	v1/dump/<id>                 the main dump
//	v1/<name>/<id>               another one
//
// The raw crash is written last: dumps without one are of a crash that nobody was promised.
type reference struct{ files Files }

const (
	referenceRaw   = "v1/raw_crash"
	referenceNames = "v1/dump_names"
	referenceMain  = "dump"
)

var errFound = errors.New("there is one")

// openReference returns nil when there is no raw crash.
func openReference(ctx context.Context, files Files) (Archive, error) {
	err := files.List(ctx, referenceRaw, func(File) error { return errFound })
	if errors.Is(err, errFound) {
		return &reference{files}, nil
	}
	return nil, err
}

// Count counts the raw crashes.
func (r *reference) Count(ctx context.Context) (n int, err error) {
	err = r.files.List(ctx, referenceRaw, func(File) error { n++; return nil })
	return n, err
}

// Each reads them.
func (r *reference) Each(ctx context.Context, wanted func(string) bool, each func(*Crash, *SkipError) error) error {
	return r.files.List(ctx, referenceRaw, func(f File) error {
		if !wanted(f.Path) {
			return nil
		}
		crash, skip, err := r.crash(ctx, f)
		if err != nil {
			return err
		}
		return each(crash, skip)
	})
}

func (r *reference) crash(ctx context.Context, f File) (*Crash, *SkipError, error) {
	id := path.Base(f.Path)
	text, skip, err := read(ctx, r.files, f.Path, f.Path)
	if skip != nil || err != nil {
		return nil, skip, err
	}
	out := &Crash{Path: f.Path, ID: id, JSON: text}
	list, skip, err := read(ctx, r.files, referenceNames+"/"+id, f.Path)
	if err != nil {
		return nil, nil, err
	}
	if skip != nil && skip.Code == SkipDumpMissing { // a crash without dumps has no list in some releases
		return out, nil, nil
	} else if skip != nil {
		return nil, skip, nil
	}
	var names []string
	if err := json.Unmarshal(list, &names); err != nil {
		return nil, &SkipError{f.Path, SkipDumpNames, fmt.Errorf("%s/%s: %w", referenceNames, id, err)}, nil
	}
	for _, name := range names {
		folder := name
		if name == schema.MainDump || name == "" || name == referenceMain {
			folder, name = referenceMain, schema.MainDump
		}
		data, skip, err := read(ctx, r.files, path.Join("v1", path.Base(folder), id), f.Path)
		if skip != nil || err != nil {
			return nil, skip, err
		}
		out.Dumps = append(out.Dumps, Dump{name, data})
	}
	return out, nil, nil
}
