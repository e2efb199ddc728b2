package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReprocessAsksForTheCrashesThatItFinds(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	at := map[int]string{}
	for i, r := range p.put(1, 2, 3) {
		at[i+1] = fmt.Sprintf("%d/%d", r.Partition, r.Offset)
	}
	list := filepath.Join(t.TempDir(), "ids")
	writeFile(t, list, []byte("bp-"+autumnID(2)+"\n\n"+autumnID(3)+"\n"))
	args := []string{"reprocess", autumnID(1), autumnID(77), autumnID(2), "--file", list, "--versions", "1", "--reason", "new symbols"}
	out, errs, code := p.run(append(args, "--dry-run")...)
	if code != exitFailed || strings.Count(out, "would be asked for") != 3 || !strings.Contains(errs, autumnID(77)) || len(p.requests()) != 0 {
		t.Errorf("dry run: exit code %d, %s%s", code, out, errs)
	}
	out, errs, code = p.run(args...)
	if code != exitFailed || strings.Count(out, "asked for") != 3 || !strings.Contains(errs, autumnID(77)+": no raw crash has this id") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	var want []string
	for n := 1; n <= 3; n++ {
		want = append(want, fmt.Sprintf("%08x %s [1] attempt 0 new symbols", n, at[n]))
	}
	if got := p.requests(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if out, errs, code := p.run("reprocess", autumnID(1)); code != 0 || len(p.requests()) != 4 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	for name, args := range map[string][]string{
		"no ids":                    {},
		"no id":                     {"crash"},
		"a version that is none":    {autumnID(1), "--versions", "2"},
		"a reason one byte too big": {autumnID(1), "--reason", strings.Repeat("x", maxReasonBytes+1)},
	} {
		if _, errs, code := p.run(append([]string{"reprocess"}, args...)...); code != exitUsage {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
	if _, errs, code := p.run("reprocess", autumnID(1), "--dry-run", "--reason", strings.Repeat("x", maxReasonBytes)); code != 0 {
		t.Errorf("the longest reason: exit code %d, %s", code, errs)
	}
}

func TestCrashIDsAreBounded(t *testing.T) {
	ids := []string{autumnID(1), "bp-" + autumnID(1), autumnID(2), autumnID(3)}
	if got, err := crashIDs(ids[:3], "", 2); err != nil || !slices.Equal(got, []string{autumnID(1), autumnID(2)}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := crashIDs(ids, "", 2); err == nil {
		t.Error("one more was taken")
	}
}
