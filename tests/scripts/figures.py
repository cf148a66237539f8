#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does scripts/figures see what is not what a run said? In a copy of README and docs/: a figure that somebody edited, a
record that somebody edited, a block without a record, a record without a block, one of a tree that nobody committed.
And does it take a record of somebody's that would put markup into a page?"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import shutil
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def load():
    loader = importlib.machinery.SourceFileLoader("figures", os.path.join(TOP, "scripts/figures"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("figures", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


FIGURES = load()
SAMPLE, SLOPES = "docs/figures/readme-sample.json", "docs/figures/blackout-slopes.json"
BENCH, LITMUS = "docs/figures/bench-icount.json", "docs/figures/litmus.json"


def once(render):
    """The same for the same records: intervals over boots take seconds."""
    known = {}

    def remembered(records, directory):
        key = json.dumps(records)
        if key not in known:
            with tempfile.TemporaryDirectory() as own:
                text, files = render(records, own), {}
                for name in os.listdir(own):
                    with open(os.path.join(own, name), encoding="utf-8") as f:
                        files[name] = f.read()
            known[key] = text, files
        text, files = known[key]
        for name, content in files.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(content)
        return text

    return remembered


def edit(path, change):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    changed = change(text)
    assert changed != text, f"nothing of {path} was changed"
    with open(path, "w", encoding="utf-8") as f:
        f.write(changed)


def swap(old, new):
    return lambda text: re.sub(old, new, text, count=1, flags=re.S)


def held(litmus):
    """A cell in which nothing may be torn."""
    return next(c for c in litmus["cells"] if c["cell"] == "root-freeze-scan")


def record(change):
    """Change the first record of a file."""

    def changed(text):
        records = json.loads(text)
        change(records[0])
        return json.dumps(records)

    return changed


def tree(change):
    """(exit code, what --check said) of a copy with a change in it."""
    with tempfile.TemporaryDirectory(prefix="figures.") as top:
        shutil.copy(os.path.join(TOP, "README.md"), top)
        shutil.copytree(os.path.join(TOP, "docs"), os.path.join(top, "docs"))
        FIGURES.TOP = top
        change(lambda path: os.path.join(top, path))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                code = FIGURES.check()
            except FIGURES.Wrong as why:
                code = 1
                print(why)
        return code, said.getvalue()


BLOCK = r"<!-- figures:begin readme .*?<!-- figures:end -->"
CASES = {
    "as it is": (lambda at: None, ""),
    "a figure of README": (lambda at: edit(at("README.md"), swap(r"stop window [\d.]+", "stop window 0.1")), "readme"),
    "a word of a table": (
        lambda at: edit(at("docs/explanation/litmus.md"), swap("(begin litmus .*?)root-freeze-scan", r"\1root-freeze")),
        "the block litmus is not",
    ),
    "a record's figure": (
        lambda at: edit(at(SLOPES), record(lambda r: r["figures"]["lines"]["pages"].update(grows=1.0))),
        "the block blackout-slopes is not",
    ),
    "a record's commit": (lambda at: edit(at(SAMPLE), record(lambda r: r.update(commit="0123456"))), "readme"),
    "a tree that nobody committed": (
        lambda at: edit(at(SAMPLE), record(lambda r: r.update(commit=r["commit"] + "-dirty"))),
        "measure what is committed",
    ),
    "a commit with more behind it": (
        lambda at: edit(at(SAMPLE), record(lambda r: r.update(commit="abcdef1 <img src=https://evil.example/t.png>"))),
        "'abcdef1 <img",
    ),
    "a commit with more before it": (
        lambda at: edit(at(SLOPES), record(lambda r: r.update(commit="x abcdef1"))),
        "no commit",
    ),
    "a date with more behind it": (
        lambda at: edit(at(SLOPES), record(lambda r: r.update(date="2026-11-26\n# x"))),
        "the record: date",
    ),
    "a campaign with more rounds": (
        lambda at: edit(at(BENCH), record(lambda r: r["results"][0]["rounds"][3].update(torn=-1))),
        "result 0, round 3: torn",
    ),
    "a campaign with markup": (
        lambda at: edit(at(BENCH), record(lambda r: r["results"][0]["rounds"][3].update(error="<b>"))),
        "result 0, round 3: error",
    ),
    "a torn cell": (
        lambda at: edit(at(LITMUS), record(lambda r: held(r).update(torn_within=5, verdict="FAIL"))),
        "root-freeze-scan: nothing may be torn",
    ),
    "no date": (lambda at: edit(at(SAMPLE), record(lambda r: r.update(date="yesterday-1-1"))), "is no date"),
    "a block that has gone": (lambda at: edit(at("README.md"), swap(BLOCK, "")), "README.md has no block readme"),
    "a block twice": (lambda at: edit(at("README.md"), swap(f"({BLOCK})", r"\1\n\1")), "twice"),
    "a block without its end": (
        lambda at: edit(at("README.md"), swap("<!-- figures:end -->", "")),
        "a block has no end",
    ),
    "a block that nobody writes": (
        lambda at: edit(at("README.md"), swap("figures:begin readme", "figures:begin speed")),
        "who writes the block speed",
    ),
    "a record that has gone": (lambda at: os.unlink(at(SAMPLE)), "is missing"),
    "a record of no block": (lambda at: shutil.copy(at(SAMPLE), at("docs/figures/x.json")), "no block is made of it"),
    "a picture": (
        lambda at: edit(at("docs/pictures/bench-icount-clear-stop.svg"), swap("<svg", "<svg ")),
        "is not what the records of bench say",
    ),
}


def said(text):
    return lambda r: r["figures"].update(said=[["id", text]])


# name: (of which record, what is changed in it, what is said)
TAKEN = {
    "as it is": (SAMPLE, lambda r: r.update(date="2026-11-27"), ""),
    "more signs that a terminal shows": (SAMPLE, said("a > b | c [d] `e`\nf"), ""),
    "markup behind the block": (SAMPLE, said("uid=0\n```\n<h1>owned</h1>\n[x](javascript:alert(1))"), "figures: said"),
    "the block's end": (SAMPLE, said("<!-- figures:end -->"), "figures: said"),
    "a terminal's escape": (SAMPLE, said("\x1b]0;x\a"), "figures: said"),
    "nothing said": (SAMPLE, lambda r: r["figures"].pop("said"), "figures: said"),
    "markup in the commit": (SAMPLE, lambda r: r.update(commit="abcdef1 <img src=x>"), "the record: commit"),
    "words in the commit": (SAMPLE, lambda r: r.update(commit="abcdef1 and more"), "no commit"),
    "words in the date": (SAMPLE, lambda r: r.update(date="2026-11-26 and more"), "no date"),
    "a month that is none": (SAMPLE, lambda r: r.update(date="2026-99-99"), "no date"),
    "an hour where a day is said": (SAMPLE, lambda r: r.update(date="2026-11-26 15:40 UTC"), "no date"),
    "parts that are none": (SAMPLE, lambda r: r.update(runs=5), "runs"),
    "a campaign's month that is none": (BENCH, lambda r: r["runs"][0].update(date="2026-99-99"), "no date"),
    "a torn cell of the litmus": (LITMUS, lambda r: held(r).update(torn_between=1), "nothing may be torn"),
    "markup in the machine": (SAMPLE, lambda r: r["machine"].update(emulator="QEMU <script>"), "machine: emulator"),
    "markup in a name": (SLOPES, lambda r: r["figures"].update({"<b>": 1}), "a field's name"),
    "a number that is none": (SLOPES, lambda r: r["figures"].update(pages=[[1, float("inf")]]), "figures: pages[0][1]"),
    "another run": (SLOPES, lambda r: r.update(run="\x1b[2J"), "not of these blocks"),
    "no run": (SLOPES, lambda r: r.update(run=["blackout-slopes"]), "not of these blocks"),
    "a campaign": (BENCH, lambda r: r["results"][0]["rounds"][0].update(torn=-1), "result 0, round 0: torn"),
    "runs of a campaign": (BENCH, lambda r: r.update(runs=3), "the document: runs"),
}


def taken(path, change):
    """What take() says of a record of somebody's, of which nothing is kept where it says something."""
    with tempfile.TemporaryDirectory(prefix="figures.") as top:
        kept, given = os.path.join(top, path), os.path.join(top, "given.json")
        os.makedirs(os.path.dirname(kept))
        shutil.copy(os.path.join(TOP, path), kept)
        with open(kept, encoding="utf-8") as f:
            before = f.read()
        made = json.loads(before)[0]
        change(made)
        with open(given, "w", encoding="utf-8") as f:
            json.dump(made, f)
        FIGURES.TOP = top
        try:
            FIGURES.take([os.path.basename(path).removesuffix(".json")], [given], False)
        except FIGURES.Wrong as why:
            with open(kept, encoding="utf-8") as f:
                return str(why) if f.read() == before else "something was kept"
        return ""


def unwritten():
    """A record of which no block can be made: said, and what was kept before is there again."""
    with tempfile.TemporaryDirectory(prefix="figures.") as top:
        shutil.copy(os.path.join(TOP, "README.md"), top)
        shutil.copytree(os.path.join(TOP, "docs"), os.path.join(top, "docs"))
        FIGURES.TOP, given, said = top, os.path.join(top, "given.json"), io.StringIO()
        with open(os.path.join(top, SAMPLE), encoding="utf-8") as f:
            before = f.read()
        made = json.loads(before)[0]
        made["machine"].pop("cpus")
        with open(given, "w", encoding="utf-8") as f:
            json.dump(made, f)
        kept, sys.argv = sys.argv, ["figures", "--write", "readme", "--from", given]
        try:
            with contextlib.redirect_stderr(said):
                code = FIGURES.main()
        finally:
            sys.argv = kept
        with open(os.path.join(top, SAMPLE), encoding="utf-8") as f:
            same = f.read() == before
    return code == 1 and same and "of the records of readme no block can be made" in said.getvalue()


def aged():
    """How old records are is said, and breaks nothing."""
    kept, FIGURES.history.since = FIGURES.history.since, lambda commit: 7
    try:
        code, said = tree(lambda at: None)
    finally:
        FIGURES.history.since = kept
    names = [f[: -len(".json")] for f in os.listdir(os.path.join(TOP, "docs/figures"))]
    line = r"^figures: docs/figures/{}\.json is of .*: 7 commits have changed the core since$"
    return code == 0 and all(re.search(line.format(name), said, re.M) for name in names)


def main():
    wrong, blocks = 0, FIGURES.pages.BLOCKS
    blocks["bench"] = blocks["bench"]._replace(render=once(blocks["bench"].render))
    for name, (change, wanted) in CASES.items():
        code, said = tree(change)
        if code != (1 if wanted else 0) or wanted not in said:
            wrong += 1
            print(f"{name}: ended with {code}: {said}")
    for name, (path, change, wanted) in TAKEN.items():
        said = taken(path, change)
        if wanted not in said or bool(said) != bool(wanted) or not (said.isprintable() and said.isascii()):
            wrong += 1
            print(f"taken, {name}: {ascii(said)}")
    for name, good in (("a record of which nothing can be made", unwritten()), ("records grow old", aged())):
        if not good:
            wrong += 1
            print(f"{name}: not as it must be")
    of = len(CASES) + len(TAKEN) + 2
    print(f"{of - wrong} of {of} cases of scripts/figures judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
