# SPDX-License-Identifier: Apache-2.0
"""Draws function-local differences between two source trees of a kernel by lot: files of the image that differ inside
of at most three functions' bodies, and in nothing else. What a file's difference needs of another file is not known
here: the compiler says it."""

import difflib
import os
import random
import re

DIRECTORIES = (
    "mm", "fs", "net", "kernel", "drivers", "lib", "block", "io_uring", "security", "ipc", "crypto", "arch/x86",
)  # fmt: skip
FUNCTIONS_MAX = 3
SEED = 20261126
BOOT = re.compile(r"__init|noinstr|__exit|__cpuinit")
NO_HEAD = ("}", "#", "*", " *", "/*")


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return f.read().split("\n")


def functions(lines):
    """(name, head, line of '{', line of '}') of each function, as the kernel writes them."""
    found, at = [], 0
    while at < len(lines):
        if lines[at] != "{":
            at += 1
            continue
        first = at
        while first > 0 and lines[first - 1].strip() and not (
            lines[first - 1].startswith(NO_HEAD) or lines[first - 1].rstrip().endswith(";")
        ):  # fmt: skip
            first -= 1
        head, end = " ".join(lines[first:at]), at + 1
        while end < len(lines) and not lines[end].startswith("}"):
            end += 1
        call = re.search(r"\bSYSCALL_DEFINE\w*\((\w+)", head)
        name = call or re.search(r"(\w+)\s*\(", head)
        if name and end < len(lines) and lines[end].strip() == "}":
            found.append((("SYSCALL:" if call else "") + name[1], head, at, end))
        at = end + 1
    return found


def holder(found, low, high):
    """The function in whose body the lines lie; low == high: a place between two lines."""
    for name, head, start, end in found:
        if start < low and (high <= end if low < high else low <= end):
            return name, head
    return None


def local(old, new):
    """The names of the functions whose bodies are all that differs; empty when more does."""
    before, after, names = functions(old), functions(new), set()
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        x, y = holder(before, a, b), holder(after, c, d)
        if not x or not y or x[0] != y[0] or x not in [f[:2] for f in after] or BOOT.search(x[1]):
            return set()
        names.add(x[0])
    return names


def built_in(lines, symbols):
    """Does the image have most of what the file defines?"""
    names = {name for name, *_ in functions(lines)}
    return 2 * sum(name in symbols or name.startswith("SYSCALL:") for name in names) >= len(names) > 0


def candidates(old, new, symbols, without, directories):
    for top in directories:
        for directory, _, files in os.walk(os.path.join(new, top)):
            for path in (os.path.relpath(os.path.join(directory, f), new) for f in files if f.endswith(".c")):
                before, after = os.path.join(old, path), os.path.join(new, path)
                if path in without or not os.path.exists(before):
                    continue
                with open(before, "rb") as f, open(after, "rb") as g:
                    if f.read() == g.read():
                        continue
                a, b = read(before), read(after)
                if built_in(a, symbols) and 0 < len(names := local(a, b)) <= FUNCTIONS_MAX:
                    yield path, sorted(names)


def draw(old, new, symbols, seed, count, without=(), directories=DIRECTORIES):
    """[(path, [function], patch)], of the files whose functions are mostly among the symbols."""
    found = sorted(candidates(old, new, symbols, without, directories))
    random.Random(seed).shuffle(found)
    drawn = []
    for path, names in found[:count]:
        a, b = read(os.path.join(old, path))[:-1], read(os.path.join(new, path))[:-1]
        lines = difflib.unified_diff(a, b, "a/" + path, "b/" + path, lineterm="")
        drawn.append((path, names, "".join(line + "\n" for line in lines)))
    return drawn
