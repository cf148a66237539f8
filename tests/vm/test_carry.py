# SPDX-License-Identifier: Apache-2.0
"""newleaf carry of a standing order in a guest that has its EFI partition mounted: on the very disk that the firmware
boots from."""

import collections
import hashlib
import itertools
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time

from command import FIXES, newleaf, probe, refused
from efivars import Variables
from guest import BUILD, TOP, Machine, Skip, kernel_file, leaf_path
from leaves import author, built
from modules import package_module
from test_debian import ESP_START, run, to_esp

from test_standing import Standing, in_force
from test_state import OWNER, Lists
from test_stock import OLD
from vmtest import test

CHMOD, AUXV = FIXES
APPLY = 1  # guest_may
ESP = "/boot/efi"
PLACES = ESP + "/EFI/newleaf"
PIECE = 64 << 10  # by which a place grows
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
        said = g.call(f"set -o pipefail; head -c {len(content or b'')} {PLACES}/order-{place}.nlo | sha256sum")
        there = said.out.split()[0] if said.code == 0 else None
        t.expect(there == (content and hashlib.sha256(content).hexdigest()), f"another order lies in place {place}")


@test()
def carry(t):
    """newleaf carry of a standing order: written to the EFI partition, on at once, and again behind a reboot before any
    hand; the next one goes into the other place; refused where the partition is not mounted, read-only, full"""
    with tempfile.TemporaryDirectory() as folder:
        o = Carried(folder)
        g = o.boot(t)
        line, five = o.carry(g, 5, AUXV)
        probe(g, AUXV, "VULNERABLE")
        g.run(f"umount {ESP}")
        refused(g, line, "NL_EENVIRONMENT", 11)
        g.run(f"mount -o ro /dev/vda1 {ESP}")
        refused(g, line, "NL_EENVIRONMENT", 11)
        g.run(f"mount -o remount,rw {ESP}; dd if=/dev/zero of={ESP}/rest bs=64k 2>/dev/null", code=1)
        refused(g, line, "NL_EENVIRONMENT", 11)
        lies(t, g, None, None)
        g.run(f"rm {ESP}/rest")
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


def signs(t, g, o, epoch, by, *others):
    """These sign the next order, of what is on; those do not."""
    for names, refusal in others:
        refused(g, o.carry(g, epoch, AUXV, by=names)[0], refusal, 4)
    newleaf(g, o.carry(g, epoch, AUXV, by=by)[0])
    in_force(t, g, epoch=epoch, error=None, carried="NL_OK")


@test(full=True)
def carry_rotation(t):
    """operators by a standing order that is carried: the third signs instead of the first at once, without a reboot;
    behind a reboot, and behind a power-off that nothing has come before; whom the list revokes signs no more"""
    old, new = ("first", "second"), ("second", "third")
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "lists"))
        o, lists = Carried(folder), Lists(os.path.join(folder, "lists"))
        public = [o.path(name + ".pub") for name in ("first", "second", "lists/revoker")]
        author("key", "image", os.path.join(BUILD, "keys", "demo.pub"), *public, "-o", o.path("all"))
        subprocess.run(["objcopy", f"--update-section=.nlkeys={o.path('all')}", o.image], check=True)
        to_esp(o.disk, o.image, "/EFI/BOOT/BOOTX64.EFI")
        g = o.boot(t)
        words = ("--trust", o.path("third.pub"), "--distrust", o.path("first.pub"))
        newleaf(g, o.carry(g, 5, AUXV, words=words, by=old)[0])
        in_force(t, g, epoch=5, floor=0, error=None, carried="NL_OK")
        signs(t, g, o, 6, new, (old, "NL_EQUORUM"), (("first",), "NL_EKEY"))
        refused(g, o.carry(g, 7, AUXV, by=new)[0], "NL_ESTATE", 7)  # the next boot needs both places
        reboot(g)
        in_force(t, g, epoch=6, floor=6, error=None, carried="NL_OK")
        words = ("--trust", o.path("first.pub"), "--distrust", o.path("third.pub"))
        refused(g, o.carry(g, 7, AUXV, words=words, by=old)[0], "NL_EQUORUM", 4)
        newleaf(g, o.carry(g, 7, AUXV, words=words, by=new)[0])
        signs(t, g, o, 8, old, (new, "NL_EQUORUM"))
        g.poweroff()
        g = o.boot(t)
        in_force(t, g, epoch=8, floor=8, error=None, carried="NL_OK")
        probe(g, AUXV, "FIXED")
        signs(t, g, o, 9, old, (new, "NL_EQUORUM"))
        with open(lists.make(1, "--key", o.path("first.pub")), "rb") as f:
            g.put(f.read(), "/tmp/list")
        g.run(f"cp /tmp/list {PLACES}/list.nll")
        reboot(g)
        in_force(t, g, epoch=0, floor=8, error="NL_EQUORUM", carried=None)
        probe(g, AUXV, "VULNERABLE")
        refused(g, o.carry(g, 10, AUXV, by=("first",))[0], "NL_EKEYREVOKED", 4)
        refused(g, o.carry(g, 10, AUXV, by=old)[0], "NL_EQUORUM", 4)
        g.check_dmesg()


# Slow enough that power can go between any two of its writes: so many a second, a page each. Of what the disk has said
# that it is written nothing is lost.
SLOW = ("-set", "drive.esp.throttling.iops-write=4", "-set", "drive.esp.cache=writethrough",
        "-global", "driver=virtio-blk-device,property=request-merging,value=off")  # fmt: skip
BEGINS, ENDS = "the command begins", r"the command ends: (\d+)"
SCRIPT = r"""
echo 4 >/sys/block/vda/queue/max_sectors_kb
sync
echo "%s" >/dev/console
newleaf %s >/tmp/said 2>&1
echo "the command ends: $?" >/dev/console
"""
SEED, CUTS = 20261127, 24
SETS = ((AUXV, CHMOD), (AUXV,))  # of even and odd epochs
EPOCH = struct.Struct("<120xQ")  # of an order
ENTRY, SECTOR, PAGE = struct.Struct("<4Q"), 512, 4096  # of a log of writes
LOG_SIZE, LOSSES = 64 << 20, 8
# What fsck.fat says of each file system that was not unmounted; and of clusters that nobody has: they cost their room.
HARMLESS = re.compile(
    r"^fsck\.fat|differences between boot sector and its backup|mostly harmless|^  65:01/00|Not automatically fixing|"
    r"Dirty bit is set|Automatically removing dirty bit|Leaving filesystem unchanged|files, \d+/\d+ clusters|^$|"
    r"Free cluster summary wrong|Auto-correcting|Reclaimed \d+ unused clusters"
)
# Linux writes one copy of the table behind the other, and never looks at the second.
COPIES = ["FATs differ but appear to be intact.", "  Using first FAT."]


def epochs(place):
    return EPOCH.unpack_from(place)[0] if len(place) >= EPOCH.size else 0


class Cuts:
    """One machine whose power goes again and again; what lies on its disk then, and what it boots with."""

    def __init__(self, t, folder):
        self.t, self.o = t, Carried(folder)
        self.epoch = 0  # in force
        self.moments, self.came = collections.Counter(), collections.Counter()
        self.copies = 0
        self.length = {}  # of the command, in seconds; by whether its place's file has to grow
        self.g = self.boot()

    def boot(self):
        return self.o.boot(self.t, *SLOW)

    def content(self):
        with open(self.o.disk, "rb") as f:
            return f.read()

    def places(self, image=None):
        """As another FAT driver than the guest's reads them."""
        command = ["mtype", "-i", f"{image or self.o.disk}@@{ESP_START}"]
        for i in range(2):
            path = f"::/EFI/newleaf/order-{i}.nlo"
            yield subprocess.run([*command, path], stdin=subprocess.DEVNULL, capture_output=True).stdout

    def check_fat(self, image):
        part = self.o.path("partition")
        with open(image, "rb") as disk, open(part, "wb") as f:
            disk.seek(ESP_START)
            shutil.copyfileobj(disk, f)
        said = subprocess.run(["fsck.fat", "-n", part], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        bad = [line for line in said.splitlines() if not HARMLESS.search(line)]
        self.copies += bad == COPIES
        self.t.expect(bad in ([], COPIES), "the file system is damaged: " + "; ".join(bad))

    def grows(self, anew):
        """Whether the next order's place has to, which it has if it is made anew."""
        places = list(self.places())
        free = next(i for i in range(2) if not self.epoch or epochs(places[i]) != self.epoch)
        if anew:
            self.g.run(f"rm -f {PLACES}/order-{free}.nlo")
        return anew or len(places[free]) < PIECE

    def begin(self, epoch):
        line, content = self.o.carry(self.g, epoch, *SETS[epoch % 2])
        self.g.run("sync")
        before = self.content()
        self.g.send(SCRIPT % (BEGINS, line))
        self.g.wait_console(BEGINS)
        return content, before

    def carry(self, epoch):
        """Without a cut."""
        grows = self.grows(False)
        self.begin(epoch)
        started = time.monotonic()
        code = self.g.wait_console(ENDS)[1]
        self.length[grows] = time.monotonic() - started
        self.t.expect(code == "0", f"carry of epoch {epoch} ended with {code}")
        self.g.call(":")  # behind the script's own end
        self.in_force(epoch)

    def in_force(self, epoch, **expected):
        """It and nothing else, wholly."""
        self.epoch = epoch
        in_force(self.t, self.g, epoch=epoch, **(expected or {"carried": "NL_OK"}))
        on = SETS[epoch % 2] if epoch else ()
        applied = {leaf["id"] for leaf in newleaf(self.g, "status")["leaves"] if leaf["state"] == "applied"}
        self.t.expect(applied == set(on), f"of epoch {epoch}, {applied} is on")
        for fix in (AUXV, CHMOD):
            probe(self.g, fix, "FIXED" if fix in on else "VULNERABLE")

    def cut(self, epoch, anew, lot):
        """Power goes while it is carried; the next boot."""
        grows = self.grows(anew)
        content, before = self.begin(epoch)
        time.sleep(lot.uniform(0, 1.1 * self.length[grows]))
        self.g.cut()
        said = self.g.console()
        ended = re.search(ENDS, said[said.rindex(BEGINS) :])
        whole = any(place.startswith(content) for place in self.places())
        untouched = self.content() == before
        counter = Variables(self.o.variables).get("NewleafBoots", OWNER)  # None: it is just being written
        self.check_fat(self.o.disk)
        self.g = self.boot()
        raised = counter[0] if counter else not newleaf(self.g, "status")["orders"]["standing"]["epoch"]
        self.moments["after" if ended else "before" if untouched else "tried" if raised else "written"] += 1
        self.t.expect(whole or not (raised or ended), "an order counts that is not on the disk")
        self.came["none" if raised else "new" if whole else "old"] += 1
        if raised:  # as behind each boot that does not finish: it may have been the order
            self.in_force(0, floor=epoch, error="NL_ETRIAL", carried=None)
        else:
            self.in_force(epoch if whole else self.epoch)
        self.g.check_dmesg()


def slow(kind, t, folder):
    if not shutil.which("fsck.fat"):
        raise Skip("fsck.fat is missing (dosfstools)")
    return kind(t, folder)


def logged(path):
    """What QEMU's blklogwrites has logged (the kernel's Documentation/admin-guide/device-mapper/log-writes.rst): where
    and which bytes, a page or less each; None: a flush."""
    with open(path, "rb") as f:
        at = SECTOR
        while True:
            f.seek(at)
            sector, n, flags, _ = ENTRY.unpack(f.read(ENTRY.size))
            if not n and not flags:
                return
            f.seek(at + SECTOR)
            for piece in range(0, n * SECTOR, PAGE):
                yield sector * SECTOR + piece, f.read(min(PAGE, n * SECTOR - piece))
            if not n:
                yield None
            at += SECTOR * (1 + n)


def losses(n, lot):
    """Which of n writes that no flush has followed a disk may have made when its power goes: those up to one, all but
    one, one alone, and some by lot."""
    yield from (range(i) for i in range(n + 1))
    yield from ([i for i in range(n) if i != lost] for lost in range(n))
    yield from ([i] for i in range(n))
    yield from (sorted(lot.sample(range(n), lot.randint(0, n))) for _ in range(LOSSES if n > 2 else 0))


class Recorded(Cuts):
    """A second disk like the first, of which each write and flush is logged; the command writes to that."""

    def boot(self):
        self.disk, self.log = self.o.path("second"), self.o.path("log")
        shutil.copyfile(self.o.disk, self.disk)
        shutil.copyfile(self.o.disk, self.o.path("state"))
        with open(self.log, "wb") as f:
            f.truncate(LOG_SIZE)
        self.taken = 0  # of the log, into the state
        more = ("-blockdev", f"driver=file,node-name=second,filename={self.disk}",
                "-blockdev", f"driver=file,node-name=log,filename={self.log}",
                "-blockdev", "driver=blklogwrites,node-name=logged,file=second,log=log",
                "-device", "virtio-blk-pci,drive=logged")  # fmt: skip
        g = self.o.boot(self.t, *more)
        g.run(f"umount {ESP}; mount -t vfat -o umask=0077 /dev/vdb1 {ESP}")
        return g

    def take(self, writes):
        """Into the state."""
        with open(self.o.path("state"), "r+b") as f:
            for at, data in filter(None, writes):
                f.seek(at)
                f.write(data)

    def fresh(self):
        found = list(logged(self.log))[self.taken :]
        self.taken += len(found)
        return found

    def judge(self, epoch, lot, before=":"):
        """What the disk may hold when power goes at any moment of the command: how many states that are. before: what
        somebody has done to the place."""
        self.g.run(f"{before} {PLACES}/order-{(epoch - 1) % 2}.nlo")
        line, content = self.o.carry(self.g, epoch, *SETS[epoch % 2])
        self.g.run("sync")
        self.take(self.fresh())
        there, made, since = list(self.places(self.o.path("state"))), set(), []
        safe = there
        free = 0 if not there[0] or there[1] and epochs(there[0]) < epochs(there[1]) else 1
        newleaf(self.g, line)
        self.in_force(epoch)
        for write in self.fresh():
            if write:
                since.append(write)
                continue
            self.lose(since, lot, made, 1 - free, there[1 - free])
            self.take(since)
            safe, since = list(self.places(self.o.path("state"))), []
        self.lose(since, lot, made, 1 - free, there[1 - free])
        self.take(since)
        self.t.expect(safe[free].startswith(content), "it counts, and may be lost")
        return len(made)

    def lose(self, since, lot, made, other, content):
        """Some of the writes since a flush; the other place is to hold that."""
        tried = self.o.path("tried")
        for kept in losses(len(since), lot):
            state = [since[i] for i in kept]
            if (key := hash(tuple(state))) in made:
                continue
            made.add(key)
            shutil.copyfile(self.o.path("state"), tried)
            with open(tried, "r+b") as f:
                for at, data in state:
                    f.seek(at)
                    f.write(data)
            self.check_fat(tried)
            self.t.expect(list(self.places(tried))[other] == content, "the order in force has changed")


@test(full=True)
def carry_writes(t):
    """newleaf carry, each of its writes logged: whichever of those that no flush has followed is lost, the file system
    has no damage and the order in force is untouched"""
    with tempfile.TemporaryDirectory() as folder:
        c, lot = slow(Recorded, t, folder), random.Random(SEED)
        made = [c.judge(1, lot), c.judge(2, lot), c.judge(3, lot, "rm -f"), c.judge(4, lot, "truncate -s 700")]
        kept = [c.judge(5, lot), c.judge(6, lot)]
        t.note(f"states of the disk: {made} where a place is made, {kept} else")
        t.expect(min(made) > 3 and min(kept) > 3, "nothing was written")


@test(full=True)
def carry_power(t):
    """power goes at chance moments of newleaf carry: the machine boots with the order before or the new one, wholly,
    and its file system has no damage; where power goes while the new one is tried it boots without, and says so"""
    with tempfile.TemporaryDirectory() as folder:
        c, lot, numbers = slow(Cuts, t, folder), random.Random(SEED), itertools.count(1)
        for _ in range(3):  # two places that grow, and one that has its length
            c.carry(next(numbers))
        for i in range(CUTS):
            if not c.epoch:
                c.carry(next(numbers))
            c.cut(next(numbers), i % 3 == 0, lot)
        m = c.moments
        t.note(f"{CUTS} cuts, seed {SEED}, by lot in the {c.length[True]:.1f} s that the command takes where a place "
               f"grows, {c.length[False]:.1f} s else: {m['before']} before its first write, {m['written']} while it "
               f"wrote, {m['tried']} while the order was tried, {m['after']} after")  # fmt: skip
        t.note(f"in force: the old {c.came['old']} times, the new {c.came['new']}, none {c.came['none']} (those that "
               f"were tried); the FAT's two copies differed {c.copies} times")  # fmt: skip
        t.expect(m["written"] >= CUTS // 4, "too few cuts have come while it wrote")
