# SPDX-License-Identifier: Apache-2.0
"""Fixes of modules that nobody has tried: drawn by lot as test_heldback.py draws those of the image, built with the
modules that lie beside the kernel, applied while no module is loaded, and seen in each module that comes."""

import glob
import os
import re
import subprocess
import tempfile

import lot
import tries
from command import newleaf
from guest import kernel_file
from modules import STATE, folder, package_module, put_package, rmmod, state
from vmtest import test

OLD = "linux-image-6.1.0-50-amd64"
NEW = "linux-image-6.1.0-56-cloud-amd64"  # one source for all flavours
DRAWN = (("fs", "net"), 16), (("drivers",), 8)
KNOWN = ("fs/ext4/mballoc.c",)
LOADED_MAX = 3 << 20  # bytes of a module with those that it needs: the way into a guest is slow


def functions(package):
    """Names that only modules define."""
    files = glob.glob(os.path.join(folder(package), "**", "*.ko"), recursive=True)
    names = set()
    for at in range(0, len(files), 200):
        command = ["nm", "--defined-only", *files[at : at + 200]]
        said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        names.update(line.split()[2] for line in said.splitlines() if re.match(r"[0-9a-f]+ [tTwW] ", line))
    return names - tries.symbols(package)


def is_small(package, module):
    """May it be loaded here, with what it wants?"""
    return sum(len(data) for _, data in package_module(package, module)) <= LOADED_MAX


def leaf_of(g, leaf_id):
    return next(leaf for leaf in newleaf(g, "status")["leaves"] if leaf["id"] == leaf_id)


def see(t, g, one):
    """The leaf's modules come, patched, and go."""
    names = [m["name"] for m in leaf_of(g, one.id)["modules"] if m["state"] == STATE.waiting]
    for name in names:
        if not is_small(g.machine.kernel, name):
            t.note(f"{one.name}: {name} is too large to be loaded here")
            continue
        there = g.run("lsmod").split()
        parts = [part for part in put_package(g, name) if part not in there]
        for part in parts:
            said = g.call(f"insmod /mod/{part}.ko", timeout=120)
            if said.code != 0:
                t.note(f"{one.name}: {part} does not come in: {' '.join(said.out.split())}")
                parts = parts[: parts.index(part)]
                break
        else:
            state(g, one.id, name, STATE.applied)
            one.functions += 1
        rmmod(g, *(part.replace("-", "_") for part in reversed(parts)))
        state(g, one.id, name, STATE.waiting)


def run(t, g, tried):
    leaves = [one for one in tried if one.answer == "leaf"]
    for one in leaves:
        tries.put(g, one.leaf, "/tmp/try.leaf")
        g.run("newleaf apply --deadline 5s /tmp/try.leaf", timeout=120)
        one.hits = 0
    for one in leaves:
        see(t, g, one)
    for one in reversed(leaves):
        one.reverted = newleaf(g, f"revert {one.id}")["result"] == "ok"
    g.run("load --once")


@test(full=True)
def heldback_modules(t):
    """fixes of modules of 6.1 that nobody has tried, drawn by lot: built, waiting, applied as the modules come"""
    source, later, names = tries.get("--source", OLD), tries.get("--source", NEW), functions(OLD)
    kernel, headers = kernel_file(OLD), tries.get("--headers", OLD)
    drawn = [fix for top, n in DRAWN for fix in lot.draw(source, later, names, lot.SEED, n, KNOWN, top)]
    tried = []
    with tempfile.TemporaryDirectory() as directory:
        for i, (path, _, patch) in enumerate(drawn):
            name = path.removesuffix(".c").replace("/", "-").replace("_", "-").lower()[:40]
            patched = os.path.join(directory, f"{i:02}-{name}.patch")
            with open(patched, "w", encoding="utf-8", errors="surrogateescape") as f:
                f.write(patch)
            tried.append(tries.build(patched, kernel, source, headers, directory))
        fit = [one for one in tried if one.answer in ("leaf", "refused")]
        good = [one for one in fit if one.answer == "leaf"]
        for one in tried:
            t.note(f"{one.name:44} {one.answer:12} {one.why}")
        t.expect(10 * len(good) >= 9 * len(fit) > 0, "fewer than nine in ten become leaves")
        g = t.boot(kernel=OLD, memory=1024)
        run(t, g, tried)
        g.poweroff()
    seen = sum(one.functions > 0 for one in good)
    t.note(f"{len(good)} of {len(fit)} fixes of one file, seen in {seen} modules that came; seed {lot.SEED}")
    t.expect(seen * 2 >= len(good), "fewer than half of the modules were seen")
