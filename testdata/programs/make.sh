#!/bin/sh
# Makes everything in testdata anew: programs, crashes, symbols, the reference's reports, expected.json.
# SPDX-License-Identifier: Apache-2.0
#
#   make.sh          as root, on Debian 12 (bookworm), amd64.  Not run by CI: the results are committed.
#   make.sh report   only the last step: the reference's reports and expected.json, from the dumps and symbols there are.
#
# Needs
#   apt-get install -y --no-install-recommends g++ libc6-dbg chromium python3
#   rustc 1.95.0 (rustup toolchain install 1.95.0)
#   cargo install dump_syms@2.3.9 minidump-stackwalk@0.27.0        or set DUMP_SYMS and STACKWALK
#
# The programs and their symbols come out the same, byte for byte, wherever this folder is (same packages given).  Dumps
# never do: they hold process ids, times, random addresses and random canaries.  Address randomisation stays on: crashes
# of the field have it, and code that only works for one load address should fail here.
set -eu

programs=$(cd "$(dirname "$0")" && pwd)
testdata=$(dirname "$programs")
DUMP_SYMS=${DUMP_SYMS:-dump_syms}
STACKWALK=${STACKWALK:-minidump-stackwalk}

# Neutral places: a dump names the files of its modules, and the path its program was started by.
orchard=/opt/orchard
tidepool=/opt/tidepool
database=/opt/orchard/crashes

crashes_of_orchard="null abort overflow divide wild-jump null-call pure thread inlined strlen qsort exception double-free trap bus vtable"
crashes_of_tidepool="unwrap bounds overflow panic null"

build() {
  rm -rf $orchard $tidepool
  mkdir -p $orchard/bin $orchard/obj $tidepool/bin
  cd "$programs"
  # Source paths are mapped, so that neither programs nor symbols know where they were built.
  debug="-O2 -g -ffile-prefix-map=$programs=/build"
  gcc -std=c11 -Wall -Wextra $debug/crashpad -DCRASHPAD_DATABASE="\"$database\"" -c crashpad_client.c -o $orchard/obj/crashpad_client.o
  g++ -std=c++17 -Wall -Wextra -fno-optimize-sibling-calls $debug/orchard -c orchard.cc -o $orchard/obj/orchard.o
  g++ $orchard/obj/orchard.o $orchard/obj/crashpad_client.o -pthread -o $orchard/bin/orchard
  rustc --edition 2021 -C opt-level=3 -C debuginfo=2 -C panic=abort -C codegen-units=1 \
    --remap-path-prefix "$programs=/build/tidepool" -C link-arg=$orchard/obj/crashpad_client.o tidepool.rs -o $tidepool/bin/tidepool
}

# crash PROGRAM KIND: runs it to its death and takes the dump out of the database.  The shell tells of each death; so it should.
crash() {
  rm -rf $database
  mkdir -p $database
  # An empty environment: it lies at the end of the main thread's stack, and so in the dump.
  (cd / && env -i "/opt/$1/bin/$1" "$2") >/dev/null 2>&1 </dev/null || true
  set -- "$1" "$2" $database/pending/*.dmp
  [ $# -eq 3 ] && [ -f "$3" ] || { echo "make.sh: $1 $2 left no dump" >&2; exit 1; }
  mv "$3" "$testdata/crashes/$1-$2.dmp"
}

crash_all() {
  rm -f "$testdata"/crashes/*.dmp
  mkdir -p "$testdata/crashes"
  for kind in $crashes_of_orchard; do crash orchard "$kind"; done
  for kind in $crashes_of_tidepool; do crash tidepool "$kind"; done
  chmod 644 "$testdata"/crashes/*.dmp
}

# A dump may name our programs, their arguments and the kernel, and no more of this machine.
check_privacy() {
  for dump in "$testdata"/crashes/*.dmp; do
    for encoding in s l; do
      if strings -a -n 4 -e $encoding "$dump" | grep -E "[A-Z_]{3,}=|/home/|/root|/tmp|/build|$programs"; then
        echo "make.sh: $dump tells too much" >&2
        exit 1
      fi
    done
  done
}

# The symbols: whole ones in /opt/orchard/symbols, and in testdata what our dumps need of them.
symbols() {
  rm -rf $orchard/symbols "$testdata/symbols"
  lib=/lib/x86_64-linux-gnu
  for file in $orchard/bin/orchard $tidepool/bin/tidepool $lib/libc.so.6 $lib/libm.so.6 $lib/ld-linux-x86-64.so.2 $lib/libgcc_s.so.1 \
    $lib/libstdc++.so.6; do
    # libc6-dbg keeps its files by build id.  libgcc_s and libstdc++ have no such package: their symbols are PUBLIC ones.
    id=$(readelf -n "$file" | sed -n 's/.*Build ID: //p')
    debug=/usr/lib/debug/.build-id/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-).debug
    [ -f "$debug" ] || debug=
    "$DUMP_SYMS" --inlines --store $orchard/symbols "$file" $debug
  done
  "$programs/trim_symbols.py" --stackwalk "$STACKWALK" --whole orchard,tidepool $orchard/symbols "$testdata/symbols" "$testdata"/crashes/*.dmp
}

report() {
  rm -rf "$testdata/crashes/reference"
  mkdir -p "$testdata/crashes/reference"
  for dump in "$testdata"/crashes/*.dmp; do
    "$STACKWALK" --json --symbols-path "$testdata/symbols" "$dump" >"$testdata/crashes/reference/$(basename "$dump" .dmp).json"
  done
  "$programs/expect.py" "$testdata/crashes"
}

if [ "${1:-all}" = all ]; then
  build
  crash_all
  check_privacy
  symbols
fi
report
