# SPDX-License-Identifier: Apache-2.0
"""Boot, apply, revert, power off and reboot: numbers of CPUs, CPU models, kernels, flavours, both emulators."""

import itertools
import os
import re

from command import FIXES, apply, cycle, newleaf, probe, refused
from guest import TOP, Skip, kernel_file
from leaves import built, make
from test_stock import OLD
from test_window import strict_leaf
from vmtest import test

MODELS = {"max-la57": "max,+svm", "max": "max,+svm,-la57", "epyc": "EPYC,+svm"}
SAMPLE = {(1, "max"), (4, "max-la57")}


def boot_and_cycle(t, **machine):
    g = t.boot(**machine)
    t.note(f"boot to user space {g.boot_seconds:.1f} s")
    cpus = int(g.run("nproc"))
    t.expect(cpus == g.machine.cpus, f"the guest sees {cpus} CPUs, not {g.machine.cpus}")
    status = newleaf(g, "status")
    t.expect(str(cpus) in re.sub(r"\s", "", str(status)), f"status does not know {cpus} CPUs: {status}")
    cycle(g)
    newleaf(g, "alive")
    g.check_dmesg()
    return g


def reboot(t, g):
    """The same machine starts anew; nothing is applied then, and all works again."""
    apply(g, FIXES[0])
    before = g.boot_id
    g.reboot()
    g.wait_ready()
    t.expect(g.boot_id != before, "the boot id is the same after a reboot")
    probe(g, FIXES[0], "VULNERABLE")
    cycle(g, FIXES[:1])


def register_matrix():
    for cpus, model in itertools.product((1, 2, 4, 8), MODELS):

        def run(t, cpus=cpus, model=model):
            g = boot_and_cycle(t, cpus=cpus, model=MODELS[model])
            reboot(t, g)
            g.poweroff()

        run.__doc__ = f"QEMU {MODELS[model]}, {cpus} CPUs: boot, apply, revert, reboot, poweroff"
        test(full=(cpus, model) not in SAMPLE, name=f"qemu-{cpus}-{model}")(run)


register_matrix()


def online(g, cpus, value):
    for cpu in cpus:
        g.run(f"echo {value} >/sys/devices/system/cpu/cpu{cpu}/online", timeout=240)


@test(full=True)
def qemu_32_max(t):
    """QEMU max,+svm,-la57, 32 CPUs: boot, status; apply, revert with 24 of them offline, which see it on return"""
    # A host with few cores hardly ever gets all of 32 into user mode at once, which a commit needs of those that are
    # online (docs/explanation/limits.md).
    g = t.boot(cpus=32, model=MODELS["max"], memory=2048)
    t.note(f"boot to user space {g.boot_seconds:.1f} s")
    t.expect(int(g.run("nproc")) == 32, "the guest sees not 32 CPUs")
    status = newleaf(g, "status")
    t.expect(status["cpus"] == {"known": 32, "running": 32}, f"not every CPU is under Newleaf: {status['cpus']}")
    newleaf(g, "alive")
    most = range(8, 32)
    online(g, most, 0)
    apply(g, FIXES[1])
    online(g, most, 1)
    for cpu in (0, 8, 31):
        g.run(f"taskset {1 << cpu:x} repro {FIXES[1]} | grep -q -- '-> FIXED'")
    online(g, most, 0)
    newleaf(g, f"revert {FIXES[1]}")
    online(g, most, 1)
    for cpu in (0, 8, 31):
        g.run(f"taskset {1 << cpu:x} repro {FIXES[1]} | grep -q -- '-> VULNERABLE'")
    g.check_dmesg()
    g.poweroff()


TABLES = 1000


@test(full=True)
def qemu_2_520g(t):
    """520 GiB of memory that nobody fills: Newleaf and the page tables of processes above 512 GiB, apply, revert"""
    backend = "memory-backend-ram,id=ram,size=520G,reserve=off"
    # All that is above 4 GiB and not hidden from Linux lies above 516 GiB, and there page tables go.
    g = t.boot(
        memory=520 << 10,
        cmdline="memmap=512G$4G",
        more=("-object", backend, "-machine", "memory-backend=ram"),
    )
    t.note(f"boot to user space {g.boot_seconds:.1f} s")
    g.run(f"taskset 2 pagetables {TABLES} 512 >/tmp/tables.out & echo $! >/tmp/tables.pid")
    said = g.run("until grep -q : /tmp/tables.out; do usleep 50000; done; cat /tmp/tables.out", timeout=240)
    counts = re.fullmatch(r"pagetables: (\d+) (\d+)\s*", said)
    t.expect(counts, said)
    before, after = int(counts[1]), int(counts[2])
    t.expect(before > 0 and after >= before + TABLES, f"page tables above 512 GiB: {before}, then {after}")
    t.note(
        f"page tables above 512 GiB: {before}, and {after - before} more of the process that runs beside the commits"
    )
    cycle(g)  # the process runs at CPL 3 on the other CPU
    strict_leaf(g, "/tmp/strict.leaf")
    scanned = apply(g, "auxv-strict", path="/tmp/strict.leaf")["tasks_scanned"]
    probe(g, FIXES[1], "FIXED")
    t.expect(scanned > 10, f"a strict leaf had {scanned} tasks read")
    newleaf(g, "revert auxv-strict")
    probe(g, FIXES[1], "VULNERABLE")
    g.run("kill $(cat /tmp/tables.pid)")  # it must still be there
    g.check_dmesg()
    g.poweroff()


@test()
def qemu_2_maxcpus(t):
    """a CPU that Linux never starts (maxcpus=1) waits in the firmware's loop, as a guest: apply, revert"""
    g = t.boot(cpus=2, cmdline="maxcpus=1")
    t.expect(int(g.run("nproc")) == 1, "Linux runs more than one CPU")
    status = newleaf(g, "status")
    t.expect(status["cpus"] == {"known": 2, "running": 2}, f"not every CPU is under Newleaf: {status}")
    cycle(g)
    g.poweroff()


@test(emulator="bochs")
def bochs_1(t):
    """Bochs, VMX with EPT, 1 CPU: boot, apply, revert, poweroff"""
    g = boot_and_cycle(t, emulator="bochs", cpus=1, memory=512, cmdline="quiet")
    g.poweroff()


@test(full=True, emulator="bochs")
def bochs_1_reboot(t):
    """Bochs, 1 CPU: reboot inside the guest"""
    g = t.boot(emulator="bochs", cpus=1, memory=512, cmdline="quiet")
    reboot(t, g)
    g.poweroff()


@test(emulator="bochs")
def bochs_2(t):
    """a newer Bochs (BOCHS=/path), VMX with EPT, 2 CPUs: boot, apply, revert, poweroff"""
    if not os.environ.get("BOCHS"):
        raise Skip("BOCHS names no Bochs 3.1 or newer; Debian's shows Linux one CPU only")
    g = boot_and_cycle(t, emulator="bochs", cpus=2, memory=512, cmdline="quiet")
    g.poweroff()


def register_kernels():
    releases = [f"6.1.0-{n}-cloud-amd64" for n in range(47, 57)]
    releases += [f"6.1.0-{n}-{flavour}" for n in (50, 56) for flavour in ("amd64", "rt-amd64")]
    for release in releases:

        def run(t, release=release):
            package = "linux-image-" + release
            kernel_file(package)  # skip here, with the reason, when the archive has dropped it
            g = t.boot(kernel=package, memory=2048)
            t.note(f"boot to user space {g.boot_seconds:.1f} s")
            t.expect(g.run("uname -r").strip() == release, "another kernel runs")
            if package != OLD:
                g.put(open(built(OLD, FIXES[0]), "rb").read(), "/tmp/other.leaf")
                refused(g, "apply /tmp/other.leaf", "NL_EBUILDID", 5)
            fixable = [f for f in FIXES if g.call(f"repro {f}").code == 1]
            t.note(f"lacks {' '.join(fixable) or 'no listed fix'}")
            for fix in fixable:
                try:
                    path = make(g.scratch, package, os.path.join(TOP, "leaves", fix, fix + ".recipe"))
                except Skip as reason:  # no headers on offer for this kernel
                    t.note(f"{fix}: no leaf for {release}: {reason}")
                    continue
                g.put(open(path, "rb").read(), f"/tmp/{fix}.leaf")
                apply(g, fix, path=f"/tmp/{fix}.leaf")
                probe(g, fix, "FIXED")
                newleaf(g, f"revert {fix}")
                probe(g, fix, "VULNERABLE")
                t.note(f"{fix}: applied and reverted")
            g.check_dmesg()
            g.poweroff()

        run.__doc__ = f"Debian's {release} boots, refuses another kernel's leaf, and is patched if it lacks a fix"
        test(full=release not in ("6.1.0-56-cloud-amd64", "6.1.0-50-rt-amd64"), name="kernel-" + release)(run)


register_kernels()


@test(alone=True)
def boot_time(t):
    """boot time with and without Newleaf, side by side"""
    seconds = {}
    for newleaf_on in (False, True):
        # Both through the loader: without it the firmware's shell would start the kernel, after a pause of five
        # seconds.
        g = t.boot(settings=() if newleaf_on else ("launch no",), cmdline="quiet")
        seconds[newleaf_on] = g.boot_seconds
        g.poweroff()
    t.note(
        f"to user space: without {seconds[False]:.1f} s, with {seconds[True]:.1f} s,"
        f" ratio {seconds[True] / seconds[False]:.2f}"
    )


def idle_causes():
    """The causes that docs/reference/exits.md expects of an idle guest: its last column does not begin with "no" or
    a dash."""
    with open(os.path.join(TOP, "docs", "reference", "exits.md"), encoding="utf-8") as f:
        rows = [line.strip().strip("|").split("|") for line in f if line.startswith("| `")]
    return {
        cause for row in rows if not re.match(r"(no\b|–)", row[2].strip()) for cause in re.findall(r"`([^`]+)`", row[0])
    }


@test(alone=True)
def idle_exits(t):
    """exits of an idle guest for 10 s, by cause"""
    g = t.boot()
    t.note("of the boot:\n" + g.run("newleaf exits").rstrip())
    refused = newleaf(g, "status")["config_refused"]
    t.expect(refused == 0, f"{refused} of the stock kernel's writes to configuration space were refused")
    g.run("newleaf exits --interval 1s >/dev/null")  # let the boot's last work settle
    said = g.run("newleaf exits --interval 10s", timeout=60).rstrip()
    t.note(said)
    explained = idle_causes()
    counted = re.findall(r"^(\S+)((?: +[\d.]+)+)", said, re.M)
    t.expect(len(explained) >= 2 and counted, f"nothing to compare: {explained}\n{said}")
    for cause, rates in counted:
        t.expect(
            cause in explained or not any(map(float, rates.split())),
            f"{cause}: docs/reference/exits.md does not expect it of an idle guest",
        )
    g.poweroff()


@test()
def every_leaf(t):
    """every leaf that is built for the kernel, all in one flip: each fix is there, and revert --all takes each away"""
    g = t.boot()
    release = g.run("uname -r").strip()
    names = [name.removesuffix(".leaf") for name in g.run(f"ls /leaves/{release}").split()]
    t.expect(set(FIXES) <= set(names), f"leaves are missing: {names}")
    before = newleaf(g, "status")["generation"]
    answer = newleaf(g, f"apply /leaves/{release}/*.leaf")
    t.expect(answer["generation"]["to"] == before + 1, f"more than one flip: {answer}")
    for name in names:
        probe(g, name, "FIXED")
    newleaf(g, "revert --all")
    for name in names:
        probe(g, name, "VULNERABLE")
    t.note(f"{len(names)} leaves: {' '.join(names)}")
    g.check_dmesg()
    g.poweroff()
