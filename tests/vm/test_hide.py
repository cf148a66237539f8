# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's own network card is not there for the guest: the test kernel looks by every way that there is
(tests/guest/test_hide.c), and finds what it finds on the same machine without the card. And what the loader says of
cards that it cannot take."""

import os
import re
import subprocess
import tempfile

from guest import BUILD, TOP, Failure, Skip
from vmtest import test

MAC = "52:54:00:12:34:56"
TESTS = "hide-ports,hide-memory,hide-registers,hide-space,hide-overlaps"
# The guest's own card and a bridge stand beside it.
BESIDE = ("-device e1000e,addr=6", "-device pcie-root-port,addr=7,id=behind")
BOCHS = (f"e1000: card=0, enabled=1, mac={MAC}, ethmod=null, ethdev=x", "pci: enabled=1, chipset=i440fx, slot1=e1000")


def policy_of(folder, *options):
    """newleaf.efi whose image says so of the network."""
    image, policy = os.path.join(folder, "newleaf.efi"), os.path.join(folder, "policy")
    author = os.path.join(BUILD, "newleaf-author")
    subprocess.run([author, "policy", "new", *options, "-o", policy], check=True, capture_output=True)
    whole = os.path.join(BUILD, "newleaf.efi")
    subprocess.run(["objcopy", f"--update-section=.nlpol={policy}", whole, image], check=True, capture_output=True)
    os.truncate(image, (os.path.getsize(image) + 511) & ~511)  # objcopy lets the last section's end out
    return image


def kernel(emulator, *arguments, devices=(), only=TESTS, words=""):
    """What the test kernel says: its lines by name, and the whole of the console."""
    command = [os.path.join(TOP, "tests", "guest", "run"), emulator, "--only", only, "--words", words, *arguments]
    command += [word for device in devices for word in ("--device", device)]
    with tempfile.TemporaryDirectory() as build:
        for name in ("guest", "newleaf.efi"):
            os.symlink(os.path.join(BUILD, name), os.path.join(build, name))
        done = subprocess.run(
            [*command, "--timeout", "3600"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(os.environ, B=build),
        )
        logs = os.path.join(build, "logs")
        if done.returncode == 77:
            raise Skip(done.stderr.strip())
        with open(os.path.join(logs, os.listdir(logs)[0], "console.log"), encoding="utf-8", errors="replace") as f:
            console = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", f.read())
    lines = dict(re.findall(r"^(?:PASS|FAIL|SKIP) ([a-z-]+)(?: -- |: )?(.*)$", done.stdout, re.M))
    if done.returncode or not lines:
        raise Failure(f"{' '.join(command)}\n{done.stdout}{done.stderr[-1000:]}")
    return lines, console


def hidden(t, emulator, card, function, devices, beside, policy=("--net-may", "read")):
    found, _ = kernel(emulator, "--bare", devices=(*devices, *beside), only="hide-find", words=f"card={function}")
    place, size, ports = re.match(r"(\w+) and (\w+) more bytes, ports at (\w+)", found["hide-find"]).groups()
    words = f"card={function} place={place} size={size} ports={ports}"
    with tempfile.TemporaryDirectory() as folder:
        image = policy_of(folder, *policy)
        seen, console = kernel(
            emulator, "--loader", image, "--set", f"net-nic {card}", devices=(*devices, *beside), words=words
        )
    t.expect("newleaf: launched" in console and "no network" not in console, f"the loader says\n{console[-2000:]}")
    for name, what in seen.items():
        t.note(f"{name}: {what}")
    return seen


def without(t, emulator, function, beside, seen):
    """The same machine, where that slot is empty: what the tests say of it, and who is there."""
    bare, _ = kernel(emulator, "--bare", devices=beside, words=f"card={function}")
    t.expect(
        bare["hide-space"] == seen["hide-space"],
        f"without the card {bare['hide-space']}, where it is hidden {seen['hide-space']}",
    )


@test(emulator="qemu")
def hide_qemu(t):
    """by ports and in memory, all functions, registers, ports, and what would lie over them: q35, e1000e"""
    hidden(t, "qemu", "00:05.0", "28", ("-device e1000e,addr=5,romfile=",), BESIDE)


@test(full=True, emulator="qemu")
def hide_qemu_compared(t):
    """the same by its MAC address, virtio-net with registers above 4 GiB, and a machine without it"""
    device = f"-netdev user,id=n0 -device virtio-net-pci,netdev=n0,mac={MAC},addr=5,disable-legacy=on"
    seen = hidden(t, "qemu", MAC, "28", (device,), BESIDE)
    without(t, "qemu", "28", BESIDE, seen)


@test(full=True, emulator="bochs")
def hide_bochs(t):
    """ports alone, VMX: Bochs's e1000, and a machine without it"""
    seen = hidden(t, "bochs", "00:02.0", "10", BOCHS, ())
    without(t, "bochs", "10", (), seen)


@test(full=True, emulator="qemu")
def hide_refused(t):
    """cards that cannot be taken: each is said by name, the machine is launched all the same, and the guest has them"""
    card = "-device e1000e,addr=5,romfile="
    behind = "-device e1000e,bus=behind,addr=0,romfile="
    may = ("--net-may", "read")
    for what, nic, devices, policy, name in (
        ("nobody", "00:1d.0", (card,), may, "NL_ECARD"),
        ("a MAC that nobody has", "52:54:00:00:00:01", (card,), may, "NL_ECARD"),
        ("no Ethernet card", "00:1f.2", (card,), may, "NL_ECARD"),
        ("behind a bridge", "01:00.0", (BESIDE[1], behind), may, "NL_EBRIDGE"),
        ("an image without a network", "00:05.0", (card,), (), "NL_EPOLICY"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            image = policy_of(folder, *policy)
            function = "100" if name == "NL_EBRIDGE" else "28"
            seen, console = kernel(
                "qemu", "--loader", image, "--set", f"net-nic {nic}", devices=devices, only="hide-find",
                words=f"card={function}",
            )
        t.expect("newleaf: launched" in console, f"{what}: not launched")
        t.expect(f"no network of the hypervisor's own [{name}]" in console, f"{what}: the loader says\n{console}")
        t.expect("ports at" in seen["hide-find"], f"{what}: the guest has lost its card: {seen['hide-find']}")
        t.note(f"{what}: {name}")
