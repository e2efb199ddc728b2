// Package reference finds what tests compare with and the project does not own:
// other programs' dumps and answers, recorded requests, servers' starters. They
// lie outside the repository, below $AFTERSHOCK_SHARED or in a folder "shared"
// beside it or further up.
package reference

import (
	"os"
	"path/filepath"
	"testing"
)

// Find returns the path of something below the folder, and whether it is there.
// Where CI is set, or the folder was named, it must be: else the test fails.
func Find(t testing.TB, elements ...string) (path string, ok bool) {
	t.Helper()
	name := filepath.Join(elements...)
	for _, shared := range folders(t) {
		path := filepath.Join(shared, name)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	if os.Getenv("CI") != "" || os.Getenv("AFTERSHOCK_SHARED") != "" {
		t.Fatalf("no shared/%s above, and none below AFTERSHOCK_SHARED", name)
	}
	return "", false
}

// Path is Find for a test that is nothing without: it is skipped.
func Path(t testing.TB, elements ...string) string {
	t.Helper()
	path, ok := Find(t, elements...)
	if !ok {
		t.Skipf("no shared/%s above, and none below AFTERSHOCK_SHARED", filepath.Join(elements...))
	}
	return path
}

// folders are where to look: the one that is named, or every one above.
func folders(t testing.TB) []string {
	t.Helper()
	if named := os.Getenv("AFTERSHOCK_SHARED"); named != "" {
		return []string{named}
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		out = append(out, filepath.Join(dir, "shared"))
	}
	return out
}
