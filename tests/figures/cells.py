# SPDX-License-Identifier: Apache-2.0
"""What a record of the litmus (tests/instrument/litmus) may hold before a table is made of it. In a cell with freeze
and scan nothing is torn: one that says otherwise, or that never flipped, is a finding or nothing, and no figure."""

import shape

COUNTS = ("flips", "tries", "passes", "looks", "within", "between", "torn_within", "torn_between")
SKEW = shape.number(10, 1_000_000)
BIT = shape.number(0, 1)
SEEN = "a skew, or none", lambda v: v is None or SKEW[1](v)
VERDICT = shape.like("a verdict", "PASS|FAIL|SKIP")
BOUND = "a bound", lambda v: isinstance(v, (int, float))  # earlier runs say it; it is reckoned anew
NAMES = ("cell", "flips", "torn_within", "torn_between")
LEAST = ("least_skew_within", "least_skew_between")
LIST = "a list with something in it", lambda v: isinstance(v, list) and len(v) > 0


def fields_of(program, name):
    """(fields that a cell must have, fields that it may have)"""
    kinds = {**{k: shape.COUNT for k in COUNTS}, **{k: SEEN for k in LEAST}, "verdict": VERDICT, "cell": shape.NAME,
             "bound_per_flip": BOUND, "bound_per_pass": BOUND}  # fmt: skip
    must = NAMES + (("tries", "passes", "looks", "verdict") if program.keeps(name) else LEAST)
    return {k: kinds[k] for k in must}, kinds


def check(record, program):
    """Raises shape.Flaw. program: tests/instrument/litmus."""
    shape.need("machine", record.get("machine"), shape.like("a machine", r"\w+, [\w ]+, \d{1,4} CPUs?( in turns)?"))
    shape.need("command", record.get("command"), shape.WORDS)
    shape.need("note", record.get("note", ""), shape.WORDS)
    shape.need("cells", record.get("cells"), LIST)
    known = set(program.cells())
    for i, cell in enumerate(record["cells"]):
        name = cell.get("cell") if isinstance(cell, dict) else None
        if not isinstance(name, str) or name not in known:
            raise shape.Flaw(f"cell {i}: {ascii(name)[:60]} is none, or is there twice")
        known.remove(name)
        shape.fields(name, cell, *fields_of(program, name))
        if max(cell["torn_within"], cell["torn_between"]) > cell["flips"]:
            raise shape.Flaw(f"{name}: more flips are torn than there were")
        if program.keeps(name):
            keeps(name, cell)
    if record.get("lines"):
        lines(record, program)


def keeps(name, cell):
    torn = sum(cell.get(k, 0) for k in ("within", "between", "torn_within", "torn_between"))
    if cell["verdict"] != "PASS" or torn or not cell["flips"]:
        said = ", ".join(f"{k} {cell[k]}" for k in ("verdict", "flips", "torn_within", "torn_between"))
        raise shape.Flaw(f"{name}: nothing may be torn there, of one flip at least: {said}")


def lines(record, program):
    """Cells are the sums of their lines."""
    shape.need("lines", record["lines"], LIST)
    order = shape.like("an order", "|".join(program.ORDERS))
    kinds = {**{k: shape.COUNT for k in COUNTS}, "order": order, "freeze": BIT, "scan": BIT, "skew": SKEW}
    for i, line in enumerate(record["lines"]):
        shape.fields(f"line {i}", line, kinds)
    names = [cell["cell"] for cell in record["cells"]]
    for cell, summed in zip(record["cells"], program.summary(record["lines"], {}, names)):
        for key in (*COUNTS, *LEAST):
            if key in cell and cell[key] != summed[key]:
                raise shape.Flaw(f"{cell['cell']}: {key} is {cell[key]}, its lines say {summed[key]}")
