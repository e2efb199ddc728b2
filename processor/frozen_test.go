package processor

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

var update = flag.Bool("update", false, "freeze the outputs of a new process version; those of an old one are never rewritten")

// TestProcessVersionIsFrozen: a process version is a promise about bytes, because
// replays are compared and promoted by it. Who changes what Process makes of a
// crash raises Version and runs this test with -update; the file of the number
// before stays, as a witness.
func TestProcessVersionIsFrozen(t *testing.T) {
	p := newProcessor(t)
	var got bytes.Buffer
	add := func(name string, in Input) {
		out := process(t, p, in)
		// The ruleset and the registry have their own hashes in a signature version.
		out.RulesetHash, out.RegistryHash = "", ""
		b, err := schema.Encode(out)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %x %s\n", name, sha256.Sum256(b), out.Signature)
	}
	for _, name := range samples(t) {
		add(name, input(sample(t, name)))
	}
	whole := sample(t, "orchard-null.dmp")
	add("no-dump", input(nil))
	add("empty-dump", input([]byte{}))
	add("text", input([]byte("no dump at all, but a text of some length")))
	add("half-a-dump", input(whole[:len(whole)/2]))
	annotated := input(whole)
	annotated.Raw.Annotations["OOMAllocationSize"] = "5000000"
	annotated.Raw.Annotations["JavaStackTrace"] = "a.E: x\n\tat a.B.c(B.kt:7)"
	add("annotations", annotated)

	path := filepath.Join("testdata", fmt.Sprintf("process_version_%d.golden", Version))
	frozen, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatalf("process version %d has no frozen outputs (run with -update): %v", Version, err)
	}
	if diff := cmp.Diff(strings.Split(string(frozen), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("Process makes other bytes of the same crash: raise Version (-frozen +now)\n%s", diff)
	}
}
