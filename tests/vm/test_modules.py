# SPDX-License-Identifier: Apache-2.0
"""Leaves for modules, tried on modules of the test's own (tests/modules): none of their code runs unpatched once a leaf
is on, whatever comes, goes, fails or waits."""

from command import apply, newleaf, revert
from guest import NO_CX16
from leaves import Unfit  # noqa: F401
from modules import OTHER, STATE, answers, book, counts_agree, fresh, insmod, put_leaf, put_modules, rmmod, state
from vmtest import test

OLD = "linux-image-6.1.0-50-cloud-amd64"
# In what order a module's code runs, from its parameters' handlers to the work that it leaves behind.
COMING = ("parameter", "early", "initialiser")
GOING = ("exit", "work", "work-late")


def boot(t, kernel=OLD, **machine):
    """A guest with the test's modules, of which only the gate is loaded."""
    model = "" if kernel.startswith("linux-image-6.1") else NO_CX16
    g = t.boot(kernel=kernel, model=machine.pop("model", model), **machine)
    put_modules(g, "gate", "victim")
    insmod(g, "gate")
    return g


def round_trip(g, word):
    """The module comes and goes, and all its code answers so."""
    fresh(g)
    insmod(g, "victim", "tell=1")
    answers(g, "victim", word)
    counts_agree(g)
    rmmod(g, "victim")
    book(g, {place: word for place in COMING + GOING})


def here_and_there(t, g):
    """Applied and reverted with the module there and with it absent."""
    round_trip(g, "VULNERABLE")
    path = put_leaf(g, "victim")
    apply(g, "test-victim", path=path)
    state(g, "test-victim", "victim", STATE.waiting)
    for _ in range(3):
        round_trip(g, "FIXED")
    insmod(g, "victim", "tell=1")
    state(g, "test-victim", "victim", STATE.applied)
    revert(g, "test-victim")
    answers(g, "victim", "VULNERABLE")
    apply(g, "test-victim", path=path)
    answers(g, "victim", "FIXED")
    counts_agree(g)
    rmmod(g, "victim")
    state(g, "test-victim", "victim", STATE.waiting)
    revert(g, "test-victim")
    round_trip(g, "VULNERABLE")


def exploit(t, g):
    """A module that exploits itself succeeds before, and never with the leaf on."""
    put_modules(g, "exploit")
    fresh(g)
    insmod(g, "exploit", "try=1")
    rmmod(g, "exploit")
    book(g, {"exploit-parameter": "VULNERABLE", "exploit": "VULNERABLE"})
    apply(g, "test-exploit", path=put_leaf(g, "exploit"))
    for arguments in ("", "try=1") * 5:
        fresh(g)
        insmod(g, "exploit", arguments, refused="Operation not permitted")
        places = ("exploit-parameter", "exploit") if arguments else ("exploit",)
        book(g, {place: "FIXED" for place in places})
    t.expect("exploit: defeated" in g.run("dmesg"), "the module does not say that it was defeated")
    revert(g, "test-exploit")
    insmod(g, "exploit")
    rmmod(g, "exploit")


def failing(t, g):
    """A module that fails after it was patched, by its initialiser or a parameter's handler, leaves nothing behind."""
    put_modules(g, "failing")
    path = put_leaf(g, "failing")
    for word in ("VULNERABLE", "FIXED", "VULNERABLE"):
        if word == "FIXED":
            apply(g, "test-failing", path=path)
            before = newleaf(g, "status")["memory"]
        for _ in range(10):
            fresh(g)
            insmod(g, "failing", refused="No such device")
            insmod(g, "failing", "refuse=1", refused="Invalid")
            book(g, {"failing": word, "failing-parameter": word})
        if word == "FIXED":
            state(g, "test-failing", "failing", STATE.waiting)
            after = newleaf(g, "status")["memory"]
            # Parts of bodies that are left behind are looked into when there are eight of them.
            lost = before["arena_text_free_bytes"] - after["arena_text_free_bytes"]
            t.expect(lost <= 8 * 64, f"{lost} bytes of the arena are gone after 20 loads")
            revert(g, "test-failing")


def wide(t, g):
    """Sixteen frames at once."""
    put_modules(g, "wide")
    apply(g, "test-wide", path=put_leaf(g, "wide"))
    fresh(g)
    insmod(g, "wide")
    answers(g, "wide", "FIXED")
    revert(g, "test-wide")
    answers(g, "wide", "VULNERABLE")
    rmmod(g, "wide")
    book(g, {"wide": "FIXED", "wide-exit": "VULNERABLE"})


def chain(t, g):
    """A leaf over the kernel and two modules is all or nothing over what is loaded; its bodies call other modules."""
    put_modules(g, "victim2")
    path = put_leaf(g, "chain")
    ask = "busybox ionice -c2 -n5 true 2>&1"
    apply(g, "test-chain", path=path)
    t.expect("out of domain" in g.call(ask).out, "the kernel's part does not answer")
    fresh(g)
    insmod(g, "victim")
    book(g, {"body": "FIXED", "initialiser": "FIXED", "early": "VULNERABLE"})
    fresh(g)
    insmod(g, "victim2")
    answers(g, "victim2", "FIXED")
    book(g, {"body": "FIXED", "body2": "FIXED", "second": "FIXED"})
    rmmod(g, "victim2")
    state(g, "test-chain", "victim2", STATE.waiting)
    state(g, "test-chain", "victim", STATE.applied)
    revert(g, "test-chain")
    answers(g, "victim", "VULNERABLE")
    t.expect("out of domain" not in g.call(ask).out, "the kernel's part is still there")
    insmod(g, "victim2")
    apply(g, "test-chain", path=path)
    answers(g, "victim2", "FIXED")
    rmmod(g, "victim2", "victim")
    revert(g, "test-chain")


def other_build(t, g):
    """A module of another build is named and left alone; a good one that comes after it is patched."""
    put_modules(g, "victim", flags=OTHER, to="/mod/other")
    path = put_leaf(g, "victim")
    apply(g, "test-victim", path=path)
    fresh(g)
    insmod(g, "other/victim", "tell=1")
    answers(g, "victim", "VULNERABLE")
    state(g, "test-victim", "victim", STATE.other)
    rmmod(g, "victim")
    book(g, {place: "VULNERABLE" for place in COMING + GOING})
    round_trip(g, "FIXED")
    revert(g, "test-victim")
    insmod(g, "other/victim")
    apply(g, "test-victim", code=10, path=path)
    answers(g, "victim", "VULNERABLE")
    state(g, "test-victim", "victim", STATE.other)
    rmmod(g, "victim")
    revert(g, "test-victim")


LINES = {
    "5-10": "guest:linux-5.10",
    "6-1": OLD,
    "6-1-full": "linux-image-6.1.0-50-amd64",
    "6-12": "guest:linux-6.12",
    "6-12-trixie": "guest:linux-6.12-trixie",
    "7-2": "guest:linux-7.2",
    "7-3": "guest:linux-7.3",
}


def register_lines():
    for line, kernel in LINES.items():

        def run(t, kernel=kernel):
            g = boot(t, kernel)
            for part in (here_and_there, exploit, failing, wide, chain, other_build):
                part(t, g)
            newleaf(g, "log")
            g.check_dmesg()
            g.poweroff()

        run.__doc__ = f"""{line}: modules that come, go, fail, exploit themselves, are wide, of another build, or one of
        three in a leaf"""
        test(full=line not in ("6-1", "7-3"), name="modules-" + line)(run)


register_lines()


@test(full=True, emulator="bochs")
def modules_bochs(t):
    """6.1 on VMX (Bochs, one CPU): a leaf on a module that is there, that goes, and that comes"""
    g = boot(t, emulator="bochs", cpus=1, memory=512, cmdline="quiet")
    here_and_there(t, g)
    newleaf(g, "log")
    g.check_dmesg()
    g.poweroff()


@test(full=True)
def modules_stock(t):
    """without Newleaf the test's modules come and go, and answer that they are vulnerable, on every line"""
    for line, kernel in LINES.items():
        g = boot(t, kernel, newleaf=False)
        put_modules(g, "victim2", "exploit", "failing", "wide")
        for _ in range(3):
            round_trip(g, "VULNERABLE")
        fresh(g)
        insmod(g, "victim", "tell=1")
        insmod(g, "victim2")
        answers(g, "victim2", "VULNERABLE")
        rmmod(g, "victim2", "victim")
        insmod(g, "exploit", "try=1")
        rmmod(g, "exploit")
        insmod(g, "failing", refused="No such device")
        insmod(g, "failing", "refuse=1", refused="Invalid")
        insmod(g, "wide")
        answers(g, "wide", "VULNERABLE")
        rmmod(g, "wide")
        g.check_dmesg()
        t.note(line)
        g.poweroff()
