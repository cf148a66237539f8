# SPDX-License-Identifier: Apache-2.0
"""Where newleaf-author says that the kernel's loader puts the parts of a module, against where it does put them: every
symbol of many modules, and the sizes of their memory."""

import glob
import json
import os
import re
import subprocess
import tempfile

from guest import NO_CX16, TOP, Failure, kernel_file
from leaves import author
from modules import built, insmod, parameter, put_modules, release_of, unpacked
from test_modules import LINES
from vmtest import test

# Of all kinds, with data per CPU, tables, exports, assembler, and others that they depend on.
PACKAGE = ("msr", "cpuid", "dummy", "loop", "tun", "veth", "bridge", "overlay", "fuse", "dm_mod", "nf_tables", "sctp",
           "vxlan", "zram", "ext4", "xfs", "aesni_intel", "chacha_x86_64", "mac80211")  # fmt: skip
MADE_UP = (".L", "$")  # the assembler's own names: nobody asks for them
DROPPED = ("__UNIQUE_ID_", "____versions", "__crc_")  # only there while the file is read, or no addresses


def package(kernel):
    """The files of the package's modules, by name."""
    path = kernel_file(kernel)
    roots = [path.split("/boot/")[0], path.split("/usr/lib/modules/")[0]]
    found = {}
    for root in roots:
        for usr in ("", "usr"):
            pattern = os.path.join(root, usr, "lib/modules", release_of(kernel), "kernel/**/*.ko*")
            for file in glob.glob(pattern, recursive=True):
                found[os.path.basename(file).split(".ko")[0].replace("-", "_")] = file
    return found


def wants(files, name):
    """A module after those that it depends on, unpacked; nothing if the package has it not."""
    if name not in files:
        return []
    data = unpacked(files[name])
    needs = re.search(rb"\0depends=([^\0]*)\0", data)[1].decode()
    return [pair for need in needs.split(",") if need for pair in wants(files, need)] + [(name, data)]


def layout(kernel, directory, name):
    """Of one module: its symbols, by name, and its regions."""
    text = author("symbols", "-k", kernel_file(kernel), "-M", directory, name + ":*", "--json")
    said = json.loads(text)
    rows = {}
    for s in said["symbols"]:
        rows.setdefault(s["name"], []).append((s["region"], s["pointer"], s["offset"]))
    return rows, said["modules"][0]["regions"]


def listed(g, name):
    """What the running kernel says: (address, name) of the module's symbols, without those of others."""
    rows = [line.split() for line in g.run(rf"grep -F '[{name}]' /proc/kallsyms || true", timeout=120).splitlines()]
    return [(int(r[0], 16), r[2]) for r in rows if len(r) == 4 and r[1] not in "uU" and not r[2].startswith(MADE_UP)]


def compare(rows, symbols, where):
    """Each pointer of struct module has one value by which all symbols fit. Returns them, and how many did."""
    base, n = {}, 0
    for va, name in symbols:
        if len(rows.get(name, ())) == 1:
            region, pointer, offset = rows[name][0]
            base.setdefault(pointer, va - offset)
    for va, name in symbols:
        if name not in rows and name.startswith(DROPPED):
            continue
        at = [base.get(pointer, 0) + offset for _, pointer, offset in rows.get(name, ())]
        if va not in at:
            raise Failure(f"{where}: {name} is at {va:#x}, not at {[hex(a) for a in at]} ({rows.get(name)})")
        n += 1
    for pointer, va in base.items():
        region = next(row[0] for all_rows in rows.values() for row in all_rows if row[1] == pointer)
        if region != "percpu" and va % 4096:
            raise Failure(f"{where}: the memory of {region} begins at {va:#x}")
    return n


def sizes(regions, init):
    """What all of the memory is, by the regions: those with one pointer are parts of one run."""
    runs = {}
    for r in regions:
        if r["region"] != "percpu" and r["region"].startswith("init") == init:
            runs[r["pointer"]] = max(runs.get(r["pointer"], 0), r["bytes"])
    return sum(runs.values())


def check(g, t, kernel, directory, name, coming=False):
    rows, regions = layout(kernel, directory, name)
    n = compare(rows, listed(g, name), f"{kernel}: {name}")
    t.expect(n, f"{name} has no symbols")
    for init in (False, True) if coming else (False,):
        said = int(g.run(f"cat /sys/module/{name}/{'initsize' if init else 'coresize'}"))
        own = sizes(regions, init)
        t.expect(said == own, f"{kernel}: {name} has {said} bytes of memory{' of init' if init else ''}, not {own}")
    return n


def held(g, t, kernel):
    """A module whose initialiser stands still: what it alone needs is there, too."""
    put_modules(g, "gate", "victim", "wide")
    insmod(g, "gate")
    g.run(f"echo initialiser >{parameter('gate', 'close')}; (insmod /mod/victim.ko; echo $? >/tmp/done) 2>/dev/null &")
    g.run(f"until grep -q initialiser {parameter('gate', 'waiting')}; do :; done")
    n = check(g, t, kernel, built(kernel), "victim", coming=True)
    g.run(f"echo >{parameter('gate', 'close')}; until [ -e /tmp/done ]; do :; done; grep -qx 0 /tmp/done")
    insmod(g, "wide")
    return n + sum(check(g, t, kernel, built(kernel), name) for name in ("gate", "victim", "wide"))


def chosen(kernel, directory):
    """The modules that shall come in, each after those that it depends on; their files are in the directory."""
    files, names = package(kernel), []
    for wanted in PACKAGE:
        for name, data in wants(files, wanted):
            if name not in names:
                names.append(name)
                with open(os.path.join(directory, name + ".ko"), "wb") as f:
                    f.write(data)
    return names


def line(t, kernel):
    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile(suffix=".img") as initrd:
        names = chosen(kernel, directory)
        command = [os.path.join(TOP, "scripts", "mkinitramfs"), "-o", initrd.name, "-a", f"{directory}:mod"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        model = "" if kernel.startswith("linux-image-6.1") else NO_CX16
        g = t.boot(newleaf=False, kernel=kernel, model=model, initrd=initrd.name)
        g.run("sysctl -qw kernel.kptr_restrict=0")
        n, modules = held(g, t, kernel), 3
        for name in names:
            if g.call(f"insmod /mod/{name}.ko").code == 0:  # else it is for hardware that is not there
                n += check(g, t, kernel, directory, name)
                modules += 1
        t.note(f"{n} symbols of {modules} modules are where they should be")
        t.expect(modules > 8, f"only {modules} modules came in")
        g.poweroff()


def lines():
    for name, kernel in LINES.items():

        @test(full=True, name=f"module_layout_{name.replace('-', '_')}")
        def layout_of_line(t, kernel=kernel):
            """each symbol of many modules lies where newleaf-author says that this line's loader puts it"""
            line(t, kernel)


lines()
