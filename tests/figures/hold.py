# SPDX-License-Identifier: Apache-2.0
"""Holds beside stop_machine()'s in docs/explanation/bench.md, from what tests/vm/test_hold.py records. Ticks."""

import statistics

from words import head, table

STEPS = ["the others come", "looked for who is in the way", "pages copied", "written", "flip", "all let go", "gone on"]


def spread(ticks):
    return f"{statistics.median(ticks):,.0f} ({min(ticks):,} to {max(ticks):,})"


def beside_stop(records, _):
    (record,) = records["stop-bochs-2"]
    f = record["figures"]
    held, seen = (statistics.median(pair[i] for pair in f["watched"]) for i in (0, 1))
    holds = [
        ["from the first CPU that is taken to the last that goes on", spread(f["commits"]), spread(f["stops"])],
        ["of it, all stand still and take no interrupt", f"{f['still']:,.0f}", f"{f['still_stop']:,.0f}"],
    ]
    steps = [[name, *(f"{ticks:,.0f}" for ticks in row)] for name, row in f["steps"].items()]
    return (
        f"{head(record)}\n\n"
        f"{table(['median (least to most)', 'a commit', '`stop_machine()`'], holds)}\n\n"
        f"A commit holds the CPUs {f['ratio']:.1f} times as long. A timer of the guest's, on the CPU that did nothing "
        f"else, saw {seen:,.0f} of {held:,.0f} (medians of the {len(f['watched'])} commits that the other CPU asked "
        f"for); of a command that commits nothing {statistics.median(f['calm']):,.0f}, and "
        f"{statistics.median(f['rep']):,.0f} where the command's C library may use REP.\n\n"
        f"{table(['median, one after another', *STEPS], steps)}"
    )
