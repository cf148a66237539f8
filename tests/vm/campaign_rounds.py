#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The campaign "rounds": a unit is a boot of a stock kernel in which a leaf is put on and off ROUNDS times under load.
How the boot is (CPUs, preemption, page table isolation) is drawn by the unit. Torn is a reproducer that says other than
what was just done; 200 units are 10,000 rounds. Run by `scripts/campaign run rounds`."""

import argparse
import concurrent.futures
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "bench")]

import campaign  # noqa: E402
from command import FIXES, newleaf, rounds  # noqa: E402
from guest import EmulatorDefect, Failure, Guest, Machine, RUNNING, TORN  # noqa: E402

NAME, KERNEL, ROUNDS = "rounds", "linux-image-6.1.0-50-cloud-amd64", 50
WARM = 5  # rounds after which memory must not move any more
LEAF = FIXES[1]
# Boots that the emulator may end by a fault of its own: one in so many, but at least so many.
AGAIN_ONE_IN, AGAIN_LEAST = 20, 3


def drawn(seed, unit):
    """How the boot of a unit is."""
    rng = campaign.rng(NAME, seed, unit)
    words = [f"preempt={rng.choice(('none', 'voluntary', 'full'))}"]
    words += ["pti=on"] if rng.random() < 0.5 else []
    return {"cpus": rng.choice((1, 2, 2, 4)), "cmdline": " ".join(words)}


def free(g):
    return newleaf(g, "status")["memory"]["free_bytes"]


def boot(g):
    """What was seen in a boot."""
    g.run("load >/tmp/load.out 2>&1 & echo $! >/tmp/load.pid")
    first = rounds(g, LEAF, WARM, timeout=600)
    before = free(g)
    rest = rounds(g, LEAF, ROUNDS - WARM, timeout=1500)
    after = free(g)
    g.run("kill $(cat /tmp/load.pid); while [ -d /proc/$(cat /tmp/load.pid) ]; do usleep 50000; done")
    said = g.run("cat /tmp/load.out")
    g.check_dmesg()
    retries = sum(int(re.search(r"(\d+) retries", text)[1]) for text in (first, rest))
    return {"rounds": ROUNDS, "retries": retries, "memory": after - before, "load_failures": " 0 failures" not in said}


def unit(seed, number, first=None):
    """The record of a unit. A boot that ends otherwise is a record, too; a torn flip is not lost in it. One that the
    emulator ends by a fault of its own is made once more, and the record says so, and where the CPU was that was
    reset; the first one's logs are kept beside the others."""
    how = drawn(seed, number)
    g = Guest(f"rounds-{number}", Machine(kernel=KERNEL, settings=("console com1",), **how))
    again = {"again": 1, **({"reset": first.rip} if first.rip else {})} if first else {}
    try:
        with g:
            g.wait_ready()
            return {"unit": number, **how, "torn": 0, **boot(g), **again}
    except Failure as failure:
        why = str(failure)
        torn = max(len(TORN.findall(text)) for text in (why, g.console()))
        if isinstance(failure, EmulatorDefect) and not first and not torn:
            g.keep_first()
            return unit(seed, number, first=failure)
        return {"unit": number, **how, "torn": torn, "failed": why.splitlines()[0][:300]}


def too_often(results):
    """Were more boots made again than the emulator can be blamed for?"""
    return sum(r.get("again", 0) for r in results) > max(AGAIN_LEAST, len(results) // AGAIN_ONE_IN)


def summary(document):
    """Computed from results, each time anew."""
    if wrong := campaign.flaw(document):
        raise campaign.Unlike(wrong)
    results = document["results"]
    whole = [r for r in results if "failed" not in r]
    done = sum(r["rounds"] for r in whole)
    torn = sum(r["torn"] for r in results)
    text = f"{len(results)} of {document['units']} units, {done} rounds, torn {torn}, "
    text += f"{len(results) - len(whole)} failed"
    if whole:
        text += f", memory {min(r['memory'] for r in whole):+d}..{max(r['memory'] for r in whole):+d} bytes"
        text += f", {sum(r['retries'] for r in whole)} retries"
    if again := sum(r.get("again", 0) for r in whole):
        text += f", {again} boots made again for the emulator" + (": too many" if too_often(results) else "")
    if done and not torn:
        text += f"; a torn flip that this could have seen: below {3 / (2 * done):.2g} of flips (95 %)"
    return text


def good(document):
    bad = ("failed", "torn", "memory", "load_failures")
    results = document["results"]
    return not too_often(results) and not any(r.get(key) for r in results for key in bad)


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/campaign run rounds",
        description=f"Each unit boots a stock kernel and puts a leaf on and off {ROUNDS} times under load; CPUs, "
        "preemption and page table isolation are drawn by the unit. Torn is a reproducer that says other than what "
        "was just done. 200 units are 10,000 rounds. Exit: 0 nothing was torn, leaked or failed, and the emulator "
        f"ended few boots (one in {AGAIN_ONE_IN}, or {AGAIN_LEAST}); else 1.",
    )
    campaign.options(parser, 4)
    parser.add_argument("--jobs", type=int, default=2, help="guests at the same time (default %(default)s)")
    given = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        results = []
        for record in pool.map(lambda u: unit(given.seed, u), campaign.mine(given.units, given.shard)):
            print(f"unit {record['unit']}: {record.get('failed') or 'torn 0'}", flush=True)
            results.append(record)
    for guest in list(RUNNING):
        guest.close()
    setup = {"kernel": KERNEL, "rounds": ROUNDS, "leaf": LEAF, "emulator": "qemu"}
    document = campaign.document(NAME, given, setup, results)
    if given.json:
        campaign.write(given.json, document)
    print(summary(document))
    return 0 if good(document) else 1


if __name__ == "__main__":
    sys.exit(main())
