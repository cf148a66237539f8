# SPDX-License-Identifier: Apache-2.0
"""What the guest feels of a whole apply, and what the command says of it: they must agree. On one CPU whose clock
counts instructions, so that the host's load is in neither figure (docs/explanation/blackout.md)."""

import json

from command import FIXES
from guest import leaf_path
from vmtest import test

AUXV = FIXES[1]
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
    document, answers = rounds(g, 20)
    said, seen = max(a["blackout_ns"] for a in answers), felt(document)
    by = {a["blackout_by"] for a in answers}
    t.note(f"said {said}, felt {seen}, idle {document['idle']['probe']['max_ns']}; by {by}")
    t.note(f"pieces {longest(answers)}")
    t.note(json.dumps(document))
    t.expect(abs(said - seen) <= said / 10, f"{said} instructions were said, {seen} felt: {document}")
    g.check_dmesg()
    g.poweroff()
