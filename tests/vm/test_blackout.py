# SPDX-License-Identifier: Apache-2.0
"""What the guest feels of a whole apply, and what the command says of it: they must agree. On one CPU whose clock
counts instructions, so that the host's load is in neither figure (docs/explanation/blackout.md)."""

import json
import os
import statistics
import struct
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "bench"))

import bench
from command import FIXES
from guest import BUILD, leaf_path
from leaves import Leaf, built, signed
from measured import record
from test_window import strict_leaf
from vmtest import test

AUXV = FIXES[1]
SIX = ("ioprio-hint", "prctl-auxv", "proc-net-chmod", "timens-range", "uring-pin", "userns-off")
SHORT, WHOLE = 50_000, 700_000  # instructions: of a piece, and of a signature
# What is longer, in one commit of six leaves and of a leaf as large as one may be (docs/explanation/blackout.md).
LONGER = {"as much code": {"verify": 60_000}}
DEADLINE = 200_000_000  # of what bench.py calls failing
PIECES = "status leaves stage check verify prepare gather try abandon facts window beside".split()
STRINGS = 4096  # bytes of names and description, at most (leaf.h)
WINDOW = ("window", "gather", "try")  # the stop window, and what it is in the midst of; "beside" is the rest
ICOUNT = ("-icount", "shift=0,sleep=off")  # a nanosecond of the guest is an instruction

# Each command's answer is a line of /tmp/answers. Under load a deadline is another try, and its answer counts, too.
ROUNDS = r"""
for i in $(seq %(rounds)d); do
	for verb in "apply %(leaf)s" "revert %(id)s"; do
		n=0
		until newleaf $verb --json; do [ $n -lt 20 ] || exit 1; n=$((n + 1)); done
	done
done
"""

NOTHING = "for i in $(seq 40); do newleaf explain NL_EBUSY >/dev/null; done"


def measure(g, script, period=100_000, idle_ms=200):
    """The probe's document, and the answers of the commands in the script."""
    g.put(script.encode(), "/tmp/script", mode="755")
    probe = f"blackout -p {period} -i {idle_ms} -o /tmp/felt sh -e /tmp/script >/tmp/answers"
    g.run(probe + " || { tail -n 1 /tmp/answers; exit 1; }", timeout=1200)
    answers = [json.loads(line) for line in g.run("cat /tmp/answers").splitlines()]
    return json.loads(g.run("cat /tmp/felt")), answers


def rounds(g, count, **options):
    script = ROUNDS % {"rounds": count, "leaf": leaf_path(g.machine.kernel, AUXV), "id": AUXV}
    return measure(g, script, **options)


def longest(answers):
    """Of each kind of piece, in all answers."""
    pieces = {}
    for answer in answers:
        for name, ns in answer["pieces_ns"].items():
            pieces[name] = max(ns, pieces.get(name, 0))
    return pieces


def felt(document):
    """For how long the probe could not have its CPU, without what its own waking takes."""
    return document["busy"]["probe"]["max_ns"] - document["idle"]["probe"]["p50_ns"]


@test(full=True)
def blackout_agrees(t):
    """blackout_ns of apply and revert is what a probe in the guest feels, within 10 % (icount, one CPU)"""
    g = t.boot(cpus=1, more=ICOUNT)
    null, _ = measure(g, NOTHING)
    document, answers = rounds(g, 20)
    said, seen = max(a["blackout_ns"] for a in answers), felt(document)
    by = {a["blackout_by"] for a in answers}
    t.note(f"said {said}, felt {seen} ({100 * (seen - said) / said:+.1f} %); by {by}")
    t.note(f"felt of as many commands that ask the hypervisor for nothing: {felt(null)}")
    t.note(f"pieces {longest(answers)}")
    t.note(json.dumps(document))
    kinds = {"said": said, "by": sorted(by), "felt": seen, "felt_of_nothing": felt(null), "pieces": longest(answers)}
    answered = {name: document[name]["pair"]["max_ns"] for name in ("busy", "idle")}
    record(t.name, g, {**kinds, "rounds": 20, "answered": answered})
    t.expect(abs(said - seen) <= said / 10, f"{said} instructions were said, {seen} felt: {document}")
    t.expect(felt(null) < said / 10, f"the probe feels {felt(null)} of nothing: {null}")
    g.check_dmesg()
    g.poweroff()


def large(g, part):
    """The same leaf as large as one may be: INT3 behind its body, or a long description."""
    with open(built(g.machine.kernel, AUXV), "rb") as f:
        leaf = Leaf.read(f.read())
    leaf.id, room = "auxv-" + part, 250 * 1024 - len(leaf.file())
    if part == "words":
        leaf.strings += b"-" * (STRINGS - len(leaf.strings) - 1) + b"\0"
    else:
        was = struct.pack("<II", 0, len(leaf.text))  # of the kernel's object
        leaf.text += b"\xcc" * room
        leaf.target = leaf.target.replace(was, struct.pack("<II", 0, len(leaf.text)), 1)
    return signed(g.scratch, leaf.file())


def table(t, rows):
    """Instructions of each kind of piece, row by row."""
    names = [n for n in PIECES if any(n in pieces for _, pieces in rows)]
    t.note(f"{'':18}" + "".join(f"{n:>10}" for n in names))
    for name, pieces in rows:
        t.note(f"{name:18}" + "".join(f"{pieces.get(n, ''):>10}" for n in names))


def ask(g, *commands, code=0, rounds=3):
    """What these commands answer in so many rounds."""
    script = f"for i in $(seq {rounds}); do\n" + "\n".join(
        f"newleaf {c} --json >>/tmp/pieces; code=$?; case $code in {code} | 8) ;; *) cat /tmp/pieces; exit 1 ;; esac"
        for c in commands
    )
    g.run("rm -f /tmp/pieces\n" + script + "\ndone", timeout=300)
    return [json.loads(line) for line in g.run("cat /tmp/pieces").splitlines()]


def pieces_of(answer):
    """What a try does besides its window: looking at the kernel again, the freeze, and what is written down behind the
    flip. A gather is another thousand longer, and has interrupts on there."""
    pieces = answer.get("pieces_ns", {})
    if "stop_window_ns" in answer:
        window = answer["stop_window_ns"]
        pieces = pieces | {"window": window, "beside": pieces["try"] - window}
    return pieces


def measured(g, name, *commands, **options):
    """Of each kind of piece the longest of these commands. Of the same command's rounds the least counts: an interrupt
    that waited for the end of a piece is served before the clock is read."""
    answers, worst = ask(g, *commands, **options), {}
    for i in range(len(commands)):
        same = [pieces_of(a) for a in answers[i :: len(commands)]]
        for piece in set().union(*same):  # a round that was answered early has not come to all
            least = min(p[piece] for p in same if piece in p)
            worst[piece] = max(worst.get(piece, 0), least)
    return name, worst


@test(full=True)
def blackout_pieces(t):
    """what each piece of an apply costs, in instructions (icount, one CPU)"""
    g = t.boot(cpus=1, more=ICOUNT)
    one, six = leaf_path(g.machine.kernel, AUXV), " ".join(leaf_path(g.machine.kernel, fix) for fix in SIX)
    rows = [measured(g, "dry run", f"apply -n {one}", rounds=1)]  # a new leaf costs more than a known one
    rows.append(measured(g, "apply", f"apply {one}", rounds=1))
    rows.append(measured(g, "revert", f"revert {AUXV}", rounds=1))
    rows.append(measured(g, "both again", f"apply {one}", f"revert {AUXV}"))
    rows.append(measured(g, "6 leaves", f"apply {six}", "revert --all", rounds=1))
    for part in ("code", "words"):
        g.put(large(g, part), f"/tmp/{part}.leaf")
        rows.append(measured(g, f"as much {part}", f"apply /tmp/{part}.leaf", "revert --all", rounds=1))
    g.put(b"\0" * 5000, "/tmp/garbage.leaf")
    rows.append(measured(g, "garbage", "apply /tmp/garbage.leaf", code=4))
    table(t, rows)
    record(t.name, g, {"rows": dict(rows)})
    # The signature is the one piece that stays whole (docs/explanation/blackout.md).
    for name, pieces in rows:
        allowed = LONGER.get(name, {}) | {"check": WHOLE}
        long = {p: n for p, n in pieces.items() if p not in WINDOW and n > allowed.get(p, SHORT)}
        t.expect(not long, f"{name}: {long} of {pieces}")
    g.check_dmesg()
    g.poweroff()


@test(full=True)
def blackout_failing(t):
    """a strict leaf in whose way somebody sleeps answers at its deadline, and others lose little (icount, one CPU)"""
    with tempfile.TemporaryDirectory(dir=BUILD) as directory:
        g = t.boot(cpus=1, more=ICOUNT, initrd=bench.initrd(directory), cmdline="quiet")
    g.run(bench.BEGIN)
    done = g.call(bench.script_of("failing", "leaf-strict", 50_000), timeout=600)
    seen, answer = json.loads(done.out.splitlines()[-1]), json.loads(g.run(bench.SAID))
    lost = seen["known"] - seen["busy"] * seen["calm_ns"] / seen["calm"]
    t.note(f"answer after {seen['done']}, lost {lost:.0f}, longest stand {seen['gap']}; {answer}")
    t.expect(answer["exit"] == 8 and not answer["changed"], answer)
    # In the leaf's own words, without the kernel's list of symbols.
    who = answer["blockers"][0]
    t.expect(who["func"].startswith("bench_outer+") and who["site"] == "bench_outer+0x0", who)
    t.expect(seen["done"] <= 1.25 * DEADLINE, f"the answer came after {seen['done']} instructions")
    t.expect(lost <= 0.2 * DEADLINE, f"{lost:.0f} instructions of others' work are lost")
    g.check_dmesg(allow="[Tt]aint")
    g.poweroff()


def line(points):
    """Least squares: what it begins with, and by how much it grows."""
    x, y = ([p[i] for p in points] for i in (0, 1))
    slope = statistics.linear_regression(x, y).slope
    return statistics.mean(y) - slope * statistics.mean(x), slope


def windows(g, *commands, **options):
    return [a for a in ask(g, *commands, **options) if a["schema"] == "newleaf.apply/1"]


@test(full=True)
def blackout_slopes(t):
    """the stop window grows by so much a page, and by nothing a sleeping task (icount, one CPU)"""
    g = t.boot(cpus=1, memory=1536, more=ICOUNT)
    one, points, flat, strict = leaf_path(g.machine.kernel, AUXV), [], [], []
    strict_leaf(g, "/tmp/strict.leaf")
    for n in range(1, len(SIX) + 1):
        some = " ".join(leaf_path(g.machine.kernel, fix) for fix in SIX[:n])
        points += [(a["pages"], a["stop_window_ns"]) for a in windows(g, f"apply {some}", "revert --all", rounds=2)]
    for count in (0, 1000, 3000):
        g.run(f"sleepers {count} >/tmp/out & echo $! >/tmp/pid; until grep -q sleepers /tmp/out; do usleep 50000; done")
        g.run("until grep -q ' 1/' /proc/loadavg; do usleep 50000; done", timeout=120)  # nobody but who asks has work
        answers = windows(g, f"apply {one}", f"revert {AUXV}", rounds=5)
        flat.append((count, min((a["stop_window_ns"], a["tasks_scanned"]) for a in answers)))
        answers = windows(g, "apply /tmp/strict.leaf", "revert auxv-strict", rounds=1)
        strict += [(a["tasks_scanned"], a["stop_window_ns"]) for a in answers]
        g.run("kill $(cat /tmp/pid); while [ -d /proc/$(cat /tmp/pid) ]; do usleep 50000; done")
    flat_at = [(count, window) for count, (window, _) in flat]
    for name, unit, found in (("pages", "page", points), ("sleepers", "task", flat_at), ("strict", "task", strict)):
        t.note(f"{name}: {line(found)[0]:.0f} and {line(found)[1]:.1f} a {unit}; {found}")
    t.note(f"sleepers, window, tasks read: {flat}")
    lines = {name: dict(zip(("begins", "grows"), line(p))) for name, p in (("pages", points), ("strict", strict))}
    record(t.name, g, {"pages": points, "sleepers": flat_at, "strict": strict, "lines": lines})
    t.expect(abs(line(flat_at)[1]) < 1, f"the window grows with sleeping tasks: {flat}")
    g.check_dmesg()
    g.poweroff()
