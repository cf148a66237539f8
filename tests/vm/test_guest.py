# SPDX-License-Identifier: Apache-2.0
"""Does the guest notice? Registers, backtraces by NMI, kernel log, CPUID; and does it stay healthy when the agent is
killed."""

import collections
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading

from command import FIXES, cycle, newleaf, revert
from guest import BUILD, TOP, leaf_path
from records import policy_record
from session import end, members, processes
from story import interactive
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
APPLY, REVERT = 1, 2  # include/newleaf/bootblock.h: what guest root may


@test()
def registers(t):
    """x87, SSE, AVX, MXCSR, FS, GS and debug registers unchanged over 10^5 hypercalls while leaves are applied and
    reverted"""
    g = t.boot()
    g.run("taskset 2 regs 100000 >/tmp/regs.out 2>&1 & echo $! >/tmp/regs.pid")
    for _ in range(3):
        cycle(g, (AUXV,))
    out = g.run("while [ -d /proc/$(cat /tmp/regs.pid) ]; do usleep 100000; done; cat /tmp/regs.out", timeout=240)
    t.expect("regs: ok" in out, out)
    t.note(out.strip())
    g.check_dmesg()


@test()
def backtrace_all_cpus(t):
    """SysRq-l during apply rounds: every CPU answers, and no NMI is unknown"""
    g = t.boot()
    g.run("dmesg -n 1")
    g.run(
        f"(while :; do newleaf apply -q {leaf_path(OLD, AUXV)}; newleaf revert -q {AUXV}; done)"
        " >/dev/null 2>&1 & echo $! >/tmp/loop"
    )
    for _ in range(20):
        g.run("dmesg -c >/dev/null; echo l >/proc/sysrq-trigger")
        said = g.run(
            "until dmesg >/tmp/d; [ $(grep -c 'NMI backtrace for cpu' /tmp/d) -ge 2 ]; do usleep 100000; done\n"
            "cat /tmp/d"
        )
        for cpu in (0, 1):
            t.expect(f"NMI backtrace for cpu {cpu}" in said, f"CPU {cpu} gave no backtrace:\n{said[-3000:]}")
        bad = re.search(r"(?i)unknown NMI|Uhhuh|NMI received for unknown|Oops|BUG:", said)
        t.expect(not bad, f"the kernel complains:\n{said[-3000:]}")
    g.run("kill $(cat /tmp/loop); while pgrep -x newleaf >/dev/null; do usleep 50000; done")
    t.note("20 backtraces of 2 CPUs")
    if newleaf(g, "status")["leaves"] and g.call(f"repro {AUXV}").code == 0:
        revert(g, AUXV)
    cycle(g)
    g.check_dmesg(allow="Call Trace:")  # the backtraces that were asked for


@test()
def agent_killed(t):
    """SIGKILL of the command in the middle of a loop of applies: applied or not, never in between"""
    g = t.boot()
    out = g.run(
        r"""
leaf=%s id=%s i=0 applied=0
while [ $i -lt 60 ]; do
	if repro $id >/dev/null; then verb="revert $id"; else verb="apply $leaf"; fi
	newleaf $verb -q >/dev/null 2>&1 & pid=$!
	usleep $(( (i * 7919) %% 150 * 1000 ))
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	newleaf status --json >/tmp/status || { echo "round $i: status ended with $?"; exit 1; }
	repro $id >/tmp/probe; state=$?
	want=1
	grep -q '"id":"'$id'"[^}]*"state":"applied"' /tmp/status && want=0 applied=$((applied + 1))
	[ $state = $want ] || { echo "round $i: status and behaviour differ"; cat /tmp/status /tmp/probe; exit 1; }
	i=$((i + 1))
done
echo "$i kills; applied after $applied of them"
"""
        % (leaf_path(OLD, AUXV), AUXV),
        timeout=240,
    )
    t.note(out.strip())
    if g.call(f"repro {AUXV}").code == 0:
        revert(g, AUXV)
    cycle(g)
    g.check_dmesg()


def hog(g, cpu):
    """A thread at the highest real-time priority that never sleeps; its pid."""
    g.run(f"hog {cpu} spin >/tmp/hog.out & echo $! >/tmp/hog.pid")
    g.run("until grep -q runs /tmp/hog.out; do usleep 20000; done")
    return int(g.run("cat /tmp/hog.pid"))


def end_of(g, pid):
    g.run(f"kill -9 {pid}; while [ -d /proc/{pid} ]; do usleep 20000; done")


@test(full=True)
def runaway(t):
    """a thread at the highest real-time priority that never sleeps, on each CPU in turn: the command has the hypervisor
    stop it there; where the policy forbids that it ends by its deadline, names it, and nothing has changed"""
    forever = "sysctl.kernel.sched_rt_runtime_us=-1"
    with tempfile.TemporaryDirectory() as folder:
        policy, image = os.path.join(folder, "policy"), os.path.join(folder, "newleaf.efi")
        with open(policy, "wb") as f:
            f.write(policy_record(guest_may=APPLY | REVERT))
        words = [f"--update-section=.nlpol={policy}", os.path.join(BUILD, "newleaf.efi"), image]
        subprocess.run(["objcopy", *words], check=True)
        g = t.boot(loader=image, cmdline=forever)
        g.run("[ $(cat /proc/sys/kernel/sched_rt_runtime_us) = -1 ]")
        for cpu in (0, 1):
            pid = hog(g, cpu)
            for _ in range(2):  # by when somebody is missing depends on who was asked when
                before = float(g.run("cut -d' ' -f1 /proc/uptime"))
                answer = newleaf(g, f"apply {leaf_path(OLD, AUXV)} --deadline 2s", code=8, timeout=120)
                took = float(g.run("cut -d' ' -f1 /proc/uptime")) - before
            t.expect([b["cpu"] for b in answer["blockers"]] == [cpu], f"CPU {cpu}: {answer}")
            t.expect(answer["blockers"][0]["pid"] == pid, f"pid {pid}: {answer}")
            t.note(f"CPU {cpu}: gave up after {took:.1f} s")
            end_of(g, pid)
            cycle(g)
        g.check_dmesg()
        g.end()
        g.close()
    g = t.boot(cmdline=forever)
    for cpu in (0, 1):
        pid = hog(g, cpu)
        for what in (f"apply {leaf_path(OLD, AUXV)}", f"revert {AUXV}"):
            answer = newleaf(g, f"{what} --deadline 4s", timeout=120)
            t.expect(answer["quiesce"] == "agentless", f"CPU {cpu}: {what}: {answer}")
        end_of(g, pid)
        t.note(f"CPU {cpu}: stopped where it spun")
    cycle(g)
    g.check_dmesg()


def allowed_differences():
    """Patterns of docs/reference/differences.md: every line in a fenced block that starts with ```differences."""
    with open(os.path.join(TOP, "docs", "reference", "differences.md"), encoding="utf-8") as f:
        blocks = re.findall(r"```differences\n(.*?)```", f.read(), re.S)
    return [re.compile(line) for block in blocks for line in block.splitlines() if line.strip()]


def normalised(text):
    """How often each line comes, without what differs from boot to boot: times, addresses, counts."""
    lines = collections.Counter()
    for line in text.splitlines():
        line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
        line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,16}\b|\d+(\.\d+)?", "#", line)
        lines[line.rstrip()] += 1
    return lines


def flags(text):
    """/proc/cpuinfo with a line for every flag."""
    lines = collections.Counter()
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("flags", "vmx flags", "bugs"):
            lines.update(f"{key}: {flag}" for flag in value.split())
        else:
            lines.update(normalised(line))
    return lines


def bits(text):
    """CPUID and MSRs with a line for every bit that is set; an MSR's whole value when it can be read at all."""
    lines = collections.Counter()
    for line in text.splitlines():
        cpuid = re.fullmatch(r"cpuid (\w+ \w+): (\w+) (\w+) (\w+) (\w+)", line)
        if not cpuid:
            lines[line] += 1
            continue
        for register, value in zip(("eax", "ebx", "ecx", "edx"), cpuid.groups()[1:]):
            lines.update(f"cpuid {cpuid[1]} {register}.{n}" for n in range(32) if int(value, 16) >> n & 1)
    return lines


def unlisted(said, sources):
    """What is said with Newleaf and without it (said[True], said[False]; both by the names of the sources) and differs
    otherwise than docs/reference/differences.md lists; and how many of the differences it does list."""
    allowed, found, listed = allowed_differences(), [], 0
    for name, (_, lines) in sources.items():
        without, with_it = (lines(said[on][name]) for on in (False, True))
        if len(without) <= 5:
            raise Failure(f"{name} says too little to compare:\n{said[False][name]}")
        for mark, more in (("-", without - with_it), ("+", with_it - without)):
            for line in sorted(more):
                if any(p.search(f"{name} {mark} {line}") for p in allowed):
                    listed += 1
                else:
                    found.append(f"{name} {mark} {line}")
    return found, listed


def compare(t, sources=None, look=None, **machine):
    """Boot without Newleaf and with it; what the sources (a command of the guest or a function of it, and what makes
    lines of that) say must differ as listed only. `look` has a look at each guest."""
    sources = sources or {
        "dmesg": ("dmesg", normalised),
        "cpuinfo": ("cat /proc/cpuinfo", flags),
        "facts": ("taskset 1 facts", bits),
        "files": ("ls /dev /sys/firmware /sys/devices/system/cpu", normalised),
    }
    said = {}
    for on in (False, True):
        g = t.boot(newleaf=on, **machine)
        if look:
            look(t, g)
        said[on] = {name: take(g) if callable(take) else g.run(take) for name, (take, _) in sources.items()}
        g.poweroff()
    found, listed = unlisted(said, sources)
    t.expect(not found, "not in docs/reference/differences.md:\n" + "\n".join("    | " + x for x in found[:80]))
    t.note(f"{sum(len(x.splitlines()) for x in said[True].values())} lines compared, {listed} listed differences")


HPET = ("-global", "hpet.msi=on", "-global", "hpet.timers=8")  # Linux leaves the first three to other uses


def hpet(t, g):
    """Without a local APIC timer that runs in deep idle states Linux takes the HPET's, each with its message."""
    messages = re.findall(r"^ *\d+:.*HPET.MSI.*", g.run("cat /proc/interrupts"), re.M)
    t.expect(len(messages) >= 2, f"Linux uses no message of the HPET:\n{g.run('cat /proc/interrupts')}")
    g.check_dmesg()


def register_differences():
    for name, full, about, machine in (
        ("differences", False, "QEMU, EPYC", dict(model="EPYC,+svm")),
        ("differences-max", True, "QEMU, max, 4 CPUs, 5-level paging", dict(model="max,+svm", cpus=4)),
        (
            "differences-hpet",
            True,
            "QEMU, the HPET's messages in use and 4 GiB of memory",
            dict(model="max,+svm,-la57,-arat", memory=4096, more=HPET, look=hpet),
        ),
        ("differences-bochs", True, "Bochs, VMX", dict(emulator="bochs", cpus=1, memory=512, cmdline="quiet")),
    ):

        def run(t, machine=machine):
            compare(t, **machine)

        run.__doc__ = (
            f"{about}: dmesg, /proc/cpuinfo, CPUID and readable MSRs with and without Newleaf differ only as documented"
        )
        test(full=full, emulator=machine.get("emulator", "qemu"), name=name)(run)


register_differences()


@test()
def interactive_shell(t):
    """the root shell that `scripts/demo --shell` gives, also to a terminal without a size: a prompt, commands, and its
    end gives the line back, also by Ctrl-] while something runs"""
    g = t.boot(cpus=1)
    ours, terminal = pty.openpty()  # its size is 0 by 0, as a serial line's is
    said = bytearray()

    def user():
        # what is seen, how often, and what is typed then: at the prompt, behind the answer, to cat in its own shell
        steps = [
            (b"# ", 1, b"newleaf status\n"),
            (b"guest-may", 1, b"sh\ncat\n"),
            (b"cat\r\n", 1, b"here\n"),
            (b"here\r\n", 1, b"there\n"),  # by whom, depends; from now on the line echoes
            (b"there\r\n", 2, b"\x1d"),
        ]
        while True:
            try:
                said.extend(os.read(ours, 4096))
            except OSError:  # the terminal is closed
                return
            while steps and said.count(steps[0][0]) >= steps[0][1]:
                os.write(ours, steps.pop(0)[2])

    hands = threading.Thread(target=user, daemon=True)
    hands.start()
    patience = threading.Timer(60 * g.slow, os.write, (ours, b"\x1d"))
    patience.daemon = True
    patience.start()
    interactive(g, terminal, terminal)
    t.expect(not patience.finished.is_set(), "the shell did not say what the next key waits for")
    patience.cancel()
    os.close(terminal)
    hands.join()
    os.close(ours)
    text = said.decode(errors="replace")
    t.expect("guest-may" in text, f"the shell did not answer: {text!r}")
    t.expect(g.run("echo again").strip() == "again", "the line is not usable after the shell")
    g.poweroff()


@test()
def shell_hangup(t):
    """a terminal that goes away while `scripts/demo --shell` waits for its user takes the emulator with it"""
    script = os.path.join(TOP, "tests", "vm", "story.py")
    told = subprocess.Popen(
        [sys.executable, script, "--shell", "--kernel", OLD, AUXV],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in told.stdout:
        lines.append(line)
        if line.startswith("Root shell"):
            break
    emulator = [pid for pid, stat in processes().items() if int(stat[1]) == told.pid]  # leads a session of its own
    told.send_signal(signal.SIGHUP)
    told.communicate(timeout=240)
    left = [pid for leader in emulator for pid in members(leader)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    t.expect(emulator, "".join(lines))
    t.expect(not left, f"{len(left)} processes of the emulator went on")


@test()
def emulator_lingers(t):
    """what leads an emulator's session ends at once by a signal, and the end waits for the rest of it: for one that
    needs a while, and for one that will not hear"""
    for name, heard, last in (("slow", "sleep 0.5; echo bye; exit", "bye\n"), ("deaf", ":", "")):
        script = f"(trap '{heard}' TERM; echo up; while :; do sleep 0.1; done) & wait"
        leader = subprocess.Popen(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        t.expect(leader.stdout.readline() == "up\n", f"{name}: it did not begin")
        end(leader)
        t.expect(not members(leader.pid), f"{name}: {len(members(leader.pid))} processes went on")
        said = leader.stdout.read()  # to its end: nobody has the other side any more
        leader.stdout.close()
        t.expect(said == last, f"{name}: its last word was {said!r}")
