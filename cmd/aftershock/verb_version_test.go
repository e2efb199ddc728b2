package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
)

func TestVersionSaysWhatAReleaseShipsWith(t *testing.T) {
	t.Setenv("AFTERSHOCK_VERSION", "1.2.3") // of somebody's deployment
	outputs := map[string]string{}
	for _, args := range []string{"version", "--version", "version --json"} {
		var out, errs bytes.Buffer
		if code := Main(strings.Fields(args), &out, &errs); code != 0 {
			t.Fatalf("%s: exit %d: %s", args, code, &errs)
		}
		outputs[args] = out.String()
	}
	if outputs["version"] != outputs["--version"] {
		t.Errorf("the flag says\n%s, the verb\n%s", outputs["--version"], outputs["version"])
	}
	var out, errs bytes.Buffer // a verb's own flag is its own
	if code := Main([]string{"verify", "--version", "1", "--nonsense"}, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "--nonsense") {
		t.Errorf("verify --version 1: exit %d: %s%s", code, &errs, &out)
	}
	var info releaseInfo
	if err := json.Unmarshal([]byte(outputs["version --json"]), &info); err != nil {
		t.Fatal(err)
	}
	if info.ProcessVersion != processor.Version || info.Ruleset != signature.Default().Hash() || info.Registry != schema.DefaultRegistry.Hash() || info.Version == "" {
		t.Errorf("%+v", info)
	}
	for _, s := range schema.Schemas() {
		for _, have := range info.Schemas {
			if have.Subject == s.Subject && have.Version < s.Version {
				t.Errorf("%s: version %d is said, %d is there", s.Subject, have.Version, s.Version)
			}
		}
	}
	for _, want := range []string{fmt.Sprint(processor.Version), info.Ruleset[:12], info.Registry[:12], "crash.telemetry-value"} {
		if !strings.Contains(outputs["version"], want) {
			t.Errorf("no %q:\n%s", want, outputs["version"])
		}
	}
}

func TestNewestSchemaOfEachSubjectIsSaid(t *testing.T) {
	got := newestSchemas([]schema.Released{
		{Subject: "b", Version: 1, ID: 1}, {Subject: "a", Version: 2, ID: 3}, {Subject: "a", Version: 1, ID: 2}, {Subject: "b", Version: 2, ID: 9},
	})
	if diff := cmp.Diff([]releaseSchema{{"a", 2, 3}, {"b", 2, 9}}, got); diff != "" {
		t.Error(diff)
	}
}
