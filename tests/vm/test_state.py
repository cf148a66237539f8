# SPDX-License-Identifier: Apache-2.0
"""What a machine remembers: the variable NewleafState as the firmware keeps it, the signed list beside the loader, and
leaves that are locked out."""

import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import tempfile
import uuid

from command import FIXES, apply, newleaf, refused
from efivars import BOOT, NON_VOLATILE, RUNTIME, Variables
from guest import BUILD, leaf_path
from leaves import Leaf, author, built, signed
from records import policy_record
from test_panic import give_up
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
OWNER = uuid.UUID("5f0b4c1e-6e65-776c-6561-66626f6f7431")
NAME = "NewleafState"
STATE = struct.Struct("<QIIIIQQQQII16s32s")  # struct nl_state (efi/state.h) up to its lock-outs, 40 bytes each


class State:
    """The variable in a file of them."""

    def __init__(self, path):
        self.path, self.variables = path, Variables(path)
        self.raw = self.variables.get(NAME, OWNER)
        self.attributes = self.variables.attributes(NAME, OWNER)
        if self.raw:
            (self.magic, self.version, _, _, _, _, self.sequence, _, self.left, self.security, self.boots,
             self.machine, self.key) = STATE.unpack_from(self.raw)  # fmt: skip
            rest = self.raw[STATE.size : STATE.size + 32 * 40]  # behind them: keys that sign no list any more
            entries = (rest[i : i + 36] for i in range(0, len(rest), 40))
            self.lockouts = [e[:32].hex() for e in entries if e[32]]

    def write(self, raw, attributes):
        self.variables.set(NAME, OWNER, raw, attributes)
        self.variables.save(self.path)


def boot(t, variables, **machine):
    return t.boot(variables=variables, cpus=1, settings=("boot-tries 0", "console com1"), **machine)


def load(t, variables, *said, **machine):
    """The loader alone: what it and the core say up to the start of the operating system, which nobody waits for."""
    g = boot(t, variables, ready=False, **machine)
    for pattern in said:
        g.wait_console(pattern, 300)
    g.wait_console(r"newleaf: starting ", 300)
    g.close()


@test()
def state_variable(t):
    """the machine's state: made once, read by boot services alone; a stranger's, a damaged and a newer one"""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.path.join(folder, "vars")
        g = boot(t, variables)
        path = f"/sys/firmware/efi/efivars/{NAME}-{OWNER}"
        g.run("grep -q efivarfs /proc/mounts || mount -t efivarfs efivarfs /sys/firmware/efi/efivars")
        t.expect(g.call(f"ls {path}").code != 0, "the guest sees the state")
        g.poweroff()
        first = State(variables)
        t.expect(first.attributes == NON_VOLATILE | BOOT, f"attributes {first.attributes}")
        t.expect(first.magic == 0x45544154534C4E and first.version == 3, "no head as record.h has it")
        t.expect(first.left % 4096 == 0 and first.left, f"what is left will lie at {first.left:x}")
        t.expect(any(first.machine) and len(set(first.key)) > 8, "machine id or key is not random")
        t.expect(first.security == 0, "the floor has risen without Secure Boot")

        load(t, variables, r"newleaf: launched")
        again = State(variables)
        t.expect(
            (again.boots, again.raw[:16] + again.raw[32:60] + again.raw[64:])
            == (first.boots + 1, first.raw[:16] + first.raw[32:60] + first.raw[64:]),
            "a boot has changed more of the state than its number",
        )

        State(variables).write(first.raw, NON_VOLATILE | BOOT | RUNTIME)
        strange = r"warning: an EFI variable NewleafState was not written by this loader, or is damaged"
        load(t, variables, strange, r"newleaf: launched")
        second = State(variables)
        t.expect(second.attributes == NON_VOLATILE | BOOT, f"attributes {second.attributes}")
        t.expect(second.machine != first.machine and second.key != first.key, "what a stranger wrote counts")

        damaged = bytearray(second.raw)
        damaged[STATE.size - 1] ^= 1
        State(variables).write(bytes(damaged), None)
        load(t, variables, strange, r"newleaf: launched")

        newer = bytearray(State(variables).raw) + bytes(4000)  # and larger than anything of ours
        newer[8] = 4
        State(variables).write(bytes(newer), None)
        newest = r"a newer Newleaf has written the EFI variable NewleafState"
        load(t, variables, newest, r"newleaf: not launched: .*\[NL_ENEWER\]")
        t.expect(State(variables).raw == bytes(newer), "the newer state was overwritten")


class Lists:
    """An image that trusts a key with lists, and such lists."""

    def __init__(self, folder):
        self.folder, self.image = folder, os.path.join(folder, "newleaf.efi")
        keys, self.key = os.path.join(folder, "keys"), os.path.join(folder, "revoker.pem")
        public = [os.path.join(BUILD, "keys", "demo.pub")]
        for name in ("revoker", "lost"):
            author("key", "new", name, "--role", "revoke", "-o", folder)
            public.append(os.path.join(folder, name + ".pub"))
        author("key", "image", *public, "-o", keys)
        plain = os.path.join(BUILD, "newleaf.efi")
        subprocess.run(["objcopy", "--update-section", f".nlkeys={keys}", plain, self.image], check=True)

    def strict(self):
        """The same image, whose policy wants no launch without a good list."""
        policy, out = os.path.join(self.folder, "policy"), os.path.join(self.folder, "strict.efi")
        with open(policy, "wb") as f:
            f.write(policy_record(without_list=2))
        subprocess.run(["objcopy", "--update-section", f".nlpol={policy}", self.image, out], check=True)
        return out

    def make(self, sequence, *entries, key=None):
        out = os.path.join(self.folder, f"{sequence}.nll")
        author("revoke", "new", "--sequence", str(sequence), *entries, "--sign", key or self.key, "-o", out)
        return out

    def machine(self, path):
        return {"loader": self.image, "files": (f"{path}:/EFI/newleaf/list.nll",) if path else ()}


def listed(g):
    return newleaf(g, "status")["list"]


@test()
def state_list(t):
    """the signed list: what it revokes and how new leaves must be, over a power-off; an older one, a damaged one, one
    of another key or a revoked one are not taken, and without the one that was taken no leaf is applied"""
    with tempfile.TemporaryDirectory() as folder:
        variables, lists = os.path.join(folder, "vars"), Lists(folder)
        lost = os.path.join(folder, "lost.pub")
        good = lists.make(7, "--leaf", built(OLD, CHMOD), "--floor", f"{AUXV}=1000", "--key", lost)

        g = boot(t, variables, **lists.machine(good))
        t.expect(listed(g) == {"sequence": 7, "known": 0, "error": None}, listed(g))
        refused(g, f"apply {leaf_path(OLD, CHMOD)}", "NL_EREVOKED", 4)
        refused(g, f"apply {leaf_path(OLD, AUXV)}", "NL_EVERSION", 7)
        g.poweroff()
        t.expect(State(variables).sequence == 7, "the machine has not remembered the list's sequence")

        g = boot(t, variables, **lists.machine(None))
        t.expect(listed(g) == {"sequence": 0, "known": 7, "error": "NL_ELISTGONE"}, listed(g))
        newleaf(g, "status --check", code=10)
        refused(g, f"apply {leaf_path(OLD, AUXV)}", "NL_ELIST", 6)
        log = g.run("newleaf log")
        t.expect(re.search(r"list .*NL_ELISTGONE", log), f"the journal does not tell: {log}")
        g.poweroff()

        def not_taken(path, error):
            load(t, variables, rf"newleaf: signed list 0, known 7, error {error}\D", **lists.machine(path))
            t.expect(State(variables).sequence == 7, "the machine remembers another list")

        not_taken(lists.make(6), 68)  # NL_ELISTOLD
        with open(good, "rb") as f:
            data = bytearray(f.read())
        data[40] ^= 1
        damaged = os.path.join(folder, "damaged.nll")
        with open(damaged, "wb") as f:
            f.write(data)
        not_taken(damaged, 8)  # NL_ESIGNATURE
        not_taken(lists.make(9, key=os.path.join(BUILD, "keys", "demo.pem")), 7)  # NL_EKEY: an author's
        not_taken(lists.make(10, key=os.path.join(folder, "lost.pem")), 7)  # the first list revoked it
        with open(damaged, "wb") as f:
            f.write(bytes(65537))  # more than a loader reads
        not_taken(damaged, 47)  # NL_ERECORD, and not as if there were none
        load(t, variables, r"newleaf: not launched: .*\[NL_ELISTGONE\]", loader=lists.strict())


@test()
def state_lock_out(t):
    """a leaf that was on when the core gave up, before the guest was up: locked out, until a signed list pardons it;
    how new a leaf was outlives a reset, not a power-off"""
    with tempfile.TemporaryDirectory() as folder:
        variables, lists = os.path.join(folder, "vars"), Lists(folder)
        g, now = give_up(t, variables=variables, settings=("boot-tries 0", "console com1"), **lists.machine(None))
        with open(built(OLD, AUXV), "rb") as f:
            leaf = Leaf.read(f.read())
        leaf.version += 5
        g.put(signed(folder, leaf.file()), "/tmp/newer.leaf")
        apply(g, CHMOD)
        newleaf(g, "apply /tmp/newer.leaf")
        newleaf(g, f"revert {AUXV}")
        now()
        g.wait_console(r"newleaf: PANIC: exception 6 ", 120)
        g.wait_ready()
        t.expect(newleaf(g, "status")["lockouts"] == 1, "what was on is not locked out, or what was not is")
        refused(g, f"apply {leaf_path(OLD, CHMOD)}", "NL_ELOCKEDOUT", 7)
        refused(g, f"apply {leaf_path(OLD, AUXV)}", "NL_EVERSION", 7)
        g.poweroff()
        with open(built(OLD, CHMOD), "rb") as f:
            shipped = f.read()
        name = hashlib.sha256(shipped[: struct.unpack_from("<I", shipped, 16)[0]]).hexdigest()
        t.expect(State(variables).lockouts == [name], f"the state locks out {State(variables).lockouts}")

        g = boot(t, variables, **lists.machine(lists.make(1, "--pardon", name)))
        t.expect(newleaf(g, "status")["lockouts"] == 1, "a power-off has ended the lock-out")
        apply(g, CHMOD)
        apply(g, AUXV)
        g.poweroff()


def journal(g):
    """All entries, whose chain the command has checked."""
    return [json.loads(line) for line in g.run("newleaf log --json").splitlines()]


@test()
def state_journal(t):
    """the journal outlives a warm reset: its entries are read after it, the chain goes on; root, who knows where it
    lies, cannot write there; a power-off takes it, and numbers begin with 1"""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.path.join(folder, "vars")
        g = boot(t, variables)
        apply(g, CHMOD)
        refused(g, f"apply {leaf_path(OLD, CHMOD)} --deadline 99s", "NL_EUSAGE", 2)
        before = journal(g)
        t.expect(before[0]["seq"] == 1 and before[0]["event"] == "boot", f"begins with {before[0]}")
        t.expect(int(before[0]["b"], 16) == 0, "the first boot goes on from another one")
        t.expect(before[-1]["event"] == "commit", f"ends with {before[-1]}")

        # The panic's record, what is kept, and the ring: 31 pages. The guest sees one page in the place of all.
        left = State(variables).left >> 12
        seen = {g.run(f"dd if=/dev/mem bs=4096 count=1 skip={left + i} 2>/dev/null | sha256sum") for i in range(31)}
        t.expect(len(seen) == 1, f"the guest sees {len(seen)} different pages there")
        for i in range(31):
            g.run(f"dd if=/dev/zero of=/dev/mem bs=4096 count=1 seek={left + i} conv=notrunc 2>/dev/null")
        t.expect(journal(g) == before, "the guest has changed the journal")
        newleaf(g, "log --keep /tmp/kept")
        kept = g.run("base64 /tmp/kept")

        g.reboot()
        g.wait_ready()
        after = journal(g)
        t.expect(after[: len(before)] == before, "entries from before the reset are lost, or others")
        new = after[len(before)]
        t.expect(new["event"] == "boot" and int(new["b"], 16) == 1, f"the next one is {new}")
        t.expect(new["boot_id"] != before[0]["boot_id"], "two boots have one id")
        t.expect([e["seq"] for e in after] == list(range(1, len(after) + 1)), "numbers have gaps")
        t.expect(all(e["time"] for e in after), "entries of the boot before have no date")
        g.put(base64.b64decode(kept), "/tmp/kept")
        answer = newleaf(g, "log --keep /tmp/kept")
        t.expect(answer["first"] == new["seq"] and not answer["began_anew"], f"kept: {answer}")
        answer = newleaf(g, "log --verify /tmp/kept")
        t.expect((answer["entries"], answer["boots"], answer["chains"]) == (len(after), 2, 1), f"verified: {answer}")
        kept = g.run("base64 /tmp/kept")
        g.poweroff()

        g = boot(t, variables)
        last = journal(g)
        t.expect(last[0]["seq"] == 1 and int(last[0]["b"], 16) == 0, f"after a power-off the first is {last[0]}")
        t.expect(all(e["boot_id"] == last[0]["boot_id"] for e in last), "entries of a boot before are there")
        g.put(base64.b64decode(kept), "/tmp/kept")
        answer = newleaf(g, "log --keep /tmp/kept")
        t.expect(answer["first"] == 1 and answer["began_anew"] and not answer["missing_before"], f"kept: {answer}")
        name = os.path.join(folder, "kept")
        with open(name, "wb") as f:
            f.write(base64.b64decode(g.run("base64 /tmp/kept")))
        g.poweroff()

        # Elsewhere, where no Newleaf is; and with one bit of it flipped.
        command = [os.path.join(BUILD, "newleaf"), "log", "--verify", name, "--json"]
        answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1])
        t.expect((answer["boots"], answer["chains"]) == (3, 2), f"verified: {answer}")
        with open(name, "r+b") as f:
            f.seek(24 + 100)
            byte = f.read(1)
            f.seek(24 + 100)
            f.write(bytes([byte[0] ^ 1]))
        flipped = subprocess.run(command, capture_output=True, check=False)
        said = json.loads(flipped.stdout.splitlines()[-2])["first_that_does_not_fit"]
        t.expect(flipped.returncode == 4 and said == {"place": 1, "seq": 1, "why": "damaged"}, f"a flipped bit: {said}")
