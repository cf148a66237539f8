# SPDX-License-Identifier: Apache-2.0
"""The stop window reads the tasks that could stand inside a site, and no others: as few beside thousands of sleepers as
beside none."""

import json
import statistics

from command import FIXES, apply, probe, revert
from guest import leaf_path
from leaves import Leaf, built, signed
from vmtest import test

AUXV = FIXES[1]  # its site holds several instructions
STRICT = 1  # NL_CONSISTENCY_STRICT
SLEEPERS = 5000

# Each round is an apply and a revert; one JSON document a line. Under load a deadline (exit 8) is another try.
ROUNDS = r"""
attempt() {
	n=0
	until newleaf "$@" --json >/tmp/said 2>/tmp/why; do
		[ $? = 8 ] && [ $n -lt 20 ] || { echo "newleaf $* failed"; cat /tmp/said /tmp/why; exit 1; }
		n=$((n + 1))
	done
	tail -n 1 /tmp/said
}
i=0
while [ $i -lt %(rounds)d ]; do
	attempt apply %(leaf)s
	attempt revert %(id)s
	i=$((i + 1))
done
"""


def commits(g, rounds):
    """What newleaf answered to each commit."""
    out = g.run(ROUNDS % {"leaf": leaf_path(g.machine.kernel, AUXV), "id": AUXV, "rounds": rounds}, timeout=600)
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def read(answers):
    return [a["tasks_scanned"] for a in answers]


def span(answers):
    return f"{min(read(answers))}-{max(read(answers))}"


def median_us(answers):
    return statistics.median(a["stop_window_ns"] for a in answers) / 1000


def tasks(g):
    return int(g.run("ls -d /proc/[0-9]*/task/[0-9]* | wc -l").strip())


def sleepers(g):
    g.run(f"sleepers {SLEEPERS} >/tmp/sleepers.out & echo $! >/tmp/sleepers.pid")
    g.run("until grep -q sleepers /tmp/sleepers.out; do usleep 50000; done", timeout=120)
    g.run(f"grep -q ': {SLEEPERS}$' /tmp/sleepers.out")


def strict_leaf(g, name):
    """The same leaf, strict: everybody is read for it."""
    with open(built(g.machine.kernel, AUXV), "rb") as f:
        leaf = Leaf.read(f.read())
    leaf.consistency, leaf.id = STRICT, "auxv-strict"
    g.put(signed(g.scratch, leaf.file()), name)


def beside_sleepers(g, rounds):
    """Commits and tasks without sleepers and with them. The ratio of two times is the host's too when it is busy: a bad
    one is taken again, and what is slower thrice is slower."""
    for again in (True, True, False):
        few, before = commits(g, rounds), tasks(g)
        sleepers(g)
        many, after = commits(g, rounds), tasks(g)
        if median_us(many) <= 2 * median_us(few) or not again:
            return few, before, many, after
        g.run("kill $(cat /tmp/sleepers.pid); while [ -d /proc/$(cat /tmp/sleepers.pid) ]; do usleep 50000; done")


def flat(t, rounds):
    g = t.boot(memory=1536)
    few, before, many, after = beside_sleepers(g, rounds)
    t.expect(after >= before + SLEEPERS, f"{after} tasks, before {before}")
    # Nobody but whom a CPU runs or will run, and the idle tasks; how many that are differs from window to window.
    most = max(read(few) + read(many))
    t.expect(most < before // 2, f"windows read {read(few)} of {before} tasks, {read(many)} of {after}")
    slower = median_us(many) / median_us(few)
    t.expect(slower <= 2, f"the median window grew by {slower:.1f}, from {median_us(few):.0f} us")
    uncounted = all(a["old_tasks"] is None and a["level"] == "cpu" for a in few + many)
    t.expect(uncounted, "old tasks were counted, or a level claimed")
    # A deadline task that is throttled would be on no queue: while there is one, everybody is read.
    g.run("sleepers --deadline >/tmp/deadline.out & echo $! >/tmp/deadline.pid")
    g.run("until grep -q sleepers /tmp/deadline.out; do usleep 50000; done", timeout=60)
    g.run("grep -q ': 0$' /tmp/deadline.out")
    careful = commits(g, 1)
    t.expect(min(read(careful)) > after, f"with a deadline task {read(careful)} of {after} tasks")
    t.expect(all(a["old_tasks"] == 0 and a["level"] == "task" for a in careful), f"all were read: {careful}")
    g.run("kill $(cat /tmp/deadline.pid)")
    strict_leaf(g, "/tmp/strict.leaf")
    strict = apply(g, "auxv-strict", path="/tmp/strict.leaf")
    t.expect(strict["tasks_scanned"] > after, f"for a strict leaf {strict['tasks_scanned']} of {after} tasks")
    t.expect(strict["level"] == "task", f"a strict leaf at level {strict['level']}")
    probe(g, AUXV, "FIXED")
    revert(g, "auxv-strict")
    t.note(f"read {span(few)} of {before} tasks in {median_us(few):.0f} us (median)")
    t.note(f"{span(many)} of {after} in {median_us(many):.0f} us")
    t.note(f"for a strict leaf {strict['tasks_scanned']} in {strict['stop_window_ns'] / 1000:.0f} us")
    g.check_dmesg()
    g.poweroff()


@test(alone=True)
def window_is_flat(t):
    """the stop window reads as few tasks beside 5,000 sleepers as beside none, in the same time (5 rounds)"""
    flat(t, 5)


@test(alone=True, full=True)
def window_is_flat_30(t):
    """the same, 30 rounds"""
    flat(t, 30)


@test()
def window_exit_storm(t):
    """preempt=full, tasks that are born and die on every CPU: the window reads no more than are runnable"""
    g = t.boot(cmdline="preempt=full")
    g.run("load >/tmp/load.out 2>&1 & echo $! >/tmp/load.pid")
    sleepers(g)
    storm, total = commits(g, 10), tasks(g)
    end = "kill $(cat /tmp/load.pid); while [ -d /proc/$(cat /tmp/load.pid) ]; do usleep 50000; done; cat /tmp/load.out"
    out = g.run(end, timeout=60)
    t.expect(" 0 failures" in out, out)
    t.expect(max(read(storm)) < 60, f"windows read {read(storm)} of {total} tasks")
    t.note(f"read {span(storm)} of {total} tasks in {median_us(storm):.0f} us (median); {out.strip()}")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()
    g.poweroff()
