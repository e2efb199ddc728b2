package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

// symbolsDumpVerb writes the symbol file of a module.
type symbolsDumpVerb struct {
	Binary    string `arg:"" help:"The module's own file: ELF, PE or Mach-O." type:"existingfile"`
	DebugFile string `arg:"" optional:"" name:"debugfile" help:"The file with the debug information that was stripped off it. Without it, what .gnu_debuglink and the build id name is looked for." type:"existingfile"`
	Out       string `short:"o" help:"Symbol file to write or replace; without it, standard output." type:"path" placeholder:"FILE"`
	DebugDir  string `help:"Where debug information of installed packages lies." default:"/usr/lib/debug" type:"path" placeholder:"DIR"`
	Arch      string `help:"Which part of a universal Mach-O file: x86_64, arm64, … By default its first." placeholder:"NAME"`
	Quiet     bool   `short:"q" help:"Do not say on standard error what was written and what could not be told."`
}

// gcPercent is how much garbage may lie about, in percent of what is in use: 8
// MiB for each file's worth of it. Nearly all that a dump holds it holds to its
// end, and of a debug file of a gigabyte that is several.
func gcPercent(fileBytes int64) int {
	const room = 8 << 20
	return int(min(max(room*100/max(fileBytes, 1), 5), 100))
}

// Run writes the symbols. Out is whole or as it was.
func (v *symbolsDumpVerb) Run(r *run) error {
	files := moduleFiles{debugDir: v.DebugDir, arch: breakpad.ParseArch(v.Arch)}
	if v.Arch != "" && files.arch == breakpad.ArchUnknown {
		return &usageError{fmt.Sprintf("symbols dump: --arch %s is none that symbol files name", v.Arch)}
	}
	binary, err := files.open(v.Binary)
	if err != nil {
		return err
	}
	debugFile, err := files.debugOf(v.Binary, v.DebugFile, binary)
	if err != nil {
		return err
	}
	largest := v.Binary
	if debugFile != nil {
		largest = files.debugPath
	}
	if info, err := os.Stat(largest); err == nil {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent(info.Size())))
	}
	options := symboldump.Options{Name: filepath.Base(v.Binary), Split: files.split}
	holder, holderPath := binary, v.Binary
	if debugFile != nil {
		holder, holderPath = debugFile, files.debugPath
	}
	options.Alternate = files.alternate(holderPath, holder)
	options.Package = files.try(holderPath + ".dwp")
	if options.Package == nil {
		options.Package = files.try(v.Binary + ".dwp")
	}
	var report symboldump.Report
	write := func(w io.Writer) error {
		var err error
		report, err = binary.WriteSymbols(w, debugFile, options)
		return err
	}
	if v.Out == "" {
		err = write(r.stdout)
	} else {
		err = replaceFile(v.Out, write)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v.Binary, err)
	}
	if !v.Quiet {
		say(r.stderr, "%s: %s\n", v.Binary, report.String())
	}
	return nil
}
