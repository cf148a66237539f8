# SPDX-License-Identifier: Apache-2.0
"""Race hunting with the instrument's build (tests/instrument/races.c) under a stock kernel: CPUs that are late by
chance at every step, and a fault at every step (tests/load/races.c). What the timelines of late CPUs tell must be
traces of the model. docs/explanation/racehunt.md."""

import json
import os
import re
import subprocess

from command import FIXES, apply, newleaf, probe, revert, rounds
from guest import BUILD, TOP, leaf_path
from modules import STATE, answers, fresh, insmod, parameter, put_leaf, put_modules, rmmod, state
from vmtest import test

CHMOD, AUXV = FIXES
INSTRUMENT = os.path.join(BUILD, "instrument", "newleaf.efi")
SEED = int(os.environ.get("SEED", "20261126"))
WARM = 2  # rounds after which memory must not move any more
OFTEN = 3  # at one of so many places a CPU is late


def boot(t, **machine):
    g = t.boot(loader=INSTRUMENT, settings=("console com1",), **machine)
    g.before_end = None  # made to fail where the product cannot; late CPUs are replayed piece by piece
    g.run("races ask")
    return g


def names_of(core):
    done = subprocess.run(["nm", os.path.join(BUILD, core)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return set(re.findall(r" \w (race_\w+)$", done.stdout, re.M))


def free(g):
    memory = newleaf(g, "status")["memory"]
    return memory["free_bytes"], memory["arena_text_free_bytes"], memory["arena_data_free_bytes"]


def told(g):
    return {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", g.run("races told"))}


def replayed(t, g, name):
    """What the ring holds is a trace of the model."""
    directory = os.path.join(BUILD, "timelines")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(g.run("newleaf timeline --last 1000 --json"))
    replay = os.path.join(TOP, "tests", "model", "run")
    done = subprocess.run([replay, "--trace", path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    t.expect(done.returncode == 0, f"the model does not allow {path}: {done.stdout + done.stderr}")
    with open(path, encoding="utf-8") as f:
        steps = [e["step"] for e in json.load(f)["events"]]
    return {step: steps.count(step) for step in ("freeze", "refused", "late", "withdraw", "flip")}


def late_everywhere(t, count, pieces, load=True, modules=False, **machine):
    """Rounds of apply and revert in so many pieces; after each the timeline is replayed."""
    g = boot(t, **machine)
    if modules:
        put_modules(g, "gate", "victim")
        insmod(g, "gate")
        path = put_leaf(g, "victim")
    rounds(g, AUXV, WARM, timeout=600)
    before = free(g)
    if load:
        g.run("load >/tmp/load.out 2>&1 & echo $! >/tmp/load.pid")
    seen = {}
    for piece in range(pieces):
        g.run(f"races delays {SEED + piece} {OFTEN} && races fault late begin 1")  # and one is later than any limit
        said = rounds(g, AUXV, count // pieces, timeout=1500)
        if modules:
            apply(g, "test-victim", path=path)
            for _ in range(3):
                come_and_go(g)
            revert(g, "test-victim")
        what = told(g)
        g.run("races delays 0 0")
        for key, n in replayed(t, g, f"{t.name}-{piece}").items():
            seen[key] = seen.get(key, 0) + n
        t.note(f"seed {SEED + piece}: {said}; {what['delays']} delays, {what['turns'] * 2000} instructions")
        t.expect(what["delays"] and what["met"], f"nobody was late: {what}")
        t.expect(not what["stale"], f"CPUs were in the guest with an old generation: {what}")
    t.note(f"replayed: {seen}")
    t.expect(seen["late"] and seen["withdraw"], f"no answer was late: {seen}")
    if load:
        g.run("kill $(cat /tmp/load.pid); while [ -d /proc/$(cat /tmp/load.pid) ]; do usleep 50000; done", timeout=120)
        t.expect(" 0 failures" in g.run("cat /tmp/load.out"), g.run("cat /tmp/load.out"))
    probe(g, AUXV, "VULNERABLE")
    if not modules:  # a leaf for modules is known from now on, and has its place in the arena
        rounds(g, AUXV, 1, timeout=600)
        t.expect(free(g) == before, f"memory: {before}, now {free(g)}")
    g.check_dmesg()
    g.poweroff()


def come_and_go(g):
    """A module of a leaf that is on is patched whenever it is there."""
    fresh(g)
    insmod(g, "victim", "tell=1")
    state(g, "test-victim", "victim", STATE.applied)
    answers(g, "victim", "FIXED")
    rmmod(g, "victim")
    state(g, "test-victim", "victim", STATE.waiting)


@test()
def delays(t):
    """CPUs are late by chance at every step (instrument's build): rounds, whose timelines are traces of the model"""
    late_everywhere(t, 10, 1, load=False)


def register_delays():
    for cpus in (2, 4):

        def run(t, cpus=cpus):
            late_everywhere(t, 200, 10, modules=True, cpus=cpus, cmdline="preempt=full")

        run.__doc__ = f"the same, 200 rounds under load with {cpus} CPUs, and modules that come and go"
        test(full=True, name=f"delays-full-{cpus}")(run)


register_delays()


def sweep(t, g, ids, forth, back, dense, shown):
    """races sweep; its table. shown: a command that succeeds with the leaves on, and only then."""
    options = f"-d {dense} -s {SEED} -p '{shown}'"
    result = g.call(f"races sweep {options} {','.join(ids)} '{forth}' '{back}'", timeout=3600)
    for line in result.out.strip().splitlines():
        t.note(line)
    t.expect(result.code == 0, f"a fault did harm: {result.out.strip().splitlines()[-1][:2000]}")
    met = sum(int(n) for n in re.findall(r" met +(\d+)", result.out))
    t.expect(met, "no fault was met")


def seen_by(*fixes):
    return " && ".join(f"repro {fix} >/dev/null" for fix in fixes)


@test()
def faults_steps(t):
    """something fails at each step of apply and revert (instrument's build): done, or nothing changed and named"""
    own = names_of("instrument/core.elf")
    t.expect(own and not names_of("core.elf"), f"the instrument has {own}, the product {names_of('core.elf')}")
    g = boot(t)
    sweep(t, g, [AUXV], "apply " + leaf_path(g.machine.kernel, AUXV), "revert " + AUXV, 0, seen_by(AUXV))
    g.check_dmesg()
    g.poweroff()


DENSE = int(os.environ.get("DENSE", "6"))


@test(full=True)
def faults_steps_full(t):
    """the same with twelve faults (twice DENSE) of each kind behind each step"""
    g = boot(t)
    sweep(t, g, [AUXV], "apply " + leaf_path(g.machine.kernel, AUXV), "revert " + AUXV, DENSE, seen_by(AUXV))
    g.check_dmesg()
    g.poweroff()


@test(full=True)
def faults_steps_sync(t):
    """the same with two leaves in one sync"""
    g = boot(t)
    kernel = g.machine.kernel
    g.run(f"mkdir /tmp/two /tmp/none && cp {leaf_path(kernel, AUXV)} {leaf_path(kernel, CHMOD)} /tmp/two")
    sweep(t, g, [AUXV, CHMOD], "sync /tmp/two", "sync /tmp/none", DENSE, seen_by(AUXV, CHMOD))
    g.check_dmesg()
    g.poweroff()


@test(full=True)
def faults_steps_module(t):
    """the same with a leaf for a module that is there, which is written in place"""
    g = boot(t)
    put_modules(g, "gate", "victim")
    insmod(g, "gate")
    insmod(g, "victim")
    path = put_leaf(g, "victim")
    shown = f"grep -q FIXED {parameter('victim', 'ask')}"
    sweep(t, g, ["test-victim"], "apply " + path, "revert test-victim", DENSE, shown)
    g.check_dmesg()
    g.poweroff()


# What a module's function answers must be what status says of the module, whatever failed; and then it comes and goes
# as if nothing had been.
EVENT = r"""
races fault %(kind)s %(step)s %(nth)d
%(event)s || exit 1
races told %(step)s
races fault nothing begin 0
"""


def event(g, kind, step, nth, script):
    """A module comes or goes with a fault; what `races told` says."""
    out = g.run(EVENT % {"kind": kind, "step": step, "nth": nth, "event": script})
    return {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", out)}


def judged(t, g):
    """The module is patched throughout, or it is not, and status says which."""
    said = g.run(f"cat {parameter('victim', 'ask')}").strip()
    leaf = [x for x in newleaf(g, "status")["leaves"] if x["id"] == "test-victim"][0]
    is_in = {m["name"]: m["state"] for m in leaf["modules"]}["victim"]
    t.expect((said == "FIXED") == (is_in == STATE.applied), f"it answers {said}, status says {is_in}")
    return is_in


@test(full=True)
def faults_modules(t):
    """a look fails while a module of a leaf that is on comes or goes (the instrument): patched, or status says not"""
    g = boot(t)
    put_modules(g, "gate", "victim")
    insmod(g, "gate")
    path = put_leaf(g, "victim")
    apply(g, "test-victim", path=path)
    come_and_go(g)
    for step in ("begin", "comes"):
        most = event(g, "look", step, 0, "insmod /mod/victim.ko")["most"]
        g.run("rmmod victim")
        seen = {}
        for nth in spread(most, 24):
            told_ = event(g, "look", step, nth, "insmod /mod/victim.ko")
            is_in = judged(t, g)
            seen[is_in] = seen.get(is_in, 0) + told_["met"]
            g.run("rmmod victim")
            come_and_go(g)
        t.note(f"comes, behind {step}: {most} looks, {seen}")
    for step in ("begin", "goes"):
        insmod(g, "victim")
        most = event(g, "look", step, 0, "rmmod victim")["most"]
        met = 0
        for nth in spread(most, 24):
            insmod(g, "victim")
            answers(g, "victim", "FIXED")
            met += event(g, "look", step, nth, "rmmod victim")["met"]
            come_and_go(g)
        t.note(f"goes, behind {step}: {most} looks, {met} failed")
    revert(g, "test-victim")
    insmod(g, "victim")
    answers(g, "victim", "VULNERABLE")
    rmmod(g, "victim")
    g.check_dmesg()
    g.poweroff()


def spread(most, n):
    """Up to n numbers from 1 to most, the first and the last among them."""
    return sorted({1 + round(i * (most - 1) / max(1, n - 1)) for i in range(n)}) if most else []
