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
import shape  # noqa: E402
import stats  # noqa: E402

with open(os.path.join(HERE, "thresholds.json"), encoding="utf-8") as thresholds_file:
    THRESHOLDS = json.load(thresholds_file)

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


def failed(document):
    return [r for r in document["results"] if "failed" in r]


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


def whatever(document):
    """All rounds that any boot has kept: also those of boots that failed, and those that were run again."""
    return [r for result in document["results"] for key in ("rounds", "discarded") for r in result.get(key, ())]


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
            off = sum(r["error"] != 0 for b in good(document) for r in rounds(b, arm, scenario))
            rows.append([*row, *(str(n) for n in (count, back, refused)), f"{off}/{tried}"])
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


def of_all_boots(document, pairs):
    """Can a ratio of these be had? One of the boots in which both came to an end, or had something to tell, is one of
    those that went well."""
    return len(pairs) >= max(stats.FEWEST, len(good(document))) and all(min(pair) > 0 for pair in pairs)


def judge_failed(document, _):
    """A boot may have failed of what must not be: look_before_it_goes() of bench.py ends one so."""
    found = [f"boot {r['unit']} failed: {shape.shown(r['failed'])}" for r in failed(document)]
    return [("MISSED", what) for what in found] or [("held", "no boot failed")]


def judge_twins(document, thresholds):
    wanted, verdicts = thresholds["twins"], []
    (first, second), (least, most) = wanted["arms"], wanted["band"]
    both = [s for s in scenarios(document) if total(document, second, "torn", s)[1]]
    level = 1 - (1 - stats.LEVEL) / max(1, len(both) * len(wanted["figures"]))  # all of them at once
    for scenario in both:
        for figure in wanted["figures"]:
            pairs = paired(document, first, second, scenario, figure)
            if not of_all_boots(document, pairs):
                verdicts.append(("not to be told", f"A/A, {figure}, {scenario}: too few boots, or nothing to compare"))
                continue
            interval = stats.ratio(pairs, f"twins:{scenario}:{figure}", level)
            said = "A/A, %s, %s: ratio %.3f [%.3f, %.3f]" % (figure, scenario, *interval)
            if not stats.contains(interval, 1):
                verdicts.append(("MISSED", f"{said} does not contain 1"))
            elif least <= interval[1] and interval[2] <= most:
                verdicts.append(("held", f"{said} contains 1, within [{least}, {most}]"))
            else:
                verdicts.append(("not to be told", f"{said} contains 1, but is wider than [{least}, {most}]"))
    return verdicts


def can_show(document, key, thresholds):
    """Scenarios in which an arm that does not promise the contrary shows it. Where none does, 0 says nothing."""
    others = [r for b in good(document) for r in b["rounds"] if r["arm"] not in thresholds["never"][key]]
    return {r["scenario"] for r in others if r[key]}


def judge_never(document, thresholds):
    """None anywhere; and for how many boots that says something. Rounds of one boot are not independent."""
    verdicts, kept = [], whatever(document)
    for key in ("torn", "backward"):
        where = can_show(document, key, thresholds)
        for arm in thresholds["never"][key]:
            mine = [r for r in kept if r["arm"] == arm]
            on = [[r for r in b["rounds"] if r["arm"] == arm and r["error"] == 0] for b in good(document)]
            able = list(filter(None, ([r for r in boot if r["scenario"] in where] for boot in on)))
            count, said = sum(r[key] for r in mine), f"{arm}: {key}"
            if count:
                verdicts.append(("MISSED", f"{said} {count} in {len(mine)} rounds"))
            elif mine and able:
                limit = f"so in at most {stats.bound(0, len(able)):.2g} of boots"
                several = f"{len(able)} boot(s), {sum(map(len, able))} round(s) that could show it"
                verdicts.append(("held", f"{said} 0 in {several}, {limit}"))
            elif mine:
                why = "of its own none ended where another arm shows it" if where else "no arm shows it"
                verdicts.append(("not to be told", f"{said} 0 in {len(mine)} rounds, but {why}"))
    return verdicts


def judge_seen(document, thresholds):
    verdicts = []
    for key, members in thresholds["seen"].items():
        for arm in members if key != "about" else ():
            count, tried = total(document, arm, key)
            if tried:
                verdicts.append((held(count > 0), f"{arm}: {key} is seen ({count} in {tried} rounds)"))
    return verdicts


def by_arm(found):
    """Which of these rounds are whose, in words."""
    count = {arm: sum(r["arm"] == arm for r in found) for arm in dict.fromkeys(r["arm"] for r in found)}
    return ", ".join(f"{n} of {arm}" for arm, n in count.items())


def judge_ended(document, thresholds):
    """Requests that can succeed do, and those that cannot do not."""
    wanted, kept = thresholds["ended"], [r for b in good(document) for r in b["rounds"]]
    can = [r for r in kept if r["scenario"] not in arms.FAILS]
    cannot = [r for r in kept if r["scenario"] in arms.FAILS and r["arm"] in thresholds["never"]["torn"]]
    off, on = [r for r in can if r["error"] != 0], [r for r in cannot if r["error"] == 0]
    verdicts = [(held(can and not off), f"{len(can)} requests that can succeed, not ended: {by_arm(off) or 'none'}")]
    if cannot:
        verdicts.append((held(not on), f"{len(cannot)} requests that cannot succeed, ended: {by_arm(on) or 'none'}"))
    for arm in wanted["refused"]:
        mine = [r for r in can if r["arm"] == arm]
        refused, share = sum(r["refused"] > 0 for r in mine), wanted["share"]
        if mine:
            said = f"{arm}: in {refused} of {len(mine)} rounds an answer was not now, at most {share:g} of them"
            verdicts.append((held(refused <= share * len(mine)), said))
    return verdicts


def judge_answers(document, thresholds):
    """Is what was answered what the threads saw? Not of rounds in which the emulator kept a thread from going on."""
    kept = [r for b in document["results"] for r in b.get("rounds", ()) if r["arm"] not in IDLE]
    on, off = ([r for r in kept if (r["error"] == 0) == ended] for ended in (True, False))
    strict = [r for r in on if r["arm"] in thresholds["never"]["torn"]]
    awake = [r for r in strict if "nap=" not in arms.SCENARIOS.get(r["scenario"], "nap=")]  # his end is looked at later
    never = [r for r in off if r["arm"] in thresholds["answers"]["off"]]
    cases = (
        ("on, but nobody saw the new", on, lambda r: r["first_new"] < 0),
        ("on, but a pass that began later was old", awake, lambda r: r["last_old"] > r["done"]),
        ("not on, but somebody saw the new", never, lambda r: r["first_new"] >= 0),
    )
    verdicts = []
    for name, among, wrong in cases:
        found = [r for r in among if wrong(r)]
        if among:
            said = f"the answer was {name}: {by_arm(found) or 'none'} ({len(among)} rounds)"
            verdicts.append((held(not found), said))
    return verdicts


def judge_ratios(document, wanted):
    verdicts = []
    for first, second, figure, scenario, lowest in wanted:
        pairs = paired(document, first, second, scenario, figure)
        name = f"{second} over {first}, {figure}, {scenario}"
        if not of_all_boots(document, pairs):
            verdicts.append(("not to be told", f"{name}: too few boots, or nothing to compare"))
            continue
        interval = stats.ratio(pairs, name)
        said = "%s: %.3g [%.3g, %.3g] over %d boots, above %g" % (name, *interval, len(pairs), lowest)
        verdicts.append((held(interval[1] > lowest), said))
    return verdicts


def judge_halves(document, wanted):
    """Even boots and odd boots, as two runs."""
    verdicts = []
    for arm, scenario, figure in wanted["of"]:
        values = of_boots(document, arm, scenario, figure)
        halves = [[v for unit, v in values.items() if unit % 2 == odd] for odd in (0, 1)]
        if any(len(half) < stats.FEWEST for half in halves) or len(values) < len(good(document)):
            verdicts.append(("not to be told", f"two halves, {arm}, {figure}, {scenario}: too few boots"))
            continue
        first, second = (statistics.median(half) for half in halves)
        share = abs(second / first - 1)
        said = f"two halves, {arm}, {figure}, {scenario}: {100 * share:.2f} % apart, at most {100 * wanted['share']:g}"
        verdicts.append((held(share <= wanted["share"]), said))
    return verdicts


def judge_boots(document, thresholds):
    boots, wanted = len(good(document)), thresholds["boots"]
    bases = {r["base"] for r in good(document)}
    said = held(len(bases) > boots / 2) if boots > 1 else "not to be told"
    few = "" if boots > 1 else ", too few"
    return [
        (held(boots >= wanted), f"{boots} boot(s), {wanted} wanted"),
        (said, f"KASLR: {len(bases)} place(s) of the kernel in {boots} boot(s){few}"),
    ]


def judge_broken(document, thresholds):
    """What no campaign may show, whatever was expected of its times."""
    return [part(document, thresholds) for part in (judge_failed, judge_never, judge_answers)]


def judged(document, thresholds):
    """([(verdict, what)] of what the list held from its beginning, the same of what was added)."""
    mode = document["setup"]["mode"]["name"]
    failures, never, answers = judge_broken(document, thresholds)
    if mode not in thresholds["judged"]:
        return [], failures + never + answers
    first = judge_boots(document, thresholds) + never + judge_seen(document, thresholds)
    first += judge_ratios(document, thresholds["ratios"].get(mode, ()))
    if mode == "icount":
        first += judge_halves(document, thresholds["repeat"])
    return first, failures + judge_twins(document, thresholds) + judge_ended(document, thresholds) + answers


def judge(document, thresholds):
    return [verdict for part in judged(document, thresholds) for verdict in part]


def broken(document, thresholds=THRESHOLDS):
    """Did something tear, go back, fail, or answer what is not so?"""
    return any(verdict == "MISSED" for part in judge_broken(document, thresholds) for verdict, _ in part)


def told(document, thresholds=THRESHOLDS):
    """Lines: how a campaign ended."""
    count = f"{len(document['results'])} of {document['units']} boots, {len(failed(document))} failed"
    return [f"{document['campaign']}: {count}", *(f"- {v}: {what}" for v, what in judge(document, thresholds))]


# -- how it is told --


def markdown(rows, head):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def words_of_again(document):
    """What was thrown away for the emulator's sake, and of which arms, if the record knows."""
    parts = document["results"]
    again, boots = (sum(b.get(key, 0) for b in parts) for key in ("again", "boots_again"))
    discarded = [r for b in parts for r in b.get("discarded", ())]
    said = f", {again} rounds run again for the emulator" if again else ""
    said += f", {boots} boots made again for it" if boots else ""
    if discarded:
        return said + f" (thrown away: {by_arm(discarded)})"
    return said + (" (the record does not say of which arms)" if said else "")


def lists(document, thresholds):
    """What was declared, and when."""
    first, added = judged(document, thresholds)
    late = {run["commit"] for run in document["runs"]} & set(thresholds["added"]["after"])
    before, when = "Declared before the run:\n", f"Declared on {thresholds['added']['date']}, after this run:\n"
    groups = [(before, first), (when, added)] if late else [(before, first + added)]
    lines = []
    for head, found in groups:
        lines += [head, *(f"- {verdict}: {what}" for verdict, what in found), ""] if found else []
    return lines


def section(document, thresholds):
    """What a page says of one campaign."""
    mode, run = document["setup"]["mode"], document["runs"]
    commits = ", ".join(sorted({r["commit"] for r in run}))
    dates = ", ".join(sorted({r["date"] for r in run}))
    boots, lost = len(good(document)), len(failed(document))
    parts = [
        f"### {document['campaign']}: {UNITS[mode['name']]}\n",
        f"Run {dates} at commit {commits}; {document['setup']['kernel']}, {document['setup']['emulator']}, "
        f"{mode['cpus']} CPU(s), seed {document['seed']}: "
        f"{boots} of {document['units']} boots, {mode['rounds']} round(s) an arm in each"
        f"{f', {lost} boots failed' if lost else ''}{words_of_again(document)}. "
        f"Median over boots [95 %]; the timer's period is {plot.short(mode['timer'])}.\n",
    ]
    if mode["name"] == "ends":
        parts += [markdown(ends(document), ENDS_HEAD) + "\n", "How sleepers come out of the old code (Kaplan–Meier):\n"]
        return "\n".join([*parts, markdown(drain_rows(document), DRAIN_HEAD) + "\n", *lists(document, thresholds)])
    for scenario in scenarios(document):
        parts += [f"Scenario *{scenario}*:\n", markdown(table(document, scenario), HEAD) + "\n"]
    return "\n".join([*parts, *lists(document, thresholds)])


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
    thresholds = THRESHOLDS
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
