# SPDX-License-Identifier: Apache-2.0
"""Commits that gather nobody (docs/explanation/orders.md): the hypervisor stops every CPU where it is, and judges. What
may be held is held; what nobody can tell is refused by CPU and address, and nothing changes."""

import json

from command import FIXES, newleaf, probe
from guest import leaf_path
from modules import put_leaf
from planted import Planted, address
from vmtest import test

AUXV = FIXES[1]
FUNCTION = "prctl_set_auxv"
SHORT = "300ms"
UNWATCHED = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1"  # nobody complains of a CPU that loops

ALTERNATE = """
i=0
while [ $i -lt %(rounds)d ]; do
	newleaf apply %(leaf)s --agentless --json 2>/tmp/why | tail -n 1 || exit 1
	newleaf revert %(id)s --agentless --json 2>/tmp/why | tail -n 1 || exit 1
	i=$((i + 1))
done
"""


def alternate(t, g, rounds, pin=""):
    """So many applies and reverts; none may fail, and each says how the CPUs were stopped."""
    script = ALTERNATE % {"leaf": leaf_path(g.machine.kernel, AUXV), "id": AUXV, "rounds": rounds}
    said = g.run(script.replace("newleaf ", f"{pin} newleaf "), timeout=900).splitlines()
    answers = [json.loads(line) for line in said if line.startswith("{")]
    bad = [a for a in answers if a.get("result") != "ok"]
    t.expect(not bad and len(answers) == 2 * rounds, f"{len(bad)} of {len(answers)} failed: {bad[:1]}")
    t.expect(all(a["quiesce"] == "agentless" and a["level"] == "task" for a in answers), f"{answers[:1]}")
    t.expect(all(a["cpus"] == g.machine.cpus for a in answers), f"not all {g.machine.cpus} CPUs were held")
    return sum(a["tries"] for a in answers)


def blocked(t, g, what, name, who="planted/1", tries=1, leaf=None):
    """Refused by this name, or by that of the deadline when the command's own clock was there first; CPU 1 is named,
    and who is there, unless the host was so busy that it did not come in time; nothing changed. The addresses that were
    named."""
    before, where = newleaf(g, "status")["generation"], []
    for _ in range(tries):
        answer = newleaf(g, f"apply {leaf or leaf_path(g.machine.kernel, AUXV)} --agentless --deadline {SHORT}", code=8)
        t.expect(answer["code"] in (name, "NL_EDEADLINE"), f"{what}: {answer}")
        t.expect(answer["changed"] is False, f"{what}: changed")
        named = [b for b in answer["blockers"] if b["cpu"] == 1]
        t.expect(named, f"{what}: CPU 1 is not named: {answer}")
        t.expect(named[0]["missing"] or who in answer["detail"], f"{what}: {who} is not named: {answer}")
        where.append(int(named[0]["rip"], 0))
    t.expect(newleaf(g, "status")["generation"] == before, f"{what}: another generation")
    return where


@test()
def agentless(t):
    """commits that gather nobody, under load"""
    g = t.boot()
    probe(g, AUXV, "VULNERABLE")
    g.run("(while :; do find / -xdev >/dev/null 2>&1; done) & echo $! >/tmp/load.pid; (while :; do :; done) & echo $!")
    tries = alternate(t, g, 20)
    t.note(f"40 commits in {tries} tries")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()


@test()
def agentless_planted(t):
    """beside a CPU that spins with interrupts off or in an interrupt all goes well; refused for whoever stands where
    nobody can tell: each stack of exceptions, a word, a register, slots of probes"""
    g = t.boot(cmdline="isolcpus=1")  # nobody but who is planted there: no process waits for an answer of that CPU's
    probe(g, AUXV, "VULNERABLE")
    p = Planted(g)
    inside = address(g, FUNCTION) + 32
    p.plant("spin")
    t.note(f"interrupts off: 20 commits in {alternate(t, g, 10)} tries")
    p.plant("irq")
    t.note(f"in an interrupt: 20 commits in {alternate(t, g, 10)} tries")
    for kind in ("word", "register", "irq-word", "irq-own"):
        p.plant(kind, inside)
        blocked(t, g, kind, "NL_EPREEMPTED")
    for name, sp in [*p.stacks.items(), ("user", "7ffd00001000")]:
        p.plant("stack", f"0x{sp}")
        blocked(t, g, f"stack {name}", "NL_ESTANDS", "with_stack")
    for kind in ("slot", "detour"):  # last: a probe's end is a while later, and CPU 1 then must take interrupts
        p.plant(kind)
        blocked(t, g, kind, "NL_EPREEMPTED")
    p.none()
    alternate(t, g, 1)
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()
    t.note(f"refused on {len(p.stacks) + 1} stacks")


@test(full=True)
def agentless_inside(t):
    """a CPU that loops inside what is replaced: each of 100 commits names it, where it is and whose it is, and nothing
    changes; when it has left, the commit is made"""
    g = t.boot(cmdline=f"isolcpus=1 {UNWATCHED}")
    p = Planted(g)
    leaf = put_leaf(g, "planted", [p.path])
    p.plant("inside")
    where = blocked(t, g, "inside", "NL_EPREEMPTED", tries=100, leaf=leaf)
    loop = address(g, "planted_loop")
    there = sum(loop < a < loop + 64 for a in where)
    t.note(f"100 of 100 refused, {there} by that address, the others in an interrupt, or late")
    t.expect(there > 50, f"only {there} name an address in planted_loop: {where}")
    p.none()
    newleaf(g, f"apply {leaf} --agentless")
    newleaf(g, "revert test-planted --agentless")
    g.check_dmesg()


def register_lockdown():
    for cpus in (2, 4):

        def run(t, cpus=cpus):
            g = t.boot(cpus=cpus, cmdline="lockdown=integrity")
            t.expect("[integrity]" in g.run("mount -t securityfs s /sys/kernel/security 2>/dev/null;"
                     " cat /sys/kernel/security/lockdown"), "the kernel is not locked down")  # fmt: skip
            t.expect(newleaf(g, "status")["proof"]["by"] == "token", "root is proven by the port")
            t.note(f"100 commits in {alternate(t, g, 50)} tries")
            probe(g, AUXV, "VULNERABLE")
            g.check_dmesg()

        run.__doc__ = f"a kernel under lockdown, {cpus} CPUs: 100 commits that gather nobody"
        test(full=True, name=f"agentless-lockdown-{cpus}")(run)

    def bochs(t):
        g = t.boot(emulator="bochs", cpus=2, memory=512, cmdline="quiet lockdown=integrity")
        t.expect(newleaf(g, "status")["proof"]["by"] == "token", "root is proven by the port")
        t.note(f"20 commits in {alternate(t, g, 10)} tries")
        g.check_dmesg()

    bochs.__doc__ = "a kernel under lockdown, on EPT: 20 commits that gather nobody"
    test(full=True, emulator="bochs", name="agentless-lockdown-bochs")(bochs)


register_lockdown()


@test(full=True)
def agentless_throttled(t):
    """a FIFO-99 thread on each CPU, which leaves a twentieth to all others: 20 commits by the command, without a
    helper"""
    g = t.boot()
    g.run("(hog 0 calls >/dev/console & hog 1 spin >/dev/console &) </dev/null >/dev/null 2>&1")
    for _ in range(g.machine.cpus):
        g.wait_console("hog: runs")
    t.note(f"20 commits in {alternate(t, g, 10)} tries")
    probe(g, AUXV, "VULNERABLE")
    g.run("killall hog")


IN_GROUP = """
mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
echo "+cpu +pids" >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/few || exit 99
echo %(limit)s >/sys/fs/cgroup/few/%(file)s || exit 99
sh -c 'echo $$ >/sys/fs/cgroup/few/cgroup.procs && exec newleaf %(command)s --deadline 8s --json 2>/tmp/why'
code=$?
rmdir /sys/fs/cgroup/few
exit $code
"""


def in_group(g, file, limit, command, code=(0,)):
    """What the command says that runs in a group of its own with that limit."""
    script = IN_GROUP % {"file": file, "limit": limit, "command": command}
    return json.loads(g.run(script, timeout=300, code=code).splitlines()[-1])


@test(full=True)
def agentless_group(t):
    """in a group that may have no more processes no helper starts, and the command commits without them, and says so;
    in one that has a two-hundredth of a CPU it gathers them, or does without, or is refused by the deadline's name"""
    g = t.boot()
    leaf = leaf_path(g.machine.kernel, AUXV)
    t.expect(newleaf(g, f"apply {leaf}")["quiesce"] == "agent", "where all come an agent gathers them")
    newleaf(g, f"revert {AUXV}")
    for command in (f"apply {leaf}", f"revert {AUXV}"):
        answer = in_group(g, "pids.max", "1", command)
        t.expect(answer["result"] == "ok" and answer["quiesce"] == "agentless", f"no more processes: {answer}")
    little = ("cpu.max", "5000 1000000")
    before = newleaf(g, "status")["generation"]
    answer = in_group(g, *little, f"apply {leaf}", code=(0, 8))
    done = answer["result"] == "ok"
    t.expect(done or (answer["code"] == "NL_EDEADLINE" and not answer["changed"]), f"next to no time: {answer}")
    t.expect((newleaf(g, "status")["generation"] != before) == done, "what was refused has changed something")
    t.note(f"next to no time: {answer['quiesce'] if done else answer['detail']}")
    if done:
        newleaf(g, f"revert {AUXV}")
    for command in (f"apply {leaf} --agentless", f"revert {AUXV} --agentless"):
        answer = in_group(g, *little, command)
        t.expect(answer["result"] == "ok" and answer["quiesce"] == "agentless", f"next to no time: {answer}")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()
