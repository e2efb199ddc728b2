package main

import (
	"io"
	"strings"
	"testing"
)

func TestRolesRefuseLimitsThatAreNone(t *testing.T) {
	for _, flags := range []string{
		"process --memory 134217727", "process --lane-share 1.1", "process --dead-letters-share -0.1", "process --dead-letters-in-a-row -1",
		"up --memory 0", "up --lane-share -1", "up --dead-letters-share 2", "sink telemetry --dead-letters-share 2", "sink clickhouse --dead-letters-in-a-row -1",
	} {
		args := strings.Fields(flags)
		last := len(args) - 2
		args[last] += "=" + args[last+1]
		args = append(args[:last+1], "--brokers", "127.0.0.1:1")
		if strings.HasPrefix(flags, "process") {
			args = append(args, "--blob", t.TempDir())
		}
		if strings.HasPrefix(flags, "sink clickhouse") {
			args = append(args, "--clickhouse-url", "http://127.0.0.1:1")
		}
		var errs strings.Builder
		if code := Main(args, io.Discard, &errs); code != exitUsage || !strings.Contains(errs.String(), "want") {
			t.Errorf("%s: exit code %d, %s", flags, code, errs.String())
		}
	}
}
