#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/instrument/litmus: what its table says of a cell in which something is torn, and which records of it are taken
for a page; and what git says of the commit of a record (tests/figures/history.py), in a history made for this."""

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "tests/figures")]

import pages  # noqa: E402
import history  # noqa: E402
import taken  # noqa: E402

LITMUS = pages.program(pages.LITMUS)
SKEWS = (10, 1000)
TORN = {"root": 20, "root-scan": 8, "root-freeze": 25, "root-freeze-scan": 0}  # flips of 50, at each skew


def line(cell, skew):
    torn = TORN[cell]
    counts = {"flips": 50, "tries": 50, "passes": 2000, "looks": 18000, "within": torn, "between": 0}
    factors = {"freeze": int("freeze" in cell), "scan": int("scan" in cell)}
    return {"order": "root", **factors, "skew": skew, **counts, "torn_within": torn, "torn_between": 0}


def record():
    """As the command writes it."""
    lines = [line(cell, skew) for cell in TORN for skew in SKEWS]
    return {
        "schema": "newleaf.litmus/1", "machine": "qemu, SVM with NPT, 2 CPUs",
        "command": "tests/instrument/litmus qemu 2 --json /tmp/x.json", "date": "2026-11-27 09:00 UTC",
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True).stdout.strip()
        or "abcdef1",
        "cells": LITMUS.summary(lines, dict.fromkeys(TORN, "PASS"), list(TORN)), "lines": lines,
    }  # fmt: skip


def cell(r, name):
    return next(c for c in r["cells"] if c["cell"] == name)


def changed(name, lines=False, **fields):
    """Of a record whose cell has these fields instead; without its lines, unless they are to contradict it."""

    def change(r):
        cell(r, name).update(fields)
        if not lines:
            del r["lines"]

    return change


BOTH = "root-freeze-scan"
ORIGIN = {"date": "2026-11-27 09:00 UTC"}
# name: (what is changed in a record, what is said of it)
RECORDS = {
    "as the command writes it": (lambda r: None, ""),
    "as it was written before": (changed(BOTH, bound_per_flip=3e-2, bound_per_pass=1e-3), ""),
    "torn with freeze and scan": (changed(BOTH, torn_within=5, within=7, verdict="FAIL"), f"{BOTH}: nothing may"),
    "torn, and called passed": (changed(BOTH, torn_between=1), f"{BOTH}: nothing may"),
    "passes torn in no flip": (changed(BOTH, within=1), f"{BOTH}: nothing may"),
    "failed with freeze and scan": (changed(BOTH, verdict="FAIL"), f"{BOTH}: nothing may"),
    "no flip with freeze and scan": (changed(BOTH, flips=0, verdict="SKIP"), f"{BOTH}: nothing may"),
    "nothing said of what is torn": (lambda r: cell(r, BOTH).pop("torn_within"), "torn_within is missing"),
    "no verdict": (lambda r: cell(r, BOTH).pop("verdict"), "verdict is missing"),
    "a verdict of nobody": (changed(BOTH, verdict="FINE"), "verdict"),
    "more flips than its lines have": (changed(BOTH, lines=True, flips=9999), "its lines say 100"),
    "lines that are none": (lambda r: r.update(lines=5), "lines"),
    "a line without its skew": (lambda r: r["lines"][0].pop("skew"), "line 0: skew"),
    "more torn than flipped": (changed("root", torn_within=101), "more flips are torn"),
    "a cell that is none": (changed("root", cell="root-x"), "'root-x' is none"),
    "a cell twice": (lambda r: r["cells"].append(copy.deepcopy(r["cells"][0])), "there twice"),
    "no cells": (lambda r: r.update(cells=[]), "cells"),
    "flips that are text": (changed("root", flips="many"), "flips"),
    "a machine without CPUs": (lambda r: r.update(machine="qemu"), "machine"),
    "a month that is none": (lambda r: r.update(date="2026-99-99 09:00 UTC"), "is no date"),
    "an hour that is none": (lambda r: r.update(date="2026-11-27 24:61 UTC"), "is no date"),
    "a day alone": (lambda r: r.update(date="2026-11-27"), "is no date"),
    "parts, as a campaign has": (lambda r: r.update(runs=5), "runs"),
    "parts, and no list": (lambda r: r.update(runs={"date": 1}), "runs"),
}


def judged(name):
    change, wanted = RECORDS[name]
    made = record()
    change(made)
    said = "; ".join(taken.flaws("litmus", json.loads(json.dumps(made))))
    return wanted in said and bool(said) == bool(wanted) or print(f"{name}: {ascii(said)}")


def row(r, name):
    """What the table says of a cell with freeze and scan, or nothing."""
    found = [text for text in LITMUS.table([r]).split("\n") if text.startswith(f"| A | {name} |")]
    return [word.strip() for word in found[0].split("|")[7:-1]] if len(found) == 1 else found


def table():
    """3/n of 100 flips; 16 % were detected without freeze, 50 % without scan; torn ones stand there, with no bound."""
    well, torn, alone, few = (record() for _ in range(4))
    cell(torn, BOTH).update(torn_within=5, verdict="FAIL", bound_per_flip=1e-9)
    cell(well, BOTH).update(bound_per_flip=1e-9)
    alone["cells"] = [cell(alone, BOTH)]
    cell(few, "root-scan").update(torn_within=0, verdict="FAIL")
    return (
        row(well, BOTH) == ["0 / 0", "PASS", "3.0e-02", "1.9e-01", "6.0e-02"]
        and row(torn, BOTH) == ["5 / 0", "FAIL", "-", "-", "-"]
        and row(alone, BOTH) == ["0 / 0", "PASS", "3.0e-02", "-", "-"]
        and row(few, BOTH) == ["0 / 0", "PASS", "3.0e-02", "none", "6.0e-02"]
        and "0 / 0 of 100, 10, FAIL" in LITMUS.table([few]) and "per pass" not in LITMUS.table([well])
    )  # fmt: skip


def several():
    """The row of all of them hides none that is torn."""
    well = record()
    other = {**copy.deepcopy(cell(well, BOTH)), "cell": "page-freeze-scan"}
    well["cells"] += [other, {**cell(well, "root-scan"), "cell": "page-scan", "torn_within": 84}]
    torn = copy.deepcopy(well)
    cell(torn, "page-freeze-scan").update(torn_between=2, verdict="FAIL")
    return (
        row(well, r"*all 2*") == ["0 / 0", "PASS", "1.5e-02", "3.0e-02", "-"]
        and row(torn, r"*all 2*") == ["0 / 2", "FAIL", "-", "-", "-"]
    )  # fmt: skip


# -- a history --


def git(folder, *arguments):
    who = ("-c", "user.name=n", "-c", "user.email=n@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def grown(folder, path):
    """A commit that changes a file; its hash."""
    os.makedirs(os.path.join(folder, os.path.dirname(path)), exist_ok=True)
    with open(os.path.join(folder, path), "a", encoding="utf-8") as f:
        f.write("x\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", path)
    return git(folder, "rev-parse", "HEAD").strip()


def seen_from(folder, look):
    kept, history.TOP = history.TOP, os.path.realpath(folder)
    try:
        for remembered in (history.whole, history.missing, history.since):
            remembered.cache_clear()
        return look()
    finally:
        history.TOP = kept
        for remembered in (history.whole, history.missing, history.since):
            remembered.cache_clear()


def past():
    with tempfile.TemporaryDirectory(prefix="history.") as folder:
        whole, shallow, around = (os.path.join(folder, n) for n in ("whole", "shallow", "whole/docs"))
        os.mkdir(whole)
        git(whole, "init", "-q")
        first = grown(whole, "hv/a.c")
        commits = [first] + [grown(whole, p) for p in ("docs/a.md", "arch/a.c", "tests/a.c", "efi/a.c", "hv/a.c")]
        git(folder, "clone", "-q", "--depth", "1", f"file://{whole}", shallow)

        def look():
            old, new, none = ({**ORIGIN, "commit": text} for text in (
                f"the change that became {first[:12]}", commits[-1], "0123456789ab"))
            return (
                [history.since(c) for c in commits] == [3, 3, 2, 2, 1, 0]
                and ["3 commits have changed the core since" in line for line in taken.older("litmus", old)] == [True]
                and not list(taken.older("litmus", new)) and not list(taken.origin("litmus", new))
                and list(taken.origin("litmus", none)) == ["0123456789ab is no commit of this tree"]
            )  # fmt: skip

        def blind():
            return not history.whole() and not history.missing("0123456") and history.since("0123456") == 0

        return seen_from(whole, look) and all(seen_from(f, blind) for f in (shallow, around, folder))


def kept(built, well, verdict):
    """What a run keeps whose boot ended so: (exit code, are there figures, which do not say where)."""
    with tempfile.TemporaryDirectory(prefix="litmus.") as folder:
        os.mkdir(os.path.join(folder, "instrument"))
        if built:
            open(os.path.join(folder, "instrument/newleaf.efi"), "wb").close()
        before = LITMUS.boot, LITMUS.BUILD, sys.argv
        verdicts, lines = dict.fromkeys(TORN, verdict), [line(c, s) for c in TORN for s in SKEWS]
        LITMUS.boot = lambda *_: (lines, verdicts, well)
        LITMUS.BUILD = folder
        sys.argv = ["litmus", "--only", ",".join(TORN), "--json", f"{folder}/figures.json", "qemu", "2"]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                code = LITMUS.main()
        finally:
            LITMUS.boot, LITMUS.BUILD, sys.argv = before
        path = os.path.join(folder, "figures.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                said = json.load(file)["command"]
            return code, said == "tests/instrument/litmus --only " + ",".join(TORN) + " qemu 2"
        return code, False


def runs():
    return (
        kept(True, True, "PASS") == (0, True)
        and kept(True, False, "FAIL") == (1, True)
        and kept(True, False, "PASS") == (1, False)  # it failed outside of its cells
        and kept(False, True, "PASS") == (11, False)
    )


def main():
    cases = {f"a record: {name}": bool(judged(name)) for name in RECORDS}
    cases.update({"the table": table(), "the table of several cells": several()})
    cases.update({"a record's commit": past(), "what a run keeps": runs()})
    wrong = [name for name, good in cases.items() if not good]
    for name in wrong:
        print(f"wrong: {name}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} cases of the litmus's records judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
