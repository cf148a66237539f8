#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/campaign: the laws of merging on documents drawn at random, in every order and bracketing, byte for byte;
shards that are one run; what must be refused; and what a unit of "rounds" is drawn from."""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "tests/bench"), os.path.join(TOP, "tests/vm")]

import campaign  # noqa: E402
import campaign_rounds  # noqa: E402

SEEDS = 40


class Given:
    def __init__(self, units, part, seed=3):
        self.units, self.shard, self.seed = units, part, seed


def work(unit, seed=3):
    rng = campaign.rng("test", seed, unit)
    if rng.random() < 0.2:
        return {"unit": unit, "failed": "it did not boot"}
    return {"unit": unit, "values": [rng.random() for _ in range(3)], "torn": rng.randrange(2)}


def shard(units, part):
    return campaign.document("test", Given(units, part), {"cpus": 2}, [work(u) for u in campaign.mine(units, part)])


def some(rng, units):
    """Any part of the run, by whoever: parts may overlap."""
    document = shard(units, (1, 1))
    document["results"] = [r for r in document["results"] if rng.random() < 0.4]
    document["runs"] = [{"commit": "c%d" % rng.randrange(3), "date": "2026-11-26", "shard": "1/1"}]
    return document


def same(*documents):
    return len({json.dumps(d, sort_keys=True) for d in documents}) == 1


def laws(seed):
    rng = random.Random(seed)
    parts = [some(rng, 1 + seed) for _ in range(4)]
    a, b, c, d = parts
    m = campaign.merge
    ways = [m(*order) for order in itertools.permutations(parts)]
    ways += [m(m(a, b), m(c, d)), m(a, m(b, m(c, d))), m(m(m(a, b), c), d), m(m(d, a), m(c, b)), m(a, m(a, b), c, d, c)]
    return same(*ways) and same(m(a, a), m(a)) and same(m(m(a)), m(a))


def shards(n):
    units = 17
    whole = shard(units, (1, 1))
    parts = [shard(units, (i, n)) for i in range(1, n + 1)]
    random.Random(n).shuffle(parts)
    merged = campaign.merge(*parts)
    numbers = sorted(u for p in parts for u in (r["unit"] for r in p["results"]))
    return merged["results"] == whole["results"] and numbers == list(range(units))


def refused(change):
    a = shard(9, (1, 3))
    try:
        campaign.merge(a, change(json.loads(json.dumps(shard(9, (2, 3))))))
    except campaign.Unlike:
        return True
    return False


def set_to(key, value):
    return lambda d: {**d, key: value}


def another_result(d):
    return {**d, "results": [{**work(0), "torn": 9}]}


def command(*words):
    return subprocess.run([os.path.join(TOP, "scripts/campaign"), *words], capture_output=True, text=True)


def files():
    """The command: three shards, merged in two steps, are one run; a shard that is missing is named."""
    with tempfile.TemporaryDirectory() as folder:
        at = [os.path.join(folder, f"{i}.json") for i in range(3)]
        for i, path in enumerate(at):
            campaign.write(path, shard(9, (i + 1, 3)))
        two, all_ = os.path.join(folder, "two.json"), os.path.join(folder, "all.json")
        part = command("merge", at[2], at[0], "-o", two)
        left = command("missing", two)
        whole = command("merge", two, at[1], "-o", all_)
        done = command("missing", all_)
        good = [part.returncode, left.returncode, left.stdout, whole.returncode, done.returncode, done.stdout]
        printed = json.loads(command("merge", at[1], two).stdout)
        return good == [0, 1, "1 4 7\n", 0, 0, "none\n"] and (
            campaign.read(all_)["results"] == shard(9, (1, 1))["results"] and same(printed, campaign.read(all_))
        )


def hostile(change):
    """A document of somebody else's is refused in words that do nothing to a terminal."""
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, "a.json")
        campaign.write(at, change(shard(9, (1, 1))))
        done = [command("merge", at, "-o", os.path.join(folder, "b.json")), command("missing", at)]
        return all(d.returncode == 1 and "Traceback" not in d.stderr and "\x1b" not in d.stderr for d in done)


def no_file():
    """What is not there is named, and is no traceback."""
    done = [command("merge", "/nonexistent/x"), command("missing", "/nonexistent/x"), command("merge", TOP)]
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, "a.json")
        campaign.write(at, shard(9, (1, 1)))
        done.append(command("merge", at, "-o", "/nonexistent/x"))
    named = all(d.stderr == "campaign: /nonexistent/x: no such file\n" for d in (*done[:2], done[3]))
    return named and all(d.returncode == 2 and "Traceback" not in d.stderr for d in done)


def judged(document, code, *words):
    """Does `judge` end so, and say that?"""
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, "a.json")
        campaign.write(at, document)
        done = command("judge", at)
    said = done.stdout + done.stderr
    return done.returncode == code and all(w in said for w in words) and "Traceback" not in said and "\x1b" not in said


def judge_rounds():
    """A file of rounds is told as `run` tells it; what is torn, failed or missing is not good."""
    base = {"cpus": 1, "cmdline": "", "rounds": 50, "retries": 1, "memory": 0, "load_failures": False, "torn": 0}
    failed = {"unit": 2, "cpus": 1, "cmdline": "", "torn": 1, "failed": "\x1b]0;x\x07"}
    def document(*results):
        return campaign.document("rounds", Given(3, (1, 1)), {}, list(results))
    three = [{**base, "unit": unit} for unit in range(3)]
    return (
        judged(document(*three), 0, "3 of 3 units, 150 rounds, torn 0, 0 failed", "below 0.01 of flips")
        and judged(document(*three[:2]), 1, "2 of 3 units", "1 units are missing")
        and judged(document(*three[:2], failed), 1, "torn 1, 1 failed")
        and judged(document(*three[:2], {**three[2], "memory": -4096}), 1, "memory -4096")
        and judged(campaign.document("rounds", Given(0, (1, 1)), {}, []), 1, "0 of 0 units")
    )  # fmt: skip


def judge_bench():
    """The same of ways to patch: three boots that were recorded, and what they could not say unnoticed."""
    whole = campaign.read(os.path.join(TOP, "tests/bench/recorded/one-run.json"))
    def but(change):
        document = json.loads(json.dumps(whole))
        change(document["results"])
        return document
    leaf = next(i for i, r in enumerate(whole["results"][0]["rounds"]) if r["arm"] == "leaf-strict" and not r["error"])
    def gone(results):
        results[1] = {"unit": results[1]["unit"], "cmdline": "", "failed": "torn\x1b", "rounds": results[1]["rounds"]}
    return (
        judged(whole, 0, "3 of 3 boots, 0 failed", "held: no boot failed")
        and judged(but(lambda results: results.pop()), 1, "1 units are missing")
        and judged(but(lambda results: results[0]["rounds"][leaf].update(torn=2)), 1, "MISSED: leaf-strict: torn 2")
        and judged(but(lambda results: results[0]["rounds"][leaf].update(first_new=-1)), 1, "nobody saw the new: 1 of")
        and judged(but(gone), 1, "MISSED: boot 1 failed: torn?")
    )  # fmt: skip


def rounds_help():
    """It says by which command it is called, what it is for, and a word of each option."""
    done = command("run", "rounds", "--help")
    words = ("usage: scripts/campaign run rounds ", "under load", "another seed", "guests at the same time")
    return done.returncode == 0 and all(word in done.stdout for word in words)


def draws():
    """The same unit is the same boot, whoever runs it; and not all are alike."""
    boots = [campaign_rounds.drawn(1, u) for u in range(30)]
    return (
        boots == [campaign_rounds.drawn(1, u) for u in range(30)]
        and len({json.dumps(b) for b in boots}) > 5
        and boots != [campaign_rounds.drawn(2, u) for u in range(30)]
    )


def summaries():
    """Nothing of a failure is lost in the summary, and no bound is given where something was torn."""
    base = {"cpus": 1, "cmdline": "", "rounds": 50, "retries": 1, "memory": 0, "load_failures": False}
    def document(*results):
        return campaign.document("rounds", Given(3, (1, 1)), {}, list(results))
    well = document({"unit": 0, "torn": 0, **base}, {"unit": 1, "torn": 0, **base})
    torn = document({"unit": 0, "torn": 0, **base}, {"unit": 1, "torn": 1, "cpus": 1, "cmdline": "", "failed": "x"})
    leak = document({"unit": 0, "torn": 0, **base, "memory": -4096})
    said = campaign_rounds.summary(well), campaign_rounds.summary(torn)
    return (
        "100 rounds, torn 0, 0 failed" in said[0] and "below 0.015" in said[0] and campaign_rounds.good(well)
        and "50 rounds, torn 1, 1 failed" in said[1] and "below" not in said[1] and not campaign_rounds.good(torn)
        and not campaign_rounds.good(leak)
    )  # fmt: skip


def rounds_of(result, setup):
    return campaign.document("rounds", Given(3, (1, 1)), setup, [result])


def rounds_refused(**fields):
    """A unit of "rounds" whose numbers are none is not summed, and the refusal says which field."""
    well = {"unit": 0, "cpus": 2, "cmdline": "pti=on", "torn": 0, "rounds": 50, "retries": 1, "memory": -4096}
    well["load_failures"] = False
    setup = {"kernel": "linux", "rounds": 50, "leaf": "prctl-auxv", "emulator": "qemu"}
    wrong = rounds_of({**well, **fields}, setup)
    try:
        campaign_rounds.summary(wrong)
    except campaign.Unlike as why:
        named = f"result 0: {list(fields)[0]}" in str(why)
        return named and campaign.flaw(rounds_of(well, setup)) is None and hostile(lambda _: wrong)
    return False


class Ends:
    """Guests whose boots end as told: what is raised, or None; and what their consoles have."""

    def __init__(self, *told, console=""):
        self.told, self.text, self.kept = list(told), console, 0

    def __call__(self, *_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def console(self):
        return self.text

    def keep_first(self):
        self.kept += 1

    def wait_ready(self):
        if why := self.told.pop(0):
            raise why


def made_again(*told, **how):
    """The record of a unit of rounds whose boots end so, and how many boots' logs were set aside."""
    kept = campaign_rounds.Guest, campaign_rounds.boot
    guests = Ends(*told, **how)
    campaign_rounds.Guest, campaign_rounds.boot = guests, lambda _: {"rounds": 50}
    try:
        return campaign_rounds.unit(3, 0), guests.kept
    finally:
        campaign_rounds.Guest, campaign_rounds.boot = kept


def boots_again():
    reset, other = campaign_rounds.EmulatorDefect("a reset", "ffff0"), campaign_rounds.Failure("a hang")
    stale = campaign_rounds.EmulatorDefect("an Oops")
    once, twice = made_again(reset, None), made_again(reset, reset)
    return (
        once[0].get("again") == 1 and once[0]["reset"] == "ffff0" and "failed" not in once[0] and once[1] == 1
        and made_again(None)[0].keys().isdisjoint(("again", "reset")) and "reset" not in made_again(stale, None)[0]
        and twice[0]["failed"] == "a reset" and made_again(other, None)[0]["failed"] == "a hang"
    )  # fmt: skip


def torn_before():
    """What a boot has torn is not lost, whatever ends it; a script that was cut off has told it on the console."""
    reset = campaign_rounds.EmulatorDefect("a reset")
    seen = [
        made_again(reset, None, console="x\nround 3, applied: x -> VULNERABLE\n"),
        made_again(reset, None, console="round 3, not applied: x -> FIXED\n"),
        made_again(campaign_rounds.Failure("`...` ended with 1:\nround 3, reverted: x -> FIXED")),
    ]
    return all(record["torn"] == 1 and "failed" in record and not kept for record, kept in seen)


def often():
    """A share of boots that the emulator is not to be blamed for makes the whole bad, though no unit is."""
    well = {"cpus": 2, "cmdline": "", "torn": 0, "rounds": 50, "retries": 1, "memory": 0, "load_failures": False}

    def of(units, n):
        results = [{"unit": u, **well, **({"again": 1, "reset": "f0"} if u < n else {})} for u in range(units)]
        document = campaign.document("rounds", Given(units, (1, 1)), {}, results)
        return campaign_rounds.good(document), "too many" in campaign_rounds.summary(document)

    few, many = (True, False), (False, True)
    return [of(4, 3), of(4, 4), of(200, 10), of(200, 11)] == [few, many, few, many]


def main():
    cases = {
        "the laws, on random parts": all(laws(seed) for seed in range(SEEDS)),
        "n shards are one run": all(shards(n) for n in (1, 2, 3, 5, 17, 20)),
        "another seed": refused(set_to("seed", 4)),
        "another number of units": refused(set_to("units", 10)),
        "another setup": refused(set_to("setup", {"cpus": 4})),
        "another campaign": refused(set_to("campaign", "other")),
        "another schema": refused(set_to("schema", "x")),
        "a unit with two results": refused(another_result),
        "nothing wrong": not refused(lambda d: d),
        "a boot that the emulator ended, once more and no oftener": boots_again(),
        "a torn flip before the emulator's end": torn_before(),
        "more boots made again than are the emulator's": often(),
        "a place of a reset that is none": rounds_refused(reset="<script>"),
        "the command": files(),
        "units that steer the terminal": hostile(set_to("units", "\x1b]0;x\a")),
        "more units than memory": hostile(set_to("units", 10**12)),
        "results that are none": hostile(set_to("results", [{"unit": []}])),
        "a result of no unit": hostile(set_to("results", [{"unit": 9}])),
        "a run that is none": hostile(set_to("runs", [{"commit": "<script>", "date": "", "shard": ""}])),
        "a unit that takes another's torn away": rounds_refused(torn=-1),
        "more rounds than a unit has": rounds_refused(rounds=10**9),
        "less than no rounds": rounds_refused(rounds=-50),
        "fewer rounds than a unit has": rounds_refused(rounds=49),
        "more torn flips than there were": rounds_refused(torn=101),
        "retries that are text": rounds_refused(retries="\x1b[2J"),
        "memory that is no number": rounds_refused(memory=float("nan")),
        "a command line that steers the terminal": rounds_refused(cmdline="\x1b[2J"),
        "a unit that is there twice": hostile(lambda d: {**d, "results": d["results"] * 2}),
        "a text in a list": hostile(set_to("results", [{"unit": 0, "values": ["<script>"]}])),
        "no document": hostile(lambda d: [d]),
        "a command that is none": command("fly").returncode == 2 and command("merge").returncode == 2,
        "a file that is none": no_file() and command("judge", "/nonexistent/x").returncode == 2,
        "a merged file of rounds, judged": judge_rounds(),
        "a merged file of ways to patch, judged": judge_bench(),
        "what nobody can judge": judged(shard(9, (1, 1)), 1, "nobody knows what is good"),
        "a shard of nobody knows how many": all(
            d.returncode == 2 and "--units" in d.stderr
            for d in (command("run", "rounds", "--shard", "1/3"), command("run", "rounds", "--shard=1/3"))
        ),
        "the help of rounds": rounds_help(),
        "what a unit is drawn from": draws(),
        "what is said of a campaign": summaries(),
    }
    wrong = [name for name, good in cases.items() if not good]
    for name in wrong:
        print(f"not so: {name}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} cases of scripts/campaign judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
