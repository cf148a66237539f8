# SPDX-License-Identifier: Apache-2.0
"""The stick of docs/how-to/measure-hardware.md: it boots from USB, measures, writes its results to itself and nothing
to any disk of the machine."""

import glob
import hashlib
import json
import os
import re
import subprocess
import tempfile

from guest import TOP, Failure, Skip
from vmtest import test

ROUNDS = 8


def mkstick(*arguments):
    done = subprocess.run(
        [os.path.join(TOP, "scripts/mkstick"), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode in (11, 77):
        raise Skip(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise Failure(f"mkstick {' '.join(arguments)}: {done.stderr}")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def disks(folder):
    """Two disks as machines have them, with what would be lost on them, and QEMU's options for them."""
    paths, more = [], ()
    for name, device in (("sata", "ide-hd"), ("nvme", "nvme,serial=1")):
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as f:
            f.write(os.urandom(16 << 20))
        more += ("-drive", f"if=none,id={name},format=raw,file={paths[-1]}", "-device", f"{device},drive={name}")
    return paths, more


def measured(t, folder, image, **machine):
    """Boot the stick until the machine is off; its one new document."""
    known = set(glob.glob(os.path.join(folder, "results/*.json")))
    paths, more = disks(folder)
    before = [digest(p) for p in paths]
    g = t.boot(ready=False, disk=image, stick=True, more=more, **machine)
    g.wait_console(r"stick: done: .*", timeout=240)
    g.wait_exit()
    t.expect([digest(p) for p in paths] == before, "a disk of the machine is not what it was")
    t.expect(not re.search(r"\b(ata\d|nvme\d?:? |nvme0)", g.console()), "the kernel saw a disk of the machine")
    mkstick("--results", image, os.path.join(folder, "results"))
    fresh = set(glob.glob(os.path.join(folder, "results/*.json"))) - known
    t.expect(len(fresh) == 1, f"{len(fresh)} new documents on the stick")
    with open(fresh.pop(), encoding="utf-8") as f:
        return json.load(f)


@test(full=True)
def stick(t):
    """a measuring stick (scripts/mkstick) boots from USB, runs its rounds, writes a JSON document to itself, and leaves
    the machine's disks alone; on a machine without virtualisation the document says so"""
    with tempfile.TemporaryDirectory(prefix="newleaf-stick-") as folder:
        image = os.path.join(folder, "stick.img")
        mkstick("--rounds", str(ROUNDS), image)
        found = measured(t, folder, image)
        t.expect(found["schema"] == "newleaf.stick/1" and found["finished"], f"no whole document: {found}")
        t.expect(found["stopped"] is None and found["done"] == ROUNDS and found["torn"] == 0, f"{found}")
        t.expect(len([a for a in found["answers"] if a["result"] == "ok"]) == 2 * ROUNDS, f"{found['answers']}")
        t.expect(" 0 failures" in found["load"] and not found["dmesg"], f"{found['load']} {found['dmesg']}")
        t.expect(found["blackout"] and found["blackout"]["busy"]["probe"]["n"], f"no report: {found['blackout']}")
        t.expect(found["newleaf"]["vendor"] == "SVM" and found["machine"]["cpus"] == 2, f"{found['machine']}")
        windows = sorted(a["stop_window_ns"] for a in found["answers"] if a["result"] == "ok")
        span = f"{windows[0] // 1000}-{windows[-1] // 1000} us"
        t.note(f"{ROUNDS} rounds, stop windows {span}, {found['retries']} retries")
        bare = measured(t, folder, image, model="max,-svm,-la57")
        t.expect(bare["finished"] and bare["newleaf"] is None and bare["done"] == 0, f"{bare}")
        t.expect("no Newleaf below" in bare["stopped"], bare["stopped"])
