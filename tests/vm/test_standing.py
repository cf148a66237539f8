# SPDX-License-Identifier: Apache-2.0
"""Standing orders in a stock Linux: carried out by the core at each boot, whatever guest root may and does; floors,
keys and boots that do not finish."""

import datetime
import hashlib
import json
import os
import re
import struct
import subprocess
import tempfile

from command import FIXES, newleaf, probe
from leaves import author, built, make
from records import policy_record
from test_orders import Operators
from test_state import Lists, State, STATE
from test_stock import OLD
from test_trial import await_trial, trial
from guest import BUILD
from vmtest import test

AUXV = FIXES[1]
STANDING, KEYS, AGENTLESS = 2, 4, 8
CONFIRM = 4  # guest_may
BEGINS = '''id begins
version 1
description "a test: the function in which the kernel's first process begins its first program"
consistency strict
transplant kernel_init
'''
PLACE = struct.Struct("<4096sQ64Q")  # struct nl_order_place


class Standing(Operators):
    """Operators whose orders are in the places of a machine's EFI partition; the third is not the image's."""

    def __init__(self, folder, guest_may=0):
        super().__init__(folder)
        author("key", "new", "third", "--role", "operator", "-o", folder)
        self.variables, self.places = self.path("vars"), {}
        policy = self.path("policy")
        with open(policy, "wb") as f:
            f.write(policy_record(guest_may=guest_may, operators=2, order_may=STANDING | KEYS | AGENTLESS))
        subprocess.run(["objcopy", f"--update-section=.nlpol={policy}", self.image], check=True)

    def name_machine(self, t):
        """Its first boot, which makes it a name."""
        g = self.boot(t)
        said = newleaf(g, "status")
        none = {"epoch": 0, "floor": 0, "error": None, "carried": None}
        t.expect(said["orders"]["standing"] == none, f"of a machine that never had one: {said['orders']}")
        self.machine = said["machine_id"]
        newleaf(g, "alive")
        g.poweroff()

    def signed(self, epoch, *leaves, words=(), by=("first", "second")):
        """The order's file, and what lies in a place."""
        out = self.path(f"{epoch}.nlo")
        author("order", "new", "sync", *leaves, "--machine", self.machine, "--epoch", str(epoch), "--agentless",
               *words, "-o", out)  # fmt: skip
        for name in by:
            author("order", "sign", out, "--sign", self.path(name + ".pem"))
        with open(out, "rb") as f:
            order = f.read()
        files = []
        for leaf in leaves:
            with open(leaf, "rb") as f:
                files.append(f.read())
        files.sort(key=lambda b: hashlib.sha256(b[: struct.unpack_from("<I", b, 16)[0]]).digest())
        at, where, body = PLACE.size, [], b""
        for b in files:
            where += [at + len(body), len(b)]
            body += b + bytes(-len(b) % 8)
        return PLACE.pack(order, len(order), *where, *[0] * (64 - len(where))) + body

    def put(self, place, content):
        path = self.path(f"place-{place}")
        self.places.pop(place, None)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content)
            self.places[place] = f"{path}:/EFI/newleaf/order-{place}.nlo"

    def boot(self, t, *files, settings=(), **machine):
        return t.boot(loader=self.image, variables=self.variables, files=(*self.places.values(), *files),
                      settings=("console com1", *settings), **machine)  # fmt: skip

    def state(self):
        """Epoch, and up to which they are tried."""
        return struct.unpack_from("<QQ", State(self.variables).raw, STATE.size + 32 * 40)


def in_force(t, g, **expected):
    """What status says of it, when it is carried out or given up."""
    for _ in range(20):
        said = newleaf(g, "status")["orders"]["standing"]
        if said["carried"] != "NL_AGAIN":
            break
    t.expect(said == said | expected, f"expected {expected}, found {said}")


def before_programs(t, g):
    """It was on before the kernel executed its first program: by the journal's dates since the kernel was found, which
    was before it started other CPUs, and by the kernel's own clock."""
    dates = {}
    for line in g.run("newleaf log --json").splitlines():
        entry = json.loads(line)
        dates[entry["event"]] = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
    took = (dates["commit"] - dates["kernel"]).total_seconds()
    dmesg = g.run("dmesg")
    others, first = (float(re.search(r"\[ *([0-9.]+)\] " + what, dmesg).group(1))
                     for what in ("smp: Bringing up secondary CPUs", r"Run \S+ as init process"))  # fmt: skip
    t.expect(0 < took < first - others, f"on after {took} s; other CPUs after {others}, a program after {first}")
    t.note(f"on {took:.1f} s after its kernel was found; the first program {first:.1f} s after that began")


@test()
def standing(t):
    """a standing order by two operators, in a place of the EFI partition: its leaf is on at each boot, by no hand of
    the guest, also after reboot; a newer one that power cut off does not count, an older one is none, and a machine
    that misses it says so"""
    with tempfile.TemporaryDirectory() as folder:
        o = Standing(folder)
        o.name_machine(t)
        first = o.signed(5, built(OLD, AUXV))
        o.put(0, first)
        newer = o.signed(6, built(OLD, AUXV))
        o.put(1, newer[: len(newer) - 100])
        g = o.boot(t)
        in_force(t, g, epoch=5, floor=5, error="NL_EUNKNOWN_LEAF", carried="NL_OK")
        probe(g, AUXV, "FIXED")
        before_programs(t, g)
        newleaf(g, "alive")
        g.reboot()
        g.wait_console(r"newleaf: launched", 240)
        g.wait_ready()
        in_force(t, g, epoch=5, floor=5, error="NL_EUNKNOWN_LEAF", carried="NL_OK")
        probe(g, AUXV, "FIXED")
        g.check_dmesg()
        newleaf(g, "alive")
        g.poweroff()
        t.expect(o.state() == (5, 0), f"the machine remembers {o.state()}")
        o.put(0, o.signed(4, built(OLD, AUXV)))
        o.put(1, None)
        g = o.boot(t)
        in_force(t, g, epoch=0, floor=5, error="NL_EEPOCH", carried=None)
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, "alive")
        g.poweroff()


@test()
def standing_first(t):
    """no program runs before a standing order is carried out: a leaf that replaces what the first one is begun in can
    be put on only when that program has left the kernel, and is on before its first instruction"""
    with tempfile.TemporaryDirectory() as folder:
        o = Standing(folder)
        o.name_machine(t)
        o.put(0, o.signed(5, make(folder, OLD, BEGINS)))
        g = o.boot(t, cmdline="rdinit=/nl/first")
        in_force(t, g, epoch=5, error=None, carried="NL_OK")
        first = int(g.run("echo $FIRST_TSC"), 16)
        entries = [json.loads(line) for line in g.run("newleaf log --json").splitlines()]
        on, = [e["tsc"] for e in entries if e["event"] == "commit"]
        t.expect(on < first, f"it was on {on - first:,} ticks behind a program's first instruction")
        held = sum(c["count"]["exception"] for c in newleaf(g, "exits")["cpus"])
        t.expect(held, "nobody was held back")
        t.note(f"on {first - on:,} ticks before a program's first instruction; page faults that exited: {held}")
        g.check_dmesg()
        newleaf(g, "alive")
        g.poweroff()


@test(full=True)
def standing_trial(t):
    """an order that wants its leaves confirmed at each boot: confirmed they stay; taken back they are out of the next
    boot, which says so, and on trial again in the one after"""
    with tempfile.TemporaryDirectory() as folder:
        o = Standing(folder, CONFIRM)
        o.name_machine(t)
        o.put(0, o.signed(5, built(OLD, AUXV), words=("--confirm-ms", "600000")))
        g = o.boot(t)
        in_force(t, g, epoch=5, error=None, carried="NL_OK")
        t.expect(trial(g, AUXV) == "running", f"not on trial: {trial(g, AUXV)}")
        newleaf(g, f"confirm {AUXV}")
        t.expect(trial(g, AUXV) is None, f"confirmed, and {trial(g, AUXV)}")
        newleaf(g, "alive")
        g.poweroff()
        o.put(1, o.signed(6, built(OLD, AUXV), words=("--confirm-ms", "10000")))
        g = o.boot(t)
        await_trial(g, AUXV, "taken-back")
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, "alive")
        g.reboot()
        g.wait_console(r"newleaf: launched", 240)
        g.wait_ready()
        in_force(t, g, epoch=6, error=None, carried="NL_ETRIAL")
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, "alive")
        g.reboot()
        g.wait_console(r"newleaf: launched", 240)
        g.wait_ready()
        in_force(t, g, epoch=6, error=None, carried="NL_OK")
        await_trial(g, AUXV, "taken-back")
        g.check_dmesg()
        newleaf(g, "alive")


@test(full=True)
def standing_unfinished(t):
    """a boot with a standing order that does not finish is the last one with it, until one of a higher epoch comes"""
    with tempfile.TemporaryDirectory() as folder:
        o = Standing(folder)
        o.name_machine(t)
        o.put(0, o.signed(5, built(OLD, AUXV)))
        g = o.boot(t)
        in_force(t, g, epoch=5, carried="NL_OK")
        g.poweroff()
        g = o.boot(t)
        in_force(t, g, epoch=0, floor=5, error="NL_ETRIAL")
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, "alive")
        g.poweroff()
        t.expect(o.state() == (5, 5), f"the machine remembers {o.state()}")
        o.put(1, o.signed(6, built(OLD, AUXV)))
        g = o.boot(t)
        in_force(t, g, epoch=6, floor=6, error=None, carried="NL_OK")
        probe(g, AUXV, "FIXED")
        newleaf(g, "alive")
        g.poweroff()


@test(full=True)
def standing_bricks(t):
    """a kernel that panics with a standing order's leaf on boots without it the second time, and says so"""
    with tempfile.TemporaryDirectory() as folder:
        o = Standing(folder)
        o.name_machine(t)
        o.put(0, o.signed(5, built(OLD, AUXV)))
        g = o.boot(t)
        in_force(t, g, epoch=5, carried="NL_OK")
        probe(g, AUXV, "FIXED")
        g.before_end = None
        g.send("echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger")
        g.wait_console(r"Kernel panic", 60)
        g.wait_console(r"newleaf: launched", 240)
        g.wait_ready()
        in_force(t, g, epoch=0, floor=5, error="NL_ETRIAL")
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, "alive")
        g.poweroff()
        g = o.boot(t)
        in_force(t, g, epoch=0, floor=5, error="NL_ETRIAL")
        newleaf(g, "alive")


@test(full=True)
def standing_keys(t):
    """operators by order: who was distrusted signs no more, whom he named does; a list that revokes one who has
    signed the order in force makes it void"""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "lists"))
        o, lists = Standing(folder), Lists(os.path.join(folder, "lists"))
        keys = o.path("all")
        public = [o.path(name + ".pub") for name in ("first", "second", "lists/revoker")]
        author("key", "image", os.path.join(BUILD, "keys", "demo.pub"), *public, "-o", keys)
        subprocess.run(["objcopy", f"--update-section=.nlkeys={keys}", o.image], check=True)
        o.name_machine(t)
        words = ("--trust", o.path("third.pub"), "--distrust", o.path("first.pub"))
        o.put(0, o.signed(5, built(OLD, AUXV), words=words))
        o.put(1, o.signed(6, built(OLD, AUXV), by=("second", "third")))
        g = o.boot(t)
        in_force(t, g, epoch=6, floor=6, error=None, carried="NL_OK")
        newleaf(g, "alive")
        g.poweroff()
        o.put(0, o.signed(7))
        g = o.boot(t)
        in_force(t, g, epoch=6, error="NL_EQUORUM", carried="NL_OK")
        newleaf(g, "alive")
        g.poweroff()
        revoked = lists.make(1, "--key", o.path("third.pub"))
        g = o.boot(t, f"{revoked}:/EFI/newleaf/list.nll")
        in_force(t, g, epoch=0, floor=6, carried=None)
        probe(g, AUXV, "VULNERABLE")
