package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"aftershock/symbolserver/store"
)

// symbolStoreFlag is where the symbol server keeps its files.
type symbolStoreFlag struct {
	Store string `help:"Store of symbol files and modules' own files: a directory, or s3://bucket/prefix?endpoint=URL&region=R with credentials from the environment." placeholder:"DIR|URL" required:""`
}

// open opens the store and looks whether it is there.
func (f symbolStoreFlag) open(ctx context.Context) (store.Store, error) {
	s, err := store.Open(f.Store)
	if errors.Is(err, store.ErrBadName) {
		return nil, &usageError{fmt.Sprintf("--store: %v", err)}
	}
	if err != nil {
		return nil, err
	}
	return s, s.Check(ctx)
}

// openExisting refuses a directory that is not there: it would be made, and be empty.
func (f symbolStoreFlag) openExisting(ctx context.Context) (store.Store, error) {
	if !strings.Contains(f.Store, ":/") {
		if _, err := os.Stat(f.Store); err != nil {
			return nil, fmt.Errorf("--store: %w", err)
		}
	}
	return f.open(ctx)
}
