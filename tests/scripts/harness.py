#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the harness of the guests (tests/vm) excuses, and what it does not: a deadline that has passed, a reset or a
breakpoint of the emulator's making, and how many tests may be run once more for it."""

import contextlib
import io
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = tempfile.TemporaryDirectory(prefix="newleaf-harness-")
os.environ["B"] = FOLDER.name  # logs of guests that are none
os.environ.pop("ACCEL", None)
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "tests/vm")]

import vmtest  # noqa: E402
import command  # noqa: E402
import defects  # noqa: E402
import guest  # noqa: E402
import timelines  # noqa: E402

# -- a deadline that has passed --

OK = '{"result":"ok","exit":0}'
LATE = '{"result":"failed","exit":8,"changed":false}'
MOVED = '{"result":"failed","exit":8,"changed":true}'


class Says:
    """A guest whose `newleaf apply` answers so, each time with this generation before and behind it."""

    def __init__(self, *answers, generations=()):
        self.answers, self.deadlines = list(answers), 0
        self.generations = itertools.chain(generations, itertools.repeat(7))

    def run(self, script, **_):
        if "status" in script:
            return '{"generation":%d}\n' % next(self.generations)
        return self.answers.pop(0) + "\n"


def tried(*answers, code=0, generations=()):
    """(tries that were cut off, what was answered at last), or None: that was a failure."""
    g = Says(*answers, generations=generations)
    try:
        return g.deadlines, command.newleaf(g, "apply x.leaf", code)["exit"], g.deadlines
    except guest.Failure:
        return None


def deadlines():
    return {
        "a try that has changed nothing is made again, and counted": tried(LATE, LATE, OK) == (0, 0, 2),
        "one that says that it changed something is a failure": tried(MOVED, OK) is None,
        "one that says nothing of it, too": tried('{"exit":8}', OK) is None,
        "one behind which the generation is another, too": tried(LATE, OK, generations=(7, 8)) is None,
        "the second of them, too": tried(LATE, LATE, OK, generations=(7, 7, 8)) is None,
        "where a deadline is expected, as well": tried(LATE, code=8) == (0, 8, 0) and tried(MOVED, code=8) is None,
    }


# A newleaf that has a generation, and is cut off once, behind its first success; what it breaks then is the case.
NEWLEAF = r"""#!/bin/sh
cd "$(dirname "$0")"
read -r n <generation; read -r on <on; read -r cut <cut
case $1 in status) echo "{\"generation\":$n,\"leaves\":[{\"generation\":99}]}"; exit 0 ;; esac
if [ $cut = 1 ]; then
	echo 0 >cut
	case BROKEN in
	moved) echo $((n + 1)) >generation ;;
	torn) echo $((1 - on)) >on ;;
	esac
	[ BROKEN = says ] && changed=true || changed=false
	echo "{\"exit\":8,\"changed\":$changed,\"generation\":$n}"; exit 8
fi
[ BROKEN != jumps ] || n=$((n + 1))
echo $((n + 1)) >generation; echo $((1 - on)) >on; echo ${CUT:-1} >cut
echo "{\"generation\":{\"from\":$n,\"to\":$((n + 1))}}"
"""
REPRO = r"""#!/bin/sh
read -r on <"$(dirname "$0")/on"
[ $on = 1 ] && echo "$1 -> FIXED" || { echo "$1 -> VULNERABLE"; exit 1; }
"""


def rounds(broken):
    """(exit code, what the script says, what the console has)"""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("newleaf", NEWLEAF.replace("BROKEN", broken)), ("repro", REPRO)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(f.name, 0o755)
        for name, value in (("generation", 3), ("on", 0), ("cut", 0), ("console", "")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(f"{value}\n")
        script = command.rounds_script("x.leaf", "bug", 2).replace("/tmp/", folder + "/")
        script = script.replace("/dev/console", folder + "/console")
        env = dict(os.environ, PATH=folder + ":" + os.environ["PATH"])
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True)
        with open(os.path.join(folder, "console"), encoding="ascii") as f:
            return done.returncode, done.stdout, f.read()


def scripts():
    well, says, moved, torn, jumps = map(rounds, ("nothing", "says", "moved", "torn", "jumps"))
    return {
        "rounds that are cut off, and nothing changed": well == (0, "2 rounds, 3 retries\n", "\n"),
        "a cut off try that says it changed something": says[0] == 1 and "changed generation 4 to 4" in says[1],
        "a cut off try behind which the generation is another": moved[0] == 1 and "generation 4 to 5" in moved[1],
        "a cut off try behind which the bug is another": torn[0] == 1 and bool(guest.TORN.search(torn[1])),
        "and the console has it": bool(guest.TORN.search(torn[2])) and "not reverted" in torn[2],
        "a generation that somebody else has made": jumps[0] == 1 and "does not go on" in jumps[1],
    }


# -- a reset --

# Of tests/guest/run --mode fxrstor qemu 2, QEMU 7.2.
DUMP = """\
CPU Reset (CPU 1)
RIP=000000000009f000 RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
Triple fault
CPU Reset (CPU 0)
RAX=000000001d4d7000 RBX=0000000068747541 RCX=0000000000000000 RDX=0000000000000000
RIP=ffffffff80416705 RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0010 0000000000000000 ffffffff 00c09300 DPL=0 DS   [-WA]
CS =0008 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]
GDT=     ffffffff8041f8d0 00000017
IDT=     ffffffff806a5fc0 00000fff
CR0=80010033 CR2=ffffffff806a6040 CR3=000000001d4b6000 CR4=00000668
CCS=0000000000000004 CCD=ffffffffffe1ce1a CCO=EFLAGS
EFER=0000000000001d01
CPU Reset (CPU 1)
RIP=000000000000beef RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
"""
CONSOLE = "newleaf: launched: CPUs 2, keys 2, region 1CE00000, 2898 ms in the loader\n"
SYMBOLS = {"svm_vmrun": 0x80416702, "gdt": 0x8041F8D0, "idt": 0x806A5FC0, "core_end": 0x806AD000}
RIP = "ffffffff80416705"


def built(name, offset):
    """A core, its symbols so far from those above, and an image that carries it."""
    folder = os.path.join(FOLDER.name, name)
    os.makedirs(folder, exist_ok=True)
    source = "".join(f".globl {s}\n.set {s}, {0xFFFFFFFF << 32 | at + offset:#x}\n" for s, at in SYMBOLS.items())
    elf = os.path.join(folder, "core.elf")
    subprocess.run(["as", "-o", elf, "-"], input=source, text=True, check=True)
    for file, text in (("core.bin", f"core {offset}."), ("newleaf.efi", f"image with core {offset}. in it")):
        with open(os.path.join(folder, file), "w", encoding="ascii") as f:
            f.write(text)
    return os.path.join(folder, "newleaf.efi")


def resets():
    product, other = built("", 0), built("instrument", 0x1000)
    stranger = os.path.join(FOLDER.name, "stranger.efi")
    with open(stranger, "w", encoding="ascii") as f:
        f.write("image with core 5. in it")

    def known(old="", new="", console=CONSOLE, **how):
        machine = guest.Machine(**{"loader": product, **how})
        return defects.fxrstor_reset(machine, DUMP.replace(old, new), console, FOLDER.name)

    def under(accelerator):
        os.environ["ACCEL"] = accelerator
        try:
            return known()
        finally:
            del os.environ["ACCEL"]

    away = {
        "one CPU": known(cpus=1),
        "another emulator": known(emulator="bochs"),
        "a CPU that is none of the emulator's": under("kvm"),
        "another instruction": known("RIP=ffffffff80416705", "RIP=ffffffff80416708"),
        "another CPU": known("Triple fault\nCPU Reset (CPU 0)", "Triple fault\nCPU Reset (CPU 1)"),
        "no triple fault": known("Triple fault\n", ""),
        "another code segment": known("CS =0008", "CS =0010"),
        "other interrupts": known("IDT=     ffffffff806a5fc0", "IDT=     fffffffffe000000"),
        "other segments": known("GDT=     ffffffff8041f8d0", "GDT=     ffffffff8041f8c0"),
        "no SVM": known("EFER=0000000000001d01", "EFER=0000000000000d01"),
        "no paging": known("CR0=80010033", "CR0=00010033"),
        "page tables outside of the region": known("CR3=000000001d4b6000", "CR3=000000001de00000"),
        "page tables inside the core": known("CR3=000000001d4b6000", "CR3=000000001d4ac000"),
        "page tables that are nowhere": known("CR3=000000001d4b6000", "CR3=000000001d4b6008"),
        "a region that nobody has named": known(console="newleaf: launched\n"),
        "the instrument's image, and the product's addresses": known(loader=other),
        "an image that nobody has built": known(loader=stranger),
        "registers that are not told": known("EFER=", "EFXX="),
    }
    moved = DUMP
    for value in (RIP, "ffffffff8041f8d0", "ffffffff806a5fc0"):
        moved = moved.replace(value, f"{int(value, 16) + 0x1000:x}")
    instrument = defects.fxrstor_reset(guest.Machine(loader=other), moved, CONSOLE, FOLDER.name)
    g = told(CONSOLE, "reset", product)
    with open(os.path.join(g.log_dir, "qemu.log"), "w", encoding="ascii") as f:
        f.write(DUMP)
    failed, torn = g._emulators("x"), told("round 3, not applied: x\n" + CONSOLE, "reset", product)._emulators("x")
    return {
        "a reset of QEMU's making": known() == RIP,
        "the same with the instrument's image": instrument == f"{int(RIP, 16) + 0x1000:x}",
        "its place is told": isinstance(failed, guest.EmulatorDefect) and failed.rip == RIP,
        "not behind something torn": not isinstance(torn, guest.EmulatorDefect),
        **{f"not the emulator's: {name}": rip == "" for name, rip in away.items()},
    }


# -- a breakpoint --

BREAKPOINT = """\
[    1.0] Oops: int3: 0000 [#1] PREEMPT SMP
[    1.0] RIP: 0010:x+0x1/0x2
[    1.0] Code: 00 0f <1f> 44
[    1.0] ---[ end Kernel panic - not syncing ]---
"""


def told(console, name="told", loader="", **machine):
    """A guest that does not run, with this on its console."""
    g = guest.Guest(name, guest.Machine(loader=loader, **machine))
    os.makedirs(g.log_dir, exist_ok=True)
    g.console_path, g.emulator_log = (os.path.join(g.log_dir, file) for file in ("console.log", "emulator.log"))
    for path, text in ((g.console_path, console), (g.emulator_log, "")):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    return g


def came_up(console=BREAKPOINT, boot_id="", **machine):
    """What is raised while that guest comes up."""
    g = told(console, **machine)
    g.boot_id = boot_id
    g.channel, other = socket.socketpair()
    try:
        with contextlib.closing(other), contextlib.closing(g.channel):
            g._line(guest.COMING_UP, time.monotonic() + 60)
    except guest.Failure as why:
        return type(why)
    return None


def breakpoints():
    return {
        "a breakpoint that memory does not hold": came_up() is guest.EmulatorDefect,
        "one that it holds": came_up(BREAKPOINT.replace("0f <1f>", "cc <1f>")) is guest.Failure,
        "one on a disk that puts leaves on": came_up(disk="x") is guest.Failure,
        "one of a machine that was ready before": came_up(boot_id="x") is guest.Failure,
        "one on another emulator": came_up(emulator="bochs") is guest.Failure,
    }


# -- tests that are run once more --


class Stopped(guest.Guest):
    """A guest of a test that leaves logs and a timeline."""

    def __init__(self, context, text):
        super().__init__(context.name, guest.Machine())
        os.makedirs(self.log_dir, exist_ok=True)
        os.makedirs(timelines.FOLDER, exist_ok=True)
        path = os.path.join(timelines.FOLDER, f"{context.name}.0.json")
        for file in (os.path.join(self.log_dir, "console.log"), path):
            with open(file, "w", encoding="ascii") as f:
                f.write(text)
        context.guests.append(self)
        context.timelines.append(path)
        self.deadlines = 2


def run(name, ends, judge=lambda *_: None):
    """(counts, what is printed) of a test whose runs end so: with the emulator's defect, or well."""
    left = list(ends)

    def function(context):
        Stopped(context, f"run {len(ends) - len(left)}")
        if left.pop(0):
            raise guest.EmulatorDefect("the emulator's")

    function.__name__ = name
    kept, said = timelines.judge, io.StringIO()
    timelines.judge = judge
    try:
        with contextlib.redirect_stdout(said):
            return vmtest.run_one(vmtest.Test(function)), said.getvalue()
    finally:
        timelines.judge = kept


def log(name, file="console.log"):
    with open(os.path.join(guest.LOGS, name, file), encoding="ascii") as f:
        return f.read()


def wrong(path, _sets_clocks):
    with open(path, encoding="ascii") as f:
        if f.read() == "run 0":
            raise guest.Failure("no trace of the model")


def again():
    vmtest.EXCUSES = vmtest.Excuses(vmtest.EXCUSES.most)
    one = run("one", (True, False))
    kept = log("one.first"), log("one"), log("one.first", "one.0.json")
    clean = run("one", (False,))
    gone = not os.path.exists(os.path.join(guest.LOGS, "one.first"))
    twice, judged = run("twice", (True, True)), run("judged", (True, False), wrong)
    fourth = run("fourth", (True, False))
    return {
        "a test is run once more": one[0] == (1, 0, 0) and "a second run" in one[1],
        "the first run's logs and timelines are kept": kept == ("run 0", "run 1", "run 0"),
        "and do not outlive the next run": clean[0] == (1, 0, 0) and gone,
        "tries that were cut off are told": "2 commits were tried again" in clean[1],
        "not twice": twice[0] == (0, 1, 0),
        "the first run's timelines are judged": judged[0] == (0, 1, 0) and "no trace of the model" in judged[1],
        "the fourth test of a run is not": fourth[0] == (0, 1, 0) and "3 tests of this run" in fourth[1],
    }


def main():
    cases = {**deadlines(), **scripts(), **resets(), **breakpoints(), **again()}
    bad = [name for name, good in cases.items() if not good]
    for name in bad:
        print(f"not so: {name}")
    print(f"{len(cases) - len(bad)} of {len(cases)} cases of the guests' harness judged rightly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
