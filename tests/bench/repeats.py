#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do two runs of one campaign say the same? `repeats.py A.json B.json`: every figure of every round, boot by boot; how
far apart those are that differ. Under icount nothing of a boot is the host's, so more than 1 % apart is a fault of the
instrument. A file may be anybody's. Exit: 0 all within 1 %, 1 not, or a file is refused, 2 usage, or no such file."""

import json
import sys

import campaign

MOST = 0.01
COUNTS = ("error", "error_off", "torn", "backward", "refused")  # the same, or not


def rounds(document):
    """{(boot, number of the round): round}."""
    return {(b["unit"], i): r for b in document["results"] for i, r in enumerate(b.get("rounds", []))}


def flat(figures, name=""):
    """A round, and what the command answered in it, as {name: value}."""
    found = {}
    for key, value in figures.items() if isinstance(figures, dict) else enumerate(figures):
        if key == "said":
            try:
                found |= flat({"": json.loads(value)}, f"{name}{key}")
                continue
            except (TypeError, ValueError, RecursionError):
                pass  # words
        if isinstance(value, (dict, list)):
            found |= flat(value, f"{name}{key}.")
        else:
            found[f"{name}{key}"] = value
    return found


def apart(a, b):
    """Share of the larger."""
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0


def compare(first, second):
    """([(share, boot, what, a, b)] of all that differs, how many figures were compared)."""
    a, b = rounds(first), rounds(second)
    if set(a) != set(b) or not a:
        return [(1, 0, "rounds", len(a), len(b))], 0
    found, compared = [], 0
    bases = [{r["unit"]: r.get("base") for r in document["results"]} for document in (first, second)]
    found += [(1, u, "place of the kernel", bases[0][u], bases[1][u]) for u in bases[0] if bases[0][u] != bases[1][u]]
    for key in sorted(a):
        name = f"round {key[1]}, {a[key]['arm']}, {a[key]['scenario']}"
        first_flat, second_flat = flat(a[key]), flat(b[key])
        for figure in sorted(set(first_flat) | set(second_flat)):
            one, two = first_flat.get(figure), second_flat.get(figure)
            compared += 1
            if one == two:
                continue
            numbers = figure not in COUNTS and isinstance(one, int) and isinstance(two, int)
            found.append((apart(one, two) if numbers else 1, key[0], f"{name}: {figure}", one, two))
    return found, compared


def told(found, compared):
    """Lines; what a command has said is any text, and steers no terminal."""
    worst = max((share for share, *_ in found), default=0)
    lines = [f"{compared} figures, {len(found)} differ, the worst by {100 * worst:.3g} %"]
    for share, boot, what, one, two in sorted(found, key=lambda f: -f[0]):
        what, one, two = ascii(what)[1:-1][:300], ascii(one)[:200], ascii(two)[:200]
        lines.append(f"{100 * share:.3g} %: boot {boot}, {what}: {one} and {two}")
    return lines


def agree(found, compared):
    return compared > 0 and all(share <= MOST for share, *_ in found)


def main():
    if len(sys.argv) != 3:
        print("usage: repeats.py A.json B.json", file=sys.stderr)
        return 2
    try:
        found, compared = compare(*(campaign.read(path) for path in sys.argv[1:]))
    except (campaign.Unlike, OSError) as why:
        print(f"repeats.py: {why}", file=sys.stderr)
        return 1 if isinstance(why, campaign.Unlike) else 2
    print("\n".join(told(found, compared)))
    return 0 if agree(found, compared) else 1


if __name__ == "__main__":
    sys.exit(main())
