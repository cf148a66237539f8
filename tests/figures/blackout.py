# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/explanation/blackout.md, from what tests/vm/test_blackout.py records. Instructions."""

from words import head, table

COLUMNS = ("leaves", "stage", "check", "verify", "prepare", "try", "window", "beside")
TOP = ["", *COLUMNS[:6], "window in it", "try beside it"]
ROWS = {
    "dry run": "dry run, a leaf that is not known yet",
    "6 leaves": "six leaves at once, not known yet",
    "as much code": "a leaf of 250 KiB, all code",
    "as much words": "a leaf with 4 KiB of description, the most it may have",
    "garbage": "5,000 zeroes, refused",
}
# The first version that said pieces at all, under the probe; measured once, when it was new.
BEFORE = ["*before* (80a2a4e, 26 November 2026), the longest of 20 rounds under the probe", "28,508", "10,806",
          "728,901 (one piece)", "", "61,437", "135,288", "36,000", "about 100,000"]  # fmt: skip
A_SECOND = 3e9  # instructions, of a machine of today


def only(records, run):
    (record,) = records[run]
    return record, record["figures"]


def agrees(records, _):
    record, f = only(records, "blackout-agrees")
    apart, by, answered = 100 * (f["felt"] - f["said"]) / f["said"], "`, `".join(f["by"]), f["answered"]
    return (
        f"{head(record)}\n\n"
        f"The command said {f['said']:,} and the probe felt {f['felt']:,} ({apart:+.1f} %) in {f['rounds']} rounds, by "
        f"`{by}`. Of commands that ask the hypervisor for nothing it felt {f['felt_of_nothing']:,} (processes that "
        f"begin and end).\nA request that came at the worst time was answered after {answered['busy']:,}, and after "
        f"{answered['idle']:,} without the command."
    )


def pieces(records, _):
    record, f = only(records, "blackout-pieces")
    rows = []
    for name, found in f["rows"].items():
        rows.append([ROWS.get(name, name), *(f"{found[c]:,}" if c in found else "" for c in COLUMNS)])
    check = max(found.get("check", 0) for found in f["rows"].values())
    said = f"The longest `check` is {check:,}: {1e3 * check / A_SECOND:.2g} ms at 3 × 10⁹ instructions a second."
    return f"{head(record)}\n\n{table(TOP, [*rows, BEFORE])}\n\n{said}"


def slopes(records, _):
    record, f = only(records, "blackout-slopes")
    pages, strict = f["lines"]["pages"], f["lines"]["strict"]
    off = [abs(y - pages["begins"] - pages["grows"] * x) for x, y in f["pages"]]
    first = f["pages"][0]  # of the boot: with it much is done for the first time
    counts = [x for x, _ in f["pages"]]
    beside = " / ".join(f"{count:,}" for count, _ in f["sleepers"])
    windows = " / ".join(f"{window:,}" for _, window in f["sleepers"])
    return (
        f"{head(record)}\n\n"
        f"The stop window is {pages['begins']:,.0f} and {pages['grows']:,.0f} for each page ({min(counts)} to "
        f"{max(counts)} pages). The first commit of the boot, with {first[0]} page, takes {first[1]:,}, which is "
        f"{off[0]:,.0f} from that line; the others are no more than {max(off[1:]):,.0f} from it. Beside {beside}\n"
        f"sleeping tasks it is {windows}. A strict leaf makes it read every task: {strict['grows']:,.0f} each "
        f"({', '.join(f'{y:,} with {x:,}' for x, y in f['strict'])}: not quite a line)."
    )


def not_short(records, _):
    record, f = only(records, "blackout-pieces")
    _, s = only(records, "blackout-slopes")
    rows = f["rows"]
    return (
        f"By the tables above (commit {record['commit']}):\n\n"
        "- A large leaf that is not known yet: what was signed is put in its place in one piece (`verify`), of "
        f"{rows['as much code']['verify']:,} for 250 KiB of code, if each step of a `rep movs` counts.\n"
        f"- A strict leaf on a machine with many tasks: {s['lines']['strict']['grows']:,.0f} a task, for 100 ms at "
        "most (that is the stop window, not beside it).\n"
        f"- Many leaves in one commit: to prepare six took {rows['6 leaves']['prepare']:,}, one "
        f"{rows['apply']['prepare']:,}; in the try six took {rows['6 leaves']['beside']:,} beside the window, one "
        f"{rows['apply']['beside']:,}."
    )
