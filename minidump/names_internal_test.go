package minidump

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Crashes are grouped by these names: each change of one is to be seen.
func TestCodesHaveTheGoldenNames(t *testing.T) {
	var lines []string
	add := func(table string, code uint64, name string) {
		lines = append(lines, fmt.Sprintf("%s 0x%08x %s", table, code, name))
	}
	for table, names := range map[string]map[uint32]string{
		"fast fail": fastFails, "linux signal": linuxSignals, "linux code": linuxCodes, "mach exception": machExceptions,
		"resource": resourceTypes, "guard": guardTypes, "windows exception": windowsExceptions, "arm vendor": armVendors, "arm part": armParts,
	} {
		for code, name := range names {
			add(table, uint64(code), name)
		}
	}
	for table, kinds := range map[string]map[uint32]map[uint32]string{
		"linux code of": linuxSignalCodes, "mach code of": machCodes, "x86 code of": machX86Codes, "arm code of": machARMCodes, "ppc code of": machPPCCodes,
		"guard flavor of": guardFlavors,
	} {
		for kind, names := range kinds {
			for code, name := range names {
				add(fmt.Sprintf("%s %d", table, kind), uint64(code), name)
			}
		}
	}
	for code, name := range windowsAccess {
		add("windows access", code, name)
	}
	for _, typ := range slices.Sorted(maps.Keys(streamNames)) {
		add("stream", uint64(typ), typ.String())
	}
	for platform := range uint32(1 << 16) {
		if os := osOf(platform); os != OSUnknown {
			add("platform", uint64(platform), os.String())
		}
		if cpu := cpuOf(uint16(platform)); cpu != CPUUnknown {
			add("architecture", uint64(platform), fmt.Sprintf("%v, words of %d bytes, %d registers of %d", cpu, cpu.WordBytes(), len(cpu.RegisterNames()), cpu.RegisterBytes()))
		}
	}
	slices.Sort(lines)
	text := strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", "names.golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), text); d != "" {
		t.Error(d)
	}
}
