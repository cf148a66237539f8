#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a replay tell a journal that could have been written from one that could not? Small ones, made by hand, as those
of forge.py are."""

import json
import os
import re
import sys
import tempfile

import journal

# TSC event what. A trial: its leaf, and until when it goes, or what has become of it.
ON = "10 trial a 100; 10 applied a; 10 commit"
AGAIN = "140 trial a 300; 140 applied a; 140 commit"
CONFIRMED = "50 trial a confirmed"
BACK = "120 trial a back; 120 reverted a; 120 commit"
EARLY = "60 trial a gone; 60 reverted a; 60 commit"
OFF = "60 reverted a; 60 commit"
PLAIN = "10 applied a; 10 commit"  # on no trial
BOOT = "1 boot 1"
KEXEC = "70 reverted a; 70 kernel"


def of_b(text):
    """The same of another leaf."""
    return re.sub(r" a\b", " b", text)


B = of_b(ON)

# name, entries, the event that cannot be and its TSC, or what is said; "" if all can
CASES = (
    ("confirmed", f"{ON}; {CONFIRMED}", ""),
    ("confirmed, reverted, and on again", f"{ON}; {CONFIRMED}; {OFF}; {AGAIN}", ""),
    ("taken back", f"{ON}; {BACK}", ""),
    ("gone before its time, and on again", f"{ON}; {EARLY}; {AGAIN}", ""),
    ("on no trial", f"{PLAIN}; {OFF}; {ON}; {CONFIRMED}", ""),
    ("one confirmed, one taken back", f"{ON}; {B}; {CONFIRMED}; {of_b(BACK)}", ""),
    ("taken back at once, as a clock was set back", f"{ON}; {BACK.replace('120', '3')}", ""),
    ("stopped and released", f"{ON}; 20 order stop; 200 order release; {BACK.replace('120', '210')}", ""),
    ("a freeze does not stop it", f"{ON}; 20 order freeze; {BACK}", ""),
    ("free in the boot after the next", f"{ON}; {BACK}; {BOOT}; {BOOT}; {ON}", ""),
    ("so is what was on trial at a reset", f"{ON}; {BOOT}; {BOOT}; {ON}", ""),
    ("another one in the next boot", f"{ON}; {BOOT}; {B}", ""),
    ("what was confirmed, in the next boot", f"{ON}; {CONFIRMED}; {BOOT}; {ON}", ""),
    ("what was confirmed, behind another kernel", f"{ON}; {CONFIRMED}; {KEXEC}; {AGAIN}", ""),
    ("nothing was left: what was before does not count", f"{ON}; 1 boot 0; {ON}", ""),
    ("taken back before its time", f"{ON}; {BACK.replace('120', '90')}", "taken_back 90"),
    ("confirmed when its time has come", f"{ON}; {CONFIRMED.replace('50', '110')}", "confirmed 110"),
    ("gone before its time, and that has come", f"{ON}; {EARLY.replace('60', '110')}", "put_off 110"),
    ("confirmed, and taken back", f"{ON}; {CONFIRMED}; {BACK}", "taken_back 120"),
    ("never on trial, and taken back", f"{PLAIN}; {BACK}", "taken_back 120"),
    ("never on, and taken back", BACK, "taken_back 120"),
    ("taken back twice", f"{ON}; {BACK}; {BACK.replace('120', '130')}", "taken_back 130"),
    ("taken back while all is stopped", f"{ON}; 20 order stop; {BACK}", "taken_back 120"),
    ("put on while all is stopped", f"5 order stop; {ON}", "put_on 10"),
    ("put on twice", f"{ON}; {ON.replace('10 ', '20 ')}", "put_on 20"),
    ("on again when it was taken back", f"{ON}; {BACK}; {AGAIN}", "put_on 140"),
    ("that in the next boot", f"{ON}; {BACK}; {BOOT}; {ON}", "put_on 10"),
    ("what was on trial at a reset, in the next boot", f"{ON}; {BOOT}; {PLAIN}", "put_on 10"),
    ("what was on trial with its kernel", f"{ON}; {KEXEC}; {AGAIN}", "put_on 140"),
    ("confirmed behind a reset", f"{ON}; {BOOT}; {CONFIRMED}", "confirmed 50"),
    ("confirmed by another's word", f"{ON}; {B}; {CONFIRMED}; {of_b(OFF)}; {of_b(BACK)}", "taken_back 120"),
    ("begun, and not on", "10 trial a 100; 10 commit", "before commit"),
    ("taken back, and not off", f"{ON}; 120 trial a back; 120 applied a; 120 commit", "no trial of applied"),
    ("taken back at the end", f"{ON}; 120 trial a back", "at its end"),
    ("no boot in what is left", f"5 verified; {ON}; {ON}", ""),
)  # fmt: skip
APPLIED = 2  # enum nl_leaf_condition
WHAT = {"gone": (0, journal.REVERTED, 0), "confirmed": (0, APPLIED, 0), "back": (1, journal.REVERTED, 100)}
VERBS = {"freeze": 4, "release": journal.RELEASE, "stop": journal.STOP}


def entry(seq, text):
    tsc, event, leaf, what = (text.split() + ["", ""])[:4]
    error, a, b = WHAT[what] if what in WHAT else (0, APPLIED, int(what or 0))
    if event == "order":
        error, a, b, leaf = 0, journal.NOW << 32 | VERBS[leaf], 0, ""
    elif event == "boot":
        b, leaf = int(leaf), ""
    return {
        "schema": "newleaf.log/1",
        "seq": seq,
        "tsc": int(tsc),
        "event": event,
        "code": "NL_ETRIAL" if error else "NL_OK",
        "id": leaf or None,
        "sha256": leaf * 64 or None,
        "a": hex(a),
        "b": hex(b),
    }


def judge(case, path):
    """What is wrong with the answer; None if nothing."""
    name, text, wrong = case
    lines = ([] if name.startswith("no boot") else ["1 boot 0"]) + text.split(";")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry(seq, line)) + "\n" for seq, line in enumerate(lines, 7))
    accepted, said = journal.replay(path)
    event, tsc = (wrong.split() + ["", ""])[:2]
    if accepted != (not wrong):
        return said
    if event in journal.EVENTS:
        return None if f": {event} by " in said and seq_of(lines, tsc, said) else said
    return None if wrong in said else said


def seq_of(lines, tsc, said):
    """Is the entry that is named one of that time?"""
    return any(f"(seq {seq}," in said for seq, line in enumerate(lines, 7) if line.split()[0] == tsc)


def main():
    bad, of = 0, len(CASES) + 2
    with tempfile.TemporaryDirectory(prefix="forge.") as where:
        path = os.path.join(where, "journal.log")
        for case in CASES:
            said = judge(case, path)
            if said:
                bad += 1
                print(f"{case[0]}: expected {case[2] or 'a trace'}: {said}")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(entry(seq, "1 verified")) + "\n" for seq in (1, 3))
        if journal.replay(path) != (False, "an entry is missing: 2"):
            bad += 1
            print("a hole in a journal is not seen")
        with open(path, "w", encoding="utf-8") as file:
            lines = ["1 boot 0"] + f"{ON}; {BACK.replace('120', '90')}".split(";")
            file.writelines(json.dumps(entry(seq, line)) + "\n" for seq, line in enumerate(lines, 7))
        if not journal.replay(path, sets_clocks=True)[0]:
            bad += 1
            print("whose clock was set elsewhere is not taken back")
    print(f"{of - bad} of {of} journals judged rightly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
