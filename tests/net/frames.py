# SPDX-License-Identifier: Apache-2.0
"""Frames by hand: Ethernet, ARP, IPv4, IPv6, ICMP, TCP, UDP; and every check sum of what is read."""

import ipaddress
import struct

ME, PEER = bytes.fromhex("024e4c000001"), bytes.fromhex("020000000099")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def ip(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xFFFF) + (n >> 16)
    return ~n & 0xFFFF


def pseudo(src, dst, protocol, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, protocol, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, protocol)


def ether(kind, payload, src=PEER, dst=ME):
    return dst + src + struct.pack("!H", kind) + payload


def ipv4(src, dst, protocol, payload, flags=0, length=None, options=b""):
    words = 5 + len(options) // 4
    length = 4 * words + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, length, 7, flags, 64, protocol, 0) + src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, protocol, payload, hops=64, length=None):
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, length, protocol, hops) + src + dst + payload


def over_ip(src, dst, protocol, payload, mac=ME):
    """A whole frame for our stack; the check sum's place in payload is zero and gets filled."""
    at = {6: 16, 17: 6, 58: 2}[protocol]
    n = checksum(pseudo(src, dst, protocol, len(payload)) + payload)
    payload = payload[:at] + struct.pack("!H", n) + payload[at + 2 :]
    if len(src) == 4:
        return ether(0x0800, ipv4(src, dst, protocol, payload), dst=mac)
    return ether(0x86DD, ipv6(src, dst, protocol, payload, 255), dst=mac)


def tcp(src, dst, sport, dport, seq, ack, flags, data=b"", window=8192, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, words << 4, flags, window, 0, 0)
    return over_ip(src, dst, 6, head + options + data)


def mss(n):
    return struct.pack("!BBH", 2, 4, n)


def arp(op, sha, spa, tha, tpa, **more):
    return ether(0x0806, struct.pack("!HHBBH", 1, 0x800, 6, 4, op) + sha + spa + tha + tpa, **more)


def echo(src, dst, data=b"newleaf"):
    if len(src) == 16:
        return over_ip(src, dst, 58, struct.pack("!BBHHH", 128, 0, 0, 1, 1) + data)
    body = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + data
    return ether(0x0800, ipv4(src, dst, 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:]))


class Seen:
    """A frame that the stack sent, taken apart; what is wrong in it raises."""

    def __init__(self, frame):
        assert 14 <= len(frame) <= 1514, len(frame)
        self.frame, self.dst, self.src = frame, frame[:6], frame[6:12]
        self.kind, self.protocol = struct.unpack("!H", frame[12:14])[0], None
        body = frame[14:]
        if self.kind == 0x0806:
            self.op, self.sha, self.spa, self.tpa = body[7], body[8:14], body[14:18], body[24:28]
        elif self.kind == 0x0800:
            assert body[0] == 0x45 and checksum(body[:20]) == 0, body.hex()
            self.ip_src, self.ip_dst, self.protocol = body[12:16], body[16:20], body[9]
            self.body = body[20 : struct.unpack("!H", body[2:4])[0]]
            assert len(self.body) == len(body) - 20
        else:
            assert self.kind == 0x86DD and body[0] >> 4 == 6, frame.hex()
            self.ip_src, self.ip_dst, self.protocol = body[8:24], body[24:40], body[6]
            self.body = body[40:]
            assert len(self.body) == struct.unpack("!H", body[4:6])[0]
            if self.protocol == 0:  # a router alert
                self.protocol, self.body = self.body[0], self.body[8:]
        if self.protocol == 1:
            assert checksum(self.body) == 0
        elif self.protocol is not None:
            assert checksum(pseudo(self.ip_src, self.ip_dst, self.protocol, len(self.body)) + self.body) == 0
        if self.protocol == 6:
            fields = struct.unpack("!HHIIBBHHH", self.body[:20])
            self.sport, self.dport, self.seq, self.ack, words, self.flags, self.window = fields[:7]
            self.options, self.data = self.body[20 : words // 4], self.body[words // 4 :]

    def __repr__(self):
        more = f" {self.flags:#x} {self.seq} {self.ack} +{len(self.data)}" if self.protocol == 6 else ""
        return f"<{self.kind:#x} {self.protocol}{more} {len(self.frame)}>"
