#!/usr/bin/env python3
"""Trims Breakpad symbols to what some dumps need.  SPDX-License-Identifier: Apache-2.0

    trim_symbols.py --stackwalk minidump-stackwalk --whole orchard,tidepool ALL_SYMBOLS OUT_SYMBOLS DUMP...

A stack walk asks for more addresses than it prints: where it has no unwind information it asks of every word of the stack
whether it could be a return address, and "no function is there" is an answer too.  So the question is not which frames
were found.  It is every word of every stack, taken as an address (and as a return address: one less), and the
instruction pointers.  Kept for each of them is all that can decide the answer:

  * the FUNC that covers or precedes it, with its lines and inlines, and the FUNCs that overlap that one;
  * the PUBLIC at or before it;
  * the STACK CFI records that cover it, and those that overlap them;
  * the FILE and INLINE_ORIGIN records the kept ones name, with their numbers unchanged; MODULE and INFO.

Afterwards the reference walker reads every dump with the full symbols and with the trimmed ones: its reports must be equal,
or the script fails.
"""
import argparse
import bisect
import json
import pathlib
import shutil
import struct
import subprocess
import sys

THREAD_LIST, MODULE_LIST, MEMORY_LIST = 3, 4, 5
BUILD_ID_RECORD = b"LEpB"  # the CodeView record of an ELF module: signature, then its build id


class Module:
    def __init__(self, base, size, name, debug_id):
        self.base, self.size, self.name, self.debug_id = base, size, name, debug_id


def read_dump(path):
    """Returns the modules of a minidump and the memory blocks it has."""
    data = path.read_bytes()
    _, _, stream_count, directory = struct.unpack_from("<4sIII", data, 0)
    modules, blocks = [], []
    for i in range(stream_count):
        kind, _, rva = struct.unpack_from("<III", data, directory + 12 * i)
        if kind == MODULE_LIST:
            for k in range(struct.unpack_from("<I", data, rva)[0]):
                at = rva + 4 + 108 * k
                base, size, _, _, name_rva = struct.unpack_from("<QIIII", data, at)
                record_size, record_rva = struct.unpack_from("<II", data, at + 76)
                name_size = struct.unpack_from("<I", data, name_rva)[0]
                name = data[name_rva + 4 : name_rva + 4 + name_size].decode("utf-16-le").rsplit("/", 1)[-1]
                record = data[record_rva : record_rva + record_size]
                if record[:4] == BUILD_ID_RECORD:
                    a, b, c = struct.unpack_from("<IHH", record, 4)
                    modules.append(Module(base, size, name, f"{a:08X}{b:04X}{c:04X}{record[12:20].hex().upper()}0"))
        elif kind == MEMORY_LIST:
            for k in range(struct.unpack_from("<I", data, rva)[0]):
                _, size, block_rva = struct.unpack_from("<QII", data, rva + 4 + 16 * k)
                blocks.append(data[block_rva : block_rva + size])
        elif kind == THREAD_LIST:
            for k in range(struct.unpack_from("<I", data, rva)[0]):
                _, size, block_rva = struct.unpack_from("<QII", data, rva + 4 + 48 * k + 24)
                blocks.append(data[block_rva : block_rva + size])
    return modules, blocks


def walk(stackwalk, symbols, dump):
    done = subprocess.run([stackwalk, "--json", "--symbols-path", symbols, dump], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def asked_addresses(dump, report):
    """Yields (module name, debug id, offset) of whatever a walk of the dump can ask about."""
    modules, blocks = read_dump(dump)
    addresses = {int(frame["offset"], 16) for thread in report["threads"] for frame in thread["frames"]}
    for block in blocks:
        addresses.update(struct.unpack_from(f"<{len(block) // 8}Q", block))
    for address in addresses:
        for module in modules:
            if module.base <= address <= module.base + module.size:
                yield module.name, module.debug_id, address - module.base
                yield module.name, module.debug_id, max(address - module.base - 1, 0)


class Record:
    """A record with an address, and the lines that belong to it.  FUNC and STACK CFI INIT have a size, PUBLIC has none."""

    def __init__(self, start, size, order, line):
        self.start, self.end, self.order, self.lines = start, start + size, order, [line]


def kept_records(records, offsets, only_covering):
    """Returns those of the records that decide what is at any of the offsets."""
    groups = []  # of records that overlap each other or start at the same address
    for record in sorted(records, key=lambda r: (r.start, r.end)):
        if groups and (record.start < groups[-1][1] or record.start == groups[-1][0]):
            groups[-1][1] = max(groups[-1][1], record.end)
            groups[-1][2].append(record)
        else:
            groups.append([record.start, record.end, [record]])
    starts = [group[0] for group in groups]
    kept = set()
    for offset in offsets:
        i = bisect.bisect_right(starts, offset) - 1
        if i >= 0 and (not only_covering or offset < groups[i][1]):
            kept.add(i)
    return [record for i in kept for record in groups[i][2]]


def trim(text, offsets):
    head, files, origins = [], {}, {}
    functions, publics, frames = [], [], []
    for order, line in enumerate(text.splitlines()):
        words = line.split(" ")
        kind = words[0]
        if kind in ("MODULE", "INFO"):
            head.append(line)
        elif kind == "FILE":
            files[words[1]] = line
        elif kind == "INLINE_ORIGIN":
            origins[words[1]] = line
        elif kind == "FUNC":
            at = 2 if words[1] == "m" else 1
            functions.append(Record(int(words[at], 16), int(words[at + 1], 16), order, line))
        elif kind == "PUBLIC":
            at = 2 if words[1] == "m" else 1
            publics.append(Record(int(words[at], 16), 0, order, line))
        elif words[:3] == ["STACK", "CFI", "INIT"]:
            frames.append(Record(int(words[3], 16), int(words[4], 16), order, line))
        elif words[:2] == ["STACK", "CFI"]:
            frames[-1].lines.append(line)
        elif line:  # a line or an inline of the last function
            functions[-1].lines.append(line)

    kept = kept_records(functions, offsets, False) + kept_records(publics, offsets, False) + kept_records(frames, offsets, True)
    kept.sort(key=lambda record: record.order)
    body = [line for record in kept for line in record.lines]
    used_files, used_origins = set(), set()
    for line in body:
        words = line.split(" ")
        if words[0] == "INLINE":
            used_files.add(words[3])
            used_origins.add(words[4])
        elif words[0] not in ("FUNC", "PUBLIC", "STACK"):
            used_files.add(words[3])
    head += [line for number, line in files.items() if number in used_files]
    head += [line for number, line in origins.items() if number in used_origins]
    return "\n".join(head + body) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Trims Breakpad symbols to what some dumps need.")
    parser.add_argument("--stackwalk", default="minidump-stackwalk")
    parser.add_argument("--whole", default="", help="modules to copy as they are, comma-separated")
    parser.add_argument("all_symbols", type=pathlib.Path)
    parser.add_argument("out_symbols", type=pathlib.Path)
    parser.add_argument("dumps", type=pathlib.Path, nargs="+")
    options = parser.parse_args()

    reports, asked = {}, {}
    for dump in options.dumps:
        reports[dump] = walk(options.stackwalk, options.all_symbols, dump)
        for name, debug_id, offset in asked_addresses(dump, reports[dump]):
            asked.setdefault((name, debug_id), set()).add(offset)

    for (name, debug_id), offsets in sorted(asked.items()):
        relative = pathlib.Path(name) / debug_id / (name + ".sym")
        source, target = options.all_symbols / relative, options.out_symbols / relative
        if not source.exists():
            print(f"{relative}: no symbols")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in options.whole.split(","):
            shutil.copyfile(source, target)
        else:
            target.write_text(trim(source.read_text(), offsets))
        print(f"{relative}: {len(offsets)} addresses, {source.stat().st_size} to {target.stat().st_size} bytes")

    for dump in options.dumps:
        if walk(options.stackwalk, options.out_symbols, dump) != reports[dump]:
            sys.exit(f"{dump}: the trimmed symbols give another report")
    print(f"{len(options.dumps)} dumps: same reports with trimmed symbols")


if __name__ == "__main__":
    main()
