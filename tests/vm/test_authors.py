# SPDX-License-Identifier: Apache-2.0
"""Who may sign a leaf: an image whose policy wants two authors, a list that revokes one of them, and what may take a
leaf's place where nothing may be reverted."""

import os
import subprocess
import tempfile

from command import FIXES, newleaf, probe, refused
from guest import BUILD
from leaves import DEMO_KEY, Leaf, author, built, signed
from records import policy_record
from test_refuse import fact
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
SUPERSEDES = 7  # NL_FACT_SUPERSEDES


class Authors:
    """An image that trusts the demo's key and three more authors, and wants two of them; reverts are forbidden."""

    def __init__(self, folder):
        self.folder, self.image = folder, os.path.join(folder, "newleaf.efi")
        keys, policy = os.path.join(folder, "keys"), os.path.join(folder, "policy")
        for name, role in (("two", "author"), ("three", "author"), ("gone", "author"), ("revoker", "revoke")):
            author("key", "new", name, "--role", role, "-o", folder)
        public = [self.path(name + ".pub") for name in ("two", "three", "gone", "revoker")]
        author("key", "image", os.path.join(BUILD, "keys", "demo.pub"), *public, "-o", keys)
        with open(policy, "wb") as f:
            f.write(policy_record(guest_may=1, signatures=2))
        sections = [f"--update-section=.nlkeys={keys}", f"--update-section=.nlpol={policy}"]
        subprocess.run(["objcopy", *sections, os.path.join(BUILD, "newleaf.efi"), self.image], check=True)
        self.list = self.path("list.nll")
        author("revoke", "new", "--sequence", "1", "--key", self.path("gone.pub"), "--sign", self.path("revoker.pem"),
               "-o", self.list)  # fmt: skip

    def path(self, name):
        return os.path.join(self.folder, name)

    def leaf(self, *names, **changes):
        """A fix, signed by these."""
        with open(built(OLD, changes.pop("fix", CHMOD)), "rb") as f:
            leaf = Leaf.read(f.read())
        for name, value in changes.items():
            setattr(leaf, name, value)
        keys = [DEMO_KEY if name == "demo" else self.path(name + ".pem") for name in names]
        return leaf.version, signed(self.folder, leaf.file(), *keys)


@test()
def authors(t):
    """a policy of two signatures: one, one twice, one and a revoked one are too few, a revoked one alone is named; two
    authors' leaf is applied; without a right to revert a later leaf takes its place if both signed it and it says so"""
    with tempfile.TemporaryDirectory() as folder:
        a = Authors(folder)
        g = t.boot(cpus=1, loader=a.image, files=(f"{a.list}:/EFI/newleaf/list.nll",))

        def put(*names, **changes):
            version, data = a.leaf(*names, **changes)
            g.put(data, "/tmp/it.leaf")
            return version

        for names, error, exits in (
            (("demo",), "NL_EQUORUM", 4),
            (("demo", "demo"), "NL_EQUORUM", 4),
            (("demo", "gone"), "NL_EQUORUM", 4),
            (("gone",), "NL_EKEYREVOKED", 4),
        ):
            put(*names)
            answer = refused(g, "apply /tmp/it.leaf", error, exits)
            t.note(f"signed by {' and '.join(names)}: {answer['code']}")
        probe(g, CHMOD, "VULNERABLE")
        version = put("demo", "two")
        newleaf(g, "apply /tmp/it.leaf")
        probe(g, CHMOD, "FIXED")
        (leaf,) = newleaf(g, "status")["leaves"]
        t.expect(leaf["signatures"] == 2, f"{leaf['signatures']} signatures count")
        refused(g, f"revert {CHMOD}", "NL_EPOLICY", 6)

        later = {"id": "successor"}
        put("demo", "two", facts=fact(SUPERSEDES, CHMOD), **later)
        refused(g, "apply /tmp/it.leaf", "NL_ECONFLICT", 7)  # of which version? The other stays, and excludes it
        put("demo", "three", facts=fact(SUPERSEDES, CHMOD, version), **later)
        refused(g, "apply /tmp/it.leaf", "NL_EPOLICY", 6)
        put("demo", "three", version=version + 1)
        refused(g, "apply /tmp/it.leaf", "NL_EPOLICY", 6)
        put("three", "two", "demo", facts=fact(SUPERSEDES, CHMOD, version), **later)
        answer = newleaf(g, "apply /tmp/it.leaf")
        t.expect([x["id"] for x in answer["reverted"]] == [CHMOD], f"reverted: {answer['reverted']}")
        probe(g, CHMOD, "FIXED")
        g.check_dmesg()
        g.poweroff()
