# SPDX-License-Identifier: Apache-2.0
"""A CPU of QEMU's that is stopped before an instruction of the guest's, by GDB's protocol (its manual, appendix E). All
CPUs stop with it. An NMI that is sent meanwhile is what the CPU takes first when it goes on: it leaves the guest
with that very instruction as the next one, and when it is back there, it stops again. Not here: who sends the NMI."""

import select
import socket

from guest import Failure

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{i}" for i in range(8, 16)), "rip")


class Stub:
    """One that listens at this path (`options`); all CPUs stop when it is reached."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.data = b""
        while self._packet(0.2):  # it tells by itself that they have, or not
            pass
        self.ask("?")

    @staticmethod
    def options(path):
        return ("-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb")

    def _send(self, text):
        self.socket.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())

    def _packet(self, timeout):
        """The next one, or None when the time is over."""
        while True:
            start = self.data.find(b"$")
            end = self.data.find(b"#", start)
            if 0 <= start < end and len(self.data) >= end + 3:
                text = self.data[start + 1 : end].decode()
                self.data = self.data[end + 3 :]
                self.socket.sendall(b"+")
                return text
            if not select.select([self.socket], [], [], timeout)[0]:
                return None
            more = self.socket.recv(65536)
            if not more:
                raise Failure("the emulator's debugger has gone")
            self.data += more

    def ask(self, text, timeout=60):
        self._send(text)
        answer = self._packet(timeout)
        if answer is None or answer.startswith("E"):
            raise Failure(f"the emulator's debugger answers {answer} to {text}")
        return answer

    def breakpoint(self, address, there):
        self.ask(f"{'Z' if there else 'z'}0,{address:x},1")

    def go(self):
        self._send("vCont;c")

    def stopped(self, timeout):
        """Which CPU is before a breakpoint, or None."""
        answer = self._packet(timeout)
        if answer is None:
            return None
        if not answer.startswith("T05thread:"):
            raise Failure(f"the emulator's debugger says {answer}")
        return int(answer.split(":")[1].rstrip(";").split(".")[-1], 16) - 1

    def interrupt(self):
        """Stop all CPUs, unless they are."""
        self.socket.sendall(b"\x03")
        while self._packet(1):
            pass

    def step(self, cpu):
        """One instruction of this CPU, the others do nothing."""
        self._send(f"vCont;s:{cpu + 1:x}")
        if self.stopped(60) != cpu:
            raise Failure("another CPU has stopped")

    def registers(self, cpu):
        self.ask(f"Hg{cpu + 1:x}")
        data = bytes.fromhex(self.ask("g")[: 16 * len(REGISTERS)])
        words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        return dict(zip(REGISTERS, words))

    def close(self):
        """All CPUs go on, and nothing stops them any more."""
        self.ask("D")
        self.socket.close()
