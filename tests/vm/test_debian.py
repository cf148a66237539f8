# SPDX-License-Identifier: Apache-2.0
"""A real Debian 12 on a disk (scripts/mkdebian): systemd, shim, GRUB, Debian's signed kernel. Newleaf is installed as
docs/how-to/real-machine.md says, by those very commands; leaves come on at each boot by the shipped unit; the kernel
package is upgraded. The same with Secure Boot on."""

import os
import subprocess
import tempfile

from command import newleaf, probe
from efivars import BOOT, NON_VOLATILE, SECURITY_DATABASE, SHIM, Variables, signature_list
from guest import BUILD, TOP, EmulatorDefect, Failure, Skip
from records import policy_record
from leaves import built
from test_stock import NEW, OLD
from vmtest import test

FIX = "prctl-auxv"
ESP_START = 1 << 20  # of the disk: scripts/mkdebian
UEFI_CA = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"


def run(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if done.returncode in (11, 77):
        raise Skip(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def disk(folder):
    """A disk on which `make install` has been run, with a leaf and the harness's programs in /root."""
    tree, out = os.path.join(folder, "tree"), os.path.join(folder, "disk.img")
    run("make", "-s", "-C", TOP, f"B={BUILD}", "install", f"DESTDIR={tree}")
    files = [(os.path.join(at, f), os.path.join(at, f).removeprefix(tree)) for at, _, fs in os.walk(tree) for f in fs]
    files += [(built(OLD, FIX), f"/root/{FIX}.leaf")]
    files += [(os.path.join(BUILD, program), f"/usr/local/bin/{os.path.basename(program)}")
              for program in ("repro", "guest/token")]  # fmt: skip
    added = [word for file, path in files for word in ("--add", f"{file}:{path}")]
    run(os.path.join(TOP, "scripts", "mkdebian"), "--kernel", OLD, "--upgrade", NEW, *added, out)
    return out


def to_esp(image, file, path):
    run("mcopy", "-o", "-i", f"{image}@@{ESP_START}", file, "::" + path)


# docs/how-to/real-machine.md, "Install"; the disk's name is the emulator's.
INSTALL = r"""
set -e
mkdir -p /boot/efi/EFI/newleaf
cp ${LOADER:-/usr/local/lib/newleaf/newleaf.efi} /boot/efi/EFI/newleaf/newleafx64.efi
printf '%s\n' 'next \EFI\debian\shimx64.efi' >/boot/efi/EFI/newleaf/newleaf.conf
efibootmgr --create-only --disk /dev/vda --part 1 --label Newleaf --loader '\EFI\newleaf\newleafx64.efi' >/dev/null
entry=$(efibootmgr | sed -n 's/^Boot\([0-9A-F]*\)\*\? Newleaf.*/\1/p')
efibootmgr --bootorder $entry,$(efibootmgr | sed -n 's/^BootOrder: //p') >/dev/null
mkdir -p /etc/newleaf/leaves
cp /root/*.leaf /etc/newleaf/leaves/
systemctl -q enable newleaf-alive newleaf-sync
"""


def reboot(g):
    below = "newleaf: launched" in g.console()
    g.reboot("systemctl reboot")
    if not below:  # what hangs before Newleaf was ever started is not ours
        g.wait_console("reboot: machine restart", 60)
        try:
            g.wait_console("BdsDxe: ", 60)
        except Failure as failure:
            raise EmulatorDefect(f"QEMU's firmware did not come back from a reset without Newleaf: {failure}") from None
    g.wait_ready()


def patched(t, g):
    """The leaf is on, and it was the unit."""
    leaves = newleaf(g, "status")["leaves"]
    t.expect([leaf["state"] for leaf in leaves] == ["applied"], f"the leaf is not on: {leaves}")
    probe(g, FIX, "FIXED")
    out = g.run("systemctl is-active newleaf-sync newleaf-alive; systemctl --failed --no-legend", code=(0,))
    t.expect(out.split() == ["active", "active"], out)
    t.expect(newleaf(g, "alive", code=3)["result"] == "nothing-to-do", "the boot counter was not cleared")


@test()
def debian(t):
    """a real Debian: installed by the how-to's commands, patched by the unit at the next boot (one CPU: less to
    emulate)"""
    with tempfile.TemporaryDirectory() as folder:
        g = t.boot(disk=disk(folder), variables=os.path.join(folder, "vars"), cpus=1)
        t.note(f"{g.run('uname -r').strip()}: boot without Newleaf {g.boot_seconds:.1f} s")
        probe(g, FIX, "VULNERABLE")
        g.run(INSTALL)
        reboot(g)
        patched(t, g)
        g.check_dmesg()


# A commit that finds no moment is tried again by systemd. Here the command is one that does so once.
BUSY = r"""
mkdir -p /run/systemd/system/newleaf-sync.service.d
printf '%s\n' '[Service]' ExecStart= "ExecStart=/bin/sh -c 'test -e /run/again || { touch /run/again; exit 8; }'" \
	RestartSec=1 >/run/systemd/system/newleaf-sync.service.d/busy.conf
systemctl daemon-reload
systemctl restart newleaf-sync
until systemctl -q is-active newleaf-sync; do sleep 1; done # for as long as the harness waits
[ -e /run/again ]
"""


@test(full=True)
def debian_upgrade(t):
    """patched by the unit at each of two boots; then an upgrade of the kernel package: the leaf is refused by name for
    the new kernel, and nothing else breaks"""
    with tempfile.TemporaryDirectory() as folder:
        g = t.boot(disk=disk(folder), variables=os.path.join(folder, "vars"))
        g.run(INSTALL)
        for _ in range(2):
            reboot(g)
            patched(t, g)
        # As apt does it: the new kernel beside the old one, initramfs and GRUB's menu made anew.
        g.run("DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io -i /root/linux-image-*.deb", timeout=600)
        reboot(g)
        t.expect(g.run("uname -r").strip() == NEW.removeprefix("linux-image-"), "the new kernel did not boot")
        t.expect(newleaf(g, "status")["leaves"] == [], "a leaf for another kernel was taken")
        out = g.run("systemctl --failed --no-legend; systemctl is-active newleaf-alive; journalctl -u newleaf-sync")
        t.expect("NL_EBUILDID" in out and out.count("loaded failed") == 1 and "\nactive\n" in out, out)
        g.run("rm /etc/newleaf/leaves/*; systemctl restart newleaf-sync")  # the way out that the how-to names
        g.run(BUSY)
        g.check_dmesg()


class Keys:
    """A key of our own in the firmware's db beside Microsoft's, or among shim's machine owner keys; and what is signed
    by it."""

    def __init__(self, folder, mok=False):
        self.folder, self.variables = folder, os.path.join(folder, "vars")
        if not os.path.exists(UEFI_CA):
            raise Skip(f"{UEFI_CA} is missing (package ovmf)")
        key, self.cert = os.path.join(folder, "db.key"), os.path.join(folder, "db.pem")
        run("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=my db/",
            "-keyout", key, "-out", self.cert)  # fmt: skip
        run("openssl", "x509", "-in", self.cert, "-outform", "der", "-out", os.path.join(folder, "db.cer"))
        with open(os.path.join(folder, "db.cer"), "rb") as f:
            mine = signature_list(f.read())
        v = Variables(UEFI_CA)
        if mok:  # as MokManager writes it when somebody at the console has said yes to `mokutil --import`
            v.set("MokList", SHIM, mine, NON_VOLATILE | BOOT)
        else:
            v.set("db", SECURITY_DATABASE, v.get("db", SECURITY_DATABASE) + mine)
        v.save(self.variables)
        self.key = key

    def image(self, name, guest_may=3, security_version=2, signed=True):
        """newleaf.efi with another policy."""
        policy, out = os.path.join(self.folder, "policy"), os.path.join(self.folder, name)
        with open(policy, "wb") as f:
            f.write(policy_record(guest_may=guest_may, security_version=security_version))
        plain = os.path.join(BUILD, "newleaf.efi")
        run("objcopy", "--update-section", f".nlpol={policy}", plain, out)
        if signed:
            run("sbsign", "--key", self.key, "--cert", self.cert, "--output", out, out)
        return out


def changed_keys(image, out):
    """The same signed image, with one byte of its list of trusted keys changed."""
    with open(image, "rb") as f:
        data = bytearray(f.read())
    with open(os.path.join(BUILD, "keys.bin"), "rb") as f:
        key = f.read(64)  # the list's head, and of its first record role and key
    at = data.find(key)
    if at < 0:
        raise Failure("the image does not hold the demo's key")
    data[at + 40] ^= 1
    with open(out, "wb") as f:
        f.write(data)
    return out


# What newleaf.conf may not do under Secure Boot: each is a line of it, and what the loader says.
LOOSEN = (
    ("guest-may apply,revert", "guest-may wants more than the image allows"),
    ("options init=/bin/sh", "options is ignored"),
    ("console com1", "console is ignored"),
)


# What an ordinary user tries, as its system calls show it: the port, the driver's device, guesses.
ATTEMPT = "modprobe msr; strace -f token guess 1000 2>&1 | grep -E 'ioperm|setuid|/dev/cpu|taken'"


@test()
def debian_secure_boot(t):
    """a real Debian with Secure Boot on and an own key beside Microsoft's: lockdown, tokens, and what does not
    launch"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder)
        image, good = disk(folder), keys.image("good.efi", guest_may=1)
        to_esp(image, good, "/newleaf-signed.efi")
        g = t.boot(disk=image, variables=keys.variables, secure=True)
        attempt = g.run(ATTEMPT)  # without Newleaf
        t.expect("ioperm" in attempt and "/dev/cpu/0/msr" in attempt and " 0 taken" in attempt, attempt)
        g.run("LOADER=/boot/efi/newleaf-signed.efi\n" + INSTALL)
        lines = "".join(line + "\\n" for line, _ in LOOSEN)
        g.run(f"printf '{lines}' >>/boot/efi/EFI/newleaf/newleaf.conf; cp /root/*.leaf /boot/efi/EFI/newleaf/keys.bin")
        reboot(g)
        said = g.console()
        for line, warning in LOOSEN + (("keys.bin", r"\EFI\newleaf\keys.bin is not read"),):
            t.expect("warning: " + warning in said, f"{line}: no warning")
        t.expect(" on SVM/NPT" not in said, "the core wrote to the port that was refused")
        patched(t, g)
        state = newleaf(g, "status")
        t.expect(state["secure_boot"] and state["keys"] == {"count": 1, "from": "image"}, f"{state}")
        t.expect(state["guest_may"] == ["apply"] and state["proof"]["by"] == "token", f"{state}")
        t.expect("[integrity]" in g.run("cat /sys/kernel/security/lockdown"), "the kernel is not locked down")
        t.expect("init=/bin/sh" not in g.run("cat /proc/cmdline"), "newleaf.conf chose the command line")
        refused = newleaf(g, f"revert {FIX}", code=6)
        t.expect(refused["code"] == "NL_EPOLICY", f"{refused}")
        for who in ("drop", "user"):
            said = g.call(f"token {who} newleaf status --json")
            t.expect(said.code == 6 and '"NL_EROOT"' in said.out, f"{who}: {said}")
        t.expect(g.run(ATTEMPT) == attempt, "an ordinary user's attempts differ from those without Newleaf")
        t.note(g.run("token guess 100000", timeout=120).strip())
        g.check_dmesg()
        t.expect("Lockdown: newleaf" not in g.run("dmesg"), "the command tried what lockdown forbids")
        g.run("sync")
        g.close()

        bad = {
            keys.image("unsigned.efi", signed=False): r"Access Denied|Security Violation",
            changed_keys(good, os.path.join(folder, "changed.efi")): r"Access Denied|Security Violation",
            keys.image("old.efi", security_version=1): r"newleaf: this image has security version 1, the floor is 2",
        }
        for loader, pattern in bad.items():
            to_esp(image, loader, "/EFI/newleaf/newleafx64.efi")
            g = t.boot(disk=image, variables=keys.variables, secure=True, ready=False)
            g.wait_console(pattern, 120)
            g.wait_console(r"GNU GRUB|Linux version|EFI stub|Loading Linux", 120)
            t.expect("newleaf: launched" not in g.console(), f"{loader} was launched")
            g.close()


# docs/how-to/real-machine.md, "A machine owner key": Newleaf stands where shim looks for GRUB.
BY_SHIM = r"""
set -e
mkdir -p /boot/efi/EFI/newleaf
cp /boot/efi/EFI/debian/shimx64.efi /boot/efi/EFI/newleaf/shimx64.efi
cp /boot/efi/newleaf-signed.efi /boot/efi/EFI/newleaf/grubx64.efi
printf '%s\n' 'next \EFI\debian\shimx64.efi' >/boot/efi/EFI/newleaf/newleaf.conf
efibootmgr --create --disk /dev/vda --part 1 --label Newleaf --loader '\EFI\newleaf\shimx64.efi' >/dev/null
"""


@test(full=True)
def debian_mok(t):
    """Secure Boot with Microsoft's keys alone: shim starts Newleaf, which a machine owner key has signed; another
    key's does not launch"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder, mok=True)
        image = disk(folder)
        to_esp(image, keys.image("good.efi"), "/newleaf-signed.efi")
        g = t.boot(disk=image, variables=keys.variables, secure=True)
        g.run(BY_SHIM)
        reboot(g)
        state = newleaf(g, "status")
        t.expect(state["secure_boot"] and state["keys"] == {"count": 1, "from": "image"}, f"{state}")
        newleaf(g, f"apply /root/{FIX}.leaf")
        probe(g, FIX, "FIXED")
        g.check_dmesg()
        g.run("sync")
        g.close()
        to_esp(image, keys.image("unsigned.efi", signed=False), "/EFI/newleaf/grubx64.efi")
        g = t.boot(disk=image, variables=keys.variables, secure=True, ready=False)
        g.wait_console(r"Security Violation|Access Denied|Security Policy Violation|Verification failed", 120)
        t.expect("newleaf: launched" not in g.console(), "an unsigned image was launched")


@test(full=True)
def debian_shim_off(t):
    """`mokutil --disable-validation`: shim starts an unsigned Newleaf though the firmware's Secure Boot is on; it is
    said, and conf file and key file may say no more than before"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder, mok=True)
        v = Variables(keys.variables)
        v.set("MokSBState", SHIM, b"\1", NON_VOLATILE | BOOT)
        v.save(keys.variables)
        image, conf = disk(folder), os.path.join(folder, "conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write("next \\EFI\\debian\\shimx64.efi\nconsole com1\n")
        to_esp(image, keys.image("unsigned.efi", signed=False), "/EFI/BOOT/grubx64.efi")
        run("mmd", "-i", f"{image}@@{ESP_START}", "::/EFI/newleaf")
        to_esp(image, conf, "/EFI/newleaf/newleaf.conf")
        g = t.boot(disk=image, variables=keys.variables, secure=True)
        said = g.console()
        t.expect("warning: shim checks no signature" in said, "the loader does not say that shim is off")
        t.expect("warning: console is ignored" in said, "newleaf.conf may say more")
        t.expect(newleaf(g, "status")["secure_boot"] is False, "an unsigned image says that Secure Boot is on")
