# SPDX-License-Identifier: Apache-2.0
"""A real bug of a real module: ext4 of the full flavour, whose kernel Oopses when it allocates a block. With the leaf
on, the module comes in healthy, goes and comes again; the fix is the difference of two kernels' own sources."""

import glob
import os
import re
import shutil
import tempfile

import lot

from command import apply, newleaf, revert
from guest import kernel_file
from leaves import DEMO_KEY, author
from modules import STATE, folder, get, insmod, put_package, rmmod, state
from test_patch import ALLOCATE, NEW, Fix, disk, write_patch
from test_patch import BROKEN as CLOUD
from vmtest import test

BROKEN = "linux-image-6.1.0-55-amd64"
FIX = "ext4-mballoc"


def leaf_from_patch(g):
    """Built from the difference of the two kernels' sources, signed, in the guest; the path there."""
    old, new = get("--source", BROKEN), get("--source", NEW)
    patch = write_patch(g.scratch, FIX, Fix("fs/ext4/mballoc.c").patch(old, new))
    out = os.path.join(g.scratch, FIX + ".leaf")
    author("build", patch, "-k", kernel_file(BROKEN), "-S", old, "-H", get("--headers", BROKEN), "-M", folder(BROKEN),
           "--id", FIX, "-o", out)  # fmt: skip
    author("sign", out, "--key", DEMO_KEY)
    with open(out, "rb") as f:
        g.put(f.read(), f"/tmp/{FIX}.leaf")
    return f"/tmp/{FIX}.leaf"


# What the recipe's body is made of: functions of the fixed source, as they stand there, and one of the kernel's that
# they call. Nothing of the source is kept.
HEADERS = ("ext4_jbd2.h", "mballoc.h")
HEAD = """
int ext4_mb_init_cache(struct page *page, char *incore, gfp_t gfp);
int ext4_mb_load_buddy_gfp(struct super_block *sb, ext4_group_t group, struct ext4_buddy *e4b, gfp_t gfp);
#define mb_cmp_bitmaps(e4b, bitmap) do { } while (0) /* as in a kernel that does not debug it */
"""
RECIPE = """id ext4-mballoc
version 1
description "a test: ext4 allocates a block"
consistency strict
replace ext4_mb_load_buddy_gfp with body.c allow old
replace ext4_mb_init_group with body.c allow old
"""
PARTS = ("ext4_mb_get_buddy_page_lock", "ext4_mb_put_buddy_page_lock", "ext4_mb_init_group", "ext4_mb_load_buddy_gfp")


def leaf_from_recipe(g, package, modules):
    """The same fix as a recipe, for the flavour that has ext4 built in and for the one that has it as a module."""
    old, new = get("--source", package), get("--source", NEW)
    folder_of = os.path.join(g.scratch, "recipe")
    os.makedirs(folder_of)
    for header in glob.glob(os.path.join(old, "fs/ext4/*.h")):
        shutil.copy(header, folder_of)
    text = lot.read(os.path.join(new, "fs/ext4/mballoc.c"))
    body = "".join(f'#include "{name}"\n' for name in HEADERS) + HEAD
    for name, head, start, end in lot.functions(text):
        if name in PARTS:
            exported = name in PARTS[2:]
            head = re.sub(r"\b(static|noinline_for_stack)\b", "", head) if exported else head
            body += "\n".join(["", head, *text[start : end + 1], ""])
    with open(os.path.join(folder_of, "body.c"), "w", encoding="utf-8") as f:
        f.write(body)
    recipe = os.path.join(folder_of, FIX + ".recipe")
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(RECIPE)
    out = os.path.join(g.scratch, FIX + ".leaf")
    given = ["-M", modules] if modules else []
    author("build", recipe, "-k", kernel_file(package), "-H", get("--headers", package), *given, "-o", out)
    author("sign", out, "--key", DEMO_KEY)
    with open(out, "rb") as f:
        g.put(f.read(), f"/tmp/{FIX}.leaf")
    return f"/tmp/{FIX}.leaf"


def load_ext4(g):
    """All that ext4 wants; itself into /mod."""
    for name in put_package(g, "crc32c_generic") + put_package(g, "ext4"):
        if name != "ext4":
            insmod(g, name)


def nvme(g):
    """The full flavour has NVMe as modules, too."""
    for name in put_package(g, "nvme"):
        insmod(g, name)
    g.run("i=0; until [ -b /dev/nvme1n1 ]; do usleep 20000; i=$((i + 1)); [ $i -lt 1500 ] || exit 1; done")


def as_module(t, leaf):
    """ext4 comes in with the leaf on, works, goes and comes; without the leaf it Oopses."""
    with tempfile.TemporaryDirectory() as directory:
        g = t.boot(kernel=BROKEN, more=disk(directory, "one") + disk(directory, "two"))
        path = leaf(g)
        nvme(g)
        load_ext4(g)
        apply(g, FIX, path=path)
        state(g, FIX, "ext4", STATE.waiting)
        g.run("mkdir -p /mnt")
        for _ in range(3):
            insmod(g, "ext4")
            state(g, FIX, "ext4", STATE.applied)
            g.run(ALLOCATE % 0, timeout=120)
            g.run("umount /mnt")
            rmmod(g, "ext4")
            state(g, FIX, "ext4", STATE.waiting)
        newleaf(g, "log")
        g.check_dmesg()
        insmod(g, "ext4")
        revert(g, FIX)
        g.send(ALLOCATE % 1)  # it does not come back
        g.wait_console("RIP: 0010:ext4_mb_load_buddy_gfp", timeout=120)


@test(full=True)
def modules_ext4(t):
    """ext4 of the full flavour 6.1.0-55 (ext4_mb_load_buddy_gfp, ext4_mb_init_group), the leaf made from the patch:
    healthy, unloaded and loaded again, an Oops when it is reverted"""
    as_module(t, leaf_from_patch)


@test(full=True)
def modules_ext4_recipe(t):
    """the same with the leaf from a recipe"""
    as_module(t, lambda g: leaf_from_recipe(g, BROKEN, folder(BROKEN)))


@test(full=True)
def modules_ext4_cloud(t):
    """the same recipe for the flavour that has ext4 built in"""
    with tempfile.TemporaryDirectory() as directory:
        g = t.boot(kernel=CLOUD, more=disk(directory, "one") + disk(directory, "two"))
        apply(g, FIX, path=leaf_from_recipe(g, CLOUD, None))
        g.run("mkdir -p /mnt")
        g.run(ALLOCATE % 0, timeout=120)
        g.check_dmesg()
        revert(g, FIX)
        g.send(ALLOCATE % 1)
        g.wait_console("RIP: 0010:ext4_mb_load_buddy_gfp", timeout=120)


@test(full=True)
def modules_ext4_stock(t):
    """the same without Newleaf: an Oops"""
    with tempfile.TemporaryDirectory() as directory:
        g = t.boot(kernel=BROKEN, newleaf=False, more=disk(directory, "one") + disk(directory, "two"))
        nvme(g)
        load_ext4(g)
        g.run("mkdir -p /mnt")
        insmod(g, "ext4")
        g.send(ALLOCATE % 0)
        g.wait_console("RIP: 0010:ext4_mb_load_buddy_gfp", timeout=60)
