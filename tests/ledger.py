#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the tables of docs/reference/ name things that exist? Every `[mutant]`, `test/case`, `kernel:name`, `guest:name`
of the tables in PAGES is looked up; every mutant of FLIP stands in the ledger of obligations; a row that shows nothing
says so. Then the check itself is broken in each way, and must see it.

usage: tests/ledger.py"""

import glob
import os
import re
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
LEDGER = "docs/reference/obligations.md"
PAGES = [LEDGER, "docs/reference/matrix.md"]
FLIP = ["entry", "view"]  # tests/mutants/NAME.mutants: all that the flip asks of a vendor and of tables
STATES = ("model", "emulated", "unverified", "not relied on", "not covered")
EMPTY = ("unverified", "not relied on", "not covered")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


class Known:
    """What there is."""

    def __init__(self):
        self.mutants = {}
        for path in glob.glob(os.path.join(TOP, "tests/mutants/*.mutants")):
            name = os.path.basename(path)[: -len(".mutants")]
            self.mutants[name] = set(re.findall(r"^\[([a-z0-9-]+)\] ", read(path), re.M))
        self.units = {
            os.path.basename(p)[len("test_") : -2]: read(p) for p in glob.glob(os.path.join(TOP, "tests/unit/test_*.c"))
        }
        kernel = "".join(read(p) for p in sorted(glob.glob(os.path.join(TOP, "tests/guest/*.c"))))
        self.kernel = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', kernel))
        listed = subprocess.run(
            [sys.executable, "tests/vm/vmtest.py", "--list"], cwd=TOP, capture_output=True, text=True, check=True
        ).stdout
        self.guests = {line.split()[0] for line in listed.split("\n") if line}

    def missing(self, token):
        """Why this token names nothing, or None."""
        kind = re.fullmatch(r"\[([a-z0-9-]+)\]|(kernel|guest):([a-z0-9-]+)|([a-z0-9_]+)/([a-z0-9_]+)", token)
        if not kind:
            return None  # some other word in typewriter
        mutant, where, name, unit, case = kind.groups()
        if mutant:
            return None if any(mutant in all_ for all_ in self.mutants.values()) else "no such mutant"
        if where:
            return None if name in (self.kernel if where == "kernel" else self.guests) else f"no such test of a {where}"
        if unit not in self.units:
            return f"there is no tests/unit/test_{unit}.c"
        return None if re.search(rf"\b{re.sub('_[45]_levels$', '', case)}\b", self.units[unit]) else "no such case"


def tables(text):
    """Rows of all tables, as lists of cells, each with its table's header."""
    header = None
    for line in text.split("\n"):
        if not line.startswith("|"):
            header = None
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")] if line != "|" else []
        if header is None:
            header = cells
        elif not re.fullmatch(r"[|\s:-]+", line):
            yield header, cells


def judge(path, text, known):
    wrong, seen = [], set()
    for header, cells in tables(text):
        row = f"{path}: {cells[0] or '?'}"
        if len(cells) != len(header):
            wrong.append(f"{row}: {len(cells)} cells of {len(header)}")
            continue
        tokens = [t for cell in cells for t in re.findall(r"`([^`]+)`", cell)]
        seen.update(tokens)
        wrong += [f"{row}: `{t}`: {why}" for t in tokens if (why := known.missing(t))]
        if path == LEDGER and len(cells) > 5:
            if not any(state in cells[5] for state in STATES):
                wrong.append(f"{row}: how far was the rule seen to hold?")
            if not cells[4] and not any(state in cells[5] for state in EMPTY):
                wrong.append(f"{row}: nothing shows it, and that is not said")
    if path == LEDGER:
        for name in FLIP:
            wrong += [f"{path}: [{m}] is missing" for m in sorted(known.mutants[name]) if f"[{m}]" not in seen]
    return wrong


def main():
    known, wrong = Known(), []
    pages = {p: read(p) for p in PAGES if os.path.exists(os.path.join(TOP, p))}
    for path, text in pages.items():
        wrong += judge(path, text, known)
    text = pages[LEDGER]
    broken = (
        (text.replace("[vmx-flush-at-a-flip]", "[vmx-flush-at-a-flop]"), "no such mutant"),
        (text.replace("[vmx-flush-at-a-flip]", "vmx"), "[vmx-flush-at-a-flip] is missing"),
        (text.replace("kernel:freeze-idle", "kernel:freeze-idles"), "no such test of a kernel"),
        (text.replace("guest:late-cpu", "guest:latest-cpu"), "no such test of a guest"),
        (text.replace("tlb/every_mutant", "tlb/each_mutant"), "no such case"),
        (text.replace("tlb/every_mutant", "bulb/every_mutant"), "there is no tests/unit/test_bulb.c"),
        (re.sub(r"(?m)^\| T1 \|", "| T1 | again |", text), "7 cells of 6"),
        (re.sub(r"(?m)^(\| T1 .*\|).*\|$", r"\1 yes |", text), "how far"),
        (re.sub(r"(?m)^(\| T1 .*\|)[^|]*\|[^|]*\|$", r"\1 | model |", text), "nothing shows it"),
    )
    for change, said in broken:
        if change == text or not any(said in line for line in judge(LEDGER, change, known)):
            wrong.append(f"tests/ledger.py: does not see: {said}")
    for line in wrong:
        print(line)
    rows = sum(1 for text in pages.values() for _ in tables(text))
    print(f"{len(wrong)} names are wrong" if wrong else f"{rows} rows of {len(pages)} pages name what exists")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
