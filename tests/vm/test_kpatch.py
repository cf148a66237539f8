# SPDX-License-Identifier: Apache-2.0
"""kpatch's own integration patches (github.com/dynup/kpatch, test/integration). KPATCH_TESTS names a directory with
folders of them, as linux-6.2.0 and rhel-8.10; they are fetched when run, and nothing of them is kept here. What fits
this kernel is built, applied, checked by the script that kpatch has for it, and reverted; what kpatch says must fail
is refused."""

import glob
import os
import re
import subprocess
import tempfile

from command import apply, newleaf, revert
from guest import Skip, kernel_file
from leaves import AUTHOR, DEMO_KEY, author
from test_patch import OLD, fetched
from vmtest import test

OTHER = "it is for another source"
# What a leaf cannot have, of patches that kpatch takes. All else of them must become leaves.
LAWFUL = re.compile(r"is a part of the module |uses \w+_CALLBACK: a callback|needs an entry in \.\w+: ")
# So that what is replaced runs, too: readers, writers, fork and exit, names, timers, packets, directories.
LOAD = """
cat /proc/meminfo /proc/cmdline /proc/slabinfo /proc/self/status >/dev/null
find /proc/sys/kernel /proc/sys/net/ipv4 -type f -exec cat {} + >/dev/null 2>&1
( ls -lR /dev | sort | tail -n 1 ) >/dev/null; hostname leaf; unshare -n true
ping -c 2 127.0.0.1 >/dev/null; ip route add 192.0.2.0/24 dev lo; ip route del 192.0.2.0/24 dev lo
echo "a line for the terminal" >/dev/console; sleep 1
"""
# Patches whose only sign is what they print: the new code's own words.
SAID = {
    "gcc-isra": "testing gcc .isra function name mangling",
    "parainstructions-section": "testing change to .parainstructions section",
    "macro-printk": "[fib_table_insert]: cross",
}
TOGETHER_NOT = "meminfo-string"  # as in kpatch's multiple.test: it changes what data-new changes


class Patch:
    def __init__(self, path):
        self.path = path
        self.folder, self.name = os.path.basename(os.path.dirname(path)), os.path.basename(path)[: -len(".patch")]
        self.fails = self.name.endswith("-FAIL")
        self.id = re.sub(r"[^a-z0-9.-]", "-", f"{self.folder}.{self.name}".lower())
        check = path[: -len(".patch")] + "-LOADED.test"
        self.check = open(check, "rb").read() if os.path.exists(check) else None
        self.leaf = self.why = None

    def __str__(self):
        return f"{self.folder}/{self.name}"

    def build(self, t, directory, given):
        """A leaf, or why not."""
        out = os.path.join(directory, self.id + ".leaf")
        command = [AUTHOR, "build", self.path, *given, "--id", self.id, "-o", out]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            author("sign", out, "--key", DEMO_KEY)
            self.leaf = out
            return
        self.why = re.sub(r"(?s).*^ +why +(.*?)\n.*", r"\1", done.stderr, flags=re.M)
        t.expect(done.returncode in (3, 4, 5, 7), f"{self}: build ended with {done.returncode}: {done.stderr}")
        t.expect(not os.path.exists(out), f"{self}: refused, and there is a leaf")


def seen(g, patch):
    """Does kpatch's own check, or the log, say that the new code runs?"""
    if patch.check:
        return g.call(f"sh /tmp/{patch.id}.test").code == 0
    count = f"dmesg | grep -cF '{SAID[patch.name]}' || true"
    before = int(g.run(count))
    g.run(LOAD, timeout=120)
    return int(g.run(count)) > before


def all_patches():
    top = os.environ.get("KPATCH_TESTS")
    if not top:
        raise Skip("KPATCH_TESTS names no directory with folders of kpatch's integration patches")
    found = sorted(glob.glob(os.path.join(top, "*", "*.patch")))
    if not found:
        raise Skip(f"KPATCH_TESTS={top} has no */*.patch")
    return [Patch(path) for path in found]


def together(t, g, patches):
    """As kpatch's multiple.test: all of a folder that have a check."""
    for folder in sorted({p.folder for p in patches}):
        some = [p for p in patches if p.folder == folder and p.check and p.name != TOGETHER_NOT]
        for p in some:
            apply(g, p.id, path=f"/tmp/{p.id}.leaf")
        for p in some:
            t.expect(seen(g, p), f"{p}: applied with others, its check fails")
        for p in reversed(some):
            revert(g, p.id)
        for p in some:
            t.expect(not seen(g, p), f"{p}: reverted with others, its check passes")


@test(full=True)
def kpatch(t):
    """kpatch's integration patches (KPATCH_TESTS=DIR) become leaves that its own checks see, or are refused rightly"""
    patches = all_patches()
    source, headers = fetched("--source", OLD), fetched("--headers", OLD)
    with tempfile.TemporaryDirectory() as directory:
        for p in patches:
            p.build(t, directory, ["-k", kernel_file(OLD), "-S", source, "-H", headers])
            if p.fails:
                t.expect(p.why, f"{p}: must fail, and was built")
            elif p.why:
                t.expect(OTHER in p.why or LAWFUL.search(p.why), f"{p}: refused: {p.why}")
            t.note(f"{p}: {p.why or 'built'}")
        in_a_guest(t, patches)


def in_a_guest(t, patches):
    """Apply, see, revert; one by one and together."""
    g = t.boot(kernel=OLD)
    built = [p for p in patches if p.leaf]
    for p in built:
        with open(p.leaf, "rb") as f:
            g.put(f.read(), f"/tmp/{p.id}.leaf")
        if p.check:
            g.put(p.check, f"/tmp/{p.id}.test")
    g.run(LOAD, timeout=120)
    for p in built:
        shows = p.check or p.name in SAID
        t.expect(not (shows and seen(g, p)), f"{p}: seen before it is applied")
        apply(g, p.id, path=f"/tmp/{p.id}.leaf")
        if not shows:
            g.run(LOAD, timeout=120)
        t.expect(not shows or seen(g, p), f"{p}: applied and not seen")
        revert(g, p.id)
        t.expect(not (shows and seen(g, p)), f"{p}: seen after it is reverted")
    together(t, g, built)
    left = [leaf["id"] for leaf in newleaf(g, "status")["leaves"] if leaf["state"] != "reverted"]
    t.expect(not left, f"leaves are left: {left}")
    refused = [p for p in patches if p.why and OTHER not in p.why]
    checked = sum(bool(p.check) or p.name in SAID for p in built)
    t.note(
        f"{len(patches)} patches: {len(built)} built, applied and reverted, {checked} of them seen;"
        f" {len(refused)} refused; {len(patches) - len(built) - len(refused)} for another source"
    )
    g.check_dmesg()
    g.poweroff()
