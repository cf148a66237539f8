# SPDX-License-Identifier: Apache-2.0
"""The loader when it cannot launch Newleaf: it says why, and the stock system boots all the same, or the machine
halts if it was told to."""

import os
import re
import shutil
import subprocess
import tempfile

from command import newleaf
from guest import BUILD, Machine, Skip, kernel_file
from records import policy_record
from vmtest import test

NO_SVM = "max,-svm,-la57"
COUNTER = "/sys/firmware/efi/efivars/NewleafBoots-5f0b4c1e-6e65-776c-6561-66626f6f7431"


def without(t, g, error):
    """The system is up, healthy and on its own; the loader said why."""
    g.wait_console(rf"newleaf: not launched: .*\[{error}\]")
    g.wait_console(r"  next  \S")
    g.wait_console(r"The operating system is booted without Newleaf")
    newleaf(g, "status", code=9)
    g.check_dmesg()


@test()
def loader_no_virtualisation(t):
    """a CPU without VMX and SVM: the loader says so and boots the stock system"""
    g = t.boot(model=NO_SVM)
    without(t, g, "NL_ENOVIRT")
    g.poweroff()


@test()
def loader_no_execute(t):
    """a CPU without NX: the loader says what to switch on and boots the stock system"""
    g = t.boot(model="max,+svm,-la57,-nx")
    without(t, g, "NL_EMACHINE")
    t.expect("no-execute" in g.console(), "the loader does not name what is missing")
    g.poweroff()


@test()
def loader_halt(t):
    """on-error halt: the same machine stops, and nothing is booted"""
    g = t.boot(ready=False, model=NO_SVM, settings=("on-error halt",))
    g.wait_console(r"newleaf: not launched: .*\[NL_ENOVIRT\]", 60)
    g.wait_console(r"newleaf: halted, by on-error halt of newleaf.conf")
    t.expect("newleaf: starting" not in g.console(), "something was started")


@test()
def loader_conf(t):
    """newleaf.conf with a malformed value: its line is named, the stock system boots"""
    g = t.boot(settings=("colour green", "console com7"))
    line = r"\S*newleaf\.conf line (\d+): not understood"
    lines = rf"warning: {line}, ignored\s+newleaf: {line}\s"
    g.wait_console(lines)
    ignored, wrong = re.search(lines, g.console()).groups()
    t.expect(int(wrong) == int(ignored) + 1, f"lines {ignored} and {wrong} are named")
    without(t, g, "NL_ECONF")
    g.poweroff()


@test()
def loader_core_damaged(t):
    """an image whose core is damaged boots the stock system"""
    with tempfile.TemporaryDirectory() as folder:
        image, core = os.path.join(folder, "newleaf.efi"), os.path.join(folder, "core")
        with open(os.path.join(BUILD, "core.bin"), "rb") as f:
            bits = bytearray(f.read())
        bits[0] ^= 1
        with open(core, "wb") as f:
            f.write(bits)
        subprocess.run(
            ["objcopy", "--update-section", f".core={core}", os.path.join(BUILD, "newleaf.efi"), image], check=True
        )
        g = t.boot(loader=image)
        without(t, g, "NL_EBOOTBLOCK")
        g.poweroff()


@test()
def loader_memory(t):
    """too little memory for the region: the loader says so and goes on"""
    g = t.boot(ready=False, memory=64)
    g.wait_console(r"newleaf: no 16 MiB of free memory", 60)
    g.wait_console(r"newleaf: not launched: .*\[NL_EMEMORY\]")
    g.wait_console(r"The operating system is booted without Newleaf")


@test()
def loader_next_missing(t):
    """`next` names no file, or Newleaf itself: said, and back to the firmware"""
    g = t.boot(ready=False, settings=(r"next \nowhere.efi",))
    g.wait_console(r"\\nowhere.efi .* does not exist: trying the usual places", 60)
    g.wait_console(r"newleaf: nothing to boot")
    g.close()
    g = t.boot(ready=False, settings=(r"next \EFI\newleaf\newleafx64.efi",))
    g.wait_console(r"newleaf: started by itself", 60)
    g.wait_console(r"came back: Aborted")


def again(g):
    g.reboot()
    g.wait_ready()


@test()
def loader_boot_counter(t):
    """two boots that nobody reports as finished: the third is without Newleaf; `newleaf alive` clears the count"""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.path.join(folder, "vars")
        g = t.boot(variables=variables)
        newleaf(g, "status")
        again(g)
        newleaf(g, "status")
        again(g)
        g.wait_console(r"newleaf: 2 boots on Newleaf were not reported as finished")
        without(t, g, "NL_EBOOTS")
        g.run(f"grep -q efivarfs /proc/mounts || mount -t efivarfs efivarfs {os.path.dirname(COUNTER)}")
        content = g.run(f"tail -c 4 {COUNTER} | od -An -tu1").split()
        t.expect(content == ["2", "1", "43", "0"], f"count, version and reason in the variable are {content}")
        g.poweroff()

        g = t.boot(variables=variables, settings=("boot-tries 0",))  # the way back
        newleaf(g, "alive")
        g.poweroff()

        g = t.boot(variables=variables, settings=("boot-tries 1",))
        newleaf(g, "alive")
        again(g)  # steps aside if the count was not cleared
        newleaf(g, "status")
        g.poweroff()


KEYS = "/usr/share/ovmf/PkKek-1-snakeoil"


class Signer:
    """Signs EFI programs with the key that the ovmf package's snakeoil variables trust."""

    def __init__(self, folder):
        if not shutil.which("sbsign") or not os.path.exists(KEYS + ".key"):
            raise Skip("sbsigntool or the snakeoil key of ovmf is missing (scripts/setup test)")
        self.folder, self.key = folder, os.path.join(folder, "key")
        command = ["openssl", "rsa", "-in", KEYS + ".key", "-passin", "pass:snakeoil", "-out", self.key]
        subprocess.run(command, check=True, capture_output=True)

    def sign(self, program, name):
        out = os.path.join(self.folder, name)
        command = ["sbsign", "--key", self.key, "--cert", KEYS + ".pem", "--output", out, program]
        subprocess.run(command, check=True, capture_output=True)
        return out

    def image(self, name, conf_may=0, security_version=1):
        """newleaf.efi with another policy, signed."""
        policy, raw = os.path.join(self.folder, "policy"), os.path.join(self.folder, "raw.efi")
        with open(policy, "wb") as f:
            f.write(policy_record(conf_may=conf_may, security_version=security_version))
        plain = os.path.join(BUILD, "newleaf.efi")
        subprocess.run(["objcopy", "--update-section", f".nlpol={policy}", plain, raw], check=True)
        return self.sign(raw, name)


@test()
def loader_secure_boot(t):
    """Secure Boot: newleaf.conf chooses neither command line nor port unless the signed image lets it; no older
    image"""
    with tempfile.TemporaryDirectory() as folder:
        signer = Signer(folder)
        kernel = signer.sign(kernel_file(Machine.kernel), "vmlinuz")
        variables = os.path.join(folder, "vars")
        settings = ("console com1", "boot-tries 0")

        def boot(loader):
            return t.boot(
                ready=False, secure=True, kernel=kernel, loader=loader, variables=variables, settings=settings
            )

        g = boot(signer.image("plain.efi"))
        g.wait_console(r"warning: options is ignored: Secure Boot is on", 120)
        g.wait_console(r"warning: console is ignored: Secure Boot is on")
        g.wait_console(r"newleaf: launched: CPUs 2")
        g.wait_console(r"newleaf: starting \\vmlinuz")
        t.expect(" on SVM/NPT" not in g.console(), "the core wrote to the port that was refused")
        g.close()

        g = boot(signer.image("open.efi", conf_may=3, security_version=2))
        g.wait_console(r"newleaf: \S+ on SVM/NPT", 120)
        g.wait_ready()
        t.expect("is ignored" not in g.console(), "what the image allows was ignored")
        t.expect("no_timer_check" in g.run("cat /proc/cmdline"), "the kernel did not get its command line")
        # What guest root can write, the loader does not believe, and what the loader believes, guest root cannot write.
        g.run(f"grep -q efivarfs /proc/mounts || mount -t efivarfs efivarfs {os.path.dirname(COUNTER)}")
        state = COUNTER.replace("NewleafBoots", "NewleafState")
        t.expect(g.call(f"ls {state}").code != 0, "the state is shown to the guest")
        write = "printf '\\%s\\000\\000\\000\\000\\000\\000\\000' > %s"
        g.run(write % ("007", COUNTER.replace("NewleafBoots", "NewleafOther")))  # it can write others
        for attributes in ("007", "003"):
            t.expect(g.call(write % (attributes, state)).code != 0, f"the guest wrote the state: {attributes}")
        g.poweroff()

        g = boot(signer.image("old.efi", conf_may=3, security_version=1))
        g.wait_console(r"newleaf: this image has security version 1, the floor is 2", 120)
        g.wait_ready()
        without(t, g, "NL_EOLDIMAGE")
        g.poweroff()

        g = boot(os.path.join(folder, "raw.efi"))  # not signed: does this firmware look at all?
        g.wait_console(r"Access Denied|Security Violation", 120)
