#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the campaigns of bench.py say: `report.py FILE... [--out DIR]` prints the tables and which thresholds
held, and writes summary.json and the figures. Each boot gives one number an arm, the median of its rounds; intervals
are over boots. A page has them by scripts/figures."""

import argparse
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import arms  # noqa: E402
import campaign  # noqa: E402
import plot  # noqa: E402
import stats  # noqa: E402

# name: (what it is called, how it is read from a round)
FIGURES = {
    "effect": ("request to effect", lambda r: max(r["first_new"], r["last_old"])),
    "done": ("request to answer", lambda r: r["done"]),
    "mixture": ("time of mixture", lambda r: max(0, r["last_old"] - r["first_new"])),
    "stop": ("stop seen by a timer", lambda r: r["late"]),
    "lost": ("lost work", lambda r: max(0, r["known"] - r["busy"] * r["calm_ns"] / max(1, r["calm"]))),
}
CHANGES = {"effect", "mixture"}  # of arms that change nothing there is none
IDLE = ("none", "stop")
GROUPS = (
    ("strict", ("leaf-strict", "leaf-strict-again", "klp", "klp-fast", "kpatch")),
    ("mixable", ("leaf-mixable", "klp-force", "ftrace", "kprobe")),
    ("nothing is patched", ("stop", "none")),
)
UNITS = {"icount": "instructions", "smp": "ns of the host, beside counts", "ends": "outcomes, and ns of the host"}


def good(document):
    return [r for r in document["results"] if "failed" not in r]


def rounds(result, arm, scenario):
    return [r for r in result["rounds"] if r["arm"] == arm and r["scenario"] == scenario]


def of_boots(document, arm, scenario, figure):
    """{boot: median over its rounds that came to an end}; where requests fail, over those that failed."""
    fails = scenario in arms.FAILS
    if figure in CHANGES and (arm in IDLE or fails):
        return {}
    values = {}
    for result in good(document):
        ended = [FIGURES[figure][1](r) for r in rounds(result, arm, scenario) if (r["error"] != 0) == fails]
        if ended:
            values[result["unit"]] = statistics.median(ended)
    return values


def paired(document, first, second, scenario, figure):
    a, b = (of_boots(document, arm, scenario, figure) for arm in (first, second))
    return [(a[unit], b[unit]) for unit in sorted(a.keys() & b.keys())]


def total(document, arm, key, scenario=None):
    """(sum of a count, rounds) over all boots."""
    found = [r for result in good(document) for r in result["rounds"]]
    found = [r for r in found if r["arm"] == arm and scenario in (None, r["scenario"])]
    return sum(r[key] for r in found), len(found)


def scenarios(document):
    return list(dict.fromkeys(r["scenario"] for result in good(document) for r in result["rounds"]))


def words(interval):
    value, low, high = interval
    if low is None:
        return plot.short(value)
    return f"{plot.short(value)} [{plot.short(low)}, {plot.short(high)}]"


def table(document, scenario):
    """Rows of a table: [[arm, figure...]]."""
    rows = []
    for level, members in GROUPS:
        for arm in members:
            count, tried = total(document, arm, "torn", scenario)
            if not tried:
                continue
            row = [level, arm]
            for figure in FIGURES:
                values = of_boots(document, arm, scenario, figure)
                row.append(words(stats.median(list(values.values()), f"{arm}:{figure}")) if values else "–")
            back, _ = total(document, arm, "backward", scenario)
            refused, _ = total(document, arm, "refused", scenario)
            failed = sum(r["error"] != 0 for b in good(document) for r in rounds(b, arm, scenario))
            rows.append([*row, *(str(n) for n in (count, back, refused)), f"{failed}/{tried}"])
    return rows


HEAD = ["consistency", "arm", *(words for words, _ in FIGURES.values()), "torn", "backward", "refused", "not ended"]


# -- who does not go, and how old tasks come out --


def ends(document):
    """Rows of which requests ended though somebody was in the way, and what was said when they did not."""
    rows, found = [], [r for result in good(document) for r in result["rounds"]]
    for scenario, arm in dict.fromkeys((r["scenario"], r["arm"]) for r in sorted(found, key=lambda r: r["scenario"])):
        mine = [r for r in found if (r["scenario"], r["arm"]) == (scenario, arm)]
        times = sorted(r["done"] / 1e9 for r in mine if r["error"] == 0)
        span = f"{times[0]:.2f}–{times[-1]:.2f} s" if times else "–"
        said = {f"exit {r['error']}" if arm.startswith("leaf") else f"error {r['error']}" for r in mine if r["error"]}
        torn, backward, refused = (sum(r[key] for r in mine) for key in ("torn", "backward", "refused"))
        split = str(sum(r["split"] for r in mine)) if "split" in mine[0] else "–"
        counts = [str(torn), split, str(backward), str(refused), plot.short(max(r["late"] for r in mine))]
        rows.append([scenario, arm, f"{len(times)}/{len(mine)}", span, ", ".join(sorted(said)) or "–", *counts])
    return rows


ENDS_HEAD = ["scenario", "arm", "ended", "in", "else", "torn", "split", "backward", "refused", "latest timer, ns"]


def drains(document):
    """{arm: [(when a sleeper last came out of old code, did it)]} over all boots."""
    found = {}
    for result in good(document):
        for r in result["rounds"]:
            for time, out in r.get("drain", ()):
                if time >= 0:  # who was never in the old code since the request does not count
                    found.setdefault(r["arm"], []).append((time / 1e6, out))
    return found


def drain_rows(document):
    rows = []
    for arm, observed in sorted(drains(document).items()):
        curve = stats.kaplan_meier(observed)
        quartiles = [stats.survival_quantile(curve, q) for q in (0.25, 0.5, 0.75, 0.95)]
        censored = sum(not out for _, out in observed)
        shown = ["not seen" if q is None else f"{q:.0f}" for q in quartiles]
        rows.append([arm, str(len(observed)), str(censored), *shown])
    return rows


DRAIN_HEAD = ["arm", "tasks", "censored", "25 % out, ms", "50 %", "75 %", "95 %"]


# -- thresholds --


def held(condition):
    return "held" if condition else "MISSED"


def judge_twins(document, wanted, verdicts):
    first, second = wanted["arms"]
    both = [s for s in scenarios(document) if total(document, second, "torn", s)[1]]
    level = 1 - (1 - stats.LEVEL) / max(1, len(both) * len(wanted["figures"]))  # all of them at once
    for scenario in both:
        for figure in wanted["figures"]:
            pairs = paired(document, first, second, scenario, figure)
            if len(pairs) < stats.FEWEST or any(a <= 0 or b <= 0 for a, b in pairs):
                verdicts.append(("not to be told", f"A/A, {figure}, {scenario}: too few boots, or nothing to compare"))
                continue
            interval = stats.ratio(pairs, f"twins:{scenario}:{figure}", level)
            said = "%.3f [%.3f, %.3f]" % interval
            verdicts.append((held(stats.contains(interval, 1)), f"A/A, {figure}, {scenario}: ratio {said} contains 1"))


def judge_counts(document, wanted, verdicts, zero):
    for key in ("torn", "backward"):
        for arm in wanted.get(key, ()):
            count, tried = total(document, arm, key)
            if not tried:
                continue
            if zero:
                limit = f", so at most {stats.bound(0, tried):.2g} of rounds" if count == 0 else ""
                verdicts.append((held(count == 0), f"{arm}: {key} {count} in {tried} rounds{limit}"))
            else:
                verdicts.append((held(count > 0), f"{arm}: {key} is seen ({count} in {tried} rounds)"))


def judge_ratios(document, wanted, verdicts):
    for first, second, figure, scenario, lowest in wanted:
        pairs = [p for p in paired(document, first, second, scenario, figure) if min(p) > 0]
        name = f"{second} over {first}, {figure}, {scenario}"
        if len(pairs) < stats.FEWEST:
            verdicts.append(("not to be told", f"{name}: too few boots"))
            continue
        interval = stats.ratio(pairs, name)
        said = "%s: %.3g [%.3g, %.3g], above %g" % (name, *interval, lowest)
        verdicts.append((held(interval[1] > lowest), said))


def judge_halves(document, wanted, verdicts):
    """Even boots and odd boots, as two runs."""
    for arm, scenario, figure in wanted["of"]:
        values = of_boots(document, arm, scenario, figure)
        halves = [[v for unit, v in values.items() if unit % 2 == odd] for odd in (0, 1)]
        if any(len(half) < stats.FEWEST for half in halves):
            verdicts.append(("not to be told", f"two halves, {arm}, {figure}, {scenario}: too few boots"))
            continue
        first, second = (statistics.median(half) for half in halves)
        share = abs(second / first - 1)
        said = f"two halves, {arm}, {figure}, {scenario}: {100 * share:.2f} % apart, at most {100 * wanted['share']:g}"
        verdicts.append((held(share <= wanted["share"]), said))


def judge(document, thresholds):
    """[(verdict, what)] of a campaign."""
    mode, verdicts = document["setup"]["mode"]["name"], []
    if mode not in thresholds["judged"]:
        return verdicts
    boots, wanted = len(good(document)), thresholds["boots"]
    verdicts.append((held(boots >= wanted), f"{boots} boot(s), {wanted} wanted"))
    bases = {r["base"] for r in good(document)}
    said = held(len(bases) > boots / 2) if boots > 1 else "not to be told"
    few = "" if boots > 1 else ", too few"
    verdicts.append((said, f"KASLR: {len(bases)} place(s) of the kernel in {boots} boot(s){few}"))
    judge_twins(document, thresholds["twins"], verdicts)
    judge_counts(document, thresholds["never"], verdicts, True)
    judge_counts(document, thresholds["seen"], verdicts, False)
    judge_ratios(document, thresholds["ratios"].get(mode, ()), verdicts)
    if mode == "icount":
        judge_halves(document, thresholds["repeat"], verdicts)
    return verdicts


# -- how it is told --


def markdown(rows, head):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def section(document, thresholds):
    """What a page says of one campaign."""
    mode, run = document["setup"]["mode"], document["runs"]
    commits = ", ".join(sorted({r["commit"] for r in run}))
    dates = ", ".join(sorted({r["date"] for r in run}))
    boots, failed = len(good(document)), len(document["results"]) - len(good(document))
    again = sum(b.get("again", 0) for b in good(document))
    parts = [
        f"### {document['campaign']}: {UNITS[mode['name']]}\n",
        f"Run {dates} at commit {commits}; {document['setup']['kernel']}, {document['setup']['emulator']}, "
        f"{mode['cpus']} CPU(s), seed {document['seed']}: "
        f"{boots} of {document['units']} boots, {mode['rounds']} round(s) an arm in each"
        f"{f', {failed} boots failed' if failed else ''}"
        f"{f', {again} rounds run again for the emulator' if again else ''}. "
        f"Median over boots [95 %]; the timer's period is {plot.short(mode['timer'])}.\n",
    ]
    if mode["name"] == "ends":
        parts += [markdown(ends(document), ENDS_HEAD) + "\n", "How sleepers come out of the old code (Kaplan–Meier):\n"]
        return "\n".join([*parts, markdown(drain_rows(document), DRAIN_HEAD), ""])
    for scenario in scenarios(document):
        parts += [f"Scenario *{scenario}*:\n", markdown(table(document, scenario), HEAD) + "\n"]
    parts.append("Declared before the run:\n")
    parts += [f"- {verdict}: {what}" for verdict, what in judge(document, thresholds)]
    return "\n".join(parts) + "\n"


def figures(document, directory):
    mode, written = document["setup"]["mode"]["name"], []
    if mode == "ends":
        curves = [(a, stats.kaplan_meier(o), max(t for t, _ in o)) for a, o in sorted(drains(document).items())]
        path = os.path.join(directory, "drain.svg")
        with open(path, "w", encoding="utf-8") as f:
            f.write(plot.survival("Sleepers still in the old code", "ms since the request", curves))
        return [path]
    for scenario in scenarios(document):
        for figure, (name, _) in FIGURES.items():
            rows = []
            for arm in (a for _, members in GROUPS for a in members):
                values = [v for v in of_boots(document, arm, scenario, figure).values()]
                if values:
                    interval = stats.median(values, f"{arm}:{figure}")
                    rows.append((arm, *interval) if interval[0] > 0 else (arm, None, None, None))
            if rows:
                path = os.path.join(directory, f"{mode}-{scenario}-{figure}.svg")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(plot.intervals(f"{name} ({scenario}, {mode})", UNITS[mode], rows))
                written.append(path)
    return written


def summary(documents, thresholds):
    return {
        "schema": "newleaf.bench/1",
        "campaigns": [
            {
                "campaign": d["campaign"], "runs": d["runs"], "setup": d["setup"],
                "thresholds": [{"verdict": v, "what": w} for v, w in judge(d, thresholds)],
                "figures": {
                    scenario: {
                        arm: {figure: sorted(of_boots(d, arm, scenario, figure).items()) for figure in FIGURES}
                        for _, members in GROUPS for arm in members
                    }
                    for scenario in scenarios(d)
                },
            }
            for d in documents
        ],
    }  # fmt: skip


# Of the figures, those on a page.
SHOWN = ("icount-asleep-done.svg", "icount-asleep-mixture.svg", "icount-clear-stop.svg", "drain.svg")


def main():
    parser = argparse.ArgumentParser(prog="report.py")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", metavar="DIR", help="where summary.json and the figures go")
    given = parser.parse_args()
    with open(os.path.join(HERE, "thresholds.json"), encoding="utf-8") as f:
        thresholds = json.load(f)
    try:
        documents = [campaign.read(path) for path in given.files]
        for path, d in zip(given.files, documents):
            if not d["campaign"].startswith("bench-"):
                raise campaign.Unlike(f"{path}: {d['campaign']} is no campaign of bench.py")
    except campaign.Unlike as why:
        raise SystemExit(f"report.py: {why}") from None
    text = "\n".join(section(d, thresholds) for d in documents)
    print(text)
    if given.out:
        os.makedirs(given.out, exist_ok=True)
        campaign.write(os.path.join(given.out, "summary.json"), summary(documents, thresholds))
        for d in documents:
            figures(d, given.out)
    return int(any(v == "MISSED" for d in documents for v, _ in judge(d, thresholds)))


if __name__ == "__main__":
    sys.exit(main())
