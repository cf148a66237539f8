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
        self.seen, self.on_wait, self.backward, self.cost = None, None, 0, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

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
        told = self.told.pop(0) if self.told else (0, 0)
        if told is None:
            raise Failure("the guest is gone")
        watch = self.on_wait.__self__ if self.on_wait else self
        watch.mended, torn = told
        return Result(0, json.dumps({"error": 0, "error_off": 0, "torn": torn, "backward": self.backward}))

    def rounds(self, *arms_of):
        self.seen = bench.Seen()
        bench.by_hand(self, [("clear", arm) for arm in arms_of], 1, self, self.seen)
        return [r["torn"] for r in self.seen.rounds], self.seen.again


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

    def test_kpatch_does_not_go_back(self):
        """Nor does any arm that promises it: what must never be is what thresholds.json says."""
        guest = Told((1, 0))
        guest.backward = 1
        with self.assertRaisesRegex(Failure, "backward 1"):
            guest.rounds("kpatch")

    def test_the_record_keeps_what_was_left_out(self):
        guest = Told((0, 0), (1, 7), (1, 1), (0, 3))
        guest.rounds("klp", "ftrace")
        record = guest.seen.record()
        self.assertEqual([(r["arm"], r["torn"]) for r in record["rounds"]], [("klp", 0), ("ftrace", 3)])
        self.assertEqual([(r["arm"], r["torn"]) for r in record["discarded"]], [("ftrace", 7), ("ftrace", 1)])
        self.assertEqual((record["again"], "boots_again" in record), (2, False))
        second = bench.Seen(guest.seen).record()
        self.assertEqual((second["rounds"], len(second["discarded"]), second["boots_again"]), ([], 4, 1))

    def boot(self, *told, mode="smp"):
        """The record of a boot whose guest says what was told to each request."""
        guests = [Told(*words) for words in told]
        kept, order = (bench.Guest, arms.plan), [("clear", "klp"), ("clear", "leaf-strict"), ("clear", "ftrace")]
        bench.Guest, arms.plan = lambda *_: guests.pop(0), lambda *_: order
        try:
            return bench.boot(4, 1, mode, "/nowhere")
        finally:
            bench.Guest, arms.plan = kept

    def test_the_record_of_a_boot(self):
        spoiled = [(1, 0)] * (bench.AGAIN_AT_MOST + 1)
        well = self.boot([(0, 0), (0, 0), (0, 5)])
        self.assertEqual([r["torn"] for r in well["rounds"]], [0, 0, 5])
        self.assertEqual(set(well), {"unit", "cmdline", "base", "rounds"})
        again = self.boot([(0, 0), (0, 0), *spoiled], [])
        self.assertEqual((len(again["rounds"]), len(again["discarded"]), again["boots_again"]), (3, 11, 1))
        twice = self.boot(spoiled, spoiled)
        self.assertIn("the emulator kept code", twice["failed"])
        self.assertEqual(len(twice["discarded"]), 2 * len(spoiled))

    def test_a_boot_that_fails_keeps_its_rounds(self):
        """A leaf that tore, and then a round that the emulator spoils, or a guest that is gone."""
        record = self.boot([(0, 0), (0, 2), (1, 0)])
        self.assertIn("leaf-strict, clear: torn 2", record["failed"])
        self.assertEqual([r["torn"] for r in record["rounds"]], [0, 2])
        gone = self.boot([(0, 0), (0, 2), None])
        self.assertIn("gone", gone["failed"])
        self.assertEqual([r["torn"] for r in gone["rounds"]], [0, 2])

    def test_what_is_too_much(self):
        for arm, times in ((arms.FORCED, 1), ("klp", bench.AGAIN_AT_MOST + 1)):
            with self.assertRaises(bench.Spoiled):
                Told(*[(1, 0)] * times).rounds(arm)


class Alone(Told):
    """A guest that nobody talks to: its console holds all rounds at the end."""

    def wait_console(self, *_):
        pass

    wait_exit = wait_console

    def console(self):
        rounds = [f"bench: round\n{self.call('work x', 1).out}\nbench: said\n" for _ in range(len(self.told))]
        return "\n".join(["", *rounds, f"bench: base\n{self.run(bench.BASE)}\nbench: dmesg\nbench: end\n"])

    def judge_dmesg(self, log, allow):
        if self.backward:
            raise Failure("dmesg: a warning")


class ByItself(unittest.TestCase):
    ORDER = [("clear", "klp"), ("clear", "leaf-strict")]

    def test_its_rounds(self):
        guest, seen = Alone((0, 0), (0, 2)), bench.Seen()
        self.assertEqual(bench.by_itself(guest, self.ORDER, seen), "ffffffff81000000")
        self.assertEqual([(r["arm"], r["torn"]) for r in seen.record()["rounds"]], [("klp", 0), ("leaf-strict", 2)])

    def test_it_fails_behind_them(self):
        guest, seen = Alone((0, 0), (0, 2)), bench.Seen()
        guest.backward = 1
        with self.assertRaisesRegex(Failure, "a warning"):
            bench.by_itself(guest, self.ORDER, seen)
        self.assertEqual([r["torn"] for r in seen.rounds], [0, 2])


if __name__ == "__main__":
    unittest.main()
