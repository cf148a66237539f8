#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stack on a wire of its own, in real time: a TAP device in a network namespace, so that this machine's own TCP and
its tools are the client. usage: live.py PROGRAM... -- COMMAND...   (as root; the stack is 10.9.9.2 and 2001:db8::2)

Runs COMMAND when the stack answers, and ends as it does. 77: no TAP device can be had here, and why."""

import fcntl
import os
import selectors
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

SETTINGS = ("10.9.9.2/24", "2001:db8::2/64", "9947")
SKIPPED, TUNSETIFF, IFF_TAP, IFF_NO_PI = 77, 0x400454CA, 2, 0x1000


def tap():
    """The device, up, with our side's addresses."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TAP | IFF_NO_PI))
    for command in (
        "addr add 10.9.9.1/24 dev wire",
        "addr add 2001:db8::1/64 dev wire nodad",
        "link set wire up",
        "link set lo up",
    ):
        subprocess.run(["ip", *command.split()], check=True, stderr=subprocess.PIPE)
    return device


class Wire:
    """Frames between the device and the stack, which is told the time that has really passed."""

    def __init__(self, device, program):
        self.device = device
        self.process = subprocess.Popen([*program, *SETTINGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.began, self.told = time.monotonic(), 0
        self.ready = selectors.DefaultSelector()
        self.ready.register(device, selectors.EVENT_READ)

    def passed(self):
        """To be told before the next frame."""
        now = int((time.monotonic() - self.began) * 1000)
        ms, self.told = now - self.told, now
        return ms

    def run(self):
        read, write = self.process.stdout.read, self.process.stdin
        late = False
        while True:
            what = read(1)
            if what == b"S":
                os.write(self.device, read(struct.unpack("<H", read(2))[0]).ljust(60, b"\0"))
            elif what == b"W":
                (ms,) = struct.unpack("<I", read(4))
                if not late and self.ready.select(min(ms, 1000) / 1000):
                    frame = os.read(self.device, 2048)
                    write.write(b"F" + struct.pack("<H", len(frame)) + frame)
                else:
                    write.write(b"T" + struct.pack("<I", self.passed()))
                late = not late and self.began + self.told / 1000 + 0.01 < time.monotonic()
                write.flush()
            else:
                print(f"live: the stack ended: {what + read(8)!r}", file=sys.stderr)
                os._exit(1)


def main():
    at = sys.argv.index("--")
    program, command = sys.argv[1:at], sys.argv[at + 1 :]
    if not os.environ.get("NET_LIVE"):
        os.environ["NET_LIVE"] = "1"
        try:
            subprocess.run(["unshare", "-n", "true"], check=True, stderr=subprocess.PIPE)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"live: {error}: {getattr(error, 'stderr', b'')!r}", file=sys.stderr)
            return SKIPPED
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    try:
        device = tap()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"live: {error}: {getattr(error, 'stderr', b'')!r}", file=sys.stderr)
        return SKIPPED
    wire = Wire(device, program)
    threading.Thread(target=wire.run, daemon=True).start()
    done = subprocess.run(command, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())
