package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"aftershock/breakpad"
)

// runSymbols parses arguments as the command does and runs the verb.
func runSymbols(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var verbs symbolsVerbs
	parser, err := kong.New(&verbs)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = parsed.Run(&run{ctx: t.Context(), stdout: &out, stderr: &out})
	return out.String(), err
}

func TestSymbolsVerbs(t *testing.T) {
	dir := t.TempDir()
	text, compiled := filepath.Join(dir, "app.sym"), filepath.Join(dir, "app.csym")
	writeFile(t, text, []byte("MODULE Linux x86_64 ABC0 app\nFILE 0 a.c\nINLINE_ORIGIN 0 inner\nFUNC 1000 20 0 main\nINLINE 0 7 0 0 1010 8\n1000 20 5 0\nSTACK CFI INIT 1000 20 .cfa: $rsp .ra: 1\nnonsense\n"))
	if _, err := runSymbols(t, "compile", text, compiled); err != nil {
		t.Fatal(err)
	}
	out, err := runSymbols(t, "inspect", compiled)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"module         app", "debug id       ABC0", "architecture   x86_64", "7 understood, 1 not", "cfi rows"} {
		if !strings.Contains(out, want) {
			t.Errorf("inspect does not say %q:\n%s", want, out)
		}
	}
	out, err = runSymbols(t, "lookup", compiled, "1012", "0x3000")
	if want := "0x1012\n  inner (inlined), a.c:5\n  main + 0x12, a.c:7\n  STACK CFI, 2 rules\n0x3000\n  no symbol\n"; err != nil || out != want {
		t.Errorf("lookup: %v\n%s", err, out)
	}
	var usage *usageError
	if _, err := runSymbols(t, "lookup", compiled, "main"); !errors.As(err, &usage) {
		t.Errorf("lookup main: %v", err)
	}
	if out, err := runSymbols(t, "scrub", dir); err != nil || out != "1 files, 0 bad\n" {
		t.Errorf("scrub: %v %s", err, out)
	}
	bad := filepath.Join(dir, "bad.csym")
	writeFile(t, bad, []byte("something else"))
	if out, err := runSymbols(t, "scrub", dir); !errors.Is(err, errDamaged) || !strings.Contains(out, bad) || !strings.HasSuffix(out, "2 files, 1 bad\n") {
		t.Errorf("scrub: %v %s", err, out)
	}
	if _, err := runSymbols(t, "compile", bad, compiled); !errors.Is(err, breakpad.ErrNoModule) {
		t.Errorf("compile: %v", err)
	}
}
