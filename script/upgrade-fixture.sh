#!/bin/bash
# Makes testdata/upgrade: the data directory that a release leaves behind, and what its
# analysts saw, for TestUpgradeFromTheReleaseBefore. Run it with the commit or tag of the
# release when a new one is out; libchdb must be installed (make libchdb).
set -euo pipefail
commit=${1:?usage: upgrade-fixture.sh COMMIT}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
up=
finish() {
	[ -z "$up" ] || kill "$up" 2>/dev/null || true
	wait
	git -C "$root" worktree remove --force "$work/tree" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

git -C "$root" worktree add --detach --quiet "$work/tree" "$commit"
(cd "$work/tree" && CGO_ENABLED=0 go build -o "$work/aftershock" ./cmd/aftershock)

kafka=127.0.0.1:29091 clickhouse=127.0.0.1:29123 door=127.0.0.1:29000
"$work/aftershock" up --data-dir "$work/data" --symbols "$root/testdata/symbols" --collector-listen $door \
	--kafka-listen $kafka --clickhouse-listen $clickhouse --registry-listen 127.0.0.1:29081 --metrics-listen 127.0.0.1:29092 \
	>"$work/up.log" 2>&1 &
up=$!

# login is what ClickHouse wants from later releases on.
login() { [ ! -f "$work/data/clickhouse/token" ] || echo "aftershock:$(cat "$work/data/clickhouse/token")@"; }
query() { curl -sf --data-binary "$1" "http://$(login)$clickhouse/"; }
# until_seen N waits until N crashes are seen.
until_seen() {
	for _ in $(seq 600); do
		[ "$(query 'SELECT count() FROM aftershock.crashes' 2>/dev/null)" != "$1" ] || return 0
		sleep 0.2
	done
	tail "$work/up.log" >&2
	exit 1
}
submit() { "$work/aftershock" submit --url "http://$door/submit" --retry-for 30s "$root"/testdata/crashes/"$1"*.dmp >/dev/null; }

submit orchard
until_seen "$(ls "$root"/testdata/crashes/orchard*.dmp | wc -l)"
sleep 2
# A second version, promoted from now on: what came before stays seen in the first.
"$work/aftershock" replay start --brokers $kafka --ruleset default
"$work/aftershock" replay promote 2 --brokers $kafka --clickhouse-url "http://$(login)$clickhouse" --from "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
submit tidepool
until_seen "$(ls "$root"/testdata/crashes/*.dmp | wc -l)"

into=$root/testdata/upgrade
mkdir -p "$into"
query 'SELECT crash_id, signature_version, signature FROM aftershock.crashes ORDER BY crash_id FORMAT TSV' >"$into/seen.tsv"
kill -TERM "$up"
wait "$up" || true
up=
git -C "$root" rev-parse "$commit" >"$into/release"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - data | gzip -9n >"$into/data.tar.gz"
du -h "$into"/*
