#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP over lwIP, frame by frame, in no time of the clock (tests/net/peer.py): long answers through small windows, a
leaf's file through the stack's own, clients that lose frames, go silent, reset, or are too many."""

import json
import os
import sys

from server import TOP, Answer
from spec import Spec

sys.path.insert(0, os.path.join(TOP, "tests/net"))
from frames import ACK, RST  # noqa: E402
from peer import Client, Stack  # noqa: E402

PROGRAM = [os.path.join(TOP, os.environ.get("B", "build"), "tests/net-core")]
SPEC = Spec(os.path.join(TOP, "docs/reference/openapi.yaml"))
HASH = "0123456789abcdef" * 4
HOST = " HTTP/1.1\r\nHost: a\r\n"
LEAF_MAX = 262144


def until(client, what=lambda c: c.ended or c.reset, ms=60000):
    for _ in range(ms // 10):
        if what(client):
            return client
        client.later(10)
    raise AssertionError(f"nothing more after {len(client.got)} bytes: {client.got[:200]}")


def ask(stack, target, sport=40000, method="GET", **how):
    """A whole exchange; the answer is one that is described."""
    client = until(Client(stack, sport, **how).connect().say(f"{method} {target}{HOST}\r\n".encode()))
    client.fin()
    answer = Answer(client.got).whole(method)
    SPEC.answer(method, target, answer)
    return answer


def send(client, data, lose=lambda n: False):
    """As fast as the stack's window lets it; what is lost is sent again."""
    first, n = client.seq, 0
    while client.seq - first < len(data) and not client.ended and not client.reset:
        at = client.seq - first
        piece = data[at : at + min(1000, client.right - client.seq)]
        if not piece:
            client.later(10)
            continue
        n += 1
        if lose(n):
            client.later(200)
            continue
        frame = client.frame(ACK, piece)
        client.seq += len(piece)
        client.see(client.stack.put(frame))
    return client


def put(stack, size, sport, said=None, **how):
    head = f"PUT /v1/leaves/{HASH}{HOST}Content-Length: {said or size}\r\nExpect: 100-continue\r\n\r\n"
    client = until(Client(stack, sport).connect().say(head.encode()), lambda c: c.got)
    assert client.got == b"HTTP/1.1 100 Continue\r\n\r\n", client.got
    return send(client, bytes(i * 31 >> 3 & 255 for i in range(size)), **how)


def test_long_answers():
    """Page, leaves, journal, through windows down to 300 bytes."""
    sizes = {}
    for window, size in ((8192, 1460), (300, 536), (1100, 1000)):
        with Stack(PROGRAM) as s:
            for n, target in enumerate(("/", "/metrics", "/v1/status", "/v1/leaves", "/v1/journal")):
                answer = ask(s, target, 40000 + n, window=window, size=size)
                assert answer.status == 200
                assert sizes.setdefault(target, len(answer.body)) == len(answer.body) or target != "/", target
                assert target != "/v1/leaves" or len(json.loads(answer.body)["leaves"]) == 31
                s.later(10000)


def test_leaf():
    """The longest file there is, and around the pieces that it is taken in."""
    with Stack(PROGRAM) as s:
        for n, size in enumerate((1, 8191, 8192, 8193, LEAF_MAX)):
            client = until(put(s, size, 41000 + n))
            client.fin()
            answer = Answer(client.got)
            assert answer.interim == [100] and answer.status == 201, answer.body
            s.later(10000)


def test_lost():
    """Each seventh frame is lost on its way."""
    with Stack(PROGRAM) as s:
        client = until(put(s, 60000, 42000, lose=lambda n: n % 7 == 3))
        assert Answer(client.got).status == 201


def test_stopped():
    """Who stops in the midst of a file holds it for five seconds; who resets, not at all."""
    with Stack(PROGRAM) as s:
        put(s, 20000, 43000, said=30000)
        assert b" 503 " in until(Client(s, 43001).connect().say(head_of_a_leaf())).got[:20]
        s.later(6000)
        client = put(s, 20000, 43002, said=30000)
        s.put(client.frame(RST | ACK))
        assert Answer(until(put(s, 100, 43003)).got).status == 201


def head_of_a_leaf():
    return f"PUT /v1/leaves/{HASH}{HOST}Content-Length: 9\r\n\r\n".encode()


def test_cut_answers():
    """Who takes nothing of a long answer is let go, and all slots are free again."""
    with Stack(PROGRAM) as s:
        for n in range(40):
            Client(s, 44000 + n, src=f"10.0.0.{20 + n}", acks=False).connect().say(f"GET /v1/leaves{HOST}\r\n".encode())
            s.later(700)
        s.later(6000)
        assert ask(s, "/metrics", 45000).status == 200


def test_too_early():
    """Refused before the file has come: the answer arrives all the same, and what is still sent does no harm."""
    with Stack(PROGRAM) as s:
        client = Client(s, 46000).connect().say(f"PUT /v1/leaves/{HASH}{HOST}Content-Length: 300000\r\n\r\n".encode())
        send(client, b"x" * 20000)
        assert Answer(until(client).got).whole().status == 413
        assert ask(s, "/v1/status", 46001).status == 200


def test_slow():
    """A byte each second: told so after ten."""
    with Stack(PROGRAM) as s:
        client = Client(s, 47000).connect()
        for _ in range(15):
            if not client.ended:
                client.say(b"A")
                client.later(1000)
        assert Answer(until(client).got).status == 408


def test_ipv6():
    with Stack(PROGRAM, "", "fd00::2/64") as s:
        s.later(3000)  # its address is its own
        assert ask(s, "/v1/leaves", 48000, src="fd00::9", dst="fd00::2", size=1440).status == 200


def main():
    good = bad = 0
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                good += 1
            except Exception as error:  # pylint: disable=broad-except
                bad += 1
                print(f"http over lwIP: {name[5:]}: {type(error).__name__}: {error}")
    print(f"http over lwIP: {good} of {good + bad} tests passed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
