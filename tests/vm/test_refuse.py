# SPDX-License-Identifier: Apache-2.0
"""What must be refused, each by its name, with the guest undisturbed and the generation unchanged."""

import os
import random
import struct
import subprocess

from command import FIXES, apply, generation, newleaf, probe, refused, revert
from guest import leaf_path
from leaves import AUTHOR, Leaf, author, built, signed
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES


def original(fix=CHMOD):
    with open(built(OLD, fix), "rb") as f:
        return f.read()


def try_file(t, g, what, data, name, exits):
    g.put(data, "/tmp/bad.leaf")
    answer = refused(g, "apply /tmp/bad.leaf", name, exits)
    probe(g, CHMOD, "VULNERABLE")
    t.note(f"{what}: {answer['code']}, exit {answer['exit']}")


def author_refuses(t, g, what, data, name):
    path = os.path.join(g.scratch, "bad.leaf")
    with open(path, "wb") as f:
        f.write(data)
    done = subprocess.run([AUTHOR, "inspect", path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    t.expect(f"[{name}, exit" in done.stderr, f"newleaf-author on {what}: {done.returncode}: {done.stderr}")


@test()
def refuse_untrusted(t):
    """wrong key, no signature, another kernel's leaf, expected bytes that differ, places outside the kernel, bodies
    too large; newleaf-author refuses what means nothing, too"""
    g = t.boot(cpus=1)
    whole = original()
    author("key", "new", "stranger", "-o", g.scratch)
    stranger = signed(g.scratch, whole[:-112], os.path.join(g.scratch, "stranger.pem"))
    try_file(t, g, "wrong key", stranger, "NL_EKEY", 4)
    try_file(t, g, "no signature", whole[:-112], "NL_EUNSIGNED", 4)
    try_file(t, g, "not a leaf", b"#!/bin/sh\n" * 100, "NL_ELEAF", 4)
    try_file(t, g, "empty file", b"", "NL_ELEAF", 4)

    def changed(fix=CHMOD, **fields):
        leaf = Leaf.read(original(fix))
        t.expect(leaf.file() == original(fix)[:-112], "the test's own reading of a leaf is wrong")
        for name, value in fields.items():
            setattr(leaf, name, value(getattr(leaf, name)) if callable(value) else value)
        return signed(g.scratch, leaf.file())

    def site(at, value):
        return lambda sites: [[*s[:at], value(s[at]), *s[at + 1 :]] for s in sites]

    try_file(t, g, "another kernel", changed(target=lambda x: x[:64] + bytes([x[64] ^ 1]) + x[65:]), "NL_EBUILDID", 5)
    expected = Leaf.read(whole).sites[0][6]
    try_file(
        t,
        g,
        "expected bytes differ",
        changed(bytes=lambda x: x[:expected] + bytes([x[expected] ^ 1]) + x[expected + 1 :]),
        "NL_EBYTES",
        5,
    )
    # What no author's tool lets pass: the hypervisor finds it where it looks, or as bytes that are others.
    for what, sites, by_author, name, exits in (
        ("two sites in one place", lambda s: s + s, "NL_EOVERLAP", "NL_EBYTES", 5),
        ("site outside the kernel", site(2, lambda at: at + (1 << 28)), "NL_ERANGE", "NL_ERANGE", 4),
        ("site in the text, called data", site(1, lambda region: 1), "NL_ERANGE", ("NL_ERANGE", "NL_EBYTES"), (4, 5)),
        ("site across a page", site(2, lambda at: at | 0xFFC), "NL_ERANGE", "NL_ERANGE", 4),
    ):
        bad = changed(sites=sites)
        author_refuses(t, g, what, bad, by_author)
        try_file(t, g, what, bad, name, exits)
    try_file(t, g, "data larger than the arena", changed(AUXV, bss_size=4 << 20), ("NL_EARENA", "NL_ELEAF"), (4, 7))
    try_file(
        t,
        g,
        "body larger than a leaf may be",
        changed(AUXV, text=lambda x: x + bytes(300 << 10)),
        ("NL_EARENA", "NL_ELEAF"),
        (4, 7),
    )
    apply(g, CHMOD)
    other = changed(id="other-name")
    g.put(other, "/tmp/bad.leaf")
    refused(g, "apply /tmp/bad.leaf", ("NL_EOVERLAP", "NL_EBYTES"), (5, 7))
    probe(g, CHMOD, "FIXED")
    revert(g, CHMOD)
    probe(g, CHMOD, "VULNERABLE")
    g.check_dmesg()


def fact(kind, text, version=0):
    """struct nl_leaf_fact"""
    return struct.pack("<HHI", kind, len(text), version) + text.encode().ljust(-(-len(text) // 4) * 4, b"\0")


@test()
def refuse_by_facts(t):
    """a leaf without the one that it requires, the revert of what another needs, two that exclude each other: each is
    named, with both ids; together and in order they are applied"""
    g = t.boot(cpus=1)
    requires, conflicts = 6, 8  # NL_FACT_REQUIRES, NL_FACT_CONFLICTS

    def put(name, *facts):
        leaf = Leaf.read(original(AUXV))
        leaf.facts = b"".join(facts)
        g.put(signed(g.scratch, leaf.file()), name)

    def names_both(answer):
        why = answer["detail"]
        t.expect(AUXV in why and CHMOD in why, f"not both leaves are named: {why}")

    put("/tmp/needs.leaf", fact(requires, CHMOD, 1))
    put("/tmp/later.leaf", fact(requires, CHMOD, 1000))
    put("/tmp/enemy.leaf", fact(conflicts, CHMOD))
    chmod = leaf_path(OLD, CHMOD)
    names_both(refused(g, "apply /tmp/needs.leaf", "NL_EREQUIRES", 7))
    probe(g, AUXV, "VULNERABLE")
    names_both(refused(g, f"apply /tmp/later.leaf {chmod}", "NL_EREQUIRES", 7))
    names_both(refused(g, f"apply /tmp/enemy.leaf {chmod}", "NL_ECONFLICT", 7))
    newleaf(g, f"apply /tmp/needs.leaf {chmod}")
    probe(g, AUXV, "FIXED")
    names_both(refused(g, f"revert {CHMOD}", "NL_EREQUIRES", 7))
    probe(g, CHMOD, "FIXED")
    newleaf(g, "revert --all")
    probe(g, CHMOD, "VULNERABLE")
    g.check_dmesg()


@test()
def refuse_damaged(t):
    """a leaf with one flipped bit, in sampled places of every part, and truncated at every length"""
    g = t.boot(cpus=1)
    whole = original()
    g.put(whole, "/tmp/whole.leaf")
    # One bit in each of many bytes, every byte of the header's fixed part among them. Flipped in the guest: a hundred
    # uploads are slow.
    pick = random.Random(1)
    places = sorted(
        set(range(0, 136)) | set(pick.sample(range(136, len(whole)), 150)) | set(range(len(whole) - 112, len(whole), 3))
    )
    before = generation(g)
    script = "ok=0\n"
    for place in places:
        byte = whole[place] ^ (1 << pick.randrange(8))
        script += f"t {place} {byte:03o}\n"
    g.put(
        (
            't() { cp /tmp/whole.leaf /tmp/b.leaf; printf "\\\\$2" | dd of=/tmp/b.leaf bs=1 seek=$1'
            " conv=notrunc 2>/dev/null\n"
            "newleaf apply -q /tmp/b.leaf"
            " 2>/tmp/said; c=$?\n"
            'case $c in 4|5) ok=$((ok + 1));; *) echo "flipped byte $1: exit $c"; cat /tmp/said; exit 1;; esac; }\n'
            + script
            + "echo $ok\n"
        ).encode(),
        "/tmp/flip.sh",
    )
    t.note(f"flipped bits refused: {g.run('sh /tmp/flip.sh', timeout=300).strip()}")
    out = g.run(
        "n=0; while [ $n -lt %d ]; do head -c $n /tmp/whole.leaf >/tmp/b.leaf; newleaf apply -q /tmp/b.leaf"
        " 2>/tmp/said; c=$?\n"
        'if [ $c != 4 ]; then echo "length $n: exit $c"; cat /tmp/said; exit 1; fi; n=$((n + 1)); done; echo $n'
        % len(whole),
        timeout=400,
    )
    t.note(f"truncated files refused: {out.strip()}")
    t.expect(generation(g) == before, "the generation changed")
    probe(g, CHMOD, "VULNERABLE")
    apply(g, CHMOD, path="/tmp/whole.leaf")
    probe(g, CHMOD, "FIXED")
    g.check_dmesg()


@test()
def refuse_states(t):
    """revert of what is not applied, apply of what is applied, an older version, an ordinary user, a bad command
    line"""
    g = t.boot(cpus=1)
    refused(g, f"revert {CHMOD}", "NL_EUNKNOWN_LEAF", 7)
    refused(g, "revert no-such-leaf", "NL_EUNKNOWN_LEAF", 7)
    apply(g, CHMOD)
    before = generation(g)
    apply(g, CHMOD, code=3)
    t.expect(generation(g) == before, "applying what is applied made a new generation")
    newer = Leaf.read(original())
    newer.version += 1
    g.put(signed(g.scratch, newer.file()), "/tmp/newer.leaf")
    apply(g, CHMOD, path="/tmp/newer.leaf")
    probe(g, CHMOD, "FIXED")
    refused(g, f"apply {leaf_path(OLD, CHMOD)}", "NL_EVERSION", 7)
    revert(g, CHMOD)
    probe(g, CHMOD, "VULNERABLE")
    as_user = (
        "setpriv --reuid 65534 --regid 65534 --clear-groups"
        if "--reuid" in g.call("setpriv --help").out
        else "su -s /bin/sh nobody -c"
    )
    command = f"newleaf apply --json {leaf_path(OLD, CHMOD)}"
    out = g.run(
        f"chmod 755 /leaves; {as_user} {command!r}" if as_user.startswith("su") else f"{as_user} {command}", code=6
    )
    t.expect("NL_EROOT" in out, f"an ordinary user was not refused by name: {out}")
    probe(g, CHMOD, "VULNERABLE")
    g.run("newleaf frobnicate", code=2)
    g.run("newleaf apply", code=2)
    g.run("newleaf apply /no/such/file", code=(2, 4, 11))
    g.check_dmesg()



@test()
def garbage_hypercalls(t):
    """random hypercalls, by an ordinary user and by root, do no harm"""
    g = t.boot()
    before = generation(g)
    t.note(g.run("garbage", timeout=120).rstrip())
    t.expect(generation(g) == before, "the generation changed")
    apply(g, CHMOD)
    probe(g, CHMOD, "FIXED")
    g.check_dmesg()
    g.poweroff()


@test()
def policy_forbids(t):
    """guest-may in newleaf.conf restricts what the guest may do"""
    g = t.boot(cpus=1, settings=("guest-may apply",))
    apply(g, CHMOD)
    refused(g, f"revert {CHMOD}", "NL_EPOLICY", 6)
    probe(g, CHMOD, "FIXED")
    g.check_dmesg()
