#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network's stack against hand-made frames: its own sources twice, with sanitizers, and the image as it is built.
usage: run.py BUILD [TEST...]"""

import importlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

ROOMS = ("cases_ip", "cases_tcp", "cases_full", "cases_image", "cases_live")


def main():
    build, wanted = sys.argv[1], set(sys.argv[2:])
    programs = {
        "host": [f"{build}/tests/net-host"],
        "strict": [f"{build}/tests/net-strict"],
        "image": [f"{build}/tests/net-image", f"{build}/net/says.bin"],
        "http": [f"{build}/tests/net-image", f"{build}/net/stack.bin"],
    }
    bad = good = 0
    for room in ROOMS:
        module = importlib.import_module(room)
        for name, test in sorted(vars(module).items()):
            if not name.startswith("test_") or (wanted and name[5:] not in wanted):
                continue
            for program in getattr(module, "PROGRAMS", ("host", "strict", "image")):
                if os.environ.get("NET_ONLY", program) != program:
                    continue
                begun = time.monotonic()
                try:
                    skipped = test(programs[program])
                    good += 1
                    if skipped:
                        print(f"net: {name[5:]} ({program}) was skipped: {skipped}")
                except Exception as error:  # pylint: disable=broad-except
                    bad += 1
                    print(f"net: {name[5:]} ({program}): {type(error).__name__}: {error}")
                    if os.environ.get("NET_TRACE"):
                        raise
                if time.monotonic() - begun > 5:
                    print(f"net: {name[5:]} ({program}) took {time.monotonic() - begun:.0f} s")
    print(f"[  PASSED  ] {good} test(s).")
    if bad:
        print(f"[  FAILED  ] {bad} test(s).")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
