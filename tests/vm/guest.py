# SPDX-License-Identifier: Apache-2.0
"""One emulated machine with the test guest in it: start, run scripts as root over the second serial port, wait for
what the console says, stop. Waits are for events, each with a time limit; when the emulator dies or the time is over,
the exception carries the last console lines. Not here: which tests there are (test_*.py), how an emulator is called
(scripts/run-qemu, scripts/run-bochs)."""

import base64
import dataclasses
import fcntl
import gzip
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import defects
from session import end, members

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("B") or os.path.join(TOP, "build")
LOGS = os.path.join(BUILD, "logs")
FIRST = ".first"  # behind a guest's name: the logs of the boot that its emulator ended
# What scripts in a guest say, on its console as well, of a reproducer that tells other than what was just done.
TORN = re.compile(r"^round \d+, (?:not )?(?:applied|reverted): ", re.M)

# What must not be in the log of a healthy guest.
BAD_DMESG = re.compile(
    r"\bWARNING:|\bBUG:|\bOops\b|Kernel panic|[Uu]nknown NMI|NMI received for unknown reason|Uhhuh|soft lockup|"
    r"hard LOCKUP|"
    r"rcu.*(detected|starved)|blocked for more than|general protection|unchecked MSR|Bad page|double fault|Call Trace|"
    r"corruption|Tainted|spurious APIC"
)
# What a kernel says of clocks that it compares: on an emulator they are as even as the host's time for it.
BAD_CLOCKS = re.compile(r"clocksource.*unstable" if os.environ.get("ACCEL") == "kvm" else r"(?!)")
# What a stock kernel says on its own about an emulated CPU's mitigations, with and without Newleaf.
KNOWN_DMESG = re.compile(r"(Speculative Return Stack Overflow|RETBleed|Spectre V2|MDS|MMIO Stale Data) *: WARNING")


def loopback_up():
    """Bochs's second serial port is a socket of 127.0.0.1, and in a network namespace of one's own (`unshare -n`)
    that is down at first."""
    get_flags, set_flags, up, request = 0x8913, 0x8914, 1, "16sh14x"  # netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack(request, fcntl.ioctl(s, get_flags, struct.pack(request, b"lo", 0)))[1]
        if not flags & up:
            fcntl.ioctl(s, set_flags, struct.pack(request, b"lo", flags | up))


RUNNING = set()  # guests whose emulator may be alive


class Failure(Exception):
    """The guest or the emulator did not do what was expected."""


# Nothing comes after these: two minutes of a CPU (watchdog_thresh), and a panic without a crash kernel or a reboot.
COMING_UP = "waiting for the guest to come up"
HANGS = ("watchdog: BUG: soft lockup", "---[ end Kernel panic")


class EmulatorDefect(Failure):
    """The emulator lost a race of its own, and what it or the guest logged shows it (docs/explanation/limits.md)."""

    def __init__(self, text, rip=""):
        super().__init__(text)
        self.rip = rip  # of the CPU that it reset, if it did


class Skip(Exception):
    """The test cannot run here; the text says why."""


@dataclasses.dataclass
class Result:
    code: int
    out: str


# Every guest's command line. Linux counts timer ticks against the TSC at boot and panics when they are late, as they
# are on an overloaded host, with Newleaf as often as without (docs/explanation/limits.md): that check is left out, and
# what measures stalls is given as long as a real one lasts.
BASE = "console=ttyS0,115200 no_timer_check rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60"


@dataclasses.dataclass
class Machine:
    """What to boot. The default is what the demo boots."""

    emulator: str = "qemu"  # or "bochs"
    kernel: str = "linux-image-6.1.0-50-cloud-amd64"  # package name
    cpus: int = 2
    model: str = ""  # CPU model; empty = the runner's default
    memory: int = 1024
    base: str = BASE  # the start of the command line
    cmdline: str = ""  # added to the base line
    newleaf: bool = True
    settings: tuple = ()  # lines added to newleaf.conf
    initrd: str = os.path.join(BUILD, "initrd.img")
    loader: str = os.path.join(BUILD, "newleaf.efi")
    variables: str = ""  # file with EFI variables that outlives the machine
    no_reboot: bool = False
    files: tuple = ()  # more files of the ESP, SRC:DST
    more: tuple = ()  # options for QEMU itself
    quantum: int = 16  # instructions after which Bochs turns to the next CPU (scripts/run-bochs)
    disk: str = ""  # a disk that boots by itself (scripts/mkdebian), instead of kernel, loader and their settings
    stick: bool = False  # that disk is a USB stick
    rng: bool = True  # a device with random numbers of the host
    secure: bool = False  # firmware with Secure Boot on, which trusts the ovmf package's snakeoil key


# QEMU 7.2 leaves garbage in RFLAGS behind CMPXCHG16B of a two-CPU guest, which 6.12 and later use: without the flag
# they are stable, with it they crash with and without Newleaf.
NO_CX16 = "max,+svm,-la57,cx16=off"


def kernel_file(package):
    """Path of the kernel image of a package, or of a line or guest of scripts/kernels.table ("guest:NAME"); fetched
    when it is not in the cache. A path is itself. Skip when it cannot be had."""
    if "/" in package:
        return package
    command = [os.path.join(TOP, "scripts/get-kernel"), "--vmlinuz", package.removeprefix("guest:")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 11:
        raise Skip(done.stderr.strip().splitlines()[-1] if done.stderr else f"{package} cannot be had")
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr}")
    return done.stdout.strip()


def leaf_path(package, fix):
    """Where the initramfs has the leaf of a fix for a kernel package."""
    return f"/leaves/{package.removeprefix('linux-image-')}/{fix}.leaf"


def bochs_binary():
    return os.environ.get("BOCHS") or shutil.which("bochs")


class Guest:
    """with Guest(name, Machine(...)) as g: g.wait_ready(); g.run("uname -r")"""

    def __init__(self, name, machine, verbose=False):
        self.name, self.machine, self.verbose = name, machine, verbose
        # Factor on every time limit. A limit ends what hangs and judges nothing else: the host may be busy.
        self.slow = 10 if machine.emulator == "bochs" else 4 * max(1, machine.cpus // 8)
        self.log_dir = os.path.join(LOGS, name)
        self.process = None
        self.channel = None
        self.listener = None
        self.buffer = b""
        self.request = 0
        self.boot_id = ""
        self.deadlines = 0  # commits that were tried again because their deadline had passed
        self.cost = 0.0  # CPU seconds of the emulator
        self.console_path = ""
        self.console_at = 0
        self.on_wait = None  # called about five times a second while something is awaited
        self.idle = False  # it has answered all that it was told to do
        self.before_end = None  # called while it is idle, before it is switched off or starts anew

    # -- life --

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _esp(self):
        m = self.machine
        if m.disk:
            return m.disk
        line = m.base + " " + m.cmdline
        esp = os.path.join(self.scratch, "esp.img" if m.emulator == "bochs" else "esp")
        args = [os.path.join(TOP, "scripts", "mkesp"), "--image" if m.emulator == "bochs" else "--dir"]
        args += ["--loader", m.loader] if m.newleaf else ["--no-loader"]
        args += ["--kernel", kernel_file(m.kernel), "--initrd", m.initrd, "--cmdline", line.strip()]
        for setting in m.settings if m.newleaf else ():
            args += ["--set", setting]
        for pair in m.files:
            args += ["--file", pair]
        done = subprocess.run(args + [esp], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 77:
            raise Skip(done.stderr.strip())
        if done.returncode != 0:
            raise Failure(f"mkesp: {done.stderr.strip()}")
        return esp

    def _start(self):
        m = self.machine
        shutil.rmtree(self.log_dir, ignore_errors=True)
        os.makedirs(self.log_dir)
        self.scratch = tempfile.mkdtemp(prefix="newleaf-vm-")
        self.console_path = os.path.join(self.log_dir, "console.log")
        self.emulator_log = os.path.join(self.log_dir, "emulator.log")
        open(self.console_path, "wb").close()
        esp = self._esp()
        env = dict(os.environ, SERIAL=self.console_path, MEM=str(m.memory), SMP=str(m.cpus))
        if m.model:
            env["CPU"] = m.model
        if m.no_reboot:
            env["NO_REBOOT"] = "1"
        if m.emulator == "qemu":
            env["SERIAL2"] = "unix:" + os.path.join(self.scratch, "s2")
            env.setdefault("QEMU_LOG", "cpu_reset")  # a triple fault leaves its registers in qemu.log
            if m.variables:
                env["VARS"] = m.variables
            if m.stick:
                env["STICK"] = "1"
            if not m.rng:
                env["RNG"] = ""
            more = m.more
            if m.secure:
                env["OVMF_CODE"] = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
                env["OVMF_VARS"] = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"
                more += ("-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on")
            command = [os.path.join(TOP, "scripts", "run-qemu"), esp, "--", *more]
        else:
            # Bochs comes to us: a listening socket that exists before it starts.
            loopback_up()
            self.listener = socket.create_server(("127.0.0.1", 0))
            env["SERIAL2"] = f"tcp:127.0.0.1:{self.listener.getsockname()[1]}"
            env["QUANTUM"] = str(m.quantum)
            command = [os.path.join(TOP, "scripts", "run-bochs"), esp]
        self.started = time.monotonic()
        RUNNING.add(self)
        with open(self.emulator_log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=self.log_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._connect()

    def _connect(self):
        deadline = time.monotonic() + 60 * self.slow
        if self.listener:
            while not select.select([self.listener], [], [], 0.2)[0]:
                self._alive("before it opened the second serial port", deadline)
            self.channel, _ = self.listener.accept()
            return
        path = os.path.join(self.scratch, "s2")
        while True:
            self.channel = socket.socket(socket.AF_UNIX)
            try:
                self.channel.connect(path)
                return
            except OSError:
                self.channel.close()
                self.channel = None
            self._alive("before it opened the second serial port", deadline)
            time.sleep(0.02)  # there is no event for "QEMU made its socket"

    def cpu_seconds(self):
        """What the emulator has cost so far, on the host's CPUs."""
        total = sum(int(stat[11]) + int(stat[12]) for stat in members(self.process.pid).values())
        return total / os.sysconf("SC_CLK_TCK")

    def close(self):
        RUNNING.discard(self)
        if self.process and self.process.poll() is None:
            self.cost = self.cpu_seconds()
        if self.channel:
            self.channel.close()
        if self.listener:
            self.listener.close()
        if self.process and self.process.poll() is None:
            end(self.process)
        if getattr(self, "scratch", None):
            shutil.rmtree(self.scratch, ignore_errors=True)

    def cut(self):
        """Power goes: neither the guest nor the emulator is told."""
        self.cost = self.cpu_seconds()
        self.idle = False
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while members(self.process.pid):
            time.sleep(0.02)  # the emulator is no child of ours: nothing tells of its end
        self.close()

    # -- waiting --

    def console(self):
        if not self.console_path:  # not started yet
            return ""
        with open(self.console_path, "rb") as f:
            return f.read().decode("utf-8", "replace").replace("\r", "")

    def tail(self, lines=25):
        text = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", self.console())
        last = "\n".join("    | " + line for line in text.splitlines()[-lines:])
        with open(self.emulator_log, "rb") as f:
            said = f.read().decode("utf-8", "replace").strip().splitlines()[-5:]
        said = "".join(f"\n    emulator: {line}" for line in said)
        return f"last console lines ({os.path.relpath(self.console_path)}):\n{last}{said}"

    def _emulators(self, text):
        """The failure of a guest that has restarted. What a script has called torn before was no emulator's."""
        try:
            with open(os.path.join(self.log_dir, "qemu.log"), encoding="utf-8", errors="replace") as f:
                rip = defects.fxrstor_reset(self.machine, f.read(), self.console(), BUILD)
        except OSError:
            rip = ""
        return EmulatorDefect(text, rip) if rip and not TORN.search(self.console()) else Failure(text)

    def keep_first(self):
        """The logs of a boot that is to be made again, beside those that come."""
        first = self.log_dir + FIRST
        shutil.rmtree(first, ignore_errors=True)
        if os.path.isdir(self.log_dir):
            shutil.move(self.log_dir, first)
        return first

    def _alive(self, when, deadline):
        if self.process.poll() is not None:
            if self.process.returncode == 77:
                with open(self.emulator_log, encoding="utf-8", errors="replace") as f:
                    raise Skip(f.read().strip())
            raise Failure(f"the emulator ended with code {self.process.returncode} {when}\n{self.tail()}")
        if time.monotonic() > deadline:
            raise Failure(f"time is over {when}\n{self.tail()}")

    def wait_console(self, pattern, timeout=60):
        """Until a new console line matches; returns the match. Each call goes on behind the match before."""
        deadline = time.monotonic() + timeout * self.slow
        expression = re.compile(pattern)
        while True:
            text = self.console()
            found = expression.search(text, self.console_at)
            if found:
                self.console_at = found.end()
                return found
            self._alive(f"waiting for {pattern!r} on the console", deadline)
            time.sleep(0.05)  # the console is a file: no event to wait for

    def wait_exit(self, timeout=60):
        """Until the emulator ends by itself (poweroff, reset with NO_REBOOT)."""
        self.cost = self.cpu_seconds()
        try:
            return self.process.wait(timeout * self.slow)
        except subprocess.TimeoutExpired:
            raise Failure(f"the emulator did not end within {timeout * self.slow} s\n{self.tail()}") from None

    def _read_more(self, when, deadline):
        if self.on_wait:
            self.on_wait(self)
        if select.select([self.channel], [], [], 0.2)[0]:
            data = self.channel.recv(65536)
            if not data:
                self.wait_exit()
                self._alive(when, deadline)
            self.buffer += data
        elif any(sign in self.console() for sign in HANGS):
            stale = defects.stale_breakpoint(self.machine, self.console(), bool(self.boot_id))
            kind = EmulatorDefect if when == COMING_UP and stale else Failure
            raise kind(f"the guest hangs or has panicked {when}\n{self.tail()}")
        elif time.monotonic() > deadline or self.process.poll() is not None:
            self._alive(when, deadline)

    def _line(self, when, deadline):
        while b"\n" not in self.buffer:
            self._read_more(when, deadline)
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode("utf-8", "replace").strip("\r\0")

    def wait_ready(self, timeout=240):
        """Until the guest's user space is up; returns the seconds since the emulator started."""
        deadline = time.monotonic() + timeout * self.slow
        while True:
            line = self._line(COMING_UP, deadline)
            if "NLREADY " in line:
                self.boot_id = line.split("NLREADY ")[1]
                self.idle = True
                return time.monotonic() - self.started

    # -- doing --

    def send(self, script):
        """Start a script and do not wait for its end (poweroff)."""
        self.request += 1
        self.idle = False
        body = base64.b64encode(script.encode())
        self.channel.sendall(b"NLQ %d %d %s\n" % (self.request, len(body), body))

    def call(self, script, timeout=60, log=True):
        """Run a shell script as root; its exit code and output. log: to session.log, with the output."""
        deadline = time.monotonic() + timeout * self.slow
        when = f"running: {script.strip().splitlines()[0][:100]}"
        self.send(script)
        while True:
            words = self._line(when, deadline).split()
            if words[:1] == ["NLREADY"]:
                raise self._emulators(f"the guest restarted {when}\n{self.tail()}")
            if words == ["NLR", str(self.request)]:
                self.send(script)
            if words[:1] != ["NLA"]:
                continue
            size = int(words[3])
            while len(self.buffer) < size:
                self._read_more(when, deadline)
            out, self.buffer = self.buffer[:size], self.buffer[size:]
            if words[1] == str(self.request):
                self.idle = True
                result = Result(int(words[2]), out.decode("utf-8", "replace"))
                with open(os.path.join(self.log_dir, "session.log"), "a", encoding="utf-8") as session:
                    session.write(f"# {script}\n{result.out if log else ''}[{result.code}]\n")
                return result

    def run(self, script, timeout=60, code=0):
        """As call, but the exit code must be this one (or one of these); returns the output."""
        result = self.call(script, timeout)
        codes = (code,) if isinstance(code, int) else code
        if result.code not in codes:
            raise Failure(f"`{script.strip()}` ended with {result.code}, expected {code}:\n{result.out.rstrip()}")
        return result.out

    def put(self, data, path, mode="644"):
        """A file into the guest."""
        packed = gzip.compress(data)
        self.run(f": >{path}.gz")
        for at in range(0, len(packed), 12000):
            piece = base64.b64encode(packed[at : at + 12000]).decode()
            self.run(f"echo {piece} | base64 -d >>{path}.gz", timeout=60)
        self.run(f"gunzip -f {path}.gz && chmod {mode} {path}")

    def uptime(self):
        return float(self.run("cat /proc/uptime").split()[0])

    def check_dmesg(self, allow=None):
        """Nothing bad in the guest's kernel log (lines that match `allow` are known)."""
        self.judge_dmesg(self.run("dmesg"), allow)

    def judge_dmesg(self, log, allow=None):
        bad = [
            line
            for line in log.splitlines()
            if (BAD_DMESG.search(line) or BAD_CLOCKS.search(line))
            and not (allow and re.search(allow, line))
            and not KNOWN_DMESG.search(line)
        ]
        if bad:
            raise Failure("the guest's kernel complains:\n" + "\n".join("    | " + line for line in bad[:20]))

    def end(self):
        """What is to be had of this boot, if it can be had."""
        if self.before_end and self.idle and self.process.poll() is None:
            self.before_end(self)

    def reboot(self, command="reboot -f"):
        """Does not wait for the next boot."""
        self.end()
        self.send(command)

    def poweroff(self, timeout=60):
        self.end()
        self.send("poweroff -f")
        if self.machine.emulator == "bochs":  # without ACPI there is no power switch: the kernel halts
            self.wait_console(r"reboot: (System halted|Power down|Power off not available)", timeout)
            return 0
        return self.wait_exit(timeout)
