#!/bin/sh
# Installs libchdb.so, ClickHouse's engine as a library, where
# internal/embedded.FindLibrary looks for it, and prints that path.
#
# Safe to run twice, and twice at once: the library appears under its final
# name only when it is complete, and a lock makes the second run wait.
set -eu

# Keep in step with LibraryVersion in internal/embedded/library.go.
version=26.7.3-stable.1

case $(uname -s)-$(uname -m) in
Linux-x86_64)
	package=@chdb/lib-linux-x64-gnu
	# npm's own integrity string of the tarball; a new version needs a new one.
	integrity=sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==
	;;
*)
	echo "fetch-libchdb: no build of libchdb $version for $(uname -s) $(uname -m); run a real ClickHouse server and pass --clickhouse-url" >&2
	exit 1
	;;
esac

# os.UserCacheDir of Go, which ignores a relative XDG_CACHE_HOME too.
case ${XDG_CACHE_HOME:-} in
/*) cache=$XDG_CACHE_HOME ;;
*) cache=$HOME/.cache ;;
esac
root=$cache/aftershock/libchdb
dir=$root/$version
lib=$dir/libchdb.so

if [ -f "$lib" ]; then
	echo "$lib"
	exit 0
fi
mkdir -p "$root"

# flock -o keeps the lock out of children, so nothing they leave behind holds it.
if [ -z "${FETCH_LIBCHDB_LOCKED:-}" ]; then
	FETCH_LIBCHDB_LOCKED=1
	export FETCH_LIBCHDB_LOCKED
	exec flock -o "$root/lock" "$0" "$@"
fi
if [ -f "$lib" ]; then # the run we waited for has installed it
	echo "$lib"
	exit 0
fi

tmp=$(mktemp -d "$root/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

echo "fetch-libchdb: $package@$version (about 130 MB, 570 MB unpacked)" >&2
# From an empty directory, so that no package.json or .npmrc of a project counts.
tarball=$(cd "$tmp" && npm pack --silent "$package@$version")
have=$(node -e '
	const hash = require("crypto").createHash("sha512");
	require("fs").createReadStream(process.argv[1])
		.on("data", chunk => hash.update(chunk))
		.on("end", () => console.log("sha512-" + hash.digest("base64")));
' "$tmp/$tarball")
if [ "$have" != "$integrity" ]; then
	echo "fetch-libchdb: $package@$version has integrity $have, want $integrity" >&2
	exit 1
fi

tar -xzf "$tmp/$tarball" -C "$tmp"
found=$(find "$tmp/package" -name libchdb.so -type f)
if [ -z "$found" ]; then
	echo "fetch-libchdb: $package@$version holds no libchdb.so" >&2
	exit 1
fi
mkdir -p "$dir"
sync "$found"
mv "$found" "$lib"
echo "$lib"
