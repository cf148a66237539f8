# SPDX-License-Identifier: Apache-2.0
"""Modules that come and go all the time while a leaf for them is on, goes on, and goes off: nobody runs unpatched code,
nothing is lost, nothing is written where a module was, and nobody else pays for it."""

import re

from command import apply, newleaf, revert
from modules import answers, insmod, parameter, put_leaf, put_modules, rmmod
from test_modules import OLD, boot
from vmtest import test

SEVEN = "guest:linux-7.3"
PART = 256  # bytes of text, at most, that a body of the module victim leaves behind

# Functions of the scripts below. A book of one round is six lines, all the same word.
TOOLS = f"""
said={parameter("gate", "said")} ask={parameter("victim", "ask")} counts={parameter("victim", "counts")}
bad() {{ echo "BAD $*"; dmesg | tail -5; exit 1; }}
free() {{ newleaf status --json | sed 's/.*"arena_text_free_bytes":\\([0-9]*\\).*/\\1/'; }}
attempt() {{ # a deadline says that the host is busy
	tries=0
	until newleaf "$@" -q 2>/tmp/said.$$; do
		code=$?
		[ $code = 8 ] && [ $tries -lt 50 ] || bad "newleaf $*: $code $(cat /tmp/said.$$)"
		tries=$((tries + 1)) again=$((again + 1))
	done
}}
again=0
"""

ROUNDS = (
    TOOLS
    + """
i=0
while [ $i -lt %(rounds)d ]; do
	echo >$said
	insmod /mod/victim.ko tell=1 || bad "round $i: insmod"
	[ "$(cat $ask)" = %(word)s ] || bad "round $i: $(cat $ask)"
	set -- $(cat $counts)
	[ $1 = $2 ] || bad "round $i: counts $*"
	rmmod victim || bad "round $i: rmmod"
	[ "$(cut -d' ' -f2 $said | sort | uniq -c | tr -s ' ')" = " 6 %(word)s" ] || bad "round $i: $(cat $said)"
	i=$((i + 1))
	[ $((i %% 5)) != 0 ] || echo "free $(free)"
done
"""
)


def rounds(t, g, count, word):
    """So many rounds; the room in the arena after every fifth."""
    out = g.run(ROUNDS % {"rounds": count, "word": word}, timeout=60 + 20 * count)
    return [int(n) for n in re.findall(r"^free (\d+)$", out, re.M)]


def under_load(t, kernel, count):
    g = boot(t, kernel)
    path = put_leaf(g, "victim")
    rounds(t, g, 2, "VULNERABLE")
    start = newleaf(g, "status")["memory"]["arena_text_free_bytes"]
    g.run("load >/tmp/load.out 2>&1 & echo $! >/tmp/load.pid")
    apply(g, "test-victim", path=path)
    began = g.uptime()
    free = rounds(t, g, count, "FIXED")
    took = g.uptime() - began
    out = g.run(
        "kill $(cat /tmp/load.pid); while [ -d /proc/$(cat /tmp/load.pid) ]; do usleep 50000; done; cat /tmp/load.out"
    )
    t.expect(" 0 failures" in out, out)
    # What bodies leave behind is given back when nobody is inside, which is asked when there are eight of them and all
    # CPUs stand well just then: under load not each time.
    free += rounds(t, g, 20, "FIXED")
    t.expect(free[-1] >= start - 10 * PART, f"the arena shrinks: {start}, then {free}")
    revert(g, "test-victim")
    rounds(t, g, 1, "VULNERABLE")
    t.note(f"{count} rounds in {took:.0f} s; arena free {start}, {min(free)}-{max(free)}, {free[-1]}; {out.strip()}")
    newleaf(g, "log")
    g.check_dmesg()
    g.poweroff()


# One CPU loads and unloads, the other applies and reverts, until the time is over. What stands in the arena after an
# apply is FIXED or not loaded, whatever the other does.
RACE = (
    TOOLS
    + r"""
end=$(($(cut -d. -f1 /proc/uptime) + %(seconds)d))
over() { [ "$(cut -d. -f1 /proc/uptime)" -ge $end ]; }
others() {
	loads=0
	until over; do
		echo >$said
		insmod /mod/victim.ko tell=1 || bad insmod
		v=$(cat $ask)
		[ "$v" = FIXED ] || [ "$v" = VULNERABLE ] || bad "it answers $v"
		set -- $(cat $counts)
		[ $1 = $2 ] || bad "counts $*"
		rmmod victim || bad rmmod
		! grep -q WRONG $said || bad "$(cat $said)"
		[ "$(wc -l <$said)" = 6 ] || bad "$(cat $said)"
		loads=$((loads + 1))
	done
	echo "loads $loads"
}
now() { # what the module answers, if it is there
	v=$(cat $ask 2>/dev/null)
	[ -z "$v" ] || [ "$v" = $1 ] || bad "after $2 it answers $v"
	[ -z "$v" ] || seen=$((seen + 1))
}
(others >/tmp/others.out 2>&1) &
taskset -p 2 $! >/dev/null
taskset -p 1 $$ >/dev/null
flips=0 seen=0
until over; do
	attempt apply %(leaf)s
	now FIXED apply
	attempt revert test-victim
	now VULNERABLE revert
	flips=$((flips + 1))
done
wait
cat /tmp/others.out
! grep -q BAD /tmp/others.out || exit 1
echo "flips $flips seen $seen again $again"
"""
)


def race(t, kernel, seconds):
    g = boot(t, kernel)
    path = put_leaf(g, "victim")
    rounds(t, g, 1, "VULNERABLE")
    out = g.run(RACE % {"seconds": seconds, "leaf": path}, timeout=120 + 5 * seconds)
    loads, flips, seen, again = map(int, re.search(r"loads (\d+)\nflips (\d+) seen (\d+) again (\d+)", out).groups())
    t.expect(loads > 5 and flips > 5 and seen > 0, f"too little happened: {out}")
    rounds(t, g, 2, "VULNERABLE")
    apply(g, "test-victim", path=path)
    rounds(t, g, 2, "FIXED")
    revert(g, "test-victim")
    t.note(
        f"{seconds} s: {loads} loads, {flips} times applied and reverted, module there {seen} times, {again} retries"
    )
    newleaf(g, "log")
    g.check_dmesg()
    g.poweroff()


CHECK = "filler /tmp/fill/file check"


def frames(t, kernel):
    """Where a module was there are files now, and nothing that the leaf does reaches them."""
    g = boot(t, kernel, memory=448)
    put_modules(g, "wide")
    victim, wide = put_leaf(g, "victim"), put_leaf(g, "wide")
    insmod(g, "victim")
    insmod(g, "wide")
    for leaf, path in (("test-victim", victim), ("test-wide", wide)):
        apply(g, leaf, path=path)
    answers(g, "wide", "FIXED")
    rmmod(g, "wide", "victim")
    g.run("echo 3 >/proc/sys/vm/drop_caches")
    g.run("mkdir /tmp/fill && mount -t tmpfs -o size=100% none /tmp/fill")
    filled = int(g.run("filler /tmp/fill/file fill 30", timeout=300))
    t.expect(filled > 50, f"only {filled} MiB were free")
    g.run(CHECK, timeout=120)
    for _ in range(3):
        revert(g, "test-wide")
        revert(g, "test-victim")
        apply(g, "test-victim", path=victim)
        apply(g, "test-wide", path=wide)
    g.run(CHECK, timeout=120)
    insmod(g, "wide")
    answers(g, "wide", "FIXED")
    insmod(g, "victim")
    answers(g, "victim", "FIXED")
    rmmod(g, "wide", "victim")
    g.run(CHECK, timeout=120)
    t.note(f"{filled} MiB in files")
    g.check_dmesg()
    g.poweroff()


WORK = f"""
load --once >/dev/null || exit 1
i=0
while [ $i -lt 200 ]; do cat {parameter("victim", "ask")} || exit 1; i=$((i + 1)); done
"""
TIMER = ("apic-write", "kick", "nmi", "io", "preemption-timer")  # what time itself does


def counted(g):
    """Exits so far, by reason, of all CPUs."""
    total = {}
    for cpu in newleaf(g, "exits")["cpus"]:
        for reason, count in cpu["count"].items():
            total[reason] = total.get(reason, 0) + count
    return total


def spent(g, script):
    """The exits of a script, but for what the clock makes."""
    before = counted(g)
    g.run(script, timeout=120)
    after = counted(g)
    return {r: after[r] - before[r] for r in after if r not in TIMER and after[r] != before[r]}


@test()
def modules_exits(t):
    """a leaf on a module costs no exit while none comes or goes; what one load and unload costs in exits is printed"""
    g = boot(t)
    path, one = (
        put_leaf(g, "victim"),
        "for i in 0 1 2 3 4 5 6 7 8 9; do insmod /mod/victim.ko && rmmod victim || exit 1; done",
    )
    spent(g, one)
    off = spent(g, one)
    insmod(g, "victim")
    spent(g, WORK)
    without = [spent(g, WORK) for _ in range(2)]
    apply(g, "test-victim", path=path)
    answers(g, "victim", "FIXED")
    with_leaf = [spent(g, WORK) for _ in range(2)]
    # A command asks once more when what it reads changed meanwhile.
    calls = [done.pop("hypercall", 0) for done in without + with_leaf]
    same = without[0] == without[1] == with_leaf[0] == with_leaf[1] and max(calls) - min(calls) <= 2
    t.expect(same, f"without {without}, with it {with_leaf}, hypercalls {calls}")
    rmmod(g, "victim")
    on = spent(g, one)
    told = on["cpuid"] - off["cpuid"]  # by which the notifier's stub asks
    t.expect(told == 20, f"ten modules came and went, and that was told {told} times: {off} without, {on} with it")
    t.note(f"the work: {with_leaf[0]} with the leaf and without; ten loads and unloads: {off} without, {on} with it")
    g.check_dmesg()
    g.poweroff()


def cost(t, kernel):
    """On an emulator whose clock counts instructions, one CPU. An unload waits for RCU, so it is not measured."""
    g = boot(t, kernel, cpus=1, more=("-icount", "shift=0,sleep=off"))
    put_modules(g, "wide")
    for name, sites in (("victim", 2), ("wide", 16)):
        path, ask = put_leaf(g, name), f"moduletime /mod/{name}.ko {name} 30"
        off = int(g.run(ask, timeout=300))
        apply(g, f"test-{name}", path=path)
        on = int(g.run(ask, timeout=300))
        revert(g, f"test-{name}")
        t.note(f"{name}, {sites} sites: a load takes {off} instructions, with the leaf {on} ({on - off:+d})")
        t.expect(0 < on - off < 1_000_000, f"the leaf makes a load dearer by {on - off} instructions")
    g.check_dmesg()
    g.poweroff()


@test(full=True)
def modules_cost(t):
    """what a leaf adds to one load of a module, in instructions (6.1)"""
    cost(t, OLD)


def register():
    for line, kernel in (("6-1", OLD), ("7-3", SEVEN)):
        for name, full, function, about in (
            ("rounds", line != "6-1", lambda t, k=kernel: under_load(t, k, 20), "20 rounds under load"),
            ("rounds-100", True, lambda t, k=kernel: under_load(t, k, 100), "100 rounds under load"),
            ("race", True, lambda t, k=kernel: race(t, k, 15), "loads against apply and revert for 15 s"),
            ("race-600", True, lambda t, k=kernel: race(t, k, 600), "loads against apply and revert for 10 minutes"),
            ("frames", True, lambda t, k=kernel: frames(t, k), "a module's frames hold files, and nobody writes there"),
        ):

            def run(t, function=function):
                function(t)

            run.__doc__ = f"{line}: {about}"
            test(full=full, name=f"modules-{name}-{line}")(run)


register()
