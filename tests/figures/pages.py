# SPDX-License-Identifier: Apache-2.0
"""Which blocks of figures README and docs/ have, of which runs' records, and what stands in each. scripts/figures puts
them into the pages."""

import collections
import importlib.machinery
import importlib.util
import json
import os
import shutil
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path[:0] = [os.path.join(TOP, "tests", "bench")]

import blackout  # noqa: E402
import hold  # noqa: E402
from words import came_from  # noqa: E402

Run = collections.namedtuple("Run", "command file")  # file: below build/
Block = collections.namedtuple("Block", "page runs render some", defaults=(False,))  # some: not all runs need be there

CAMPAIGNS = ("bench-icount", "bench-smp", "bench-ends")


def test_run(name):
    return Run(f"scripts/test {name}", f"figures/{name}.json")


TESTS = ("readme-sample", "blackout-agrees", "blackout-pieces", "blackout-slopes", "stop-bochs-2")
RUNS = {name: test_run(name) for name in TESTS}
for mode, how in (("icount", ""), ("smp", ""), ("ends", " --units 3")):
    needed = "make -s build/bench/work build/bench/steady.efi"
    RUNS["bench-" + mode] = Run(f"{needed} && python3 tests/bench/bench.py {mode} --jobs 2{how}", f"bench/{mode}.json")
RUNS["litmus"] = Run("tests/instrument/litmus --full qemu 2", "instrument/litmus-qemu-2.json")


def run_of(record):
    """Of which run a file says that it is."""
    if record.get("schema") == "newleaf.litmus/1":
        return "litmus"
    return record.get("run") or record.get("campaign")


# -- README --


def readme(records, _):
    (record,) = records["readme-sample"]
    lines = []
    for command, out in record["figures"]["said"]:
        lines += [f"# {command}", out]
    return f"What it looks like inside the guest ({came_from(record)}):\n```\n" + "\n".join(lines) + "\n```"


# -- litmus --

LITMUS = "tests/instrument/litmus"


def program(path):
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path), os.path.join(TOP, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def litmus(records, directory):
    made = program(LITMUS)
    drawn = [r for r in records["litmus"] if r.get("lines")]
    if drawn:  # of the run with the most CPUs
        with open(os.path.join(directory, "litmus.svg"), "w", encoding="utf-8") as f:
            f.write(made.svg(max(drawn, key=lambda r: int(r["machine"].split(" CPU")[0].split()[-1]))))
    return made.table(records["litmus"])


# -- bench --


def bench(records, directory):
    import report

    with open(os.path.join(TOP, "tests/bench/thresholds.json"), encoding="utf-8") as f:
        thresholds = json.load(f)
    documents = [record for name in CAMPAIGNS for record in records.get(name, ())]
    text = "\n".join(report.section(d, thresholds) for d in documents)
    for path in (path for d in documents for path in report.figures(d, directory)):
        name = os.path.basename(path)
        if name in report.SHOWN:
            shutil.move(path, os.path.join(directory, "bench-" + name))
            text += f"\n![bench-{name.removesuffix('.svg')}](../pictures/bench-{name})\n"
        else:
            os.unlink(path)
    return text


PAGE = "docs/explanation/blackout.md"
BLOCKS = {
    "readme": Block("README.md", ["readme-sample"], readme),
    "blackout-agrees": Block(PAGE, ["blackout-agrees"], blackout.agrees),
    "blackout-pieces": Block(PAGE, ["blackout-pieces"], blackout.pieces),
    "blackout-slopes": Block(PAGE, ["blackout-slopes"], blackout.slopes),
    "blackout-long": Block(PAGE, ["blackout-pieces", "blackout-slopes"], blackout.not_short),
    "hold": Block("docs/explanation/bench.md", ["stop-bochs-2"], hold.beside_stop),
    "litmus": Block("docs/explanation/litmus.md", ["litmus"], litmus),
    "bench": Block("docs/explanation/bench.md", list(CAMPAIGNS), bench, True),
}
