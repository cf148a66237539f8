# SPDX-License-Identifier: Apache-2.0
"""Patches tried on a kernel, as scripts/try-patches and the tests `heldback-*` do: each is built with hit counters,
all leaves are applied in one boot of a guest, one after the other, a load walks through the kernel, the counters are
read, and each leaf is reverted. Told is what became of each patch. A script PATCH.sh beside PATCH.patch runs in the
guest, after the load, while the leaf is applied."""

import argparse
import dataclasses
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))

from command import newleaf  # noqa: E402
from guest import NO_CX16, TOP, Failure, Skip, kernel_file  # noqa: E402
from leaves import AUTHOR, DEMO_KEY, author  # noqa: E402

OWN = r"(traps: )?broad\[\d+\]"  # the load's own processes call what ends them
# What a root shell reaches: a file system on a disk of its own, blocks read around the cache, a tracer of each kind,
# pages that move, a thaw.
SHELL = r"""
mkdir -p /mnt/try && mount -t ext4 /dev/nvme0n1 /mnt/try && {
	mkdir /mnt/try/d; for i in 1 2 3 4 5; do echo $i >/mnt/try/d/$i; done
	dd if=/dev/zero of=/mnt/try/big bs=4096 count=200; sync; echo 3 >/proc/sys/vm/drop_caches
	ls -lR /mnt/try; cat /mnt/try/d/* /mnt/try/big; mv /mnt/try/d/1 /mnt/try/d/6; rm -r /mnt/try/d /mnt/try/big
	fstrim /mnt/try
}
trace=/sys/kernel/tracing
mount -t tracefs none $trace
echo do_nanosleep >$trace/set_ftrace_filter # all functions would take minutes
echo function_graph >$trace/current_tracer; echo nop >$trace/current_tracer
echo blk >$trace/current_tracer; echo 1 >/sys/block/nvme0n1/trace/enable
dd if=/dev/nvme0n1 of=/dev/null bs=4096 count=16 iflag=direct
head -n 20 $trace/trace
echo 0 >/sys/block/nvme0n1/trace/enable; echo nop >$trace/current_tracer
echo 'p:try do_nanosleep' >$trace/kprobe_events; echo 1 >$trace/events/kprobes/try/enable; sleep 1
echo 0 >$trace/events/kprobes/try/enable; echo >$trace/kprobe_events
umount /mnt/try
echo 1 >/proc/sys/vm/compact_memory
echo j >/proc/sysrq-trigger
tc qdisc add dev lo root fq_codel; ping -c 1 127.0.0.1; tc qdisc del dev lo root
for f in /sys/bus/acpi/devices/*/status $(find /sys/firmware /sys/kernel/security -type f); do cat $f; done
echo 2 >/proc/sys/net/core/bpf_jit_harden
reach
"""
ANSWERS = {0: "leaf", 3: "nothing", 10: "leaf"}


@dataclasses.dataclass
class Try:
    patch: str
    answer: str = ""  # leaf, nothing, other files, refused
    why: str = ""
    id: str = ""
    leaf: str = ""
    functions: int = 0
    hits: int = -1  # -1: was not applied
    reverted: bool = False

    @property
    def name(self):
        return os.path.basename(self.patch).removesuffix(".patch")

    @property
    def good(self):
        return self.answer == "leaf" and self.hits >= 0 and self.reverted

    def row(self):
        if self.answer != "leaf":
            return f"{self.name:44} {self.answer:12} {self.why}"
        seen = "-" if self.hits < 0 else f"{self.hits} calls" if self.hits else "not reached"
        end = "reverted" if self.reverted else "not applied" if self.hits < 0 else "NOT REVERTED"
        return f"{self.name:44} {self.answer:12} {self.functions} functions, {seen}, {end} {self.why}".rstrip()


def symbols(package):
    """Names of the image."""
    done = subprocess.run(
        [AUTHOR, "symbols", "-k", kernel_file(package), "*"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise Failure(f"newleaf-author symbols: {done.stderr}")
    return {line.split()[3].split("#")[0] for line in done.stdout.splitlines() if len(line.split()) > 3}


def get(kind, package):
    """A directory of scripts/get-kernel."""
    command = [os.path.join(TOP, "scripts", "get-kernel"), kind, package]
    got = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if got.returncode == 11:
        raise Skip(got.stderr.strip().splitlines()[-1])
    if got.returncode != 0:
        raise Failure(f"get-kernel {kind} {package}: {got.stderr}")
    return got.stdout.strip()


def build(patch, kernel, source, headers, out, again=True):
    """Builds one; its answer. A leaf that is there already may do."""
    t = Try(patch)
    t.id = re.sub(r"[^a-z0-9.]+", "-", t.name.lower()).strip("-.")[:47]
    t.leaf = os.path.join(out, t.name + ".leaf")
    if not again and os.path.exists(t.leaf):
        t.answer = "leaf"
        return t
    given = ["-k", kernel, "-S", source, "-H", headers, "--counters", "--id", t.id, "-o", t.leaf]
    done = subprocess.run(
        [AUTHOR, "build", patch, *given], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    with open(os.path.join(out, t.name + ".txt"), "w", encoding="utf-8") as f:
        f.write(done.stdout + done.stderr)
    t.answer = ANSWERS.get(done.returncode, "refused")
    if t.answer == "leaf":
        author("sign", t.leaf, "--key", DEMO_KEY)
        return t
    why = re.search(r"^ +why +(.*)$", done.stderr, re.M)
    t.why = why[1] if why else done.stderr.strip()
    # The unit as it is compiled; with the patch it does not.
    if done.returncode == 4 and "NL_ECOMPILE" in done.stderr and "does not compile" in t.why:
        t.answer = "other files"
    return t


def put(g, path, name):
    with open(path, "rb") as f:
        g.put(f.read(), name)


def run(g, tries, load):
    """Applies all leaves, one after the other, loads, counts, reverts."""
    leaves = [t for t in tries if t.answer == "leaf"]
    for t in leaves:
        put(g, t.leaf, "/tmp/try.leaf")
        answer = g.call("newleaf apply --deadline 5s /tmp/try.leaf 2>&1", timeout=120)
        if answer.code == 0:
            t.hits = 0
        else:
            t.why = "NOT APPLIED: " + " ".join(answer.out.split())
    g.run(f"{load} >/dev/null 2>&1", timeout=1800)
    g.run(f"({SHELL}) >/tmp/try.out 2>&1; true", timeout=300)
    for t in leaves:
        script = t.patch.removesuffix(".patch") + ".sh"
        if t.hits >= 0 and os.path.exists(script):
            put(g, script, "/tmp/try.sh")
            g.run("sh /tmp/try.sh >/dev/null 2>&1", timeout=120)
    counted = {leaf["id"]: leaf["hits_by_function"] for leaf in newleaf(g, "status")["leaves"]}
    for t in leaves:
        if t.hits >= 0:
            t.hits, t.functions = sum(counted[t.id]), len(counted[t.id])
    for t in reversed(leaves):
        t.reverted = t.hits >= 0 and newleaf(g, f"revert {t.id}")["result"] == "ok"
    g.run("load --once")
    g.check_dmesg(allow=OWN)


def attempt(context, patches, package, source, out, load="broad", again=True):
    """Builds and runs them; [Try]."""
    kernel, headers = kernel_file(package), get("--headers", package)
    tries = []
    for patch in patches:
        tries.append(build(patch, kernel, source, headers, out, again))
        print(f"    {tries[-1].name}: {tries[-1].answer} {tries[-1].why}", file=sys.stderr, flush=True)
    if any(t.answer == "leaf" for t in tries):
        model = NO_CX16 if not re.match(r"linux-image-(5|6\.1)\.", package) else ""
        with tempfile.TemporaryDirectory() as scratch:
            disk = os.path.join(scratch, "disk")
            make = ["mkfs.ext4", "-q", "-O", "inline_data", "-I", "256", disk, "64M"]
            subprocess.run(make, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            nvme = ("-drive", f"file={disk},format=raw,if=none,id=try", "-device", "nvme,drive=try,serial=try")
            g = context.boot(kernel=package, model=model, memory=1536, more=nvme)
        run(g, tries, load)
        g.poweroff()
    return tries


def main():
    from vmtest import Context, stop_all

    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, stop_all)
    parser = argparse.ArgumentParser(prog="try-patches")
    parser.add_argument("directory")
    parser.add_argument("-k", "--kernel", required=True)
    parser.add_argument("-S", "--source")
    parser.add_argument("-o", "--output")
    parser.add_argument("--load", default="broad")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    patches = sorted(
        os.path.join(options.directory, f) for f in os.listdir(options.directory) if f.endswith(".patch")
    )
    context, code = Context("try-patches"), 1
    try:
        with tempfile.TemporaryDirectory() as scratch:
            out = options.output or scratch
            os.makedirs(out, exist_ok=True)
            source = options.source or get("--source", options.kernel)
            tries = attempt(context, patches, options.kernel, source, out, options.load, not options.keep)
        for t in tries:
            print(t.row())
        leaves = [t for t in tries if t.answer == "leaf"]
        code = 0 if tries and all(t.good for t in leaves) else 1
        print(
            f"{len(tries)} patches: {len(leaves)} leaves, {sum(t.good for t in leaves)} of them applied and reverted, "
            f"{sum(t.hits > 0 for t in leaves)} executed; " + ", ".join(
                f"{n} {word}" for word in ("nothing", "other files", "refused")
                if (n := sum(t.answer == word for t in tries))
            )
        )
    except Skip as reason:
        print(f"try-patches: cannot run here: {reason}", file=sys.stderr)
        code = 11
    except Failure as failure:
        print(f"try-patches: {failure}", file=sys.stderr)
    finally:
        context.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
