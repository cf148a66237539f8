# SPDX-License-Identifier: Apache-2.0
"""What the hypervisor's ring of steps holds when a guest ends: kept under build/timelines, and it must be a trace of
the model of the freeze (docs/reference/model.md). A guest without commits only says that there were none. And its
journal, if it tells of orders or probation: that must be a trace of their models."""

import base64
import glob
import gzip
import json
import os
import sys
import threading
import time

from guest import BUILD, TOP, Failure

sys.path.insert(0, os.path.join(TOP, "tests", "model"))

import journal  # noqa: E402
import replay  # noqa: E402
import spin  # noqa: E402

FOLDER = os.path.join(BUILD, "timelines")
# Little of a serial port's time: a full ring is half a megabyte.
READ = "command -v newleaf >/dev/null || exit 0; newleaf timeline --last 4096 --json 2>/dev/null | gzip -c | base64"
JOURNAL = """command -v newleaf >/dev/null || exit 0; newleaf log --json >/tmp/journal 2>/dev/null || exit 0
	grep -Eq '"event":"(trial|order)"' /tmp/journal && gzip -c /tmp/journal | base64
	rm -f /tmp/journal"""
NOTHING, ABSENT = "nothing-to-do", 9  # no transaction since boot; exit code: no Newleaf is below
READS = 5  # while others commit, a step may be read that is just being written

TALLY = threading.Lock()
total = {"timelines": 0, "steps": 0, "journals": 0, "events": 0, "seconds": 0.0}


def forget(name):
    """What an earlier run of this test has left."""
    for kind in ("json", "log"):
        for old in glob.glob(os.path.join(FOLDER, f"{glob.escape(name)}.*.{kind}")):
            os.remove(old)


def keep(guest, path):
    """Was there one? Without a gap, if there is any way to it."""
    os.makedirs(FOLDER, exist_ok=True)
    for _ in range(READS):
        out = guest.call(READ, timeout=120, log=False).out
        if not out.strip():
            return False
        text = gzip.decompress(base64.b64decode(out)).decode()
        answer = json.loads(text)
        if answer["result"] != "ok":
            if answer["result"] == NOTHING or answer.get("exit") == ABSENT:
                return False
            raise Failure(f"the timeline cannot be had: {text.strip()}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if not replay.missing(answer):
            break
    return True


def keep_journal(guest, path):
    """Does it tell of orders or probation?"""
    os.makedirs(FOLDER, exist_ok=True)
    out = guest.call(JOURNAL, timeout=120, log=False).out
    if not out.strip():
        return False
    with open(path, "wb") as file:
        file.write(gzip.decompress(base64.b64decode(out)))
    return True


def judge(path, sets_clocks=False):
    """Failure when the model does not allow it. The file is left. sets_clocks: the guest does."""
    began, is_journal = time.monotonic(), path.endswith(".log")
    try:
        accepted, said = journal.judge(path, sets_clocks) if is_journal else replay.replay(path)
    except (spin.Broken, OSError, RuntimeError) as e:
        raise Failure(f"{os.path.relpath(path)} could not be replayed: {e}") from None
    if not accepted:
        raise Failure(f"{os.path.relpath(path)}: {said}")
    with TALLY:
        total["journals" if is_journal else "timelines"] += 1
        total["events" if is_journal else "steps"] += int(said.split(":")[1].split()[0])
        total["seconds"] += time.monotonic() - began


def tell():
    if total["timelines"]:
        said = "{timelines} timelines of {steps} steps are traces of the model"
        said += ", {journals} journals of {events} events those of orders and probation" if total["journals"] else ""
        print((said + " ({seconds:.1f} s)").format(**total))
