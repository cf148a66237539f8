# SPDX-License-Identifier: Apache-2.0
"""What each mutant is, in words: the tables of docs/reference/model.md, which are the only place that says it."""

import os
import re

import spin

PAGE = os.path.join(spin.TOP, "docs", "reference", "model.md")
ROW = re.compile(r"\| ([A-Z_]+) \| (.+) \| (.+) \|")


def of_mutants():
    """(model, mutant): (what is broken, as what it is found)."""
    words, model, before = {}, "", ""
    with open(PAGE, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            head = re.match(r"### (\w+)\.pml", line)
            row = ROW.fullmatch(line)
            model = head[1] if head else model
            if row and model:
                before = before if row[3] == "the same" else row[3]
                words[model, row[1]] = (row[2], before)
    return words


def check(mutants):
    """Each mutant has a row, and each row a mutant."""
    known = {(model, mutant) for model, some in mutants.items() for mutant in some}
    unlike = known ^ set(of_mutants())
    if unlike:
        names = " ".join(sorted(f"{model}/{mutant}" for model, mutant in unlike))
        raise spin.Broken(f"{os.path.relpath(PAGE, spin.TOP)} and tests/model/run name unlike mutants: {names}")
