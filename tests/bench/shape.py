# SPDX-License-Identifier: Apache-2.0
"""What a campaign's document may hold. It may come from anybody's machine, and is summed, printed on a terminal, put
into pages and into names of files: so every number has its range and every text is a short name, or a Flaw says which
field is not so. What a failed unit or a command has said (FREE) is any text: of it no more is shown than shown()
lets through."""

import math
import re

SCHEMA = "newleaf.campaign/1"
KEYS = ("schema", "campaign", "seed", "units", "setup")  # by which files belong together
MOST = 1 << 20  # units
TOP = 1 << 62  # of what is counted or timed
FREE = ("failed", "said")
LONGEST, LONGEST_FREE = 200, 1 << 20
SIGNS = re.compile(r"[<>&|`\[\]\\]|[^ -~]")


class Flaw(Exception):
    """A field is not what it may be; says which."""


def plain(value):
    """Words that may stand in a page and on a terminal as they are, numbers, and what is made of these."""
    if isinstance(value, str):
        return not SIGNS.search(value)
    if isinstance(value, dict):
        return all(plain(key) and plain(v) for key, v in value.items())
    return not isinstance(value, list) or all(map(plain, value))


def shown(text):
    """The first line of such a text, as it may stand in a page and on a terminal."""
    return SIGNS.sub("?", next(iter(text.strip().splitlines()), "no reason given"))[:120]


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


# -- of what kind a field is: each gives the words for what it takes, and whether this is one --


def number(low, high):
    return f"a whole number from {low} to {high}", lambda v: whole(v) and low <= v <= high


def like(what, pattern):
    return what, lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None


COUNT, TIME, ERROR = number(0, TOP), number(-TOP, TOP), number(-1, 4095)
NAME = like("a short name", r"[A-Za-z0-9][A-Za-z0-9 ,._-]{0,47}")
WORDS = f"up to {LONGEST} plain characters", lambda v: isinstance(v, str) and len(v) <= LONGEST and plain(v)
TEXT = "a text", lambda v: isinstance(v, str) and len(v) <= LONGEST_FREE
LIST = "a list", lambda v: isinstance(v, list)
ADDRESS = like("an address", r"[0-9a-f]{1,16}")
FLAG = "true or false", lambda v: isinstance(v, bool)
DRAIN = "a list of [time, out or not]", lambda v: isinstance(v, list) and all(map(observed, v))


def observed(pair):
    return isinstance(pair, list) and len(pair) == 2 and TIME[1](pair[0]) and isinstance(pair[1], bool)


def need(where, value, kind):
    if not kind[1](value):
        raise Flaw(f"{where} is not {kind[0]}: {ascii(value)[:60]}")


def fields(where, value, must, may={}):
    """A dictionary with these fields, and perhaps those, and no others."""
    if not isinstance(value, dict):
        raise Flaw(f"{where} is no object: {ascii(value)[:60]}")
    for key in must.keys() - value.keys():
        raise Flaw(f"{where}: {key} is missing")
    for key, v in value.items():
        if key not in must and key not in may:
            raise Flaw(f"{where} has a field that is none of it: {ascii(key)[:60]}")
        need(f"{where}: {key}", v, must.get(key) or may[key])


def anything(where, value, free=FREE):
    """Of a campaign of no kind that is known here: names as above, and numbers that can be added."""
    if isinstance(value, dict):
        for key, v in value.items():
            need(f"{where}: a field's name", key, NAME)
            if key in free:
                need(f"{where}: {key}", v, TEXT)
            else:
                anything(f"{where}: {key}", v, free)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            anything(f"{where}[{i}]", v, free)
    elif isinstance(value, str):
        need(where, value, WORDS)
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= TOP):
        raise Flaw(f"{where} is no number up to {TOP}: {ascii(value)[:60]}")


# -- the campaigns --

ROUND = {
    "arm": NAME, "scenario": NAME, "error": ERROR, "error_off": ERROR, "refused": COUNT, "done": TIME, "known": TIME,
    "first_new": TIME, "last_old": TIME, "torn": COUNT, "backward": COUNT, "passes": COUNT, "gap": COUNT, "late": TIME,
    "calm": COUNT, "calm_ns": COUNT, "busy": COUNT,
}  # fmt: skip
ROUND_MAY = {"nap": COUNT, "split": COUNT, "drain": DRAIN, "said": TEXT}
BOOT = {"unit": COUNT, "cmdline": WORDS}
# again: rounds that were run again; discarded: those that were thrown away for it, and those of a whole boot that was.
BOOT_MAY = {"again": COUNT, "boots_again": COUNT, "discarded": LIST}
RUN = {"commit": NAME, "date": like("a date", r"\d{4}-\d\d-\d\d"), "shard": like("a shard", r"\d{1,7}/\d{1,7}")}
LOADED = {"unit": COUNT, "cpus": number(1, 1024), "cmdline": WORDS, "torn": COUNT}


def bench_setup(d):
    setup = d["setup"]
    for key in ("kernel", "emulator"):
        need(f"setup: {key}", setup.get(key), WORDS)
    mode = setup.get("mode")
    if not isinstance(mode, dict):
        raise Flaw("setup: mode is missing")
    need("setup: mode: name", mode.get("name"), like("the campaign's", re.escape(d["campaign"].partition("-")[2])))
    for key in ("cpus", "rounds", "timer"):
        need(f"setup: mode: {key}", mode.get(key), COUNT)


def bench_result(_, where, result):
    if "failed" in result:
        fields(where, result, {**BOOT, "failed": TEXT}, {**BOOT_MAY, "rounds": LIST})
    else:
        base = like("an address", r"[0-9a-f]{1,16}")
        fields(where, result, {**BOOT, "base": base, "rounds": LIST}, BOOT_MAY)
    for key, name in (("rounds", "round"), ("discarded", "discarded")):
        for i, r in enumerate(result.get(key, ())):
            fields(f"{where}, {name} {i}", r, ROUND, ROUND_MAY)


def rounds_setup(d):
    if "rounds" in d["setup"]:
        need("setup: rounds", d["setup"]["rounds"], COUNT)


def rounds_result(d, where, result):
    """Whoever says that he has done more rounds than a unit has makes the bound smaller than it is; who says fewer has
    not run the unit. A round is two flips."""
    done = d["setup"].get("rounds")
    loaded = {**LOADED, "torn": number(0, TOP if done is None else 2 * done)}
    if "failed" in result:
        return fields(where, result, {**loaded, "failed": TEXT})
    counted = {"rounds": number(0, MOST) if done is None else number(done, done), "retries": COUNT, "memory": TIME}
    fields(where, result, {**loaded, **counted, "load_failures": FLAG}, {"again": number(0, 1), "reset": ADDRESS})


def kind_of(name):
    """(look at the setup, look at a result)"""
    if name in ("bench-icount", "bench-smp", "bench-ends"):
        return bench_setup, bench_result
    if name == "rounds":
        return rounds_setup, rounds_result
    return lambda _: None, lambda _, where, result: anything(where, result)


def check(d):
    """Raises Flaw."""
    if not isinstance(d, dict) or d.get("schema") != SCHEMA:
        raise Flaw(f"the schema is not {SCHEMA}")
    lists = {key: LIST for key in ("runs", "results")}
    setup = "an object", lambda v: isinstance(v, dict)
    top = {"schema": WORDS, "campaign": NAME, "seed": TIME, "units": number(0, MOST), "setup": setup}
    fields("the document", d, {**top, **lists})
    anything("setup", d["setup"])
    for i, run in enumerate(d["runs"]):
        fields(f"run {i}", run, RUN)
    look_setup, look_result = kind_of(d["campaign"])
    look_setup(d)
    seen = set()
    for i, result in enumerate(d["results"]):
        where = f"result {i}"
        need(f"{where}: unit", result.get("unit") if isinstance(result, dict) else result, number(0, d["units"] - 1))
        if result["unit"] in seen:
            raise Flaw(f"{where}: unit {result['unit']} is there twice")
        seen.add(result["unit"])
        look_result(d, where, result)
