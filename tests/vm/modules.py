# SPDX-License-Identifier: Apache-2.0
"""Modules for guests: the test's own (tests/modules), built against a kernel's headers by the compiler of its line,
and those of the kernel's package, unpacked; loaded and unloaded in a guest. Built once for each kernel and kept in
build/modules."""

import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import subprocess

from command import newleaf
from guest import BUILD, TOP, Failure, Skip, kernel_file
from leaves import DEMO_KEY, author

SOURCES = os.path.join(TOP, "tests", "modules")
OTHER = "-DOTHER_BUILD"  # the same modules, another build


def get(what, package):
    """What scripts/get-kernel prints."""
    done = subprocess.run(
        [os.path.join(TOP, "scripts", "get-kernel"), what, package.removeprefix("guest:")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 11:
        raise Skip(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise Failure(f"get-kernel {what} {package}: {done.stderr}")
    return done.stdout.strip()


def release_of(package):
    return os.path.basename(kernel_file(package)).removeprefix("vmlinuz-")


def tools(headers, compiler, directory):
    """Words for make's command line where the kernel's own tools need a younger C library than the machine has: the one
    that came with the compiler."""
    root = os.path.join(os.path.dirname(os.path.dirname(compiler)), "root")
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    words = []
    for word, tool in (("objtool", "tools/objtool/objtool.real-x86"), ("MODPOST", "scripts/mod/modpost.real-lsb-64")):
        real = os.path.join(headers, tool)
        if not os.path.exists(real):  # an old line, whose tools are what they are called
            continue
        if "version `GLIBC" not in subprocess.run([real, "-h"], capture_output=True, text=True).stderr:
            continue
        path = os.path.join(directory, word)
        with open(path, "w", encoding="utf-8") as f:
            f.write(
                f"#!/bin/sh\nexec {libraries}/ld-linux-x86-64.so.2 --library-path "
                f'{libraries}:{root}/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu {real} "$@"\n'
            )
        os.chmod(path, 0o755)
        words.append(f"{word}={path}")
    return words


def make(package, directory, flags):
    """kbuild in a directory that holds the sources."""
    release, headers = release_of(package), get("--headers", package)
    own = os.path.join(headers, "usr/src", "linux-headers-" + release)
    common = glob.glob(os.path.join(headers, "usr/src", "linux-headers-*-common*"))
    if not os.path.exists(own) or len(common) != 1:
        raise Failure(f"{headers} holds no headers for {release}")
    compiler = get("--compiler", package)
    command = ["make", "-s", "-C", own, "-f", os.path.join(common[0], "Makefile"), f"O={own}", f"M={directory}"]
    command += [f"CC={compiler}", f"NEWLEAF_FLAGS={flags}", "CONFIG_DEBUG_INFO_BTF_MODULES="]
    command += [*tools(own, compiler, directory), "modules"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr[-3000:]}")
    subprocess.run(["strip", "--strip-debug", *glob.glob(os.path.join(directory, "*.ko"))], check=True)


def built(package, flags="", sources=SOURCES):
    """The directory with the test's modules for a kernel."""
    digest = hashlib.sha256((kernel_file(package) + flags).encode())
    for path in sorted(glob.glob(os.path.join(sources, "*.[ch]")) + [os.path.join(sources, "Kbuild")]):
        with open(path, "rb") as f:
            digest.update(os.path.basename(path).encode() + f.read())
    directory = os.path.join(BUILD, "modules", release_of(package), digest.hexdigest()[:16])
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(directory):
            work = directory + ".part"
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(sources, work)
            make(package, work, flags)
            os.rename(work, directory)
    return directory


def own(package):
    """The files of the test's modules that leaves are for."""
    names = ("gate", "victim", "victim2", "exploit", "failing", "wide")
    return [os.path.join(built(package), name + ".ko") for name in names]


def test_module(package, name, flags=""):
    with open(os.path.join(built(package, flags), name + ".ko"), "rb") as f:
        return f.read()


def folder(package):
    """Where the package's modules are."""
    kernel = os.path.dirname(os.path.dirname(kernel_file(package)))
    return os.path.join(kernel, "lib/modules", release_of(package))


def package_module(package, name):
    """A module of the package and those that it wants: [(name, bytes)] in the order in which they go in."""
    found = [
        path
        for path in glob.glob(os.path.join(folder(package), "kernel/**/*.ko*"), recursive=True)
        if os.path.basename(path).split(".ko")[0].replace("-", "_") == name
    ]
    if len(found) != 1:
        raise Skip(f"{release_of(package)} has no module {name}")
    data = unpacked(found[0])
    wants = re.search(rb"\0depends=([^\0]*)", data)[1].decode().replace("-", "_")
    parts = {}
    for want in filter(None, wants.split(",")):
        parts.update(package_module(package, want))
    parts[name] = data
    return list(parts.items())


def unpacked(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as f:
        return f.read()


def put_modules(g, *names, flags="", to="/mod"):
    """The test's modules into a guest."""
    g.run(f"mkdir -p {to}")
    for name in names:
        g.put(test_module(g.machine.kernel, name, flags), f"{to}/{name}.ko")


def put_package(g, name, to="/mod"):
    """A module of the package with what it wants, into a guest; their names in the order in which they go in."""
    g.run(f"mkdir -p {to}")
    parts = package_module(g.machine.kernel, name)
    for part, data in parts:
        g.put(data, f"{to}/{part}.ko")
    return [part for part, _ in parts]


def leaf(directory, package, name, modules, recipe=None):
    """Build and sign the leaf of a recipe (tests/modules/leaves/NAME.recipe) for a kernel and its modules (directories
    or files); its path."""
    out = os.path.join(directory, name + ".leaf")
    given = [word for m in modules for word in ("-M", m)]
    recipe = recipe or os.path.join(SOURCES, "leaves", name + ".recipe")
    author("build", recipe, "-k", kernel_file(package), "-H", get("--headers", package), *given, "-o", out)
    author("sign", out, "--key", DEMO_KEY)
    return out


def put_leaf(g, name, modules=None, recipe=None, to=None):
    """Such a leaf into a guest, for the test's modules unless others are named."""
    path = leaf(g.scratch, g.machine.kernel, name, modules or own(g.machine.kernel), recipe)
    to = to or f"/tmp/{name}.leaf"
    with open(path, "rb") as f:
        g.put(f.read(), to)
    return to


# -- in a guest --


class STATE:
    """What `newleaf status` says of a module of a leaf."""

    applied, waiting, other, unpatched = "patched", "waiting", "other-build", "unpatched"


def insmod(g, name, arguments="", refused=None):
    """Load a module of /mod; refused: a word of the reason for which it must not come in."""
    said = g.call(f"insmod /mod/{name}.ko {arguments}")
    if refused is None and said.code != 0:
        raise Failure(f"insmod {name} {arguments}: {said.out}\n{g.run('dmesg | tail -5')}")
    if refused is not None and (said.code == 0 or refused not in said.out):
        raise Failure(f"insmod {name} {arguments}: expected '{refused}', got {said}")


def rmmod(g, *names):
    for name in names:
        g.run(f"rmmod {name}")


def parameter(module, name):
    return f"/sys/module/{module}/parameters/{name}"


def answers(g, module, word):
    """What a module's function answers must be VULNERABLE or FIXED."""
    said = g.run(f"cat {parameter(module, 'ask')}").strip()
    if said != word:
        raise Failure(f"{module}: expected {word}, it answers {said}")


def fresh(g):
    g.run(f"echo >{parameter('gate', 'said')}")


def book(g, expected):
    """What the modules wrote since fresh(): {place: word}, the same each time."""
    lines = g.run(f"cat {parameter('gate', 'said')}").split("\n")
    said = dict(line.split() for line in lines if line)
    if said != expected or len(set(filter(None, lines))) != len(said):
        raise Failure(f"expected {expected}, the book has {lines}")


def counts_agree(g):
    """The module's two counters, one of them per CPU, have counted the same calls."""
    everywhere, here = g.run(f"cat {parameter('victim', 'counts')}").split()
    if everywhere != here:
        raise Failure(f"{everywhere} calls in the one counter, {here} in those of the CPUs")


def state(g, leaf_id, module, expected):
    """What status says of a module of a leaf that is on."""
    leaves = [entry for entry in newleaf(g, "status")["leaves"] if entry["id"] == leaf_id]
    if not leaves:
        raise Failure(f"{leaf_id} is not applied")
    said = {m["name"]: m["state"] for m in leaves[0]["modules"]}
    if said.get(module) != expected:
        raise Failure(f"{leaf_id}, module {module}: expected {expected}, status says {said}")


def close_gate(g, place):
    """Who comes to that place of a test's module waits there until open_gate()."""
    g.run(f"echo {place} >{parameter('gate', 'close')}")


def open_gate(g):
    g.run(f"echo >{parameter('gate', 'close')}")


def background(g, place, script):
    """Start a script and wait until a module stands at that place, whose gate is closed first."""
    close_gate(g, place)
    g.run(f"rm -f /tmp/behind; (({script}) >/tmp/behind.out 2>&1; echo $? >/tmp/behind) >/dev/null 2>&1 &")
    g.run(f"until [ \"$(cat {parameter('gate', 'waiting')})\" = {place} ] || [ -e /tmp/behind ]; do usleep 20000; done")
    if g.run(f"cat {parameter('gate', 'waiting')}").strip() != place:
        raise Failure(f"{script} did not come to {place}: {g.run('cat /tmp/behind.out')}")


def finished(g, code=0):
    """Open the gate, and wait for the end of what was started, with this exit code or one of these; its output."""
    open_gate(g)
    g.run("until [ -e /tmp/behind ]; do usleep 20000; done")
    out = g.run("cat /tmp/behind.out")
    if int(g.run("cat /tmp/behind")) not in (code if isinstance(code, tuple) else (code,)):
        raise Failure(f"it ended with {g.run('cat /tmp/behind').strip()}, expected {code}: {out}")
    return out
