package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"aftershock/schema"
)

// folder holds dumps, *.dmp, and beside each what is known of it under the same name: .extra
// (Firefox's pending folder), .json, .meta (Crashpad's database). Folders in it are looked
// into as well, as those of a Crashpad database are.
type folder struct{ files Files }

const (
	dumpEnd = ".dmp"
	// folderNew is where Crashpad writes a dump, before it is pending.
	folderNew = "new"
)

func openFolder(ctx context.Context, files Files) (Archive, error) {
	f := &folder{files}
	n, err := f.Count(ctx)
	if err == nil && n == 0 {
		return nil, errors.New("there is nothing to import: neither v1/raw_crash nor a file *.dmp")
	}
	return f, err
}

// Count counts the dumps.
func (f *folder) Count(ctx context.Context) (n int, err error) {
	err = f.dumps(ctx, func(File) error { n++; return nil })
	return n, err
}

func (f *folder) dumps(ctx context.Context, each func(File) error) error {
	return f.files.List(ctx, "", func(file File) error {
		if path.Ext(file.Path) != dumpEnd {
			return nil
		}
		return each(file)
	})
}

// Each reads the dumps, with what lies beside them.
func (f *folder) Each(ctx context.Context, wanted func(string) bool, each func(*Crash, *SkipError) error) error {
	return f.dumps(ctx, func(file File) error {
		if !wanted(file.Path) {
			return nil
		}
		crash, skip, err := f.crash(ctx, file)
		if err != nil {
			return err
		}
		return each(crash, skip)
	})
}

func (f *folder) crash(ctx context.Context, file File) (*Crash, *SkipError, error) {
	if path.Base(path.Dir(file.Path)) == folderNew {
		return nil, &SkipError{file.Path, SkipUnfinished, errors.New("where Crashpad writes dumps")}, nil
	}
	data, skip, err := read(ctx, f.files, file.Path, file.Path)
	if skip != nil || err != nil {
		return nil, skip, err
	}
	if !bytes.HasPrefix(data, []byte(schema.MinidumpSignature)) {
		return nil, &SkipError{file.Path, SkipNoMinidump, errors.New("it does not begin as a minidump does")}, nil
	}
	stem := strings.TrimSuffix(file.Path, dumpEnd)
	out := &Crash{Path: file.Path, ID: path.Base(stem), Received: file.Modified, Dumps: []Dump{{schema.MainDump, data}}}
	for _, end := range SideFiles {
		text, skip, err := read(ctx, f.files, stem+end, file.Path)
		if err != nil {
			return nil, nil, err
		}
		if skip != nil && skip.Code == SkipDumpMissing {
			continue
		} else if skip != nil {
			return nil, skip, nil
		}
		if err := out.Beside(end, text); err != nil {
			return nil, &SkipError{file.Path, SkipAnnotations, fmt.Errorf("%s: %w", stem+end, err)}, nil
		}
	}
	if out.Sent {
		return nil, &SkipError{file.Path, SkipSent, errors.New("its metadata say so")}, nil
	}
	return out, nil, nil
}
