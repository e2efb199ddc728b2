package processor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// manyModules is a dump whose stack scan comes to n modules.
func manyModules(n int) []byte {
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux)
	stack := minidumptest.StackAt(0x7fff0000)
	for i := range n {
		base := 0x400000 + uint64(i)*0x10000
		b.Module(minidumptest.Module{Base: base, Size: 0x10000, CodeFile: fmt.Sprintf("/lib/lib%d.so", i), CodeView: minidumptest.BuildID([]byte(fmt.Sprintf("%020d", i+1)))})
		stack = stack.Words(base + 0x1234)
	}
	b.Thread(1, minidumptest.Regs{"rip": 0x400100, "rsp": 0x7fff0000, "rbp": 0}, stack).Exception(1, 11, 1, 0)
	return b.Bytes()
}

// server answers for modules after a while.
type server struct {
	mu       sync.Mutex
	known    map[symbolcache.Key]symbolcache.Lookup
	answer   func(ctx context.Context) symbolcache.Lookup
	now, top atomic.Int64
	asked    atomic.Int64
}

func (s *server) symbols(b Budget) Symbols {
	s.known = map[symbolcache.Key]symbolcache.Lookup{}
	return Symbols{
		Find: func(ctx context.Context, key symbolcache.Key) symbolcache.Lookup {
			s.asked.Add(1)
			for n := s.now.Add(1); n > s.top.Load(); {
				s.top.Store(n)
			}
			defer s.now.Add(-1)
			l := s.answer(ctx)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.known[key] = l
			return l
		},
		Known: func(key symbolcache.Key) (symbolcache.Lookup, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			l, ok := s.known[key]
			return l, ok
		},
		Budget: b,
	}
}

func outcomes(p *schema.ProcessedCrash) map[string]int {
	out := map[string]int{}
	for _, m := range p.Modules {
		out[m.Symbols]++
	}
	return out
}

// A crash behind a source that never answers is finished, and says so.
func TestASilentSourceCostsTheBudgetsTime(t *testing.T) {
	synctest.Test(t, silentSource)
}

func silentSource(t *testing.T) {
	p := newProcessor(t)
	s := &server{answer: func(ctx context.Context) symbolcache.Lookup {
		<-ctx.Done()
		return symbolcache.Lookup{Outcome: symbolcache.Timeout}
	}}
	p.Symbols = s.symbols(Budget{Time: 50 * time.Millisecond})
	out := process(t, p, input(manyModules(40)))
	if got := outcomes(out); got["timeout"] != 40 {
		t.Errorf("outcomes %v", got)
	}
	if s.top.Load() < 2 || s.top.Load() > maxAsking {
		t.Errorf("%d modules were asked for at once", s.top.Load())
	}
	if !has(out, schema.NoteSymbolsTransient) {
		t.Error("no note")
	}
}

// What the budget has no room for is not asked for, at the limit and one past it.
func TestABudgetBoundsModulesAndBytes(t *testing.T) {
	for name, tc := range map[string]struct {
		budget        Budget
		missing, left int
	}{
		"modules, at the limit": {Budget{Modules: 40}, 40, 0},
		"modules, one past it":  {Budget{Modules: 39}, 39, 1},
		"nothing is bounded":    {Budget{}, 40, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcessor(t)
			s := &server{answer: func(context.Context) symbolcache.Lookup {
				return symbolcache.Lookup{Outcome: symbolcache.Missing, Fetched: 10}
			}}
			p.Symbols = s.symbols(tc.budget)
			got := outcomes(process(t, p, input(manyModules(40))))
			if got["missing"] != tc.missing || got["timeout"] != tc.left {
				t.Errorf("outcomes %v", got)
			}
		})
	}
	a := &asking{Symbols: Symbols{Budget: Budget{Bytes: 100}}, fetched: 99}
	if a.spent() {
		t.Error("bytes: spent below the limit")
	}
	if a.fetched = 100; !a.spent() {
		t.Error("bytes: not spent at the limit")
	}
}

// However modules are asked for, the stack and what became of each module are the same.
func TestAskingAtOnceGivesWhatAskingInOrderGives(t *testing.T) {
	for _, name := range samples(t) {
		dump, err := minidump.Parse(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		one, at := newProcessor(t), newProcessor(t)
		find := at.Symbols.Find
		var mu sync.Mutex
		asked := map[symbolcache.Key]bool{}
		at.Symbols.Known = func(key symbolcache.Key) (symbolcache.Lookup, bool) {
			mu.Lock()
			defer mu.Unlock()
			if !asked[key] {
				asked[key] = true
				return symbolcache.Lookup{}, false
			}
			return find(t.Context(), key), true
		}
		want, wantSymbols := Walk(t.Context(), dump, one.Symbols, stackwalk.Options{})
		got, gotSymbols := Walk(t.Context(), dump, at.Symbols, stackwalk.Options{})
		for i := range wantSymbols {
			if wantSymbols[i].Outcome != gotSymbols[i].Outcome || wantSymbols[i].SHA256 != gotSymbols[i].SHA256 {
				t.Errorf("%s: module %d: %s, want %s", name, i, gotSymbols[i].Outcome, wantSymbols[i].Outcome)
			}
		}
		if d := cmp.Diff(want.Threads, got.Threads); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestSymbolsOfAFile: what became of a file's symbols holds for each of its
// mappings. Version 1 has none of a text that minidump-stackwalk refuses.
func TestSymbolsOfAFile(t *testing.T) {
	const text = "MODULE Linux x86_64 313131313131313131313131313131310 app\nFUNC 1000 100 0 f\n"
	for name, c := range map[string]struct {
		text   string
		v1, v2 symbolcache.Outcome
	}{
		"strict":              {text, symbolcache.Found, symbolcache.Found},
		"one bad line":        {text + "x\n", symbolcache.Malformed, symbolcache.FoundLossy},
		"no end":              {text + "FUNC 2000 100 0 g", symbolcache.Malformed, symbolcache.Found},
		"byte order mark":     {"\ufeff" + text, symbolcache.Malformed, symbolcache.Found},
		"nothing makes sense": {strings.ReplaceAll(text, "FUNC", "FUN"), symbolcache.Malformed, symbolcache.Malformed},
		"missing":             {"", symbolcache.Missing, symbolcache.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "app", "313131313131313131313131313131310")
			if err := os.MkdirAll(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				if err := os.WriteFile(filepath.Join(dir, "app.sym"), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir(root)}})
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			app := minidumptest.Module{Base: 0x400000, Size: 0x4000, CodeFile: "app", CodeView: minidumptest.BuildID([]byte(strings.Repeat("1", 20)))}
			again, other := app, app
			again.Base, other.Base, other.CodeFile = 0x500000, 0x600000, "other"
			d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(again).Module(app).Module(other).
				Thread(1, minidumptest.Regs{"rip": 0x401008, "rsp": 0x10000}, minidumptest.StackAt(0x10000).Words(1)).Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for version, want := range map[int]symbolcache.Outcome{1: c.v1, 2: c.v2} {
				walk, symbols := Walk(t.Context(), d, Symbols{Find: cache.Get, Known: cache.Known}, stackwalk.Options{Version: version})
				for i, want := range []symbolcache.Outcome{want, want, symbolcache.Unused} {
					if symbols[i].Outcome != want {
						t.Errorf("version %d, module %d: %s, want %s", version, i, symbols[i].Outcome, want)
					}
				}
				found := want == symbolcache.Found || want == symbolcache.FoundLossy
				if walk.Threads[0].Frames[0].HasFunction != found || (symbols[0].SHA256 != "") != found || symbols[0].SHA256 != symbols[1].SHA256 {
					t.Errorf("version %d: function %q, text %q", version, walk.Threads[0].Frames[0].Function, symbols[0].SHA256)
				}
			}
		})
	}
}

// Others may work while a crash waits for symbols, and never while it walks; what it waits
// for them afterwards is not its budget's.
func TestACrashStandsAsideWhileItWaitsForSymbols(t *testing.T) {
	for _, known := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newProcessor(t)
			aside, stood := false, 0
			s := &server{answer: func(ctx context.Context) symbolcache.Lookup {
				if !aside {
					t.Error("it was asked for in the crash's own time")
				}
				select {
				case <-ctx.Done():
					return symbolcache.Lookup{Outcome: symbolcache.Timeout}
				case <-time.After(400 * time.Millisecond):
					return symbolcache.Lookup{Outcome: symbolcache.Missing}
				}
			}}
			p.Symbols = s.symbols(Budget{Time: time.Second})
			ask := p.Symbols.Known
			p.Symbols.Known = func(key symbolcache.Key) (symbolcache.Lookup, bool) {
				if aside {
					t.Error("it walks while others work")
				}
				return ask(key)
			}
			want, rounds := map[string]int{"missing": 4}, 1 // all are asked for at once
			if !known {
				p.Symbols.Known = nil // one after the other
				want, rounds = map[string]int{"missing": 2, "timeout": 2}, 4
			}
			p.Symbols.Aside = func(_ context.Context, wait func()) {
				aside = true
				stood++
				wait()
				aside = false
				time.Sleep(time.Hour)
			}
			if d := cmp.Diff(want, outcomes(process(t, p, input(manyModules(4))))); d != "" || stood != rounds {
				t.Errorf("known %v: stood aside %d times, want %d; outcomes %s", known, stood, rounds, d)
			}
		})
	}
}
