# SPDX-License-Identifier: Apache-2.0
"""The module that plants contexts at CPL 0 in a guest (tests/modules/planted)."""

import os

from modules import SOURCES, built, parameter

PLANT = parameter("planted", "plant")


class Planted:
    def __init__(self, g):
        self.g = g
        self.path = os.path.join(built(g.machine.kernel, sources=os.path.join(SOURCES, "planted")), "planted.ko")
        with open(self.path, "rb") as f:
            g.put(f.read(), "/tmp/planted.ko")
        g.run("insmod /tmp/planted.ko")
        self.stacks = dict(line.split() for line in g.run(f"cat {parameter('planted', 'stacks')}").splitlines())

    def plant(self, kind, value=0):
        self.g.run(f"echo {value} >{parameter('planted', 'value')}; echo {kind} >{PLANT}")

    def none(self):
        self.plant("none")


def address(g, function):
    line = g.run(f"grep -E ' {function}([[:space:]]|$)' /proc/kallsyms").split()
    return int(line[0], 16)
