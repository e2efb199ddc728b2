package signature

import (
	"strings"
	"testing"

	"aftershock/schema"
)

// TestDoubtfulNames: where a name may be wrong the place stands for it, if the ruleset
// says so; places in the runtime libraries do not count in the default one.
func TestDoubtfulNames(t *testing.T) {
	frames := []schema.Frame{
		{Module: "libc.so.6", ModuleOffset: "0x000000000008aeec", Function: "pthread_key_delete", Doubt: "public", Probability: 1},
		{Module: "libc.so.6", ModuleOffset: "0x000000000003bfb2", Function: "raise", Probability: 0.998},
		{Module: "libc.so.6", ModuleOffset: "0x0000000000026472", Function: "abort", Probability: 0.998},
		{Module: "chromium", ModuleOffset: "0x00000000072bb558", Function: "mallopt", Doubt: "public", Probability: 0.99},
		{Module: "chromium", ModuleOffset: "0x0000000000000000", Function: "main", Doubt: "other_function", Probability: 0.99},
	}
	crash := FromProcessed(&schema.ProcessedCrash{DumpStatus: schema.DumpOK, System: schema.System{OS: "Linux"}, Threads: []schema.Thread{{Frames: frames}}})
	for switches, want := range map[string]string{
		"doubtful_names\n": "libc.so.6@0x8aeec | raise | abort | chromium@0x72bb558 | chromium@0x0",
		"":                 "pthread_key_delete | raise | abort | mallopt | main",
	} {
		r, err := FromFiles(map[string]string{switchesFile: switches})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Generate(crash).ProtoSignature; got != want {
			t.Errorf("%q: %s", switches, got)
		}
	}
	if got := Default().Generate(crash).Signature; got != "abort | chromium@0x72bb558" {
		t.Error(got)
	}
	crash.OS = windows
	crash.Threads[0].Frames = []Frame{{Module: "Foo.DLL", ModuleOffset: "0x10", Function: "f", Doubtful: true}}
	if got := Default().Generate(crash).Signature; got != "foo.dll@0x10" {
		t.Error(got)
	}
}

// TestProbability: frames that are less likely true than a ruleset wants are skipped,
// and say so; a frame of which nobody says how likely it is counts.
func TestProbability(t *testing.T) {
	crash := &Crash{OS: "Linux", Threads: []Thread{{Frames: []Frame{{Function: "a", Probability: 0.49}, {Function: "b", Probability: 0.5}, {Function: "c"}}}}}
	for text, want := range map[string]string{"probability 0.5\n": "b", "probability 0.51\n": "c", "recursion\n": "a", "probability 1": "c"} {
		r, err := FromFiles(map[string]string{switchesFile: text})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it is known
			if got := r.Generate(crash).Signature; got != want {
				t.Errorf("%q: %s", text, got)
			}
		}
	}
	r, err := FromFiles(map[string]string{switchesFile: "probability 0.5", sentinelsFile: "a"})
	if err != nil {
		t.Fatal(err)
	}
	result := r.Explain(crash)
	if result.Signature != "b" || len(result.Why) == 0 || result.Why[0].Kind != StepImprobable || !strings.Contains(result.Why[0].String(), "less likely") {
		t.Errorf("%+v", result)
	}
	// Results that are kept are those of the probabilities.
	if r.Generate(crash).Signature != "b" {
		t.Error("not kept")
	}
	crash.Threads[0].Frames[0].Probability = 0.7
	if got := r.Generate(crash).Signature; got != "a" {
		t.Error(got)
	}
	for _, bad := range []string{"probability", "probability x", "probability 0", "probability 1.1", "probability NaN", "probability -1"} {
		if _, err := FromFiles(map[string]string{switchesFile: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestDoubtOfJSON: what walk --json prints of frames is read.
func TestDoubtOfJSON(t *testing.T) {
	for text, want := range map[string]string{
		`"doubt": ["public"], "probability": 0.7`: "app@0x10",
		`"doubt": [], "probability": "x"`:         "f",
		`"doubt": null`:                           "f",
		`"doubt": ["public"], "probability": 0.1`: "g",
	} {
		c, err := ParseCrash([]byte(`{"os": "Linux", "crashing_thread": 0, "threads": [{"frames": [{"module": "app", "module_offset": "0x0010", "function": "f", ` + text + `}, {"function": "g"}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		r, err := FromFiles(map[string]string{switchesFile: "doubtful_names\nprobability 0.2"})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Generate(c).Signature; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
