# SPDX-License-Identifier: Apache-2.0
"""A machine as it looks over the network (docs/reference/openapi.yaml), in as much as its client can tell: statuses
that are really signed, a journal with its chain, orders that are really checked. And what something else may answer
in its place. It knows nothing of kernels: a leaf is for the one whose build-id is in its file."""

import ctypes
import ctypes.util
import hashlib
import json
import os
import random
import socket
import struct
import threading
import time

CRYPTO = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
ED25519 = 1087
for name, kind in (("EVP_PKEY_new_raw_private_key", ctypes.c_void_p), ("EVP_PKEY_new_raw_public_key", ctypes.c_void_p),
                   ("EVP_MD_CTX_new", ctypes.c_void_p)):  # fmt: skip
    getattr(CRYPTO, name).restype = kind


def check(done):
    if done != 1:
        raise RuntimeError("OpenSSL does not")


class Key:
    """Ed25519, by its seed or its public half."""

    def __init__(self, seed=None, public=None):
        if public:
            self.key = ctypes.c_void_p(CRYPTO.EVP_PKEY_new_raw_public_key(ED25519, None, public, ctypes.c_size_t(32)))
            self.public = public
            return
        seed = seed or os.urandom(32)
        self.key = ctypes.c_void_p(CRYPTO.EVP_PKEY_new_raw_private_key(ED25519, None, seed, ctypes.c_size_t(32)))
        out, size = ctypes.create_string_buffer(32), ctypes.c_size_t(32)
        check(CRYPTO.EVP_PKEY_get_raw_public_key(self.key, out, ctypes.byref(size)))
        self.public = out.raw

    def sign(self, domain, data):
        message = domain.encode().ljust(32, b"\0") + hashlib.sha256(data).digest()
        context = ctypes.c_void_p(CRYPTO.EVP_MD_CTX_new())
        out, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        check(CRYPTO.EVP_DigestSignInit(context, None, None, None, self.key))
        check(CRYPTO.EVP_DigestSign(context, out, ctypes.byref(size), message, ctypes.c_size_t(64)))
        CRYPTO.EVP_MD_CTX_free(context)
        return out.raw

    def verifies(self, domain, data, signature):
        message = domain.encode().ljust(32, b"\0") + hashlib.sha256(data).digest()
        context = ctypes.c_void_p(CRYPTO.EVP_MD_CTX_new())
        check(CRYPTO.EVP_DigestVerifyInit(context, None, None, None, self.key))
        good = CRYPTO.EVP_DigestVerify(context, signature, ctypes.c_size_t(64), message, ctypes.c_size_t(64)) == 1
        CRYPTO.EVP_MD_CTX_free(context)
        return good


# By the numbers of include/newleaf/: events, errors, verbs.
VERIFIED, REFUSED, APPLIED, REVERTED, COMMIT, ORDER = 3, 4, 5, 6, 7, 16
ERRORS = {"NL_EBUILDID": 9, "NL_EPROBED": 12, "NL_EGENERATION": 19, "NL_EUNKNOWN_LEAF": 20, "NL_ELOCKEDOUT": 65,
          "NL_EQUORUM": 62, "NL_EORDER": 72, "NL_EMACHINEID": 73, "NL_EBOOTID": 74, "NL_ECHALLENGE": 75,
          "NL_EFROZEN": 77, "NL_ESTANDS": 81, "NL_ERATE": 83, "NL_EUSAGE": 4, "NL_ESIGNATURE": 8}  # fmt: skip
SYNC, APPLY, REVERT, FREEZE, RELEASE, STOP, CONFIRM = range(1, 8)
STATUS = {"NL_EUSAGE": 400, "NL_EQUORUM": 422, "NL_EORDER": 422, "NL_ERATE": 429, "NL_ESIGNATURE": 422,
          "NL_EMACHINEID": 403, "NL_EBOOTID": 403, "NL_ECHALLENGE": 403, "NL_EFROZEN": 403}  # fmt: skip
HZ = 1000000000


class Refusal(Exception):
    pass


class Machine:
    def __init__(self, operators=(), kernel="k", fault="", need=None, pace=0.0, lag=0.05, host="127.0.0.1", knows=True):
        self.machine_key, self.boot_key = Key(), Key()
        self.machine_id, self.boot_id, self.boots = os.urandom(16), os.urandom(16), 7
        self.operators = {k.public: k for k in operators}
        self.need, self.kernel, self.fault = need or len(self.operators), kernel.encode() * 20, fault
        self.pace, self.lag, self.knows = pace, lag, knows
        self.generation, self.frozen, self.waiting, self.challenge = 2, False, None, None
        self.leaves, self.journal, self.first, self.signed_at, self.half = {}, [], None, 0.0, None
        self.lockouts, self.probed = set(), False
        self.requests, self.lock, self.lot = [], threading.RLock(), random.Random()
        self.note(1)
        self.socket = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self.socket.getsockname()[1]
        self.name = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        threading.Thread(target=self.serve, daemon=True).start()

    # -- what it is --

    def now(self):
        return int(time.monotonic() * HZ)

    def facts(self):
        policy = struct.pack("<12I", 3, 10000, 0, 1, 3, 1, 0, 0, self.need, 15, 600000, 0)
        head = struct.pack("<QQ16xQ", HZ, 0, 0) + self.boot_id + self.machine_id
        return head + policy + struct.pack("<6I", 0, 0, 1, 0, self.boots, 1)

    def status(self):
        newest = len(self.journal)
        orders = (1 if self.frozen else 0) | (2 if self.waiting else 0)
        return (
            struct.pack("<II16s8s8sIIQQ", 4, 384, b"0.1.0", b"SVM", b"NPT", 2, 2, self.generation, self.now())
            + self.facts() + bytes(32)
            + struct.pack("<IIQ32x", len(self.leaves), len(self.lockouts), newest)
            + (self.kernel if self.knows else b"").ljust(32, b"\0")
            + struct.pack("<IIQ20xIQQII", 20 if self.knows else 0, 1, 0x3400000, orders, 0, 0, 1, 1)
        )  # fmt: skip

    def leaf(self, sha256, l):
        return bytes(48) + (
            struct.pack("<48s32s32x27sB", l["id"].encode(), sha256, b"author", l["condition"])
            + struct.pack("<IIIIIQQIIIIQQII", l["version"], 1, 1, 64, 0, 0, l["generation"], 0, l["note"], 1, 0, 0,
                          l["trial"], 0, 0)
        )  # fmt: skip

    def signed(self, nonce):
        witness = struct.pack("<QIIII", int.from_bytes(b"NLWITNES", "little"), 4, 328, 0, 0)
        witness += self.machine_key.public + self.boot_key.public + b"c" * 32 + self.facts()
        leaves = sorted(self.leaves.items())
        out = struct.pack("<QIIII", int.from_bytes(b"NLSTATUS", "little"), 4, 800, 264, len(leaves)) + nonce
        out += hashlib.sha256(self.journal[-1]).digest() + witness + self.machine_key.sign("newleaf boot", witness)
        out += self.status() + b"".join(self.leaf(*l) for l in leaves)
        return out + self.boot_key.sign("newleaf status", out)

    def note(self, event, error=0, leaf=bytes(32), name="", a=0, b=0):
        before = hashlib.sha256(self.journal[-1]).digest() if self.journal else bytes(32)
        head = struct.pack("<QQ", len(self.journal) + 1, self.now()) + self.boot_id + before
        head += struct.pack("<IIQ48s", event, error, self.generation, name.encode())
        self.journal.append(head + leaf + struct.pack("<QQ", a, b))

    def put(self, path):
        """A leaf's file, known to it as if an order had brought it."""
        with open(path, "rb") as file:
            data = file.read()
        return self.take_leaf(data)

    def take_leaf(self, data):
        signed = struct.unpack_from("<I", data, 16)[0]
        sha256, version = hashlib.sha256(data[:signed]).digest(), struct.unpack_from("<I", data, 20)[0]
        name = data[36:84].split(b"\0")[0].decode()
        error = "" if self.kernel in data else "NL_EBUILDID"
        error = error or ("NL_EPROBED" if self.probed else "") or ("NL_ELOCKEDOUT" if sha256 in self.lockouts else "")
        if error:
            self.note(REFUSED, ERRORS[error], sha256, name)
            raise Refusal(error)
        self.knows = True
        self.leaves.setdefault(sha256, {"id": name, "condition": 1, "version": version, "generation": 0, "note": 0,
                                        "trial": 0})  # fmt: skip
        self.note(VERIFIED, 0, sha256, name, 1)
        return sha256

    # -- what it is told --

    def order(self, data):
        if len(data) < 168 + 16 + 96:
            raise Refusal("NL_EORDER")
        what, kind, count = *struct.unpack_from("<II", data, 24), struct.unpack_from("<I", data, 20)[0]
        size = 168 + 40 * count
        if data[48:64] != self.machine_id:
            raise Refusal("NL_EMACHINEID")
        if data[64:80] != self.boot_id:
            raise Refusal("NL_EBOOTID")
        if not self.challenge or data[80:112] != self.challenge:
            raise Refusal("NL_ECHALLENGE")
        sha256 = hashlib.sha256(data[:size]).digest()
        signers = set()
        for at in range(size + 16, len(data), 96):
            key = self.operators.get(data[at : at + 32])
            if not key or not key.verifies("newleaf order", data[:size], data[at + 32 : at + 96]):
                raise Refusal("NL_ESIGNATURE")
            signers.add(key)
        if self.pace and len(signers) > 1 and self.half != data:  # a signature a second
            self.half = data
            raise Refusal("NL_ERATE")
        error = "" if len(signers) >= self.need else "NL_EQUORUM"
        generation = struct.unpack_from("<Q", data, 112)[0]
        if not error and generation not in (self.generation, 2**64 - 1):
            error = "NL_EGENERATION"
        if not error and self.frozen and what <= REVERT:
            error = "NL_EFROZEN"
        a = what | kind << 32
        if error:
            self.note(ORDER, ERRORS[error], sha256, a=a, b=generation)
            raise Refusal(error)
        self.challenge = None
        self.note(ORDER, 0, sha256, a=a, b=generation)
        names = {data[at + 8 : at + 40] for at in range(168, size, 40)}
        if what in (FREEZE, STOP, RELEASE):
            self.frozen = what != RELEASE
        elif what == CONFIRM:
            for name in names:
                self.leaves[name]["trial"] = 0
        else:
            self.waiting = (sha256, what, names, struct.unpack_from("<I", data, 40)[0])
            self.try_it()

    def try_it(self):
        if self.waiting and all(n in self.leaves for n in self.waiting[2]) and self.fault != "stalls":
            threading.Timer(self.lag, self.commit).start()

    def commit(self):
        with self.lock:
            if not self.waiting:
                return
            (sha256, what, names, confirm), self.waiting = self.waiting, None
            if self.fault == "stands":
                self.note(ORDER, ERRORS["NL_ESTANDS"], sha256, a=what | 1 << 32 | 1 << 63)
                return
            self.generation += 1
            for name, l in self.leaves.items():
                on, off = name in names and what != REVERT, name in names if what == REVERT else name not in names
                if on and l["condition"] != 2:
                    l.update(condition=2, generation=self.generation, trial=confirm and self.now() + confirm * 1000000)
                    self.note(APPLIED, 0, name, l["id"])
                elif off and what != APPLY and l["condition"] == 2:
                    l.update(condition=3, generation=self.generation, trial=0)
                    self.note(REVERTED, 0, name, l["id"])
            self.note(COMMIT)

    # -- what it answers --

    def answer(self, method, path, query, body):
        if (method, path) == ("GET", "/v1/status") and "nonce" in query:
            if time.monotonic() - self.signed_at < self.pace or self.fault == "rate":
                raise Refusal("NL_ERATE")
            self.signed_at = time.monotonic()
            signed = self.signed(bytes.fromhex(query["nonce"]))
            self.first = self.first or signed
            return 200, signed
        if (method, path) == ("GET", "/v1/journal"):
            at = max(int(query.get("from", "1")), 1) - 1
            return 200, b"".join(self.journal[at : at + 52])
        if (method, path) == ("GET", "/v1/challenge"):
            self.challenge = os.urandom(32)
            head = struct.pack("<QIIII", int.from_bytes(b"NLCHALL", "little"), 1, 96, 0, 0)
            return 200, head + self.machine_id + self.boot_id + self.challenge + struct.pack("<Q", self.generation)
        if (method, path) == ("POST", "/v1/orders"):
            self.order(body)
            return 202, b'{"schema":"newleaf.net.order/1","result":"accepted"}'
        if method == "PUT" and path.startswith("/v1/leaves/"):
            sha256 = bytes.fromhex(path[11:])
            if not self.waiting or sha256 not in self.waiting[2]:
                raise Refusal("NL_EUNKNOWN_LEAF")
            if self.take_leaf(body) != sha256:
                raise Refusal("NL_EUSAGE")
            self.try_it()
            return 201, b'{"schema":"newleaf.net.leaf/1","result":"verified","sha256":"%s"}' % sha256.hex().encode()
        return 404, b""

    def problem(self, code):
        status = STATUS.get(code, 409)
        text = {"type": f"urn:newleaf:{code}", "title": "no", "status": status, "detail": "no", "code": code}
        return status, json.dumps(text).encode()

    def reply(self, method, status, body):
        kind = "application/problem+json" if status >= 400 else "application/json"
        if status < 300 and method == "GET":
            kind = "application/octet-stream"
        retry = "Retry-After: 1\r\n" if status in (429, 503) else ""
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{retry}"
        return (head + "Cache-Control: no-store\r\nConnection: close\r\n\r\n").encode() + body

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.speak, args=(connection,), daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def speak(self, connection):
        with connection:
            try:
                connection.settimeout(30)
                self.converse(connection)
            except OSError:
                pass

    def converse(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536) or b"\r\n\r\n"
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        size = max([int(l.split(":")[1]) for l in lines if l.lower().startswith("content-length:")] or [0])
        while len(body) < size:
            more = connection.recv(65536)
            if not more:
                return
            body += more
        method, target = (lines[0].split(" ") + ["", ""])[:2]
        path, _, text = target.partition("?")
        query = dict(pair.split("=", 1) for pair in text.split("&") if "=" in pair)
        self.requests.append((method, path))
        if stranger(self, connection, path):
            return
        with self.lock:
            try:
                status, body = self.answer(method, path, query, body)
            except Refusal as refusal:
                status, body = self.problem(str(refusal))
        if self.fault == "drops" and (status, path) == (202, "/v1/orders"):
            self.fault = ""  # accepted, and nobody hears of it
            return
        connection.sendall(self.reply(method, status, self.changed(method, path, status, body)))

    def changed(self, method, path, status, body):
        """What somebody in between, or a machine that lies, makes of it."""
        if path == "/v1/status" and status == 200:
            if self.fault == "replay":
                return self.first
            if self.fault == "forged":
                return body[:500] + bytes([body[500] ^ 1]) + body[501:]
            if self.fault == "noise":
                bit = self.lot.randrange(len(body) * 8)
                return body[: bit // 8] + bytes([body[bit // 8] ^ 1 << bit % 8]) + body[bit // 8 + 1 :]
            if self.fault == "cut":
                return body[:-1]
        if path == "/v1/journal" and self.fault == "journal" and body:
            return body[:-1] + bytes([body[-1] ^ 1])
        if path == "/v1/challenge" and self.fault == "lends":
            return body[:24] + os.urandom(16) + body[40:]
        return body


def stranger(machine, connection, path):
    """Something that is no machine answers in its place; True if it did."""
    octets = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    answers = {
        "short": octets + b"Content-Length: 1000\r\n\r\nshort",
        "empty": octets + b"Content-Length: 0\r\n\r\n",
        "html": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>",
        "json": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"frozen":false}',
        "redirect": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
        "closes": b"",
        "rude": b'HTTP/1.1 403 \x1b[2J\r\nContent-Type: application/problem+json\r\n\r\n{"code":"\x1b[31mNL_EPOLICY"}',
    }
    pad = b"X-Pad: " + b"y" * 900 + b"\r\n"
    endless = {"huge": (octets + b"\r\n", b"x" * 65536), "heads": (b"HTTP/1.1 200 OK\r\n", pad),
               "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "slow": (octets + b"\r\n", b"z")}  # fmt: skip
    if machine.fault in answers:
        connection.sendall(answers[machine.fault])
    elif machine.fault in endless:
        head, piece = endless[machine.fault]
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            if machine.fault == "slow":
                time.sleep(0.2)
    elif machine.fault == "silent":
        connection.recv(1)
    else:
        return False
    return True
