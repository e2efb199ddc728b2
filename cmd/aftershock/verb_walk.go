package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"aftershock/minidump"
	"aftershock/processor"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
	"aftershock/symbolcache"
)

// walkVerb walks dumps without any server.
type walkVerb struct {
	symbolFlags
	JSON          bool          `help:"Print JSON in the schema of Mozilla's minidump-stackwalk." name:"json"`
	Pretty        bool          `help:"Indent the JSON."`
	Dump          bool          `help:"Print what the streams of the dumps hold instead of walking. Nothing is left out: memory, environment and annotations are private."`
	Timeout       time.Duration `help:"Longest time for a dump, downloads included; what has been walked by then is printed. 0 is no limit." default:"5m"`
	Threads       string        `help:"Threads to walk: all or crashing." enum:"all,crashing" default:"all"`
	WalkerVersion int           `help:"Version of the walker's behaviour; 1 is that of minidump-stackwalk 0.27. 0 is the newest." default:"0"`
	Dumps         []string      `arg:"" name:"dump" help:"Minidump files." type:"existingfile"`
}

// Run prints one document a dump. It goes on after a dump that cannot be read,
// and fails at the end.
func (v *walkVerb) Run(r *run) error {
	options := stackwalk.Options{Version: v.WalkerVersion, CrashingOnly: v.Threads == "crashing"}
	if err := options.Check(); err != nil {
		return &usageError{fmt.Sprintf("--walker-version: %v", err)}
	}
	progress := showDownloads(r.stderr)
	defer progress.clear()
	caches, err := v.caches(r.log, nil, progress, 0)
	if err != nil {
		return err
	}
	defer caches.close()
	out := bufio.NewWriter(r.stdout)
	var errs []error
	for _, path := range v.Dumps {
		if err := v.walk(r, out, caches.found(), progress, path, options); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(append(errs, out.Flush())...)
}

func (v *walkVerb) walk(r *run, out *bufio.Writer, find processor.Symbols, progress *downloads, path string, options stackwalk.Options) error {
	data, unmap, err := mapFile(path)
	if err != nil {
		return err
	}
	defer unmap()
	dump, err := minidump.Parse(data)
	if v.Dump && err == nil {
		return report.Streams(out, dump)
	}
	if err == nil {
		err = dump.Walkable()
	}
	if err != nil {
		return err
	}
	ctx, cancel := r.ctx, context.CancelFunc(func() {})
	if v.Timeout > 0 {
		ctx, cancel = context.WithTimeout(r.ctx, v.Timeout)
	}
	defer cancel()
	walk, symbols := processor.Walk(ctx, dump, find, options)
	progress.clear()
	told := make([]report.Symbols, len(symbols))
	for i := range symbols {
		told[i] = report.Symbols{Status: symbolStatus(symbols[i].Outcome), URL: symbols[i].URL}
	}
	for i := range symbols {
		if symbols[i].Outcome == symbolcache.FoundLossy {
			say(r.stderr, "%s: lines of the symbols of %s make no sense: names of it may be wrong or lacking\n", path, printable(dump.Modules[i].CodeName()))
		}
	}
	in := report.Input{Dump: dump, Walk: walk, Symbols: told, Grey: isTerminal(r.stdout) && os.Getenv("NO_COLOR") == ""}
	if v.JSON {
		err = report.JSON(out, in, v.Pretty)
	} else {
		err = report.Human(out, in)
	}
	if ctx.Err() != nil {
		err = errors.Join(err, fmt.Errorf("the stacks are not complete: %w", ctx.Err()))
	}
	return err
}

func symbolStatus(o symbolcache.Outcome) report.SymbolStatus {
	switch o {
	case symbolcache.Found, symbolcache.FoundLossy:
		return report.SymbolsLoaded
	case symbolcache.Malformed:
		return report.SymbolsCorrupt
	case symbolcache.Unused:
		return report.SymbolsUnused
	default:
		return report.SymbolsMissing
	}
}
