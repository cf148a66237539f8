#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ways to patch a running kernel, compared in the same boots: `bench.py icount|smp|ends [--seed S] [--shard i/n]
[--units N] [--json FILE] [--jobs N]`. A unit is a boot with KASLR; in it the arms take turns in an order of its own.
icount: QEMU counts instructions, one CPU, so that times are instructions, and nothing that a boot does is the host's:
seed and number say every instruction of it. smp: two CPUs at the same time, for counts;
its times are the host's. ends: where somebody is in the way who does not go. What an arm does is work.c, which there
are is arms.py, what is made of the results is report.py."""

import argparse
import concurrent.futures
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vm")]

import campaign  # noqa: E402
import arms  # noqa: E402
import modules  # noqa: E402
import report  # noqa: E402
import stale  # noqa: E402
from guest import BUILD, LOGS, RUNNING, TOP, Failure, Guest, Machine  # noqa: E402

KERNEL = "linux-image-6.1.0-50-cloud-amd64"
SOURCES = os.path.join(modules.SOURCES, "bench")
LEAVES = ("bench_strict", "bench_mixable")
STEADY = os.path.join(BUILD, "bench", "steady.efi")


def initrd(directory):
    """The guest's, with modules, leaves and the program, and nothing else of the tests': while firmware reads a file it
    spins, and each megabyte costs."""
    target, files = modules.built(KERNEL, sources=SOURCES), []
    for name in ("bench", "bench_klp"):
        files.append((os.path.join(target, name + ".ko"), f"mod/{name}.ko"))
    for name in LEAVES:
        path = modules.leaf(directory, KERNEL, name, [os.path.join(target, "bench.ko")])
        files.append((path, f"mod/{name}.leaf"))
    files.append((os.path.join(BUILD, "bench", "work"), "bin/work"))
    out = os.path.join(directory, "initrd.img")
    kernel = os.path.dirname(os.path.dirname(modules.kernel_file(KERNEL)))
    command = [os.path.join(TOP, "scripts", "mkinitramfs"), "-o", out, "-k", kernel]
    for pair in files:
        command += ["-a", ":".join(pair)]
    small = os.path.join(directory, "build")
    os.makedirs(small)
    shutil.copy(os.path.join(BUILD, "newleaf"), small)
    subprocess.run(command, check=True, env={**os.environ, "B": small})
    return out


class Spoiled(Failure):
    """By the emulator."""


AGAIN_AT_MOST = 8  # rounds of a boot that the emulator spoils (stale.py)

# Not on the console: at its speed a line of livepatch's would cost more than what it speaks of.
BEGIN = "dmesg -n 1 && insmod /mod/bench.ko"
BASE = "grep ' _stext$' /proc/kallsyms"
SAID = "tail -n 1 /tmp/work.said"


def script_of(scenario, arm, timer):
    return f"work {arm.removesuffix(arms.AGAIN)} timer={timer} {arms.SCENARIOS[scenario]}"


def round_of(scenario, arm, out, said):
    """What work.c printed, and what the command said if it did not do it."""
    try:
        result = {**json.loads(out.strip().splitlines()[-1]), "arm": arm, "scenario": scenario}
    except (ValueError, IndexError):
        raise Failure(f"{arm}, {scenario}: {out}\n{said()}") from None
    if result["error_off"]:
        raise Failure(f"{arm}, {scenario}: the patch did not go: {out}\n{said()}")
    if result["error"] and arm.startswith("leaf"):
        result["said"] = said().strip()
    return result


class Seen:
    """What a boot has said so far, for the record however it ends: rounds that count, how many were run again, and
    those that were thrown away for it, with all of a boot that was thrown away before this one."""

    def __init__(self, thrown=None):
        self.rounds, self.again = [], 0
        self.discarded, self.boots_again = (thrown.discarded + thrown.rounds, 1) if thrown else ([], 0)

    def record(self):
        more = {"again": self.again, "boots_again": self.boots_again, "discarded": self.discarded}
        return {"rounds": self.rounds, **{key: value for key, value in more.items() if value}}


def look_before_it_goes(scenario, arm, out, seen):
    """A round, and perhaps all before it, are about to be left out for the emulator's sake. None in which something
    broke that must hold is: nor any of a leaf, since a copy of ours with such a breakpoint in it would look the same
    to who reads the guest's memory past the nested tables. The record keeps it either way."""
    seen.discarded.append(round_of(scenario, arm, out, str))
    if arm.startswith("leaf"):
        raise Failure(f"{arm}, {scenario}: breakpoints that memory does not hold, in a round of a leaf")
    for r in (*seen.rounds, *seen.discarded):
        if any(r[key] and r["arm"] in report.THRESHOLDS["never"][key] for key in ("torn", "backward")):
            raise Failure(f"{r['arm']}, {r['scenario']}: torn {r['torn']}, backward {r['backward']}")


def by_hand(g, order, timer, watch, seen):
    """The rounds, each asked for over the serial port; returns the place of the kernel."""
    g.wait_ready(1200)
    g.run(BEGIN)
    for scenario, arm in order:
        watch.begin()
        out = g.call(script_of(scenario, arm, timer), timeout=600).out
        while watch.mended:
            look_before_it_goes(scenario, arm, out, seen)
            if arm == arms.FORCED or seen.again == AGAIN_AT_MOST:
                raise Spoiled(f"{arm}, {scenario}: the emulator kept code that is not there any more (stale.py)")
            seen.again += 1
            watch.begin()
            out = g.call(script_of(scenario, arm, timer), timeout=600).out
        try:
            seen.rounds.append(round_of(scenario, arm, out, lambda: g.run(SAID)))
        except Failure as why:
            raise Failure(f"{why}\n{g.run('dmesg | tail -20')}") from None
    base = g.run(BASE).split()[0]
    g.check_dmesg(allow="[Tt]aint")
    return base


def with_plan(image, order, timer, directory):
    """The initrd, and a second archive behind it with all rounds as a script, for a guest that nobody talks to: when a
    word comes over a serial port is up to the host."""
    lines = ["#!/bin/sh", "{", BEGIN]
    for scenario, arm in order:
        lines += ["echo bench: round", "rm -f /tmp/work.said", script_of(scenario, arm, timer)]
        lines += ["echo bench: said", f"{SAID} 2>/dev/null"]
    lines += ["echo bench: base", BASE, "echo bench: dmesg", "dmesg", "} >/tmp/out 2>&1", "cat /tmp/out"]
    os.makedirs(directory, exist_ok=True)  # the same boot again
    with open(os.path.join(directory, "plan"), "w", encoding="utf-8") as f:
        f.write("\n".join([*lines, "echo bench: end", ""]))
    os.chmod(f.name, 0o755)
    os.utime(f.name, (0, 0))
    command = ["cpio", "--quiet", "-o", "-H", "newc", "--reproducible", "-R", "0:0"]
    packed = subprocess.run(command, cwd=directory, input=b"plan\n", stdout=subprocess.PIPE, check=True).stdout
    whole = os.path.join(directory, "initrd.img")
    with open(image, "rb") as first, open(whole, "wb") as f:
        f.write(first.read() + gzip.compress(packed, mtime=0))
    return whole


def by_itself(g, order, seen):
    """What a guest with such a script has to say, once it is through; returns the place of the kernel."""
    g.wait_console(r"steady: ready at", 1200)
    g.wait_console(r"(?m)^bench: end", 2400)
    g.wait_exit(120)
    text = g.console()
    parts, rest = re.split(r"(?m)^bench: round\n", text), text.split("bench: base\n")[1]
    if len(parts) != len(order) + 1:
        raise Failure(f"{len(parts) - 1} of {len(order)} rounds were run\n{g.tail()}")
    for (scenario, arm), part in zip(order, parts[1:]):
        out, _, said = part.split("bench: base\n")[0].partition("bench: said\n")
        seen.rounds.append(round_of(scenario, arm, out, lambda said=said: said))
    base, log = rest.split("bench: dmesg\n")
    g.judge_dmesg(log.split("bench: end")[0], allow="[Tt]aint")
    return base.split()[0]


def boot(unit, seed, mode, image, thrown=None):
    """The record of one boot. One that fails says what it saw before: there may be what it failed of."""
    kind = arms.MODES[mode]
    cmdline = kind["cmdlines"][unit % len(kind["cmdlines"])]
    order = arms.plan(campaign.rng(f"bench-{mode}", seed, unit), mode, cmdline)
    stub = tempfile.mkdtemp(prefix="newleaf-gdb-")  # a socket's path may not be long
    name = f"bench-{mode}-{unit}"
    watch = stale.Watch(os.path.join(stub, "gdb"), os.path.join(LOGS, name, "qemu.log"))
    how = {"kernel": KERNEL, "cpus": kind["cpus"], "more": kind["more"], "initrd": image, "cmdline": cmdline}
    if kind["steady"]:
        own = campaign.rng(f"bench-{mode}-seed", seed, unit).getrandbits(31)
        how["initrd"] = with_plan(image, order, kind["timer"], f"{image}.{unit}")
        how["cmdline"] += " nl.run=/plan"
        how["more"] += ("-seed", str(own))
        how |= {"rng": False, "settings": ("next \\steady.efi",), "files": (f"{STEADY}:/steady.efi",)}
    else:
        how["more"] += watch.options
    g, seen = Guest(name, Machine(**how)), Seen(thrown)
    try:
        with g:
            if kind["steady"]:
                base = by_itself(g, order, seen)
            else:
                g.on_wait = watch.look
                base = by_hand(g, order, kind["timer"], watch, seen)
        return {"unit": unit, "cmdline": cmdline, "base": base, **seen.record()}
    except Failure as failure:
        if isinstance(failure, Spoiled) and not thrown:
            return boot(unit, seed, mode, image, seen)
        return {"unit": unit, "cmdline": cmdline, "failed": str(failure), **seen.record()}
    finally:
        shutil.rmtree(stub, ignore_errors=True)
        print(f"bench: {mode}: boot {unit}: {g.cost:.0f} s of CPU", file=sys.stderr, flush=True)


def sources_digest():
    """What was run: the program, the modules' and leaves' sources."""
    digest = hashlib.sha256()
    for top in (HERE, SOURCES, os.path.join(modules.SOURCES, "leaves")):
        for name in sorted(os.listdir(top)):
            if name.endswith((".c", ".h", ".recipe", ".json")):
                with open(os.path.join(top, name), "rb") as f:
                    digest.update(name.encode() + b"\0" + f.read())
    with open(os.path.join(TOP, "tests", "guest", "firmware", "steady.c"), "rb") as f:
        digest.update(f.read())
    return digest.hexdigest()


def stop_all(*_):
    """Told to end: no emulator stays behind."""
    for g in list(RUNNING):
        g.close()
    os._exit(143)


def main():
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, stop_all)
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument("mode", choices=arms.MODES)
    parser.add_argument("--jobs", type=int, default=1, help="guests at the same time")
    campaign.options(parser, 10)
    given = parser.parse_args()
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True)
    mode = json.loads(json.dumps({"name": given.mode, **arms.MODES[given.mode]}))  # as a file would have it
    setup = {"kernel": KERNEL, "mode": mode, "emulator": version.stdout.splitlines()[0]}
    setup |= {"sources": sources_digest(), "commit": campaign.begun()["commit"]}  # shards of two cores do not merge
    path, results = given.json or os.path.join(BUILD, "bench", given.mode + ".json"), []
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.join(BUILD, "bench")) as directory:
        image = initrd(directory)
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            units = campaign.mine(given.units, given.shard)
            running = [pool.submit(boot, u, given.seed, given.mode, image) for u in units]
            for done in concurrent.futures.as_completed(running):  # what is there already is kept
                results.append(done.result())
                campaign.write(path, campaign.document(f"bench-{given.mode}", given, setup, results))
    for result in results:
        if "failed" in result:
            print(f"bench: boot {result['unit']} failed: {result['failed']}", file=sys.stderr)
    document = campaign.document(f"bench-{given.mode}", given, setup, results)
    print("\n".join(report.told(document)))
    return int(report.broken(document))


if __name__ == "__main__":
    sys.exit(main())
