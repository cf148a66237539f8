# SPDX-License-Identifier: Apache-2.0
"""Is a journal (lines of newleaf.log/1) one that probation.pml and orders.pml allow? What it says of each leaf, and of
orders, becomes a constraint on the model's, and Spin looks for a way through all of it: over resets, since the journal
outlives them."""

import json
import os
import re
import subprocess
import tempfile

import replay
import spin

# What happens to a leaf, and (the first four as in orders.pml) to orders and what is on.
LEAF = "put_on put_off taken_back confirmed stops released kernel written time_came boot".split()
ORDERS = "sync freeze stop release ended own agents standing back reset".split()
REVERTED = 3  # enum nl_leaf_condition
GOES_ON = 1  # enum nl_journal_past
NOW, FREEZE, RELEASE, STOP, CONFIRM, ANY = 1, 4, 5, 6, 7, 2**64 - 1  # of an order
VERBS = {FREEZE: "freeze", RELEASE: "release", STOP: "stop"}
MOST, MOST_ORDERS, LIMIT = 1024, 60, 60  # events (told.pml), orders (orders.pml), seconds of a search


class Unfit(Exception):
    """What was given is no journal, or does not hang together."""


def read(path):
    """Its entries, in their order."""
    try:
        with open(path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.strip()]
    except ValueError as e:
        raise Unfit(f"no JSON: {e}") from e
    if not entries or any(not isinstance(e, dict) or e.get("schema") != "newleaf.log/1" for e in entries):
        raise Unfit("no newleaf.log/1")
    for one, other in zip(entries, entries[1:]):
        if other["seq"] != one["seq"] + 1:
            raise Unfit(f"an entry is missing: {one['seq'] + 1}")
    return entries


def number(entry, name):
    return int(entry[name], 16)


def known(entries):
    """From where on what is on is known: a boot. What was locked out before it may not be: more is a trace then."""
    boots = [i for i, e in enumerate(entries) if e["event"] == "boot"]
    fresh = [i for i in boots if number(entries[i], "b") != GOES_ON]
    return (fresh[-1:] + boots[:1] + [len(entries)])[0]


class Leaves:
    """What happens to each leaf: (event, entry) in their order, by its hash."""

    def __init__(self, entries, sets_clocks):
        self.sets_clocks = sets_clocks
        self.entries = entries[known(entries) :]
        self.leaves = {e["sha256"]: [] for e in self.entries if e["event"] in ("trial", "applied")}
        self.until = {}  # of a leaf on trial
        self.follows = {}  # leaf: the event that the same commit must have of it
        self.stopped = False
        for i, entry in enumerate(self.entries):
            self._time(i, entry)
            getattr(self, "_" + entry["event"], self._other)(i, entry)
        if self.follows:
            raise Unfit("what a trial belongs to is missing at its end")

    def _say(self, event, entry, leaf=None):
        for each in [leaf] if leaf else self.leaves:
            self.leaves[each].append((event, entry))

    def _time(self, i, entry):
        if i and entry["event"] != "boot" and entry["tsc"] < self.entries[i - 1]["tsc"]:
            self._say("written", entry)
            self.until.clear()
        for leaf in [leaf for leaf, until in self.until.items() if entry["tsc"] >= until and entry["event"] != "boot"]:
            self._say("time_came", entry, leaf)
            del self.until[leaf]

    def _other(self, i, entry):
        if self.follows:
            raise Unfit(f"what a trial belongs to is missing before {tell(entry)}")

    def _boot(self, i, entry):
        self._other(i, entry)
        if i:
            self._say("boot", entry)
        self.until.clear()
        self.stopped = False

    def _trial(self, i, entry):
        leaf, until = entry["sha256"], number(entry, "b")
        gone = number(entry, "a") == REVERTED
        if entry["code"] != "NL_OK":
            if self.sets_clocks and leaf in self.until:
                self._say("written", entry, leaf)
            self._say("taken_back", entry, leaf)
        elif until:
            self._say("put_on", entry, leaf)
        else:
            self._say("put_off" if gone else "confirmed", entry, leaf)
        self.until.pop(leaf, None)
        if entry["code"] == "NL_OK" and until:
            self.until[leaf] = until
        if until or gone:
            self.follows[leaf] = "reverted" if gone else "applied"

    def _applied(self, i, entry):
        if self.follows.pop(entry["sha256"], "applied") != "applied":
            raise Unfit(f"no trial of {tell(entry)}")
        if i and (self.entries[i - 1]["event"], self.entries[i - 1]["sha256"]) == ("trial", entry["sha256"]):
            return
        self._say("put_on", entry, entry["sha256"])
        self._say("confirmed", entry, entry["sha256"])  # it never was on trial

    def _reverted(self, i, entry):
        leaf = entry["sha256"]
        if leaf not in self.leaves or self.follows.pop(leaf, None):
            return
        behind = next((e["event"] for e in self.entries[i:] if e["event"] not in ("trial", "applied", "reverted")), "")
        self._say("put_off" if behind == "commit" else "kernel", entry, leaf)
        self.until.pop(leaf, None)

    def _order(self, i, entry):
        self._other(i, entry)
        what, kind = number(entry, "a") & 0xFFFFFFFF, number(entry, "a") >> 32
        if entry["code"] != "NL_OK" or kind != NOW or what not in (RELEASE, STOP) or self.stopped == (what == STOP):
            return
        self.stopped = what == STOP
        self._say("stops" if self.stopped else "released", entry)


class Orders:
    """What happens to orders, and to what is on: (event, entry) in their order. own: of which generations of the last
    boot the commit was the core's own, True or False."""

    def __init__(self, entries, own):
        self.events, self.waiting = [], None
        first, last = known(entries), [i for i, e in enumerate(entries) if e["event"] == "boot"][-1:]
        standing, back = False, False
        for i, entry in enumerate(entries[first:], first):
            event = entry["event"]
            if event == "boot":
                standing, self.waiting = False, None
                if i > first:
                    self._say("reset", entry)
            elif event == "order":
                standing |= number(entry, "a") >> 32 != NOW and entry["code"] == "NL_OK"
                self._order(entry)
            elif event == "trial":
                back |= entry["code"] != "NL_OK"
            elif event == "commit":
                self._commit(entry, own.get(entry["generation"]) if last and i > last[0] else None, standing, back)
                back = False

    def _say(self, event, entry):
        self.events.append((event, entry))

    def _order(self, entry):
        what, kind = number(entry, "a") & 0xFFFFFFFF, number(entry, "a") >> 32
        if entry["code"] == "NL_OK" and kind == NOW and what != CONFIRM:
            if number(entry, "b") not in (ANY, entry["generation"]):
                raise Unfit(f"accepted for another generation: {tell(entry)}")
            self._say(VERBS.get(what, "sync"), entry)
            self.waiting = entry["sha256"]
        elif entry["code"] != "NL_OK" and entry["sha256"] and entry["sha256"] == self.waiting:
            self._say("ended", entry)

    def _commit(self, entry, own, standing, back):
        if own is None:
            self._say("back" if back else "standing" if standing else "agents", entry)
        elif own:
            self._say("back" if back else "standing" if standing else "own", entry)
        else:
            self._say("agents", entry)


def own_commits(path):
    """Of the timeline kept with a journal: of which generation's commit PREPARE says that it was the core's."""
    try:
        events, _ = replay.read(path.removesuffix("log") + "json")
    except (OSError, replay.Unfit):
        return {}
    by, own = {}, {}
    for event in events:
        if event["step"] in ("prepare", replay.OWN):
            by[event["transaction"]] = event["step"] == replay.OWN
        if event["step"] == "settle" and event["transaction"] in by:
            own[event["value"]] = by[event["transaction"]]
    return own


def tell(entry):
    return f"{entry['event']} (seq {entry['seq']}{', ' + entry['id'] if entry['id'] else ''})"


def names(events):
    return "".join(f"#define EV_{name.upper()} {n}\n" for n, name in enumerate(events, 1))


def checker(model, events):
    def declare(where):
        with open(os.path.join(where, "told_events.pml"), "w", encoding="utf-8") as file:
            file.write(names(events))

    return spin.cached(f"told-{model}", names(events), declare, model, ["TOLD"])


def search(pan, numbers):
    """How many events can follow each other; None: all."""
    with tempfile.TemporaryDirectory(prefix="told.") as where:
        with open(os.path.join(where, "told"), "w", encoding="utf-8") as file:
            file.write("\n".join(map(str, [len(numbers), *numbers])) + "\n")
        done = subprocess.run(
            [pan, "-n", "-E", "-m1000000", "-w20"],
            cwd=where,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    if "assertion violated (told<" in done.stdout:
        return None
    if "pan:1:" in done.stdout or "errors: 0" not in done.stdout or "too small" in done.stdout:
        raise RuntimeError(done.stdout)
    return max([int(x) for x in re.findall(r"^event (\d+)$", done.stdout, re.M)], default=0)


def refusal(model, kinds, events):
    """The first event that cannot follow, and how many were before it; None."""
    numbers = [kinds.index(name) + 1 for name, _ in events]
    reached = search(checker(model, kinds), numbers) if events else None
    if reached is None:
        return None
    name, entry = events[reached]
    return f"{name} by {tell(entry)} cannot follow {reached} events of {model}.pml"


def judge(path, sets_clocks=False):
    """(accepted, what is said). sets_clocks: the guest does, on CPUs by which no entry may have been written."""
    try:
        entries = read(path)
        leaves = Leaves(entries, sets_clocks).leaves
        orders = Orders(entries, own_commits(path)).events
    except (KeyError, TypeError, ValueError) as e:
        return False, f"no journal: {e!r}"
    except Unfit as e:
        return False, str(e)
    if sum(name in ORDERS[:4] for name, _ in orders) > MOST_ORDERS or max(map(len, [orders, *leaves.values()])) > MOST:
        return False, f"more than {MOST} events or {MOST_ORDERS} orders"
    for model, kinds, events in [*(("probation", LEAF, e) for e in leaves.values()), ("orders", ORDERS, orders)]:
        said = refusal(model, kinds, events)
        if said:
            return False, f"no trace of the model: {said}"
    told = len(orders) + sum(map(len, leaves.values()))
    return True, f"a trace of the model: {told} events of orders and {len(leaves)} leaves"
