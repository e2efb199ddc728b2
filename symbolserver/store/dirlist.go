package store

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// List reads the folders below a prefix.
func (d dir) List(ctx context.Context, prefix string, each func(Object) error) error {
	err := d.walk(ctx, prefix, func(name string, entry fs.DirEntry) error {
		path, encoding, ok := pathOf(name)
		if !ok {
			return nil
		}
		info, err := entry.Info()
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(Object{Path: path, Bytes: info.Size(), Encoding: encoding, Modified: info.ModTime()})
	})
	if err != nil {
		return fmt.Errorf("list symbol store: %w", err)
	}
	return nil
}

// walk calls each for every regular file below a prefix, with its name below the root.
// Links to folders are not followed.
func (d dir) walk(ctx context.Context, prefix string, each func(name string, entry fs.DirEntry) error) error {
	return filepath.WalkDir(d.at(prefix), func(at string, entry fs.DirEntry, err error) error {
		switch {
		case gone(err):
			return nil // removed meanwhile, or never there
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir():
			// Only the index is for those who ask for all.
			if name := d.name(at); strings.HasPrefix(name+"/", noteFolder) && !strings.HasPrefix(prefix, noteFolder) || name == tmpFolder && prefix != tmpFolder+"/" {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		return each(d.name(at), entry)
	})
}

// name is a file's below the root.
func (d dir) name(at string) string {
	rel, err := filepath.Rel(d.root, at)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}

// Leftovers are files that were not moved into place, and notes without a file.
func (d dir) Leftovers(ctx context.Context, before time.Time, remove bool, each func(what string, bytes int64) error) error {
	drop := func(name string, entry fs.DirEntry) error {
		info, err := entry.Info()
		if gone(err) || err == nil && !info.ModTime().Before(before) {
			return nil
		}
		if err == nil && remove {
			removeIf(d.at(name))
		}
		if err != nil {
			return err
		}
		return each(name, info.Size())
	}
	err := d.walk(ctx, tmpFolder+"/", drop)
	if err == nil {
		err = d.walk(ctx, noteFolder, func(name string, entry fs.DirEntry) error {
			if _, err := os.Lstat(d.at(strings.TrimPrefix(name, noteFolder))); !gone(err) {
				return nil // it has its file, or nobody can tell
			}
			return drop(name, entry)
		})
	}
	if err != nil {
		return fmt.Errorf("leftovers of the symbol store: %w", err)
	}
	return nil
}
