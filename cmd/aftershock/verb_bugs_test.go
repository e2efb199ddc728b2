package main

import (
	"bytes"
	"strings"
	"testing"
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
