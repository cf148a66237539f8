# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's own network below a stock Linux: what it answers, what it refuses, and orders by the wire, also when
nobody is left in the guest who could carry them."""

import tempfile

from command import FIXES, probe
from leaves import built
from test_stock import OLD
from vmtest import test
from wire import CARD, Wire, machine, read, sha256_of

AUXV = FIXES[1]


def alive(t, g, w, leaf, sha256):
    """What the wire may and what it may not, while the guest lives; afterwards the leaf is on."""
    status, answer = w.ask("PUT", f"/v1/leaves/{sha256}", read(leaf))
    t.expect((status, answer["code"]) == (409, "NL_EUNKNOWN_LEAF"), f"a leaf that nobody ordered: {status} {answer}")
    status, answer = w.send_order("apply", leaf, "--agentless", by=("first",))
    t.expect((status, answer["code"]) == (422, "NL_EQUORUM"), f"one of two operators: {status} {answer}")
    status, answer = w.send_order("apply", leaf, "--agentless", "--deadline-ms", "10000")
    t.expect(status == 202, f"two operators: {status} {answer}")
    status, answer = w.ask("POST", "/v1/orders", read(w.path("order")))
    t.expect(answer["code"] == "NL_ECHALLENGE", f"the same order again: {status} {answer}")
    status, answer = w.ask("PUT", f"/v1/leaves/{'0' * 64}", read(leaf))
    t.expect((status, answer["code"]) == (409, "NL_EUNKNOWN_LEAF"), f"another leaf: {status} {answer}")
    probe(g, AUXV, "VULNERABLE")
    status, answer = w.ask("PUT", f"/v1/leaves/{sha256}", read(leaf))
    t.expect(status == 201, f"the leaf that the order names: {status} {answer}")
    w.becomes(sha256, "applied")
    probe(g, AUXV, "FIXED")
    t.expect(CARD not in g.run("ls /sys/bus/pci/devices"), "the guest sees the card")
    g.check_dmesg()


def network(t, card, ends, rounds):
    with tempfile.TemporaryDirectory() as folder:
        w = Wire(folder)
        g = t.boot(**machine(w.port, card, loader=w.image))
        w.wait(g)
        leaf = built(OLD, AUXV)
        sha256 = sha256_of(leaf)
        alive(t, g, w, leaf, sha256)
        g.before_end = None
        for script, ended in ends:
            g.run(f"(sleep 1; {script}) >/dev/null 2>&1 &")
            g.wait_console(ended, 30)
        for _ in range(rounds):
            w.ordered("revert", leaf, sha256)
            w.ordered("apply", leaf, sha256)
        figures = w.ask("GET", "/metrics")[1].decode().splitlines()
        t.note("; ".join(line for line in figures if line.startswith("newleaf_net_")))
        t.expect("Uhhuh" not in g.console(), "an NMI of the card became the guest's")


PANIC = (("echo c >/proc/sysrq-trigger", "end Kernel panic"),)


@test(full=True)
def network_e1000e(t):
    """82574L: an order and its leaf by the wire, what is refused there, a card that the guest does not see; and orders
    that are carried out after a panic"""
    network(t, "e1000e", PANIC, rounds=1)


@test(full=True)
def network_virtio(t):
    """the same by virtio-net, and 50 orders each way after a panic"""
    network(t, "virtio-net-pci", PANIC, rounds=50)


@test(full=True)
def network_panic(t):
    """82574L, and 50 orders each way after a panic"""
    network(t, "e1000e", PANIC, rounds=50)
