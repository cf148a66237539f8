# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's own network card is not there for the guest: the test kernel looks by every way that there is
(tests/guest/test_hide.c), and finds what it finds on the same machine without the card; so does Linux, whose own card
goes on as if alone. And what the loader says of cards that it cannot take."""

import os
import re
import subprocess
import tempfile

from command import newleaf
from guest import BUILD, TOP, Failure, Skip
from modules import put_package
from vmtest import test

MAC = "52:54:00:12:34:56"
TESTS = "hide-ports,hide-memory,hide-registers,start-physical,hide-race,hide-space,hide-overlaps"
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


OWN = ("-netdev", "user,id=own", "-device", "virtio-net-pci,netdev=own,mac=52:54:00:00:00:01,addr=9,romfile=")
THERE = "cd /sys/bus/pci/devices && for d in *; do echo $d $(cat $d/vendor $d/device $d/class $d/revision); done"


def exits(g, causes):
    return sum(cpu["count"].get(cause, 0) for cpu in newleaf(g, "exits")["cpus"] for cause in causes)


def frames(t, g):
    """How many exits of access to devices 1,000 frames of the guest's own card cost; none of them is lost."""
    causes = ("config", "nested-fault", "io")
    g.run("ping -c 3 -q 10.0.2.2 >/dev/null")
    before = exits(g, causes)
    said = g.run("ping -c 500 -i 0.002 -s 1400 -q 10.0.2.2", timeout=300)
    t.expect(re.search(r"500 packets received|500 received", said), f"frames were lost: {said}")
    return exits(g, causes) - before


@test(full=True)
def hide_stock(t):
    """Linux with a card of its own: the same devices with and without the hidden one, also after its own was taken out
    and looked for again; 1,000 frames, none lost, and no exit for one"""
    lists, costs = [], []
    with tempfile.TemporaryDirectory() as folder:
        card = ("-device", "e1000e,addr=8,romfile=")
        for settings, more in ((("net-nic 00:08.0",), card + OWN), ((), OWN)):
            g = t.boot(settings=settings, more=more, loader=policy_of(folder, "--net-may", "read"))
            for name in ("virtio_pci", "virtio_net"):
                for part in put_package(g, name):
                    g.run(f"grep -q '^{part} ' /proc/modules || insmod /mod/{part}.ko")
            g.run("until ls /sys/bus/pci/devices/0000:00:09.0/virtio*/net/*; do sleep 0.1; done", timeout=60)
            own = g.run("basename $(ls -d /sys/bus/pci/devices/0000:00:09.0/virtio*/net/*)").strip()
            setup = f"ip link set {own} up && ip addr add 10.0.2.15/24 dev {own}"
            g.run(setup)
            costs.append(frames(t, g))
            lists.append([g.run(THERE)])
            g.run("echo 1 > /sys/bus/pci/devices/0000:00:09.0/remove; echo 1 > /sys/bus/pci/rescan")
            lists[-1].append(g.run(THERE))
            g.run(setup)
            costs.append(frames(t, g))
            refused = newleaf(g, "status")["config_refused"]
            t.expect(refused == 0, f"{refused} of the stock kernel's writes were refused")
    t.expect(lists[0] == lists[1], f"with the hidden card {lists[0]}, without {lists[1]}")
    t.expect(lists[0][0] == lists[0][1] and "0000:00:08.0" not in lists[0][0], f"the card is there: {lists[0]}")
    t.note(f"exits for 1,000 frames: {costs[:2]}, without the card {costs[2:]}")
    t.expect(max(costs) < 100, f"frames cost exits: {costs}")
