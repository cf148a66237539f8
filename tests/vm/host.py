# SPDX-License-Identifier: Apache-2.0
"""The host checks of the Makefile as tests: each cmocka program counts with the number of its cases, the mutants with
theirs, any other target as one."""

import os
import re
import subprocess
import threading

from guest import LOGS, TOP, Failure, Skip
from vmtest import Test, TESTS


BUILD = threading.Lock()
HANGS = 4 * 3600  # seconds; a guard against what never ends, not a verdict on the host


def build(target):
    """All unit tests or fuzzers at once: two makes that ran at the same time would write the same objects."""
    what = "fuzzers" if "fuzz" in target else "unit-tests"
    with BUILD:
        done = subprocess.run(
            ["make", "-s", "-j2", "--no-print-directory", what],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
    if done.returncode:
        raise Failure(f"make {what} ended with {done.returncode}\n{done.stderr[-3000:]}")


def run_check(target):
    def check(t):
        build(target)
        path = os.path.join(LOGS, target + ".log")
        os.makedirs(LOGS, exist_ok=True)
        with open(path, "w", encoding="utf-8") as log:
            code = subprocess.run(
                ["make", "-s", "--no-print-directory", target],
                cwd=TOP,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=HANGS,
            ).returncode
        with open(path, encoding="utf-8", errors="replace") as log:
            said = log.read()
        passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", said))
        passed += len(re.findall(r"^red  ", said, re.M))
        failed = len(re.findall(r"^BAD  ", said, re.M)) + sum(
            int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", said)
        )
        if code != 0 or failed:
            t.counts = (passed, max(failed, 1), 0)
            raise Failure(
                f"make {target} ended with {code}\n" + "\n".join("    | " + x for x in said.splitlines()[-25:])
            )
        if said.startswith("skipped: "):  # what it needs is not there
            raise Skip(said.strip().removeprefix("skipped: "))
        t.counts = (max(passed, 1), 0, 0)
        t.note(f"{t.counts[0]} cases" if passed else said.strip().splitlines()[-1] if said.strip() else "ok")

    return check


def register():
    """Ask the Makefile which checks there are. An old make or a broken fragment shows up as a failure, not as an
    empty list."""
    for question, full in (("list-checks", False), ("list-full-checks", True)):
        done = subprocess.run(
            ["make", "-s", "--no-print-directory", question],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"make {question}: {done.stderr}")
        for target in done.stdout.split():
            function = run_check(target)
            function.__name__ = target
            function.__doc__ = "host check: make " + target
            TESTS[target] = Test(function, full=full)
            TESTS[target].name = target  # as make calls it: with its underscores
