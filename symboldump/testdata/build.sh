#!/bin/bash
# Builds the fixtures of this folder, with Debian 12's clang, lld, llvm, gcc, binutils and dwz:
#   apt-get install clang lld llvm gcc binutils dwz
# Paths in them are those of /src, so that they do not depend on where this is run. Each is compressed, and
# Mach-O and PE files are what lld makes of them: their ids come from their content.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); out=$here; w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
mkdir "$w/src"; cp "$here/module.c" "$w/src"; cd "$w/src"
c() { clang -O2 -funwind-tables -ffreestanding -fno-stack-protector -ffile-prefix-map="$w"=/ -fdebug-compilation-dir=/src "$@"; }
elf="-fuse-ld=lld -nostdlib -shared -Wl,--build-id=sha1 -Wl,-soname,libmodule.so"
c --target=x86_64-linux-gnu -g $elf -fPIC module.c -o amd64.so
c --target=x86_64-linux-gnu -gdwarf-4 $elf -fPIC -gz=zlib module.c -o amd64-dwarf4-zlib.so
objcopy --compress-debug-sections=zstd amd64.so amd64-zstd.so
c --target=x86_64-linux-gnu -g -gsplit-dwarf -fPIC -c module.c -o split.o && c --target=x86_64-linux-gnu $elf split.o -o amd64-split.so
llvm-dwp-14 split.dwo -o amd64-split.dwp
c --target=i386-linux-gnu -g $elf -fPIC module.c -o x86.so
c --target=armv7-linux-gnueabihf -g $elf -fPIC module.c -o arm.so
c --target=aarch64-linux-gnu -g $elf -fPIC module.c -o arm64.so
c --target=x86_64-apple-macos11 -g -c module.c -o mac64.o; /usr/lib/llvm-14/bin/ld64.lld -arch x86_64 -platform_version macos 11 11 -dylib -install_name /x/libmodule.dylib mac64.o -o macho-amd64
c --target=arm64-apple-macos11 -g -c module.c -o macarm.o; /usr/lib/llvm-14/bin/ld64.lld -arch arm64 -platform_version macos 11 11 -dylib -install_name /x/libmodule.dylib macarm.o -o macho-arm64
llvm-lipo-14 -create macho-amd64 macho-arm64 -output macho-universal
c --target=x86_64-windows-msvc -mno-stack-arg-probe -g -gcodeview -c module.c -o win.obj; lld-link /dll /noentry /nodefaultlib /export:entry /export:leaf /debug /pdb:module.pdb /pdbaltpath:module.pdb /timestamp:1700000000 /out:pe-amd64.dll win.obj
c --target=x86_64-windows-gnu -mno-stack-arg-probe -g -c module.c -o mingw.obj; /usr/lib/llvm-14/bin/ld.lld -m i386pep -shared --no-insert-timestamp --entry=entry mingw.obj -o pe-dwarf.dll
gcc -O2 -g -fPIC -shared -nostdlib -ffile-prefix-map="$w"=/ -Wl,--build-id=sha1 module.c -o full.so
cp full.so other.so; dwz -m common.dwz -M common.dwz full.so other.so
objcopy --only-keep-debug full.so dwz.debug; strip --strip-all full.so -o stripped.so; objcopy --add-gnu-debuglink=dwz.debug stripped.so
mv common.dwz dwz.common
strip --strip-all amd64.so -o amd64-stripped.so
for f in amd64.so amd64-dwarf4-zlib.so amd64-zstd.so amd64-split.so split.dwo amd64-split.dwp x86.so arm.so arm64.so macho-amd64 macho-arm64 macho-universal pe-amd64.dll pe-dwarf.dll dwz.debug dwz.common stripped.so amd64-stripped.so; do
  gzip -9n < "$f" > "$out/$f.gz"
done
