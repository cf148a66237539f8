# SPDX-License-Identifier: Apache-2.0
"""Is a timeline (newleaf.timeline/1) one that freeze.pml allows? Its steps become a constraint on the model's, and Spin
looks for a way through all of them."""

import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
STEPS_H = os.path.join(os.path.dirname(os.path.dirname(HERE)), "include/newleaf/steps.h")
BEGINS = {"prepare", "comes", "goes", "gone"}
TICKETS = {"freeze", "ask", "held", "refused", "late", "withdraw", "window", "thaw"}
GENERATIONS = {"flip", "adopt"}
HIGHEST = 2**31 - 1
MOST, MOST_CPUS = 4096, 8  # steps of the core's ring (steps.pml has room for them)
LIMIT = 600  # seconds


class Unfit(Exception):
    """What was given is no timeline, or none of which something can be said."""


def steps():
    """label: number, as the core has them."""
    with open(STEPS_H, encoding="utf-8") as file:
        labels = re.findall(r'^\tX\(([A-Z]+), "([a-z]+)"\)', file.read(), re.M)
    return {label: number for number, (_, label) in enumerate(labels)}


def read(path):
    """The core's own events and the number of CPUs."""
    with open(path, encoding="utf-8") as file:
        try:
            timeline = json.load(file)
        except ValueError as e:
            raise Unfit(f"no JSON: {e}") from e
    if not isinstance(timeline, dict) or timeline.get("schema") != "newleaf.timeline/1":
        raise Unfit("no newleaf.timeline/1")
    known, events = steps(), []
    for event in timeline.get("events", []):
        if event["step"] in known and event.get("seq"):
            events.append(event)
    events.sort(key=lambda e: e["seq"])
    for one, other in zip(events, events[1:]):
        if other["seq"] != one["seq"] + 1:
            raise Unfit(f"event {one['seq'] + 1} is missing")
    return events, timeline["cpus"]


def pieces(events):
    """A piece of which the model's first state is the state before it: from the first beginning, without what CPUs
    still do of what came before."""
    if not events:
        raise Unfit("no steps")
    if events[0]["seq"] == 1:
        return events
    first = next((i for i, e in enumerate(events) if e["step"] in BEGINS), None)
    if first is None:
        raise Unfit("no transaction begins")
    fresh, out = set(), []
    for event in events[first:]:
        if event["step"] in BEGINS | {"ask", "freeze", "drop"}:
            fresh.add(event["cpu"])
        if event["cpu"] in fresh:
            out.append(event)
    return out


def values(events):
    """Tickets and generations counted from 1; a value that is neither is cut."""
    first_ticket = next((e["value"] for e in events if e["step"] == "freeze"), 1)
    flips = [e["value"] for e in events if e["step"] == "flip"]
    base = flips[0] - 1 if flips else next((e["value"] for e in events if e["step"] == "adopt"), 1)
    transaction, kind = None, {}
    for event in events:
        value = event["value"]
        if event["step"] in BEGINS:
            transaction = event["transaction"]
            kind[transaction] = event["step"]
        if event["step"] in TICKETS:
            value -= first_ticket - 1
        elif event["step"] in GENERATIONS or (
            event["step"] == "settle" and kind.get(event["transaction"]) == "prepare"
        ):
            value -= base - 1
        yield value if -HIGHEST < value < HIGHEST else HIGHEST


def stops(events, cpus):
    """Is there a freeze in which not all others were asked? Then CPUs stop and start; and who is asked in the first."""
    asked, freezes = {}, []
    for event in events:
        if event["step"] == "freeze":
            asked = {event["cpu"]}
            freezes.append(asked)
        elif event["step"] == "ask" and freezes:
            asked.add(event["cpu"])
    return any(len(a) < cpus for a in freezes[:-1]) or (bool(freezes) and len(freezes[-1]) < cpus)


def declare(path, cpus):
    """trace.pml: what the model is made with."""
    with open(path, "w", encoding="utf-8") as file:
        for label, number in steps().items():
            file.write(f"#define STEP_{label.upper()} {number}\n")
        file.write("#define ANSWERS(s) (" + " + ".join(f"IS({i}, s)" for i in range(cpus)) + ")\n")
        newest = " && ".join(f"(!runs[{i}] || root[{i}] == published)" for i in range(cpus))
        file.write(f"#define RECLAIMED ({newest})\n")
        outside = " && ".join(f"({i} == me || guest[{i}] || !runs[{i}])" for i in range(cpus))
        file.write(f"#define ALONE ({outside})\n")


def write(path, events, cpus):
    """trace: what the model reads."""
    number = steps()
    nothing = len(number)
    own, rows = [nothing] * cpus, [[nothing, 0, 0] + [nothing] * cpus]
    for event, value in reversed(list(zip(events, values(events)))):
        if event["step"] != "ask":
            own = list(own)
            own[event["cpu"]] = number[event["step"]]
        rows.append([number[event["step"]], event["cpu"], value, *own])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{len(events)} {int(stops(events, cpus))}\n")
        for row in reversed(rows):
            file.write(" ".join(map(str, row)) + "\n")


def tell(event):
    return f"{event['step']} of CPU {event['cpu']} (seq {event['seq']}, transaction {event['transaction']})"


def replay(path, checker):
    """(accepted, what is said). `checker(cpus)`: a folder with a pan for so many CPUs, made with what declare()
    writes."""
    try:
        events, cpus = read(path)
        events = pieces(events)
        if any(not 0 <= e["cpu"] < cpus for e in events):
            raise Unfit("a CPU that there is not")
        if len(events) > MOST or cpus > MOST_CPUS:
            raise Unfit(f"more than {MOST} steps or {MOST_CPUS} CPUs")
        where = checker(cpus)
        write(os.path.join(where, "trace"), events, cpus)
    except (KeyError, TypeError) as e:
        return False, f"no timeline: {e!r}"
    except Unfit as e:
        return False, str(e)
    # -E: a turn that never comes is no deadlock.
    done = subprocess.run(
        ["./pan", "-n", "-E", "-m1000000"],
        cwd=where,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    if "assertion violated (at<" in done.stdout:
        return True, f"a trace of the model: {len(events)} steps of {cpus} CPUs"
    if "pan:1:" in done.stdout or "errors: 0" not in done.stdout or "too small" in done.stdout:
        raise RuntimeError(done.stdout + done.stderr)
    reached = max([int(x) for x in re.findall(r"^event (\d+)$", done.stdout, re.M)], default=0)
    return False, f"no trace of the model: {tell(events[reached])} cannot follow {reached} steps"
