# SPDX-License-Identifier: Apache-2.0
"""What else a kernel does with its own text and its CPUs, beside a leaf: probes of other kinds, BPF at functions, CPUs
that come and go while flips are made, barriers, another kernel by kexec, a crash kernel. docs/reference/matrix.md is
the table of it."""

import os
import re
import subprocess

from command import FIXES, apply, generation, newleaf, probe, refused, revert, rounds
from guest import BASE, BUILD, NO_CX16, TOP, Failure, kernel_file, leaf_path
from leaves import Leaf, signed
from modules import insmod, put_modules, rmmod
from test_lines import SLEEP, made
from test_trace import FUNCTION, TRACING, hits, put_umask
from vmtest import test

AUXV = FIXES[1]


def event(g, definition, code=0):
    g.run(f"echo '{definition}' >>{TRACING}/kprobe_events", code=code)


def counted(t, g, name, state):
    """The reproducer runs, and the probe is hit by it."""
    before = hits(g, name)
    probe(g, AUXV, state)
    t.expect(hits(g, name) > before, f"{name} was lost while {state}")


@test(full=True)
def kretprobe(t):
    """a kretprobe of the patched function, set before and while a leaf is on: it is hit, and both flips are made"""
    g = t.boot()
    for when in ("before", "while"):
        if when == "while":
            apply(g, AUXV)
        event(g, f"r:nl/ret {FUNCTION}")
        g.run(f"echo 1 >{TRACING}/events/nl/ret/enable")
        if when == "before":
            counted(t, g, "ret", "VULNERABLE")
            apply(g, AUXV)
        counted(t, g, "ret", "FIXED")
        revert(g, AUXV)
        counted(t, g, "ret", "VULNERABLE")
        g.run(f"echo 0 >{TRACING}/events/nl/ret/enable")
        event(g, "-:nl/ret")
        probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


HIDING = {  # what keeps return addresses: how a function is named to it, how it is switched on, and off again
    "a kretprobe": (
        f"echo 'r:nl/ret %s' >>{TRACING}/kprobe_events; echo 1 >{TRACING}/events/nl/ret/enable",
        f"echo 0 >{TRACING}/events/nl/ret/enable; echo '-:nl/ret' >>{TRACING}/kprobe_events",
        r"arch_rethook_trampoline|(__)?kretprobe_trampoline",
    ),
    "the function graph tracer": (
        f"cd {TRACING}; echo %s >set_ftrace_filter; echo function_graph >current_tracer",
        f"cd {TRACING}; echo nop >current_tracer; echo >set_ftrace_filter",
        "return_to_handler",
    ),
}


def knows_of_no_trampoline(target):
    """Both returns[] of struct nl_leaf_target are zero."""
    behind = 80  # bytes of what stands behind them
    return target[: -behind - 16] + bytes(16) + target[-behind:]


def sleeper(g):
    pid = int(g.run("sleep 1000 >/dev/null 2>&1 & echo $!"))
    g.run(f"until grep -qE '^(35|230) ' /proc/{pid}/syscall; do :; done")  # nanosleep or clock_nanosleep
    return pid


def gone(g, pid):
    g.run(f"kill {pid}; while [ -d /proc/{pid} ]; do usleep 20000; done")


def kept_off(t, g, arguments, pid, place):
    """The strict leaf is refused, by the name of who sleeps and of what hides where; nothing has changed."""
    for _ in range(20):  # a CPU that does not come in time says that the host is busy
        answer = refused(g, f"{arguments} --deadline 3s", ("NL_EDEADLINE", "NL_EPREEMPTED"), 8)
        if "did not arrive" not in answer["detail"]:
            break
    seen = [(b["pid"], b["func"].split("+")[0]) for b in answer["blockers"]]
    found = len(seen) == 1 and seen[0][0] == pid and re.fullmatch(place, seen[0][1])
    t.expect(found, f"{pid}, {place}: {answer}")
    t.expect("function graph tracer" in answer["detail"], f"what hides is not named: {answer['detail']}")


def hidden_returns(t, kernel):
    g = t.boot(kernel=kernel, model=NO_CX16)
    strict = made(t, g, SLEEP)
    # The same for somebody who knows of no trampoline: the hypervisor looks for none, and sees nobody.
    with open(os.path.join(g.scratch, "sleep.leaf"), "rb") as f:
        leaf = Leaf.read(f.read())
    leaf.target = knows_of_no_trampoline(leaf.target)
    g.put(signed(g.scratch, leaf.file()), "/tmp/blind.leaf")
    for name, (on, off, place) in HIDING.items():
        g.run(on % "do_nanosleep")
        pid = sleeper(g)
        apply(g, "test-sleep", path="/tmp/blind.leaf")
        revert(g, "test-sleep")
        kept_off(t, g, f"apply {strict}", pid, place)
        g.run(off)
        kept_off(t, g, f"apply {strict}", pid, place)  # he still sleeps where he did
        gone(g, pid)
        apply(g, "test-sleep", path=strict)
        g.run(on % "schedule_timeout_interruptible")
        pid = sleeper(g)
        kept_off(t, g, "revert test-sleep", pid, place)  # in the body, whose turn it is to be old
        g.run(off)
        gone(g, pid)
        revert(g, "test-sleep")
        t.note(f"{name}: refused")
    g.check_dmesg()


@test(full=True)
def hidden_return(t):
    """a strict leaf while a kretprobe or the function graph tracer keeps the return address of who sleeps in the old
    function: it is refused, and the message names both; when he has gone it is applied"""
    hidden_returns(t, "linux-image-6.1.0-50-cloud-amd64")


@test(full=True)
def hidden_return_5_10(t):
    """the same on 5.10"""
    hidden_returns(t, "guest:linux-5.10")


@test(full=True)
def hidden_return_7_3(t):
    """the same on 7.3"""
    hidden_returns(t, "guest:linux-7.3")


def optimised(g, name):
    """Has the kernel made a jump of this probe? It does so a while after it was armed."""
    text = g.run(
        "for i in $(seq 100); do grep -q 'OPTIMIZED' /sys/kernel/debug/kprobes/list && break; usleep 100000; done;"
        "cat /sys/kernel/debug/kprobes/list"
    )
    return any("[OPTIMIZED]" in line for line in text.splitlines()), text


@test(full=True)
def kprobe_optimised(t):
    """an optimised kprobe (a jump in the text) behind the site of the patched function: it stays where it is over
    apply and revert, and is hit when the old function runs"""
    g = t.boot()
    for offset in range(24, 120):
        g.run(f"echo 'p:nl/opt {FUNCTION}+{offset}' >>{TRACING}/kprobe_events", code=(0, 1))
        if " nl/opt" not in g.run(f"sed 's/:/ /' {TRACING}/kprobe_events"):
            continue
        g.run(f"echo 1 >{TRACING}/events/nl/opt/enable")
        is_jump, listed = optimised(g, "opt")
        probe(g, AUXV, "VULNERABLE")
        if is_jump and hits(g, "opt"):
            break
        g.run(f"echo 0 >{TRACING}/events/nl/opt/enable")
        event(g, "-:nl/opt")
    else:
        raise Failure(f"no probe of {FUNCTION} becomes a jump:\n{listed}")
    t.note(f"a probe at +{offset} is a jump")
    apply(g, AUXV)
    before = hits(g, "opt")
    probe(g, AUXV, "FIXED")
    t.expect(hits(g, "opt") == before, "the old function ran beside the leaf")
    t.expect(optimised(g, "opt")[0], "the jump was lost by the apply")
    revert(g, AUXV)
    counted(t, g, "opt", "VULNERABLE")
    g.run(f"echo 0 >{TRACING}/events/nl/opt/enable")
    apply(g, AUXV)
    g.run(f"echo 1 >{TRACING}/events/nl/opt/enable")
    probe(g, AUXV, "FIXED")
    revert(g, AUXV)
    counted(t, g, "opt", "VULNERABLE")
    g.run(f"echo 0 >{TRACING}/events/nl/opt/enable")
    event(g, "-:nl/opt")
    g.check_dmesg()


class Bpf:
    """A BPF program at the function, held by a process of the guest."""

    def __init__(self, g, kind):
        self.g = g
        g.run(
            "rm -f /tmp/bpf.out; (sleep 100000 & echo $! >/tmp/hold; wait) |"
            f" fentry {kind} {FUNCTION} >/tmp/bpf.out 2>&1 &\n"
            "until [ -s /tmp/bpf.out ]; do usleep 50000; done"
        )
        said = g.run("cat /tmp/bpf.out")
        if "attached" not in said:
            raise Failure(said)

    def end(self):
        """How often it ran."""
        self.g.run("kill $(cat /tmp/hold); until grep -q runs /tmp/bpf.out; do usleep 50000; done")
        return int(re.search(r"(\d+) runs", self.g.run("cat /tmp/bpf.out"))[1])


@test(full=True)
def bpf_fentry(t):
    """BPF programs at the entry of the patched function and around it, attached before and while a leaf is on: they
    run, and both flips are made"""
    g = t.boot()
    g.run("echo 1 >/proc/sys/kernel/bpf_stats_enabled")
    for kind in ("", "--exit"):
        bpf = Bpf(g, kind)
        for state in ("VULNERABLE", "FIXED"):
            probe(g, AUXV, state)
            (apply if state == "VULNERABLE" else revert)(g, AUXV)
        probe(g, AUXV, "VULNERABLE")
        ran = bpf.end()
        t.expect(ran >= 3, f"the program {kind} ran {ran} times in three calls")
        apply(g, AUXV)
        bpf = Bpf(g, kind)
        probe(g, AUXV, "FIXED")
        revert(g, AUXV)
        probe(g, AUXV, "VULNERABLE")
        ran = bpf.end()
        t.expect(ran >= 2, f"the program {kind} ran {ran} times in two calls")
        probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


def livepatch_settled(g, name, on):
    """A livepatch of the kernel's own is through with its transition, and on; or is off, and unloaded."""
    sysfs = f"/sys/kernel/livepatch/{name}"
    if on:
        g.run(f'until [ "$(cat {sysfs}/transition)" = 0 ]; do usleep 50000; done', timeout=300)
    else:
        g.run(f"echo 0 >{sysfs}/enabled; while [ -d {sysfs} ]; do usleep 50000; done", timeout=300)
        rmmod(g, name)


def livepatch_of_image(t, kernel):
    g = t.boot(kernel=kernel, model=NO_CX16)
    name, function = "livepatch_image", "__x64_sys_umask"
    put_modules(g, name)
    leaf = put_umask(g)
    masks = {"leaf": "0123", "livepatch": "0246", "kernel": g.run("umask").strip()}

    def says(who):
        found = g.run("umask").strip()
        t.expect(found == masks[who], f"umask says {found}, not {masks[who]} of the {who}")

    def seen(on):
        found = [(x["name"], x["object"], x["function"]) for x in newleaf(g, "status")["livepatches"]]
        t.expect(found == ([(name, "vmlinux", function)] if on else []), f"status says {found}")

    seen(False)
    newleaf(g, f"apply {leaf}")
    says("leaf")
    insmod(g, name)  # it comes behind the leaf, and goes before it
    livepatch_settled(g, name, True)
    says("livepatch")
    seen(True)
    livepatch_settled(g, name, False)
    says("leaf")
    insmod(g, name)
    livepatch_settled(g, name, True)
    newleaf(g, "revert test-umask")
    says("livepatch")
    for words in ("", " --dry-run"):
        answer = refused(g, f"apply {leaf}{words}", "NL_ELIVEPATCH", 7)
        t.expect(name in answer["detail"] and function in answer["detail"], answer["detail"])
    says("livepatch")
    livepatch_settled(g, name, False)
    seen(False)
    says("kernel")
    newleaf(g, f"apply {leaf}")
    says("leaf")
    newleaf(g, "revert test-umask")
    says("kernel")
    g.check_dmesg()


@test(full=True)
def livepatch_image(t):
    """the kernel's own livepatch of a function of the image: where it comes behind a leaf it goes first, and the leaf
    is there when it has gone; where it is there first, the leaf is refused by its name"""
    livepatch_of_image(t, "linux-image-6.1.0-50-cloud-amd64")


@test(full=True)
def livepatch_image_7_3(t):
    """the same on 7.3"""
    livepatch_of_image(t, "guest:linux-7.3")


@test(full=True)
def hotplug_loop(t):
    """rounds while a CPU is taken off and put on without a pause, each time by stop_machine()"""
    g = t.boot()
    g.run(
        "(until [ -e /tmp/stop ]; do for x in 0 1; do echo $x >/sys/devices/system/cpu/cpu1/online; done;"
        " echo >>/tmp/turns; done; touch /tmp/stopped) >/tmp/hotplug.out 2>&1 &"
    )
    said = rounds(g, AUXV, 20, timeout=1500)
    g.run("touch /tmp/stop; until [ -e /tmp/stopped ]; do usleep 50000; done", timeout=120)
    turns = int(g.run("wc -l </tmp/turns"))
    t.expect(turns > 0 and not g.run("cat /tmp/hotplug.out"), g.run("cat /tmp/hotplug.out"))
    t.note(f"{said}; the CPU went and came {turns} times")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test(full=True)
def stop_loop(t):
    """rounds while all CPUs are stopped by stop_machine() again and again"""
    g = t.boot()
    put_modules(g, "stopper")
    insmod(g, "stopper")
    said = rounds(g, AUXV, 20, timeout=1500)
    stops = int(g.run("cat /sys/module/stopper/parameters/stops"))
    rmmod(g, "stopper")
    t.expect(stops > 100, f"all CPUs were stopped {stops} times")
    t.note(f"{said}; all CPUs were stopped {stops} times")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test(full=True)
def barrier_loop(t):
    """rounds while every CPU sends the others memory barriers (membarrier) and TLB shootdowns (mprotect)"""
    g = t.boot()
    g.run("for p in barrier load; do $p >/tmp/$p.out 2>&1 & echo $! >/tmp/$p.pid; done")
    said = rounds(g, AUXV, 40, timeout=1500)
    for name in ("barrier", "load"):
        out = g.run(
            f"kill $(cat /tmp/{name}.pid); while [ -d /proc/$(cat /tmp/{name}.pid) ]; do usleep 50000; done;"
            f" cat /tmp/{name}.out"
        )
        t.expect(" 0 failures" in out, out)
        t.note(out.strip())
    t.note(said)
    g.check_dmesg()


def next_kernel(t, g, first):
    """Wait for the next kernel's user space. It must have been started by the kernel before: a machine that resets
    comes up, too, by way of its firmware."""
    g.wait_ready()
    t.expect(g.boot_id != first, "it is the same kernel")
    started = len(re.findall(r"newleaf: launched", g.console()))
    t.expect(started == 1, f"the machine was reset: {g.tail(60)}")


def with_kernel(t, **machine):
    """A guest that has a kernel and an initramfs for the next one in its own."""
    image = kernel_file("linux-image-6.1.0-50-cloud-amd64")
    out = os.path.join(BUILD, f"initrd-{t.name}.img")
    command = [os.path.join(TOP, "scripts/mkinitramfs"), "-o", out, "-a", f"{image}:kexec/vmlinuz"]
    command += ["-a", os.path.join(BUILD, "initrd.img") + ":kexec/initrd.img"]
    subprocess.run(command, check=True)
    return t.boot(initrd=out, memory=1536, **machine)


@test(full=True)
def kexec(t, cmdline="", next_line=""):
    """kexec with a leaf on: the next kernel starts, nothing is applied to it, and it takes the leaf"""
    g = with_kernel(t, cmdline=cmdline)
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    before, first = generation(g), g.boot_id
    g.run(f"kexecute /kexec/vmlinuz /kexec/initrd.img '{BASE} {next_line}'")
    g.send("kexecute --go")
    next_kernel(t, g, first)
    status = newleaf(g, "status")
    t.note(f"generation {before} -> {status['generation']}, leaves {status['leaves']}")
    t.expect(not [x for x in status["leaves"] if x.get("state") == "applied"], f"{status['leaves']}")
    probe(g, AUXV, "VULNERABLE")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    revert(g, AUXV)
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test(full=True)
def kexec_same_place(t):
    """the same with both kernels without KASLR: the next one lies where the first one lay"""
    kexec(t, cmdline="nokaslr", next_line="nokaslr")


@test(full=True)
def kexec_fewer_cpus(t):
    """kexec into a kernel that starts one CPU of two, with no leaf ever on before: an apply there is refused, and the
    machine goes on"""
    g = with_kernel(t)
    first = g.boot_id
    g.run(f"kexecute /kexec/vmlinuz /kexec/initrd.img '{BASE} nr_cpus=1'")
    g.send("kexecute --go")
    next_kernel(t, g, first)
    probe(g, AUXV, "VULNERABLE")
    for _ in range(3):
        refused(g, f"apply {leaf_path(g.machine.kernel, AUXV)} --deadline 3s", "NL_EDEADLINE", 8)
    probe(g, AUXV, "VULNERABLE")
    started = len(re.findall(r"newleaf: launched", g.console()))
    t.expect(started == 1, f"the machine was reset: {g.tail(60)}")
    g.check_dmesg()


@test(full=True)
def crash_dump(t, cpu=0, cmdline="", next_line=""):
    """a panic with a leaf on: the crash kernel starts, has the memory of the first one to dump, and nothing is applied
    to it"""
    g = with_kernel(t, cmdline="crashkernel=256M " + cmdline)
    g.run(f"kexecute --panic /kexec/vmlinuz /kexec/initrd.img '{BASE} nr_cpus=1 reset_devices {next_line}'")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    first = g.boot_id
    g.send(f"taskset {1 << cpu:x} sh -c 'echo c >/proc/sysrq-trigger'")
    next_kernel(t, g, first)
    size = int(g.run("stat -c %s /proc/vmcore"))
    t.expect(size > 1 << 29, f"/proc/vmcore has {size} bytes")
    t.expect(g.run("head -c 4 /proc/vmcore | tail -c 3") == "ELF", "/proc/vmcore is no ELF")
    status = newleaf(g, "status")
    t.note(f"/proc/vmcore has {size >> 20} MiB; leaves {status['leaves']}")
    t.expect(not [x for x in status["leaves"] if x.get("state") == "applied"], f"{status['leaves']}")
    probe(g, AUXV, "VULNERABLE")


@test(full=True)
def crash_dump_on_cpu_1(t):
    """the same of a panic on the second CPU, on which the crash kernel begins then"""
    crash_dump(t, cpu=1)


@test(full=True)
def crash_dump_same_place(t):
    """the same with both kernels without KASLR: the crash kernel has the addresses of the first one"""
    crash_dump(t, cmdline="nokaslr", next_line="nokaslr")
