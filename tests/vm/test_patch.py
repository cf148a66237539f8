# SPDX-License-Identifier: Apache-2.0
"""Leaves straight from patches: the real differences between two stock kernels' sources, fetched when run, built,
applied, seen and reverted. Nothing of the sources is kept."""

import difflib
import os
import subprocess

from command import apply, newleaf, probe, revert
from guest import TOP, Failure, Skip, kernel_file
from leaves import DEMO_KEY, author
from vmtest import test

OLD, NEW = "linux-image-6.1.0-50-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"
FIXES = {
    "prctl-auxv": ["kernel/sys.c"],
    "timens-range": ["kernel/time/namespace.c"],
    "uring-pin": ["io_uring/rsrc.c"],
}


def fetched(kind, package):
    """A directory of scripts/get-kernel."""
    got = subprocess.run(
        [os.path.join(TOP, "scripts", "get-kernel"), kind, package],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if got.returncode == 11:
        raise Skip(got.stderr.strip().splitlines()[-1])
    if got.returncode != 0:
        raise Failure(f"get-kernel {kind} {package}: {got.stderr}")
    return got.stdout.strip()


def lines(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.readlines()


def unified(path, old, new):
    return "".join(difflib.unified_diff(old, new, "a/" + path, "b/" + path))


def build(directory, fix, patch, source):
    """Build and sign a leaf from the text of a patch; returns its path."""
    name = os.path.join(directory, fix)
    with open(name + ".patch", "w", encoding="utf-8") as f:
        f.write(patch)
    headers = fetched("--headers", OLD)
    given = ["-k", kernel_file(OLD), "-S", source, "-H", headers, "--id", fix]
    author("build", name + ".patch", *given, "-o", name + ".leaf")
    author("sign", name + ".leaf", "--key", DEMO_KEY)
    return name + ".leaf"


def own_edit(source):
    """The fix of proc-net-chmod as an edit of our own: read-only data that changes where it lies."""
    path = "fs/proc/proc_net.c"
    old = lines(source, path)
    at = max(i for i, line in enumerate(old) if ".getattr" in line and "proc_tgid_net_getattr" in line)
    return unified(path, old, old[: at + 1] + ["\t.setattr\t= proc_setattr,\n"] + old[at + 1 :])


@test(full=True)
def patch_real_fixes(t):
    """leaves built from the real patches of a kernel are seen and are gone again"""
    old, new = fetched("--source", OLD), fetched("--source", NEW)
    g = t.boot(kernel=OLD)
    patches = {}
    for fix, files in FIXES.items():
        patches[fix] = "".join(unified(path, lines(old, path), lines(new, path)) for path in files)
    patches["proc-net-chmod"] = own_edit(old)
    for fix, patch in patches.items():
        leaf = build(g.scratch, fix, patch, old)
        with open(leaf, "rb") as f:
            g.put(f.read(), f"/tmp/{fix}.leaf")
        probe(g, fix, "VULNERABLE")
        apply(g, fix, path=f"/tmp/{fix}.leaf")
        probe(g, fix, "FIXED")
        revert(g, fix)
        probe(g, fix, "VULNERABLE")
    newleaf(g, "status")
    t.note("built, applied, seen and reverted: " + ", ".join(patches))
    g.check_dmesg()
    g.poweroff()
