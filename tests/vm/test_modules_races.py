# SPDX-License-Identifier: Apache-2.0
"""A leaf goes on and off while a module is on its way in or out, fails, is forced out, is livepatched by the kernel
itself, is signed, or cannot be patched. The modules wait at gates of their own (tests/modules/gate.c), so that each
order is the one that is meant."""

import os
import re
import subprocess
import tempfile

from command import apply, newleaf, refused, revert
from guest import BUILD, NO_CX16, Failure
from modules import (
    OTHER,
    STATE,
    answers,
    background,
    book,
    close_gate,
    counts_agree,
    finished,
    folder,
    fresh,
    insmod,
    open_gate,
    parameter,
    put_leaf,
    put_modules,
    put_package,
    rmmod,
    state,
)
from records import policy_record
from test_modules import COMING, GOING, LINES, OLD, boot, round_trip
from vmtest import test

COME = "insmod /mod/victim.ko tell=1"
V, F = "VULNERABLE", "FIXED"


def end(g):
    """Nothing is left behind: all is as it was, and the kernel does not complain."""
    if newleaf(g, "status")["leaves"]:
        newleaf(g, "revert --all", code=(0, 3))
    round_trip(g, V)
    newleaf(g, "log")
    g.check_dmesg()
    g.poweroff()


def words(places, word):
    return {place: word for place in places}


def while_coming(t, g, path):
    """Off and on while a parameter's handler runs, and while the initialiser does."""
    for place, before in (("parameter", ()), ("initialiser", ("parameter", "early"))):
        after = [p for p in COMING if p not in before]
        for off in (True, False):  # reverted meanwhile, or applied
            if off:
                apply(g, "test-victim", path=path)
            fresh(g)
            background(g, place, COME)
            if off:
                state(g, "test-victim", "victim", STATE.applied)
                revert(g, "test-victim")
            else:
                apply(g, "test-victim", path=path)
                state(g, "test-victim", "victim", STATE.applied)
            finished(g)
            book(g, {**words(before, F if off else V), **words(after, V if off else F)})
            answers(g, "victim", V if off else F)
            counts_agree(g)
            rmmod(g, "victim")
            if not off:
                revert(g, "test-victim")


def while_going(t, g, path):
    """To a module that goes nothing is written: it ends as it was, with its work."""
    for place in ("exit", "work"):
        for off in (True, False):
            if off:
                apply(g, "test-victim", path=path)
            insmod(g, "victim")
            fresh(g)
            background(g, place, "rmmod victim")
            if off:
                revert(g, "test-victim")
            else:
                apply(g, "test-victim", path=path)
                state(g, "test-victim", "victim", STATE.waiting)
            finished(g)
            book(g, words(GOING, F if off else V))
            if not off:
                round_trip(g, F)
                revert(g, "test-victim")


def while_failing(t, g):
    """Off and on while a module's initialiser runs that will fail; another load of it waits meanwhile."""
    put_modules(g, "failing")
    path = put_leaf(g, "failing")
    for off in (True, False):
        if off:
            apply(g, "test-failing", path=path)
        fresh(g)
        background(g, "failing", "insmod /mod/failing.ko")
        g.run("(insmod /mod/failing.ko; touch /tmp/second) >/dev/null 2>&1 &")
        if off:
            revert(g, "test-failing")
        else:
            apply(g, "test-failing", path=path)
        # ENODEV, or EBUSY: BusyBox's insmod tries a second time, by another call, and may then meet the other load.
        finished(g, code=(19, 16))
        g.run("until [ -e /tmp/second ]; do usleep 20000; done; rm /tmp/second")
        book(g, {"failing": V if off else F})
        if not off:
            state(g, "test-failing", "failing", STATE.waiting)
            revert(g, "test-failing")


def asleep(t, g):
    """A strict leaf waits for who sleeps in a module's old function, and names him; one that is mixable goes on."""
    strict = put_leaf(g, "strict")
    path = put_leaf(g, "victim")
    put_modules(g, "victim2")
    insmod(g, "victim")
    insmod(g, "victim2")
    background(g, "check", f"cat {parameter('victim', 'sleep')}")
    pid = int(g.run("pidof cat").split()[0])
    for _ in range(20):  # on a busy host no try may come as far as the scan: somebody else is named
        answer = newleaf(g, f"apply {strict} --deadline 3s", code=8)
        if [b["pid"] for b in answer["blockers"]] == [pid]:
            break
    else:
        t.expect(False, f"cat is {pid}: {answer}")
    apply(g, "test-victim", path=path)
    answers(g, "victim2", F)  # who sleeps holds the parameters of the other
    finished(g)
    revert(g, "test-victim")
    apply(g, "test-strict", path=strict)
    answers(g, "victim", F)
    revert(g, "test-strict")
    rmmod(g, "victim2", "victim")


def forced(t, g, path):
    """rmmod -f of a module that is in use: it is forgotten as any other, and patched when it comes again."""
    apply(g, "test-victim", path=path)
    insmod(g, "victim", "keep=1")
    answers(g, "victim", F)
    t.expect(g.call("rmmod victim").code != 0, "a module in use was unloaded")
    fresh(g)
    g.run("rmmod -f victim")
    state(g, "test-victim", "victim", STATE.waiting)
    book(g, words(GOING, F))
    round_trip(g, F)
    revert(g, "test-victim")


TRACE = "/sys/kernel/tracing"


def traced(t, g, path):
    """ftrace counts calls of a module's function that a leaf has replaced; a kprobe that was asked for before the
    module was there stands in the site when it comes, and keeps the leaf from being reverted."""
    apply(g, "test-victim", path=path)
    insmod(g, "victim")
    g.run(f"echo victim_check >{TRACE}/set_ftrace_filter && echo function >{TRACE}/current_tracer")
    answers(g, "victim", F)
    rmmod(g, "victim")
    insmod(g, "victim")
    answers(g, "victim", F)
    t.expect("victim_check" in g.run(f"cat {TRACE}/trace"), "the tracer saw nothing")
    rmmod(g, "victim")
    g.run(f"echo nop >{TRACE}/current_tracer && echo >{TRACE}/set_ftrace_filter && echo >{TRACE}/trace")
    g.run(f"echo 'p:nl/check victim:victim_check+5' >{TRACE}/kprobe_events")
    g.run(f"echo 1 >{TRACE}/events/nl/check/enable")
    insmod(g, "victim")
    for _ in range(3):
        answers(g, "victim", F)
    t.expect(g.run(f"cat {TRACE}/trace").count("check: (victim_check") >= 3, "the probe was not hit")
    refused(g, "revert test-victim", "NL_EPROBED", 7)
    answers(g, "victim", F)
    g.run(f"echo 0 >{TRACE}/events/nl/check/enable && echo >{TRACE}/kprobe_events")
    revert(g, "test-victim")
    answers(g, "victim", V)
    rmmod(g, "victim")


@test(full=True)
def modules_traced(t):
    """a module's function that is traced and probed, before it is there and while it is"""
    g = boot(t)
    traced(t, g, put_leaf(g, "victim"))
    end(g)


@test()
def modules_races(t):
    """apply and revert while a module's parameters are read, while its initialiser runs, fails, or its end; forced out;
    a task asleep in it"""
    g = boot(t)
    path = put_leaf(g, "victim")
    while_coming(t, g, path)
    while_going(t, g, path)
    while_failing(t, g)
    asleep(t, g)
    forced(t, g, path)
    end(g)


@test(full=True)
def modules_races_7_3(t):
    """the same on 7.3"""
    g = boot(t, LINES["7-3"])
    path = put_leaf(g, "victim")
    while_coming(t, g, path)
    while_going(t, g, path)
    while_failing(t, g)
    asleep(t, g)
    forced(t, g, path)
    end(g)


def settled(g, patched):
    """The kernel's own livepatch is through with its transition."""
    sysfs = "/sys/kernel/livepatch/livepatch"
    if patched:
        g.run(f'until [ "$(cat {sysfs}/transition)" = 0 ]; do usleep 50000; done', timeout=120)
    else:
        g.run(f"echo 0 >{sysfs}/enabled; while [ -d {sysfs} ]; do usleep 50000; done", timeout=120)
        rmmod(g, "livepatch")


def livepatch(t, kernel):
    g = boot(t, kernel)
    put_modules(g, "livepatch")
    path = put_leaf(g, "victim")
    # A leaf first, then the kernel's own: who comes in is patched by both, and the leaf is there when the other goes.
    apply(g, "test-victim", path=path)
    insmod(g, "victim")
    insmod(g, "livepatch")
    settled(g, True)
    answers(g, "victim", "LIVEPATCHED")
    rmmod(g, "victim")
    insmod(g, "victim", "tell=1")
    state(g, "test-victim", "victim", STATE.applied)
    answers(g, "victim", "LIVEPATCHED")
    settled(g, False)
    answers(g, "victim", F)
    revert(g, "test-victim")
    answers(g, "victim", V)
    # The other way round: it would be passed by.
    insmod(g, "livepatch")
    settled(g, True)
    answer = refused(g, f"apply {path}", "NL_ELIVEPATCH", 7)
    t.expect("victim_check of victim" in answer["detail"], answer["detail"])
    answers(g, "victim", "LIVEPATCHED")
    settled(g, False)
    apply(g, "test-victim", path=path)
    answers(g, "victim", F)
    insmod(g, "livepatch")
    settled(g, True)
    revert(g, "test-victim")
    answers(g, "victim", "LIVEPATCHED")
    settled(g, False)
    answers(g, "victim", V)
    rmmod(g, "victim")
    end(g)


@test(full=True)
def modules_livepatch(t):
    """a module that the kernel's own livepatch patches, too: the leaf is there before and after it, and behind it is
    refused by its name"""
    livepatch(t, OLD)


@test(full=True)
def modules_livepatch_7_3(t):
    """the same on 7.3"""
    livepatch(t, LINES["7-3"])


def devices(g, word):
    """Can a device of the kind dummy be made?"""
    said = g.call("ip link add d1 type dummy")
    if word == V:
        if said.code != 0:
            raise Failure(f"ip link add: {said}")
        g.run("ip link del d1")
    elif said.code == 0 or "not permitted" not in said.out:
        raise Failure(f"ip link add with the leaf on: {said}")


def signed_modules(t, kernel, cmdline, unsigned):
    """A module that Debian has signed, of a kernel that wants signatures; unsigned: what one without is told."""
    g = t.boot(kernel=kernel, model="" if kernel == OLD else NO_CX16, cmdline=cmdline)
    put_modules(g, "gate")
    insmod(g, "gate", refused=unsigned)
    names = put_package(g, "dummy")
    path = put_leaf(g, "dummy", modules=[folder(kernel)])
    for name in names:
        insmod(g, name)
    devices(g, V)
    apply(g, "test-dummy", path=path)
    devices(g, F)
    for _ in range(3):
        rmmod(g, "dummy")
        state(g, "test-dummy", "dummy", STATE.waiting)
        insmod(g, "dummy")
        devices(g, F)
    revert(g, "test-dummy")
    devices(g, V)
    rmmod(g, "dummy")
    t.expect(g.run("cat /proc/sys/kernel/tainted").strip() == "0", "the kernel is tainted")
    g.check_dmesg()
    g.poweroff()


SIGNED = {
    "sig-enforce": ("module.sig_enforce=1", "Key was rejected"),
    "lockdown": ("lockdown=integrity", "not permitted"),
    "confidentiality": ("lockdown=confidentiality", "not permitted"),
}


def register_signed():
    for name, (cmdline, unsigned) in SIGNED.items():
        for line, kernel in (("6-1", OLD), ("7-3", LINES["7-3"])):

            def run(t, kernel=kernel, cmdline=cmdline, unsigned=unsigned):
                signed_modules(t, kernel, cmdline, unsigned)

            run.__doc__ = f"{line}, {cmdline}: a signed module of Debian's is patched, goes, comes, and is patched"
            test(full=True, name=f"modules-{name}-{line}")(run)


register_signed()


def refusing(folder):
    """newleaf.efi whose policy lets no module in that cannot be patched."""
    policy, out = os.path.join(folder, "policy"), os.path.join(folder, "refuse.efi")
    with open(policy, "wb") as f:
        f.write(policy_record(unpatched=1))
    command = ["objcopy", "--update-section", f".nlpol={policy}", os.path.join(BUILD, "newleaf.efi"), out]
    subprocess.run(command, check=True, capture_output=True)
    return out


def last_of_log(g):
    return [line for line in g.run("newleaf log --json").splitlines() if '"event":"module"' in line][-1]


@test(full=True)
def modules_refused(t):
    """policy: a module of another build that a leaf cannot patch may not come in, and the leaf may not go on where one
    is"""
    with tempfile.TemporaryDirectory() as folder:
        g = boot(t, loader=refusing(folder))
        put_modules(g, "victim", flags=OTHER, to="/mod/other")
        path = put_leaf(g, "victim")
        apply(g, "test-victim", path=path)
        fresh(g)
        for _ in range(3):
            insmod(g, "other/victim", "tell=1", refused="not permitted")
        book(g, {})
        t.expect('"NL_EMODULE"' in last_of_log(g), f"the journal says {last_of_log(g)}")
        round_trip(g, F)
        revert(g, "test-victim")
        insmod(g, "other/victim")
        refused(g, f"apply {path}", "NL_EMODULE", 5)
        answers(g, "victim", V)
        rmmod(g, "victim")
        end(g)
