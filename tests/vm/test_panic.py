# SPDX-License-Identifier: Apache-2.0
"""The core gives up: a debugger puts an undefined instruction into its text, which is what a defect looks like."""

import os
import re
import socket
import subprocess
import time

from command import newleaf
from guest import BUILD, Failure
from vmtest import test

CORE_VA = 0xFFFFFFFF80000000  # NL_CORE_VA


def symbol(name):
    """Offset of a function in the region."""
    for line in subprocess.check_output(["nm", os.path.join(BUILD, "core.elf")], text=True).splitlines():
        if line.endswith(" T " + name):
            return int(line.split()[0], 16) - CORE_VA
    raise Failure(f"core.elf has no {name}")


class Debugger:
    """QEMU's gdb stub: enough of the protocol to write physical memory. The machine stands while one is connected."""

    def __init__(self, path):
        self.channel = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 300
        while True:
            try:
                self.channel.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.channel.settimeout(300)

    def ask(self, text):
        self.channel.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())
        came = b""
        while True:  # that the machine stands is told in a packet of its own, T...
            answer = re.search(rb"\$((?!T)[^#]*)#..", came)
            if answer:
                self.channel.sendall(b"+")
                return answer[1].decode()
            got = self.channel.recv(4096)
            if not got:
                raise Failure(f"the debugger's stub went away at {text!r}")
            came += got

    def write(self, address, data):
        for command in ("Qqemu.PhyMemMode:1", f"M{address:x},{len(data):x}:{data.hex()}"):
            answer = self.ask(command)
            if answer != "OK":
                raise Failure(f"the debugger's stub answers {command} with {answer!r}")

    def leave(self):
        self.ask("D")
        self.channel.close()


def give_up(t, **machine):
    """A machine with a debugger; returns it and what makes its core give up at the next exit."""
    stub = os.path.join(BUILD, f"gdb.{os.getpid()}.{len(t.guests)}")
    t.expect(len(stub) < 100, "the path of the socket is too long")
    g = t.boot(more=("-gdb", f"unix:{stub},server=on,wait=off"), **machine)

    def now():
        region = int(re.findall(r"newleaf: launched: .* region ([0-9A-F]+)", g.console())[-1], 16)
        debugger = Debugger(stub)
        debugger.write(region + symbol("hv_exit"), b"\x0f\x0b")  # UD2
        debugger.leave()

    return g, now


@test()
def panic(t):
    """a defect of the core: all CPUs stop, the platform resets, the next boot's loader and console tell what was
    said"""
    g, now = give_up(t, settings=("console com1",))
    newleaf(g, "alive")
    now()
    g.wait_console(r"newleaf: PANIC: exception 6 ")
    g.wait_console(r"other CPUs stopped: 1 of 1")
    g.wait_console(r"exits\[\d+\] \d+")
    g.wait_console(r"newleaf: the boot before ended in a panic of Newleaf, which said:", 120)
    g.wait_console(r"newleaf: PANIC: exception 6 ")
    g.wait_console(r"other CPUs stopped: 1 of 1")
    g.wait_console(r"newleaf: launched")
    g.wait_ready()
    said = "\n".join(newleaf(g, "console")["text"])
    t.expect(
        "the boot before ended in a panic" in said and "PANIC: exception 6" in said, f"newleaf console says {said}"
    )
    g.check_dmesg()
    newleaf(g, "alive")
    g.reboot()
    g.wait_console(r"newleaf: launched", 120)
    g.wait_ready()
    told = g.console().count("the boot before ended in a panic of Newleaf")
    t.expect(told == 1, f"the panic was told {told} times")
    g.poweroff()
