package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
)

// runSign runs a verb with standard input and returns what it prints.
func runSign(t *testing.T, stdin string, verb interface{ Run(*run) error }) (string, error) {
	t.Helper()
	in, err := os.Create(filepath.Join(t.TempDir(), "stdin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	if _, err := in.WriteString(stdin); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = old }()
	var out bytes.Buffer
	err = verb.Run(&run{ctx: context.Background(), stdout: &out, stderr: &out})
	return out.String(), err
}

// rulesetDir writes a ruleset of two lists.
func rulesetDir(t *testing.T, irrelevant, prefix string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"irrelevant_signature_re.txt": irrelevant, "prefix_signature_re.txt": prefix} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const twoCrashes = `{"threads":[{"frames":[{"function":"raise"},{"function":"abort"},{"function":"f(int)"}]}]}
{"threads":[{"frames":[{"function":"g<A>(B)"}]}],"hang":"ui"}
`

func TestSignLinesOfCrashData(t *testing.T) {
	out, err := runSign(t, twoCrashes, &signVerb{JSONL: true, Ruleset: rulesetDir(t, "raise", "abort")})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"signature":"abort | f","notes":[],"proto_signature":"raise | abort | f"}
{"signature":"hang: ui | g<T>","notes":[],"proto_signature":"g<T>"}
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSignLinesWithWhy(t *testing.T) {
	out, err := runSign(t, twoCrashes, &signVerb{JSONL: true, Why: true, Ruleset: rulesetDir(t, "raise", "abort")})
	if err != nil {
		t.Fatal(err)
	}
	var first struct{ Why []signature.Step }
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &first); err != nil {
		t.Fatal(err)
	}
	if len(first.Why) != 4 || first.Why[0].Line.Text != "raise" {
		t.Errorf("steps: %v", first.Why)
	}
}

func TestSignSaysWhichLineIsNoCrashData(t *testing.T) {
	out, err := runSign(t, "{}\n{\"os\": secret\n{}\n", &signVerb{JSONL: true})
	if err == nil || strings.Contains(out, "secret") {
		t.Errorf("error %v, output %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "line 2: crash data: Expecting value: line 1 column 8 (char 7)") {
		t.Errorf("got %s", out)
	}
}

func TestSignWantsFilesOrLines(t *testing.T) {
	for _, v := range []*signVerb{{}, {JSONL: true, Files: []string{"x.dmp"}}} {
		var usage *usageError
		if _, err := runSign(t, "", v); !errors.As(err, &usage) {
			t.Errorf("%+v: got %v, want wrong use", v, err)
		}
	}
}

func TestSignRefusesARuleset(t *testing.T) {
	dir := rulesetDir(t, "ok\nx*", "")
	if _, err := runSign(t, "", &signVerb{JSONL: true, Ruleset: dir}); err == nil || !strings.Contains(err.Error(), "irrelevant_signature_re.txt:2:") {
		t.Errorf("got %v, want file and line", err)
	}
}

func TestSignADumpAndSayWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.dmp")
	data := minidumptest.New(minidump.CPUAMD64, minidump.Linux).Bytes()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runSign(t, "", &signVerb{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a.dmp\n", "EMPTY: no frame data available", "SignatureGenerationRule made it"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, err = runSign(t, "", &signVerb{Files: []string{path, path}, JSON: true})
	if err != nil || strings.Count(out, `{"file":"a.dmp","signature":"EMPTY`) != 2 {
		t.Errorf("%v: %s", err, out)
	}
}

// A dump, what walk prints of it, and the event that a processor makes of it
// have one signature.
func TestSignEveryFormOfACrash(t *testing.T) {
	symbols := symbolFlags{Symbols: []string{"../../testdata/symbols"}, SymbolCache: t.TempDir()}
	cache, err := symbols.cache(zerolog.Nop(), nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	p := processor.Processor{Ruleset: signature.Default(), Annotations: schema.DefaultRegistry, Symbols: processor.Symbols{Find: cache.Get}}
	dumps, err := filepath.Glob("../../testdata/crashes/*.dmp")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("%d dumps, %v", len(dumps), err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range dumps {
		dump, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var walked bytes.Buffer
		walk := walkVerb{symbolFlags: symbols, JSON: true, Threads: "all", Dumps: []string{path}}
		if err := walk.Run(&run{ctx: t.Context(), stdout: &walked, stderr: io.Discard}); err != nil {
			t.Fatal(err)
		}
		processed, err := p.Process(t.Context(), processor.Input{Raw: &schema.RawCrash{}, Dump: dump})
		if err != nil {
			t.Fatal(err)
		}
		event, err := schema.Encode(processed)
		if err != nil {
			t.Fatal(err)
		}
		out, err := runSign(t, "", &signVerb{symbolFlags: symbols, JSON: true, Files: []string{path, write("walk", walked.Bytes()), write("event", event)}})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			var s signed
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatal(err)
			}
			if s.Signature != processed.Signature || s.ProtoSignature != processed.ProtoSignature {
				t.Errorf("%s: %q, processed %q", path, s.Signature, processed.Signature)
			}
		}
	}
}

// TestSignatureOfOurDumps signs the dumps of the sample programs with the
// ruleset that ships: the signature names what happened, and the first function
// of the program itself.
func TestSignatureOfOurDumps(t *testing.T) {
	want := map[string]string{
		"orchard-abort":       "abort | orchard::check_season",
		"orchard-bus":         "orchard::sum_pages",
		"orchard-divide":      "orchard::apples_per_crate",
		"orchard-double-free": "abort | malloc_printerr | _int_free | free | orchard::sell",
		"orchard-exception":   "abort | std::terminate | __cxa_throw | orchard::read_ledger",
		"orchard-inlined":     "orchard::storage::weigh",
		"orchard-null":        "std::vector<T>::size | orchard::count_apples",
		"orchard-null-call":   "@0x0 | orchard::ring_bell",
		"orchard-overflow":    "recursion | orchard::prune_branch",
		"orchard-pure":        "abort | std::terminate | __cxa_pure_virtual | orchard::Seedling::plant",
		"orchard-qsort":       "orchard::by_weight",
		"orchard-strlen":      "strlen | orchard::label_width",
		"orchard-thread":      "orchard::crew::Harvesters::fill",
		"orchard-trap":        "orchard::close_gate",
		"orchard-vtable":      "for_each_in<T>",
		"orchard-wild-jump":   "orchard::ring_bell",
		"tidepool-bounds":     "core::panicking::panic_fmt | core::panicking::panic_bounds_check | tidepool::water::depth_at",
		"tidepool-null":       "tidepool::read_gauge",
		"tidepool-overflow":   "recursion | tidepool::water::ripple",
		"tidepool-panic":      "core::panicking::panic_fmt | tidepool::check_tide",
		"tidepool-unwrap":     "core::panicking::panic_fmt | core::option::unwrap_failed | <tidepool::fauna::Crab as tidepool::fauna::Animal>::legs",
	}
	testdata := filepath.Join("..", "..", "testdata")
	dumps, err := filepath.Glob(filepath.Join(testdata, "crashes", "*.dmp"))
	if err != nil {
		t.Fatal(err)
	}
	if len(dumps) == 0 {
		missing(t, "testdata/crashes")
	}
	verb := &signVerb{symbolFlags: symbolFlags{Symbols: []string{filepath.Join(testdata, "symbols")}}, JSON: true, Files: dumps}
	out, err := runSign(t, "", verb)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(out) {
		var s signed
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		got[strings.TrimSuffix(s.File, ".dmp")] = s.Signature
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSignDiffPrintsWhatChanges(t *testing.T) {
	from, to := rulesetDir(t, "raise", "abort"), rulesetDir(t, "raise\nabort", "")
	verb := &signDiffVerb{Ruleset: []string{from, to}}
	out, err := runSign(t, twoCrashes+`{"threads":[{"frames":[{"function":"f"}]}]}`, verb)
	if err != nil {
		t.Fatal(err)
	}
	want := `merged "f": 2 crashes
        1 from "abort | f"
          new: irrelevant_signature_re.txt:2: abort
        1 from "f" (as before)
vanished "abort | f": 1 crashes
1 of 3 crashes change their signature
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	verb.JSON = true
	if out, err = runSign(t, twoCrashes, verb); err != nil || !strings.HasPrefix(out, `{"kind":"moved","signature":"abort | f","crashes":1,"moves":[{"from":"abort | f","to":"f","crashes":1,"cause":{"file":"irrelevant_signature_re.txt","number":2,"text":"abort"},"added":true}]}`) {
		t.Errorf("%v: %s", err, out)
	}
	var usage *usageError
	if _, err := runSign(t, "", &signDiffVerb{Ruleset: []string{from}}); !errors.As(err, &usage) {
		t.Errorf("got %v, want wrong use", err)
	}
}
