# SPDX-License-Identifier: Apache-2.0
"""Commits that gather nobody (docs/explanation/orders.md): the hypervisor stops every CPU where it is, and judges. What
may be held is held; what nobody can tell is refused by CPU and address, and nothing changes."""

import json
import os
import re
import socket
import tempfile
import time

from command import FIXES, apply, newleaf, probe, revert
from guest import BUILD, Failure, leaf_path
from modules import SOURCES, built, parameter
from vmtest import test

AUXV = FIXES[1]
FUNCTION = "prctl_set_auxv"
SHORT = "300ms"

ALTERNATE = """
i=0
while [ $i -lt %(rounds)d ]; do
	newleaf apply %(leaf)s --agentless --json 2>/tmp/why | tail -n 1 || exit 1
	newleaf revert %(id)s --agentless --json 2>/tmp/why | tail -n 1 || exit 1
	i=$((i + 1))
done
"""


def alternate(t, g, rounds, pin=""):
    """So many applies and reverts; none may fail, and each says how the CPUs were stopped."""
    script = ALTERNATE % {"leaf": leaf_path(g.machine.kernel, AUXV), "id": AUXV, "rounds": rounds}
    said = g.run(script.replace("newleaf ", f"{pin} newleaf "), timeout=900).splitlines()
    answers = [json.loads(line) for line in said if line.startswith("{")]
    bad = [a for a in answers if a.get("result") != "ok"]
    t.expect(not bad and len(answers) == 2 * rounds, f"{len(bad)} of {len(answers)} failed: {bad[:1]}")
    t.expect(all(a["quiesce"] == "agentless" and a["level"] == "task" for a in answers), f"{answers[:1]}")
    t.expect(all(a["cpus"] == g.machine.cpus for a in answers), f"not all {g.machine.cpus} CPUs were held")
    return sum(a["tries"] for a in answers)


def address(g, function):
    line = g.run(f"grep ' {function}$' /proc/kallsyms").split()
    return int(line[0], 16)


class Planted:
    def __init__(self, g):
        self.g = g
        path = os.path.join(built(g.machine.kernel, sources=os.path.join(SOURCES, "planted")), "planted.ko")
        with open(path, "rb") as f:
            g.put(f.read(), "/tmp/planted.ko")
        g.run("insmod /tmp/planted.ko")
        self.stacks = dict(line.split() for line in g.run(f"cat {parameter('planted', 'stacks')}").splitlines())

    def plant(self, kind, value=0):
        self.g.run(f"echo {value} >{parameter('planted', 'value')}; echo {kind} >{parameter('planted', 'plant')}")

    def none(self):
        self.plant("none")


def blocked(t, g, what, name, who="planted/1", tries=1):
    """Refused by this name, or by that of the deadline when the command's own clock was there first; CPU 1 is named,
    and who is there; nothing changed."""
    before = newleaf(g, "status")["generation"]
    for _ in range(tries):
        answer = newleaf(g, f"apply {leaf_path(g.machine.kernel, AUXV)} --agentless --deadline {SHORT}", code=8)
        t.expect(answer["code"] in (name, "NL_EDEADLINE"), f"{what}: {answer}")
        t.expect(answer["changed"] is False, f"{what}: changed")
        t.expect(any(b["cpu"] == 1 for b in answer["blockers"]), f"{what}: CPU 1 is not named: {answer}")
        t.expect(who in answer["detail"], f"{what}: {who} is not named: {answer}")
    t.expect(newleaf(g, "status")["generation"] == before, f"{what}: another generation")


@test()
def agentless(t):
    """commits that gather nobody, under load"""
    g = t.boot()
    probe(g, AUXV, "VULNERABLE")
    g.run("(while :; do find / -xdev >/dev/null 2>&1; done) & echo $! >/tmp/load.pid; (while :; do :; done) & echo $!")
    tries = alternate(t, g, 20)
    t.note(f"40 commits in {tries} tries")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test()
def agentless_planted(t):
    """beside a CPU that spins with interrupts off or in an interrupt all goes well; refused for whoever stands where
    nobody can tell: each stack of exceptions, a word, a register, slots of probes"""
    g = t.boot(cmdline="isolcpus=1")  # nobody but who is planted there: no process waits for an answer of that CPU's
    probe(g, AUXV, "VULNERABLE")
    p = Planted(g)
    inside = address(g, FUNCTION) + 32
    p.plant("spin")
    t.note(f"interrupts off: 20 commits in {alternate(t, g, 10)} tries")
    p.plant("irq")
    t.note(f"in an interrupt: 20 commits in {alternate(t, g, 10)} tries")
    for kind in ("word", "register", "irq-word"):
        p.plant(kind, inside)
        blocked(t, g, kind, "NL_EPREEMPTED")
    for name, sp in [*p.stacks.items(), ("user", "7ffd00001000")]:
        p.plant("stack", f"0x{sp}")
        blocked(t, g, f"stack {name}", "NL_ESTANDS", "with_stack")
    for kind in ("slot", "detour"):  # last: a probe's end is a while later, and CPU 1 then must take interrupts
        p.plant(kind)
        blocked(t, g, kind, "NL_EPREEMPTED")
    p.none()
    alternate(t, g, 1)
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()
    t.note(f"refused on {len(p.stacks) + 1} stacks")


class Messages:
    """NMIs by message, as a card's: QEMU's test channel writes where a device's MSI goes. An APIC takes them also when
    the guest has switched it off, as a panic does."""

    NMI = 0x400  # delivery mode (SDM vol. 3, 11.11.2)

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def nmi(self, cpu):
        self.socket.sendall(f"writel {0xFEE00000 + (cpu << 12):#x} {self.NMI:#x}\n".encode())
        answer = self.lines.readline().strip()
        if answer != "OK":
            raise Failure(f"no NMI for CPU {cpu}: {answer}")


INSTRUMENT = os.path.join(BUILD, "instrument", "newleaf.efi")
LIMIT = 900  # seconds for all commits of a guest that has ended
ESTANDS, EDEADLINE = 81, 21  # include/newleaf/errors.h


def dead(t, ends, ended, commits, **machine):
    """A guest that ends by this script and says so on the console: the core alone puts a leaf on and takes it off,
    at NMIs from outside. How many commits were made, how many refused, and by what."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "qtest")
        g = t.boot(
            loader=INSTRUMENT, settings=("console com1",),
            more=("-qtest", f"unix:{path},server=on,wait=off", "-qtest-log", "/dev/null"), **machine
        )  # fmt: skip
        g.before_end = None
        apply(g, AUXV)
        revert(g, AUXV)
        Planted(g)
        g.run(f"races dead {commits}; (sleep 2; {ends}) >/dev/null 2>&1 &")
        messages = Messages(path)
        for _ in range(g.machine.cpus if "CPU" in ended else 1):
            g.wait_console(ended, 120)
        made = refused = nmis = lost = 0
        until = time.monotonic() + LIMIT
        while made + refused < commits and time.monotonic() < until:
            messages.nmi(nmis % g.machine.cpus)
            nmis += 1
            try:
                g.wait_console("dead: ", 1)
            except Failure:  # two NMIs that wait at a CPU are one
                lost += 1
            said = g.console()
            made = len(re.findall(r"dead: \d+ of", said))
            refused = len(re.findall(r"dead: refused", said))
        found = re.findall(r"dead: refused \d+, error (\d+), CPU (\d+)", said)
        by = {(int(error), int(cpu)) for error, cpu in found}
        t.note(f"{made} commits, {refused} refused {sorted(by)}, {nmis} NMIs, {lost} merged")
        return made, refused, by


PLANT = "/sys/module/planted/parameters/plant"
PLANTED = r"planted: CPU \d+ ends"
ENDS = {  # what ends it, and what is said last
    "spin": (f"echo all >{PLANT}", PLANTED),
    "halted": (f"echo halt >{PLANT}", PLANTED),
    "panic": ("echo c >/proc/sysrq-trigger", r"end Kernel panic"),
}


def register_dead():
    for name, script in ENDS.items():
        for cpus in (2, 4):

            def run(t, script=script, cpus=cpus):
                made, refused, by = dead(t, *script, 100, cpus=cpus)
                t.expect(made == 100 and not refused, f"{made} made, {refused} refused by {by}")

            run.__doc__ = f"a guest that has ended ({name}), {cpus} CPUs: 100 commits by the core alone, at NMIs"
            test(full=True, name=f"agentless-dead-{name}-{cpus}")(run)


register_dead()


@test(full=True)
def agentless_dead_in_nmi(t):
    """a panic whose other CPU an NMI has stopped: its stack is an exception's, and each of 100 commits names it, but
    for one that the panic's own NMI lets pass before that CPU has it"""
    script, ended = ENDS["panic"]
    made, refused, by = dead(t, f"echo spin >{PLANT}; {script}", ended, 100, cmdline="isolcpus=1")
    t.expect(made <= 1 and made + refused == 100, f"{made} made, {refused} refused")
    t.expect(by <= {(ESTANDS, 1), (EDEADLINE, 1)}, f"by {by}")
