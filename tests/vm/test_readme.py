# SPDX-License-Identifier: Apache-2.0
"""What README shows of a guest, in the demo's machine: the commands, and every word that they say."""

from command import FIXES
from guest import leaf_path
from measured import record
from vmtest import test

AUXV = FIXES[1]


@test()
def readme_sample(t):
    """the commands that README shows say what it shows: vulnerable, applied, fixed, reverted, vulnerable"""
    g = t.boot(cmdline="quiet")
    g.run(f"cp {leaf_path(g.machine.kernel, AUXV)} /tmp")
    said = []
    for command, code, wanted in (
        (f"repro {AUXV}", 1, "-> VULNERABLE"),
        (f"newleaf apply {AUXV}.leaf", 0, "stop window"),
        (f"repro {AUXV}", 0, "-> FIXED"),
        (f"newleaf revert {AUXV}", 0, "stop window"),
        (f"repro {AUXV}", 1, "-> VULNERABLE"),
    ):
        out = g.run(f"cd /tmp && {command}", code=code).strip()
        t.expect(wanted in out, f"{command}: {out}")
        said.append([command, out])
    changes = [out for command, out in said if command.startswith("newleaf")]
    t.expect(all("blackout" in out and "longest hold" in out for out in changes), f"not all times are told: {changes}")
    record(t.name, g, {"said": said})
    g.check_dmesg()
    g.poweroff()
