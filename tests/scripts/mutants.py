#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/mutants/run, on a tree in which a test is a shell script: what is noticed, what hangs, what survives, and a
reader that goes away."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
RUN = os.path.join(TOP, "tests/mutants/run")

MAKEFILE = "build/tests/test_t: hv/x.c\n\tmkdir -p build/tests && cp $< $@ && chmod +x $@\n"
SCRIPT = "#!/bin/sh\nanswer=42\n[ $answer = 42 ] || exit 1\nspare=1\necho '[       OK ] answers'\n"
ENTRIES = """
[wrong] t/answers
hv/x.c
-answer=42
+answer=41

[endless] t/answers
hv/x.c
-answer=42
+while :; do sleep 1; done

[spared] t/answers
hv/x.c
-spare=1
+spare=2

[nowhere] t/answers
hv/x.c
-answer=43
+answer=41
"""


def put(folder, path, text):
    at = os.path.join(folder, path)
    os.makedirs(os.path.dirname(at), exist_ok=True)
    with open(at, "w", encoding="utf-8") as file:
        file.write(text)


def tree(folder):
    for part in "arch efi guest-agent hv include net scripts tests/http tests/unit tools build".split():
        os.makedirs(os.path.join(folder, part))
    put(folder, "Makefile", MAKEFILE)
    put(folder, "hv/x.c", SCRIPT)
    put(folder, "tests/mutants/x.mutants", ENTRIES)


def run(folder, *names):
    """Exit code and output. A case that hangs does so for a second."""
    loader = importlib.machinery.SourceFileLoader("mutants_run", RUN)
    program = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants_run", loader))
    loader.exec_module(program)
    program.TOP, program.BUILD, program.WAITS = folder, "build", 1
    said, sys.argv = io.StringIO(), ["run", "--jobs", "1", *names]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = program.main()
    return code, said.getvalue()


def goes_away(folder):
    """The reader of the first line goes: no traceback."""
    put(folder, "tests/mutants/run", open(RUN, encoding="utf-8").read())
    done = subprocess.run(
        [f"{sys.executable} {folder}/tests/mutants/run --jobs 1 wrong spared nowhere | head -n 1"],
        shell=True, capture_output=True, text=True, env={**os.environ, "B": "build"},
    )  # fmt: skip
    return done.stdout.startswith("red  wrong: ") and not done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        tree(folder)
        wrong, endless, both = run(folder, "wrong"), run(folder, "endless"), run(folder, "wrong", "endless")
        spared, nowhere, none = run(folder, "spared"), run(folder, "nowhere"), run(folder, "fly")
        half, stale = run(folder, "--half", "wrong", "endless"), run(folder, "--half", "wrong", "nowhere")
        cases = {
            "a mutant that is noticed": wrong[0] == 0 and wrong[1].startswith("red  wrong: t/answers ("),
            "its summary": wrong[1].endswith("\n1 of 1 mutants noticed\n"),
            "one that hangs": endless[0] == 0 and endless[1].startswith("red (hung) endless: t/answers ("),
            "the summary of both": both[0] == 0 and both[1].endswith("\n2 of 2 mutants noticed, 1 of them hung\n"),
            "one that survives": spared[0] == 1 and "BAD  spared" in spared[1] and "survives" in spared[1],
            "text that is not there": nowhere[0] == 1 and "stands 0 times in hv/x.c" in nowhere[1],
            "no such mutant": none[0] == 1 and "no such mutant" in none[1],
            "one half of them": half[0] == 0 and " of 2 mutants, whose turn it is" in half[1],
            "whose turn it is or not, its text stands": stale[0] == 1 and "stands 0 times in hv/x.c" in stale[1],
            "a reader that goes away": goes_away(folder),
        }
    bad = [name for name, good in cases.items() if not good]
    for name in bad:
        print(f"not so: {name}")
    print(f"{len(cases) - len(bad)} of {len(cases)} cases of tests/mutants/run judged rightly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
