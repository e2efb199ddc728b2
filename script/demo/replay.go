package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rounds is how often each sample is sent, with other annotations.
const rounds = 20

// replayTimeout bounds each step of the replay.
const replayTimeout = 3 * time.Minute

// noise are lines that the demo adds to the rules: what Rust does when it panics
// tells nothing about a crash, nor does the address 0 that somebody jumped to.
const noise = `
# The demo's: machinery of a panic, and a jump to address 0.
core::panicking::
core::option::unwrap_failed
@0x0$
`

// replay changes a rule as an operator does: tries it, makes a version of it beside
// the one that is seen, compares, promotes, and goes back. Every total is checked.
func (d *demo) replay(ctx context.Context, up *process, dir string, dumps []string) error {
	fmt.Printf("sending %d crashes …\n", rounds*len(dumps))
	var ids []string
	for i := range rounds {
		sent, err := d.submit(ctx, dumps, "Version="+fmt.Sprintf("%d.%d", 1+i/10, i%10), "ReleaseChannel="+[]string{"release", "beta", "nightly"}[i%3])
		if err != nil {
			return err
		}
		ids = append(ids, sent...)
	}
	counted := func(ctx context.Context) error { return d.counted(ctx, ids) }
	if err := d.wait(ctx, up, countTimeout, counted); err != nil {
		return fmt.Errorf("crashes are missing: %w", err)
	}
	before, err := d.signatures(ctx)
	if err != nil {
		return err
	}
	rules := filepath.Join(dir, "rules")
	if err := changedRules(rules); err != nil {
		return err
	}
	step := func(title string, verb ...string) error {
		fmt.Printf("\n$ aftershock replay %s\n", strings.Join(verb, " "))
		return d.verb(ctx, title, verb...)
	}
	if err := step("plan", "plan", "--ruleset", rules); err != nil {
		return err
	}
	if err := step("start", "start", "--ruleset", rules, "--source", "processed", "--why", "panic machinery is noise"); err != nil {
		return err
	}
	if err := d.wait(ctx, up, replayTimeout, func(ctx context.Context) error {
		text, err := d.query(ctx, "SELECT count() FROM crash_rows FINAL WHERE signature_version = 2")
		if err == nil && strings.TrimSpace(text) != strconv.Itoa(len(ids)) {
			err = fmt.Errorf("version 2 has %s of %d crashes", strings.TrimSpace(text), len(ids))
		}
		return err
	}); err != nil {
		return err
	}
	if err := step("status", "status"); err != nil {
		return err
	}
	report := filepath.Join(dir, "diff.html")
	if err := step("diff", "diff", "1", "2", "--html", report); err != nil {
		return err
	}
	if err := step("promote", "promote", "2"); err != nil {
		return err
	}
	after, err := d.promoted(ctx, ids, before)
	if err != nil {
		return err
	}
	printChanged(before, after)
	if err := step("rollback", "rollback"); err != nil {
		return err
	}
	again, err := d.signatures(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(counted(ctx), same(before, again)); err != nil {
		return fmt.Errorf("rolled back: %w", err)
	}
	fmt.Printf("\nrolled back: %d crashes have the signatures that they had. The report is %s\n", len(ids), report)
	return nil
}

// changedRules writes the rules that ship, and the noise.
func changedRules(dir string) error {
	if err := os.CopyFS(dir, os.DirFS("signature/rulesets/v2")); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "irrelevant_signature_re.txt"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(noise)
	return errors.Join(err, f.Close())
}

// verb runs a verb of replay and prints what it says.
func (d *demo) verb(ctx context.Context, title string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	args = append([]string{"replay"}, args...)
	args = append(args, "--brokers", d.kafka)
	switch args[1] {
	case "diff", "promote", "rollback":
		args = append(args, "--clickhouse-url", "http://"+d.clickhouse, "--clickhouse-password-file", d.token)
	}
	cmd := exec.CommandContext(ctx, d.bin, args...) //nolint:gosec // our own binary
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = os.Stdout, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", title, err, &errs)
	}
	return nil
}

// signatures are the numbers of crashes by signature.
func (d *demo) signatures(ctx context.Context) (map[string]int, error) {
	text, err := d.query(ctx, "SELECT count(), signature FROM crashes GROUP BY signature FORMAT TSVRaw")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for line := range strings.Lines(text) {
		n, signature, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if out[signature], err = strconv.Atoi(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// promoted checks that what is seen is what the noise makes of it, and nothing else.
func (d *demo) promoted(ctx context.Context, ids []string, before map[string]int) (map[string]int, error) {
	if err := d.counted(ctx, ids); err != nil {
		return nil, fmt.Errorf("promoted: %w", err)
	}
	after, err := d.signatures(ctx)
	if err != nil {
		return nil, err
	}
	want := map[string]int{}
	for signature, n := range before {
		for _, part := range []string{"core::panicking::panic_fmt | ", "core::panicking::panic_bounds_check | ", "core::option::unwrap_failed | ", "@0x0 | "} {
			signature = strings.TrimPrefix(signature, part)
		}
		want[signature] += n
	}
	if err := same(want, after); err != nil {
		return nil, fmt.Errorf("promoted: %w", err)
	}
	return after, nil
}

// same tells where two counts differ.
func same(want, got map[string]int) error {
	var errs []error
	for signature, n := range want {
		if got[signature] != n {
			errs = append(errs, fmt.Errorf("%q: %d crashes, want %d", signature, got[signature], n))
		}
	}
	for signature, n := range got {
		if _, ok := want[signature]; !ok {
			errs = append(errs, fmt.Errorf("%q: %d crashes, want none", signature, n))
		}
	}
	return errors.Join(errs...)
}

// printChanged shows what was seen before and is not now, and the other way round.
func printChanged(before, after map[string]int) {
	fmt.Println("\nwhat was seen, and what is seen now:")
	for signature, n := range before {
		if after[signature] != n {
			fmt.Printf("  - %4d  %s\n", n, signature)
		}
	}
	for signature, n := range after {
		if before[signature] != n {
			fmt.Printf("  + %4d  %s\n", n, signature)
		}
	}
}
