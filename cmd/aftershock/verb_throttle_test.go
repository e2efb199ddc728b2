package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThrottleCheckSaysWhatIsWrong(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("rules:\n- {name: a, when: anotation.X == 1, result: accept}\n- {name: b, result: continue}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		file string
		code int
		want string
	}{
		{"../../docs/throttle/mozilla.yaml", 0, "16 rules, "},
		{"../../docs/throttle/accept-all.yaml", 0, "1 rules, "},
		{bad, exitFailed, bad + ": line 2: rule a: when: ERROR: 1:1: undeclared reference to 'anotation'"},
		{"/nowhere.yaml", exitFailed, "no such file"},
	} {
		var out, errs bytes.Buffer
		if code := Main([]string{"throttle", "check", tc.file}, &out, &errs); code != tc.code || !strings.Contains(out.String()+errs.String(), tc.want) {
			t.Errorf("%s: code %d\n%s%s", tc.file, code, &out, &errs)
		}
	}
}

func TestThrottleTryCountsWhatEachRuleDoes(t *testing.T) {
	try := func(args ...string) string {
		t.Helper()
		cmd := program(t.Context(), append([]string{"throttle", "try", "../../docs/throttle/mozilla.yaml"}, args...)...)
		var in strings.Builder
		for i := range 200 {
			fmt.Fprintf(&in, "{\"ProductName\":\"Firefox\",\"ReleaseChannel\":\"release\",\"N\":%d}\n\n", i)
		}
		in.WriteString(`{"ProductName":17}` + "\n" + `{"ProductName":"Firefox","ReleaseChannel":"esr","TelemetryEnvironment":"{"}` + "\n" + `{"ProductName":"b2g","Other":null,"More":[1]}` + "\n")
		cmd.Stdin = strings.NewReader(in.String())
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	table := try()
	if table != try() {
		t.Error("another time other reports are drawn")
	}
	rows := map[string][]string{}
	for _, line := range lines(table) {
		if f := strings.Fields(line); len(f) == 8 {
			rows[f[7]] = f
		}
	}
	for rule, want := range map[string]string{
		"unsupported_product":                "1 - - 1 - - - unsupported_product",
		"b2g":                                "1 - - - 1 - - b2g",
		"is_firefox_esr_unsupported_windows": "0 - - - - - 1 is_firefox_esr_unsupported_windows",
		"is_alpha_beta_esr":                  "1 1 - - - - - is_alpha_beta_esr",
		"accept_everything":                  "0 - - - - - - accept_everything",
	} {
		if got := strings.Join(rows[rule], " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if f := rows["is_firefox_desktop"]; len(f) != 8 || f[0] != "200" || f[1] == "-" || f[3] == "-" {
		t.Errorf("%q", f)
	}
	if !strings.Contains(table, "203 reports: ") || !strings.Contains(table, "1 only seem to be taken") {
		t.Error(table)
	}
	if each := lines(try("--json")); len(each) != 203 || !strings.Contains(each[202], `"rule":"b2g","result":"fake-accept","rate":1}`) {
		t.Errorf("%d lines, the last is %s", len(each), each[len(each)-1])
	}
}

func TestThrottleTryTakesOneSourceOfReports(t *testing.T) {
	for _, args := range [][]string{{"--last", "5"}, {"--brokers", "127.0.0.1:1"}, {"--last", "-1", "--brokers", "127.0.0.1:1"}, {"--last", "10000001", "--brokers", "127.0.0.1:1"}} {
		var errs bytes.Buffer
		if code := Main(append([]string{"throttle", "try", "../../docs/throttle/accept-all.yaml"}, args...), &bytes.Buffer{}, &errs); code != exitUsage {
			t.Errorf("%q: code %d, %s", args, code, &errs)
		}
	}
}
