# SPDX-License-Identifier: Apache-2.0
"""The core's own network card without a stack (tests/instrument/echo.c): the test kernel runs, and the core beneath
answers a peer on the other end of the emulator's wire."""

import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time

from guest import BUILD, TOP, Failure, Skip
from vmtest import test

MAC, PEER, OTHER = b"\x52\x54\x00\x12\x34\x56", b"\x52\x54\x00\xaa\xbb\xcc", b"\x52\x54\x00\x00\x00\x01"
IP, PEER_IP = bytes((10, 0, 9, 2)), bytes((10, 0, 9, 1))
ECHO, TELL, AGAIN, QUIET, CLOCK = 0x88B5, 0x88B6, 0x88B7, 0x88B8, 0x88B9  # tests/instrument/echo.h
COUNTS = ("received", "sent", "refused", "lost", "messages", "claimed", "failed")


class Peer:
    """The other end of the wire: a frame is a datagram."""

    def __init__(self, there, here):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", here))
        self.there = ("127.0.0.1", there)

    def send(self, kind, payload=b"", to=MAC):
        self.s.sendto(to + PEER + struct.pack(">H", kind) + payload, self.there)

    def heard(self, seconds, kind=ECHO):
        """What is behind the head of the next frame of that type for us; None: there was none."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                frame = self.s.recv(2048)
            except socket.timeout:
                break
            if frame[:14] == PEER + MAC + struct.pack(">H", kind):
                return frame[14:]
        return None

    def asked(self, kind, payload=b"", seconds=10, to=MAC):
        """The answer of that type, asked for until it comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(kind, payload, to)
            if answer := self.heard(0.5, kind):
                return answer
        return None

    def counts(self):
        answer = self.asked(TELL, bytes(60))
        if not answer:
            raise Failure("the core does not tell its counts")
        return dict(zip(COUNTS, struct.unpack_from("<7Q", answer)))


def free_ports():
    """Two, one behind the other, as Bochs wants them."""
    for port in random.sample(range(20000, 60000, 2), 50):
        udp = socket.AF_INET, socket.SOCK_DGRAM
        with socket.socket(*udp) as a, socket.socket(*udp) as b:
            try:
                a.bind(("127.0.0.1", port))
                b.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise Skip("no two free ports")


def loader(folder):
    """The instrument's, whose image lets a network be."""
    image, policy = os.path.join(folder, "newleaf.efi"), os.path.join(folder, "policy")
    author = os.path.join(BUILD, "newleaf-author")
    subprocess.run([author, "policy", "new", "--net-may", "read", "-o", policy], check=True, capture_output=True)
    whole = os.path.join(BUILD, "instrument", "newleaf.efi")
    subprocess.run(["objcopy", f"--update-section=.nlpol={policy}", whole, image], check=True, capture_output=True)
    os.truncate(image, (os.path.getsize(image) + 511) & ~511)  # objcopy lets the last section's end out
    return image


def arp():
    return struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + PEER + PEER_IP + bytes(6) + IP + bytes(18)


def talk(t, peer, messages, multicast, clock):
    answer = peer.asked(0x806, arp(), 60, b"\xff" * 6)
    t.expect(answer and answer[6:18] == struct.pack(">H", 2) + MAC + IP[:4], f"ARP was answered by {answer}")
    seed = random.Random(12)
    lost = 0
    for size in [46, 47, 60, 61, 1499, 1500] + [seed.randrange(46, 1501) for _ in range(94)]:
        payload = seed.randbytes(size)
        peer.send(ECHO, payload)
        answer = peer.heard(10)
        lost += answer != payload
    t.expect(lost == 0, f"{lost} of 100 echoes are not what was sent")
    before = peer.counts()
    peer.send(ECHO, bytes(46), OTHER)
    peer.send(ECHO, bytes(46), b"\x33\x33\xff\x12\x34\x56" if multicast else MAC)  # as IPv6 asks for a neighbour
    answer = peer.heard(10)
    t.expect(answer == bytes(46), f"the frame behind another's was answered by {answer}")
    t.expect(peer.heard(0.2) is None, "a frame of another's was taken")
    after = peer.counts()
    t.expect(after["received"] == before["received"] + 2, f"received {after} behind {before}")
    for burst in range(20):
        for i in range(12):
            peer.send(ECHO, bytes([burst, i]) * 200)
        for i in range(12):
            answer = peer.heard(5)
            lost += answer != bytes([burst, i]) * 200
    t.expect(lost == 0, f"{lost} of 240 echoes in bursts are not what was sent")
    peer.send(AGAIN)
    answer = peer.asked(ECHO, bytes(range(100)), 30)
    t.expect(answer == bytes(range(100)), f"after it was started anew it answers {answer}")
    counts = peer.counts()
    t.note(" ".join(f"{k} {v}" for k, v in counts.items()))
    t.expect(counts["failed"] == 0, f"{counts['failed']} starts failed")
    t.expect((counts["messages"] > 0) == messages, "messages or none, other than expected")
    # that of the frame by which it is started anew is nobody's
    t.expect(counts["claimed"] >= counts["messages"] - 1, "messages that nobody claimed")
    if clock:
        before, began = peer.counts()["messages"], time.monotonic()
        peer.send(CLOCK)
        peer.heard(2)  # nothing comes meanwhile
        ticks, passed = peer.counts()["messages"] - before, time.monotonic() - began
        t.note(f"{ticks} messages of the card's clock in {passed:.1f} s")
        t.expect(10 * passed < ticks < 105 * passed + 5, f"{ticks} messages in {passed:.1f} s, one each 10 ms")
    peer.send(QUIET)
    t.expect(peer.asked(ECHO, bytes(46), 1.5) is None, "it is not quiet")


def run(t, emulator, device, messages, clock):
    port = free_ports()
    peer = Peer(port, port + 1)
    if emulator == "qemu":
        device = (
            f"-netdev dgram,id=n0,local.type=inet,local.host=127.0.0.1,local.port={port},remote.type=inet,"
            f"remote.host=127.0.0.1,remote.port={port + 1} "
            f"-device {device},netdev=n0,mac={MAC.hex(':')},romfile=,addr=8"
        )
        card = "00:08.0"
    else:
        device, card = f"e1000: card=0, enabled=1, mac={MAC.hex(':')}, ethmod=socket, ethdev={port}", "00:02.0"
    command = [os.path.join(TOP, "tests", "guest", "run"), emulator, "--only", "time-timer-during-exits"]
    command += ["--scale", "200000", "--set", f"net-nic {card}", "--set", "net-port 7", "--device", device]
    if emulator == "bochs":
        command += ["--device", "pci: enabled=1, chipset=i440fx, slot1=e1000"]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--timeout", "900", "--loader", loader(folder)]
        guest = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            talk(t, peer, messages, emulator == "qemu", clock)  # Bochs lets own and broadcast through its socket
            t.expect(guest.poll() is None, "the test kernel ended before its peer")
        finally:
            guest.send_signal(signal.SIGINT)
            said = guest.communicate()[0]
            if "SKIP" in said:
                raise Skip(said.strip())


def register():
    for name, full, emulator, device, messages in (
        ("wire-e1000e", False, "qemu", "e1000e", True),
        ("wire-virtio", False, "qemu", "virtio-net-pci,disable-legacy=on", True),
        ("wire-e1000", True, "qemu", "e1000", False),
        ("wire-virtio-transitional", True, "qemu", "virtio-net-pci", True),
        ("wire-bochs", True, "bochs", "", False),
    ):

        def entry(t, emulator=emulator, device=device, messages=messages):
            run(t, emulator, device, messages, device == "e1000e")

        entry.__doc__ = f"the core's own card, {device or 'e1000'} on {emulator}: echo, filter, started anew, quiet"
        test(full=full, emulator=emulator, name=name)(entry)


register()
