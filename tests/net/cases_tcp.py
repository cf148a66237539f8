# SPDX-License-Identifier: Apache-2.0
"""TCP: handshakes that cost nothing, limits of time and number, floods."""

import random
import struct

from frames import ACK, PEER, RST, SYN, arp, ip, mss, tcp
from peer import PORT, Client, Stack

SIX = {"src": "2001:db8::9", "dst": "2001:db8::2"}


def six(program):
    stack = Stack(program, "", "2001:db8::2/64,2001:db8::1")
    stack.later(3000)  # nobody else has the address
    return stack


def serves(stack, sport, **more):
    """A whole exchange, with nothing lost."""
    c = Client(stack, sport, **more).connect().say(b"is it there?").fin()
    assert c.got == b"is it there?" and c.ended and not c.reset, (c.got, c.ended, c.reset)


def test_exchange(program):
    with Stack(program) as s:
        for n in range(40):
            serves(s, 30000 + n)
    with six(program) as s:
        for n in range(40):
            serves(s, 30000 + n, **SIX)


def test_first(program):
    """A client that nobody has asked where it is loses nothing of its answer, nor one behind the gateway."""
    data = bytes(random.Random(4).randbytes(4000))
    with Stack(program, "10.0.0.2/24,10.0.0.1") as s:
        s.answers_arp = False
        for n, src in enumerate(("10.0.0.77", "10.3.4.5")):
            assert Client(s, 1 + n, src=src).connect().say(data).fin().got == data, src
    with six(program) as s:
        s.answers_arp = False
        assert Client(s, 1, src="2001:db8::77", dst=SIX["dst"]).connect().say(data).fin().got == data


def test_large(program):
    """More than all windows, both ways; and a client that takes little at once."""
    data = bytes(random.Random(1).randbytes(30000))
    with Stack(program) as s:
        for sport, size, window in ((1, 1460, 8192), (2, 536, 8192), (3, 1460, 300), (4, 0, 8192), (5, 300, 65535)):
            c = Client(s, sport, size=size, window=window).connect()
            c.say(data).fin()
            for _ in range(200):
                if c.ended:
                    break
                c.later(100)
            assert c.got == data and c.ended, (sport, len(c.got))


def test_mss(program):
    """Never more than the client's MSS, whatever it says later."""
    with Stack(program) as s:
        s.put(arp(1, PEER, ip("10.0.0.9"), bytes(6), ip("10.0.0.2")))
        c = Client(s, 1, size=536, acks=False).connect()
        answer = s.put(c.frame(ACK, b"x" * 1000, options=mss(1) + b"\1\1\1\1"))
        assert [len(a.data) for a in answer if a.data] == [536, 464], answer
        assert Client(s, 2, size=100).syn() is None, "an MSS of 100 is taken"
        assert Client(s, 3, size=216).syn() is not None


def test_unforeseeable(program):
    """Sequence numbers: no two of many connections are near each other, and the clock is not in them."""
    seen = set()
    with Stack(program) as s:
        for n in range(400):
            seen.add(Client(s, 1000 + n).syn() % 2**25 >> 9)  # behind clock and MSS
        first = Client(s, 7).syn()
        s.later(64000)
        assert first is not None and first != Client(s, 7).syn(), "the same after a minute"
    assert len(seen) > 390, len(seen)


def test_cookie(program):
    """Only who got the answer gets in: any bit turned, a minute late, another port, another number of its own."""
    with Stack(program) as s:
        c = Client(s, 100)
        c.syn()
        for change in [1 << bit for bit in range(32)]:
            c.ack ^= change
            answer = s.put(c.frame(ACK, b"hello"))
            c.ack ^= change
            assert [a.flags for a in answer] == [RST], (change, answer)
        for more in ({"sport": 101}, {"src": "10.0.0.10"}, {"seq": c.seq + 1}):
            other = Client(s, **{"sport": 100, "seq": c.seq, **more})
            other.ack = c.ack
            assert [a.flags for a in s.put(other.frame(ACK))] == [RST], more
        s.later(65000)
        assert [a.flags for a in s.put(c.frame(ACK))] == [RST]
        c = Client(s, 100).connect()
        assert not c.say(b"now").reset and c.got == b"now"


def test_flood(program):
    """SYNs of ten thousand strangers, at once: no memory, no neighbour's entry, and a client is served meanwhile."""
    rng = random.Random(2)
    with Stack(program) as s:
        before, frames = s.figures()[0], 0
        for _ in range(100):
            for _ in range(100):
                src = bytes([10, 0, 0, rng.randrange(10, 250)]) if rng.random() < 0.5 else rng.randbytes(4)
                src = bytes([src[0] % 100 + 1]) + src[1:]
                frames += len(s.put(tcp(src, ip("10.0.0.2"), rng.randrange(65536), PORT, rng.randrange(2**32), 0, SYN)))
            if frames == 5000:
                serves(s, 2)
                before += s.figures()[0] - before - 5000
        assert frames > 9900, frames
        serves(s, 1)
        assert s.figures()[0] < before + 11000 * 3


def test_half_open(program):
    """Nothing is kept of handshakes that nobody finishes: no retransmission, and no place taken."""
    with Stack(program) as s:
        for n in range(64):
            assert Client(s, 100 + n).syn() is not None
        assert not [x for x in s.later(30000) if x.protocol == 6]
        serves(s, 1)


def test_lost_ack(program):
    """The handshake's last segment is lost: the first with data does as well."""
    with Stack(program) as s:
        c = Client(s, 1)
        c.syn()
        c.say(b"late").fin()
        assert c.got == b"late" and c.ended


def test_idle(program):
    """Who says nothing is gone after 5 s, and no sooner."""
    with Stack(program) as s:
        c = Client(s, 1).connect()
        assert not c.later(4900).reset and c.later(200).reset


def test_slow(program):
    """A byte every four seconds is lively, but a minute is all that anybody gets."""
    with Stack(program) as s:
        c, n = Client(s, 1).connect(), 0
        while not c.reset:
            c.say(b"x").later(4000)
            n += 1
            assert n < 20
        assert n == 15, n


def test_never_reads(program):
    """Who takes nothing of the answer, or acknowledges nothing, is gone after 5 s."""
    with Stack(program) as s:
        for sport, window, acks in ((1, 0, True), (2, 8192, False)):
            c = Client(s, sport, window=window, acks=acks).connect().say(b"x" * 1000)
            assert not c.later(4000).reset and c.later(1500).reset, sport
        serves(s, 3)


def test_never_closes(program):
    """Who got its answer and does not close is gone after 5 s."""
    with Stack(program) as s:
        c = Client(s, 1, acks=False).connect().say(b"x").fin()
        assert not c.reset
        c.later(6000)
        serves(s, 2)


def test_places(program):
    """Eight at once, four of one address; who has been silent longest makes room, and nobody who has just spoken."""
    with Stack(program, "10.0.0.2/16") as s:
        mine = [Client(s, 100 + n).connect() for n in range(5)]
        assert [c.reset for c in mine] == [False] * 4 + [True]
        others = [Client(s, 200 + n, src="10.0.1.1").connect() for n in range(4)]
        late = Client(s, 300, src="10.0.2.1").connect()
        assert late.reset and not any(c.reset for c in others)
        for c in [*mine[1:4], *others]:
            c.later(100)
        for c in [*mine[1:4], *others]:
            c.say(b"x")
        late = Client(s, 301, src="10.0.2.1").connect()
        assert not late.reset and late.say(b"hello").got == b"hello"
        assert mine[0].say(b"?").reset, "another than the silent one made room"


def test_places_6(program):
    """In IPv6 a whole /64 is one host."""
    with six(program) as s:
        got = [Client(s, 100 + n, src=f"2001:db8:0:1::{n + 1}", dst=SIX["dst"]).connect().reset for n in range(5)]
        assert got == [False] * 4 + [True], got


def test_odd_segments(program):
    """Flags that mean nothing, options that lie, ports that are not ours: silence or a reset, and nothing after."""
    rng = random.Random(3)
    with Stack(program) as s:
        src, dst = ip("10.0.0.9"), ip("10.0.0.2")
        for port in (0, 1, 80, 443, PORT + 1):
            assert not s.put(tcp(src, dst, 5, port, 1, 0, SYN), tcp(src, dst, 5, port, 1, 1, ACK)), port
        for flags in range(64):
            answer = s.put(tcp(src, dst, 5, PORT, 1, 1, flags))
            assert all(a.flags in (SYN | ACK, RST) for a in answer) and len(answer) <= 1, (flags, answer)
            assert not answer or not flags & RST
        for _ in range(2000):
            options = rng.randbytes(4 * rng.randrange(11))
            s.put(tcp(src, dst, 5, PORT, 1, 0, SYN, options=options))
        c = Client(s, 6).connect()
        for n in range(2000):
            c.see(s.put(c.frame(ACK, b"", options=rng.randbytes(4 * rng.randrange(11)))))
        assert c.say(b"still").got == b"still"
        for wrong in (c.seq + 10**6, c.seq - 10**6, c.seq + 2**31):
            s.put(c.frame(ACK, b"old", seq=wrong), c.frame(RST, seq=wrong), c.frame(SYN, seq=wrong))
        assert c.say(b" here").got == b"still here" and not c.reset


def test_wrong_sum(program):
    """A bit turned on the way: no answer."""
    with Stack(program) as s:
        c = Client(s, 1).connect()
        frame = c.frame(ACK, b"hello world")
        for at in range(26, len(frame)):
            bad = bytearray(frame)
            bad[at] ^= 0x10
            assert not [a for a in s.put(bytes(bad)) if a.data], at
        assert c.say(b"hello world").got == b"hello world"


def test_reordered(program):
    """What overtakes is thrown away and comes again; nothing is kept for it."""
    with Stack(program) as s:
        c = Client(s, 1).connect()
        one, two = c.frame(ACK, b"1" * 100), c.frame(ACK, b"2" * 100, seq=c.seq + 100)
        for _ in range(1000):
            s.put(two)
        c.seq += 200
        c.see(s.put(one)).see(s.put(two))
        assert c.got == b"1" * 100 + b"2" * 100


def test_lost_answer(program):
    """An answer that is lost comes again, after the card's ring was full as well."""
    with Stack(program) as s:
        c = Client(s, 1).connect()
        s.put(c.frame(ACK, b"again"))
        c.seq += 5
        assert c.later(2500).got == b"again"
        s.full(True)
        s.put(c.frame(ACK, b" and again"))
        c.seq += 10
        s.full(False)
        assert c.later(2500).got == b"again and again"


def test_many_bytes_of_one(program):
    """A window full of one-byte segments takes no more than one of whole ones."""
    with Stack(program) as s:
        clients = [Client(s, 1 + n, src=f"10.0.0.{10 + n}", acks=False).connect() for n in range(8)]
        for n in range(300):
            for c in clients:
                s.put(c.frame(ACK, b"x"))
                c.seq += 1
        for c in clients:
            c.acks = True
            for _ in range(60):
                c.later(100)
        s.later(60000)
        serves(s, 100)


def test_fin_first(program):
    """The client closes before it has said anything; resets in each state."""
    with Stack(program) as s:
        c = Client(s, 1).connect().fin()
        assert c.ended and not c.got
        Client(s, 2).connect().see(s.put(Client(s, 2).frame(RST)))
        c = Client(s, 3).connect()
        s.put(c.frame(RST))
        c = Client(s, 4, acks=False).connect().say(b"x" * 900).fin()
        s.put(c.frame(RST))
        assert not [x for x in s.later(20000) if x.protocol == 6 and x.dport in (3, 4)]
        serves(s, 5)


def test_late(program):
    """The core comes back after an hour, and once lwIP's clock of 32 bits is about to turn over: as ever."""
    with Stack(program) as s:
        for n, ms in enumerate((3600000, 2**31, 2**31 - 3620000, 1000, 9000, 2**32 - 1)):
            c = Client(s, 50 + n).connect()
            s.sent = []
            s.write(b"T", struct.pack("<I", ms))
            s.run()
            assert n == 3 or c.see(s.sent).reset, (n, "silent for so long, and still there")
            serves(s, 100 + n)
            s.later(8000)
