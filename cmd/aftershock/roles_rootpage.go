package main

import (
	"fmt"
	"net/http"
	"strings"
)

// rootPage answers GET / with what a port is and where to go. {host} in the text is the name by
// which the port was called: what is proposed works from there.
func rootPage(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		fmt.Fprint(w, strings.ReplaceAll(text, "{host}", r.Host)) //nolint:errcheck,gosec // the client left; plain text, which no browser takes for more
	}
}

// The door tells everybody the same, wherever it stands.
const doorPage = `This is the door of Aftershock. Crash reports are sent to it, as Crashpad and Breakpad do:

  curl -F ProductName=MyProduct -F Version=1.0 -F upload_file_minidump=@crash.dmp http://{host}/submit

The answer, CrashID=bp-<id>, is a promise: the report is kept. Crash pings, which have a stack and no dump, are
sent to http://{host}/ping as JSON.
`

const metricsPage = `This is a process of Aftershock, for those who watch it.

  http://{host}/metrics   for Prometheus
  http://{host}/healthz   200 while it lives
  http://{host}/readyz    200 when every part does its work; a line a part
`
