# SPDX-License-Identifier: Apache-2.0
"""The story that scripts/demo tells, once everything is built: boot through Newleaf, then for each leaf probe, apply,
probe, revert, probe, apply, probe; the guest's boot id and uptime stand on each line. Exit 1 when any step went
otherwise than told."""

import argparse
import json
import os
import re
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

from guest import NO_CX16, Failure, Guest, Machine, Skip, leaf_path  # noqa: E402

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
PAINT = {"VULNERABLE": "31;1", "FIXED": "32;1"}


class Story:
    def __init__(self, guest, began):
        self.guest, self.began, self.wrong = guest, began, 0
        self.boot_id, self.last_uptime = "", 0.0

    def step(self, word, text):
        print(f"[{time.time() - self.began:6.1f} s] {word:9} {text}", flush=True)

    def paint(self, word):
        return f"\033[{PAINT[word]}m{word}\033[0m" if COLOUR and word in PAINT else word

    def same_guest(self):
        """boot id and uptime: the same boot, and time went on."""
        boot_id, uptime = self.guest.run("cat /proc/sys/kernel/random/boot_id; cut -d' ' -f1 /proc/uptime").split()
        uptime = float(uptime)
        if (self.boot_id and boot_id != self.boot_id) or uptime < self.last_uptime:
            self.wrong += 1
            return f"boot id CHANGED from {self.boot_id[:8]} to {boot_id[:8]}"
        self.boot_id, self.last_uptime = boot_id, uptime
        return f"boot id {boot_id[:8]}, up {uptime:.1f} s"

    def probe(self, fix, expected):
        result = self.guest.call(f"repro {fix}")
        found = re.match(r"\S+\s+(.*) -> (\w+)", result.out)
        said, word = (found.group(1), found.group(2)) if found else (result.out.strip(), "?")
        mark = ""
        if word != expected:
            self.wrong += 1
            mark = f"   <-- WRONG, {expected} was promised"
        pad = " " * (10 - len(word))
        self.step("probe", f"{self.paint(word)}{pad}  {self.same_guest()}   {said}{mark}")

    def change(self, verb, fix, argument):
        result = self.guest.call(f"newleaf {verb} --json {argument}", timeout=60)
        try:
            answer = json.loads(result.out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            answer = {}
        if result.code != 0 or answer.get("result") != "ok":
            self.wrong += 1
            self.step(
                verb,
                f"{fix}: NOT DONE, exit {result.code}: {answer.get('code', '')}"
                f" {answer.get('detail') or result.out.strip()}",
            )
            return
        generation = answer["generation"]
        pages = answer.get("pages", 0)
        text = f"{fix}: generation {generation['from']} -> {generation['to']}, {pages} page{'s' if pages != 1 else ''}"
        text += (
            f", stop window {answer['stop_window_ns'] / 1000:.0f} us, whole {verb} {answer['apply_ns'] / 1e6:.1f} ms"
        )
        self.step(verb, text)


LEAVE = b"\x03\nexit\n"  # ends what runs in the shell, and then the shell


def interactive(guest, keyboard=0, screen=1):
    """The user's terminal on a shell of the guest, until the shell ends or Ctrl-] is pressed."""
    terminal = os.isatty(keyboard)
    if terminal:
        import termios
        import tty

        size = os.get_terminal_size(keyboard)  # 0 of both where nobody has said it: a serial line, a container
        guest.run(f"stty -F /dev/ttyS1 rows {size.lines or 24} cols {size.columns or 80}")
        saved = termios.tcgetattr(keyboard)
        tty.setraw(keyboard)
    try:
        guest.channel.sendall(b"NLI\n")
        inputs = [guest.channel, keyboard]
        seen, leaving = b"", False
        while True:
            ready = select.select(inputs, [], [], 2 * guest.slow if leaving else None)[0]
            if not ready:  # there was a shell within the shell
                guest.channel.sendall(LEAVE)
            if guest.channel in ready:
                data = guest.channel.recv(4096)
                seen = (seen + data)[-200:]
                if not data or b"NLREADY " in seen:
                    return
                os.write(screen, data)
            if keyboard in ready:
                data = os.read(keyboard, 1024)
                if b"\x1d" in data:
                    inputs.remove(keyboard)
                    leaving = True
                    data = LEAVE
                elif not data:  # end of a script: let the shell end, too, when all of it is done
                    inputs.remove(keyboard)
                    data = b"\nexit\n"
                guest.channel.sendall(data)
    finally:
        if terminal:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, saved)


def boot_progress(guest):
    """Last console line on a terminal, so that a minute of emulated boot does not look dead."""
    if not sys.stderr.isatty():
        return
    lines = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", guest.console()).strip().splitlines()
    last = "".join(c for c in (lines[-1] if lines else "") if c.isprintable())[:90]
    sys.stderr.write(f"\r\033[K    boot: {time.monotonic() - guest.started:.0f} s  {last}")
    sys.stderr.flush()


def tell(options):
    bochs = options.emulator == "bochs"
    cpus = int(os.environ.get("CPUS") or (2 if not bochs or os.environ.get("BOCHS") else 1))
    late = not re.match(r"linux-image-(5|6\.1)\.", options.kernel)
    machine = Machine(
        emulator=options.emulator,
        kernel=options.kernel,
        cpus=cpus,
        cmdline="quiet",
        model=NO_CX16 if late and not bochs and os.environ.get("ACCEL") != "kvm" else "",
    )
    began = options.began / 1e9
    with Guest("demo", machine) as guest:
        story = Story(guest, began)
        story.step(
            "boot",
            f"{'Bochs, VMX with EPT' if bochs else 'QEMU, SVM with NPT'}, {cpus} CPU{'s' if cpus > 1 else ''},"
            " EFI firmware -> Newleaf -> Linux",
        )
        guest.on_wait = boot_progress
        guest.wait_ready()
        guest.on_wait = None
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        release = guest.run("uname -r").strip()
        story.step(
            "guest", f"user space of {release} after {time.monotonic() - guest.started:.0f} s; {story.same_guest()}"
        )
        guest.call("newleaf alive")
        story.step("newleaf", guest.run("newleaf status", timeout=60).splitlines()[0])
        for fix in options.fixes:
            leaf = leaf_path(options.kernel, fix)
            print()
            story.probe(fix, "VULNERABLE")
            story.change("apply", fix, leaf)
            story.probe(fix, "FIXED")
            story.change("revert", fix, fix)
            story.probe(fix, "VULNERABLE")
            story.change("apply", fix, leaf)
            story.probe(fix, "FIXED")
        print()
        try:
            guest.check_dmesg()
        except Failure as complaint:
            story.wrong += 1
            print(complaint)
        if os.environ.get("ACCEL") != "kvm":
            print("Emulated: compare ratios, not microseconds.")
        if story.wrong:
            print(
                f"VERDICT: {story.wrong} step{'s' if story.wrong > 1 else ''} went otherwise than promised\n"
                f"{guest.tail()}"
            )
        else:
            print(
                f"VERDICT: as promised. {len(options.fixes)} lea{'f' if len(options.fixes) == 1 else 'ves'}"
                f" applied, reverted and applied in one boot"
                f" of an unmodified {release}."
            )
        if options.shell:
            print(
                "Root shell of the live guest; try: newleaf status, newleaf log, repro --all; leaves lie in /leaves."
                " Ctrl-] leaves and powers off.",
                flush=True,
            )
            interactive(guest)
            print(flush=True)
        else:
            print("Try it yourself: scripts/demo --shell")
        guest.poweroff()
    return 1 if story.wrong else 0


def main():
    for end in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(end) != signal.SIG_IGN:  # nohup
            signal.signal(end, lambda number, _: sys.exit(128 + number))  # leaves the `with`: that ends the emulator
    parser = argparse.ArgumentParser()
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--emulator", default="qemu")
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--began", type=int, default=time.time_ns())
    parser.add_argument("fixes", nargs="+")
    try:
        return tell(parser.parse_args())
    except Skip as reason:
        print(f"demo: cannot run here: {reason}", file=sys.stderr)
        return 11
    except Failure as failure:
        print(f"\nVERDICT: the demo failed: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
