package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"aftershock/minidump"
	"aftershock/processor"
	"aftershock/symbolcache"
)

// symbolsFetchVerb fills the cache.
type symbolsFetchVerb struct {
	symbolFlags
	DebugFile string   `help:"Debug file of a module, with --debug-id instead of dumps." placeholder:"NAME"`
	DebugID   string   `help:"Its debug id: 32 hexadecimal digits and the age." name:"debug-id" placeholder:"ID"`
	CodeFile  string   `help:"Code file of a module without a debug id, with --code-id." placeholder:"NAME"`
	CodeID    string   `help:"Its code id." name:"code-id" placeholder:"ID"`
	Strict    bool     `help:"Fail if a module has no symbols. Else only a source that failed or did not answer in time is a failure."`
	Dumps     []string `arg:"" optional:"" name:"dump" help:"Minidump files." type:"existingfile"`
}

// maxFetches bounds how many modules are asked for at a time; the cache bounds
// what each takes.
const maxFetches = 16

var errNotFetched = errors.New("modules have no symbols")

// Run asks for every module, also for what was not found lately, and prints what
// became of each in the order of the dumps.
func (v *symbolsFetchVerb) Run(r *run) error {
	keys, err := v.keys()
	if err != nil {
		return err
	}
	if len(v.Symbols) == 0 {
		return &usageError{"symbols fetch: want --symbols"}
	}
	progress := showDownloads(r.stderr)
	defer progress.clear()
	cache, err := v.cache(r.log, nil, progress, 0)
	if err != nil {
		return err
	}
	defer cache.Close() //nolint:errcheck // what it keeps is on disk already
	answers := fetchAll(r.ctx, cache, keys)
	progress.clear()
	out := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	found, failed := 0, 0
	for i, a := range answers {
		switch {
		case a.SHA256 != "":
			found++
		case a.Outcome.Transient():
			failed++
		}
		name, id := keys[i].DebugFile, keys[i].DebugID
		if id == "" {
			name, id = keys[i].CodeFile, keys[i].CodeID
		}
		say(out, "%s\t%s\t%s\t%s\n", a.Outcome, printable(minidump.BaseName(name)), printable(id), a.SHA256)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	say(r.stdout, "%d modules, %d with symbols\n", len(keys), found)
	if v.Strict {
		failed = len(keys) - found
	}
	if failed > 0 {
		return fmt.Errorf("%d %w", failed, errNotFetched)
	}
	return r.ctx.Err()
}

// keys are the modules to fetch, each once.
func (v *symbolsFetchVerb) keys() ([]symbolcache.Key, error) {
	one := symbolcache.Key{DebugFile: v.DebugFile, DebugID: v.DebugID, CodeFile: v.CodeFile, CodeID: v.CodeID}
	named := v.DebugFile != "" && v.DebugID != "" || v.CodeFile != "" && v.CodeID != ""
	switch {
	case (one != symbolcache.Key{}) && (!named || len(v.Dumps) > 0), !named && len(v.Dumps) == 0:
		return nil, &usageError{"symbols fetch: want either dumps, or --debug-file and --debug-id, or --code-file and --code-id"}
	case named:
		return []symbolcache.Key{one}, nil
	}
	var keys []symbolcache.Key
	seen := map[symbolcache.Key]bool{}
	for _, path := range v.Dumps {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		dump, err := minidump.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for i := range dump.Modules {
			if key := processor.SymbolKey(&dump.Modules[i]); !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// fetchAll answers for each key, without the files.
func fetchAll(ctx context.Context, cache *symbolcache.Cache, keys []symbolcache.Key) []symbolcache.Lookup {
	answers := make([]symbolcache.Lookup, len(keys))
	var g errgroup.Group
	g.SetLimit(maxFetches)
	for i, key := range keys {
		g.Go(func() error {
			answers[i] = cache.Refresh(ctx, key)
			answers[i].Release()
			answers[i].File = nil
			return nil
		})
	}
	g.Wait() //nolint:errcheck,gosec // none of them fails
	return answers
}
