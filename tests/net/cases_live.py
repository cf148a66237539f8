# SPDX-License-Identifier: Apache-2.0
"""Linux's own TCP as the client, over a TAP device, in real time. Without root and /dev/net/tun: skipped."""

import os
import subprocess
import sys

from live import SKIPPED

PROGRAMS = ("image",)
HERE = os.path.dirname(os.path.realpath(__file__))


def test_linux(program):
    done = subprocess.run(
        [sys.executable, f"{HERE}/live.py", *program, "--", sys.executable, f"{HERE}/linux.py"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == SKIPPED:
        return done.stderr.strip()
    assert done.returncode == 0, done.stdout + done.stderr
    return None
