package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/internal/reference"
)

// walkOf runs the verb without symbols.
func walkOf(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"walk"}, args...), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func TestWalkSaysWhenItRanOutOfTime(t *testing.T) {
	dump := samples(t)[0]
	out, errs, code := walkOf(t, "--timeout", "1ns", dump)
	if code != exitFailed || !strings.Contains(errs, "not complete") || !strings.Contains(out, "Thread") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	if _, errs, code = walkOf(t, "--timeout", "0", dump); code != 0 {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestWalkOfTheCrashingThreadOnly(t *testing.T) {
	dump := samples(t)[0]
	count := func(args ...string) (frames, threads int) {
		out, errs, code := walkOf(t, append(args, "--json", dump)...)
		var document struct {
			Threads []struct {
				Frames []struct{} `json:"frames"`
			} `json:"threads"`
		}
		if err := json.Unmarshal([]byte(out), &document); code != 0 || err != nil {
			t.Fatalf("exit %d, %v, %s", code, err, errs)
		}
		for _, th := range document.Threads {
			if frames += len(th.Frames); len(th.Frames) > 0 {
				threads++
			}
		}
		return frames, threads
	}
	all, several := count()
	one, only := count("--threads", "crashing")
	if several < 2 || only != 1 || one == 0 || one >= all {
		t.Errorf("%d frames of %d threads, with --threads crashing %d of %d", all, several, one, only)
	}
}

// Names of a symbol file that was not understood whole are not shown without saying so.
func TestWalkSaysWhichSymbolsAreLossy(t *testing.T) {
	symbols := t.TempDir()
	if err := os.CopyFS(symbols, os.DirFS(sampleSymbols)); err != nil {
		t.Fatal(err)
	}
	dump := samples(t)[0]
	if _, errs, code := walkOf(t, "--symbols", symbols, "--symbol-cache", t.TempDir(), dump); code != 0 || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	files, err := filepath.Glob(filepath.Join(symbols, "libc.so.6", "*", "*.sym"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files[0], append(text, "FUNC what\n"...))
	if _, errs, code := walkOf(t, "--symbols", symbols, "--symbol-cache", t.TempDir(), dump); code != 0 || !strings.Contains(errs, "symbols of libc.so.6 make no sense") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestWalkGoesOnAfterABadDump(t *testing.T) {
	empty, text := filepath.Join(t.TempDir(), "empty.dmp"), filepath.Join(t.TempDir(), "text.dmp")
	for path, content := range map[string]string{empty: "", text: "no dump"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, flag := range []string{"--json", "--dump", "--threads=all"} {
		out, errs, code := walkOf(t, flag, empty, text, samples(t)[0])
		if code != exitFailed || !strings.Contains(errs, "empty.dmp") || !strings.Contains(errs, "text.dmp") || len(out) < 1000 {
			t.Errorf("%s: exit %d, %s\n%.200s", flag, code, errs, out)
		}
	}
}

// TestWalkWithModules: without symbols, the modules' own files tell how they are unwound.
func TestWalkWithModules(t *testing.T) {
	known := reference.Path(t, "truth")
	dump := filepath.Join(known, "dumps", "deep-O2-mutual.dmp")
	for arguments, want := range map[string]string{"": "deep-O2 + 0x1859 [scan]", filepath.Join(known, "modules"): "deep-O2 + 0x191a [cfi]"} {
		args := []string{"--symbol-cache", t.TempDir(), "--threads", "crashing"}
		if arguments != "" {
			args = append(args, "--modules", arguments)
		}
		out, errs, code := walkOf(t, append(args, dump)...)
		if code != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%q: %d %s\n%s", arguments, code, errs, out)
		}
	}
	if _, errs, code := walkOf(t, "--modules", filepath.Join(t.TempDir(), "none"), dump); code == 0 || !strings.Contains(errs, "none") {
		t.Errorf("%d %s", code, errs)
	}
}
