#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network's HTTP server over sockets: every answer is one that docs/reference/openapi.yaml describes, and every
status described there comes; an order and its leaf from challenge to journal; slow, cut and too many clients; curl and
Prometheus' promtool, where they are."""

import hashlib
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

try:
    import yaml  # noqa: F401
except ImportError:
    print("check-http-spec: skipped: no python3-yaml (scripts/setup installs it)")
    sys.exit(0)

from server import TOP, Answer, Server, read_all
from spec import Spec, Wrong

OCTETS = "application/octet-stream"
HASH = "0123456789abcdef" * 4
SPEC = Spec(os.path.join(TOP, "docs/reference/openapi.yaml"))
GETS = ["/", "/metrics", "/v1/status", "/v1/leaves", "/v1/journal", "/v1/challenge", "/v1/journal?from=3"]
RICH = [
    "--kernel", "00ff" * 10, "--leaf", "cve-2026-0001,version=3,hits=7", "--leaf", "b,verified",
    "--leaf", "c,reverted,note=NL_EPROBED", "--leaf", "d,trial=60000", "--commits", "70", "--frozen", "--waiting",
    "--list", "9", "--standing", "5", "--standing-error", "NL_EEPOCH", "--lockouts", "2", "--secure-boot",
]  # fmt: skip


def expect(what, *conditions):
    if not all(conditions):
        raise Wrong(what)


def ask(server, method, target, body=None, status=None, **fields):
    answer = server.ask(method, target, body, **fields)
    SPEC.answer(method, target, answer)
    said = f"{method} {target}: {answer.status} instead of {status}: {answer.body[:300]}"
    expect(said, status in (None, answer.status))
    return answer


def described():
    """Every place on machines of all kinds, in JSON and in bytes."""
    full = [w for i in range(32) for w in ("--leaf", f"leaf-{i},version={i}")]
    for options in ([], RICH, full, ["--machine", "00" * 16, "--no-clock", "--list-error", "NL_ELISTOLD"]):
        with Server(*options) as s:
            for target in GETS:
                ask(s, "GET", target, status=200)
                ask(s, "HEAD", target, status=200)
                ask(s, "OPTIONS", target, status=204)
                ask(s, "POST", target, b"x", status=405)
                answer = ask(s, "GET", target, status=200, Accept=OCTETS)
                expect(target, (answer.fields["content-type"] == OCTETS) == (target.startswith("/v1/")))
            for target in ("/v1/orders", f"/v1/leaves/{HASH}"):
                ask(s, "OPTIONS", target, status=204)
                ask(s, "GET", target, status=405)
            ask(s, "OPTIONS", "*", status=204)
            ask(s, "GET", "/no", status=404)
            ask(s, "BREW", "/", status=501)
            ask(s, "GET", "/v1/journal?from=x", status=400)
            nonce = os.urandom(32)
            signed = ask(s, "GET", f"/v1/status?nonce={nonce.hex()}", status=200)
            expect("its nonce", signed.body[24:56] == nonce, signed.fields["content-type"] == OCTETS)


def refusals():
    for words, may in (("", []), ("metrics", ["/metrics"]), ("read", GETS[:1] + GETS[2:5]), ("orders", GETS[5:6])):
        with Server("--may", words) as s:
            for target in GETS[:6]:
                ask(s, "GET", target, status=200 if target in may else 403)
            ask(s, "POST", "/v1/orders", b"x", status=422 if words == "orders" else 403)
    names = ("NL_EFROZEN", "NL_EQUORUM", "NL_EGENERATION", "NL_ERATE", "NL_EINTERNAL", "NL_EUSAGE", "NL_ENORANDOM")
    for name, status in zip(names, (403, 422, 409, 429, 500, 400, 503)):
        with Server("--order", name, "--put", name) as s:
            for method, target in (("POST", "/v1/orders"), ("PUT", f"/v1/leaves/{HASH}")):
                problem = json.loads(ask(s, method, target, b"x", status=status, Content_Type=OCTETS).body)
                expect(name, problem["code"] == name, problem["type"] == f"urn:newleaf:{name}")
    with Server("--rate") as s:
        ask(s, "GET", f"/v1/status?nonce={HASH}", status=200)
        ask(s, "GET", f"/v1/status?nonce={HASH}", status=429)
    with Server("--challenge", "NL_ENORANDOM") as s:
        ask(s, "GET", "/v1/challenge", status=503)
    with Server("--again", "1000000000", "--speed", "20") as s:
        for target in ("/metrics", f"/v1/status?nonce={HASH}", "/v1/leaves", "/v1/journal"):
            ask(s, "GET", target, status=503)
        ask(s, "POST", "/v1/orders", b"x", status=503)
    with Server() as s:
        for target, method, most in (("/v1/orders", "POST", 4096), (f"/v1/leaves/{HASH}", "PUT", 262144)):
            ask(s, method, target, status=411)
            ask(s, method, target, b"x" * (most + 1), status=413)
            ask(s, method, target, b"x", status=415, Content_Type="text/plain")
            ask(s, method, target, b"x", status=417, Expect="tea")
            ask(s, method, target, b"", status=422)
    with Server("--put-any") as s:
        with s.connect() as first:
            first.sendall(f"PUT /v1/leaves/{HASH} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n".encode())
            first.sendall(b"Expect: 100-continue\r\n\r\n")
            expect("100", first.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n")
            ask(s, "PUT", f"/v1/leaves/{HASH}", b"x", status=503)
        ask(s, "PUT", f"/v1/leaves/{HASH}", b"x" * 262144, status=201)


def order(challenge, what, leaves=(), flags=0):
    """An order with a signature that is none: the fake core checks none."""
    entries = b"".join(struct.pack("<II", 1, 0) + leaf for leaf in sorted(leaves))
    head = struct.pack("<QIIII", 0x524544524F4C4E, 1, 168, 40, len(leaves))
    fixed = struct.pack("<IIIIII", what, 1, flags, 1000, 0, 0) + challenge[24:88] + b"\xff" * 8 + bytes(48)
    return head + fixed + entries + struct.pack("<QII", 0x53474953464C4E, 112, 1) + bytes(96)


def whole_way():
    """Challenge, order, leaf; then the journal says so, and the order counts no second time."""
    head = struct.pack("<QIIIIIII", 0x324641454C57454E, 3, 1024, 4096, 7, 0, 0, 0)
    leaf = (head + b"fix-me".ljust(48, b"\0")).ljust(4096, b"\x5a") + b"signatures" * 3000
    name = hashlib.sha256(leaf[:4096]).digest()
    with Server() as s:
        refused = ask(s, "PUT", f"/v1/leaves/{name.hex()}", leaf, status=409)
        expect("refused", json.loads(refused.body)["code"] == "NL_EUNKNOWN_LEAF")
        challenge = ask(s, "GET", "/v1/challenge", status=200, Accept=OCTETS).body
        wanted = order(challenge, 2, [name])
        ask(s, "POST", "/v1/orders", wanted, status=202)
        expect("waits", json.loads(ask(s, "GET", "/v1/status").body)["orders"]["waiting"])
        wrong = ask(s, "PUT", f"/v1/leaves/{name.hex()}", leaf[:-30001] + b"x" + leaf[-30000:], status=409)
        expect("changed", json.loads(wrong.body)["code"] == "NL_EUNKNOWN_LEAF")
        ask(s, "PUT", f"/v1/leaves/{name.hex()}", leaf, status=201)
        state = json.loads(ask(s, "GET", "/v1/leaves").body)
        expect(state, state["generation"] == 1, state["leaves"][0]["state"] == "applied")
        expect(state, state["leaves"][0]["id"] == "fix-me", state["leaves"][0]["sha256"] == name.hex())
        journal = json.loads(ask(s, "GET", "/v1/journal").body)["entries"]
        events = [(e["event"], e["code"]) for e in journal]
        expect(events, events[1:] == [(w, "NL_OK") for w in ("order", "verified", "applied", "commit")])
        replay = ask(s, "POST", "/v1/orders", wanted, status=403)
        expect("replay", json.loads(replay.body)["code"] == "NL_ECHALLENGE")
        again = order(ask(s, "GET", "/v1/challenge", Accept=OCTETS).body, 4)
        ask(s, "POST", "/v1/orders", again, status=202)
        expect("frozen", json.loads(ask(s, "GET", "/v1/status").body)["orders"]["frozen"])


def pages():
    """The journal in pieces, and where it ends."""
    with Server("--commits", "600") as s:
        seen, at = [], 1
        while entries := (page := json.loads(ask(s, "GET", f"/v1/journal?from={at}", status=200).body))["entries"]:
            seen += [e["seq"] for e in entries]
            at = page["next"]
        expect("the ring's last 512", seen == list(range(90, 602)), at == 602)
        raw = ask(s, "GET", "/v1/journal?from=601", Accept=OCTETS).body
        expect("an entry", len(raw) == 176, struct.unpack_from("<Q", raw)[0] == 601)


def unkind():
    """Cut, slow and too many."""
    with Server("--speed", "10") as s:
        expect("nothing said, nothing answered", s.raw(b"") is not None)
        with s.connect() as c:
            c.sendall(b"GET /metrics HT")
            c.shutdown(socket.SHUT_WR)
            answer = Answer(read_all(c)).whole()
            expect("cut", answer.status == 400)
        with s.connect() as c:
            c.sendall(b"GET /metrics HTTP/1.1\r\n")
            expect("silent", read_all(c) == b"")  # closed after CONN_IDLE_MS
        with s.connect() as c:
            while not select.select([c], [], [], 0.02)[0]:  # a byte now and then
                c.sendall(b"A")
            expect("slow", b" 408 " in read_all(c)[:20])
        many = [s.connect() for _ in range(30)]
        for c in many[:20]:
            c.sendall(b"GET / HTTP/1.1\r\nHo")
        start = time.monotonic()
        ask(s, "GET", "/metrics", status=200)
        expect("answered beside many", time.monotonic() - start < 5)
        for c in many:
            c.close()
    with Server("--delay", "200") as s:  # who does not wait costs nothing
        for _ in range(20):
            with s.connect() as c:
                c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        ask(s, "GET", "/", status=200)


def curl():
    if not shutil.which("curl"):
        return "no curl"
    with Server("--put-any", "--bind", "::1") if socket.has_ipv6 else Server("--put-any") as s:
        url = s.url.replace("::1", "[::1]")

        def run(*words, data=None):
            command = ["curl", "-sS", "-g", "-m", "20", "-w", "\n%{http_code}", *words]
            done = subprocess.run(command, input=data, capture_output=True, check=True)
            return done.stdout.rsplit(b"\n", 1)

        expect("status", run(f"{url}/v1/status")[1] == b"200")
        expect("HEAD", run("-I", f"{url}/")[1] == b"200")
        for size in (1, 4000, 200000):
            body, status = run("-T", "-", "-H", f"Content-Length: {size}", "-H", "Transfer-Encoding:",
                               "-H", "Expect: 100-continue", f"{url}/v1/leaves/{HASH}", data=b"z" * size)  # fmt: skip
            expect(f"PUT {size}: {status} {body}", status == b"201")
        octets = ("-H", f"Content-Type: {OCTETS}", "--data-binary", "@-")
        expect("order", run(*octets, f"{url}/v1/orders", data=b"x" * 300)[1] == b"422")
        expect("too long", run(*octets, f"{url}/v1/orders", data=b"x" * 3000000)[1] == b"413")
        expect("one after another", run(f"{url}/metrics", f"{url}/metrics")[1] == b"200")
    return None


def metrics():
    """Prometheus' own opinion."""
    with Server(*RICH) as s:
        text = ask(s, "GET", "/metrics").body.decode()
    for secret in ("cve", "fake author", "00ff00ff"):
        expect(secret, secret not in text)
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    expect("each family once", len(families) == len(set(families)))
    for line in ('newleaf_leaves{state="applied"} 2', "newleaf_frozen 1", "newleaf_leaves_on_trial 1"):
        expect(line, line in text.splitlines())
    tool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not tool:
        return "no promtool (Debian's package prometheus)"
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    expect(done.stdout + done.stderr, done.returncode == 0, not done.stdout + done.stderr)
    return None


def complete():
    """Every status that is described by number has come."""
    missing = sorted(SPEC.named - SPEC.seen)
    expect(f"described, and never seen: {missing}", not missing)


def main():
    wrong, passed = 0, 0
    for test in (described, refusals, whole_way, pages, unkind, curl, metrics, complete):
        try:
            skipped = test()
        except (Wrong, ValueError, OSError, RuntimeError, subprocess.CalledProcessError) as e:
            wrong += 1
            print(f"{test.__name__}: {type(e).__name__}: {e}")
            continue
        passed += not skipped
        if skipped:
            print(f"{test.__name__}: skipped: {skipped}")
    print(f"{passed} parts of the network's HTTP are as described, {wrong} are not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
