# SPDX-License-Identifier: Apache-2.0
"""What a test measured, as a file for the pages: build/figures/NAME.json, with date, commit and machine; what pages
show is made of such files and of nothing else."""

import json
import os
import subprocess
import time

from guest import BUILD, TOP

SCHEMA = "newleaf.figures/1"


def commit():
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def emulator(kind):
    """As it names itself."""
    words = ["qemu-system-x86_64", "--version"] if kind == "qemu" else [os.environ.get("BOCHS") or "bochs", "--help"]
    said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).strip().splitlines() or [kind]
    return next((line.strip() for line in lines if "Emulator" in line), lines[0])  # Bochs tells behind its help


def unit(machine):
    if machine.emulator == "bochs":
        return "ticks"
    return "instructions" if "-icount" in machine.more else "time of a shared host"


def record(name, guest, figures):
    """figures: of this test alone, small."""
    machine = guest.machine
    document = {
        "schema": SCHEMA,
        "run": name,
        "command": f"scripts/test {name}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "machine": {
            "emulator": emulator(machine.emulator),
            "kernel": guest.run("uname -r").strip(),
            "cpus": machine.cpus,
            "unit": unit(machine),
        },
        "figures": figures,
    }
    os.makedirs(os.path.join(BUILD, "figures"), exist_ok=True)
    with open(os.path.join(BUILD, "figures", name + ".json"), "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
