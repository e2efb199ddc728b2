package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/web"
)

// Thresholds come from a file, and one that the question has not is told when the pages start.
func TestThresholdsOfStates(t *testing.T) {
	for text, want := range map[string]string{
		"new_least: 3\nrising_times: 2.5\n":        "",
		"fresh_least: 3\n":                         `states has no parameter "fresh_least"`,
		"new_least: many\n":                        "want a number",
		"- 1\n":                                    "--web-states: ",
		strings.Repeat("#", maxStatesBytes):        "",
		strings.Repeat("#", maxStatesBytes) + "\n": "more than 65536 bytes",
	} {
		f := webFlags{States: filepath.Join(t.TempDir(), "states.yaml")}
		if err := os.WriteFile(f.States, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		states, err := f.states()
		if err == nil {
			_, err = web.New(web.Options{States: states, Now: time.Now, Log: zerolog.Nop()})
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}
