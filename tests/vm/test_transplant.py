# SPDX-License-Identifier: Apache-2.0
"""Self-transplant: leaves whose bodies are the functions' own code, for functions drawn by lot, applied all at once
under a load that walks through much of the kernel. Whoever notices has found a defect. Refusals must be those of
docs/reference/transplant.md."""

import collections
import os
import re
import subprocess
import tempfile

from command import newleaf
from guest import TOP, Failure, kernel_file
from leaves import AUTHOR, DEMO_KEY, author
from test_lines import MODEL
from vmtest import test

OWN = r"(traps: )?broad\[\d+\]"  # the load's own processes call what ends them
DRAWN = int(os.environ.get("TRANSPLANTS") or 1000)  # by the tests of --full
STOCK = "linux-image-6.1.0-50-cloud-amd64"


def lawful():
    """The rows of the page: pattern and why."""
    with open(os.path.join(TOP, "docs/reference/transplant.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| `(.+)` \| (.+) \|$", f.read(), re.M)
    return [(re.compile(pattern.replace(r"\|", "|")), why) for pattern, why in rows]


def judge(t, rows):
    """Each refusal is one of the page; who has a lawful site and no side table is built."""
    allowed = lawful()
    used, unlawful, exempt = collections.Counter(), [], 0
    for name, answer, text in rows:
        if answer == "built":
            continue
        pattern, why = next((row for row in allowed if row[0].search(text)), (None, ""))
        if pattern:
            used[pattern.pattern] += 1
        else:
            unlawful.append(f"{name}: {answer}: {text}")
        exempt += why.startswith(("no site", "table"))
    t.expect(not unlawful, "refused for no reason that is listed:\n" + "\n".join(unlawful[:20]))
    built, fit = sum(answer == "built" for _, answer, _ in rows), len(rows) - exempt
    t.note(f"{built} of {len(rows)} functions were built, {100 * built / fit:.1f} % of the {fit} that have a lawful "
           f"site and no side table; refused: {', '.join(f'{n} {p}' for p, n in used.most_common())}")  # fmt: skip
    t.expect(built >= 0.95 * fit, f"only {built} of {fit} with a lawful site and no side table were built")


def transplants(directory, kernel, count, seed, modules=None):
    """Makes and signs the leaves. Returns a row for each function: its name, "built" or the error, and why."""
    done = subprocess.run(
        [AUTHOR, "transplant", "-k", kernel_file(kernel), "--count", str(count), "--seed", str(seed), "-o", directory]
        + (["-M", modules] if modules else []),
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise Failure(f"transplant ended with {done.returncode}: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def hits(g):
    """What each counter of each applied leaf says, in the order in which the functions were drawn."""
    leaves = [leaf for leaf in newleaf(g, "status")["leaves"] if leaf["state"] == "applied"]
    return [n for leaf in sorted(leaves, key=lambda leaf: leaf["id"]) for n in leaf["hits_by_function"]]


def tell(t, g, rows):
    """Notes how many were executed, and logs which. Returns the count."""
    names, counted = [name for name, answer, _ in rows if answer == "built"], hits(g)
    t.expect(len(counted) == len(names), f"{len(counted)} counters for {len(names)} functions")
    with open(os.path.join(g.log_dir, "executed"), "w", encoding="utf-8") as f:
        f.writelines(f"{n}\t{name}\n" for n, name in zip(counted, names))
    executed = sum(n > 0 for n in counted)
    among = sum(answer == "built" for _, answer, _ in rows[:1000])
    first = sum(n > 0 for n in counted[:among])
    t.note(f"{executed} of {len(names)} were executed ({first} of {among} of the first 1,000 drawn), "
           f"{sum(counted)} calls")  # fmt: skip
    return executed


def devices(directory):
    """What the stock kernels have drivers for beside the console: a disk of NVMe with ext4, a screen, a PCIe port."""
    disk = os.path.join(directory, "disk.img")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", "verity,encrypt", disk, "64M"],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    return ("-drive", f"if=none,id=nvme,format=raw,file={disk}", "-device", "nvme,drive=nvme,serial=1",
            "-device", "VGA", "-device", "pcie-root-port")  # fmt: skip


def transplant(t, kernel, count, seed=1, wanted=0, load="broad"):
    with tempfile.TemporaryDirectory() as directory:
        rows = transplants(directory, kernel, count, seed)
        t.expect(len(rows) == count, f"{len(rows)} answers for {count} functions")
        judge(t, rows)
        initrd = os.path.join(directory, "initrd.img")
        command = [os.path.join(TOP, "scripts", "mkinitramfs"), "-o", initrd]
        for path in sorted(os.path.join(directory, f) for f in os.listdir(directory) if f.endswith(".leaf")):
            author("sign", path, "--key", DEMO_KEY)
            command += ["-a", f"{path}:transplants/{os.path.basename(path)}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        g = t.boot(kernel=kernel, model=MODEL, initrd=initrd, memory=1536, more=devices(directory))
        g.run("newleaf apply --deadline 5s /transplants/*.leaf", timeout=120)
        t.note("the load: " + g.run(f"{load} 2>&1", timeout=600).splitlines()[-1])
        executed = tell(t, g, rows)
        g.check_dmesg(allow=OWN)
        g.run("newleaf revert --all", timeout=120)
        g.run("load --once")
        g.check_dmesg(allow=OWN)
        t.expect(executed >= wanted, f"only {executed} were executed")
        g.poweroff()


@test(name="transplant")
def short(t):
    """100 functions of 6.1, drawn by lot, run their own code at another place, and nobody notices"""
    transplant(t, STOCK, 100, wanted=5, load="broad --quick")


def register_lines():
    lines = ((STOCK, "6.1"), *(("guest:" + n, n[6:]) for n in ("linux-5.10", "linux-6.12", "linux-6.12-trixie",
                                                              "linux-7.2", "linux-7.3")))  # fmt: skip
    for kernel, name in lines:

        def run(t, kernel=kernel):
            many = DRAWN >= 2600
            transplant(t, kernel, DRAWN, seed=2, wanted=300 if many else 60, load="broad --all" if many else "broad")

        run.__doc__ = f"""1,000 functions of {name}, drawn by lot, run their own code at another place under a broad
                      load (TRANSPLANTS=2600: so many, about what the registry holds)"""
        test(full=True, name="transplant_" + name.replace(".", "_").replace("-", "_"))(run)


register_lines()
