# SPDX-License-Identifier: Apache-2.0
"""Is a timeline (newleaf.timeline/1) one that freeze.pml allows? Its steps become a constraint on the model's, and Spin
looks for a way through all of them."""

import functools
import json
import os
import re
import subprocess
import tempfile

import spin

STEPS_H = os.path.join(spin.TOP, "include/newleaf/steps.h")
ERRORS_H = os.path.join(spin.TOP, "include/newleaf/errors.h")
CALLS_H = os.path.join(spin.TOP, "include/newleaf/hypercall.h")
OWN = "own"  # PREPARE of the core itself: another step for the model
BEGINS = {"prepare", OWN, "comes", "goes", "gone"}
ANSWERS = {"held", "refused", "late"}
TICKETS = ANSWERS | {"freeze", "ask", "withdraw", "window", "thaw"}
GENERATIONS = {"flip", "adopt"}
OUTSIDE = ANSWERS | {"ask", "resume", "adopt"}  # of the lock: perhaps while the next transaction is under way
HIGHEST = 2**31 - 1
MOST, MOST_CPUS = 4096, 32  # steps of the core's ring (steps.pml has room for them)
LIMIT = 60  # seconds of a search: what is a trace takes a second, and who looks for longer finds none


class Unfit(Exception):
    """What was given is no timeline, or none of which something can be said."""


@functools.lru_cache
def steps():
    """label: number, as the core has them."""
    with open(STEPS_H, encoding="utf-8") as file:
        labels = re.findall(r'^\tX\(([A-Z]+), "([a-z]+)"\)', file.read(), re.M)
    numbers = {label: number for number, (_, label) in enumerate(labels)}
    return {**numbers, OWN: len(numbers)}


@functools.lru_cache
def again():
    """NL_AGAIN."""
    with open(ERRORS_H, encoding="utf-8") as file:
        return int(re.search(r"^\tX\(NL_AGAIN, (\d+),", file.read(), re.M)[1])


@functools.lru_cache
def flag(path, name):
    with open(path, encoding="utf-8") as file:
        return int(re.search(rf"^#define {name} (\d+)u", file.read(), re.M)[1])


def of_core(timeline):
    """The events that are steps of the core, in order."""
    own = [e for e in timeline.get("events", []) if e["step"] in steps() and e.get("seq")]
    return [{**e, "step": OWN} if is_own(e) else e for e in sorted(own, key=lambda e: e["seq"])]


def is_own(event):
    return event["step"] == "prepare" and event["value"] & flag(STEPS_H, "NL_STEP_OWN")


def missing(timeline):
    """seq of the first step behind a gap; None."""
    events = of_core(timeline)
    return next((a["seq"] + 1 for a, b in zip(events, events[1:]) if b["seq"] != a["seq"] + 1), None)


def read(path):
    """The core's own events and the number of CPUs."""
    with open(path, encoding="utf-8") as file:
        try:
            timeline = json.load(file)
        except ValueError as e:
            raise Unfit(f"no JSON: {e}") from e
    if not isinstance(timeline, dict) or timeline.get("schema") != "newleaf.timeline/1":
        raise Unfit("no newleaf.timeline/1")
    hole = missing(timeline)
    if hole:
        raise Unfit(f"a step is missing: {hole}")
    return of_core(timeline), timeline["cpus"]


class Piece:
    """Steps of which the state before the first is known: of a timeline that does not begin with the first step of the
    boot, those from the first transaction that is behind all that was before it. CPUs may still be on their way back
    from that: held, or with the root before."""

    def __init__(self, events, cpus):
        if not events:
            raise Unfit("no steps")
        self.cpus, self.held, self.old = cpus, [0] * cpus, [0] * cpus
        self.cut = events[0]["seq"] != 1
        self.events = self._cut(events) if self.cut else events
        if any(not 0 <= e["cpu"] < cpus for e in self.events):
            raise Unfit("a CPU that there is not")
        self.ticket = next((e["value"] for e in self.events if e["step"] == "freeze"), 1)
        flips = [e["value"] for e in self.events if e["step"] == "flip"]
        adopted = [e["value"] for e in self.events if e["step"] == "adopt"]
        self.generation = flips[0] - 1 if flips else adopted[0] if adopted else 1
        if self.cut:
            self._begin()
        if len(self.events) > MOST or cpus > MOST_CPUS:
            raise Unfit(f"more than {MOST} steps or {MOST_CPUS} CPUs")

    @staticmethod
    def _cut(events):
        oldest, first = float("inf"), None  # of what is done under the lock from here on
        for i in reversed(range(len(events))):
            event = events[i]
            if event["step"] not in OUTSIDE:
                oldest = min(oldest, event["transaction"])
            if event["step"] in BEGINS and event["transaction"] == oldest:
                first = i
        if first is None:
            raise Unfit("no transaction begins")
        return events[first:]

    def _begin(self):
        """Who is on its way back. An answer to a freeze before is none of the first step's here."""
        new, out = set(), []
        for event in self.events:
            cpu, step = event["cpu"], event["step"]
            if step in ANSWERS and cpu not in new and event["value"] < self.ticket:
                continue
            if step == "resume" and cpu not in new:
                self.held[cpu] = 1
            if step == "adopt" and event["value"] == self.generation:
                self.old[cpu] = 1
            if step not in ("ask", "resume", "adopt"):
                new.add(cpu)
            out.append(event)
        self.events = out

    def values(self):
        """Tickets and generations counted from 1; a value that is neither is cut."""
        kind = {}
        for event in self.events:
            step, value = event["step"], event["value"]
            if step in BEGINS:
                kind[event["transaction"]] = step
            if step in TICKETS:
                value -= self.ticket - 1
            elif step in GENERATIONS or (step == "settle" and kind.get(event["transaction"]) in ("prepare", OWN)):
                value -= self.generation - 1
            yield value if -HIGHEST < value < HIGHEST else HIGHEST

    def stops(self):
        """Of each step, who may wait for SIPI before it: whom the next freeze does not ask, or the one under way."""
        absent = []  # of each freeze
        for event in self.events:
            if event["step"] == "freeze":
                absent.append(set(range(self.cpus)) - {event["cpu"]})
            elif event["step"] == "ask" and absent:
                absent[-1].discard(event["cpu"])
        out, under_way, begun = [], set(), 0
        for event in self.events:
            out.append(under_way.union(*absent[begun : begun + 1]))
            if event["step"] == "freeze":
                under_way, begun = absent[begun], begun + 1
            elif event["step"] in ("window", "withdraw"):
                under_way = set()
        return out


def names():
    """What the model is made with beside its sources: numbers of steps, and of one answer."""
    head = f"#define AGAIN {again()}\n#define AGENTLESS_FLAG {flag(CALLS_H, 'NL_COMMIT_AGENTLESS')}\n"
    return head + "".join(f"#define STEP_{label.upper()} {number}\n" for label, number in steps().items())


def declare(path, cpus):
    """trace.pml."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(names())
        file.write("#define ANSWERS(s) (" + " + ".join(f"IS({i}, s)" for i in range(cpus)) + ")\n")
        newest = " && ".join(f"(!runs[{i}] || root[{i}] == published)" for i in range(cpus))
        file.write(f"#define RECLAIMED ({newest})\n")
        outside = " && ".join(f"({i} == me || guest[{i}] || !runs[{i}])" for i in range(cpus))
        file.write(f"#define ALONE ({outside})\n")
        ahead = " && ".join(f"!(behind[{i}] && OWN({i}, STEP_RESUME))" for i in range(cpus))
        file.write(f"#define ALL_AHEAD ({ahead})\n")
        know = " && ".join(f"(knows[{i}] || !LOSES({i}))" for i in range(cpus))
        file.write(f"#define ALL_KNOW ({know})\n")


@functools.lru_cache
def checker(cpus):
    """A pan for so many CPUs, made once for each state of the sources."""
    return spin.cached(
        f"replay-{cpus}",
        names(),
        lambda where: declare(os.path.join(where, "trace.pml"), cpus),
        "freeze",
        [f"N={cpus}", "TRACE"],
    )


def write(path, piece, anyone):
    """trace: what the model reads. anyone: all may stop at any time."""
    number, every = steps(), range(piece.cpus)
    nothing = len(number)
    answers = {number[label] for label in ("held", "refused")}
    own, loses = [nothing] * piece.cpus, [0] * piece.cpus
    rows = [[nothing, 0, 0, *own, *loses, *loses]]
    for event, value, stops in reversed(list(zip(piece.events, piece.values(), piece.stops()))):
        cpu, step = event["cpu"], number[event["step"]]
        if event["step"] == "ask":  # before it, nobody can lose what it asks
            loses = list(loses)
            loses[cpu] = 0
        else:
            own, loses = list(own), list(loses)
            loses[cpu] = int(step in answers and own[cpu] in (number["late"], nothing))
            own[cpu] = step
        rows.append([step, cpu, value, *own, *(int(anyone or i in stops) for i in every), *loses])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{len(piece.events)}\n")
        for row in [piece.held, piece.old, *reversed(rows)]:
            file.write(" ".join(map(str, row)) + "\n")


def tell(event):
    return f"{event['step']} of CPU {event['cpu']} (seq {event['seq']}, transaction {event['transaction']})"


def search(pan, piece, anyone):
    """How many steps can follow each other; None: all."""
    with tempfile.TemporaryDirectory(prefix="replay.") as where:
        write(os.path.join(where, "trace"), piece, anyone)
        # -E: a turn that never comes is no deadlock.
        command = [pan, "-n", "-E", "-m2000000", "-w20"]
        try:
            done = subprocess.run(
                command,
                cwd=where,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=LIMIT,
            )
            said, ended = done.stdout.decode(), True
        except subprocess.TimeoutExpired as e:
            said, ended = (e.stdout or b"").decode(), False
    if "assertion violated (at<" in said:
        return None
    if ended and ("pan:1:" in said or "errors: 0" not in said or "too small" in said):
        raise RuntimeError(said)
    return max([int(x) for x in re.findall(r"^event (\d+)$", said, re.M)], default=0)


def replay(path):
    """(accepted, what is said)."""
    try:
        piece = Piece(*read(path))
    except (KeyError, TypeError) as e:
        return False, f"no timeline: {e!r}"
    except Unfit as e:
        return False, str(e)
    pan = checker(piece.cpus)
    reached = search(pan, piece, False)
    if reached is None or search(pan, piece, True) is None:
        return True, f"a trace of the model: {len(piece.events)} steps of {piece.cpus} CPUs"
    return False, f"no trace of the model: {tell(piece.events[reached])} cannot follow {reached} steps"
