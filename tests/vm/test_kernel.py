# SPDX-License-Identifier: Apache-2.0
"""The small test kernel (tests/guest) as tests of this list: each of its lines counts. It does what Linux cannot
provoke."""

import os
import re
import subprocess

from guest import TOP, Failure, Skip
from vmtest import test


BARE = "instruction-xsetbv,start-others,start-spurious-sipi,start-all"
CELLS = (  # tests/guest/test_cell.c
    "cell-calls,cell-ends,cell-anew,cell-state,cell-kick-waits,cell-nmi-waits,cell-kick-taken,cell-start-others,"
    "cell-bound,cell-interrupts,cell-in-turn,cell-storm,cell-freeze,cell-from-others"
)
INSTRUMENT = ("--loader", os.path.join(TOP, os.environ.get("B", "build"), "instrument", "newleaf.efi"))


def run(t, *arguments):
    done = subprocess.run(
        [os.path.join(TOP, "tests", "guest", "run"), "--timeout", "7200", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    said = done.stdout.strip().splitlines()
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    for line in said:
        if not line.startswith("PASS"):
            t.note(line)
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", said[-1]) if said else None
    if counts:
        t.counts = (int(counts[1]), int(counts[2]), int(counts[3]))
    if done.returncode != 0:
        if counts and t.counts[1] == 0:
            t.counts = (t.counts[0], 1, t.counts[2])
        raise Failure(f"tests/guest/run {' '.join(arguments)} ended with {done.returncode}\n{done.stderr[-2000:]}")


def register():
    for name, full, emulator, arguments, about in (
        ("testkernel-qemu-2", False, "qemu", ("qemu", "2"), "test kernel on QEMU, SVM, 2 CPUs"),
        (
            "testkernel-qemu-4-la57",
            True,
            "qemu",
            ("qemu", "4", "--cpu", "max,+svm"),
            "test kernel on QEMU, SVM, 4 CPUs, 5-level paging",
        ),
        (
            "testkernel-qemu-2-epyc",
            True,
            "qemu",
            ("qemu", "2", "--cpu", "EPYC,+svm"),
            "test kernel on QEMU, EPYC, 2 CPUs",
        ),
        (
            "testkernel-qemu-2-high",
            False,
            "qemu",
            ("qemu", "2", "--mem", "4096", "--only", "memory-hidden-read,memory-hpet-message,start-firmware-cpus"),
            "the region above 4 GiB, out of reach of the HPET's messages",
        ),
        ("testkernel-bochs-1", False, "bochs", ("bochs", "1"), "test kernel on Bochs, VMX, 1 CPU"),
        ("testkernel-bochs-2", False, "bochs", ("bochs", "2"), "test kernel on a newer Bochs (BOCHS=/path), 2 CPUs"),
        (
            "firmware-without-mp",
            False,
            "qemu",
            ("qemu", "3", "--firmware", "hide", "--only", BARE),
            "no MP services and three CPUs: refused by name, and all start without Newleaf",
        ),
        (
            "firmware-cpu-refuses",
            False,
            "qemu",
            ("qemu", "3", "--firmware", "refuse", "--only", BARE),
            "one CPU of three cannot be virtualised: the others go back, and all start without Newleaf",
        ),
        (
            "firmware-cpu-refuses-bochs",
            False,
            "bochs",
            ("bochs", "3", "--firmware", "refuse", "--only", BARE),
            "the same on a newer Bochs (BOCHS=/path)",
        ),
        ("cell-qemu-2", False, "qemu", ("qemu", "2", *INSTRUMENT, "--only", CELLS), "cells on QEMU, SVM, 2 CPUs"),
        (
            "cell-qemu-4-la57",
            True,
            "qemu",
            ("qemu", "4", "--cpu", "max,+svm", *INSTRUMENT, "--only", CELLS),
            "the same with 4 CPUs and 5-level paging",
        ),
        ("cell-bochs-1", False, "bochs", ("bochs", "1", *INSTRUMENT, "--only", CELLS), "cells on Bochs, VMX, 1 CPU"),
        (
            "cell-bochs-2",
            True,
            "bochs",
            ("bochs", "2", *INSTRUMENT, "--only", CELLS),
            "the same on a newer Bochs (BOCHS=/path), 2 CPUs",
        ),
        ("testkernel-triple", False, "qemu", ("qemu", "2", "--mode", "triple"), "a triple fault resets the machine"),
        (
            "testkernel-triple-ap",
            True,
            "qemu",
            ("qemu", "2", "--mode", "triple-ap"),
            "a triple fault of another CPU resets the machine",
        ),
        (
            "testkernel-init-bsp",
            True,
            "qemu",
            ("qemu", "2", "--mode", "init-bsp"),
            "INIT to the boot CPU resets the machine",
        ),
    ):

        def entry(t, arguments=arguments):
            run(t, *arguments)

        entry.__doc__ = about
        test(full=full, emulator=emulator, name=name)(entry)


register()
