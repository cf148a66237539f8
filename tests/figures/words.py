# SPDX-License-Identifier: Apache-2.0
"""How a page says where a figure comes from."""

MONTHS = "January February March April May June July August September October November December".split()


def day(date):
    year, month, number = date.split("-")
    return f"{int(number)} {MONTHS[int(month) - 1]} {year}"


def came_from(record):
    """Machine, date and commit of a test's record."""
    m = record["machine"]
    cpus = f"{m['cpus']} CPU" + "s" * (m["cpus"] > 1)
    name = m["emulator"].replace(" emulator version", "").split(" (")[0]
    return f"{name}, {cpus}, Linux {m['kernel']}, {m['unit']}; {day(record['date'])}, commit {record['commit']}"


def head(record):
    """The line over a table."""
    return f"*`{record['command']}`: {came_from(record)}.*"


def table(top, rows):
    lines = ["| " + " | ".join(top) + " |", "|" + "---|" * len(top)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
