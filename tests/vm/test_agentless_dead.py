# SPDX-License-Identifier: Apache-2.0
"""Guests that can ask for nothing (docs/explanation/orders.md): they have ended, or nobody in them gets a CPU. The core
alone (the instrument's build, tests/instrument/dead.c) puts a leaf on and takes it off again, a try for each NMI. On
QEMU those come from outside, by a device's message; Bochs has no device that would send one: there the core kicks one
CPU after the other."""

import os
import re
import socket
import tempfile
import time

from command import FIXES, apply, revert
from guest import BUILD, Failure
from planted import PLANT, Planted, parameter
from vmtest import test

AUXV = FIXES[1]
INSTRUMENT = os.path.join(BUILD, "instrument", "newleaf.efi")
LIMIT = 900  # seconds for all commits of a guest that has ended
DEADLINE_MS = 200
CALLS_DEADLINE_MS = 5000  # of who is often where nobody can tell
ESTANDS, EDEADLINE = 81, 21  # include/newleaf/errors.h
RACES_LEAF, RACES_DEAD, DEAD_CHAIN = 0x45434152, 4, 2  # tests/instrument/races.h


class Messages:
    """NMIs by message, as a card's: QEMU's test channel writes where a device's MSI goes. An APIC takes them also when
    the guest has switched it off, as a panic does."""

    NMI = 0x400  # delivery mode (SDM vol. 3, 11.11.2)

    @staticmethod
    def options(path):
        return ("-qtest", f"unix:{path},server=on,wait=off", "-qtest-log", "/dev/null")

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def nmi(self, cpu):
        self.socket.sendall(f"writel {0xFEE00000 + (cpu << 12):#x} {self.NMI:#x}\n".encode())
        answer = self.lines.readline().strip()
        if answer != "OK":
            raise Failure(f"no NMI for CPU {cpu}: {answer}")


def boot(t, directory, **machine):
    """The guest, with a leaf that the core knows; what sends NMIs to it, if somebody can."""
    path = os.path.join(directory, "qtest")
    bochs = machine.get("emulator") == "bochs"
    more = () if bochs else Messages.options(path)
    g = t.boot(loader=INSTRUMENT, settings=("console com1",), more=more, **machine)
    g.before_end = None
    apply(g, AUXV)
    revert(g, AUXV)
    return g, None if bochs else Messages(path)


def counted(said):
    """How many commits were made, how many refused, by their numbers: the guest's lines may fall into one of these."""
    both = (r"(\d+) of \d+, tr", r"refused (\d+), e")
    return tuple(max(map(int, re.findall(text, said)), default=0) for text in both)


def at_messages(g, messages, commits, limit):
    """An NMI for each CPU in turn, and no further one before somebody has said what became of it."""
    nmis = lost = 0
    until = time.monotonic() + limit
    while sum(counted(g.console())) < commits and time.monotonic() < until:
        messages.nmi(nmis % g.machine.cpus)
        nmis += 1
        try:
            g.wait_console("dead: ", 1)
        except Failure:  # two NMIs that wait at a CPU are one
            lost += 1
    return f"{nmis} NMIs, {lost} merged"


def at_kicks(g, commits, limit):
    until = time.monotonic() + limit
    while sum(counted(g.console())) < commits and time.monotonic() < until:
        try:
            g.wait_console("dead: ", 5)
        except Failure:
            break
    return "at kicks"


def judged(t, g, how):
    """How many commits were made, how many refused, and by what."""
    said = g.console()
    made, refused = counted(said)
    found = re.findall(r"dead: refused \d+, error (\d+), CPU (\d+)", said)
    by = {(int(error), int(cpu)) for error, cpu in found}
    tries = len(re.findall("dead: ", said))
    t.note(f"{made} commits, {refused} refused {sorted(by)}, {tries} tries, {how}")
    return made, refused, by


def dead(t, ends, ended, commits, **machine):
    """A guest that ends by this script and says so on the console, a line for each CPU if that names one."""
    with tempfile.TemporaryDirectory() as directory:
        g, messages = boot(t, directory, **machine)
        Planted(g)
        if messages:
            g.run(f"races dead {commits} {DEADLINE_MS}")
        else:
            words = (RACES_LEAF, RACES_DEAD, commits, DEADLINE_MS, DEAD_CHAIN)
            g.run(f"echo {','.join(map(str, words))} >{parameter('planted', 'last')}")
        g.run(f"(sleep 2; {ends}) >/dev/null 2>&1 &")
        for _ in range(g.machine.cpus if "CPU" in ended else 1):
            g.wait_console(ended, 120)
        how = at_messages(g, messages, commits, LIMIT) if messages else at_kicks(g, commits, LIMIT * g.slow)
        return judged(t, g, how)


def all_made(t, commits, said):
    made, refused, by = said
    t.expect(made == commits and not refused, f"{made} made, {refused} refused by {by}")


PLANTED = r"planted: CPU \d+ ends"
ENDS = {  # what ends it, and what is said last
    "spin": (f"echo all >{PLANT}", PLANTED),
    "halted": (f"echo halt >{PLANT}", PLANTED),
    "panic": ("echo c >/proc/sysrq-trigger", r"end Kernel panic"),
}
BOCHS = {"emulator": "bochs", "memory": 512, "cmdline": "quiet"}


def register_dead():
    for name, script in ENDS.items():
        for cpus in (2, 4):

            def run(t, script=script, cpus=cpus):
                all_made(t, 100, dead(t, *script, 100, cpus=cpus))

            run.__doc__ = f"a guest that has ended ({name}), {cpus} CPUs: 100 commits by the core alone, at NMIs"
            test(full=True, name=f"agentless-dead-{name}-{cpus}")(run)

        def bochs(t, script=script):
            all_made(t, 20, dead(t, *script, 20, cpus=2, **BOCHS))

        bochs.__doc__ = f"a guest that has ended ({name}), on EPT: 20 commits by the core alone, at its own kicks"
        test(full=True, emulator="bochs", name=f"agentless-dead-{name}-bochs")(bochs)


register_dead()


@test(full=True)
def agentless_dead_in_nmi(t):
    """a panic whose other CPU an NMI has stopped: its stack is an exception's, and each of 100 commits names it, but
    for one that the panic's own NMI lets pass before that CPU has it"""
    script, ended = ENDS["panic"]
    made, refused, by = dead(t, f"echo spin >{PLANT}; {script}", ended, 100, cmdline="isolcpus=1")
    t.expect(made <= 1 and made + refused == 100, f"{made} made, {refused} refused")
    t.expect((ESTANDS, 1) in by and by <= {(ESTANDS, 1), (EDEADLINE, 1), (EDEADLINE, 0)}, f"by {by}")


def runaway(t, what, commits, **machine):
    """A thread of the highest real-time priority on each CPU, which never sleeps, and no limit for such: nobody else
    runs any more."""
    with tempfile.TemporaryDirectory() as directory:
        g, messages = boot(t, directory, **machine)
        g.run("sysctl -qw kernel.sched_rt_runtime_us=-1")
        others = " ".join(f"hog {cpu} {what} >/dev/console &" for cpu in range(1, g.machine.cpus))
        deadline = CALLS_DEADLINE_MS if what == "calls" else DEADLINE_MS
        ask = f"races dead {commits} {deadline} {'guests' if messages else 'chain'}"
        g.run(f"({others} sleep 2; exec hog 0 {what} '{ask}' >/dev/console) >/dev/null 2>&1 </dev/null &")
        for _ in range(g.machine.cpus):
            g.wait_console("hog: runs", 120)
        how = at_messages(g, messages, commits, LIMIT) if messages else at_kicks(g, commits, LIMIT * g.slow)
        return judged(t, g, how)


def register_runaway():
    for what in ("spin", "calls"):
        for cpus in (2, 4):

            def run(t, what=what, cpus=cpus):
                all_made(t, 100, runaway(t, what, 100, cpus=cpus))

            run.__doc__ = f"a runaway FIFO-99 thread on each of {cpus} CPUs ({what}): 100 commits by the core alone"
            test(full=True, name=f"agentless-runaway-{what}-{cpus}")(run)

    def bochs(t):
        all_made(t, 20, runaway(t, "spin", 20, cpus=2, **BOCHS))

    bochs.__doc__ = "a runaway FIFO-99 thread on each of 2 CPUs, on EPT: 20 commits by the core alone"
    test(full=True, emulator="bochs", name="agentless-runaway-bochs")(bochs)


register_runaway()
