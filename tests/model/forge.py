#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a replay tell a timeline that could have happened from one that could not? Small ones, made by hand: each says
which step is the first that cannot follow, or that all of it can."""

import json
import os
import sys
import tempfile

import replay


def changed(text, old, new):
    """The steps of `text`, with the first that read `old` changed."""
    steps = [s.strip() for s in text.replace("\n", " ").split(";")]
    at = steps.index(old)
    return "; ".join([*steps[:at], *new, *steps[at + 1 :]])


def moved(text, what, before):
    return changed(changed(text, what, []), before, [what, before])


def until(text, last):
    steps = [s.strip() for s in text.replace("\n", " ").split(";")]
    return "; ".join(steps[: steps.index(last) + 1])


# CPU step value, as newleaf/steps.h has them. A transaction begins where its first step stands.
COMMIT = """
0 prepare 0; 0 prepared 0; 0 freeze 5; 1 ask 5; 1 held 5; 0 window 5; 0 scan 64; 0 build 1; 0 fold 1; 0 flip 2;
0 thaw 5; 0 resume 900; 1 resume 800; 0 settle 2; 1 adopt 2; 0 adopt 2"""
TRIES = """
0 prepare 0; 0 prepared 0; 0 freeze 1; 1 ask 1; 1 refused 1; 0 withdraw 1; 0 resume 10; 1 resume 9;
1 freeze 2; 0 ask 2; 1 withdraw 2; 0 held 2; 0 late 2; 1 resume 10; 0 resume 9;
0 freeze 3; 1 ask 3; 1 held 3; 0 window 3; 0 scan 9; 0 thaw 3; 1 resume 7; 0 resume 7; 0 drop 9"""
SECOND = """
1 prepare 0; 1 prepared 0; 1 freeze 6; 0 ask 6; 0 held 6; 1 window 6; 1 scan 4; 1 build 1; 1 fold 1; 1 flip 3;
1 thaw 6; 0 resume 1; 0 adopt 3; 1 resume 1; 1 settle 3; 1 adopt 3"""
THREE = """
2 prepare 0; 2 prepared 0; 2 freeze 1; 0 ask 1; 1 ask 1; 1 held 1; 0 held 1; 2 window 1; 2 scan 0; 2 build 2; 2 fold 2;
2 flip 2; 2 thaw 1; 1 resume 5; 2 resume 5; 0 resume 5; 0 adopt 2; 1 adopt 2; 2 settle 2; 2 adopt 2"""
# The other CPU waits for SIPI and is not asked; it starts while all are held, and takes the new root first.
STARTS = """
0 prepare 0; 0 prepared 0; 0 freeze 1; 0 window 1; 0 scan 0; 0 build 1; 0 fold 1; 0 flip 2; 0 thaw 1; 0 resume 3;
1 adopt 2; 0 settle 2; 0 adopt 2"""
MODULE = """
1 comes 99; 1 freeze 1; 0 ask 1; 0 held 1; 1 window 1; 1 thaw 1; 0 resume 4; 1 resume 4; 1 settle 0; 1 goes 99;
1 settle 0"""
# CPU 0 does not hear of the first freeze, and is too late for the second.
UNHEARD = """
2 prepare 0; 2 prepared 0; 2 freeze 1; 0 ask 1; 1 ask 1; 1 refused 1; 1 resume 9; 2 withdraw 1; 2 resume 9;
1 freeze 2; 0 ask 2; 2 ask 2; 2 refused 2; 1 withdraw 2; 2 resume 9; 1 resume 9; 0 held 2; 0 late 2; 0 resume 9;
2 drop 9"""
# Copies go home, if there are any, and nobody is asked.
GONE = "0 gone 0; " + COMMIT.strip()
HOME = "0 gone 0; 0 flip 2; 0 adopt 2; 1 adopt 2"
# The core's own commits, from PREPARE to the end in one go; all are held wherever they stand.
CORE = COMMIT.replace("prepare 0", "own 0")
CORE_TRIES = """
0 own 0; 0 prepared 0; 0 freeze 1; 1 ask 1; 1 held 1; 0 window 1; 0 thaw 1; 0 resume 10; 1 resume 9;
0 freeze 2; 1 ask 2; 1 held 2; 0 window 2; 0 scan 9; 0 thaw 2; 1 resume 7; 0 resume 7; 0 drop 2"""
CORE_FAILS = "1 own 0; 1 prepared 7; 1 drop 7"
# Another kernel's root is published, and a CPU that has it not yet tries before it takes it.
CORE_OLD = until(COMMIT, "0 settle 2") + "; 1 own 0; 1 prepared 2; 1 drop 2; 1 adopt 2; 0 adopt 2"
ALONE = COMMIT.replace("prepare 0", "prepare 1")  # an agent asks for a commit without one
PREPARED = "0 prepare 0; 0 prepared 0; "  # by an agent, which the core then drops

# Some pages are made in a call: NL_AGAIN. The old root is in use: NL_AGAIN, too, but nothing is made.
SLICE = "0 prepare 0; 0 prepared 2; "
HALF = "1 prepare 0; 1 prepared 2; 1 drop 0; 0 comes 9; 0 settle 0"
ABORTED = "0 prepare 0; 0 prepared 7; 0 prepare 0; 0 prepared 0; 0 drop 0"


# name, CPUs, steps, the step that cannot be; "" if all can
CASES = (
    ("a commit", 2, COMMIT, ""),
    ("three tries and none succeeds", 2, TRIES, ""),
    ("two commits", 2, COMMIT + "; " + SECOND, ""),
    ("a commit of three CPUs", 3, THREE, ""),
    ("a CPU that starts meanwhile", 2, STARTS, ""),
    ("a module that comes, with a sweep, and goes", 2, MODULE, ""),
    ("another kernel begins", 2, GONE, ""),
    ("a PREPARE that fails, and one that is given up", 2, ABORTED, ""),
    ("a PREPARE in slices, given up half way", 2, "0 prepare 0; 0 prepared 2; 0 drop 0", ""),
    ("a commit prepared in slices, on two CPUs", 2, "1 prepare 0; 1 prepared 2; " + COMMIT, ""),
    ("half of it, another instead, and that given up", 2, SLICE * 2 + "0 prepare 0; 0 prepared 0; 0 drop 0", ""),
    ("a module comes between slices", 2, SLICE + "1 comes 9; 1 settle 0; 0 drop 6; " + COMMIT, ""),
    ("cut off in the window", 2, until(COMMIT, "0 build 1"), ""),
    ("flip before all are held", 2, moved(COMMIT, "1 held 5", "0 thaw 5"), "0 window 5"),
    ("window with one of two held", 3, moved(THREE, "0 held 1", "2 scan 0"), "2 window 1"),
    ("flip without a window", 2, changed(COMMIT, "0 window 5", []), "0 scan 64"),
    ("flip before the scan", 2, moved(COMMIT, "0 flip 2", "0 scan 64"), "0 flip 2"),
    ("flip after the thaw", 2, moved(COMMIT, "0 flip 2", "0 resume 900"), "0 thaw 5"),
    ("flip twice", 2, changed(COMMIT, "0 flip 2", ["0 flip 2", "0 flip 3"]), "0 flip 3"),
    ("a generation is left out", 2, COMMIT + "; " + changed(SECOND, "1 flip 3", ["1 flip 4"]), "1 flip 4"),
    ("resume before the thaw", 2, moved(COMMIT, "1 resume 800", "0 thaw 5"), "1 resume 800"),
    ("resume in the old root", 2, changed(COMMIT, "1 adopt 2", ["1 adopt 1"]), "1 adopt 1"),
    ("who has the old root is not waited for", 2, changed(COMMIT, "0 adopt 2", []) + "; " + SECOND, "1 prepared 0"),
    ("a new root before the flip", 2, moved(COMMIT, "1 adopt 2", "0 flip 2"), "1 adopt 2"),
    ("a new root twice", 2, changed(COMMIT, "1 adopt 2", ["1 adopt 2", "1 adopt 2"]), "1 adopt 2"),
    ("an answer that nobody asked for", 2, changed(COMMIT, "1 ask 5", []), "1 held 5"),
    ("an answer to another freeze", 2, changed(COMMIT, "1 held 5", ["1 held 4"]), "1 held 4"),
    ("held and not let go, then asked again", 2, changed(COMMIT, "1 resume 800", []), "1 adopt 2"),
    ("refused, and a window all the same", 2, changed(COMMIT, "1 held 5", ["1 refused 5"]), "0 window 5"),
    ("late, and a window all the same", 2, changed(COMMIT, "1 held 5", ["1 held 5", "1 late 5"]), "1 late 5"),
    ("withdrawn, and late without an answer", 2, changed(TRIES, "0 held 2", []), "0 late 2"),
    ("withdrawn, and nobody was in the way", 2, moved(TRIES, "1 refused 1", "0 resume 10"), ""),  # it was late
    ("settled without a flip", 2, changed(TRIES, "0 drop 9", ["0 settle 2"]), "0 settle 2"),
    ("flip after a PREPARE that failed", 2, changed(COMMIT, "0 prepared 0", ["0 prepared 7"]), "0 freeze 5"),
    ("nothing to give up after a PREPARE that failed", 2, "0 prepare 0; 0 prepared 7; 0 drop 0", "0 drop 0"),
    ("half of it given up twice", 2, SLICE + "0 drop 0; 0 drop 0", "0 drop 0"),
    ("half of it goes with its kernel", 2, SLICE + "0 gone 0; 0 drop 0", "0 drop 0"),
    ("a freeze for half of it", 2, changed(COMMIT, "0 prepared 0", ["0 prepared 2"]), "0 freeze 5"),
    ("half of it while somebody has the old root", 2, changed(COMMIT, "0 adopt 2", []) + "; " + HALF, "1 drop 0"),
    ("two at a time", 2, changed(COMMIT, "0 window 5", ["1 prepare 0", "0 window 5"]), "1 prepare 0"),
    ("a sweep that flips", 2, changed(MODULE, "1 thaw 1", ["1 flip 2", "1 thaw 1"]), "1 flip 2"),
    ("the kernel's end asks somebody", 2, "0 gone 0; 0 freeze 1; 1 ask 1", "0 freeze 1"),
    ("a freeze that a CPU hears nothing of, and one that it is late for", 3, UNHEARD, ""),
    ("late for another freeze than it answers", 3, changed(UNHEARD, "0 held 2", ["0 held 1"]), "0 late 2"),
    ("copies go home", 2, HOME, ""),
    ("the kernel's end flips twice", 2, "0 gone 0; 0 flip 2; 0 flip 3", "0 flip 3"),
    ("a PREPARE that goes with its kernel", 2, "0 prepare 0; 0 prepared 0; 1 gone 0; 1 prepare 0; 1 prepared 0", ""),
    ("a commit of the core's own", 2, CORE, ""),
    ("one that is tried twice and dropped", 2, CORE_TRIES, ""),
    ("one that fails at once, then an agent's", 2, CORE_FAILS + "; " + COMMIT, ""),
    ("one in vain on a CPU that has the root before", 2, CORE_OLD, ""),
    ("what an agent has prepared is dropped by it, and it is told", 2, PREPARED + CORE + "; 1 drop 6; " + SECOND, ""),
    ("it is told twice", 2, PREPARED + CORE + "; 1 drop 6; 0 drop 6", "0 drop 6"),
    ("who has prepared nothing is told", 2, CORE + "; 1 drop 6", "1 drop 6"),
    ("what an agent has prepared is tried behind it", 2, PREPARED + CORE_FAILS + "; 0 freeze 1", "0 freeze 1"),
    ("the core leaves what it has prepared", 2, "0 own 0; 0 prepared 0; " + COMMIT.strip(), "0 prepare 0"),
    ("the core leaves it half made", 2, "0 own 0; 0 prepared 2; 0 own 0", "0 own 0"),
    ("the core fails and does not say so", 2, changed(CORE_FAILS, "1 drop 7", []) + "; " + COMMIT, "0 prepare 0"),
    ("another CPU tries what the core has prepared", 2, changed(CORE, "0 freeze 5", ["1 freeze 5"]), "1 freeze 5"),
    ("a module comes in the midst of it", 2, changed(CORE_TRIES, "0 freeze 2", ["1 comes 9"]), "1 comes 9"),
    ("somebody refuses it", 2, changed(CORE_TRIES, "1 held 2", ["1 refused 2"]), "1 refused 2"),
    ("a commit without an agent", 2, ALONE, ""),
    ("somebody refuses that", 2, changed(ALONE, "1 held 5", ["1 refused 5"]), "1 refused 5"),
    ("the core flips before all are held", 2, moved(CORE, "1 held 5", "0 thaw 5"), "0 window 5"),
    ("the core settles twice", 2, changed(CORE, "0 settle 2", ["0 settle 2", "0 settle 2"]), "0 settle 2"),
    ("what was prepared outlives it", 2, changed(COMMIT, "0 freeze 5", ["0 gone 0", "0 freeze 5"]), "0 freeze 5"),
)


# The same of timelines whose beginning the ring has no more: a commit has just ended, and CPU 1 is on its way back.
REST = "0 thaw 5; 0 resume 900; 0 settle 2; 0 adopt 2"
LOOK = """0 comes 9; 0 freeze 6; 1 ask 6; 1 resume 8; 1 adopt 2; 1 held 6; 0 window 6; 0 thaw 6; 1 resume 3; 0 resume 3;
0 settle 0"""
BETWEEN = "1 comes 9; 1 settle 0; " + until(changed(COMMIT, "0 prepare 0", []), "0 flip 2")
CUT_CASES = (
    ("who is on its way back", 2, f"{REST}; {LOOK}", ""),
    ("who has the root before, then the next commit", 2, f"{REST}; 1 adopt 2; {SECOND}", ""),
    ("an answer to a freeze before", 2, f"{REST}; 0 goes 9; 0 settle 0; 1 late 4; 1 resume 1; {SECOND}", ""),
    ("a new root twice, cut", 2, REST + "; " + changed(LOOK, "1 adopt 2", ["1 adopt 2"] * 2), "1 adopt 2"),
    ("held and gone on, cut", 2, REST + "; " + moved(LOOK, "1 resume 3", "0 window 6"), "1 resume 3"),
    ("flip before all are held, cut", 2, REST + "; " + moved(SECOND, "0 held 6", "1 thaw 6"), "1 window 6"),
    ("what is cut is a commit under way", 2, f"0 prepare 0; {BETWEEN}", "no transaction begins"),
)


def timeline(cpus, text, first=1):
    """Numbers of transactions as hv/core/step.c gives them."""
    events, transaction, begun, commit = [], 0, 0, 0
    for seq, line in enumerate(text.split(";"), first):
        cpu, step, value = line.split()
        if step == replay.OWN:  # a commit of the core's own, as the ring has it
            step, value = "prepare", 3
        if step in replay.BEGINS:
            transaction = begun = begun + 1
        if step == "prepare":
            commit = begun
        events.append(
            {
                "seq": seq,
                "tsc": 1000 + seq,
                "transaction": transaction,
                "cpu": int(cpu),
                "step": step,
                "value": int(value),
            }
        )
        if step == "settle":
            transaction = commit
    return {"schema": "newleaf.timeline/1", "result": "ok", "cpus": cpus, "events": events}


def judge(case, path):
    """What is wrong with the answer; None if nothing."""
    _, cpus, text, wrong = case
    made = timeline(cpus, text, 1000 if case in CUT_CASES else 1)
    if "prepare" in text.split(";")[0] and case in CUT_CASES:
        del made["events"][0]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(made, file)
    accepted, said = replay.replay(path)
    words = wrong.split()
    if accepted == (not wrong) and (not wrong or wrong == said or f"{words[1]} of CPU {words[0]} " in said):
        return None
    return said


def main():
    bad, of = 0, len(CASES) + len(CUT_CASES) + 1
    with tempfile.TemporaryDirectory(prefix="forge.") as where:
        for case in CASES + CUT_CASES:
            said = judge(case, os.path.join(where, "timeline.json"))
            if said:
                bad += 1
                print(f"{case[0]}: expected {case[3] or 'a trace'}: {said}")
        path = os.path.join(where, "hole.json")
        made = timeline(2, COMMIT)
        del made["events"][5]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(made, file)
        if replay.replay(path) != (False, "a step is missing: 6"):
            bad += 1
            print("a hole in a timeline is not seen")
    print(f"{of - bad} of {of} timelines judged rightly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
