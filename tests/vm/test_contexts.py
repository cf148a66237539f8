# SPDX-License-Identifier: Apache-2.0
"""Where a CPU of a stock Linux really stands when a commit that gathers nobody stops it (docs/explanation/orders.md):
QEMU's debugger stops it before one instruction, an NMI brings it out of the guest there, and the core (the instrument's
build, tests/instrument/dead.c) tries to commit. So nothing is planted but the moment: the instruction, the stack and
the registers are those that the kernel has when it comes by. Each must be refused by name, with CPU and address, as
often as it is tried; beside them, where all is well, each commit is made. CONTEXTS=NAME,... chooses some."""

import os
import re
import tempfile
import time

from command import FIXES, apply, revert
from gdbstub import Stub
from guest import Failure
from planted import Planted, address
from test_agentless_dead import EDEADLINE, ESTANDS, INSTRUMENT, Messages
from vmtest import test

AUXV = FIXES[1]
EPREEMPTED = 34  # include/newleaf/errors.h
DEADLINE_MS = 100  # of the guest's time, which stands still while its CPUs do
LIMIT = 240
NOBODY = 2**32 - 1
TRIED = re.compile(r"dead: refused \d+, error (\d+), CPU (\d+) at (\w+), pid (\d+)\n")


class Standing:
    """A guest whose CPU 0 can be stopped before an instruction; CPU 1 has nothing to do."""

    def __init__(self, t):
        self.t = t
        self.folder = tempfile.TemporaryDirectory()
        self.qtest, self.gdb = (os.path.join(self.folder.name, name) for name in ("qtest", "gdb"))
        more = (*Messages.options(self.qtest), *Stub.options(self.gdb))
        self.g = t.boot(loader=INSTRUMENT, settings=("console com1",), cmdline="isolcpus=1", more=more)
        self.messages = Messages(self.qtest)
        apply(self.g, AUXV)
        revert(self.g, AUXV)
        self.planted = Planted(self.g)
        self.stub = self.where = None

    def symbol(self, name, offset=0):
        return address(self.g, name) + offset

    def watch(self, where, load):
        """The load runs on CPU 0 from now on, and whoever comes to that address stops."""
        self.g.run(f"(taskset 1 sh -c 'while :; do {load}; done' >/dev/null 2>&1) & echo $! >/tmp/load")
        self.stub, self.where = Stub(self.gdb), where
        self.stub.breakpoint(where, True)
        self.stub.go()

    def unwatch(self):
        self.stub.interrupt()
        self.stub.breakpoint(self.where, False)
        self.stub.close()
        self.g.run("pkill -P $(cat /tmp/load); kill $(cat /tmp/load)", code=(0, 1))

    def pass_by(self, cpu):
        self.stub.breakpoint(self.where, False)
        self.stub.step(cpu)
        self.stub.breakpoint(self.where, True)

    def find(self, where, load, until):
        """The next address behind that one at which until(registers a step before, now) is true for CPU 0."""
        self.watch(where, load)
        cpu = None
        while cpu != 0:
            cpu = self.stub.stopped(LIMIT)
            if cpu is None:
                raise Failure(f"nobody comes to {where:x}")
            if cpu:
                self.pass_by(cpu)
                self.stub.go()
        before = now = self.stub.registers(0)
        self.stub.breakpoint(where, False)
        for _ in range(2000):
            self.stub.step(0)
            before, now = now, self.stub.registers(0)
            if until(before, now):
                break
        else:
            raise Failure(f"behind {where:x} nothing is as it shall be")
        self.stub.breakpoint(where, True)
        self.unwatch()
        return now["rip"]

    def at(self, where, load, times, named=None, meant=lambda stub: True):
        """CPU 0 takes NMIs before the instruction at this address until so many commits are made or refused.
        meant(stub): is it the right moment? How many were made, and what was refused: (error, CPU, address, pid). Not
        counted is what the host's load refuses: the deadline came before the first try, or another CPU too late in the
        last; nor an NMI that came late, to another place where nobody can tell."""
        self.g.run(f"newleaf revert {AUXV}", code=(0, 7))  # the last NMI of a context before may have put it on
        self.g.run(f"races dead 1000000 {DEADLINE_MS} ours")
        begun, until = len(self.g.console()), time.monotonic() + LIMIT
        made, refused, nmis = 0, [], 0
        self.watch(where, load)
        while made + len(refused) < times:
            cpu = self.stub.stopped(0.5)
            said = self.g.console()[begun:]
            made = len(re.findall(r"dead: \d+ of", said))
            refused = [(int(e), int(c), int(a, 16), int(p)) for e, c, a, p in TRIED.findall(said)]
            refused = [r for r in refused if r[0] != EDEADLINE and (r[0] != ESTANDS or named in (None, r[1:3]))]
            if time.monotonic() > until:
                raise Failure(f"{made} made, {len(refused)} refused in {LIMIT} s, {nmis} NMIs:\n{said[-2000:]}")
            if cpu is None:
                continue
            if cpu == 0 and meant(self.stub):
                self.messages.nmi(cpu)
                nmis += 1
            else:
                self.pass_by(cpu)
            self.stub.go()
        self.unwatch()
        self.g.run("races dead 0 1")
        return made, refused, nmis

    def refused(self, what, where, load, error, times, who=(0,), **more):
        """As often as it is tried, by this name; named is CPU 0 at this address, or `who` = (CPU, address)."""
        begun = time.monotonic()
        expected = (error, who[0], who[-1] if len(who) > 1 else where)
        made, refused, nmis = self.at(where, load, times, expected[1:], **more)
        wrong = [(e, c, hex(a)) for e, c, a, _ in refused if (e, c, a) != expected]
        right = (*expected[:2], hex(expected[2]))
        self.t.expect(refused and not made and not wrong, f"{what}: {made} made, refused as {wrong}, not {right}")
        self.t.note(f"{what}: {len(refused)} of {times} refused in {nmis} tries, {time.monotonic() - begun:.0f} s")


BUSY = "find /proc/self /sys/kernel >/dev/null 2>&1"  # system calls, faults, switches, interrupts
AUXV_CALL = f"repro {AUXV}"
OPEN = "do_sys_openat2"
TRACING = "/sys/kernel/tracing"


def first_of_call(s, times):
    """the user's stack, and no instruction of the entry done"""
    s.refused("first instruction of a system call", s.symbol("entry_SYSCALL_64"), BUSY, ESTANDS, times)


def in_entry(s, times):
    """the task's own stack: the place alone tells"""
    s.refused("entry", s.symbol("entry_SYSCALL_64_after_hwframe"), BUSY, ESTANDS, times)


def entry_stack(s, times):
    """what an exception finds that comes from CPL 3: the CPU's entry stack"""
    s.refused("entry stack", s.symbol("asm_exc_page_fault"), BUSY, ESTANDS, times)


def in_noinstr(s, times):
    s.refused("noinstr", s.symbol("exc_page_fault"), BUSY, ESTANDS, times)


def switch_begun(s, times):
    """the queue names the next task, the stack is the last one's"""
    s.refused("switch, on the old stack", s.symbol("__switch_to_asm"), BUSY, ESTANDS, times)


def switch_turned(s, times):
    """on the next task's stack, so that the place alone tells"""
    where = s.find(
        s.symbol("__switch_to_asm"), BUSY, lambda before, now: abs(now["rsp"] - before["rsp"]) > 2048
    )  # fmt: skip
    s.refused("switch, on the new stack", where, BUSY, ESTANDS, times)


def switch_to(s, times):
    s.refused("__switch_to", s.symbol("__switch_to"), BUSY, ESTANDS, times)


def not_finished(s, times):
    """who was switched from, stands inside what is replaced, and says still that he has a CPU"""
    inside = s.symbol("prctl_set_auxv", 32)
    s.planted.plant("sleep", inside)
    thread = int(s.g.run("cat /sys/module/planted/parameters/thread"), 16)
    s.refused(
        "switched from, not finished", s.symbol("finish_task_switch.isra.0"), "usleep 1000", EPREEMPTED, times,
        who=(NOBODY, inside), meant=lambda stub: stub.registers(0)["rdi"] == thread,
    )  # fmt: skip
    s.planted.none()


def in_firmware(s, times):
    """the firmware's services, below the kernel, on a thread's stack"""
    variable = s.g.run("ls /sys/firmware/efi/efivars/* | head -n 1").strip()
    load = f"cat {variable} >/dev/null"
    where = s.find(s.symbol("__efi_call"), load, lambda _, now: now["rip"] < 0xFFFFFFFF80000000)
    s.refused("the firmware's services", where, load, ESTANDS, times)


def in_site(s, times):
    """inside the bytes that are patched, or behind them in the function"""
    where = s.symbol("prctl_set_auxv", 7)
    s.refused("inside the site", where, AUXV_CALL, EPREEMPTED, times)


def in_rep(s, times):
    """in the middle of a REP in the replaced function"""
    where = s.find(
        s.symbol("prctl_set_auxv"), AUXV_CALL, lambda before, now: now["rip"] == before["rip"] and now["rcx"]
    )  # fmt: skip
    s.refused(
        "REP string", where, AUXV_CALL, EPREEMPTED, times, meant=lambda stub: 0 < stub.registers(0)["rcx"] < 0x30
    )


def probed(s, what):
    s.g.run(f"echo '{what}' >{TRACING}/kprobe_events && echo 1 >{TRACING}/events/kprobes/enable")


def not_probed(s):
    s.g.run(f"echo 0 >{TRACING}/events/kprobes/enable; until echo >{TRACING}/kprobe_events; do usleep 20000; done")


def in_slot(s, times):
    """the copy of an instruction that is probed"""
    s.g.run("sysctl -qw debug.kprobes-optimization=0")
    probed(s, f"p:nl {OPEN}+5")
    s.refused("a probe's slot", s.symbol("kprobe_insn_page"), BUSY, EPREEMPTED, times)
    not_probed(s)
    s.g.run("sysctl -qw debug.kprobes-optimization=1")


def in_detour(s, times):
    """the copy to which an optimised probe jumps"""
    probed(s, f"p:nl {OPEN}+5")
    s.g.run("until grep -q OPTIMIZED /sys/kernel/debug/kprobes/list; do usleep 20000; done")
    where = s.find(s.symbol(OPEN), BUSY, lambda _, now: now["rip"] >= 0xFFFFFFFFC0000000)
    s.refused("an optimised probe's detour", where, BUSY, EPREEMPTED, times)
    not_probed(s)


def kretprobe(s, times):
    """a return address is a tracer's: on the stack, and where the CPU is"""
    probed(s, f"r:nl {OPEN}")
    trampoline = s.symbol("arch_rethook_trampoline")
    s.refused(
        "kretprobe's return address", s.symbol("do_filp_open"), ": </proc/uptime", EPREEMPTED, times,
        who=(0, trampoline),
    )  # fmt: skip
    s.refused("kretprobe's trampoline", trampoline, BUSY, EPREEMPTED, times)
    not_probed(s)


def graph(s, times):
    s.g.run(f"cd {TRACING}; echo {OPEN} >set_ftrace_filter; echo function_graph >current_tracer")
    s.refused("the graph tracer's trampoline", s.symbol("return_to_handler"), BUSY, EPREEMPTED, times)
    s.g.run(f"cd {TRACING}; echo nop >current_tracer; echo >set_ftrace_filter")


def all_well(s, times):
    """C code on the task's stack: each commit is made"""
    made, refused, nmis = s.at(s.symbol(OPEN), BUSY, times)
    s.t.expect(made >= times - len(refused) and made, f"all well: {made} made, {refused} refused")
    s.t.note(f"all well: {made} made, {len(refused)} refused, in {nmis} tries")


CONTEXTS = {
    f.__name__.replace("_", "-"): f
    for f in (
        first_of_call, in_entry, entry_stack, in_noinstr, switch_begun, switch_turned, switch_to, not_finished,
        in_firmware, in_site, in_rep, in_slot, in_detour, kretprobe, graph, all_well,
    )
}  # fmt: skip
CHOSEN = list(filter(None, os.environ.get("CONTEXTS", "").split(",")))


@test(full=True)
def agentless_standing(t):
    """CPUs that really stand where nobody can tell, or in what is replaced: each try is refused by name"""
    s = Standing(t)
    for name in CHOSEN or CONTEXTS:
        CONTEXTS[name](s, 3)


@test(full=True)
def agentless_standing_site(t):
    """a CPU inside the bytes of a site: each of 100 commits names it, and nothing changes"""
    in_site(Standing(t), 100)
