# SPDX-License-Identifier: Apache-2.0
"""Leaves for modules, tried on modules of the test's own (tests/modules): none of their code runs unpatched once a leaf
is on, whatever comes, goes, fails or waits."""

from guest import NO_CX16
from modules import answers, book, counts_agree, fresh, insmod, put_modules, rmmod
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


LINES = {
    "5-10": "guest:linux-5.10",
    "6-1": OLD,
    "6-1-full": "linux-image-6.1.0-50-amd64",
    "6-12": "guest:linux-6.12",
    "6-12-trixie": "guest:linux-6.12-trixie",
    "7-2": "guest:linux-7.2",
    "7-3": "guest:linux-7.3",
}


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
