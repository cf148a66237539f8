# SPDX-License-Identifier: Apache-2.0
"""Kernels under lockdown, where not even root may use the I/O port: the token is the proof of root there. Who has no
CAP_SYS_RAWIO gets nothing by either, and guesses and replays count for nothing."""

import lzma
import os
import re
import subprocess
import tempfile

from command import FIXES, apply, cycle, newleaf, probe, revert
from guest import BUILD, Failure, kernel_file
from records import policy_record
from test_lines import MODEL
from test_stock import OLD
from vmtest import test

AUXV = FIXES[1]
PORT, TOKEN = 1, 2


def by(g, proof):
    said = newleaf(g, "status")["proof"]
    if said["by"] != proof:
        raise Failure(f"expected proof of root by {proof}, got {said}")
    return said["tokens_refused"]


def nobody_else(t, g):
    """Root without the capability, and an ordinary user."""
    for who in ("drop", "user"):
        said = g.call(f"token {who} newleaf status --json")
        t.expect(said.code == 6 and '"NL_EROOT"' in said.out, f"{who}: {said}")
    out = g.run("token guess 1000000", timeout=240)
    t.expect("1000000 guesses, 0 taken" in out, out)
    return out.strip()


@test()
def lockdown(t):
    """lockdown=integrity: status, apply and revert by tokens; 10^6 guesses, replays, races; ordinary users get
    nothing"""
    g = t.boot(cmdline="lockdown=integrity")
    t.expect("[integrity]" in g.run("cat /sys/kernel/security/lockdown || { mount -t securityfs s /sys/kernel/security;"
             " cat /sys/kernel/security/lockdown; }"), "the kernel is not locked down")  # fmt: skip
    t.expect(by(g, "token") == 0, "tokens were refused before anybody tried")
    cycle(g)
    t.expect(by(g, "token") == 0, "the command's own tokens were refused")
    t.note(nobody_else(t, g))
    t.expect(by(g, "token") == 1000000, "not every guess was counted")
    t.note(g.run("token replay").strip())
    before = by(g, "token")
    said = re.search(r"(\d+) presented, (\d+) counted, 0 twice", g.run("token race 5000"))
    presented, counted = map(int, said.groups())
    t.expect(by(g, "token") - before == presented - counted, f"{presented} presented, {counted} counted")
    events = [line for line in g.run("newleaf log --json").splitlines() if '"event":"token"' in line]
    t.expect(10 <= len(events) <= 32, f"{len(events)} entries of the journal are about tokens")
    t.keep_timeline(g)
    g.before_end = None  # behind this nobody is answered any more
    # The driver is loaded by the command, by the program that the kernel itself would use.
    g.run("rmmod msr; depmod 2>/dev/null; sysctl -qw kernel.modprobe=/bin/modprobe")
    t.expect(g.call("ls /dev/cpu/0/msr").code != 0, "the driver is still there")
    by(g, "token")
    g.run("rmmod msr; sysctl -qw kernel.modprobe=/bin/false")
    said = g.call("newleaf status --json")
    t.expect(said.code == 6 and "modprobe msr" in said.out, f"without a driver: {said}")
    g.check_dmesg()


def image(folder, proofs):
    """newleaf.efi whose policy takes these proofs only."""
    policy, out = os.path.join(folder, "policy"), os.path.join(folder, f"{proofs}.efi")
    with open(policy, "wb") as f:
        f.write(policy_record(proofs=proofs))
    command = ["objcopy", "--update-section", f".nlpol={policy}", os.path.join(BUILD, "newleaf.efi"), out]
    subprocess.run(command, check=True, capture_output=True)
    return out


@test()
def lockdown_policy(t):
    """the image's policy can forbid either proof: the other one is taken, or the refusal names the policy"""
    with tempfile.TemporaryDirectory() as folder:
        g = t.boot(loader=image(folder, TOKEN))
        t.expect(newleaf(g, "status")["proof"]["taken"] == ["token"], "the policy does not show")
        by(g, "token")
        g.close()
        g = t.boot(loader=image(folder, PORT), cmdline="lockdown=integrity")
        g.before_end = None  # nobody is answered
        said = g.call("newleaf status --json")
        t.expect(said.code == 6 and "policy" in said.out, f"with port and token both shut: {said}")
        out = g.run("token guess 1000", timeout=60)
        t.expect("0 taken" in out, out)


def driver(name):
    """The msr driver of a line of scripts/kernels.table, unpacked."""
    kernel = kernel_file(f"guest:{name}")
    folder, release = os.path.dirname(os.path.dirname(kernel)), os.path.basename(kernel).removeprefix("vmlinuz-")
    path = os.path.join(folder, "lib/modules", release, "kernel/arch/x86/kernel/msr.ko.xz")
    with lzma.open(path) as f:
        return f.read()


def register_lines():
    for name in ("linux-6.12", "linux-7.3"):

        def run(t, name=name):
            module = driver(name)
            g = t.boot(kernel="guest:" + name, model=MODEL, cmdline="lockdown=integrity")
            g.put(module, "/tmp/msr.ko")
            g.run("grep -q ^msr /proc/modules || insmod /tmp/msr.ko")
            t.expect(by(g, "token") == 0, "tokens were refused before anybody tried")
            t.note(f"{g.run('uname -r').strip()}: {nobody_else(t, g)}")
            t.note(g.run("token replay").strip())
            g.check_dmesg()

        run.__doc__ = f"lockdown=integrity on {name}: status by tokens, and nobody else gets anything"
        test(full=True, name="lockdown-" + name.removeprefix("linux-").replace(".", "-"))(run)


register_lines()


@test(full=True)
def lockdown_confidentiality(t):
    """lockdown=confidentiality: status, apply and revert by tokens"""
    g = t.boot(cmdline="lockdown=confidentiality")
    probe(g, AUXV, "VULNERABLE")
    by(g, "token")
    apply(g, AUXV)
    probe(g, AUXV, "FIXED")
    revert(g, AUXV)
    nobody_else(t, g)
    g.check_dmesg()


@test(full=True, emulator="bochs")
def lockdown_bochs(t):
    """lockdown=integrity on EPT"""
    g = t.boot(emulator="bochs", kernel=OLD, cpus=1, memory=512, cmdline="quiet lockdown=integrity")
    by(g, "token")
    cycle(g, (AUXV,))
    t.note(g.run("token guess 5000").strip())
    g.check_dmesg()
