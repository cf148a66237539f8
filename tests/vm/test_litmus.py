# SPDX-License-Identifier: Apache-2.0
"""Litmus (tests/instrument/litmus): every cell without the freeze or without the scan must be torn, and none with both.
A cell is a test of this list. Figures and pictures stay in build/instrument/."""

import os
import re
import subprocess

from guest import TOP, Failure, Skip
from vmtest import test


def run(t, *arguments):
    done = subprocess.run(
        [os.path.join(TOP, "tests", "instrument", "litmus"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    said = done.stdout.strip().splitlines()
    for line in said:
        if line.endswith(("FAIL", "SKIP")) or line.startswith("FAIL"):
            t.note(line)
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", said[-1]) if said else None
    if counts:
        t.counts = (int(counts[1]), int(counts[2]), int(counts[3]))
    if done.returncode:
        raise Failure(f"litmus {' '.join(arguments)} ended with {done.returncode}\n{done.stderr[-2000:]}")


def register():
    for name, full, emulator, arguments, about in (
        ("litmus-qemu-2", False, "qemu", ("qemu", "2", "--turns", "--scale", "6"), "litmus on QEMU, SVM, 2 CPUs"),
        ("litmus-qemu-2-full", True, "qemu", ("qemu", "2", "--full"), "the same with 30,000 flips a cell"),
        ("litmus-qemu-4", True, "qemu", ("qemu", "4", "--scale", "40"), "litmus on QEMU, SVM, 4 CPUs"),
        ("litmus-qemu-8", True, "qemu", ("qemu", "8", "--scale", "20"), "litmus on QEMU, SVM, 8 CPUs"),
        ("litmus-bochs-1", True, "bochs", ("bochs", "1", "--scale", "6"), "litmus on Bochs, EPT, 1 CPU"),
        (
            "litmus-bochs-2",
            True,
            "bochs",
            ("bochs", "2", "--scale", "6"),
            "litmus on a newer Bochs (BOCHS=/path), EPT, 2 CPUs",
        ),
    ):

        def entry(t, arguments=arguments):
            run(t, *arguments)

        entry.__doc__ = about
        test(full=full, emulator=emulator, name=name)(entry)


register()
