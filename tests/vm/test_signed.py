# SPDX-License-Identifier: Apache-2.0
"""What a machine says of itself, signed by the core with the key that the loader keeps for the machine, and believed or
not by `newleaf verify-status` on this host."""

import base64
import hashlib
import json
import os
import struct
import subprocess
import tempfile

from command import FIXES, apply, newleaf, refused, revert
from guest import BUILD
from leaves import AUTHOR, built
from test_state import State, boot
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
LEAVES, PIECE = 776, 248  # where the leaves begin in a signed status, and how long each is (newleaf/witness.h)


class Answer:
    """A signed status, fetched from a guest, as a file of this host."""

    def __init__(self, g, folder):
        self.folder, self.nonce = folder, os.urandom(32).hex()
        self.path = os.path.join(folder, self.nonce[:8])
        g.run(f"newleaf status --signed --nonce {self.nonce} --out /tmp/signed", timeout=120)
        self.raw = base64.b64decode(g.run("base64 </tmp/signed"))
        self.save(self.raw)

    def save(self, raw):
        with open(self.path, "wb") as f:
            f.write(raw)

    def verify(self, key, *more, nonce=None):
        """Exit code, and the JSON document."""
        done = subprocess.run(
            [AUTHOR, "verify-status", self.path, "--machine", key, "--nonce", nonce or self.nonce, "--json", *more],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)


def core_sha256():
    """Of the code and constants of the core that is in the image."""
    with open(os.path.join(BUILD, "core.bin"), "rb") as f:
        core = f.read()
    return hashlib.sha256(core[: struct.unpack_from("<Q", core, 32)[0]]).hexdigest()


def believed(t, answer, key, leaf, state):
    """By the enrolled key, of that leaf's bytes; and nothing else is."""
    code, doc = answer.verify(key, *(("--leaf", leaf) if state == "applied" else ()))
    t.expect(code == 0 and doc["leaves"][0]["state"] == state, f"not believed ({code}): {doc}")
    t.expect(doc["core_sha256"] == core_sha256(), "the core that says so is not the one that was built")

    def not_believed(code, name, *more, **other):
        got, said = answer.verify(key, *more, **other)
        t.expect((got, said.get("code")) == (code, name), f"{more} {other}: {name} expected, {got}: {said}")

    not_believed(6, "NL_ECHALLENGE", nonce=os.urandom(32).hex())
    not_believed(6, "NL_EBOOTID", "--after", str(doc["boot"] + 1))
    not_believed(7, "NL_EUNKNOWN_LEAF", "--leaf", built(OLD, CHMOD))
    for at in (24, 60, 150, 180, 210, 250, 390, 464, 500, LEAVES + 3, LEAVES + 36, LEAVES + PIECE + 10, -1):
        forged = bytearray(answer.raw)
        forged[at] ^= 0x10
        answer.save(forged)
        not_believed(4, "NL_ESIGNATURE")
    answer.save(answer.raw[:-1])
    not_believed(4, "NL_ESTATUS")
    answer.save(answer.raw)
    return doc


@test()
def state_status(t):
    """a signed status: believed on another machine by the enrolled key, with the bytes that run; forged, replayed, of
    another machine, and after a reboot as stale, refused"""
    with tempfile.TemporaryDirectory() as folder:
        variables, leaf = os.path.join(folder, "vars"), built(OLD, AUXV)
        g = boot(t, variables)
        key = g.run("newleaf status --machine-key").strip()
        apply(g, AUXV)
        first = Answer(g, folder)
        one = believed(t, first, key, leaf, "applied")
        status = newleaf(g, "status")
        t.expect(
            {n: one[n] for n in ("generation", "boot_id", "machine_id", "boot")}
            == {n: status[n] for n in ("generation", "boot_id", "machine_id", "boot")},
            f"signed {one}, not signed {status}",
        )
        revert(g, AUXV)
        believed(t, Answer(g, folder), key, leaf, "reverted")

        g.reboot()
        g.wait_ready()
        t.expect(g.run("newleaf status --machine-key").strip() == key, "a reboot has changed the machine's key")
        apply(g, AUXV)
        second = Answer(g, folder)
        two = believed(t, second, key, leaf, "applied")
        t.expect(two["boot"] == one["boot"] + 1, f"boot {one['boot']}, then {two['boot']}")
        latest = ("--after", str(two["boot"]))
        t.expect(second.verify(key, *latest)[0] == 0, "the boot of now is refused")
        code, doc = first.verify(key, *latest)
        t.expect((code, doc.get("code")) == (6, "NL_EBOOTID"), f"the boot before is believed ({code}): {doc}")
        g.poweroff()
        state = State(variables)
        t.expect(state.machine.hex() == two["machine_id"] and state.boots == two["boot"], "the state says otherwise")
        t.expect(state.key.hex() != key and state.key not in second.raw, "the seed is told")

        g = boot(t, os.path.join(folder, "others"))
        other = g.run("newleaf status --machine-key").strip()
        code, doc = first.verify(other)
        t.expect((code, doc.get("code")) == (6, "NL_EMACHINEID"), f"another machine's is believed ({code}): {doc}")
        refused(g, "status --signed --out /tmp/x", "NL_EUSAGE", 2)
        g.poweroff()
