# SPDX-License-Identifier: Apache-2.0
"""The image as it goes into the core, HTTP in it, and its limits."""

import struct

from frames import ACK, FIN, RST
from peer import Client, Stack

PROGRAMS = ("http",)
PAGE, TEXT_MAX, MEMORY_MAX = 4096, 128 << 10, 512 << 10


def test_head(program):
    """include/newleaf/net.h: what its first bytes say, and that it stays inside its limits."""
    with open(program[1], "rb") as file:
        image = file.read()
    magic, version, size, text, rodata, memory, mailbox, entry, stack = struct.unpack("<Q8I", image[:40])
    assert (magic, version, size) == (0x54454E4C4E, 1, len(image))
    assert not any(n % PAGE for n in (size, text, rodata, memory, mailbox)) and not stack % 16
    assert 40 <= entry < text <= rodata == size <= mailbox <= memory - PAGE
    assert rodata + 16384 == stack, "something lies between the stack and what cannot be written"
    assert text <= TEXT_MAX, f"{text} bytes of text"
    assert memory <= MEMORY_MAX, f"{memory} bytes of memory"


def test_page(program):
    """A request through everything that is in it."""
    with Stack(program) as s:
        c = Client(s).connect().say(b"GET / HTTP/1.1\r\nHost: newleaf\r\n\r\n")
        for _ in range(20):
            if c.ended:
                break
            c.later(20)
        assert c.ended and c.got.startswith(b"HTTP/1.1 200 OK\r\n"), c.got[:200]
        head, body = c.got.split(b"\r\n\r\n", 1)
        assert f"Content-Length: {len(body)}".encode() in head, (head, len(body))


def test_depth(program):
    """Of its stack no more than three quarters are ever touched, whatever is asked."""
    with Stack(program) as s:
        for n, what in enumerate(("", "metrics", "v1/status", "v1/leaves", "v1/journal?from=1", "v1/challenge", "?")):
            Client(s, 100 + n).connect().say(f"GET /{what} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).later(100)
            s.later(10000)
        depth = s.figures()[1]
        assert 500 < depth < 12288, depth


def test_closing(program):
    """Who closes, and never acknowledges what it was sent, holds that no longer than 5 s."""
    with Stack(program, "10.0.0.2/16") as s:
        for n in range(8):
            c = Client(s, 1 + n, src=f"10.0.1.{n + 1}", acks=False).connect()
            first = c.ack
            c.say(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            assert c.ended and b" 404 " in c.got, c.got
            c.ack = first  # nothing of it arrived
            s.put(c.frame(FIN | ACK))
        frames = s.later(5500)
        assert sum(1 for f in frames if f.protocol == 6 and f.flags & RST) >= 8, [f for f in frames if f.protocol == 6]
