# SPDX-License-Identifier: Apache-2.0
"""Self-transplant of functions in modules: as test_transplant.py, with modules that the load uses. All leaves are on
before the first module comes: each function is replaced before it can run."""

import os
import subprocess
import tempfile

from command import newleaf
from guest import TOP
from leaves import DEMO_KEY, author
from modules import folder, package_module
from test_lines import MODEL
from test_transplant import DRAWN, OWN, devices, judge, tell, transplants
from vmtest import test

FULL = {"6.1": "linux-image-6.1.0-50-amd64", "7.3": "linux-image-7.3.4+deb13-amd64"}
# What the load walks through: a disk, its file system and others, a firewall, a bridge, a protocol.
USED = ("ext4", "nvme", "overlay", "isofs", "nf_tables", "nf_conntrack", "bridge", "dm_mod", "sctp", "vfat", "xfs")
MOST = ("ext4", "nvme", "overlay")  # of which most is executed: where many functions are drawn


SOUGHT = ("crc32c_generic",)  # by name, while others load: an old line has it as a module


def closure(kernel, names):
    """The modules and what they want, in an order in which they can be loaded: name and bytes."""
    found = {}
    crypto = os.path.join(folder(kernel), "kernel", "crypto")
    sought = [name for name in SOUGHT if os.path.exists(os.path.join(crypto, name + ".ko"))]
    for name in (*sought, *names):
        found.update((part, data) for part, data in package_module(kernel, name) if part not in found)
    return found


def run(t, kernel, count):
    many = count >= 1900
    modules = closure(kernel, MOST if many else USED)
    with tempfile.TemporaryDirectory() as directory:
        place = os.path.join(directory, "modules")
        os.mkdir(place)
        for name, data in modules.items():
            with open(os.path.join(place, name + ".ko"), "wb") as f:
                f.write(data)
        rows = transplants(directory, kernel, count, 2, modules=place)
        t.expect(len(rows) == count, f"{len(rows)} answers for {count} functions")
        judge(t, rows)
        leaves = sorted(f for f in os.listdir(directory) if f.endswith(".leaf"))
        command = [os.path.join(TOP, "scripts", "mkinitramfs"), "-o", os.path.join(directory, "initrd.img")]
        for name in leaves:
            author("sign", os.path.join(directory, name), "--key", DEMO_KEY)
            command += ["-a", f"{directory}/{name}:transplants/{name}"]
        for name in modules:
            command += ["-a", f"{place}/{name}.ko:mod/{name}.ko"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        g = t.boot(kernel=kernel, model=MODEL, initrd=os.path.join(directory, "initrd.img"), memory=2048,
                   more=devices(directory))  # fmt: skip
        g.run("newleaf apply --deadline 5s /transplants/*.leaf", timeout=120)
        for name in modules:
            g.run(f"[ -d /sys/module/{name} ] || insmod /mod/{name}.ko", timeout=60)
        states = {m["state"] for leaf in newleaf(g, "status")["leaves"] for m in leaf["modules"] if m["sites"]}
        t.expect(states == {"patched"}, f"modules are {states}")
        t.note("the load: " + g.run("broad --all 2>&1", timeout=900).splitlines()[-1])
        executed = tell(t, g, rows)
        g.check_dmesg(allow=OWN)
        g.run("newleaf revert --all", timeout=120)
        g.run("load --once")
        g.check_dmesg(allow=OWN)
        t.expect(executed >= (300 if many else 60), f"only {executed} were executed")
        g.poweroff()


for line, package in FULL.items():

    def of_line(t, kernel=package):
        run(t, kernel, DRAWN)

    of_line.__doc__ = f"""1,000 functions of modules of {line}'s full flavour, drawn by lot, run their own code at
                      another place from before their modules come (TRANSPLANTS=1900: so many, of few modules)"""
    test(full=True, name="transplant_modules_" + line.replace(".", "_"))(of_line)
