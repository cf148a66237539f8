# SPDX-License-Identifier: Apache-2.0
"""What a record may hold before a page is made of it. It may be anybody's: where it comes from is a date and a commit
and nothing beside them, and no text in it is markup. A campaign is what tests/bench/shape.py says."""

import datetime
import re

import campaign
import cells
import history
import pages
import shape

DAY = re.compile(r"\d{4}-\d\d-\d\d"), "%Y-%m-%d"
MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "%Y-%m-%d %H:%M UTC"
HASH = r"[0-9a-f]{7,40}"
COMMIT = re.compile(f"(the change that became )?{HASH}( with the tests of {HASH})?")
FENCE = re.compile(r"[^ -~\n]|```|<!--")  # what would lead out of a block of code, or of figures


def said_of(record):
    """README's sample: commands and what they said stand in a block of code, with all signs that a terminal shows."""
    figures = record.get("figures")
    said = figures.get("said") if isinstance(figures, dict) else None
    if not isinstance(said, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in said):
        raise shape.Flaw("figures: said is no list of commands and what they said")
    for i, text in enumerate(text for pair in said for text in pair):
        if not isinstance(text, str) or FENCE.search(text):
            raise shape.Flaw(f"figures: said, text {i} leads out of its block: {ascii(text)[:60]}")
    return {**record, "figures": {k: v for k, v in figures.items() if k != "said"}}


def texts(run, record):
    """What is wrong with what stands in it, or None."""
    try:
        if not isinstance(record, dict) or pages.run_of(record) != run:
            raise shape.Flaw("is no record of this run")
        if run in pages.CAMPAIGNS:
            return campaign.flaw(record)
        shape.anything("the record", said_of(record) if run == "readme-sample" else record, free=())
        if run == "litmus":
            cells.check(record, pages.program(pages.LITMUS))
    except shape.Flaw as wrong:
        return str(wrong)
    except RecursionError:
        return "is nested too deep"
    return None


def is_date(text, form):
    pattern, parts = form
    try:
        return bool(isinstance(text, str) and pattern.fullmatch(text) and datetime.datetime.strptime(text, parts))
    except ValueError:
        return False


def made(run, record):
    """What has a date and a commit: the record, or each part of a campaign."""
    return record["runs"] if run in pages.CAMPAIGNS else [record]


def origin(run, record):
    """What is wrong with when and of what it was measured."""
    if "runs" in record and run not in pages.CAMPAIGNS:
        yield "runs: only a campaign has parts"
    for part in made(run, record):
        date, commit = part.get("date"), part.get("commit")
        if not is_date(date, MINUTE if run == "litmus" else DAY):
            yield f"{ascii(date)[:60]} is no date"
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            yield f"{ascii(commit)[:60]} is no commit; measure what is committed"
            continue
        yield from (f"{name} is no commit of this tree" for name in history.hashes(commit) if history.missing(name))


def older(run, record):
    """How much older than the core it is, if it is."""
    for part in made(run, record):
        if behind := history.since(history.hashes(part["commit"])[0]):
            yield f"{part['commit']} ({part['date']}): {behind} commits have changed the core since"


def flaws(run, record):
    wrong = texts(run, record)
    return [wrong] if wrong else list(origin(run, record))
