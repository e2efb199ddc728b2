package embedded

import (
	"fmt"
	"os"
	"path/filepath"
)

// LibraryVersion is the build of libchdb that this package is written for.
// Keep in step with script/fetch-libchdb.sh.
const LibraryVersion = "26.7.3-stable.1"

// libraryEnv names libchdb.so when no flag does.
const libraryEnv = "AFTERSHOCK_LIBCHDB"

// FindLibrary answers the path of libchdb.so: explicit if given, else the
// environment's AFTERSHOCK_LIBCHDB, else where `make libchdb` puts it below the
// user's cache directory. The file exists when the error is nil; the first of
// the three that is given is taken, so that a typing mistake is not hidden by a
// library found elsewhere.
func FindLibrary(explicit string) (string, error) {
	path, origin := explicit, "flag"
	if path == "" {
		path, origin = os.Getenv(libraryEnv), libraryEnv
	}
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("libchdb: %w: set %s", err, libraryEnv)
		}
		path, origin = filepath.Join(cache, "aftershock", "libchdb", LibraryVersion, "libchdb.so"), "default"
	}
	info, err := os.Stat(path) //nolint:gosec // the user says which library to load
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a file", path)
	}
	if err != nil {
		return "", fmt.Errorf("libchdb (%s): %w: run `make libchdb`, or use a ClickHouse server with --clickhouse-url", origin, err)
	}
	return filepath.Abs(path)
}
