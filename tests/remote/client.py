#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""newleaf --host against machines that are none (machine.py): what is believed and what not, what is ordered and what
becomes of it, how long many hosts take. Needs neither a machine nor a kernel, and no network but this host's own."""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.realpath(__file__))]

from machine import Key, Machine  # noqa: E402
from server import servers  # noqa: E402

B = os.path.join(TOP, os.environ.get("B", "build"))
NEWLEAF = os.path.join(B, "newleaf")
FOLDER = tempfile.TemporaryDirectory(prefix="newleaf-remote-")
SCHEMA = os.path.join(TOP, "docs/reference/schemas/newleaf.remote-1.json")
# Nobody's own machines file, and a proxy that nothing may go through.
ENV = {**os.environ, "HOME": FOLDER.name, "XDG_CONFIG_HOME": FOLDER.name, "http_proxy": "http://127.0.0.1:1"}
HERE = threading.local()  # folder: of the part that runs in this thread
wrong = right = 0
COUNT = threading.Lock()


def expect(name, good, said=""):
    global wrong, right
    with COUNT:
        right, wrong = right + bool(good), wrong + (not good)
    if not good:
        print(f"FAILED {name}: {said!r:.1500}")


def place(name):
    return os.path.join(HERE.folder, name)


def run(*args, code=None, name="", limit=120):
    begun = time.monotonic()
    done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENV, timeout=limit)
    if code is not None and done.returncode != code:
        expect(f"{name}: exit {code}", False, (done.returncode, args[1:], done.stdout, done.stderr))
    done.seconds = time.monotonic() - begun
    return done


def keys(machines, name="machines", other=None):
    with open(place(name), "w", encoding="utf-8") as file:
        for m in machines:
            file.write(f"{m.name} {(other or m).machine_key.public.hex()}  # of {m.machine_id.hex()}\n")
    return place(name)


def ask(machines, *args, code=0, name="", file=None, deadline="10s"):
    """The JSON document of all; of one machine its host alone."""
    hosts = ",".join(m if isinstance(m, str) else m.name for m in machines)
    file = file or keys([m for m in machines if not isinstance(m, str)])
    common = ("--host", hosts, "--machines", file, "--deadline", deadline, "--json")
    done = run(NEWLEAF, *common, *args, code=code, name=name)
    try:
        doc = json.loads(done.stdout)
    except ValueError:
        expect(name, False, (done.returncode, done.stdout, done.stderr))
        return {"seconds": done.seconds, "state": "", "leaves": [], "hosts": [{"state": ""}] * len(machines)}
    bad = subprocess.run(["jq", "-r", "--slurpfile", "schema", SCHEMA, "-f", os.path.join(TOP, "tests/unit/schema.jq")],
                         input=done.stdout, capture_output=True, text=True, check=False)  # fmt: skip
    expect(f"{name}: JSON as its schema has it", not bad.stdout + bad.stderr, bad.stdout + bad.stderr)
    return {**(doc["hosts"][0] if len(machines) == 1 and "hosts" in doc else doc), "seconds": done.seconds}


def leaf(name, version=1, kernel="k", author=None):
    path = place(f"{name}-{version}-{kernel}.leaf")
    run(os.path.join(B, "tests/remote-leaf"), path, name, str(version), kernel, code=0, name="a leaf")
    return path


def operator(name):
    if not os.path.exists(place(name + ".pem")):
        run(os.path.join(B, "newleaf-author"), "key", "new", name, "--role", "operator", "-o", HERE.folder, code=0,
            name=name)  # fmt: skip
    with open(place(name + ".pub"), "rb") as file:
        return place(name + ".pem"), Key(public=file.read()[28:60])


@contextlib.contextmanager
def machines(n=1, **what):
    made = [Machine(**what) for _ in range(n)]
    try:
        yield made
    finally:
        for m in made:
            m.close()


# What answers in a machine's place, and what is told of it: state, error.
STRANGERS = (
    ("forged", "not-believed", "NL_ESIGNATURE", 4),
    ("cut", "not-believed", "NL_ESTATUS", 4),
    ("empty", "not-believed", "NL_ESTATUS", 4),
    ("html", "not-believed", "NL_ESTATUS", 4),
    ("json", "not-believed", "NL_ESTATUS", 4),
    ("redirect", "not-believed", "NL_ESTATUS", 4),
    ("garbage", "not-believed", "NL_ESTATUS", 4),
    ("huge", "not-believed", "NL_ESTATUS", 4),
    ("heads", "not-believed", "NL_ESTATUS", 4),
    ("continues", "not-believed", "NL_ESTATUS", 4),
    ("rude", "not-believed", "NL_ESTATUS", 4),
    ("short", "unreachable", "NL_EUNREACHABLE", 8),
    ("closes", "unreachable", "NL_EUNREACHABLE", 8),
    ("slow", "unreachable", "NL_EUNREACHABLE", 8),
    ("silent", "unreachable", "NL_EUNREACHABLE", 8),
    ("rate", "unreachable", "NL_ERATE", 8),
)


def believed():
    with machines() as (m,):
        host = ask([m], "status", name="a good answer")
        expect("a good answer", (host["state"], host["result"], host["code"]) == ("known", "ok", None), host)
        expect("its boot", (host["boot"], host["machine_id"]) == (7, m.machine_id.hex()), host)
        text = run(NEWLEAF, f"--host={m.name}", "--machine", m.machine_key.public.hex(), "status", code=0, name="text")
        expect("as text", "no-leaf" in text.stdout and not text.stderr, text)
        refused = ask([m], "status", file=keys([m], "other", other=Machine()), code=6, name="another machine's key")
        expect("another machine", refused["code"] == "NL_EMACHINEID" and "boot" not in refused, refused)
        none = ask([m], "status", file=keys([]), code=2, name="no key")
        expect("without a key nothing is believed", none["code"] == "NL_EUSAGE" and "boot" not in none, none)
        m.fault = "replay"
        old = ask([m], "status", code=6, name="an old status")
        expect("an old status", (old["state"], old["code"]) == ("not-believed", "NL_ECHALLENGE"), old)
        expect("of an old status nothing is told", "boot" not in old and "leaves" not in old, old)
        with open(place("after"), "w", encoding="utf-8") as file:
            file.write(f"{m.name}\t{m.machine_key.public.hex()}\t8\n")
        m.fault = ""
        before = run(NEWLEAF, "--host", "@" + place("after"), "status", "--json", code=6, name="an earlier boot")
        expect("an earlier boot", '"NL_EBOOTID"' in before.stdout, before)
    with machines(len(STRANGERS)) as strangers:
        for m, (fault, *_) in zip(strangers, STRANGERS):
            m.fault = fault
        doc = ask(strangers, "status", deadline="2s", code=8, name="strangers")
        for host, (fault, state, error, code) in zip(doc["hosts"], STRANGERS):
            expect(fault, (host["state"], host["code"], host["exit"]) == (state, error, code), host)
            expect(f"{fault}: nothing is told of it", "boot" not in host and "leaves" not in host, host)
        expect("in time", doc["seconds"] < 4, doc["seconds"])
    with machines(64, fault="noise") as noisy:
        for i, m in enumerate(noisy):
            m.lot.seed(i)
            m.put(leaf("fix"))
        doc = ask(noisy, "status", code=6, name="one bit is another")
        states = [(h["state"], h["code"]) for h in doc["hosts"]]
        expect("one bit is another, any of 64", {s for s, _ in states} == {"not-believed"}, states)
    with machines(host="::1") as (m,):
        expect("IPv6", ask([m], "status", name="IPv6")["state"] == "known")


def words():
    """What became of a leaf, each told apart."""
    fix, other = leaf("fix"), leaf("fix", kernel="o")
    pem, key = operator("words")
    with machines(operators=[key]) as (m,):
        sha256 = m.put(fix)

        def word(state, code, *args, exit_code, **leaf_state):
            m.leaves[sha256].update(leaf_state)
            host = ask([m], "status", *args, code=exit_code, name=state)
            got = [(l["state"], l["code"]) for l in host["leaves"]]
            expect(state, got == [(state, code)], host)
            return host

        word("no-leaf", "NL_EUNKNOWN_LEAF", fix, exit_code=7)
        word("no-leaf", None, exit_code=0)
        word("applied", None, fix, exit_code=0, condition=2)
        word("applied", None, "fix", exit_code=0)
        word("applied", None, sha256.hex(), exit_code=0)
        word("probed", "NL_EPROBED", fix, exit_code=10, note=12)
        word("probed", "NL_EPROBED", "--check", exit_code=10)
        word("probed", "NL_EPROBED", exit_code=0)
        word("weakened", "NL_EBYTES", fix, exit_code=10, note=11)
        word("on-probation", None, fix, exit_code=0, note=0, trial=m.now() + 90 * 10**9)
        word("weakened", "NL_ETRIAL", fix, exit_code=10, trial=m.now())
        word("taken-back", "NL_ETRIAL", fix, exit_code=7, condition=3)
        word("fixed-in-kernel", None, fix, "--fixed", (b"k" * 20).hex(), exit_code=0, trial=0)
        host = word("no-leaf", "NL_EUNKNOWN_LEAF", fix, "--fixed", (b"x" * 20).hex(), exit_code=7)
        expect("not frozen", not host["frozen"], host)
        m.frozen = True
        host = word("no-leaf", "NL_EUNKNOWN_LEAF", fix, exit_code=7)
        expect("frozen", host["frozen"] and host["state"] == "frozen", host)
        m.leaves.clear()
        host = ask([m], "status", other, code=5, name="other-kernel")
        expect("other kernel", host["leaves"][0]["state"] == "other-kernel", host)
        for error, state, code in ((65, "locked-out", 7), (12, "probed", 7), (9, "other-kernel", 5),
                                   (84, "taken-back", 7), (7, "refused", 4)):  # fmt: skip
            m.note(4, error, sha256, "fix")
            host = ask([m], "status", fix, code=code, name=state)
            expect(state, host["leaves"][0]["state"] == state and not host["leaves"][0]["applied"], host)
        m.fault = "journal"
        host = ask([m], "status", fix, code=4, name="a journal that it has not signed")
        expect("a journal that it has not signed", host["code"] == "NL_EJOURNAL", host)
        host = ask([m], "log", code=4, name="log of one that it has not signed")
        expect("log of one that it has not signed", host["entries"] == [], host)
        m.fault = ""
        host = ask([m], "log", name="log")
        expect("log", [e["event"] for e in host["entries"]][:3] == ["boot", "verified", "refused"], host)
        for i in range(120):  # more than one answer holds
            m.note(10, a=i)
        host = ask([m], "log", "--since", "4", name="a long log")
        expect("a long log", [e["seq"] for e in host["entries"]] == list(range(4, len(m.journal) + 1)), host)
    return pem


def orders():
    fix, more, other = leaf("fix"), leaf("more"), leaf("fix", kernel="o")
    (alice, a), (bob, b), (eve, _) = operator("alice"), operator("bob"), operator("eve")
    sign = ("--sign", alice, "--sign", bob)
    with machines(operators=[a, b]) as (m,):

        def order(*args, code=0, name=None, **more_):
            return ask([m], *args, code=code, name=name or " ".join(args[:2]), deadline="8s", **more_)

        before = list(m.requests)
        host = order("apply", fix, "-n", name="dry run")
        expect("dry run", host["result"] == "would" and not host["changed"] and m.requests[len(before) :] == [
            ("GET", "/v1/status")], (host, m.requests))  # fmt: skip
        host = order("apply", fix, *sign)
        expect("apply", (host["result"], host["changed"], host["generation"]) == ("ok", True, 3), host)
        expect("and the machine says so", host["leaves"][0]["state"] == "applied", host)
        made = len(m.requests)
        host = order("apply", fix, *sign, code=3, name="apply again")
        expect("apply again", host["result"] == "nothing" and ("POST", "/v1/orders") not in m.requests[made:], host)
        host = order("sync", fix, more, *sign, "--confirm", "60s")
        on = {l["id"]: l["state"] for l in host["leaves"]}
        expect("sync", on == {"fix": "applied", "more": "on-probation"}, host)
        expect("confirm", order("confirm", *sign)["changed"])
        order("confirm", *sign, code=3, name="confirm again")
        host = order("revert", "fix", *sign)
        expect("revert", host["leaves"][0]["state"] == "no-leaf" and host["changed"], host)
        order("revert", "fix", *sign, code=3, name="revert again")
        expect("freeze", order("freeze", *sign)["frozen"])
        order("freeze", *sign, code=3, name="freeze again")
        made = len(m.requests)
        host = order("apply", fix, *sign, code=6, name="frozen")
        expect("frozen: nothing is signed", ("GET", "/v1/challenge") not in m.requests[made:], host)
        expect("release", not order("release", *sign)["frozen"])
        expect("stop", order("stop", *sign)["frozen"])
        order("release", *sign)
        expect("without any: none", order("sync", *sign)["changed"] and not any(
            l["condition"] == 2 for l in m.leaves.values()))  # fmt: skip
        host = order("apply", fix, "--sign", alice, code=4, name="one key of two")
        expect("one key of two", host["code"] == "NL_EQUORUM" and not host["accepted"], host)
        host = order("apply", fix, "--sign", alice, "--sign", eve, code=4, name="a stranger's key")
        expect("a stranger's key", host["code"] == "NL_ESIGNATURE" and not host["accepted"], host)
        host = order("apply", other, *sign, code=5, name="another kernel's leaf")
        expect("another kernel's leaf", host["code"] == "NL_EBUILDID" and not host["accepted"], host)
        host = order("apply", other, "--fixed", (b"k" * 20).hex(), *sign, code=3, name="fixed")
        expect("a kernel that has the fix itself", host["leaves"][0]["state"] == "fixed-in-kernel", host)
        m.fault = "drops"
        host = order("apply", fix, *sign, name="nobody hears that it was accepted")
        expect("nobody hears that it was accepted", host["accepted"] and host["changed"], host)
        m.fault = "stands"
        host = order("revert", "fix", *sign, code=8, name="somebody stands in the way")
        expect("somebody stands in the way", host["code"] == "NL_ESTANDS" and host["accepted"] and not host["changed"],
               host)  # fmt: skip
        m.fault = "stalls"
        host = ask([m], "revert", "fix", *sign, code=8, deadline="3s", name="it takes too long")
        expect("it takes too long", host["code"] == "NL_EDEADLINE" and host["accepted"] and host["waiting"]
               and not host["changed"], host)  # fmt: skip
        m.fault, m.waiting = "lends", None
        made = len(m.requests)
        host = order("revert", "fix", *sign, code=6, name="another's challenge")
        expect("another's challenge is not answered", host["code"] == "NL_EMACHINEID" and ("POST", "/v1/orders") not in
               m.requests[made:], host)  # fmt: skip
        m.fault = "forged"
        made = len(m.requests)
        order("freeze", *sign, code=4, name="a forger")
        expect("a forger is sent nothing", {p for _, p in m.requests[made:]} == {"/v1/status"}, m.requests[made:])
    with machines(operators=[a], knows=False, kernel="z") as (m,):
        host = ask([m], "apply", fix, "--sign", alice, code=5, name="refused when it is brought")
        expect("refused when it is brought", (host["code"], host["leaves"][0]["state"], host["accepted"]) == (
            "NL_EBUILDID", "other-kernel", True), host)  # fmt: skip


def carried():
    """Signed elsewhere: challenge, newleaf order, carry. And what becomes of a stolen one."""
    fix = leaf("fix")
    (alice, a), (bob, b) = operator("alice"), operator("bob")
    author = os.path.join(B, "newleaf-author")

    def make(challenge, path, *signers):
        new = ("order", "new", "apply", fix, "--agentless", "--challenge", challenge, "-o", path)
        run(author, *new, code=0, name="new")
        for s in signers:
            run(author, "order", "sign", path, "--sign", s, code=0, name="sign")

    with machines(2, operators=[a, b], pace=1) as (m, n):
        ask([m], "challenge", place("challenge"), name="challenge")
        make(place("challenge"), place("order"), alice, bob)
        host = ask([n], "carry", place("order"), fix, code=6, name="a stolen order")
        expect("a stolen order", host["code"] == "NL_EMACHINEID" and ("POST", "/v1/orders") not in n.requests, host)
        host = ask([m], "carry", place("order"), fix, name="carry")
        expect("carry", host["changed"] and host["leaves"][0]["state"] == "applied", host)
        host = ask([m], "carry", place("order"), fix, code=6, name="twice")
        expect("twice", host["code"] == "NL_ECHALLENGE" and not host["changed"], host)
        for where in ("challenges", "orders"):
            os.mkdir(place(where))
        m.leaves.clear()
        ask([m, n], "challenge", place("challenges"), name="many challenges")
        for one in (m, n):
            make(os.path.join(place("challenges"), one.name), os.path.join(place("orders"), one.name), alice, bob)
        doc = ask([m, n], "carry", place("orders"), fix, name="many orders")
        expect("many orders", all(h["leaves"][0]["state"] == "applied" for h in doc["hosts"]), doc)
    # A machine itself refuses what this command does not even send.
    with machines(2, operators=[a, b], pace=0) as (m, n):
        ask([m], "challenge", place("challenge"), name="challenge")
        make(place("challenge"), place("order"), alice, bob)
        for one, path, body, code in ((n, "/v1/orders", place("order"), "NL_EMACHINEID"),
                                      (m, f"/v1/leaves/{'a' * 64}", fix, "NL_EUNKNOWN_LEAF")):  # fmt: skip
            said = run("curl", "-s", "--noproxy", "*", "-X", "PUT" if "leaves" in path else "POST", "--data-binary",
                       "@" + body, f"http://{one.name}{path}", code=0, name=path)  # fmt: skip
            expect(f"the fake refuses it: {code}", json.loads(said.stdout)["code"] == code, said)


def many():
    """64 at once, half of them silent or not there; then an order for the other half."""
    fix = leaf("fix")
    pem, key = operator("fleet")
    with machines(32, pace=1) as good, machines(16, fault="silent") as silent, machines(16) as gone:
        file = keys(good + silent + gone, "fleet")
        for m in gone:
            m.close()
        begun = time.monotonic()
        doc = ask(good + silent + gone, "status", file=file, code=8, deadline="3s", name="half of 64 are not there")
        states = [h["state"] for h in doc["hosts"]]
        expect("half of 64 are not there", states == ["known"] * 32 + ["unreachable"] * 32, states)
        looked = time.monotonic() - begun
        for m in gone:
            m.socket = None
        gone.clear()
    with machines(64, operators=[key], pace=1) as good:
        begun = time.monotonic()
        doc = ask(good, "apply", fix, "--sign", pem, file=keys(good, "fleet"), deadline="80s", name="64 at once")
        applied = time.monotonic() - begun
        expect("64 at once", all(h["changed"] and h["leaves"][0]["state"] == "applied" for h in doc["hosts"]), doc)
        expect("64 within 90 s", applied <= 90, applied)
        doc = ask(good, "apply", fix, "--sign", pem, file=keys(good, "fleet"), code=3, name="64 again")
        expect("64 again", doc["result"] == "nothing" and not any(h["changed"] for h in doc["hosts"]), doc)
    print(f"64 hosts: looked at in {looked:.1f} s, half of them unreachable (deadline 3 s); ordered in {applied:.1f} s")


@contextlib.contextmanager
def hosts_of(n, *options):
    made = servers(n, *options)
    with open(place("servers"), "w", encoding="utf-8") as file:
        file.writelines(f"{s.name} {s.key}\n" for s in made)
    try:
        yield made
    finally:
        ended = [s.close() for s in made]
        expect(f"{options}: the server ends by itself", ended == [0] * n, ended)


def server():
    """The same of the hypervisor's own HTTP server, whose core is none (it checks no signature of an order)."""
    fix, more = leaf("fix"), leaf("more", kernel="o")
    pem, _ = operator("server")
    kernel = ("--kernel", "6b" * 20)

    def order(s, *args, code=0, name="", deadline="6s"):
        return ask([s], *args, "--sign", pem, code=code, name=name, file=place("servers"), deadline=deadline)

    for how, code, error in (("forged", 4, "NL_ESIGNATURE"), ("changed", 4, "NL_ESIGNATURE"), ("cut", 4, "NL_ESTATUS"),
                             ("nonce", 6, "NL_ECHALLENGE"), ("key", 6, "NL_EMACHINEID")):  # fmt: skip
        with hosts_of(1, "--status", how) as (s,):
            host = ask([s], "status", code=code, name=how, file=place("servers"))
            expect(f"server: {how}", (host["state"], host["code"]) == ("not-believed", error), host)
    with hosts_of(1, *kernel, "--again", "2", "--commits", "60") as (s,):
        host = order(s, "apply", fix, name="server: apply")
        expect("server: apply", host["changed"] and host["leaves"][0]["state"] == "applied", host)
        order(s, "apply", fix, code=3, name="server: apply again")
        expect("server: freeze", order(s, "freeze", name="server: freeze")["frozen"])
        host = order(s, "revert", "fix", code=6, name="server: frozen")
        expect("server: frozen", host["code"] == "NL_EFROZEN", host)
        order(s, "release", name="server: release")
        expect("server: revert", order(s, "revert", "fix", name="server: revert")["changed"])
        host = order(s, "apply", more, code=5, name="server: another kernel")
        expect("server: another kernel", host["leaves"][0]["state"] == "other-kernel", host)
        log = ask([s], "log", name="server: log", file=place("servers"))["entries"]
        expect("server: log", log[-1]["seq"] == len(log) > 60, log[-1])
    for options, code, error in ((("--put", "NL_EKEY"), 4, "NL_EKEY"), (("--order", "NL_EQUORUM"), 4, "NL_EQUORUM"),
                                 (("--commit", "NL_ESTANDS"), 8, "NL_ESTANDS"),
                                 (("--commit-after", "60000"), 8, "NL_EDEADLINE"),
                                 (("--may", "read"), 6, "NL_EPOLICY")):  # fmt: skip
        with hosts_of(1, *options) as (s,):
            host = order(s, "apply", fix, code=code, name=f"server: {options}", deadline="3s")
            expect(f"server: {options}", host["code"] == error and not host["changed"], host)
    with hosts_of(1, "--may", "metrics") as (s,):
        host = ask([s], "status", code=6, name="server: not even read", file=place("servers"))
        expect("server: not even read", (host["state"], host["code"]) == ("not-believed", "NL_EPOLICY"), host)
    with hosts_of(64, "--rate") as fleet:
        begun = time.monotonic()
        doc = ask(fleet, "apply", fix, "--sign", pem, name="64 servers", file=place("servers"), deadline="80s")
        took = time.monotonic() - begun
        expect("64 servers", all(h["changed"] for h in doc["hosts"]) and took <= 90, (took, doc))
    print(f"64 of the hypervisor's own HTTP servers: ordered in {took:.1f} s")


def usage():
    for args, text in (
        (("--host", "a b", "status"), "is no host"),
        (("--host", "[::1", "status"), "is no host"),
        (("--host", "a:0", "status"), "is no host"),
        (("--host", "http://a", "status"), "is no host"),
        (("--host", "a,a:9947", "status"), "named twice"),
        (("--host", "a"), "a verb is wanted"),
        (("--host", "a", "frob"), 'no verb "frob"'),
        (("--host", "a", "exits"), 'no verb "exits"'),
        (("--host", "a", "freeze"), "--sign"),
        (("--host", "a", "apply"), "usage:"),
        (("--host", "a", "status", "--frob"), "not understood"),
        (("--host", "a", "status", "--deadline", "5"), "a time such as"),
        (("--host", "a,b", "--machine", "0" * 64, "status"), "of one host"),
    ):
        done = run(NEWLEAF, *args, code=2, name=text)
        expect(f"usage: {text}", text in done.stderr, done)
    expect("--help", "other-kernel" in run(NEWLEAF, "--host", "a", "--help", code=0, name="--help").stdout)


PARTS = (usage, believed, words, orders, carried, many, server)


def main():
    chosen = [p for p in PARTS if len(sys.argv) < 2 or p.__name__ in sys.argv[1:]]

    def run_part(part):
        HERE.folder = os.path.join(FOLDER.name, part.__name__)
        os.mkdir(HERE.folder)
        part()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(run_part, p) for p in chosen]:
            done.result()
    print(f"newleaf --host: {right} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
