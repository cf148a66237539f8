#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Campaigns: a number of independent units (a boot, a trial), any of which a shard can run, and files that merge. What
a unit does depends on the campaign's name, the seed and its number alone, so three shards do together what one run
does. `campaign.py merge A.json B.json ... -o ALL.json`. Merging is associative and commutative, and a file merged with
itself is itself; what is computed from results is never stored."""

import argparse
import functools
import hashlib
import json
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import shape  # noqa: E402

SCHEMA, SAME = shape.SCHEMA, shape.KEYS


class Unlike(Exception):
    """These files are not parts of one campaign."""


def rng(campaign, seed, unit):
    """The random numbers of a unit."""
    return random.Random(hashlib.sha256(f"{campaign}:{seed}:{unit}".encode()).digest())


def shard(text):
    """i/n as (i, n)."""
    i, _, n = text.partition("/")
    if not (i.isdigit() and n.isdigit() and 1 <= int(i) <= int(n)):
        raise argparse.ArgumentTypeError(f"{text} is no shard: i/n with 1 <= i <= n")
    return int(i), int(n)


def options(parser, units):
    """What each program that runs a campaign takes. It begins here: what is committed while it runs was not run."""
    begun()
    parser.add_argument("--seed", type=int, default=1, help="another seed, other units (default %(default)s)")
    parser.add_argument("--units", type=int, default=units, help="in all, over all shards (default %(default)s)")
    parser.add_argument("--shard", type=shard, default=(1, 1), metavar="i/n", help="every n-th unit, from the i-th on")
    parser.add_argument("--json", metavar="FILE", help="where the results go")


def mine(units, part):
    """The numbers of the units of a shard."""
    return list(range(part[0] - 1, units, part[1]))


@functools.cache
def begun():
    """Of which commit and when: as it was when this was first asked."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    return {"commit": done.stdout.strip() or "unknown", "date": time.strftime("%Y-%m-%d", time.gmtime())}


def document(campaign, given, setup, results):
    """The file of a shard."""
    made = {**begun(), "shard": "%d/%d" % given.shard}
    return {
        "schema": SCHEMA, "campaign": campaign, "seed": given.seed, "units": given.units, "setup": setup,
        "runs": [made], "results": sorted(results, key=lambda r: r["unit"]),
    }  # fmt: skip


def merge(first, *others):
    """One document of several."""
    for other in others:
        unlike = [key for key in SAME if first.get(key) != other.get(key)]
        if first.get("schema") != SCHEMA or unlike:
            raise Unlike(f"not parts of one campaign: {', '.join(unlike) or 'schema'} differs")
    results, runs = {}, {}
    for part in (first, *others):
        for run in part["runs"]:
            runs[json.dumps(run, sort_keys=True)] = run
        for result in part["results"]:
            if results.setdefault(result["unit"], result) != result:
                raise Unlike(f"unit {result['unit']} is there twice, with different results")
    return {
        **{key: first[key] for key in SAME},
        "runs": [runs[key] for key in sorted(runs)],
        "results": [results[unit] for unit in sorted(results)],
    }


def flaw(d):
    """What is wrong with what says that it is a campaign's document, or None. It may come from anybody's machine."""
    try:
        shape.check(d)
    except shape.Flaw as wrong:
        return str(wrong)
    except RecursionError:
        return "it is nested too deep"
    return None


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
    except (ValueError, RecursionError) as why:
        raise Unlike(f"{path} is no JSON: {why}") from None
    if wrong := flaw(document):
        raise Unlike(f"{path}: {wrong}")
    return document


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(prog="campaign.py")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("merge", help="one file of several shards")
    verb.add_argument("parts", nargs="+")
    verb.add_argument("-o", "--output", required=True)
    given = parser.parse_args()
    try:
        whole = merge(*[read(part) for part in given.parts])
    except Unlike as reason:
        print(f"campaign.py: {reason}", file=sys.stderr)
        return 1
    write(given.output, whole)
    print(f"{len(whole['results'])} of {whole['units']} units")
    return 0


if __name__ == "__main__":
    sys.exit(main())
