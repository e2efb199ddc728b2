package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlagsHaveTwinsInTheEnvironment(t *testing.T) {
	t.Setenv("AFTERSHOCK_JSON", "true")
	var out, errs bytes.Buffer
	dump := samples(t)[0]
	if code := Main([]string{"walk", dump}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if !strings.HasPrefix(out.String(), "{") {
		t.Errorf("AFTERSHOCK_JSON=true changes nothing: %.60q", out.String())
	}
	var help bytes.Buffer
	if code := Main([]string{"up", "--help"}, &help, &errs); code != 0 {
		t.Fatalf("exit %d", code)
	}
	for _, name := range []string{"AFTERSHOCK_DATA_DIR", "AFTERSHOCK_CLICKHOUSE_URL", "AFTERSHOCK_SYMBOLS", "AFTERSHOCK_INLINE_MAX"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("--help does not name %s", name)
		}
	}
}

func TestWalkGoesOnAfterADumpThatCannotBeRead(t *testing.T) {
	var out, errs bytes.Buffer
	dumps := samples(t)
	bad := filepath.Join(t.TempDir(), "bad.dmp")
	writeFile(t, bad, []byte("no dump"))
	if code := Main([]string{"walk", "--symbols", sampleSymbols, dumps[0], bad, dumps[1]}, &out, &errs); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	if n := strings.Count(out.String(), "crashed"); n != 2 {
		t.Errorf("%d of 2 good dumps were walked", n)
	}
	if !strings.Contains(errs.String(), "bad.dmp: minidump header: want 32 bytes, have 7: not a minidump") {
		t.Errorf("stderr: %s", &errs)
	}
}
