package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWordsAreCompleted(t *testing.T) {
	for _, tc := range []struct {
		words      []string
		want, nots []string
	}{
		{nil, []string{"up", "replay", "version"}, []string{"embedded", "complete"}},
		{[]string{"re"}, []string{"replay", "reprocess"}, []string{"up"}},
		{[]string{"replay", "p"}, []string{"plan", "promote"}, []string{"start", "--brokers"}},
		{[]string{"replay", "promote", "--b"}, []string{"--brokers"}, []string{"--data-dir"}},
		{[]string{"up", "--log-l"}, []string{"--log-level"}, []string{"--log-json"}},
		{[]string{"--log-level", ""}, []string{"debug", "info", "warn", "error"}, []string{"up", ""}},
		{[]string{"--log-level", "debug", "si"}, []string{"sign", "sink"}, nil},
		{[]string{"--log-level=debug", "si"}, []string{"sign", "sink"}, nil},
		{[]string{"--log-json", "si"}, []string{"sign", "sink"}, nil},
		{[]string{"topics", "create", "--kafka-sasl", "scram"}, []string{"scram-sha-256", "scram-sha-512"}, []string{"plain"}},
		{[]string{"up", "--data-dir", ""}, nil, []string{"up"}},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
		{[]string{"walk", ""}, nil, []string{"up", "walk"}},
	} {
		var out, errs bytes.Buffer
		if code := Main(append([]string{"complete", "--"}, tc.words...), &out, &errs); code != 0 {
			t.Fatalf("%q: exit %d: %s", tc.words, code, &errs)
		}
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		for _, want := range tc.want {
			if !slices.Contains(got, want) {
				t.Errorf("%q: no %s in %q", tc.words, want, got)
			}
		}
		for _, not := range tc.nots {
			if not != "" && slices.Contains(got, not) || not == "" && len(tc.want) > 0 && slices.Contains(got, "") {
				t.Errorf("%q: %q in %q", tc.words, not, got)
			}
		}
		if !slices.IsSorted(got) {
			t.Errorf("%q: %q are in no order", tc.words, got)
		}
	}
}

// The shells' own scripts, in the shells that are here.
func TestShellsComplete(t *testing.T) {
	t.Setenv(asProgram, "1")
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "aftershock")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for shell, script := range map[string]string{
		"bash": `source <(aftershock completion bash); COMP_WORDS=(aftershock replay pro); COMP_CWORD=2; _aftershock; echo "${COMPREPLY[@]}"`,
		"zsh":  `compdef() { :; }; compadd() { shift; for a; do [[ $a == $words[CURRENT]* ]] && echo $a; done }; source <(aftershock completion zsh); words=(aftershock replay pro); CURRENT=3; _aftershock`,
		"fish": `aftershock completion fish | source; complete -C 'aftershock replay pro'`,
	} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is missing", shell)
			continue
		}
		out, err := exec.CommandContext(t.Context(), path, "-c", script).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "promote" {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
}
