#!/bin/sh
# Fetches axe-core, which tests look at pages with for what people cannot read or reach, into the
# cache directory, and prints its path. It is for tests: no page and no release has it.
set -eu

version=4.14.1
# npm's own integrity string of the tarball; a new version needs a new one.
integrity=sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==

case ${XDG_CACHE_HOME:-} in
/*) cache=$XDG_CACHE_HOME ;;
*) cache=$HOME/.cache ;;
esac
dir=$cache/aftershock/axe/$version
if [ -f "$dir/axe.min.js" ]; then
	echo "$dir/axe.min.js"
	exit 0
fi
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "axe-core@$version" >/dev/null
got=sha512-$(openssl dgst -sha512 -binary ./*.tgz | base64 -w0)
if [ "$got" != "$integrity" ]; then
	echo "fetch-axe: axe-core $version has another content than it should: $got" >&2
	exit 1
fi
tar xzf ./*.tgz package/axe.min.js
mv package/axe.min.js "$dir/axe.min.js.$$"
mv "$dir/axe.min.js.$$" "$dir/axe.min.js" # whole or not at all
echo "$dir/axe.min.js"
