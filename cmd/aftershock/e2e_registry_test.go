package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// gameAnnotations are those of a made-up game.
const gameAnnotations = `
- {name: GameLevel, type: word, class: public, description: Where the player was.}
- {name: GameEngine, type: version, class: public, means: version, description: The engine's version.}
- {name: PlayerName, type: text, class: never-store, description: Who plays.}
`

// A product's own annotations are a rule change like any other: planned, replayed, promoted. They
// are public from then on, and nowhere before, and what is never stored is not from then on.
func TestAProductHasAnnotationsOfItsOwn(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	file := filepath.Join(t.TempDir(), "game.yaml")
	if err := os.WriteFile(file, []byte(gameAnnotations), 0o600); err != nil {
		t.Fatal(err)
	}
	submit := func(player string) string {
		t.Helper()
		return u.submit("--annotation", "ProductName=Orchard", "--annotation", "GameLevel=Forest", "--annotation", "GameEngine=5.4", "--annotation", "PlayerName="+player, "../../testdata/crashes/orchard-null.dmp")[0]
	}
	before := submit("jane-before")
	u.eachOnce([]string{before})
	for _, r := range u.topic(schema.TopicTelemetry) {
		if public, err := schema.Decode[schema.TelemetryCrash](r.Value); err != nil || len(public.Annotations) != 1 {
			t.Errorf("%+v is public before (%v)", public, err)
		}
	}
	shown := func(id string) string {
		t.Helper()
		text, err := u.query("SELECT annotations['GameLevel'], version FROM crashes WHERE crash_id = '" + id + "'")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(text, "\n")
	}
	if got := shown(before); got != "\t" {
		t.Errorf("%q is shown before", got)
	}
	run := func(args ...string) string {
		t.Helper()
		var errs bytes.Buffer
		cmd := program(t.Context(), append(args, "--brokers", u.kafka)...)
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v\n%s%s", args, err, out, &errs)
		}
		return string(out)
	}
	plan := run("--annotations", file, "replay", "plan", "--ruleset", "default")
	for _, want := range []string{
		"annotation GameLevel: unknown (protected) -> public word\n", "annotation GameEngine: unknown (protected) -> public version, fills version\n",
		"annotation PlayerName: unknown (protected) -> never-store\n", "0 of 1 crashes change their signature", "made with another annotation registry",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	run("--annotations", file, "replay", "start", "--ruleset", "default")
	u.until(t, "the door knows what is never stored", func() error {
		id := submit("jane-" + fmt.Sprint(time.Now().UnixNano()))
		for _, r := range u.topic(schema.TopicRaw) {
			raw, err := schema.Decode[schema.RawCrash](r.Value)
			if err == nil && raw.CrashID == id && raw.Annotations["PlayerName"] == "" {
				return nil
			}
		}
		return fmt.Errorf("it is stored")
	})
	run("replay", "promote", "2", "--clickhouse-url", u.clickhouseURL())
	after := submit("jane-after")
	for _, id := range []string{before, after} {
		u.until(t, id+" is shown with its annotations", func() error {
			if got := shown(id); got != "Forest\t5.4" {
				return fmt.Errorf("%q is shown", got)
			}
			newest := "" // of each crash the last record counts
			for _, r := range u.topic(schema.TopicTelemetry) {
				if string(r.Key) == id {
					public, err := schema.Decode[schema.TelemetryCrash](r.Value)
					if err != nil {
						return err
					}
					newest = fmt.Sprint(public.Version, " ", public.Annotations)
				}
			}
			if !strings.HasPrefix(newest, "5.4 ") || !strings.Contains(newest, "{GameLevel Forest}") || strings.Contains(newest, "jane") {
				return fmt.Errorf("%s is public", newest)
			}
			return nil
		})
	}
	for _, table := range []string{"aftershock.crash_rows", "aftershock_protected.crash_rows"} {
		text, err := u.query("SELECT count() FROM " + table + " WHERE signature_version = 2 AND mapContains(annotations, 'PlayerName')")
		if err != nil || text != "0\n" {
			t.Errorf("%s has %q rows with what is never stored (%v)", table, text, err)
		}
	}
}

// until waits for something of up.
func (u *upProcess) until(t *testing.T, what string, is func() error) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if err := is(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}
