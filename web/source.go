package web

import (
	"net/url"
	"regexp"
	"strings"
)

// Source files, as symbols of builds for many name them: system:host/repository:path:revision.
var vcsFile = regexp.MustCompile(`^(hg|git):([A-Za-z0-9.-]+\.[A-Za-z]{2,})/([^:\\\s]+):([^:\\]+):([0-9A-Za-z.]+)$`)

// sourceLink is the page of a line of a source file on the host that keeps the repository; empty
// for a file that says no host.
func sourceLink(file, line string) string {
	m := vcsFile.FindStringSubmatch(file)
	if m == nil {
		return ""
	}
	system, host, repository, path, revision := m[1], m[2], m[3], m[4], m[5]
	u := url.URL{Scheme: "https", Host: host}
	switch {
	case system == "hg":
		u.Path = "/" + repository + "/file/" + revision + "/" + path
		if line != "" {
			u.Fragment = "l" + line
		}
	case host == "github.com" || host == "gitlab.com" || strings.HasPrefix(host, "gitlab."):
		u.Path = "/" + strings.TrimSuffix(repository, ".git") + "/blob/" + revision + "/" + path
		if line != "" {
			u.Fragment = "L" + line
		}
	default:
		return ""
	}
	return u.String()
}
