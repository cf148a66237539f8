# SPDX-License-Identifier: Apache-2.0
"""The figures of a whole run, as the table of docs/reference/model.md: with the date and the commit."""

import os
import re
import subprocess
import time

import spin

PAGE = os.path.join(spin.TOP, "docs", "reference", "model.md")
BEGIN = "<!-- models:begin (tests/model/run --full --docs) -->"
END = "<!-- models:end -->"


def say(*command):
    done = subprocess.run(command, cwd=spin.TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip()


def begin(wanted):
    """What is to be said of the run is that of its beginning. The models must be those of the commit."""
    if not wanted:
        return None
    if say("git", "status", "--porcelain", "--", "tests/model"):
        raise spin.Broken("--docs wants tests/model as it is in the commit")
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": say("git", "rev-parse", "--short=12", "HEAD"),
            "clock": time.monotonic()}  # fmt: skip


def put(words, results, began):
    """words: form and description of each model's run, by its name."""
    version = re.search(r"Version (\S+)", say("spin", "-V"))
    minutes = (time.monotonic() - began["clock"]) / 60
    own = [r for r in results if r["name"] in words]
    mutants = len(results) - len(own)
    load = os.getloadavg()[2]
    text = (
        f"`tests/model/run --full --docs` of {began['date']}, commit {began['commit']}, Spin "
        f"{version[1] if version else 'unknown'}: {len(own)} searches, each complete and each without a find, and "
        f"{mutants} mutants, each found, in {minutes:.0f} minutes on {os.cpu_count()} cores (load {load:.0f}: read "
        "states and not seconds).\n\n| run | form | what | states | depth | seconds |\n|---|---|---|---|---|---|\n"
    )
    for r in sorted(own, key=lambda r: words[r["name"]][0] != "short"):
        form, what = words[r["name"]]
        text += f"| {r['name']} | {form} | {what} | {r['states']:,} | {r['depth']:,} | {r['seconds']:.1f} |\n"
    with open(PAGE, encoding="utf-8") as file:
        said = file.read()
    if said.count(BEGIN) != 1 or said.count(END) != 1:
        raise spin.Broken(f"{PAGE} has not the markers {BEGIN} and {END}")
    before, rest = said.split(BEGIN)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}")
