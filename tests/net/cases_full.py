# SPDX-License-Identifier: Apache-2.0
"""Every allocation fails once, then from each on for a while: nothing breaks, and afterwards all is as before. The
image's own pools, and blocks whose edges the sanitizer sees."""

from cases_ip import LOCAL, Server, advertise
from frames import ACK, ip
from peer import Client, GaveUp, Stack

PROGRAMS = ("host", "strict")
AT_START = 2  # NET_FAIL_START
LOCAL_TEXT = "fe80::4e:4cff:fe00:1"


def life(stack):
    """A bit of everything. What fails on the way is no error: it may."""
    server = Server(stack)
    server.run(12000)
    stack.put(advertise())
    server.run(2000)
    for n, (src, dst) in enumerate((("10.1.0.9", "10.1.2.3"), ("fe80::9", LOCAL_TEXT))):
        c = Client(stack, 100 + n, src=src, dst=dst)
        if c.syn() is None:
            continue
        c.see(stack.put(c.frame(ACK)))
        c.say(b"x" * 3000)
        server.run(1500)
        c.see([]).fin()
        late = Client(stack, 200 + n, src=src, dst=dst)
        if late.syn() is not None:
            stack.put(late.frame(ACK, b"and gone"))
    server.run(8000)
    return server


def recovers(stack, server):
    stack.fail(0, 0)
    server.run(120000)
    stack.put(advertise())
    server.run(5000)
    for n, (src, dst) in enumerate((("10.1.0.9", "10.1.2.3"), ("fe80::9", LOCAL_TEXT))):
        c = Client(stack, 300 + n, src=src, dst=dst).connect().say(b"y" * 3000)
        server.run(3000)
        c.see([]).fin()
        for _ in range(30):
            if c.ended:
                break
            c.later(200)
        assert c.got == b"y" * 3000 and c.ended, (dst, len(c.got), c.ended)


def begin(program):
    return Stack(program, "dhcp", "auto")


def test_each(program):
    with begin(program) as s:
        before = s.figures()[0]
        life(s)
        total = s.figures()[0] - before
    assert ip(LOCAL_TEXT) == LOCAL and total > 60, total
    for times, step in ((1, 1), (7, 3), (1000, 5)):
        for at in range(1, total + 1, step):
            try:
                with begin(program) as s:
                    s.fail(at, times)
                    recovers(s, life(s))
            except (AssertionError, GaveUp) as error:
                raise AssertionError(f"allocation {at}, {times} times: {error}") from error


def test_start(program):
    """When it is set up: it runs, or gives up by name."""
    gave_up = 0
    for at in range(1, 40):
        try:
            with Stack(program, "dhcp", "auto", fail=(at, 1)) as s:
                recovers(s, life(s))
        except GaveUp as gone:
            assert gone.args[0] == AT_START, gone
            gave_up += 1
    assert 0 < gave_up < 39, gave_up
