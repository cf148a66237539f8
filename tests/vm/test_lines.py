# SPDX-License-Identifier: Apache-2.0
"""Guests beside the kernels that leaves are made for: other lines of Linux, memtest86+, Xen (scripts/kernels.table).
They must run on Newleaf as they do without it."""

import collections
import os
import re
import tempfile

from command import apply, newleaf, probe, revert
from guest import NO_CX16, TOP, Failure, Machine, kernel_file
from leaves import Unfit, make
from test_guest import allowed_differences, compare, normalised
from vmtest import test

MODEL = NO_CX16


def log_of(g):
    """The kernel's own messages of level warning and worse, and how often each comes."""
    said = collections.Counter()
    for line in g.run("dmesg -r").splitlines():
        level = re.match(r"<(\d+)>(.*)", line)
        if level and int(level[1]) & 7 <= 4:
            said += normalised(level[2])
    return said


LINE = os.path.join(TOP, "tests", "vm", "line", "line.recipe")
SLEEP = os.path.join(TOP, "tests", "vm", "line", "sleep.recipe")
FIXES = ("ioprio-hint", "prctl-auxv", "timens-range")  # the others are for functions that only 6.1 has so


def made(t, g, recipe):
    """A leaf for this kernel, in the guest; None when the kernel does not have what it is for."""
    try:
        path = make(g.scratch, g.machine.kernel, recipe)
    except Unfit as e:
        t.note(f"{os.path.basename(recipe)}: {e}")
        return None
    name = "/tmp/" + os.path.basename(path)
    with open(path, "rb") as f:
        g.put(f.read(), name)
    return name


def sleeper_is_seen(t, g):
    """A strict leaf waits for who sleeps in the old function: the walk over all tasks finds him, whatever task_struct
    is like, and nobody when he is gone."""
    path = made(t, g, SLEEP)
    pid = int(g.run("sleep 1000 >/dev/null 2>&1 & echo $!"))
    # nanosleep or clock_nanosleep; "running" until it sleeps
    g.run(f"until grep -qE '^(35|230) ' /proc/{pid}/syscall; do :; done")
    for _ in range(20):  # a CPU that does not come in time says that the host is busy
        answer = newleaf(g, f"apply {path} --deadline 3s", code=8)
        if "did not arrive" not in answer["detail"]:
            break
    who = [(b["pid"], b["comm"]) for b in answer["blockers"]]
    # The one when all tries failed, the other when the host had time for no more than one.
    seen = answer["code"] in ("NL_EDEADLINE", "NL_EPREEMPTED") and who == [(pid, "sleep")]
    t.expect(seen, f"the sleeper was not seen: {answer}")
    g.run(f"kill {pid}")
    apply(g, "test-sleep", path=path)
    g.run("sleep 1")
    revert(g, "test-sleep")


def state(g, fix):
    return g.call(f"repro {fix}").out.strip().rsplit(" ", 1)[-1]


def leaves_of_line(t, g):
    """A body does all that bodies do (line.c), and each fix that this line lacks is seen, and is gone again. A line has
    fixes of its own: there the leaf changes nothing that its reproducer could see."""
    path, seen = made(t, g, LINE), []
    ask = "busybox ionice -c2 -n5 true 2>&1"
    quiet = g.call(ask).out
    apply(g, "test-line", path=path)
    t.expect("out of domain" in g.call(ask).out, f"the body does not do what it should: {g.call(ask).out}")
    t.expect(re.search(r"test-line: 0 wrong", g.run("dmesg")), "the body has found something wrong")
    revert(g, "test-line")
    t.expect(g.call(ask).out == quiet, "the old function does not run again")
    for fix in FIXES:
        path = made(t, g, os.path.join(TOP, "leaves", fix, fix + ".recipe"))
        if not path:
            continue
        before = state(g, fix)
        apply(g, fix, path=path)
        probe(g, fix, "FIXED")
        revert(g, fix)
        probe(g, fix, before)
        seen.append(f"{fix} ({before.lower()} before)")
    if seen:
        t.note("applied, seen and reverted: " + ", ".join(seen))


def register_lines():
    for name in ("linux-5.10", "linux-6.1", "linux-6.12", "linux-6.12-trixie", "linux-7.2", "linux-7.3"):

        def run(t, name=name):
            kernel_file("guest:" + name)  # skip here, with the reason, when it cannot be had
            said = {}
            # One without retpolines: there a body's indirect calls go by the thunks that ITS needs.
            cmdline = "spectre_v2=off" if name == "linux-6.12" else ""
            for on in (False, True):
                g = t.boot(kernel="guest:" + name, model=MODEL, newleaf=on, cmdline=cmdline)
                if on and cmdline:
                    v2 = g.run("cat /sys/devices/system/cpu/vulnerabilities/spectre_v2")
                    t.expect("etpoline" not in v2, f"the kernel uses retpolines: {v2}")
                said[on] = log_of(g)
                if on:
                    t.note(f"{g.run('uname -r').strip()}: boot to user space {g.boot_seconds:.1f} s")
                    cpus = newleaf(g, "status")["cpus"]
                    t.expect(cpus["running"] == 2, f"not all CPUs are Newleaf's: {cpus}")
                    newleaf(g, "log")
                    leaves_of_line(t, g)
                    sleeper_is_seen(t, g)
                g.check_dmesg()
                g.poweroff()
            allowed = allowed_differences()
            more = [line for line in said[True] - said[False] if not any(p.search("dmesg + " + line) for p in allowed)]
            t.expect(not more, "warnings that only come with Newleaf:\n" + "\n".join("    | " + x for x in more))

        run.__doc__ = (
            f"{name} boots on 2 CPUs, answers status, takes leaves, and warns of nothing that it does not warn of "
            "without Newleaf"
        )
        test(full=name != "linux-7.3", name=name.replace(".", "-"))(run)


register_lines()


@test(full=True, emulator="bochs")
def its_cpu(t):
    """On a CPU whose indirect branches and returns need the thunks of ITS (Tiger Lake, EPT) leaves go by them, too"""
    said = {}
    for on in (False, True):
        g = t.boot(
            kernel="guest:linux-6.12",
            emulator="bochs",
            model="tigerlake",
            cpus=1,
            memory=512,
            cmdline="quiet",
            newleaf=on,
        )
        its = g.run("cat /sys/devices/system/cpu/vulnerabilities/indirect_target_selection").strip()
        t.expect("Aligned branch/return thunks" in its, f"this CPU is another: {its}")
        if on:
            t.note(f"{g.run('uname -r').strip()}: {its}")
            leaves_of_line(t, g)
        said[on] = log_of(g)
        g.poweroff()
    # Bochs's model makes the kernel itself warn, and what it shows then has forms that do not compare.
    more = [x for x in said[True] - said[False] if not re.match(r"Code: |CPA detected |test-line: # wrong| \? ", x)]
    t.expect(not more, f"warnings that only come with Newleaf: {more}")


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


DOM0 = "linux-image-6.1.0-50-amd64"  # the cloud flavour knows no Xen
# QEMU 7.2 lets IRET and far RET at CPL 3 read the stack as a supervisor does, and with SMAP a dom0 dies of that, with
# and without Newleaf.
XEN_MODEL = "max,+svm,-la57,-smap"
# The section that Xen boots by, and behind the command line's first word, which Xen takes for a program's name: through
# the firmware's shell that is what it is, from newleaf.conf it is the word below.
XEN_LINE = "xen -cfg=xen.cfg"
XEN_CONF = """[global]
default=xen
[xen]
options=console=com1 com1=115200,8n1 dom0_mem=768M loglvl=all noreboot
kernel=dom0 console=hvc0
ramdisk=initrd.img
"""


def xen_says(g):
    return "\n".join(re.findall(r"^\(XEN\) .*", g.console(), re.M))


def dom0(t, g):
    """dom0 is up, on all CPUs. Xen performs dom0's OUT itself, with registers of its own, so that no call comes through
    (docs/explanation/limits.md); but CPUID shows whether Newleaf is below, and the loader has said with how many CPUs.
    """
    t.expect(g.run("cat /sys/hypervisor/type").strip() == "xen", "this is no dom0")
    t.expect(int(g.run("nproc")) == 2, "dom0 has not two CPUs")
    t.expect("Brought up 2 CPUs" in xen_says(g), "Xen runs not two CPUs")
    t.note(f"{'with' if g.machine.newleaf else 'without'} Newleaf: dom0's user space after {g.boot_seconds:.0f} s")
    launched = "newleaf: launched: CPUs 2," in g.console()
    t.expect(launched == g.machine.newleaf, f"Newleaf was {'' if launched else 'not '}launched")
    exits, error = (6, "NL_EROOT") if launched else (9, "NL_EABSENT")
    answer = newleaf(g, "status", code=exits)
    t.expect(answer["code"] == error, f"status answers {answer}")
    g.check_dmesg()


@test(full=True)
def xen(t):
    """Xen 4.17 on 2 CPUs brings a Debian dom0 to user space; both say on Newleaf what they say without it"""
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "xen.cfg")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(XEN_CONF)
        compare(
            t,
            sources={"xen": (xen_says, normalised), "dmesg": ("dmesg", normalised)},
            look=dom0,
            kernel="guest:xen",
            model=XEN_MODEL,
            memory=2048,
            initrd="",
            base="",
            cmdline=XEN_LINE,
            files=(f"{conf}:xen.cfg", f"{kernel_file(DOM0)}:dom0", f"{Machine.initrd}:initrd.img"),
        )
