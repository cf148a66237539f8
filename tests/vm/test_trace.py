# SPDX-License-Identifier: Apache-2.0
"""The guest's own patching of its text beside ours: ftrace, kprobes at +0 and +5, static keys on a patched page;
before, during and after an apply. Either both work, or the answer is a named refusal; never a crash, never a lost
patch."""

import os

from command import FIXES, apply, newleaf, probe, refused, revert
from guest import leaf_path
from leaves import make
from vmtest import test

CHMOD, AUXV = FIXES
TRACING = "/sys/kernel/tracing"
FUNCTION = "prctl_set_auxv"


def hits(g, name):
    """How often a kprobe event was hit, from the kernel's own count."""
    line = g.run(f"grep ' {name} ' {TRACING}/kprobe_profile || true").split()
    return int(line[1]) if line else 0


def add_probe(g, offset, code=0):
    g.run(f"echo 'p:nl/at{offset} {FUNCTION}+{offset}' >>{TRACING}/kprobe_events", code=code)


def arm(g, offset, on):
    g.run(f"echo {int(on)} >{TRACING}/events/nl/at{offset}/enable")


def remove_probe(g, offset):
    g.run(f"echo '-:nl/at{offset}' >>{TRACING}/kprobe_events")


@test()
def ftrace(t):
    """the function tracer on the patched function before, during and after"""
    g = t.boot()

    def trace(on):
        # The filter is only ever empty while no tracer runs: empty means all 40,000 functions.
        if on:
            g.run(f"cd {TRACING}; echo {FUNCTION} >set_ftrace_filter; echo function >current_tracer")
        else:
            g.run(f"cd {TRACING}; echo nop >current_tracer; echo >set_ftrace_filter")

    def traced(expected, state):
        g.run(f"echo >{TRACING}/trace")
        probe(g, AUXV, state)
        seen = FUNCTION in g.run(f"cat {TRACING}/trace")
        t.expect(seen == expected, f"{FUNCTION} was {'' if seen else 'not '}traced while {state}")

    for order in ("before", "during"):
        if order == "before":
            trace(True)
            traced(True, "VULNERABLE")
            apply(g, AUXV)
        else:
            apply(g, AUXV)
            traced(False, "FIXED")
            trace(True)
        traced(True, "FIXED")
        trace(False)
        traced(False, "FIXED")
        trace(True)
        traced(True, "FIXED")
        revert(g, AUXV)
        traced(True, "VULNERABLE")
        trace(False)
        traced(False, "VULNERABLE")
    g.check_dmesg()


@test()
def kprobe_at_0(t):
    """a kprobe at the function's first byte: works with the leaf, before, during and after"""
    g = t.boot()
    add_probe(g, 0)
    arm(g, 0, True)
    probe(g, AUXV, "VULNERABLE")
    before = hits(g, "at0")
    t.expect(before > 0, "the kprobe was not hit without a leaf")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    t.expect(hits(g, "at0") > before, "the kprobe was lost by the apply")
    arm(g, 0, False)
    probe(g, AUXV, "FIXED")
    arm(g, 0, True)
    probe(g, AUXV, "FIXED")
    before = hits(g, "at0")
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    t.expect(hits(g, "at0") > before, "the kprobe was lost by the revert")
    arm(g, 0, False)
    remove_probe(g, 0)
    apply(g, AUXV)
    add_probe(g, 0)
    arm(g, 0, True)
    probe(g, AUXV, "FIXED")
    t.expect(hits(g, "at0") > 0, "a kprobe set after the apply was not hit")
    arm(g, 0, False)
    remove_probe(g, 0)
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test()
def kprobe_at_5(t):
    """a kprobe inside the site: armed or only defined, apply and revert are refused by name and nothing is lost"""
    g = t.boot()
    leaf = leaf_path(g.machine.kernel, AUXV)
    add_probe(g, 5)
    for armed in (True, False):
        arm(g, 5, armed)
        refused(g, f"apply {leaf}", ("NL_EPROBED", "NL_EBYTES"), (5, 7))
        probe(g, AUXV, "VULNERABLE")
    t.expect(hits(g, "at5") > 0, "the armed kprobe was not hit")
    remove_probe(g, 5)
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    # Set while the leaf is applied: the guest decodes and moves our jump. It must stay FIXED, and the revert must wait
    # for its end.
    add_probe(g, 5, code=(0, 1))
    if "at5" in g.run(f"cat {TRACING}/kprobe_events"):
        arm(g, 5, True)
        probe(g, AUXV, "FIXED")
        t.note(f"a kprobe set at +5 of the applied leaf was hit {hits(g, 'at5')} times")
        refused(g, f"revert {AUXV}", ("NL_EPROBED", "NL_EBYTES"), (5, 7))
        probe(g, AUXV, "FIXED")
        arm(g, 5, False)
        probe(g, AUXV, "FIXED")
        refused(g, f"revert {AUXV}", ("NL_EPROBED", "NL_EBYTES"), (5, 7))
        remove_probe(g, 5)
    else:
        t.note("the guest itself refuses a kprobe at +5 of the applied leaf")
    probe(g, AUXV, "FIXED")
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    revert(g, AUXV)
    g.check_dmesg()


@test()
def text_writes_on_page(t):
    """ftrace patches every other function on the patched page, before, during and after: nothing of it is lost"""
    g = t.boot()
    # All traceable functions of the page that holds the patched one (busybox awk has no 64-bit integers: cut the
    # address as text).
    page = g.run(f"grep -w {FUNCTION} /proc/kallsyms | cut -c1-13").strip()
    g.run(f"grep -i '^{page}' /proc/kallsyms | awk '{{print $3}}' >/tmp/on-page")
    g.run(f"cut -d' ' -f1 {TRACING}/available_filter_functions >/tmp/traceable")
    names = g.run("grep -xFf /tmp/on-page /tmp/traceable").split()
    names = [n for n in names if n != FUNCTION]
    t.expect(names, "no traceable neighbour on the page")
    t.note(f"neighbours on the page: {' '.join(names)}")

    def trace(on):
        if on:
            g.run(
                f"cd {TRACING}; for f in {' '.join(names)}; do echo $f >>set_ftrace_filter; done;"
                " echo function >current_tracer"
            )
        else:
            g.run(f"cd {TRACING}; echo nop >current_tracer; echo >set_ftrace_filter")
        count = g.run(f"grep -c . {TRACING}/enabled_functions || true").strip()
        t.expect(
            int(count) == (len(names) if on else 0), f"{count} functions are traced, not {len(names) if on else 0}"
        )

    trace(True)
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    trace(False)
    probe(g, AUXV, "FIXED")
    trace(True)
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    trace(False)
    apply(g, AUXV)
    trace(True)
    probe(g, AUXV, "FIXED")
    trace(False)
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()  # ftrace compares what it finds with what it wrote: a lost byte is a WARNING


# Replaces umask(2) by one that answers 0123: its page also holds prctl(2) with static branches of the mmap_lock
# tracepoints.
UMASK_RECIPE = """id test-umask
version 1
description "a test of writes to a patched page: umask always says 0123"
consistency mixable
replace __x64_sys_umask with test-umask.c allow old
"""
UMASK_BODY = """// SPDX-License-Identifier: GPL-2.0-only
/* A body for a test: answers a constant, touches nothing. */
struct pt_regs;
long __x64_sys_umask(const struct pt_regs *regs);
long __x64_sys_umask(const struct pt_regs *regs)
{
	(void)regs;
	return 0123;
}
"""


def put_umask(g):
    """The leaf in the guest; its path there."""
    with open(os.path.join(g.scratch, "test-umask.c"), "w", encoding="utf-8") as f:
        f.write(UMASK_BODY)
    with open(make(g.scratch, g.machine.kernel, UMASK_RECIPE), "rb") as f:
        g.put(f.read(), "/tmp/test-umask.leaf")
    return "/tmp/test-umask.leaf"


@test()
def static_keys(t):
    """static keys whose branches lie on the patched page are flipped before, during and after: no flip is lost, the
    leaf holds"""
    g = t.boot()
    put_umask(g)
    wanted = "__(start|stop)___jump_table|__x64_sys_umask|__tracepoint_mmap_lock_[a-z_]*"
    lines = g.run(f"grep -E ' ({wanted})$' /proc/kallsyms | cut -d' ' -f1,3").splitlines()
    symbols = dict(reversed(line.split()) for line in lines)
    # struct tracepoint begins with its name; the static key is its second field.
    keys = "|".join(
        f"{int(address, 16) + 8:016x}" for name, address in symbols.items() if name.startswith("__tracepoint_")
    )
    table = f"jumplabels {symbols['__start___jump_table']} {symbols['__stop___jump_table']}"
    page = symbols["__x64_sys_umask"][:13]

    def flip(on):
        g.run(f"echo {int(on)} >{TRACING}/events/mmap_lock/enable", timeout=60)
        branches = g.run(f"{table} | grep '^{page}' | grep -E '{keys}'", timeout=60).splitlines()
        t.expect(len(branches) > 0, "no static branch on the page: this kernel wants another function for this test")
        wrong = [b for b in branches if not b.endswith(f" {int(on)}")]
        t.expect(not wrong, f"flipped to {int(on)}, but: {wrong}")
        return len(branches)

    def says(mask):
        found = g.run("umask").strip()
        t.expect(found == mask, f"umask says {found}, not {mask}")

    normal = g.run("umask").strip()
    t.note(f"{flip(True)} static branches on the page of __x64_sys_umask")
    newleaf(g, "apply /tmp/test-umask.leaf")
    says("0123")
    flip(True)
    flip(False)
    says("0123")
    flip(True)
    newleaf(g, "revert test-umask")
    says(normal)
    flip(True)  # what was flipped while the leaf was applied is still flipped
    flip(False)
    newleaf(g, "apply /tmp/test-umask.leaf")
    says("0123")
    flip(False)
    flip(True)
    flip(False)
    newleaf(g, "revert test-umask")
    says(normal)
    flip(False)
    g.check_dmesg()
