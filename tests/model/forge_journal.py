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
SYNC, ENDED, THAWED = "20 order sync", "25 order ended", "20 commit agent; 25 order freeze; 26 order release"

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
    ("an order that an agent carries out", f"{SYNC}; 30 commit agent", ""),
    ("one that the core carries out", f"{SYNC}; 30 commit own", ""),
    ("one that lapses, and the next", f"{SYNC}; {ENDED}; {SYNC}; 30 commit own", ""),
    ("one for this generation", "20 order sync 1; 30 commit own", ""),
    ("an agent's own, then frozen, then released", f"{THAWED}; 50 commit agent", ""),
    ("frozen, and taken back by the core", f"{ON}; 20 order freeze; {BACK} own", ""),
    ("a standing order's, on a frozen machine", f"20 order freeze; {BOOT}; 2 order standing; 30 commit own", ""),
    ("an order takes the place of one that waits", f"{SYNC}; {ENDED}; {THAWED}; 27 commit agent", ""),
    ("released behind a reset", f"20 order freeze; {BOOT}; 30 order release; 40 commit agent", ""),
    ("refused, and another one", f"20 order refused; {SYNC}; 30 commit own", ""),
    ("the core commits, and nobody has ordered it", "20 commit own", "own 20"),
    ("it acts twice", f"{SYNC}; 30 commit own; 40 commit own", "own 40"),
    ("it acts behind another commit", f"{SYNC}; 30 commit agent; 40 commit own", "own 40"),
    ("it acts though it has ended", f"{SYNC}; {ENDED}; 40 commit own", "own 40"),
    ("it acts in the next boot", f"{SYNC}; {BOOT}; 40 commit own", "own 40"),
    ("it acts behind a freeze", f"{SYNC}; 25 order freeze; 40 commit own", "own 40"),
    ("it acts behind stop and release", f"{SYNC}; 25 order stop; 26 order release; 40 commit own", "own 40"),
    ("it ends twice", f"{SYNC}; {ENDED}; {ENDED}", "ended 25"),
    ("it ends when it was carried out", f"{SYNC}; 21 commit own; {ENDED}", "ended 25"),
    ("an agent commits while all is frozen", "20 order freeze; 40 commit agent", "agents 40"),
    ("and behind a reset", f"20 order freeze; {BOOT}; 40 commit agent", "agents 40"),
    ("an order is accepted while all is frozen", f"10 order freeze; {SYNC}", "sync 20"),
    ("one for another generation", "20 order sync 5", "for another generation"),
    ("no boot in what is left", f"5 verified; {ON}; {ON}", ""),
)  # fmt: skip
APPLIED = 2  # enum nl_leaf_condition
WHAT = {"gone": (0, journal.REVERTED, 0), "confirmed": (0, APPLIED, 0), "back": (1, journal.REVERTED, 100)}
VERBS = {"freeze": journal.FREEZE, "release": journal.RELEASE, "stop": journal.STOP}


def entry(seq, text, generation=1):
    tsc, event, leaf, what = (text.split() + ["", ""])[:4]
    error, a, b = WHAT[what] if what in WHAT else (0, APPLIED, int(what or 0))
    sha256 = leaf * 64 or None
    if event == "order": # `what` is a generation: to which it is bound
        error, a = leaf in ("ended", "refused"), (2 if leaf == "standing" else journal.NOW) << 32 | VERBS.get(leaf, 1)
        b, leaf, sha256 = int(what or journal.ANY), "", ("f" if leaf == "refused" else "e") * 64
    elif event in ("boot", "commit"):
        b, leaf, sha256 = int(leaf) if event == "boot" else 0, "", None
    return {
        "schema": "newleaf.log/1",
        "seq": seq,
        "tsc": int(tsc),
        "event": event,
        "code": "NL_ETRIAL" if error else "NL_OK",
        "generation": generation,
        "id": leaf or None,
        "sha256": sha256,
        "a": hex(a),
        "b": hex(b),
    }


def write(path, lines):
    """The journal, and beside it the timeline of its last boot, which says whose each commit was."""
    generation, entries, steps = 1, [], []
    for seq, line in enumerate(lines, 7):
        event, by = (line.split() + [""])[1:3]
        generation = 1 if event == "boot" else generation + (event == "commit")
        steps = [] if event == "boot" else steps
        if by in ("own", "agent"):
            steps += [("prepare", 3 if by == "own" else 0), ("settle", generation)]
        entries.append(entry(seq, line, generation))
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(e) + "\n" for e in entries)
    events = [
        {"seq": n, "tsc": n, "transaction": (n + 1) // 2, "cpu": 0, "step": step, "value": value}
        for n, (step, value) in enumerate(steps, 1)
    ]
    with open(path.removesuffix("log") + "json", "w", encoding="utf-8") as file:
        json.dump({"schema": "newleaf.timeline/1", "cpus": 1, "events": events}, file)


def judge(case, path):
    """What is wrong with the answer; None if nothing."""
    name, text, wrong = case
    lines = ([] if name.startswith("no boot") else ["1 boot 0"]) + text.split(";")
    write(path, lines)
    accepted, said = journal.judge(path)
    event, tsc = (wrong.split() + ["", ""])[:2]
    if accepted != (not wrong):
        return said
    if event in (*journal.LEAF, *journal.ORDERS):
        return None if f": {event} by " in said and seq_of(lines, tsc, said) else said
    return None if wrong in said else said


def seq_of(lines, tsc, said):
    """Is the entry that is named one of that time?"""
    return any(re.search(rf"\(seq {seq}[,)]", said) for seq, line in enumerate(lines, 7) if line.split()[0] == tsc)


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
        if journal.judge(path) != (False, "an entry is missing: 2"):
            bad += 1
            print("a hole in a journal is not seen")
        write(path, ["1 boot 0"] + f"{ON}; {BACK.replace('120', '90')}".split(";"))
        if not journal.judge(path, sets_clocks=True)[0]:
            bad += 1
            print("whose clock was set elsewhere is not taken back")
    print(f"{of - bad} of {of} journals judged rightly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
