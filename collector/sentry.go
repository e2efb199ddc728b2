package collector

import (
	"encoding/json"
	"errors"
	"mime"
	"strings"

	"aftershock/schema"
)

// isSentry tells whether a path is that of Sentry's minidump endpoint,
// /api/<project>/minidump. Its key, ?sentry_key=, is no secret and not asked for.
func isSentry(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) == 4 && parts[1] == "api" && parts[3] == "minidump"
}

// isDump tells whether a body of that type is a dump and nothing else.
func isDump(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && (kind == "application/octet-stream" || kind == "application/x-dmp" || kind == "application/x-minidump")
}

// readDump reads a report that is a dump alone.
func readDump(b *body, limits Limits) (*report, error) {
	rep := newReport(schema.KindReport, limits)
	d, err := pack(schema.MainDump, wholeBody{b})
	if err != nil {
		return nil, err
	}
	if !d.minidump {
		return nil, refuse(schema.RejectStructure, errors.New("the body is no minidump"))
	}
	rep.dumps = append(rep.dumps, d)
	if b.extra() {
		rep.note(schema.NoteBodyExtra)
	}
	return rep, nil
}

// What Sentry's clients say in their own part, or in fields of its own, and what it is called
// here. See the registry for those of other clients.
const (
	annotationSentry = "sentry"
	maxSentryBytes   = 1 << 20
)

// fromSentry names product, version and channel as the registry does, where the client has
// not. All that it sent stays as it is, and protected.
func (r *report) fromSentry() {
	said := struct{ Release, Environment string }{r.annotations["sentry[release]"], r.annotations["sentry[environment]"]}
	if text := r.annotations[annotationSentry]; len(text) <= maxSentryBytes {
		json.Unmarshal([]byte(text), &said) //nolint:errcheck,gosec // what it does not say, it does not say
	}
	// package@version+build is how releases are named.
	product, version, both := strings.Cut(said.Release, "@")
	if !both {
		product, version = "", said.Release
	}
	version, build, _ := strings.Cut(version, "+")
	for name, value := range map[string]string{"ProductName": product, "Version": version, "BuildID": build, "ReleaseChannel": said.Environment} {
		if _, sent := r.annotations[name]; !sent && value != "" && len(r.annotations) < r.limits.Annotations {
			r.annotations[name] = clip(value, maxSentryName)
		}
	}
}

// maxSentryName is the longest release and environment that Sentry takes.
const maxSentryName = 250
