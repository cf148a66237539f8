# SPDX-License-Identifier: Apache-2.0
"""Leaves straight from patches: the real differences between two stock kernels' sources, fetched when run, built,
applied, seen and reverted. Nothing of the sources is kept."""

import difflib
import os
import re
import subprocess
import tempfile

from command import apply, newleaf, probe, revert
from guest import TOP, Failure, Skip, kernel_file
from leaves import AUTHOR, DEMO_KEY, author
from vmtest import test

OLD, NEW = "linux-image-6.1.0-50-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"
BROKEN = "linux-image-6.1.0-55-cloud-amd64"  # differs from NEW by ext4-mballoc alone


class Fix:
    """The patch of a fix: the difference of these files, or of it only the blocks of lines that match `only`, or those
    that do not match `without`, where a file holds other fixes, too."""

    def __init__(self, *files, only=None, without=None):
        self.files, self.only, self.without = files, only, without

    def wanted(self, text):
        return not (self.only and not re.search(self.only, text)) and not (
            self.without and re.search(self.without, text)
        )

    def patch(self, old, new):
        return "".join(unified(path, *self.sides(lines(old, path), lines(new, path))) for path in self.files)

    def sides(self, old, new):
        result = []
        for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            keep = kind == "equal" or not self.wanted("".join(old[i:j] + new[k:m]))
            result += old[i:j] if keep else new[k:m]
        return old, result


PROC = ("proc_net.c", "base.c", "fd.c", "namespaces.c", "internal.h")
KEYS = ("keyctl.c", "request_key_auth.c", "request_key.c", "process_keys.c", "internal.h")
# What becomes a leaf, and what asks for it; last what costs the guest a task.
LEAVES = {
    "prctl-auxv": (Fix("kernel/sys.c"), ["repro prctl-auxv"]),
    "timens-range": (Fix("kernel/time/namespace.c"), ["repro timens-range"]),
    "uring-pin": (Fix("io_uring/rsrc.c"), ["repro uring-pin"]),
    "fs-proc": (Fix(*("fs/proc/" + f for f in PROC)), ["repro proc-net-chmod", "corpus fdinfo-perm"]),
    "eprobe-match": (Fix("kernel/trace/trace_eprobe.c"), ["corpus eprobe-match"]),
    "keys-describe": (Fix("security/keys/keyctl.c", without="rka|request_key_auth|EKEYREV"), ["corpus keys-describe"]),
    "dcache-mount": (Fix("fs/dcache.c"), ["corpus dcache-mount"]),
    "swapon-encrypted": (Fix("mm/swapfile.c"), ["corpus swapon-encrypted"]),
    "ioprio-hint": (Fix("block/ioprio.c", "include/uapi/linux/ioprio.h"), ["repro ioprio-hint"]),
    "migrate-null": (Fix("mm/mempolicy.c"), ["corpus migrate-null"]),
}
FEW = ("prctl-auxv", "timens-range", "uring-pin")
# What does not, and what must be said of it.
REFUSED = {
    "itimer-zero": (Fix("kernel/time/itimer.c"), "NL_NOTHING", "makes the same"),
    "shmem-huge": (
        Fix("mm/shmem.c", "include/linux/pagemap.h", "mm/readahead.c"),
        "NL_NOTHING",
        "makes the same",
    ),
    "keyring-rka": (
        Fix("include/keys/request_key_auth-type.h", *("security/keys/" + f for f in KEYS)),
        "NL_ESITE",
        "layout of struct request_key_auth",
    ),
    "netlink-hash": (Fix("net/netlink/af_netlink.c"), "NL_ESITE", "layout of struct netlink_compare_arg"),
    "keepalive-timer": (
        Fix(
            "include/net/inet_connection_sock.h",
            "net/ipv4/inet_connection_sock.c",
            "net/ipv4/tcp_timer.c",
            only="keepalive_timer|tout_timer",
        ),
        "NL_ESITE",
        "layout of struct inet_connection_sock",
    ),
    "notify-signal": (
        Fix("include/linux/sched/signal.h", "include/linux/sched.h", only="NOTIFY_SIGNAL|cleanup"),
        "NL_EUNSUPPORTED",
        "each with a copy",
    ),
    "secretmem": (Fix("mm/secretmem.c"), "NL_ESITE", "struct secretmem_inode_state"),
    "seccomp-trace": (Fix("kernel/entry/common.c"), "NL_ESITE", "syscall_trace_enter.constprop.0"),
    "tcp-sysctl": (Fix("net/ipv4/sysctl_net_ipv4.c"), "NL_ESITE", "ipv4_net_table"),
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


def write_patch(directory, fix, patch):
    name = os.path.join(directory, fix + ".patch")
    with open(name, "w", encoding="utf-8") as f:
        f.write(patch)
    return name


def command(directory, fix, patch, package, source):
    given = ["-k", kernel_file(package), "-S", source, "-H", fetched("--headers", package), "--id", fix]
    return ["build", write_patch(directory, fix, patch), *given]


def build(directory, fix, patch, package, source):
    """Build and sign a leaf from the text of a patch; returns its path."""
    leaf = os.path.join(directory, fix + ".leaf")
    author(*command(directory, fix, patch, package, source), "-o", leaf)
    author("sign", leaf, "--key", DEMO_KEY)
    return leaf


def own_edit(source):
    """The fix of proc-net-chmod as an edit of our own: read-only data that changes where it lies."""
    path = "fs/proc/proc_net.c"
    old = lines(source, path)
    at = max(i for i, line in enumerate(old) if ".getattr" in line and "proc_tgid_net_getattr" in line)
    return unified(path, old, old[: at + 1] + ["\t.setattr\t= proc_setattr,\n"] + old[at + 1 :])


def see(g, questions, expected):
    """Each question is answered as expected, or says that it WORKS in any case."""
    for question in questions:
        out = g.call(question, timeout=120).out.strip()
        if not out.endswith(("-> " + expected, "-> WORKS")):
            raise Failure(f"{question}: expected {expected}: {out}")


def there_and_back(g, fix, patch, package, source, questions):
    """Built, seen to be needed, applied, seen, reverted, seen to be gone."""
    with open(build(g.scratch, fix, patch, package, source), "rb") as f:
        g.put(f.read(), f"/tmp/{fix}.leaf")
    see(g, questions, "VULNERABLE")
    apply(g, fix, path=f"/tmp/{fix}.leaf")
    see(g, questions, "FIXED")
    revert(g, fix)
    see(g, questions, "VULNERABLE")


@test(full=True)
def patch_real_fixes(t):
    """leaves built from the real patches of a kernel are seen and are gone again"""
    old, new = fetched("--source", OLD), fetched("--source", NEW)
    g = t.boot(kernel=OLD)
    patches = {fix: LEAVES[fix][0].patch(old, new) for fix in FEW}
    for fix, patch in patches.items():
        there_and_back(g, fix, patch, OLD, old, LEAVES[fix][1])
    there_and_back(g, "proc-net-chmod", own_edit(old), OLD, old, ["repro proc-net-chmod"])
    newleaf(g, "status")
    t.note("built, applied, seen and reverted: " + ", ".join(patches) + ", proc-net-chmod")
    g.check_dmesg()
    g.poweroff()


def disk(directory, name):
    """An ext4 of its own for a guest whose kernel has NVMe and no loop devices: QEMU's options for it."""
    path = os.path.join(directory, name)
    made = subprocess.run(["mkfs.ext4", "-q", "-b", "4096", path, "64M"], capture_output=True, text=True)
    if made.returncode:
        raise Failure(f"mkfs.ext4: {made.stderr}")
    return ("-drive", f"if=none,id={name},format=raw,file={path}", "-device", f"nvme,drive={name},serial={name}")


def two_nodes(megabytes):
    """Half of the memory on each of two NUMA nodes, of which the first has the CPUs."""
    options = ()
    for node, cpus in enumerate((",cpus=0-1", "")):
        options += ("-object", f"memory-backend-ram,id=m{node},size={megabytes // 2}M")
        options += ("-numa", f"node,nodeid={node},memdev=m{node}{cpus}")
    return options


@test(full=True)
def patch_corpus(t):
    """every row of the table of real fixes that becomes a leaf, from the kernels' own difference"""
    old, new = fetched("--source", OLD), fetched("--source", NEW)
    with tempfile.TemporaryDirectory() as directory:
        g = t.boot(kernel=OLD, more=disk(directory, "disk") + two_nodes(1024))
        g.run("mkdir -p /mnt && mount -t ext4 /dev/nvme0n1 /mnt")
        for fix, (patch, questions) in LEAVES.items():
            if fix == "migrate-null":  # it costs the unpatched kernel an Oops
                g.check_dmesg()
            there_and_back(g, fix, patch.patch(old, new), OLD, old, questions)
            t.note(fix)
        g.poweroff()


ALLOCATE = """
umount /mnt 2>/dev/null; mount -t ext4 -o nodelalloc /dev/nvme%dn1 /mnt || exit 9
sh -c 'dd if=/dev/zero of=/mnt/a bs=64k count=8 2>/dev/null && sync && echo 3 >/proc/sys/vm/drop_caches &&
	dd if=/dev/zero of=/mnt/b bs=64k count=8 2>/dev/null && sync'
"""


@test(full=True)
def patch_corpus_ext4(t):
    """the row ext4-mballoc, whose kernel Oopses when it allocates a block"""
    old, new = fetched("--source", BROKEN), fetched("--source", NEW)
    with tempfile.TemporaryDirectory() as directory:
        g = t.boot(kernel=BROKEN, more=disk(directory, "one") + disk(directory, "two"))
        leaf = build(g.scratch, "ext4-mballoc", Fix("fs/ext4/mballoc.c").patch(old, new), BROKEN, old)
        with open(leaf, "rb") as f:
            g.put(f.read(), "/tmp/ext4-mballoc.leaf")
        g.run("mkdir -p /mnt")
        apply(g, "ext4-mballoc", path="/tmp/ext4-mballoc.leaf")
        g.run(ALLOCATE % 0)
        g.check_dmesg()
        g.run("umount /mnt")
        revert(g, "ext4-mballoc")
        g.send(ALLOCATE % 1)  # it does not come back
        g.wait_console("RIP: 0010:ext4_mb_load_buddy_gfp", timeout=60)


@test(full=True)
def patch_corpus_refused(t):
    """every other row: nothing to patch, or refused by its true reason"""
    old, new = fetched("--source", OLD), fetched("--source", NEW)
    wrong = []
    with tempfile.TemporaryDirectory() as directory:
        for fix, (patch, name, text) in REFUSED.items():
            arguments = command(directory, fix, patch.patch(old, new), OLD, old)
            got = subprocess.run([AUTHOR, *arguments, "--dry-run"], capture_output=True, text=True)
            if f"[{name}," not in got.stderr or text not in got.stderr:
                wrong.append(f"{fix}: expected {name} and '{text}': {got.stdout} {got.stderr}")
    if wrong:
        raise Failure("\n".join(wrong))
    t.note(", ".join(REFUSED))
