# SPDX-License-Identifier: Apache-2.0
"""A work-around for an emulator: QEMU before 8.1 may keep the translation of code that another CPU wrote while it was
being translated (deba78709ae8 mends it). Where two CPUs call a function without end while the kernel writes a
breakpoint into it and takes it out again, it happens once in about ten times: both meet for ever a breakpoint that is
not in memory any more, with Newleaf and without. Looked at is only what waits for long, over QEMU's gdb stub; it counts
only where CPUs have met breakpoints at an address at which memory holds none. Then that byte is written once more, as
it is, which makes QEMU translate it anew, and the round is not counted but run again."""

import collections
import math
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vm"))

from guest import Failure  # noqa: E402

PATIENCE = 6.0  # seconds without an answer until somebody looks, and between two looks
LOGGED = 0.005  # seconds of the guest's exceptions that are looked at
MANY = 50  # breakpoints in that time: a CPU that goes on meets one once
BREAKPOINT = 0xCC


class Stub:
    """QEMU's gdb stub. The guest stands from its beginning to its end, but for what run() says."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.buffer = b""
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.ask("D")  # the guest goes on
        finally:
            self.socket.close()

    def _send(self, text):
        self.socket.sendall(b"+$%s#%02x" % (text.encode(), sum(text.encode()) & 0xFF))

    def _packet(self):
        while True:
            found = re.match(rb"[+-]*\$([^#]*)#..", self.buffer, re.S)
            if found:
                self.buffer = self.buffer[found.end() :]
                return found[1].decode("latin1")
            data = self.socket.recv(65536)
            if not data:
                raise OSError("the emulator closed its gdb stub")
            self.buffer += data

    def _answer(self):
        while (said := self._packet())[:1] == "T":  # that it stands: said whenever it stops, also on connecting
            pass
        return said

    def ask(self, text):
        self._send(text)
        return self._answer()

    def monitor(self, command):
        """A command of the monitor; what it says is not of interest."""
        answer = self.ask("qRcmd," + command.encode().hex())
        while answer != "OK":
            if answer[:1] != "O":
                raise OSError(f"the gdb stub does not take {command}: {answer}")
            answer = self._answer()

    def run(self, seconds):
        self._send("c")
        time.sleep(seconds)
        self.socket.sendall(b"\x03")
        while self._packet()[:1] != "T":
            pass

    def byte(self, address):
        """None where nothing is mapped."""
        answer = self.ask(f"m{address:x},1")
        return None if answer[:1] == "E" else int(answer, 16)


def met(log):
    """{address: how many breakpoints} of QEMU's log of exceptions, in the kernel."""
    found = re.findall(r"v=03 e=0000 i=1 cpl=0 IP=0010:([0-9a-f]{16})", log)
    return collections.Counter(int(address, 16) for address in found)


def stale(counts, byte):
    """Addresses at which breakpoints are met that are not there. byte(address): what memory holds, or None."""
    often = [address for address, times in counts.items() if times >= MANY]
    return [address for address in often if byte(address) not in (BREAKPOINT, None)]


class Watch:
    """Looks after one guest: `g.on_wait = Watch(...).look`, begin() before each round; then mended says whether the
    round is to be run again."""

    def __init__(self, path, log):
        self.path, self.log, self.mended, self.next = path, log, 0, math.inf
        self.options = ("-gdb", f"unix:{path},server=on,wait=off")

    def begin(self):
        self.mended, self.next = 0, time.monotonic() + PATIENCE

    def look(self, _=None):
        if time.monotonic() < self.next:
            return
        try:
            self._look()
        except OSError as why:
            raise Failure(f"QEMU's gdb stub: {why}") from None
        self.next = time.monotonic() + PATIENCE

    def _look(self):
        before = os.path.getsize(self.log)
        with Stub(self.path) as stub:
            stub.monitor("log int")
            stub.run(LOGGED)
            stub.monitor("log cpu_reset")
            with open(self.log, encoding="latin1") as f:
                f.seek(before)
                counts = met(f.read())
            for address in stale(counts, stub.byte):
                stub.ask(f"M{address:x},1:{stub.byte(address):02x}")
                self.mended += 1
