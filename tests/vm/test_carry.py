# SPDX-License-Identifier: Apache-2.0
"""newleaf carry of a standing order in a guest that has its EFI partition mounted: on the very disk that the firmware
boots from."""

import hashlib
import os
import tempfile

from command import FIXES, newleaf, probe, refused
from guest import TOP, Machine, kernel_file, leaf_path
from leaves import built
from modules import package_module
from test_debian import run

from test_standing import Standing, in_force
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
APPLY = 1  # guest_may
PLACES = "/boot/efi/EFI/newleaf"
# What a Debian has in its initramfs, and what it mounts the partition with.
MODULES = ("virtio_pci", "virtio_blk", "vfat", "nls_cp437", "nls_ascii")
MOUNT = r"""
set -e
for module in /carry/*.ko; do insmod $module; done
i=0; until [ -b /dev/vda1 ]; do usleep 20000; i=$((i + 1)); [ $i -lt 1500 ]; done
mkdir -p /boot/efi
mount -t vfat -o umask=0077 /dev/vda1 /boot/efi
"""


def up(g):
    """As a boot ends that goes well: with the partition mounted, and the boot counter clear."""
    g.run(MOUNT)
    newleaf(g, "alive")


def reboot(g):
    g.reboot("umount /boot/efi; reboot -f")
    g.wait_console(r"newleaf: launched", 240)
    g.wait_ready()
    up(g)


class Carried(Standing):
    """A disk with Newleaf, a stock kernel and an initramfs that can mount its EFI partition."""

    def __init__(self, folder, guest_may=APPLY):
        super().__init__(folder, guest_may)
        kernel, modules = kernel_file(OLD), {}
        for name in MODULES:
            modules.update(package_module(OLD, name))
        os.mkdir(self.path("modules"))
        for i, (name, data) in enumerate(modules.items()):
            with open(self.path(f"modules/{i:02}-{name}.ko"), "wb") as f:
                f.write(data)
        initrd, self.disk = self.path("initrd.img"), self.path("disk.img")
        run(os.path.join(TOP, "scripts", "mkinitramfs"), "-o", initrd, "-k", os.path.dirname(os.path.dirname(kernel)),
            "-a", self.path("modules") + ":/carry")  # fmt: skip
        run(os.path.join(TOP, "scripts", "mkesp"), "--image", "--loader", self.image, "--kernel", kernel, "--initrd",
            initrd, "--cmdline", Machine().base, "--set", "console com1", self.disk)  # fmt: skip

    def boot(self, t, *more, **machine):
        g = t.boot(disk=self.disk, variables=self.variables, more=more, **machine)
        up(g)
        self.machine = newleaf(g, "status")["machine_id"]
        return g

    def carry(self, g, epoch, *fixes, **how):
        """The command's line, when the order is in the guest; and what is to lie in its place then."""
        content = self.signed(epoch, *(built(OLD, fix) for fix in fixes), **how)
        with open(self.path(f"{epoch}.nlo"), "rb") as f:
            g.put(f.read(), f"/tmp/{epoch}.nlo")
        return " ".join([f"carry /tmp/{epoch}.nlo", *(leaf_path(OLD, fix) for fix in fixes)]), content


def lies(t, g, *contents):
    """What is in the two places, as the guest reads it from the disk; None: nothing."""
    g.run("sync; echo 3 >/proc/sys/vm/drop_caches")
    for place, content in enumerate(contents):
        said = g.call(f"sha256sum <{PLACES}/order-{place}.nlo")
        there = said.out.split()[0] if said.code == 0 else None
        t.expect(there == (content and hashlib.sha256(content).hexdigest()), f"another order lies in place {place}")


@test()
def carry(t):
    """newleaf carry of a standing order: written to the EFI partition, on at once, and again behind a reboot before any
    hand; the next one goes into the other place"""
    with tempfile.TemporaryDirectory() as folder:
        o = Carried(folder)
        g = o.boot(t)
        line, five = o.carry(g, 5, AUXV)
        probe(g, AUXV, "VULNERABLE")
        newleaf(g, line)
        probe(g, AUXV, "FIXED")
        in_force(t, g, epoch=5, floor=0, error=None, carried="NL_OK")
        lies(t, g, five, None)
        reboot(g)
        in_force(t, g, epoch=5, floor=5, error=None, carried="NL_OK")
        probe(g, AUXV, "FIXED")
        line, six = o.carry(g, 6, AUXV, CHMOD)
        newleaf(g, line)
        probe(g, CHMOD, "FIXED")
        in_force(t, g, epoch=6, floor=5, error=None, carried="NL_OK")
        lies(t, g, five, six)
        refused(g, o.carry(g, 5, AUXV)[0], "NL_EEPOCH", 7)
        reboot(g)
        in_force(t, g, epoch=6, floor=6, error=None, carried="NL_OK")
        probe(g, CHMOD, "FIXED")
        lies(t, g, five, six)
        line, seven = o.carry(g, 7, CHMOD)
        newleaf(g, line)
        probe(g, AUXV, "VULNERABLE")
        in_force(t, g, epoch=7, floor=6, error=None, carried="NL_OK")
        lies(t, g, seven, six)
        g.check_dmesg()
