// Command publics prints how often the name of the nearest exported symbol before an
// address is right, by its distance and as the walk believes it: of ELF files with all
// their symbols, every 64th byte of code is asked for.
//
//	go run ./script/publics FILE...
package main

import (
	"debug/elf"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// distances are where the rows of the table begin.
var distances = []uint64{0, 64, 96, 128, 256, 512, 1024, 4096}

// step is how far the addresses that are asked for lie apart.
const step = 61 // no multiple of what functions are aligned to

func main() {
	log.SetFlags(0)
	for _, path := range os.Args[1:] {
		if err := curve(path); err != nil {
			log.Printf("%q: %v", path, err) //nolint:gosec // quoted
		}
	}
}

type symbol struct {
	start, end uint64
	name       string
}

// covers is the last symbol at or before an address.
func covers(list []symbol, addr uint64) (symbol, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].start > addr })
	if i == 0 {
		return symbol{}, false
	}
	return list[i-1], true
}

func functions(in []elf.Symbol, err error) ([]symbol, error) {
	var out []symbol
	for _, s := range in {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF {
			out = append(out, symbol{s.Value, s.Value + s.Size, s.Name})
		}
	}
	slices.SortStableFunc(out, func(a, b symbol) int { return int(int64(a.start - b.start)) })
	return out, err
}

// curve prints the rows of a file. A name is right if it is that of a symbol that starts
// where the function does: aliases are.
func curve(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	all, err := functions(f.Symbols())
	if err != nil {
		return err
	}
	exported, err := functions(f.DynamicSymbols())
	if err != nil {
		return err
	}
	text := f.Section(".text")
	if text == nil || len(exported) == 0 {
		return fmt.Errorf("no code, or nothing exported")
	}
	asked, right := make([]int, len(distances)), make([]int, len(distances))
	for addr := text.Addr; addr < text.Addr+text.Size; addr += step {
		function, ok := covers(all, addr)
		if !ok || addr >= function.end {
			continue // padding
		}
		public, ok := covers(exported, addr)
		if !ok {
			continue
		}
		row := sort.Search(len(distances), func(i int) bool { return distances[i] > addr-public.start }) - 1
		asked[row]++
		if public.start == function.start {
			right[row]++
		}
	}
	fmt.Printf("%s, %d of %d functions exported, %d MB of code\n", filepath.Base(path), len(exported), len(all), text.Size>>20)
	for i, from := range distances {
		if asked[i] > 0 {
			fmt.Printf("%8d ..  %5.1f %% of %d\n", from, 100*float64(right[i])/float64(asked[i]), asked[i])
		}
	}
	return nil
}
