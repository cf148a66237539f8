# SPDX-License-Identifier: Apache-2.0
"""Below TCP: who answers where, what is not answered at all, neighbours, leases, routers, settings."""

import random
import struct

from frames import ACK, ME, PEER, SYN, arp, checksum, echo, ether, ip, ipv4, ipv6, over_ip, tcp
from peer import PORT, Client, GaveUp, Stack

US, THEM = ip("10.0.0.2"), ip("10.0.0.9")
US6, THEM6 = ip("2001:db8::2"), ip("2001:db8::9")
LOCAL = ip("fe80::4e:4cff:fe00:1")
ALL_NODES = ip("ff02::1")


def six(program, setting="2001:db8::2/64,2001:db8::1"):
    stack = Stack(program, "", setting)
    stack.later(3000)
    return stack


def neighbours(frames, kind):
    return [s for s in frames if s.protocol == 58 and s.body[0] == kind]


def solicit(target, src=THEM6, source_option=True):
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + (b"\1\1" + PEER if source_option else b"")
    group = ip("ff02::1:ff00:0")[:13] + target[13:]
    return over_ip(src, group, 58, body, mac=b"\x33\x33" + group[12:])


def test_arp(program):
    with Stack(program) as s:
        s.put(arp(1, PEER, THEM, bytes(6), US, dst=b"\xff" * 6))
        assert [(a.op, a.sha, a.spa, a.dst) for a in s.sent] == [(2, ME, US, PEER)], s.sent
        for frame in (
            arp(1, PEER, THEM, bytes(6), ip("10.0.0.3")),
            arp(2, PEER, THEM, ME, US),
            arp(1, PEER, THEM, bytes(6), US)[:41],
            arp(1, PEER, THEM, bytes(6), US, dst=b"\2\0\0\0\0\7"),
        ):
            s.put(frame)
            assert not s.sent, s.sent
        for n in range(42):
            s.put(arp(1, PEER, THEM, bytes(6), US)[:n])
            assert not s.sent, n


def test_first_frame(program):
    """Even what comes before anything is set up is answered."""
    with Stack(program, first=echo(THEM, US)) as s:
        assert [a.protocol for a in s.begun if a.protocol] == [1], s.begun


def test_echo(program):
    """Answered, with what was sent; a hundred a second; to nobody but us, and to no group."""
    with Stack(program) as s:
        for n in (0, 1, 55, 56, 1000, 1472):
            data = bytes(range(256)) * 6
            (answer,) = s.put(echo(THEM, US, data[:n]))
            assert answer.body[:2] == b"\0\0" and answer.body[8:] == data[:n] and answer.dst == PEER
        for dst in (ip("10.0.0.3"), ip("10.0.0.255"), ip("255.255.255.255"), ip("224.0.0.1")):
            assert not s.put(echo(THEM, dst), echo(THEM, dst).replace(ME, b"\xff" * 6)), dst
        s.later(2000)
        assert sum(len(s.put(echo(THEM, US))) for _ in range(300)) == 100
        s.later(1000)
        assert s.put(echo(THEM, US))


def test_echo_6(program):
    with six(program) as s:
        for dst in (US6, LOCAL):
            src = THEM6 if dst == US6 else ip("fe80::9")
            (answer,) = s.put(echo(src, dst, b"x" * 1000))
            assert answer.body[0] == 129 and answer.body[8:] == b"x" * 1000
        assert not s.put(echo(THEM6, ip("2001:db8::3")))


def test_silence(program):
    """What is not for us is dropped unread: other protocols, ports, fragments, options, extension headers."""
    with Stack(program, "10.0.0.2/24", "2001:db8::2/64") as s:
        s.later(3000)
        syn = struct.pack("!HHIIBBHHH", 5, PORT, 1, 0, 0x50, SYN, 9, 0, 0)
        frames = [ether(0x0800, ipv4(THEM, US, p, b"\0" * 40)) for p in range(256) if p != 1]
        frames += [ether(0x0800, ipv4(THEM, US, 6, syn, flags=f)) for f in (0x2000, 1, 0x1FFF, 0x2001)]
        frames += [ether(0x0800, ipv4(THEM, US, 6, syn, options=b"\1" * 4 * n)) for n in range(1, 11)]
        frames += [ether(0x0800, ipv4(THEM, US, 6, syn, length=n)) for n in (0, 19, 20, 39, 41, 1500, 65535)]
        frames += [ether(0x86DD, ipv6(THEM6, US6, p, b"\0" * 40)) for p in range(256) if p not in (58,)]
        frames += [ether(0x86DD, ipv6(THEM6, US6, 6, syn, length=n)) for n in (0, 19, 21, 1500, 65535)]
        kinds = [struct.pack("!BBHI", t, 0, 0, 0) + b"\0" * 40 for t in range(256) if t != 128]
        frames += [over_ip(THEM6, US6, 58, kind) for kind in kinds]
        frames += [over_ip(THEM, US, 17, struct.pack("!HHHH", 67, port, 28, 0) + b"x" * 20) for port in (53, 68, 69)]
        frames += [ether(kind, b"\0" * 60) for kind in (0, 1500, 0x8100, 0x88CC, 0x86DD, 0x0800, 0x0806)]
        frames += [ether(0x0800, ipv4(THEM, US, 1, t + b"\0" * 12)) for t in (b"\3\1", b"\5\1", b"\r\0", b"\0\0")]
        for frame in frames:
            assert not s.put(frame), frame.hex()
        assert s.put(tcp(THEM, US, 5, PORT, 1, 0, SYN)) and s.put(tcp(THEM6, US6, 5, PORT, 1, 0, SYN))


def test_lengths(program):
    """Each frame cut at each byte, and with more behind it: an answer to the whole one, and to no other."""
    with Stack(program, "10.0.0.2/24", "2001:db8::2/64") as s:
        s.later(3000)
        whole = [arp(1, PEER, THEM, bytes(6), US), echo(THEM, US), echo(THEM6, US6), solicit(US6)]
        whole += [tcp(THEM, US, 5, PORT, 1, 0, SYN), tcp(THEM6, US6, 5, PORT, 1, 0, SYN)]
        for frame in whole:
            for n in range(len(frame)):
                s.put(frame[:n])
                assert not s.sent, (n, frame.hex())
            for more in (b"", b"\0", b"\xff" * 17, b"\0" * 1400):
                s.put(frame + more)
                assert s.sent, (len(more), frame.hex())
        for n in (1515, 1600, 2048):
            s.put(echo(THEM, US, b"x" * 1472) + bytes(n - 1514))
            assert not s.sent


def test_random(program):
    """A few thousand frames of chance, and of chance behind a good beginning."""
    rng = random.Random(5)
    with Stack(program, "10.0.0.2/24", "auto") as s:
        s.later(3000)
        starts = [arp(1, PEER, THEM, bytes(6), US), echo(THEM, US), echo(THEM6, LOCAL), solicit(LOCAL)]
        starts += [tcp(THEM, US, 5, PORT, 1, 1, ACK, b"x" * 60)]
        for n in range(6000):
            frame = bytearray(rng.choice(starts))
            for _ in range(rng.randrange(1, 5)):
                frame[rng.randrange(12, len(frame))] = rng.randrange(256)
            s.put(bytes(frame[: rng.randrange(15, len(frame) + 1)]))
            if n % 500 == 0:
                s.later(1000)
        assert Client(s, 9).connect().say(b"still").got == b"still"


def test_neighbours(program):
    """Found by whoever looks for us, with a solicitation that is ours alone; before that, it asks if it is alone."""
    with Stack(program, "", "2001:db8::2/64") as s:
        asked = [a.body[8:24] for a in neighbours(s.later(3000), 135) if not any(a.ip_src)]
        assert sorted(asked) == sorted([US6, LOCAL]), asked
        for target in (US6, LOCAL):
            s.put(solicit(target))
            (answer,) = neighbours(s.sent, 136)
            assert answer.body[8:24] == target and answer.body[24:] == b"\2\1" + ME and answer.dst == PEER
        options = [b"\1" + n + PEER for n in (b"\0", b"\2", b"\xff")]
        options += [b"\5\0" + PEER]
        options += [(b"\1\1" + PEER + b"\5\1\0\0\0\0\5")[:n] for n in range(1, 16) if n != 8]
        bodies = [struct.pack("!BBHI", 135, 0, 0, 0) + US6 + option for option in options]
        for frame in (solicit(ip("2001:db8::3")), *(over_ip(THEM6, US6, 58, body) for body in bodies)):
            s.put(frame)
            assert not neighbours(s.sent, 136)
        far = bytearray(solicit(US6))
        far[21] = 254  # came over a router
        s.put(bytes(far))
        assert not neighbours(s.sent, 136)


def test_twice(program):
    """The address is somebody's already: it is not used."""
    with Stack(program, "", "2001:db8::2/64") as s:
        body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + US6 + b"\2\1" + PEER
        s.put(over_ip(US6, ALL_NODES, 58, body, mac=b"\x33\x33\0\0\0\1"))
        s.later(3000)
        assert not s.put(echo(THEM6, US6)) and s.put(echo(ip("fe80::9"), LOCAL))


def advertise(prefix="2001:db8:5::", life=1800, valid=3600, flags=0xC0, mtu=None, source="fe80::1", mac=True):
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, life, 0, 0) + (b"\1\1" + PEER if mac else b"")
    body += struct.pack("!BBBBIII", 3, 4, 64, flags, valid, valid, 0) + ip(prefix) if prefix else b""
    body += struct.pack("!BBHI", 5, 1, 0, mtu) if mtu else b""
    return over_ip(ip(source), ALL_NODES, 58, body, mac=b"\x33\x33\0\0\0\1")


def test_routers(program):
    """auto: asks for routers, takes an address of what they announce, answers through them, and lets it go."""
    mine = ip("2001:db8:5::4e:4cff:fe00:1")
    with Stack(program, "", "auto") as s:
        asked = neighbours(s.later(8000), 133)
        assert asked and asked[-1].ip_src == LOCAL and len(asked) <= 3, asked
        s.put(advertise(valid=20))
        s.later(3000)
        assert s.put(echo(ip("2001:db8:5::9"), mine)), "on the link"
        far = Client(s, 1, src="2001:db8:77::1", dst="2001:db8:5::4e:4cff:fe00:1").connect().say(b"far").fin()
        assert far.got == b"far" and far.ended
        s.later(30000)
        assert not s.put(echo(ip("2001:db8:5::9"), mine)), "its time is over"
        for n in range(200):
            s.put(advertise(f"2001:db8:{n:x}::", valid=n * 60, mtu=(0, 1, 1279, 1280, 1500, 65535)[n % 6]))
        s.later(3000)
        assert s.put(echo(ip("fe80::9"), LOCAL))
    with six(program, "2001:db8::2/64") as s:
        s.put(advertise())
        s.later(3000)
        assert not s.put(echo(THEM6, mine)), "a router was believed, though the address is fixed"
        assert s.put(echo(THEM6, US6)) and not s.put(echo(ip("2001:db8:77::1"), US6)), "and its way was taken"


def test_multicast(program):
    """A switch that asks which groups we are in hears of them: or else it would not let anybody find us."""
    with six(program) as s:
        query = struct.pack("!BBHHH", 130, 0, 0, 1000, 0) + bytes(16)
        src, alert = ip("fe80::1"), b"\x3a\0\5\2\0\0\1\0"
        whole = over_ip(src, ALL_NODES, 58, query, mac=b"\x33\x33\0\0\0\1")[54:]
        s.put(ether(0x86DD, ipv6(src, ALL_NODES, 0, alert + whole, 1), dst=b"\x33\x33\0\0\0\1"))
        groups = {a.body[8:24] for a in neighbours(s.later(15000), 131)}
        assert ip("ff02::1:ff00:2") in groups, groups


class Server:
    """Leases one address."""

    def __init__(self, stack, lease=600):
        self.stack, self.lease, self.seen, self.answers = stack, lease, [], True

    def frame(self, xid, kind, lease):
        options = b"\x63\x82\x53\x63" + bytes([53, 1, kind, 54, 4]) + ip("10.1.0.1")
        options += b"\x33\4" + struct.pack("!I", lease) + b"\1\4" + ip("255.255.0.0")
        options += b"\3\4" + ip("10.1.0.1") + b"\xff"
        body = struct.pack("!BBBBIHH", 2, 1, 6, 0, xid, 0, 0) + bytes(4) + ip("10.1.2.3") + ip("10.1.0.1") + bytes(4)
        body += ME + bytes(10 + 64 + 128) + options
        udp = struct.pack("!HHHH", 67, 68, 8 + len(body), 0) + body
        return over_ip(ip("10.1.0.1"), ip("255.255.255.255"), 17, udp, mac=b"\xff" * 6)

    def run(self, ms, refuse=False):
        end = self.stack.time + ms
        while self.stack.time < end:
            frames = self.stack.later(min(self.stack.wait, end - self.stack.time))
            ours = []
            for a in (a for a in frames if a.protocol == 17):
                body = a.body[8:]
                xid, kind = struct.unpack("!I", body[4:8])[0], body[242]
                assert body[28:34] == ME and body[236:240] == b"\x63\x82\x53\x63"
                self.seen.append((kind, xid))
                if self.answers and kind in (1, 3):
                    ours.append(self.frame(xid, 2 if kind == 1 else 6 if refuse else 5, self.lease))
            self.answer(ours, refuse)

    def answer(self, ours, refuse):
        """What is sent because of an offer is answered at once."""
        while ours:
            sent = [a for a in self.stack.put(*ours) if a.protocol == 17]
            self.seen += [(a.body[250], struct.unpack("!I", a.body[12:16])[0]) for a in sent]
            ours = [self.frame(self.seen[-1][1], 6 if refuse else 5, self.lease) for a in sent if a.body[250] == 3]


def test_lease(program):
    """dhcp: discover, request, bound; renewed at half its time; a refusal ends it; silence, too."""
    address = ip("10.1.2.3")
    with Stack(program, "dhcp") as s:
        server = Server(s)
        server.run(15000)
        assert [k for k, _ in server.seen] == [1, 3] and s.put(echo(ip("10.1.9.9"), address)), server.seen
        far = Client(s, 1, src="192.0.2.7", dst="10.1.2.3").connect().say(b"far").fin()
        assert far.got == b"far" and far.ended
        server.run(400000)
        assert [k for k, _ in server.seen] == [1, 3, 3], server.seen
        server.run(330000, refuse=True)
        assert not s.put(echo(ip("10.1.9.9"), address)) or [k for k, _ in server.seen][3:] == [3, 1, 3], server.seen
        server.run(60000)
        assert s.put(echo(ip("10.1.9.9"), address)), server.seen
        server.answers = False
        server.run(700000)
        assert not s.put(echo(ip("10.1.9.9"), address)), "used without a lease"
        assert len({x for _, x in server.seen}) > 2, "one transaction for all"
    with Stack(program, "dhcp") as s:
        server = Server(s)
        server.answers = False
        server.run(60000)
        assert 3 < len(server.seen) < 20
        rng = random.Random(6)
        for n in range(3000):
            frame = bytearray(server.frame(server.seen[-1][1], rng.choice((2, 5, 6)), 600))
            for _ in range(rng.randrange(4)):
                frame[rng.randrange(42, len(frame))] = rng.randrange(256)
            del frame[rng.randrange(42, len(frame) + 1) :]
            frame[16:18] = struct.pack("!H", len(frame) - 14)
            frame[24:26] = b"\0\0"
            frame[24:26] = struct.pack("!H", checksum(bytes(frame[14:34])))
            frame[38:42] = struct.pack("!HH", len(frame) - 34, 0)
            s.put(bytes(frame))
            if n % 100 == 0:
                server.run(2000)
        server.answers = True
        server.run(100000)
        assert s.put(echo(ip("10.1.9.9"), address)), "not found again"


def test_settings(program):
    """A family whose setting cannot be read is not there; with none left it gives up, and says why."""
    bad = "10.0.0.2", "10.0.0.2/", "10.0.0.2/0", "10.0.0.2/33", "10.0.0/24", "10.0.0.256/24", "010.0.0.2/24"
    bad += "10.0.0.2/24,", "10.0.0.2/24,x", "10.0.0.2/24 ", " 10.0.0.2/24", "10.0.0.2/24,10.0.0.1,", "DHCP", "dhcpx"
    bad += "224.0.0.1/24", "127.0.0.1/8", "0.0.0.0/8", "10.0.0.2/024", "10..0.2/24", "10.0.0.2.1/24", "x" * 95
    bad6 = "2001:db8::2", "2001:db8::2/0", "2001:db8::2/63", "2001:db8::2/129", ":2001:db8::2/64", "2001:db8:::2/64"
    bad6 += "2001::db8::2/64", "2001:db8::12345/64", "1:2:3:4:5:6:7/64", "1:2:3:4:5:6:7:8:9/64", "ff02::1/64", "::1/64"
    bad6 += "2001:db8::2/64,", "2001:db8::2/64,2001:db9::1", "2001:db8::2%1/64", "auto ", "::/64", "1:2:3:4:5:6:7::8/64"
    bad6 += "2001:db8::10.0.0.2/64", "2001:db8::2:/64", "g::1/64"
    for setting in bad:
        try:
            Stack(program, setting)
            raise AssertionError(f"{setting!r} was taken")
        except GaveUp as gone:
            assert gone.args[0] == 3, gone
        with Stack(program, setting, "auto") as s:
            s.later(3000)
            assert s.put(echo(ip("fe80::9"), LOCAL)) and not s.put(echo(THEM, US)), setting
    for setting in bad6:
        with Stack(program, "10.0.0.2/24", setting) as s:
            s.later(3000)
            assert s.put(echo(THEM, US)) and not s.put(echo(ip("fe80::9"), LOCAL)), setting
    good6 = "1:2:3:4:5:6:7:8", "1::8", "::5:6:7:8", "1:2:3:4:5:6::", "1:2::7:8", "2001:DB8::aB", "fd00::"
    for text in good6:
        with Stack(program, "", text + "/64") as s:
            s.later(3000)
            assert s.put(echo(ip(text)[:8] + b"\0" * 7 + b"\7", ip(text))), text
    for port in (0, 65536):
        try:
            Stack(program, port=port)
            raise AssertionError(f"port {port} was taken")
        except GaveUp as gone:
            assert gone.args[0] == 2, gone


def test_asleep(program):
    """With nobody there it wants to be woken once a second and no more, and never turns in a circle."""
    for settings in (("10.0.0.2/24", ""), ("", "2001:db8::2/64"), ("10.0.0.2/24", "2001:db8::2/64")):
        with Stack(program, *settings) as s:
            s.later(30000)
            wakes, s.sent = 0, []
            for _ in range(60):
                assert s.wait == 1000, s.wait
                s.write(b"T", struct.pack("<I", s.wait))
                s.run()
                wakes += 1
            assert wakes == 60 and not [a for a in s.sent if a.protocol == 6]


def test_one_waits(program):
    """A packet waits for its router. By the time that is found, its way is another, and there is no place for the
    neighbour on it but the router's: lwIP gives the packet back, sends it, and gives it back again."""
    far = "2001:db8:77::"
    with Stack(program, "", "auto") as s:
        s.later(8000)
        s.answers_arp = False
        mine = ip("2001:db8:5::4e:4cff:fe00:1")
        s.put(advertise(source="fe80::2"))
        s.later(3000)
        s.put(advertise(source="fe80::2", life=1, prefix=None))
        s.later(1500)
        s.put(advertise(life=1, prefix=None, mac=False))
        s.put(echo(ip(far + "1"), mine))  # waits for fe80::1, of which nobody knows where it is
        s.later(1000)  # and which is no router any more
        s.put(advertise(source="fe80::2", prefix=None))
        s.put(*(echo(ip(f"2001:db8:99::{n:x}"), mine) for n in range(1, 40)))  # forgets by which way it was to go
        s.put(advertise(source="fe80::2", prefix=far))  # it is on the link now
        s.put(*(echo(ip(f"2001:db8:5::{n:x}"), mine) for n in range(0x100, 0x10E)))  # neighbours that do not answer
        body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + ip("fe80::1") + b"\2\1" + PEER
        s.put(over_ip(ip("fe80::1"), mine, 58, body))
        s.later(5000)
        s.answers_arp = True
        s.later(5000)
        c = Client(s, 9, src="2001:db8:5::9", dst="2001:db8:5::4e:4cff:fe00:1").connect().say(b"still")
        assert c.got == b"still"
