# SPDX-License-Identifier: Apache-2.0
"""Probation in a stock Linux: what is confirmed stays; what nobody confirms is taken back by the hypervisor alone; what
a machine was on when it ended is refused in its next boot, and free in the one after."""

import json
import os
import socket
import tempfile

from command import FIXES, apply, newleaf, probe, refused, revert
from guest import BUILD, leaf_path
from leaves import Leaf, built, signed
from test_orders import Operators
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
APPLIED = 2  # enum nl_leaf_condition
SETTINGS = ("boot-tries 0",)


def on_trial(g, fix, time):
    return newleaf(g, f"apply {leaf_path(g.machine.kernel, fix)} --confirm {time}")


def trial(g, fix):
    return {leaf["id"]: leaf["trial"] for leaf in newleaf(g, "status")["leaves"]}.get(fix)


def await_trial(g, fix, state, seconds=120):
    """Until the command shows that state, in the guest: nobody outside looks at a clock for it."""
    script = f"""end=$(($(cut -d. -f1 /proc/uptime) + {seconds}))
	until newleaf status --json | grep -q '"id":"{fix}",.*"trial":{json.dumps(state)}'; do
		[ $(cut -d. -f1 /proc/uptime) -lt $end ] || exit 1
	done"""
    g.run(script, timeout=4 * seconds)


def trials(g):
    """What the journal has of probation: error and what the leaf was, of each entry."""
    lines = [json.loads(line) for line in g.run("newleaf log --json").splitlines()]
    return [(e["code"], int(e["a"], 16), int(e["b"], 16) != 0) for e in lines if e["event"] == "trial"]


def next_boot(g):
    g.wait_console(r"newleaf: launched", 300)
    g.wait_ready()


def refused_in_this_boot(t, g):
    """It is refused by its name, and by its hash alone: another leaf goes on."""
    refused(g, f"apply {leaf_path(g.machine.kernel, AUXV)}", "NL_ETRIAL", 7)
    t.expect(newleaf(g, "status")["lockouts"] == 1, "status does not tell of the lock-out")
    apply(g, CHMOD)
    revert(g, CHMOD)


def free_in_the_one_after(t, g):
    g.reboot()
    next_boot(g)
    t.expect(newleaf(g, "status")["lockouts"] == 0, "it is locked out still")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")


@test(full=True)
def trial_confirmed(t):
    """on trial and confirmed: it stays; of two the one that is confirmed, and the other is taken back; a reset behind
    that finds nothing to lock out but what was taken back"""
    g = t.boot(settings=SETTINGS)
    said = on_trial(g, AUXV, "600s")
    t.expect(590e9 < said["trial_ns"] <= 600e9, f"it is on trial for {said['trial_ns']} ns")
    said = newleaf(g, "status")["leaves"][0]
    t.expect(said["trial"] == "running" and 0 < said["trial_left_ns"] <= 600e9, f"status says {said}")
    t.expect(newleaf(g, "status")["lockouts"] == 0, "what is on trial is shown as locked out")
    on_trial(g, CHMOD, "10s")
    confirmed = newleaf(g, f"confirm {AUXV}")["leaves"]
    t.expect([leaf["id"] for leaf in confirmed] == [AUXV], f"confirmed: {confirmed}")
    newleaf(g, f"confirm {AUXV}", code=3)
    await_trial(g, CHMOD, "taken-back")
    probe(g, CHMOD, "VULNERABLE")
    probe(g, AUXV, "FIXED")
    refused(g, f"confirm {CHMOD}", "NL_ETRIAL", 7)
    t.expect(
        trials(g) == [("NL_OK", APPLIED, True)] * 2 + [("NL_OK", APPLIED, False), ("NL_ETRIAL", APPLIED + 1, True)],
        f"the journal has {trials(g)}",
    )
    g.check_dmesg()
    g.reboot()
    next_boot(g)
    apply(g, AUXV)
    refused(g, f"apply {leaf_path(g.machine.kernel, CHMOD)}", "NL_ETRIAL", 7)


@test(full=True)
def trial_taken_back(t):
    """not confirmed: taken back by the hypervisor while the guest does something else, refused in this boot and the
    next one, free in the one after; one that a leaf's author wants on trial, too"""
    with tempfile.TemporaryDirectory() as folder:
        g = t.boot(settings=SETTINGS)
        with open(built(OLD, AUXV), "rb") as f:
            leaf = bytearray(Leaf.read(f.read()).file())
        leaf[28:32] = (10).to_bytes(4, "little")  # confirm_s
        g.put(signed(folder, bytes(leaf)), "/tmp/timed.leaf")
        g.run("(while :; do find / -xdev >/dev/null 2>&1; done) & echo $!")
        t.expect(newleaf(g, "apply /tmp/timed.leaf")["trial_ns"] > 9e9, "the author's word is not heeded")
        probe(g, AUXV, "FIXED")
        await_trial(g, AUXV, "taken-back")
        probe(g, AUXV, "VULNERABLE")
        refused(g, "apply /tmp/timed.leaf", "NL_ETRIAL", 7)
        g.check_dmesg()
        g.reboot()
        next_boot(g)
        g.put(signed(folder, bytes(leaf)), "/tmp/timed.leaf")
        refused(g, "apply /tmp/timed.leaf", "NL_ETRIAL", 7)
        g.reboot()
        next_boot(g)
        g.put(signed(folder, bytes(leaf)), "/tmp/timed.leaf")
        newleaf(g, "apply /tmp/timed.leaf")
        newleaf(g, "confirm")
        probe(g, AUXV, "FIXED")


@test(full=True)
def trial_reset(t):
    """a machine that is reset while a leaf is on trial: refused in the next boot, free in the one after"""
    path = os.path.join(BUILD, f"monitor.{os.getpid()}.{len(t.guests)}")
    g = t.boot(settings=SETTINGS, more=("-monitor", f"unix:{path},server=on,wait=off"))
    on_trial(g, AUXV, "600s")
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(path)
        monitor.sendall(b"system_reset\n")
        next_boot(g)
    os.unlink(path)
    refused_in_this_boot(t, g)
    free_in_the_one_after(t, g)


@test(full=True)
def trial_panic(t):
    """a guest that panics while a leaf is on trial: refused in the next boot, free in the one after"""
    g = t.boot(settings=SETTINGS)
    on_trial(g, AUXV, "600s")
    g.send("echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger")
    g.wait_console(r"Kernel panic", 60)
    next_boot(g)
    refused_in_this_boot(t, g)
    free_in_the_one_after(t, g)


@test(full=True)
def trial_clock(t):
    """guest root sets a clock while a leaf is on trial: its time has come"""
    t.sets_clocks = True
    g = t.boot(settings=SETTINGS)
    on_trial(g, AUXV, "600s")
    g.run("modprobe msr 2>/dev/null; dd if=/dev/zero of=/dev/cpu/0/msr bs=8 seek=2 count=1 conv=notrunc 2>/dev/null")
    await_trial(g, AUXV, "taken-back")
    probe(g, AUXV, "VULNERABLE")


def by_orders(t, first, second, **machine):
    """By orders of two operators: for `first` milliseconds and confirmed, for `second` and taken back."""
    with tempfile.TemporaryDirectory() as folder:
        o = Operators(folder)
        g = t.boot(loader=o.image, **machine)
        g.run("(while :; do :; done) & :")  # an idle guest's time would pass with Bochs while operators sign
        leaf = built(OLD, AUXV)
        o.challenge(g)
        o.order(g, "apply", leaf, "--confirm-ms", str(first))
        newleaf(g, "carry /tmp/order")
        apply(g, AUXV)
        t.expect(trial(g, AUXV) == "running", "an order has put it on, and it is on no trial")
        refused(g, f"confirm {AUXV}", "NL_EPOLICY", 6)
        o.ordered(g, "confirm", leaf)
        t.expect(trial(g, AUXV) is None, "an order has not confirmed it")
        o.ordered(g, "revert", leaf)
        revert(g, AUXV)
        o.challenge(g)
        o.order(g, "apply", leaf, "--confirm-ms", str(second), "--agentless")
        newleaf(g, "carry /tmp/order")  # its leaf is known
        probe(g, AUXV, "FIXED")
        o.ordered(g, "freeze")
        await_trial(g, AUXV, "taken-back")
        probe(g, AUXV, "VULNERABLE")
        g.check_dmesg()


@test()
def trial_orders(t):
    """by orders of two operators: what they put on is on trial, guest root confirms nothing, and an order confirms"""
    by_orders(t, 15000, 10000)


@test(full=True, emulator="bochs")
def trial_bochs(t):
    """the same on EPT, one CPU"""
    by_orders(t, 120000, 60000, emulator="bochs", cpus=1, memory=512, cmdline="quiet")
