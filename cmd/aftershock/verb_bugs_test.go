package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/bugs"
)

// bugs follow asks who is named, and nobody else.
func TestBugsFollowWantsTrackers(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{"want --bugzilla or --github": nil, "want an https address": {"--bugzilla", "http://bugs.test"}, "want the address of a repository": {"--github", "https://github.com/x/y"}} {
		var out, errs bytes.Buffer
		if code := Main(append([]string{"bugs", "follow", "--clickhouse-url", "http://127.0.0.1:1"}, args...), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: exit %d: %s", args, code, &errs)
		}
	}
}

// A token comes out of a file or the environment, not of both, and is for one host; no error has it.
func TestBugsFollowTakesAToken(t *testing.T) {
	const secret = "the-secret"
	file := func(text string) string {
		at := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	good, empty, twice := file(secret+"\n"), file("\n"), file(secret+"\n"+secret+"\n")
	largest, larger := file(strings.Repeat("x", bugs.MaxToken)+"\r\n"), file(strings.Repeat("x", bugs.MaxToken+3))
	const a, b = "https://api.github.com/repos/a/b", "https://git.test/api/v3/repos/a/b"
	for name, of := range map[string]struct {
		variable string
		args     []string
		want     string
		code     int
	}{
		"a file":                {"", []string{"--github", a, "--github-token-file", good}, "127.0.0.1:1", exitFailed},
		"a variable":            {secret, []string{"--github", a}, "127.0.0.1:1", exitFailed},
		"the largest":           {"", []string{"--github", a, "--github-token-file", largest}, "127.0.0.1:1", exitFailed},
		"two of a host":         {secret, []string{"--github", a, "--github", a}, "127.0.0.1:1", exitFailed},
		"both":                  {secret, []string{"--github", a, "--github-token-file", good}, "two tokens", exitUsage},
		"two hosts":             {secret, []string{"--github", a, "--github", b}, "a token is for one host", exitUsage},
		"two hosts, none":       {"", []string{"--github", a, "--github", b}, "127.0.0.1:1", exitFailed},
		"for nobody":            {"", []string{"--bugzilla", "https://bugs.test", "--github-token-file", good}, "there is no --github", exitUsage},
		"an empty file":         {"", []string{"--github", a, "--github-token-file", empty}, "is empty", exitFailed},
		"two tokens":            {"", []string{"--github", a, "--github-token-file", twice}, "want a token", exitUsage},
		"a file that is larger": {"", []string{"--github", a, "--github-token-file", larger}, "is larger than", exitFailed},
		"no file":               {"", []string{"--github", a, "--github-token-file", empty + ".none"}, "no such file", exitFailed},
	} {
		t.Setenv(githubToken, of.variable)
		var out, errs bytes.Buffer
		code := Main(append([]string{"bugs", "follow", "--clickhouse-url", "http://127.0.0.1:1"}, of.args...), &out, &errs)
		if code != of.code || !strings.Contains(errs.String(), of.want) || strings.Contains(errs.String()+out.String(), secret) {
			t.Errorf("%s: exit %d, want %d: %s", name, code, of.code, &errs)
		}
	}
}
