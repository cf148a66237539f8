#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The work-around for QEMU's stale breakpoints, against a gdb stub of the test's own: what is mended, what is not."""

import json
import os
import socket
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import arms  # noqa: E402
import bench  # noqa: E402
import stale  # noqa: E402
from guest import Failure, Result  # noqa: E402

HERE = 0xFFFFFFFFC0419000


class Machine(threading.Thread):
    """Says what QEMU says; meets `times` breakpoints at HERE while it runs, where memory holds `byte`."""

    def __init__(self, directory, byte, times):
        super().__init__(daemon=True)
        self.path, self.log = os.path.join(directory, "gdb"), os.path.join(directory, "qemu.log")
        self.byte, self.times, self.runs, self.said, self.logs = byte, times, True, [], False
        open(self.log, "w", encoding="utf-8").close()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.start()

    def answer(self, word):
        if word.startswith("qRcmd,"):
            command = bytes.fromhex(word[6:]).decode()
            self.logs = command == "log int"
            return ["O" + b"noise".hex(), "OK"]
        if word == "c":
            self.runs = True
            if self.logs:
                with open(self.log, "a", encoding="utf-8") as f:
                    f.write(f" 1: v=03 e=0000 i=1 cpl=0 IP=0010:{HERE:016x} pc={HERE:016x}\n" * self.times)
            return []
        if word[0] == "m":
            return ["E14" if self.byte is None else f"{self.byte:02x}"]
        self.runs = self.runs or word == "D"
        return ["OK"]

    def run(self):
        channel, _ = self.listener.accept()
        self.listener.close()
        with channel:
            self.serve(channel)

    def serve(self, channel):
        send = lambda text: channel.sendall(b"$%s#00" % text.encode())  # noqa: E731  (sums are not looked at)
        self.runs = False
        send("T05thread:01;")
        buffer = b""
        while data := channel.recv(4096):
            buffer += data
            while buffer:
                if buffer[:1] == b"\x03":
                    self.runs = False
                    send("T02thread:01;")
                    buffer = buffer[1:]
                elif buffer[:1] == b"$" and b"#" in buffer[:-2]:
                    word, buffer = buffer[1:].split(b"#", 1)[0].decode(), buffer.split(b"#", 1)[1][2:]
                    self.said.append(word)
                    for text in self.answer(word):
                        send(text)
                elif buffer[:1] == b"+":
                    buffer = buffer[1:]
                else:
                    break


class Stale(unittest.TestCase):
    def look(self, byte, times):
        with tempfile.TemporaryDirectory() as directory:
            machine = Machine(directory, byte, times)
            watch = stale.Watch(machine.path, machine.log)
            watch.begin()
            watch.look()
            self.assertEqual(machine.said, [], "somebody looked before it was time")
            watch.next = 0
            watch.look()
            machine.join(5)
        self.assertTrue(machine.runs, "the guest was left standing")
        self.assertFalse(machine.logs, "exceptions are still logged")
        return watch.mended, [word for word in machine.said if word[0] == "M"]

    def test_mends(self):
        self.assertEqual(self.look(0x0F, 200), (1, [f"M{HERE:x},1:0f"]))

    def test_a_breakpoint_that_is_there(self):
        self.assertEqual(self.look(0xCC, 200), (0, []))

    def test_one_that_goes_by(self):
        self.assertEqual(self.look(0x0F, 3), (0, []))

    def test_nothing_mapped(self):
        self.assertEqual(self.look(None, 200), (0, []))

    def test_before_the_first_round(self):
        stale.Watch("/nowhere", "/nowhere").look()

    def test_no_stub(self):
        watch = stale.Watch("/nowhere/gdb", "/dev/null")
        watch.next = 0
        with self.assertRaises(Failure):
            watch.look()


class Told:
    """A guest and its watch: each request takes the next of what was told, (was it mended, what was torn)."""

    def __init__(self, *told):
        self.told, self.mended, self.asked = list(told), 0, []

    def wait_ready(self, _):
        pass

    def begin(self):
        self.mended = 0

    def run(self, script):
        return "ffffffff81000000 T _stext" if script == bench.BASE else ""

    def check_dmesg(self, allow):
        pass

    def call(self, script, timeout):
        self.asked.append(script.split()[1])
        self.mended, torn = self.told.pop(0) if self.told else (0, 0)
        return Result(0, json.dumps({"error": 0, "error_off": 0, "torn": torn, "backward": 0}))

    def rounds(self, *arms_of):
        _, rounds, again = bench.by_hand(self, [("clear", arm) for arm in arms_of], 1, self)
        return [r["torn"] for r in rounds], again


class RunAgain(unittest.TestCase):
    def test_a_spoiled_round(self):
        guest = Told((0, 0), (1, 7), (0, 3))
        self.assertEqual(guest.rounds("klp", "ftrace", "none"), ([0, 3, 0], 1))
        self.assertEqual(guest.asked, ["klp", "ftrace", "ftrace", "none"])

    def test_no_round_of_a_leaf(self):
        for arm in ("leaf-strict", "leaf-strict-again", "leaf-mixable"):
            with self.assertRaisesRegex(Failure, "in a round of a leaf"):
                Told((1, 0)).rounds(arm)

    def test_nothing_broken_is_lost(self):
        with self.assertRaisesRegex(Failure, "torn 2"):
            Told((1, 2)).rounds("kpatch")
        for last in (arms.FORCED, "ftrace"):
            spoiled = [(1, 0)] * (bench.AGAIN_AT_MOST + 1)
            with self.assertRaisesRegex(Failure, "leaf-strict, clear: torn 2"):
                Told((0, 2), *spoiled).rounds("leaf-strict", last)

    def test_what_is_too_much(self):
        for arm, times in ((arms.FORCED, 1), ("klp", bench.AGAIN_AT_MOST + 1)):
            with self.assertRaises(bench.Spoiled):
                Told(*[(1, 0)] * times).rounds(arm)


if __name__ == "__main__":
    unittest.main()
