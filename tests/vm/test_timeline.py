# SPDX-License-Identifier: Apache-2.0
"""newleaf timeline of commits that really happen: what each CPU did, in which order, and why tries failed. The answers
are left in build/timelines. That they are traces of the model is asked of every guest (timelines.py)."""

import json
import os
import subprocess
import xml.dom.minidom

from command import apply, newleaf, revert
from guest import BUILD, TOP
from leaves import make
from modules import insmod, put_leaf, put_modules, rmmod
from vmtest import test

SLEEP = os.path.join(TOP, "tests", "vm", "line", "sleep.recipe")
TRIES = 20  # a commit that meets its deadline says that the host was busy

# Somebody sleeps in the old function; a commit that waits for him; when its first try has failed for it, he is killed.
# Nobody may sleep while the commit shall succeed, so this looks again and again. 8: the deadline came first.
COMMIT = r"""
sleep 1000 >/dev/null 2>&1 & pid=$!
until grep -qE '^(35|230) ' /proc/$pid/syscall; do :; done
before=$(newleaf timeline | sed -n 's/^transaction \([0-9]*\):.*/\1/p')
newleaf apply /tmp/sleep.leaf --json --timeline /tmp/apply.json >/tmp/said 2>&1 & commit=$!
until newleaf timeline --json --transaction $((${before:-0} + 1)) | grep -q '"course":"let go"'; do
	kill -0 $commit 2>/dev/null || break
done
kill $pid
wait $commit; code=$?
echo $pid; cat /tmp/said; exit $code
"""


def jq(*arguments):
    """What it prints; nothing is good."""
    done = subprocess.run(["jq", "-r", *arguments], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout + done.stderr


def kept(name, text):
    """The file of build/timelines with an answer."""
    directory = os.path.join(BUILD, "timelines")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def hindered(t, g):
    """Commits beside a sleeper until one succeeds; his pid."""
    for _ in range(TRIES):
        result = g.call(COMMIT, timeout=120)
        pid = int(result.out.split()[0])
        if result.code == 0:
            return pid
        t.expect(result.code == 8, f"the commit ended with {result.code}: {result.out}")
    t.expect(False, f"no commit in {TRIES} met its deadline")
    return 0


def in_order(t, events):
    """Numbers without a gap, and each CPU's clock goes forward: the guest's and the hypervisor's are the same."""
    seqs = [e["seq"] for e in events if e["seq"]]
    t.expect(seqs == list(range(seqs[0], seqs[0] + len(seqs))), f"numbers: {seqs}")
    last = {}
    for e in events:
        before = last.get(e["cpu"])
        t.expect(not before or before["tsc"] <= e["tsc"], f"back in time: {before}, then {e}")
        last[e["cpu"]] = e


def everything(t, g, name):
    """All that the ring has, which holds its schema, in order."""
    answer = newleaf(g, "timeline --last 1000")
    path = kept(name, json.dumps(answer))
    schema = os.path.join("docs", "reference", "schemas", "newleaf.timeline-1.json")
    problems = jq("--slurpfile", "schema", schema, "-f", "tests/unit/schema.jq", path)
    t.expect(problems == "", f"the answer does not hold its schema: {problems}")
    in_order(t, answer["events"])
    return answer


def successful_try(t, events, cpus):
    """Of a commit's events those of its last try: all are asked, all are held, then the window, then the flip, then all
    go on and have the new generation."""
    place = {id(e): i for i, e in enumerate(events)}

    def of(step, value=None):
        return {e["cpu"]: e for e in events if e["step"] == step and value in (None, e["value"])}

    freeze = [e for e in events if e["step"] == "freeze"][-1]
    ticket, by = freeze["value"], freeze["cpu"]
    asked, held = of("ask", ticket), of("held", ticket)
    others = set(range(cpus)) - {by}
    t.expect(set(asked) == set(held) == others, f"asked {sorted(asked)}, held {sorted(held)}, by {by}")
    alone = [of(step)[by] for step in ("window", "scan", "build", "fold", "flip", "thaw", "settle")]
    t.expect(all(e["value"] == ticket for e in (alone[0], alone[5])), f"another ticket: {alone}")
    order = [place[id(e)] for e in alone]
    t.expect(order == sorted(order), f"not in order: {alone}")
    resumed, adopted = of("resume"), of("adopt", alone[4]["value"])
    arrived, left = of("arrive"), of("leave")
    for cpu in range(cpus):
        t.expect(cpu in resumed and cpu in adopted, f"CPU {cpu} did not go on, or not with the new generation")
        own = [resumed[cpu], adopted[cpu]]
        t.expect(all(place[id(e)] > place[id(alone[5])] for e in own), f"CPU {cpu} was let go too early: {own}")
        if cpu != by:
            own = [asked[cpu], held[cpu]]
            t.expect(place[id(freeze)] < place[id(own[0])] < place[id(own[1])] < order[0], f"CPU {cpu}: {own}")
        inside = arrived[cpu]["tsc"] < freeze["tsc"] and resumed[cpu]["tsc"] < left[cpu]["tsc"]
        t.expect(inside, f"CPU {cpu} was frozen outside of its gather: {arrived[cpu]}, {freeze}, {left[cpu]}")
    gather = [e for e in events if e["step"] == "gather"][-1]
    prepared = of("prepared")
    between = min(e["tsc"] for e in prepared.values()) < gather["tsc"] < freeze["tsc"]
    t.expect(between, f"another clock: {prepared}, {gather}, {freeze}")


def drawn(t, g):
    """The same as a trace and as a picture."""
    g.run("newleaf timeline --transaction $(cat /tmp/number) --chrome /tmp/trace.json --svg /tmp/picture.svg")
    for name in ("trace", "apply"):
        path = kept(f"{name}.json", g.run(f"cat /tmp/{name}.json"))
        problems = jq("-f", "tests/unit/trace.jq", path)
        t.expect(problems == "", f"{name}.json is no trace: {problems}")
    picture = g.run("cat /tmp/picture.svg")
    kept("commit.svg", picture)
    xml.dom.minidom.parseString(picture)
    text = g.run("newleaf timeline --transaction $(cat /tmp/number)")
    kept("commit.txt", text)


def commit_is_told(t, cpus):
    g = t.boot(cpus=cpus)
    with open(make(g.scratch, g.machine.kernel, SLEEP), "rb") as f:
        g.put(f.read(), "/tmp/sleep.leaf")
    pid = hindered(t, g)
    answer = everything(t, g, f"commit-{cpus}.json")
    told = [x for x in answer["transactions"] if x["what"] == "commit" and x["code"] == "NL_OK"][-1]
    failed, good = told["tries"][:-1], told["tries"][-1]
    t.expect(failed and good["course"] == "flip", f"courses: {[y['course'] for y in told['tries']]}")
    causes = [c for y in failed for c in y["causes"]]
    t.expect(all(y["causes"] for y in failed), f"a try failed without a cause: {failed}")
    site = [c for c in causes if c["why"] == "site"]
    t.expect((pid, "sleep") in {(c["pid"], c["comm"]) for c in site}, f"sleep is {pid}: {causes}")
    events = [e for e in answer["events"] if e["transaction"] == told["transaction"]]
    t.expect(events[0]["step"] == "prepare", f"begins with {events[0]}")
    successful_try(t, events, cpus)
    g.run(f"echo {told['transaction']} >/tmp/number")
    drawn(t, g)
    revert(g, "test-sleep")
    whys = {}
    for c in causes:
        whys[c["why"]] = whys.get(c["why"], 0) + 1
    t.note(f"{len(told['tries'])} tries, {told['gathers']} gathers, {len(events)} steps")
    t.note(f"causes {whys}, at {site[0]['func']}")
    g.check_dmesg()
    g.poweroff()


@test()
def timeline(t):
    """a commit beside a task in its site: newleaf timeline has each step of 2 CPUs in order, and why tries failed"""
    commit_is_told(t, 2)


@test(full=True)
def timeline_4(t):
    """the same with 4 CPUs"""
    commit_is_told(t, 4)


@test(full=True)
def timeline_modules(t):
    """what is done when a module of a leaf comes and goes is a transaction, too, and nobody is held for it"""
    g = t.boot()
    put_modules(g, "gate", "victim")
    insmod(g, "gate")
    apply(g, "test-victim", path=put_leaf(g, "victim"))
    insmod(g, "victim")
    rmmod(g, "victim")
    revert(g, "test-victim")
    answer = everything(t, g, "modules-2.json")
    t.expect(all(x["ended"] for x in answer["transactions"]), f"not ended: {answer['transactions']}")
    told = [x for x in answer["transactions"] if x["code"] == "NL_OK" and x["what"] != "kernel-gone"]
    whats = [x["what"] for x in told]
    t.expect(whats[0] == whats[-1] == "commit", f"transactions: {whats}")
    comes = [x for x in told if x["what"] == "module-comes"]
    goes = [x for x in told if x["what"] == "module-goes"]
    t.expect(comes and goes, f"transactions: {whats}")
    values = {e["step"]: e["value"] for e in answer["events"] if e["step"] in ("comes", "goes")}
    t.expect(values["comes"] == values["goes"] >= 0xFFFFFFFFC0000000, f"struct module: {values}")
    t.expect(not any(x["tries"] for x in comes + goes), f"somebody was held for a module: {comes}, {goes}")
    g.run("newleaf timeline --last 1000 --chrome /tmp/modules.json")
    problems = jq("-f", "tests/unit/trace.jq", kept("modules-trace.json", g.run("cat /tmp/modules.json")))
    t.expect(problems == "", f"no trace: {problems}")
    t.note(", ".join(f"{x['what']} {x['end_ns'] / 1000:.0f} us" for x in told))
    g.check_dmesg()
    g.poweroff()
