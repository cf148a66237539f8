#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/model/run, as it answers: the page's words beside a find, the way to it, JSON, and who asks for what is not."""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

import spin  # noqa: E402
import words  # noqa: E402

NAME, FOUND_AS = "freeze/NO_WITHDRAW", "an answer to no freeze"


def command(*given):
    return subprocess.run([os.path.join(HERE, "run"), *given], capture_output=True, text=True)


def refused(*given, says):
    done = command(*given)
    return done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def shown():
    """The steps that lead to it, in their order, and the statement that must not be so."""
    done = command("--show", NAME)
    steps = re.findall(r"\*\* ([a-z]+) \*\*$", done.stdout, re.M)
    return done.returncode == 0 and FOUND_AS in done.stdout and "assert((armed==mine))" in done.stdout and (
        steps == ["freeze", "ask", "withdraw", "resume"]
    )


def told():
    """A model that says in words what happens is shown by these, up to what must not be so."""
    done = command("--show", "standing/TOLD_FIRST")
    said = [done.stdout.find(words) for words in ("1 is accepted, keys 1\n", "a warm reset\n", "assert((in_force&&(")]
    return done.returncode == 0 and -1 not in said and said == sorted(said)


def in_json():
    """A search that a find has ended says nothing of whether it was complete."""
    runs = json.loads(command("--json", NAME, "gather").stdout)["runs"]
    found, whole = sorted(runs, key=lambda r: r["verdict"])
    return "complete" not in found and found["ended_by_find"] and found["found_as"] == FOUND_AS and whole["complete"]


def unlike(mutants):
    try:
        words.check(mutants)
    except spin.Broken:
        return True
    return False


def main():
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "the page's words beside the find": f"found: {FOUND_AS} (assertion" in command(NAME).stdout,
            "the way to it": shown(),
            "the way to it in words": told(),
            "what JSON says": in_json(),
            "a row that says the same": words.of_mutants()["freeze", "NO_CHECK"][1] == "somebody executes at a flip",
            "a mutant that the page does not know": unlike({"freeze": ["FLIES"]}),
            "no such run": refused("fly", says="no such run") and refused("--show", "fly", says="no such run"),
            "no such timeline": refused("--trace", "/nosuch", says="model: /nosuch: no such file"),
            "a timeline that is a folder": refused("--trace", folder, says=folder),
        }
    wrong = [name for name, good in cases.items() if not good]
    for name in wrong:
        print(f"not so: {name}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} cases of tests/model/run judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
