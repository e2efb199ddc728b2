#!/usr/bin/env python3
"""Writes expected.json from the reference walker's reports.  SPDX-License-Identifier: Apache-2.0

    expect.py CRASHES    reads CRASHES/reference/*.json, writes CRASHES/expected.json

The table holds what a person can check against the sources: why the program died, in which thread, and the innermost
function of our own (its source is under /build) on the stack of that thread, be it a frame of its own or an inlined one.
"""
import json
import pathlib
import sys

OWN_SOURCES = "/build/"


def first_own_frame(frames):
    for frame in frames:
        inlined = [dict(function, inlined=True) for function in frame["inlines"] or []]  # innermost first
        for function in inlined + [dict(frame, inlined=False)]:
            if (function["file"] or "").startswith(OWN_SOURCES):
                return {
                    "frame": frame["frame"],
                    "function": function["function"],
                    "source": f"{function['file']}:{function['line']}",
                    "inlined": function["inlined"],
                }
    sys.exit("no frame of our own")


def main():
    crashes = pathlib.Path(sys.argv[1])
    table = {}
    for path in sorted((crashes / "reference").glob("*.json")):
        report = json.loads(path.read_text())
        index = report["crash_info"]["crashing_thread"]
        thread = report["threads"][index]
        table[path.stem + ".dmp"] = {
            "reason": report["crash_info"]["type"],
            "address": report["crash_info"]["address"],
            "crashing_thread": {"index": index, "name": thread["thread_name"]},
            "first_own_frame": first_own_frame(thread["frames"]),
        }
    (crashes / "expected.json").write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
