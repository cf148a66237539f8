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
STOCK = "linux-image-6.1.0-50-cloud-amd64"


def lawful():
    """The patterns of the page."""
    with open(os.path.join(TOP, "docs/reference/transplant.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| `(.+)` \| (.+) \|$", f.read(), re.M)
    return [re.compile(pattern.replace(r"\|", "|")) for pattern, _ in rows]


def transplants(t, directory, kernel, count, seed):
    """Makes and signs the leaves; returns their paths and how many functions are in them."""
    done = subprocess.run(
        [AUTHOR, "transplant", "-k", kernel_file(kernel), "--count", str(count), "--seed", str(seed), "-o", directory],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise Failure(f"transplant ended with {done.returncode}: {done.stderr.strip()}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    t.expect(len(rows) == count, f"{len(rows)} answers for {count} functions")
    allowed = lawful()
    used, unlawful = collections.Counter(), []
    for name, answer, why in rows:
        if answer == "built":
            continue
        match = next((p for p in allowed if p.search(why)), None)
        if match:
            used[match.pattern] += 1
        else:
            unlawful.append(f"{name}: {answer}: {why}")
    t.expect(not unlawful, "refused for no reason that is listed:\n" + "\n".join(unlawful[:20]))
    built = sum(answer == "built" for _, answer, _ in rows)
    reasons = ", ".join(f"{n} {pattern}" for pattern, n in used.most_common())
    t.note(f"{built} of {count} functions, seed {seed}; refused: {reasons}")
    paths = sorted(os.path.join(directory, f) for f in os.listdir(directory) if f.endswith(".leaf"))
    for path in paths:
        author("sign", path, "--key", DEMO_KEY)
    return paths, built


def hits(g):
    """What each counter of each applied leaf says."""
    status = newleaf(g, "status")
    return [n for leaf in status["leaves"] if leaf["state"] == "applied" for n in leaf["hits_by_function"]]


def transplant(t, kernel, count, seed=1, wanted=0, load="broad"):
    with tempfile.TemporaryDirectory() as directory:
        paths, built = transplants(t, directory, kernel, count, seed)
        initrd = os.path.join(directory, "initrd.img")
        command = [os.path.join(TOP, "scripts", "mkinitramfs"), "-o", initrd]
        for path in paths:
            command += ["-a", f"{path}:transplants/{os.path.basename(path)}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        g = t.boot(kernel=kernel, model=MODEL, initrd=initrd, memory=1536)
    g.run("newleaf apply --deadline 5s /transplants/*.leaf", timeout=120)
    said = g.run(f"{load} 2>&1", timeout=1200)
    counted = hits(g)
    t.expect(len(counted) == built, f"{len(counted)} counters for {built} functions")
    executed = sum(n > 0 for n in counted)
    t.note(f"{executed} of {built} were executed, {sum(counted)} calls; {said.splitlines()[-1]}")
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
            transplant(t, kernel, 1000, seed=2, wanted=60)

        run.__doc__ = f"1,000 functions of {name}, drawn by lot, run their own code at another place under a broad load"
        test(full=True, name="transplant_" + name.replace(".", "_").replace("-", "_") + "_1000")(run)


register_lines()
