# SPDX-License-Identifier: Apache-2.0
"""Fixes that nobody has tried: differences between two stock kernels' sources of a line, fetched when run and drawn by
lot, each built, applied, counted under a load and reverted. Of those that are of one file, nine in ten must become
leaves, and what does not is told with its reason. Nothing of the sources is kept."""

import os
import tempfile

import lot
import tries
from vmtest import test

KNOWN = (  # what the makers have looked at before, and practised on
    "fs/proc/proc_net.c", "kernel/sys.c", "kernel/time/namespace.c", "block/ioprio.c", "io_uring/rsrc.c",
    "fs/proc/fd.c", "mm/mempolicy.c", "kernel/trace/trace_eprobe.c", "fs/ext4/mballoc.c",
    "kernel/entry/common.c", "fs/dcache.c", "mm/swapfile.c", "security/keys/keyctl.c", "kernel/time/itimer.c",
    "mm/shmem.c", "mm/secretmem.c", "net/netlink/af_netlink.c", "net/ipv4/sysctl_net_ipv4.c",
)  # fmt: skip
LINES = {  # old, new, how many, without
    "6.1": ("linux-image-6.1.0-50-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64", 30, KNOWN),
    "6.12": ("linux-image-6.12.95+deb12-cloud-amd64", "linux-image-6.12.117+deb12-cloud-amd64", 20,
             ("kernel/sys.c", "kernel/time/namespace.c")),
    "7.2": ("linux-image-7.2.9+deb13-cloud-amd64", "linux-image-7.2.12+deb13-cloud-amd64", 16, ()),
}  # fmt: skip


def heldback(t, old, new, count, without):
    source, later = tries.get("--source", old), tries.get("--source", new)
    with tempfile.TemporaryDirectory() as directory:
        patches = []
        for i, (path, _, patch) in enumerate(lot.draw(source, later, tries.symbols(old), lot.SEED, count, without)):
            name = path.removesuffix(".c").replace("/", "-").replace("_", "-").lower()[:40]
            patches.append(os.path.join(directory, f"{i:02}-{name}.patch"))
            with open(patches[-1], "w", encoding="utf-8", errors="surrogateescape") as f:
                f.write(patch)
        tried = tries.attempt(t, patches, old, source, directory)
    for one in tried:
        t.note(one.row())
    fit = [one for one in tried if one.answer in ("leaf", "refused")]
    good = [one for one in fit if one.good]
    hit = sum(one.hits > 0 for one in good)
    t.note(f"{len(good)} of {len(fit)} fixes of one file, {hit} executed; seed {lot.SEED}")
    t.expect(all(one.good for one in fit if one.answer == "leaf"), "a leaf was not applied or not reverted")
    t.expect(10 * len(good) >= 9 * len(fit) > 0, "fewer than nine in ten")


def register_lines():
    for line, given in LINES.items():

        def run(t, given=given):
            heldback(t, *given)

        run.__doc__ = f"fixes of {line} that nobody has tried, drawn by lot: built, applied, counted and reverted"
        test(full=True, name="heldback_" + line.replace(".", "_"))(run)


register_lines()
