package symbolicate

import "bytes"

// appendCleanPath appends a source file's path as v5 tells it, escaped: without . and
// .. between separators, which all are \ in a path of Windows. v6 tells it as the
// symbol file does.
func appendCleanPath(b, path []byte) []byte {
	windows := isWindowsPath(path) // a path with a backslash is
	if !needsCleaning(path, windows) {
		return appendEscaped(b, path)
	}
	separator := byte('/')
	if windows {
		separator = '\\'
	}
	var segments [][]byte
	for rest, more := path, true; more && len(rest) > 0; {
		segment := rest
		var at int
		if at = bytes.IndexAny(rest, `/\`); at >= 0 {
			segment, rest = rest[:at], rest[at+1:]
		}
		more = at >= 0
		n := len(segments)
		switch {
		case string(segment) == ".":
		case string(segment) != "..", n == 0, string(segments[n-1]) == "..":
			segments = append(segments, segment)
		case n > 1 || len(segments[0]) > 0: // nothing is above the root
			segments = segments[:n-1]
		}
	}
	return appendEscaped(b, bytes.Join(segments, []byte{separator}))
}

// needsCleaning tells of most paths that they are clean.
func needsCleaning(path []byte, windows bool) bool {
	switch {
	case len(path) > 0 && path[0] == '.', bytes.Contains(path, []byte("/.")):
		return true
	}
	return windows && (bytes.IndexByte(path, '/') >= 0 || bytes.Contains(path, []byte(`\.`)))
}

// isWindowsPath tells whether a path has a drive, a server or a backslash.
func isWindowsPath(path []byte) bool {
	if len(path) > 1 && path[1] == ':' && (path[0]|0x20)-'a' < 26 && (len(path) == 2 || path[2] == '/' || path[2] == '\\') {
		return true
	}
	return bytes.HasPrefix(path, []byte("//")) || bytes.IndexByte(path, '\\') >= 0
}
