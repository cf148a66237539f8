# SPDX-License-Identifier: Apache-2.0
"""Orders of operators in a guest whose root may do nothing but carry them: made and signed outside by newleaf-author,
for a challenge that the command inside was given."""

import base64
import os
import subprocess
import tempfile

from command import FIXES, apply, newleaf, probe, refused, revert
from guest import BUILD
from leaves import author, built
from records import policy_record
from test_stock import OLD
from vmtest import test

AUXV, NOW, AGENTLESS = FIXES[1], 1, 8


class Operators:
    """An image that wants two operators for each order, and lets guest root do nothing; and what they sign."""

    def __init__(self, folder, guest_may=0, net_may=0):
        self.folder, self.image = folder, os.path.join(folder, "newleaf.efi")
        keys, policy = self.path("keys"), self.path("policy")
        for name in ("first", "second"):
            author("key", "new", name, "--role", "operator", "-o", folder)
        public = [self.path(name + ".pub") for name in ("first", "second")]
        author("key", "image", os.path.join(BUILD, "keys", "demo.pub"), *public, "-o", keys)
        with open(policy, "wb") as f:
            f.write(policy_record(guest_may=guest_may, operators=2, order_may=NOW | AGENTLESS, net_may=net_may))
        sections = [f"--update-section=.nlkeys={keys}", f"--update-section=.nlpol={policy}"]
        subprocess.run(["objcopy", *sections, os.path.join(BUILD, "newleaf.efi"), self.image], check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def challenge(self, g):
        """What the command gets out of the hypervisor, as operators see it."""
        newleaf(g, "challenge /tmp/challenge")
        with open(self.path("challenge"), "wb") as f:
            f.write(base64.b64decode(g.run("base64 /tmp/challenge")))

    def order(self, g, *words, by=("first", "second")):
        """To /tmp/order in the guest."""
        author("order", "new", *words, "--challenge", self.path("challenge"), "-o", self.path("order"))
        for name in by:
            author("order", "sign", self.path("order"), "--sign", self.path(name + ".pem"))
        with open(self.path("order"), "rb") as f:
            g.put(f.read(), "/tmp/order")

    def ordered(self, g, *words):
        self.challenge(g)
        self.order(g, *words)
        return newleaf(g, "carry /tmp/order")


def carried_out(t, g, o):
    """Each kind of refusal that a guest can come to; and what two operators sign is done, once."""
    leaf = built(OLD, AUXV)
    refused(g, f"apply /leaves/{OLD.removeprefix('linux-image-')}/{AUXV}.leaf", "NL_EPOLICY", 6)
    o.challenge(g)
    o.order(g, "apply", leaf, by=("first",))
    refused(g, "carry /tmp/order", "NL_EQUORUM", 4)
    o.order(g, "apply", leaf, by=("first", "second"))
    with open(o.path("order"), "rb") as f:
        flipped = bytearray(f.read())
    flipped[-1] ^= 1
    g.put(bytes(flipped), "/tmp/flipped")
    refused(g, "carry /tmp/flipped", "NL_ESIGNATURE", 4)
    said = newleaf(g, "carry /tmp/order")
    t.expect(said["waiting"] and newleaf(g, "status")["orders"]["waiting"], f"accepted, and does not wait: {said}")
    probe(g, AUXV, "VULNERABLE")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    refused(g, "carry /tmp/order", "NL_ECHALLENGE", 6)
    refused(g, f"revert {AUXV}", "NL_EPOLICY", 6)
    o.ordered(g, "revert", leaf)
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")


def refusals(g):
    return newleaf(g, "status")["orders"]["refused"]


@test()
def orders_anybody(t):
    """an ordinary user carries an order by VMCALL or VMMCALL: it is done, once; a replay and a bad one are no
    instruction, and counted where they do not bear the challenge"""
    with tempfile.TemporaryDirectory() as folder:
        o = Operators(folder)
        g = t.boot(loader=o.image)
        t.expect(refusals(g) == 0, "something was refused before anybody tried")
        o.challenge(g)
        o.order(g, "freeze", by=("first",))
        said = g.call("token user newleaf carry /tmp/order --json", timeout=60)
        t.expect(said.code == 6 and '"NL_EROOT"' in said.out, f"one of two operators: {said}")
        t.expect(not newleaf(g, "status")["orders"]["frozen"], "one of two operators has frozen it")
        o.order(g, "freeze")
        said = g.call("token user newleaf carry /tmp/order", timeout=60)
        t.expect(said.code == 0 and "accepted" in said.out, f"by two operators: {said}")
        t.expect(newleaf(g, "status")["orders"]["frozen"], "accepted, and not frozen")
        before = refusals(g)
        said = g.call("token user newleaf carry /tmp/order", timeout=60)
        t.expect(said.code == 6, f"a replay: {said}")
        t.expect(refusals(g) > before, "a replay was not counted")
        o.ordered(g, "release")
        t.expect(not newleaf(g, "status")["orders"]["frozen"], "not released")
        g.check_dmesg()


@test()
def orders(t):
    """guest root may do nothing: an order by one of two operators, a flipped bit and a replay are refused by name, by
    both it is carried out; freeze survives a reboot, and an order of the boot before does not"""
    with tempfile.TemporaryDirectory() as folder:
        o = Operators(folder)
        g = t.boot(loader=o.image)
        carried_out(t, g, o)
        o.ordered(g, "freeze")
        refused(g, f"apply /leaves/{OLD.removeprefix('linux-image-')}/{AUXV}.leaf", ("NL_EPOLICY", "NL_EFROZEN"), 6)
        machine = newleaf(g, "status")["machine_id"]
        newleaf(g, "alive")
        g.reboot()
        g.wait_console(r"newleaf: launched", 120)
        g.wait_ready()
        said = newleaf(g, "status")
        t.expect(said["orders"]["frozen"], f"a reboot has ended it: {said['orders']}")
        t.expect(said["machine_id"] == machine, f"the machine was {machine}, and is {said['machine_id']}")
        with open(o.path("order"), "rb") as f:
            g.put(f.read(), "/tmp/order")
        refused(g, "carry /tmp/order", "NL_EBOOTID", 6)
        o.challenge(g)
        o.order(g, "apply", built(OLD, AUXV))
        refused(g, "carry /tmp/order", "NL_EFROZEN", 6)
        o.order(g, "release")
        newleaf(g, "carry /tmp/order")
        o.ordered(g, "sync", built(OLD, AUXV))
        apply(g, AUXV)
        probe(g, AUXV, "FIXED")
        events = [line for line in g.run("newleaf log --json").splitlines() if '"event":"order"' in line]
        t.expect(len(events) >= 4, f"the journal has {len(events)} orders")
        g.check_dmesg()


@test()
def orders_agentless(t):
    """orders that want no agent: carried by a root that may do nothing, or by an ordinary user, made by the
    hypervisor itself beside CPUs that never gather"""
    with tempfile.TemporaryDirectory() as folder:
        o = Operators(folder)
        g = t.boot(loader=o.image)
        leaf, inside = built(OLD, AUXV), f"/leaves/{OLD.removeprefix('linux-image-')}/{AUXV}.leaf"
        probe(g, AUXV, "VULNERABLE")
        g.run("(while :; do find / -xdev >/dev/null 2>&1; done) & (while :; do :; done) & :")
        o.challenge(g)
        o.order(g, "apply", leaf, "--agentless")
        said = newleaf(g, f"carry /tmp/order {inside}")
        t.expect(not said["waiting"], f"it waits for an agent: {said}")
        probe(g, AUXV, "FIXED")
        refused(g, f"revert {AUXV} --agentless", "NL_EPOLICY", 6)
        o.challenge(g)
        o.order(g, "revert", leaf, "--agentless")
        said = g.call("token user newleaf carry /tmp/order", timeout=60)
        t.expect(said.code == 0 and "by itself" in said.out, f"carried by a user: {said}")
        g.run("for i in $(seq 100); do [ $(newleaf status --json | grep -c '\"waiting\":true') = 0 ] && break; done")
        probe(g, AUXV, "VULNERABLE")
        for _ in range(5):
            for verb in ("apply", "revert"):
                o.ordered(g, verb, leaf, "--agentless")
        probe(g, AUXV, "VULNERABLE")
        said = newleaf(g, "status")["orders"]
        t.expect(not said["waiting"] and not said["frozen"], f"left behind: {said}")
        g.check_dmesg()


@test(full=True, emulator="bochs")
def orders_bochs(t):
    """the same on EPT, one CPU: an ordinary user's VMCALL is an order or no instruction, and what wants no agent is
    made by the hypervisor"""
    with tempfile.TemporaryDirectory() as folder:
        o = Operators(folder)
        g = t.boot(loader=o.image, emulator="bochs", cpus=1, memory=512, cmdline="quiet")
        leaf, inside = built(OLD, AUXV), f"/leaves/{OLD.removeprefix('linux-image-')}/{AUXV}.leaf"
        o.challenge(g)
        o.order(g, "freeze", by=("first",))
        said = g.call("token user newleaf carry /tmp/order --json", timeout=600)
        t.expect(said.code == 6 and '"NL_EROOT"' in said.out, f"one of two operators: {said}")
        o.order(g, "freeze")
        said = g.call("token user newleaf carry /tmp/order", timeout=600)
        t.expect(said.code == 0 and newleaf(g, "status")["orders"]["frozen"], f"by two operators: {said}")
        said = g.call("token user newleaf carry /tmp/order", timeout=600)
        t.expect(said.code == 6 and refusals(g) > 0, f"a replay: {said}")
        o.ordered(g, "release")
        o.challenge(g)
        o.order(g, "apply", leaf, "--agentless")
        newleaf(g, f"carry /tmp/order {inside}")
        probe(g, AUXV, "FIXED")
        o.ordered(g, "revert", leaf, "--agentless")
        probe(g, AUXV, "VULNERABLE")
        g.check_dmesg()
