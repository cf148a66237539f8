# SPDX-License-Identifier: Apache-2.0
"""Registry and runner of the real-guest tests. A test is a function `def NAME(t)` with @test; t.boot(...) gives a
guest that is stopped when the test ends. Started by scripts/test; `vmtest.py --list`, `vmtest.py [--full] [--jobs N]
[NAME...]`."""

import argparse
import concurrent.futures
import fnmatch
import glob
import importlib
import os
import shutil
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(__file__))
sys.modules.setdefault("vmtest", sys.modules[__name__])

from guest import BUILD, FIRST, LOGS, RUNNING, EmulatorDefect, Failure, Guest, Machine, Skip, bochs_binary  # noqa: E402
import timelines  # noqa: E402

TESTS = {}


class Test:
    def __init__(self, function, full=False, emulator="", alone=False):
        self.name = function.__name__.replace("_", "-")
        self.function, self.full, self.emulator, self.alone = function, full, emulator, alone
        self.about = " ".join((function.__doc__ or "").split("\n\n")[0].split())


def test(full=False, emulator="qemu", name=None, alone=False):
    """Register a test. full: only with --full or by name. emulator: what it needs, for the order in which tests run.
    alone: it measures time, so nothing runs beside it."""

    def register(function):
        if name:
            function.__name__ = name
        entry = Test(function, full, emulator, alone)
        TESTS[entry.name] = entry
        return function

    return register


class Context:
    """What a test function gets."""

    def __init__(self, name):
        self.name, self.guests, self.notes = name, [], []
        self.timelines, self.asked, self.sets_clocks = [], 0, False
        self.counts = None  # (passed, failed, skipped) of a check that holds several cases
        self.overdue = ""

    def boot(self, ready=True, **machine):
        """Start a machine and wait until its user space is up."""
        m = Machine(**machine)
        if m.emulator == "bochs" and not bochs_binary():
            raise Skip("Bochs is not installed (scripts/setup emulate)")
        guest = Guest(self.name + (f".{len(self.guests)}" if self.guests else ""), m)
        self.guests.append(guest)
        guest.before_end = self.keep_timeline if m.newleaf else None
        guest.__enter__()
        if ready:
            guest.boot_seconds = guest.wait_ready()
        return guest

    def note(self, text):
        """A figure worth printing beside the result."""
        self.notes.append(str(text))

    def expect(self, condition, text):
        if not condition:
            raise Failure(text)

    def keep_timeline(self, guest):
        path = os.path.join(timelines.FOLDER, f"{self.name}.{self.asked}.")
        for kind, keep in (("json", timelines.keep), ("log", timelines.keep_journal)):
            if keep(guest, path + kind):
                self.timelines.append(path + kind)
        self.asked = len({path.rsplit(".", 1)[0] for path in self.timelines})

    def end(self):
        """Guests that still run are asked for what they have; then all of it must be traces of the model."""
        for guest in self.guests:
            guest.end()
        for path in self.timelines:
            timelines.judge(path, self.sets_clocks)

    def close(self):
        for guest in self.guests:
            guest.close()

    def give_up(self):
        """Whoever waits for one of its guests without a limit does so no more."""
        self.overdue = f"it did not end within {PATIENCE} s"
        try:
            self.overdue += "".join("\n" + guest.tail() for guest in self.guests)
        finally:
            self.close()


PRINT = threading.Lock()


class Excuses:
    """How many tests of a run may be run once more because their emulator has ended them."""

    def __init__(self, most):
        self.most, self.given, self.lock = most, 0, threading.Lock()

    def one(self):
        """Is there one left?"""
        with self.lock:
            self.given += self.given < self.most + 1
            return self.given <= self.most


EXCUSES = Excuses(3)
PATIENCE = 1800  # s: several times what the longest test of a run without --full takes
ONE_IN = 40  # tests of a long run may be run once more


def forget_first(name):
    """What an earlier run has left of first boots."""
    for pattern in ("", ".[0-9]*"):
        for old in glob.glob(os.path.join(LOGS, glob.escape(name) + pattern + FIRST)):
            shutil.rmtree(old)


def set_aside(context):
    """The first run's timelines are judged, and all that it has left is kept as NAME.first/."""
    try:
        context.end()
    finally:
        context.close()
        for guest in context.guests:
            guest.keep_first()
        for path in context.timelines:
            os.makedirs(os.path.join(LOGS, context.name + FIRST), exist_ok=True)
            shutil.move(path, os.path.join(LOGS, context.name + FIRST, os.path.basename(path)))


def excused(context):
    """Why a test that its emulator has ended may not be run once more, or ""."""
    if not EXCUSES.one():
        return f"{EXCUSES.most} tests of this run were run once more for the emulator already: too many for its faults"
    try:
        set_aside(context)
    except Exception as found:  # a defect of the test itself is a failure, too
        return f"and what its guests had left is wrong: {found}"
    return ""


def run_one(entry, again=""):
    context = Context(entry.name)
    if again:
        context.note(f"a second run: the emulator ended the first by a fault of its own: {again}")
    else:
        forget_first(entry.name)
    timelines.forget(entry.name)
    started = time.monotonic()
    patience = threading.Timer(PATIENCE, context.give_up)
    patience.daemon = True
    if not entry.full:
        patience.start()
    try:
        entry.function(context)
        context.end()
        outcome, detail = "PASS", ""
    except Skip as reason:
        outcome, detail = "SKIP", str(reason)
    except EmulatorDefect as failure:
        why = "and so did the first run" if again else excused(context)  # once: what ends two runs is not that rare
        if not why:
            return run_one(entry, again=str(failure).splitlines()[0])
        outcome, detail = "FAIL", f"{failure}\n{why}"
    except Failure as failure:
        outcome, detail = "FAIL", str(failure)
    except Exception:  # a defect of the test itself is a failure, too
        outcome, detail = "FAIL", traceback.format_exc()
    finally:
        patience.cancel()
        context.close()
    if context.overdue:
        outcome, detail = "FAIL", f"{context.overdue}\n{detail}"
    if late := sum(guest.deadlines for guest in context.guests):
        context.note(f"{late} commits were tried again: their deadline had passed, and nothing had changed")
    spent = sum(guest.cost for guest in context.guests)
    cost = f", {spent:.0f} s of CPU" if spent else ""
    with PRINT:
        print(
            f"{outcome} {entry.name} ({time.monotonic() - started:.1f} s{cost})"
            + (f": {detail}" if outcome == "SKIP" else "")
        )
        for note in context.notes:
            print("     " + note.replace("\n", "\n     "))
        if outcome == "FAIL":
            print("     " + detail.replace("\n", "\n     "))
        sys.stdout.flush()
    if outcome == "FAIL" and context.counts and not context.counts[1]:  # outside of its cases
        return (context.counts[0], 1, context.counts[2])
    return context.counts or (int(outcome == "PASS"), int(outcome == "FAIL"), int(outcome == "SKIP"))


def stop_all(*_):
    """Told to end (a time limit of CI, Ctrl-C, a terminal that is gone): no emulator stays behind."""
    for guest in list(RUNNING):
        guest.close()
    os._exit(143)


def main():
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(end) != signal.SIG_IGN:  # nohup
            signal.signal(end, stop_all)
    parser = argparse.ArgumentParser(prog="vmtest.py")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--full", action="store_true", help="the whole matrix of CPUs, models and kernels")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS") or 2))
    parser.add_argument("names", nargs="*", help="names or patterns like 'qemu-*'")
    options = parser.parse_args()
    import host  # noqa: E402  (needs the registry above)

    host.register()
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        if file.startswith("test_") and file.endswith(".py"):
            importlib.import_module(file[:-3])
    if options.list:
        for entry in TESTS.values():
            print(f"{entry.name:34} {'(--full) ' if entry.full else ''}{entry.about}")
        return 0
    chosen = [e for e in TESTS.values() if options.full or not e.full]
    if options.names:
        chosen = [e for e in TESTS.values() if any(fnmatch.fnmatch(e.name, n) for n in options.names)]
        missing = [n for n in options.names if not fnmatch.filter(TESTS, n)]
        if missing:
            print(f"no such test: {' '.join(missing)}", file=sys.stderr)
            return 2
    chosen.sort(
        key=lambda e: e.emulator
    )  # host checks, then the slow emulator first: it shares the time with all others
    EXCUSES.most = max(EXCUSES.most, len(chosen) // ONE_IN)
    os.makedirs(BUILD, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        outcomes = list(pool.map(run_one, [e for e in chosen if not e.alone]))
    outcomes += [run_one(e) for e in chosen if e.alone]
    timelines.tell()
    passed, failed, skipped = (sum(o[i] for o in outcomes) for i in range(3))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
