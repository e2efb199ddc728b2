package processor

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/internal/reference"
	"aftershock/schema"
	"aftershock/signature"
)

// changedRules move many signatures of any corpus.
func changedRules(t testing.TB) *signature.Ruleset {
	t.Helper()
	files := map[string]string{}
	for _, f := range signature.Default().Files() {
		files[f.Name] = f.Text
	}
	files["irrelevant_signature_re.txt"] += "\nraise\nabort\n.*@0x[0-9a-f]+\n"
	files["prefix_signature_re.txt"] += "\norchard::.*\ntidepool::.*\nmain\n__libc_.*\n.*strlen.*\n"
	r, err := signature.FromFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// allDumps are those of the samples and, where they are, of the reference's corpus.
func allDumps(t testing.TB) map[string][]byte {
	t.Helper()
	dumps := map[string][]byte{"no dump": nil, "an empty dump": {}}
	names, err := filepath.Glob(filepath.Join(crashes, "*.dmp"))
	if err != nil {
		t.Fatal(err)
	}
	if corpus, ok := reference.Find(t, "corpus"); ok {
		for _, folder := range []string{"dumps", "synthetic"} {
			more, err := filepath.Glob(filepath.Join(corpus, folder, "*.dmp"))
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, more...)
		}
	} else {
		t.Log("the reference's dumps are not here: only the samples are compared")
	}
	for _, name := range names {
		if dumps[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return dumps
}

// To sign again is to process with other rules, byte for byte.
func TestSigningAgainIsProcessingWithOtherRules(t *testing.T) {
	before := newProcessor(t)
	after := *before
	after.SignatureVersion, after.Ruleset = 2, changedRules(t)
	moved := 0
	annotations := map[string]map[string]string{
		"plain": {"ProductName": "orchard", "a": "2"},
		"rich": {
			"OOMAllocationSize": "262144", "IPCMessageName": "PContent::Msg", "Hang": "1", "JSLargeAllocationFailure": "Reporting", "z": "1",
		},
		"java": {"JavaStackTrace": "java.lang.Error: secret\n\tat org.example.Main.run(Main.java:3)\n"},
	}
	for name, dump := range allDumps(t) {
		for kind, values := range annotations {
			in := input(dump)
			in.Raw.Annotations, in.Revision = values, 7
			old, want := process(t, before, in), process(t, &after, in)
			value, err := schema.Encode(old)
			if err != nil {
				t.Fatal(err)
			}
			s, err := schema.DecodeSignable(value)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			if err := after.Resign(&s.Crash); err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			again, err := s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			full, err := schema.Encode(want)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(full, again) {
				got, err := schema.Decode[schema.ProcessedCrash](again)
				t.Errorf("%s, %s: %v\n%s", name, kind, err, cmp.Diff(want, got))
			}
			if old.Signature != want.Signature {
				moved++
			}
		}
	}
	t.Logf("%d signatures moved", moved)
	if moved < 10 {
		t.Error("the changed rules change nothing: this shows nothing")
	}
}

func TestSigningAgainIsForOtherRulesOnly(t *testing.T) {
	p := newProcessor(t)
	good := schema.ProcessedCrash{ProcessVersion: Version, RegistryHash: p.Annotations.Hash()}
	if err := p.Resign(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *schema.ProcessedCrash){
		"another process version": func(c *schema.ProcessedCrash) { c.ProcessVersion-- },
		"another registry":        func(c *schema.ProcessedCrash) { c.RegistryHash = "x" },
	} {
		c := good
		change(&c)
		if err := p.Resign(&c); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func BenchmarkResign(b *testing.B) {
	p := newProcessor(b)
	after := *p
	after.SignatureVersion, after.Ruleset = 2, changedRules(b)
	var values [][]byte
	bytes := 0
	for _, name := range samples(b) {
		out, err := p.Process(b.Context(), input(sample(b, name)))
		if err != nil {
			b.Fatal(err)
		}
		value, err := schema.Encode(out)
		if err != nil {
			b.Fatal(err)
		}
		values, bytes = append(values, value), bytes+len(value)
	}
	b.SetBytes(int64(bytes / len(values)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s, err := schema.DecodeSignable(values[i%len(values)])
		if err != nil {
			b.Fatal(err)
		}
		if err := after.Resign(&s.Crash); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Encode(); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
