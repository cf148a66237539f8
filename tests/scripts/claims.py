#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does scripts/claims see what has fallen? Its table, its comparisons, and claims whose words have gone, whose command
fails, whose number is another, whose test was skipped."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def load():
    loader = importlib.machinery.SourceFileLoader("claims", os.path.join(TOP, "scripts/claims"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("claims", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def block(**lines):
    given = {"says": "README.md: Newleaf", "run": "echo 7 pages", "holds": "passed", "minutes": "1", **lines}
    return "[x]\n" + "".join(f"{key} {value}\n" for key, value in given.items() if value)


def outcome(claims, **lines):
    with tempfile.NamedTemporaryFile() as log:
        return claims.run(claims.table(block(**lines))[0], log.name)[0]


def broken(claims, text):
    try:
        claims.table(text)
    except claims.Wrong:
        return True
    return False


TESTS = """import sys
print("3 tests", flush=True)
for outcome, name in (("PASS", "a"), ("SKIP", "c"), ("PASS", "b"), ("FAIL", "d")):
    if name in sys.argv:
        print(f"{outcome} {name} (2.5 s): about {name}", flush=True)
        print("     a figure", flush=True)
"""


def together(c):
    """Claims whose tests run in one go: what is told of each, in which order."""
    told = []
    words = (("ab", "a b"), ("ac", "a c"), ("d", "d"), ("e", "a e"), ("gone", "a"))
    claims = [c.table(block(run="", guests=tests).replace("[x]", f"[{name}]"))[0] for name, tests in words]
    claims[-1].says = ["README.md: Newleaf heals the sick"]
    c.run_guests(claims, lambda claim, *said: told.append((claim.name, *said)), ("python3", "-c", TESTS))
    return {name: (outcome, seconds, said) for name, outcome, _, seconds, said in told}, [name for name, *_ in told]


def shown():
    """The command itself, on a table of one claim that falls: minutes first and last, the bad line, the log's path."""
    c = load()
    with tempfile.TemporaryDirectory() as folder:
        for path in ("tests/claims", "build", "docs"):
            os.makedirs(os.path.join(folder, path))
        for path, text in (
            ("README.md", "Newleaf"),
            (c.TABLE, block(run="echo BAD this; echo more; false")),
            (c.SUMS, "00 none\n"),
        ):
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text)
        c.TOP, c.kernels, c.ready = folder, lambda: 0, lambda claims: True
        sys.argv = ["claims", "--json", os.path.join(folder, "record")]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = c.main()
    lines = said.getvalue().split("\n")
    return code == 1 and [re.sub(r"[0-9.]+ s of", "N s of", re.sub("in 0.. min.*", "in N", x)) for x in lines] == [
        "1 claim: about 1.0 minutes alone on two cores, less if two guests run at a time",
        "fell     x (N s of 1 min): ended with 1",
        "         BAD this",
        "         log: build/logs/claim-x.log",
        "0 hold, 1 fell, 0 skipped, in N",
        "",
    ]


def main():
    c = load()
    told, order = together(c)
    cases = {
        "a command that ends with 0": outcome(c) == "holds",
        "one that does not": outcome(c, run="echo 7; false") == "fell",
        "one of two in a row that does not": outcome(c, run="false && echo 7") == "fell",
        "words that have gone": outcome(c, says="README.md: Newleaf heals the sick") == "fell",
        "a file that has gone": outcome(c, says="docs/gone.md: Newleaf") == "fell",
        "words over a line's end": outcome(c, says="README.md: reserves 16 MiB, makes the running") == "holds",
        "a number": outcome(c, holds=r"(\d+) pages == 7") == "holds",
        "another number": outcome(c, holds=r"(\d+) pages == 8") == "fell",
        "no number": outcome(c, holds=r"(\d+) leaves == 7") == "fell",
        "at most": outcome(c, holds=r"(\d+) pages <= 6") == "fell",
        "at least": outcome(c, holds=r"(\d+) pages >= 7") == "holds",
        "within": outcome(c, holds=r"(\d+) pages ~ 7.5 within 10%") == "holds",
        "not within": outcome(c, holds=r"(\d+) pages ~ 8 within 10%") == "fell",
        "guests passed": c.guests("PASS a (1 s)\nPASS b (2 s)\n", ["a", "b"])[0] == "holds",
        "a guest skipped": c.guests("PASS a (1 s)\nSKIP b (0 s): no\n", ["a", "b"])[0] == "skipped",
        "a guest failed": c.guests("FAIL a (1 s)\nSKIP b (0 s): no\n", ["a", "b"])[0] == "fell",
        "a guest that never ended": c.guests("PASS a (1 s)\n", ["a", "b"])[0] == "fell",
        "tests of several claims": [told[n][0] for n in ("ab", "ac", "d")] == ["holds", "skipped", "fell"],
        "a test of two claims": told["ab"][1] == told["ac"][1] == 5 and "about c" not in told["ab"][2],
        "one of several whose test never ended": told["e"][0] == "fell",
        "one of several whose words have gone": told["gone"][0] == "fell",
        "told as they end": order == ["gone", "ac", "ab", "d", "e"],
        "the last bad line": c.bad_line("FAIL a (1 s)\nBAD  b: survives\n3 of 4 noticed\n\n") == "BAD  b: survives",
        "a last line where none is bad": c.bad_line("one\ntwo\n\n") == "two",
        "a claim that fell, shown": shown(),
        "no minutes": broken(c, block(minutes="")),
        "no words": broken(c, block(says="")),
        "a comparison that is none": broken(c, block(holds="about seven")),
        "a key that is none": broken(c, block() + "colour red\n"),
        "two of a name": broken(c, block() + block()),
        "the table itself": bool(c.table(c.read(c.TABLE))),
    }
    wrong = [name for name, good in cases.items() if not good]
    for name in wrong:
        print(f"not judged rightly: {name}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} cases of scripts/claims judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
