# SPDX-License-Identifier: Apache-2.0
"""What an emulator's own defects leave behind (docs/explanation/limits.md): whether the end of a guest was one of them.
Each asks for all that the defect leaves and that a defect of Newleaf would not; who is in doubt is not excused."""

import os
import re
import subprocess

HEADER = os.path.join(os.path.dirname(__file__), "..", "..", "include", "newleaf", "bootblock.h")
LAUNCHED = re.compile(r"newleaf: launched: .*\bregion ([0-9A-Fa-f]+),")
DUMP = re.compile(r"^Triple fault\nCPU Reset \(CPU 0\)\n((?:(?!CPU Reset|Triple fault).*\n)+)", re.M)
VMRUN_BYTES = 3  # the instruction's length
HOST_CS = 8
EFER = 0x1D00  # SVME, NXE, LMA, LME
CR0 = 0x80010001  # PG, WP, PE


def is_tcg(machine):
    return machine.emulator == "qemu" and os.environ.get("ACCEL", "").partition(",")[0] in ("", "tcg")


def symbols_of(image, build):
    """Of the core that this image carries; {} if it is none of those that were built."""
    for folder in (build, os.path.join(build, "instrument")):
        try:
            with open(image, "rb") as whole, open(os.path.join(folder, "core.bin"), "rb") as core:
                if core.read() not in whole.read():
                    continue
            command = ["nm", os.path.join(folder, "core.elf")]
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        except (OSError, subprocess.CalledProcessError):
            continue
        return {name: int(at, 16) for at, _, name in (line.split() for line in lines if line.count(" ") == 2)}
    return {}


def registers(dump):
    """What QEMU says of a CPU at its reset, as far as it is looked at here."""
    found = re.findall(r"\b(RIP|CR0|CR3|EFER) *=([0-9a-f]+)", dump) + re.findall(r"^(CS) *=([0-9a-f]+)", dump, re.M)
    found += re.findall(r"^(GDT|IDT) *= +([0-9a-f]+)", dump, re.M)
    return {name: int(value, 16) for name, value in found}


def host_tables(symbols, console):
    """Where the root of the core's page tables may lie: in a region that the loader has named, behind the core."""
    with open(HEADER, encoding="utf-8") as f:
        text = f.read()
    base = int(re.search(r"#define NL_CORE_VA (0x\w+)ULL", text)[1], 16)
    size = int(re.search(r"#define NL_REGION_SIZE\(n_cpus\) \((0x\w+)ULL", text)[1], 16)
    regions = {int(at, 16) for at in LAUNCHED.findall(console)}
    return [range(r + symbols["core_end"] - base, r + size) for r in regions]


def fxrstor_reset(machine, log, console, build):
    """RIP, if a reset was QEMU's own triple fault of the first CPU at the core's first instruction behind VMRUN; else
    "". An FXRSTOR of another CPU makes it, so there are several; and all that VMRUN gives back to the core is the
    core's: its tables of segments and interrupts, the root of its page tables, its modes."""
    dumps = DUMP.findall(log)
    if not dumps or machine.cpus < 2 or not is_tcg(machine):
        return ""
    symbols = symbols_of(machine.loader, build)
    if not {"svm_vmrun", "gdt", "idt", "core_end"} <= symbols.keys():
        return ""
    cpu = registers(dumps[-1])
    if not {"RIP", "CS", "GDT", "IDT", "CR0", "CR3", "EFER"} <= cpu.keys():
        return ""
    its = cpu["RIP"] == symbols["svm_vmrun"] + VMRUN_BYTES and cpu["CS"] == HOST_CS
    its = its and cpu["GDT"] == symbols["gdt"] and cpu["IDT"] == symbols["idt"]
    its = its and cpu["EFER"] & EFER == EFER and cpu["CR0"] & CR0 == CR0
    its = its and cpu["CR3"] % 4096 == 0 and any(cpu["CR3"] in tables for tables in host_tables(symbols, console))
    return f"{cpu['RIP']:x}" if its else ""


def stale_breakpoint(machine, console, was_ready):
    """Did a CPU meet an INT3 that memory does not hold? QEMU before 8.1 may keep the translation of code that another
    CPU wrote while it was being translated (deba78709ae8): Linux's own rewriting of its text can die of it, with
    Newleaf or not. A write of ours that is lost looks the same, so it counts only where nothing can have been
    committed: not on a disk, whose system puts its leaves on before it is ready, nor once a machine has been ready."""
    if not is_tcg(machine) or machine.disk or was_ready:
        return False
    died = re.search(r"Oops: int3: .*\n(?:.*\n){0,8}?.*Code: .*?([0-9a-f]{2}) <", console)
    return bool(died) and died[1] != "cc"
