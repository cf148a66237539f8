# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's own HTTP server on this host (tests/http/host.c), one process for each machine."""

import os
import subprocess

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
HTTP_HOST = os.path.join(TOP, os.environ.get("B", "build"), "tests/http-host")


class Server:
    """Goes when its standard input does: with `close`, or with this process."""

    def __init__(self, *options):
        self.process = subprocess.Popen([HTTP_HOST, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self):
        """What it says first; apart, so that many may start at once."""
        _, address, port, self.machine_id, self.key = self.process.stdout.readline().split()
        self.name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return self

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def servers(n, *options):
    return [s.ready() for s in [Server(*options) for _ in range(n)]]
