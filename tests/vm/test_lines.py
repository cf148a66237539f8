# SPDX-License-Identifier: Apache-2.0
"""Guests beside the kernels that leaves are made for: other lines of Linux, memtest86+ (scripts/guests.table).
They must run on Newleaf as they do without it."""

import collections
import re

from command import newleaf
from guest import Failure, kernel_file
from test_guest import allowed_differences, normalised
from vmtest import test

# QEMU 7.2 leaves garbage in RFLAGS behind CMPXCHG16B of a two-CPU guest, which 6.12 and later use: without the flag
# they are stable, with it they crash with and without Newleaf.
MODEL = "max,+svm,-la57,cx16=off"


def log_of(g):
    """The kernel's own messages of level warning and worse, and how often each comes."""
    said = collections.Counter()
    for line in g.run("dmesg -r").splitlines():
        level = re.match(r"<(\d+)>(.*)", line)
        if level and int(level[1]) & 7 <= 4:
            said += normalised(level[2])
    return said


def register_lines():
    for name in ("linux-5.10", "linux-6.12", "linux-6.12-trixie", "linux-7.2", "linux-7.3"):

        def run(t, name=name):
            kernel_file("guest:" + name)  # skip here, with the reason, when it cannot be had
            said = {}
            for on in (False, True):
                g = t.boot(kernel="guest:" + name, model=MODEL, newleaf=on)
                said[on] = log_of(g)
                if on:
                    t.note(f"{g.run('uname -r').strip()}: boot to user space {g.boot_seconds:.1f} s")
                    cpus = newleaf(g, "status")["cpus"]
                    t.expect(cpus["running"] == 2, f"not all CPUs are Newleaf's: {cpus}")
                    newleaf(g, "log")
                g.check_dmesg()
                g.poweroff()
            allowed = allowed_differences()
            more = [line for line in said[True] - said[False] if not any(p.search("dmesg + " + line) for p in allowed)]
            t.expect(not more, "warnings that only come with Newleaf:\n" + "\n".join("    | " + x for x in more))

        run.__doc__ = (
            f"{name} boots on 2 CPUs, answers status, and warns of nothing that it does not warn of without Newleaf"
        )
        test(full=name != "linux-6.12", name=name.replace(".", "-"))(run)


register_lines()


@test(full=True)
def memtest(t):
    """memtest86+ (EFI, 2 CPUs) tests memory on Newleaf and finds no error"""
    g = t.boot(
        ready=False,
        kernel="guest:memtest86+",
        initrd="",
        cmdline="console=ttyS0,115200",
        memory=256,
        more=("-vga", "std"),
    )
    g.wait_console(r"Memtest86\+", 120)
    g.wait_console(r"#[3-9] ", 600)  # two tests are through
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", g.console())
    t.expect("newleaf: launched" in said, "Newleaf was not launched")
    errors = re.findall(r"Errors: *(\d+)", said)
    if any(int(n) for n in errors):
        raise Failure(f"memtest86+ found errors:\n{g.tail()}")
