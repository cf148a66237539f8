# SPDX-License-Identifier: Apache-2.0
"""The other side of the wire: the stack as a process (fake.h has the letters between), and a TCP client by hand."""

import resource
import struct
import subprocess

from frames import ACK, FIN, ME, PEER, RST, SYN, Seen, arp, ip, mss, over_ip, tcp

PORT = 9947
CIRCLE = 60  # seconds of a CPU: a stack that takes so long runs in one, and would not see that its test is gone


class GaveUp(Exception):
    """NL_NET_FAIL, with where."""


class Stack:
    def __init__(self, command, net_ip="10.0.0.2/24", net_ip6="", port=PORT, fail=None, first=None):
        self.process = subprocess.Popen(
            [*command, net_ip, net_ip6, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=1 << 16,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CIRCLE, CIRCLE)),
        )
        self.neighbours, self.answers_arp, self.wait, self.sent, self.time = {}, True, 0, [], 1000
        self.run()
        if fail:
            self.fail(*fail)
        self.begun = self.put(first) if first else []
        self.later(1)  # it has begun

    def read(self, n):
        got = self.process.stdout.read(n)
        if len(got) < n:
            raise AssertionError(f"the stack died: {self.process.wait()}")
        return got

    def run(self):
        """Until it waits. Neighbours are found for it."""
        while True:
            what = self.read(1)
            if what == b"S":
                self.sent.append(Seen(self.read(struct.unpack("<H", self.read(2))[0])))
            elif what == b"X":
                raise GaveUp(struct.unpack("<Q", self.read(8))[0])
            elif what == b"W":
                self.wait = struct.unpack("<I", self.read(4))[0]
                answer = next((a for a in map(self.neighbour, self.unanswered()) if a), None)
                if not answer:
                    return
                self.write(b"F", answer)
            else:
                raise AssertionError(f"the stack says {what!r}")

    def unanswered(self):
        for seen in self.sent:
            if not hasattr(seen, "done"):
                seen.done = True
                yield seen

    def neighbour(self, seen):
        """What a neighbour of any address but ours answers to the question where it is."""
        if not self.answers_arp:
            return None
        if seen.kind == 0x0806 and seen.op == 1 and seen.tpa != seen.spa:
            return arp(2, PEER, seen.tpa, ME, seen.spa)
        if seen.protocol == 58 and seen.body[0] == 135 and any(seen.ip_src):
            body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + seen.body[8:24] + b"\2\1" + PEER
            return over_ip(seen.body[8:24], seen.ip_src, 58, body)
        return None

    def write(self, what, data=b""):
        more = struct.pack("<H", len(data)) + data if what == b"F" else data
        self.process.stdin.write(what + more)
        self.process.stdin.flush()

    def put(self, *frames):
        """Returns what was sent because of these."""
        self.sent = []
        for frame in frames:
            self.write(b"F", frame)
            self.run()
        return [s for s in self.sent if s.kind != 0x0806 and not (s.protocol == 58 and s.body[0] == 135)]

    def later(self, ms):
        """Time passes, in the steps that the stack asked for. Returns what was sent."""
        self.sent = []
        while ms > 0:
            step = min(ms, self.wait)
            ms -= step
            self.time += step
            self.write(b"T", struct.pack("<I", step))
            self.run()
            if not step and not self.wait:
                raise AssertionError("the stack turns in a circle")
        return self.sent

    def fail(self, at, times=1):
        self.write(b"A", struct.pack("<II", at, times))

    def full(self, full):
        self.write(b"B", bytes([full]))

    def figures(self):
        self.write(b"Q")
        assert self.read(1) == b"Q"
        return struct.unpack("<QQ", self.read(16))

    def close(self):
        self.process.stdin.close()
        code = self.process.wait()
        assert code == 0, f"the stack ended with {code}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()


class Client:
    """One connection. Acknowledges what comes, in order, unless told otherwise."""

    def __init__(self, stack, sport=40000, src="10.0.0.9", dst="10.0.0.2", size=1460, window=8192, acks=True, seq=1000):
        self.stack, self.sport, self.src, self.dst = stack, sport, ip(src), ip(dst)
        self.size, self.window, self.acks, self.seq, self.ack = size, window, acks, seq, 0
        self.got, self.ended, self.reset, self.right = b"", False, False, 0

    def frame(self, flags, data=b"", seq=None, options=b""):
        seq = self.seq if seq is None else seq
        return tcp(self.src, self.dst, self.sport, PORT, seq, self.ack, flags, data, self.window, options)

    def syn(self):
        """The answer's sequence number, or None."""
        options = mss(self.size) if self.size else b""
        for s in self.stack.put(self.frame(SYN, options=options, seq=self.seq)):
            if s.protocol == 6 and s.dport == self.sport and s.flags == SYN | ACK and s.ack == self.seq + 1:
                self.seq, self.ack, self.right = self.seq + 1, s.seq + 1, self.seq + 1 + s.window
                return s.seq
        return None

    def connect(self):
        assert self.syn() is not None, "no SYN-ACK"
        self.see(self.stack.put(self.frame(ACK)))
        return self

    def see(self, frames):
        """Takes what was sent to this connection, and acknowledges it."""
        while frames:
            new = False
            for s in frames:
                if s.protocol != 6 or s.dport != self.sport or s.ip_dst != self.src:
                    continue
                if s.flags & RST:
                    self.reset = True
                    continue
                self.right = s.ack + s.window
                if s.seq == self.ack and (s.data or s.flags & FIN) and not self.ended:
                    self.got += s.data
                    self.ack += len(s.data)
                    if s.flags & FIN:
                        self.ack, self.ended = self.ack + 1, True
                    new = True
            frames = self.stack.put(self.frame(ACK)) if new and self.acks and not self.reset else []
        return self

    def say(self, data, flags=ACK):
        for i in range(0, len(data), 1000):
            piece = data[i : i + 1000]
            frame = self.frame(flags, piece)
            self.seq += len(piece)
            self.see(self.stack.put(frame))
        return self

    def fin(self):
        frame = self.frame(FIN | ACK)
        self.seq += 1
        return self.see(self.stack.put(frame))

    def later(self, ms):
        return self.see(self.stack.later(ms))
