package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"aftershock/breakpad"
	"aftershock/symbolcache"
)

// symbolsVerbs work on symbol files.
type symbolsVerbs struct {
	Fetch   symbolsFetchVerb   `cmd:"" help:"Fetch the symbol files of dumps, or of one module, into the cache."`
	Dump    symbolsDumpVerb    `cmd:"" help:"Make the symbol file of a program or library, from the file itself and its debug information."`
	Compile symbolsCompileVerb `cmd:"" help:"Compile a Breakpad symbol file."`
	Inspect symbolsInspectVerb `cmd:"" help:"Say what a compiled symbol file holds."`
	Lookup  symbolsLookupVerb  `cmd:"" help:"Say what is at addresses of a module."`
	Scrub   symbolsScrubVerb   `cmd:"" help:"Compare compiled symbol files with their checksums."`

	Serve    symbolsServeVerb    `cmd:"" help:"Serve symbol files and modules' own files, as Mozilla's symbol server and debuginfod do, and keep what upstreams have."`
	Index    symbolsIndexVerb    `cmd:"" help:"Make the index of code ids in a symbol server's store again."`
	GC       symbolsGCVerb       `cmd:"" name:"gc" help:"Drop tried builds, and files of upstreams, that have had their time from a symbol server's store, and what was left of writes that were broken off."`
	Upload   symbolsUploadVerb   `cmd:"" help:"Send symbol files and modules to a symbol server: what it lacks, several at a time."`
	Token    symbolsTokenVerbs   `cmd:"" help:"Who may upload: make tokens, list and revoke them."`
	Announce symbolsAnnounceVerb `cmd:"" help:"Say that symbol files have come: crashes that lacked them are made again."`
	Healed   symbolsHealedVerb   `cmd:"" help:"What symbols that came have made of crashes: which signatures became real names."`
}

// symbolsCompileVerb compiles one file.
type symbolsCompileVerb struct {
	Sym string `arg:"" help:"Symbol file." type:"existingfile"`
	Out string `arg:"" help:"Compiled file to write or replace." type:"path"`
}

// Run compiles the file. Out is whole or as it was.
func (v *symbolsCompileVerb) Run(*run) error {
	text, err := os.Open(v.Sym)
	if err != nil {
		return err
	}
	defer text.Close() //nolint:errcheck // opened for reading
	if err := symbolcache.Publish(v.Out, text); err != nil {
		return fmt.Errorf("%s: %w", v.Sym, err)
	}
	return nil
}

// symbolsInspectVerb describes one file.
type symbolsInspectVerb struct {
	File string `arg:"" help:"Compiled symbol file." type:"existingfile"`
}

// Run prints the header and the table of sections.
func (v *symbolsInspectVerb) Run(r *run) error {
	f, err := symbolcache.Open(v.File)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	out := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	say(out, "module\t%s\ndebug id\t%s\ncode id\t%s\nos\t%s\narchitecture\t%s\n", f.Name, f.DebugID, f.CodeID, f.OS, f.Arch())
	say(out, "version\t%d\ntext\t%d bytes, sha256 %x\nlines\t%d understood, %d not\n",
		symbolcache.Version, f.TextBytes(), f.TextSHA256(), f.Records(), f.BadLines())
	if f.Encoding != "" {
		say(out, "written as\t%s\n", f.Encoding)
	}
	if !f.Strict() {
		say(out, "strict\tno: minidump-stackwalk refuses this text\n")
	}
	for _, s := range f.Sections() {
		say(out, "%s\t%d bytes at %#x, crc32c %08x\n", s.Name, s.Size, s.Offset, s.Checksum)
	}
	return out.Flush()
}

// symbolsLookupVerb looks addresses up.
type symbolsLookupVerb struct {
	File      string   `arg:"" help:"Compiled symbol file." type:"existingfile"`
	Addresses []string `arg:"" name:"addr" help:"Addresses relative to the module, hexadecimal."`
}

// Run prints the function at each address and the calls inlined there,
// innermost first.
func (v *symbolsLookupVerb) Run(r *run) error {
	addresses := make([]uint64, len(v.Addresses))
	for i, text := range v.Addresses {
		var err error
		if addresses[i], err = strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64); err != nil {
			return &usageError{fmt.Sprintf("symbols lookup: want a hexadecimal address, have %q", text)}
		}
	}
	f, err := symbolcache.Open(v.File)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	out := bufio.NewWriter(r.stdout)
	var locations breakpad.Locations
	for _, rva := range addresses {
		say(out, "%#x\n", rva)
		locations.Reset()
		f.AppendLocations(&locations, rva)
		if len(locations.List) == 0 {
			say(out, "  no symbol\n")
		}
		for i := range locations.List {
			say(out, "  %s\n", describeLocation(&locations.List[i], rva))
		}
		if row, ok := f.CFI(rva); ok {
			say(out, "  STACK CFI, %d rules\n", row.Rules.Len())
		}
		for _, kind := range []breakpad.WinKind{breakpad.WinFrameData, breakpad.WinFPO} {
			if w, ok := f.Win(rva, kind); ok {
				say(out, "  STACK WIN %d %x %x\n", kind, w.RVA, w.Size)
			}
		}
	}
	return out.Flush()
}

func describeLocation(l *breakpad.Location, rva uint64) string {
	text := string(l.Function)
	if l.Inline {
		text += " (inlined)"
	} else {
		text += fmt.Sprintf(" + %#x", rva-l.FunctionRVA)
	}
	if len(l.File) > 0 {
		text += fmt.Sprintf(", %s:%d", l.File, l.Line)
	}
	return text
}

// symbolsScrubVerb looks for damage.
type symbolsScrubVerb struct {
	Path   string `arg:"" help:"Compiled symbol file, or a directory of such, like that of the cache." type:"existing"`
	Remove bool   `help:"Remove the bad ones. A cache makes them again when they are asked for."`
}

var errDamaged = errors.New("damaged or foreign symbol files: compile them again")

// Run reads every compiled file at or below Path and names those that are
// damaged or of another version. It fails if there are any left.
func (v *symbolsScrubVerb) Run(r *run) error {
	files, bad := 0, 0
	err := filepath.WalkDir(v.Path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path != v.Path && filepath.Ext(path) != symbolcache.Extension {
			return err
		}
		files++
		if err := symbolcache.VerifyFile(path); err != nil {
			bad++
			say(r.stdout, "%v\n", err)
			if v.Remove {
				return os.Remove(path) //nolint:gosec // who can swap folders below a cache can remove its files
			}
		}
		return r.ctx.Err()
	})
	if err != nil {
		return err
	}
	say(r.stdout, "%d files, %d bad\n", files, bad)
	if bad > 0 && !v.Remove {
		return fmt.Errorf("%d %w", bad, errDamaged)
	}
	return nil
}
