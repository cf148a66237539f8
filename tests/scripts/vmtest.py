#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner of the real-guest tests (tests/vm/vmtest.py), without a guest: what is counted of a test that failed, and
that docs/reference/model.md names each test which lets go of a guest without asking for its timeline."""

import ast
import contextlib
import glob
import io
import os
import re
import sys
import threading
import types

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "tests/vm")]

import vmtest  # noqa: E402


def counted(counts, raised):
    """What a test adds to the sums of the run; counts: of its cases, raised: what ends it."""

    def of_the_runner(t):
        t.counts = counts
        if raised:
            raise raised

    with contextlib.redirect_stdout(io.StringIO()):
        return vmtest.run_one(vmtest.Test(of_the_runner))


FAILURE = vmtest.Failure("litmus ended with 1")
COUNTED = (
    # (counts of its cases, what ends it, what is counted)
    (None, None, (1, 0, 0)),
    (None, FAILURE, (0, 1, 0)),
    (None, vmtest.Skip("no emulator"), (0, 0, 1)),
    ((16, 0, 0), None, (16, 0, 0)),
    ((14, 2, 0), FAILURE, (14, 2, 0)),
    ((16, 0, 0), FAILURE, (16, 1, 0)),
    ((12, 0, 4), FAILURE, (12, 1, 4)),
    ((16, 0, 0), RuntimeError("a defect of the test"), (16, 1, 0)),
)


def given_up():
    """What a test is counted as, and what is said of it, that waits for its guest until it is closed."""
    closed, said = threading.Event(), io.StringIO()

    def of_the_runner(t):
        t.guests.append(types.SimpleNamespace(close=closed.set, tail=lambda: "its last line", deadlines=0, cost=0))
        if not closed.wait(60):
            raise vmtest.Skip("nobody has closed it")
        raise OSError("closed")

    kept, vmtest.PATIENCE = vmtest.PATIENCE, 0.1
    try:
        with contextlib.redirect_stdout(said):
            return vmtest.run_one(vmtest.Test(of_the_runner)), said.getvalue()
    finally:
        vmtest.PATIENCE = kept


def lets_go(function):
    """Does it close a guest unasked, or tell it not to ask?"""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "close":
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "g":
                return True
        if isinstance(node, ast.Assign) and any(getattr(t, "attr", "") == "before_end" for t in node.targets):
            return True
    return False


def unasked():
    """Tests, and files of what several tests use, by the names of the page."""
    for path in sorted(glob.glob(os.path.join(TOP, "tests/vm/test_*.py"))):
        with open(path, encoding="utf-8") as f:
            functions = [n for n in ast.parse(f.read()).body if isinstance(n, ast.FunctionDef)]
        for function in filter(lets_go, functions):
            if function.decorator_list:
                yield function.name.replace("_", "-")
            else:
                yield os.path.basename(path)


def named():
    """What the page says is not asked."""
    with open(os.path.join(TOP, "docs/reference/model.md"), encoding="utf-8") as f:
        said = re.search(r"^Not asked:\n((?:- .*\n)+)", f.read(), re.M)
    return set(re.findall(r"`([\w.-]+)`", said[1])) if said else set()


def main():
    wrong = 0
    for counts, raised, wanted in COUNTED:
        if (said := counted(counts, raised)) != wanted:
            wrong += 1
            print(f"cases {counts}, ended by {raised!r}: counted as {said}, not {wanted}")
    counts, said = given_up()
    if counts != (0, 1, 0) or "did not end within 0.1 s" not in said or "its last line" not in said:
        wrong += 1
        print(f"a test without an end: counted as {counts}, and what was said: {said}")
    tests, page = set(unasked()), named()
    if not tests or tests - page:
        wrong += 1
        print(f"docs/reference/model.md does not say that these are not asked: {' '.join(sorted(tests - page))}")
    of = len(COUNTED) + 2
    print(f"{of - wrong} of {of} cases of tests/vm/vmtest.py judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
