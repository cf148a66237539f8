#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What live.py runs: connections of this machine's own TCP, beside each other and large, in both families."""

import random
import socket
import sys
import threading

DATA = random.Random(7).randbytes(200000)
wrong = []


def repeated(address, data):
    """Says it to says.c, half closes, and hears it again."""
    with socket.create_connection((address, 9947), 20) as s:
        s.settimeout(20)
        threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = b""
        while piece := s.recv(4096):
            got += piece
    if got != data:
        wrong.append(f"{address}: {len(got)} bytes of {len(data)} came back, right until {common(got, data)}")


def common(a, b):
    return next((n for n, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def there(address):
    """An address of IPv6 is used when nobody else has answered for it: until then nobody is there."""
    for _ in range(20):
        try:
            with socket.create_connection((address, 9947), 1):
                return
        except OSError:
            pass
    wrong.append(f"{address}: nobody is there")


def main():
    for address in ("10.9.9.2", "2001:db8::2"):
        there(address)
        threads = [threading.Thread(target=repeated, args=(address, DATA[:20000])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        repeated(address, DATA)
        for n in range(50):
            repeated(address, DATA[: n * 50])
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
