#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the report makes of results: on boots that are made up, where the answer is known, and on recorded ones."""

import copy
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import arms  # noqa: E402
import campaign  # noqa: E402
import repeats  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402

stats.DRAWS = 300  # enough for what is looked at here

THRESHOLDS = report.THRESHOLDS
COST = {"klp": 1.1e9, "klp-fast": 1.1e8, "stop": 5e3, "none": 100}  # of one request; 2e7 for the others


def made_round(rng, scenario, arm, boot):
    """As work.c would print it; boot: what this boot has in common."""
    done = int(COST.get(arm, 2e7) * boot * rng.uniform(0.99, 1.01))
    broken = arm in ("klp-force", "ftrace", "kprobe", "leaf-mixable") and scenario == "asleep"
    stop = {"none": 5000, "stop": 6000}.get(arm, 700_000)
    fails = scenario in arms.FAILS
    return {
        "arm": arm, "scenario": scenario, "error": 8 if fails else 0, "error_off": 0, "refused": 0,
        "done": done, "known": done + 20_000_000,
        "first_new": -1 if fails else done, "last_old": done - 1000, "torn": int(broken), "backward": 0, "passes": 100,
        "gap": 1, "late": int(stop * rng.uniform(0.99, 1.01)), "calm": 1000, "calm_ns": 20_000_000, "busy": 900,
    }  # fmt: skip


def made_boot(unit):
    rng = campaign.rng("bench-icount", 1, unit)
    order, boot = arms.plan(rng, "icount", ""), rng.uniform(0.8, 1.2)
    rounds = [made_round(rng, scenario, arm, boot) for scenario, arm in order]
    return {"unit": unit, "cmdline": "", "base": f"{unit:x}", "rounds": rounds}


class Given:
    seed, units, shard = 1, 12, (1, 1)


def made():
    setup = {"kernel": "linux", "emulator": "none", "mode": {"name": "icount", **arms.MODES["icount"]}}
    return campaign.document("bench-icount", Given, setup, [made_boot(u) for u in range(Given.units)])


def verdicts(document, word):
    return [what for verdict, what in report.judge(document, THRESHOLDS) if verdict == word]


class Hostile(unittest.TestCase):
    def refused(self, change, field=""):
        """It says which field, on one line and in signs that do nothing to a terminal."""
        document = made()
        change(document)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "a.json")
            campaign.write(path, document)
            with self.assertRaises(campaign.Unlike) as refusal:
                campaign.read(path)
            said = str(refusal.exception).replace(path, "")
            self.assertIn(field, said)
            self.assertTrue(said.isprintable() and said.isascii() and len(said) < 300, said)

    def test_no_page_is_steered(self):
        """What a page or a file's name is made of holds nothing but words."""
        self.refused(lambda d: d["setup"].update(kernel="<script>alert(1)</script>"))
        self.refused(lambda d: d["runs"][0].update(commit="a | b"))
        self.refused(lambda d: d["results"][0]["rounds"][0].update(scenario="<img src=x>"))
        self.refused(lambda d: d["results"][0]["rounds"][0].update(arm="a\n## b"))

    def in_round(self, **fields):
        self.refused(lambda d: d["results"][1]["rounds"][2].update(fields), "result 1, round 2: " + list(fields)[0])

    def test_no_count_takes_another_away(self):
        """A shard's torn -1 made another's torn 1 a null result."""
        for key in ("torn", "backward", "refused", "split", "passes"):
            for value in (-1, 0.5, True, "1", 1 << 70, float("nan"), None, [1]):
                self.in_round(**{key: value})
        for value in (float("inf"), -(1 << 70), "0"):
            self.in_round(done=value)
            self.in_round(late=value)
        self.in_round(drain=[["1", True]])
        self.in_round(drain=[[1, 1]])
        self.refused(lambda d: d["results"][0]["rounds"][0].pop("torn"), "torn is missing")
        self.refused(lambda d: d["results"].append(d["results"][0]), "unit 0 is there twice")
        self.refused(lambda d: d["setup"]["mode"].update(timer="1"), "setup: mode: timer")

    def test_no_terminal_and_no_file_is_steered(self):
        """What a request ended with is printed, and a scenario is a part of a file's name."""
        self.in_round(error="1 |\n<img src=x onerror=alert(1)>\n\x1b]0;owned\x07\x1b[2J")
        for value in ("../../x", "a/b", "/tmp/x", "", ".", "..", "a\\b", "x" * 99, "\x9b2J", "\u202e", 7, None, {}):
            self.in_round(scenario=value)
            self.in_round(arm=value)
        self.refused(lambda d: d["results"][0]["rounds"][0].update({"\x1b[2J": 1}), "result 0, round 0")
        self.refused(lambda d: d["results"][0].update(base="\x1b[2J"), "result 0: base")
        self.refused(lambda d: d["runs"][0].update(date="2026-11-26\n"), "run 0: date")
        self.refused(lambda d: d["runs"][0].update(commit="abcdef1 <img src=x>"), "run 0: commit")
        self.refused(lambda d: d["setup"].update(more={"a": ["<b>"]}), "setup: more: a[0]")
        self.refused(lambda d: d["setup"]["mode"].update(name="../ends"), "setup: mode: name")

    def test_what_is_none_of_bench(self):
        document = campaign.document("other", Given, {}, [])
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "a.json")
            campaign.write(path, document)
            command = [sys.executable, os.path.join(HERE, "report.py"), path]
            done = subprocess.run(command, capture_output=True, text=True)
        self.assertIn("no campaign of bench.py", done.stderr)
        self.assertEqual((done.returncode, "Traceback" in done.stderr), (1, False))

    def test_what_was_recorded_is_taken(self):
        with open(os.path.join(HERE, "..", "..", "docs", "figures", "bench-icount.json"), encoding="utf-8") as f:
            for document in json.load(f):
                self.assertIsNone(campaign.flaw(document))
        for name in ("one-run", "shard-1", "shard-2", "shard-3"):
            self.assertIsNone(campaign.flaw(recorded(name)))
        self.assertIsNone(campaign.flaw(made()))
        for mode in arms.MODES:  # each scenario and arm that bench.py has
            document = made()
            setup = {**document["setup"], "mode": json.loads(json.dumps({"name": mode, **arms.MODES[mode]}))}
            for unit, cmdline in enumerate(arms.MODES[mode]["cmdlines"]):
                rng = campaign.rng("x", 1, unit)
                rounds = [made_round(rng, s, a, 1) for s, a in arms.plan(rng, mode, cmdline)]
                document["results"][unit].update(cmdline=cmdline, rounds=rounds)
            self.assertIsNone(campaign.flaw({**document, "campaign": f"bench-{mode}", "setup": setup}))

    def test_no_picture_is_steered(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "a.json")
            evil = "x</text><script>alert(1)</script><text>"
            campaign.write(path, {"machine": evil, "date": evil, "commit": evil, "lines": []})
            litmus = os.path.join(HERE, "..", "instrument", "litmus")
            subprocess.run([sys.executable, litmus, "--draw", path], check=True)
            with open(os.path.join(directory, "a.svg"), encoding="utf-8") as f:
                self.assertNotIn("<script>", f.read())


class Plans(unittest.TestCase):
    def test_arms_take_turns(self):
        """Each arm and scenario as often as the others in each boot, in orders of their own, what is forced last."""
        orders = [arms.plan(campaign.rng("x", 1, u), "icount", "") for u in range(20)]
        for order in orders:
            self.assertEqual(order[-1], ("asleep", arms.FORCED))
            counts = {turn: order.count(turn) for turn in order[:-1]}
            self.assertEqual(set(counts.values()), {arms.MODES["icount"]["rounds"]})
        firsts = {order[0] for order in orders}
        self.assertGreater(len(firsts), 8)
        self.assertEqual(orders[3], arms.plan(campaign.rng("x", 1, 3), "icount", ""))

    def test_scenarios_of_a_command_line(self):
        for cmdline in arms.MODES["ends"]["cmdlines"]:
            self.assertTrue(arms.plan(random.Random(1), "ends", cmdline))
        only = {scenario for scenario, _ in arms.plan(random.Random(1), "ends", "idle=poll")}
        self.assertEqual(only, {"poll"})


class Judged(unittest.TestCase):
    def test_all_is_well(self):
        self.assertEqual([w for w in verdicts(made(), "MISSED") if not w.startswith("two halves")], [])
        self.assertTrue(any(what.startswith("A/A, done, clear") for what in verdicts(made(), "held")))

    def test_what_is_not(self):
        def each(change):
            document = copy.deepcopy(made())
            for result in document["results"]:
                for r in result["rounds"]:
                    change(r)
            return [w for w in verdicts(document, "MISSED") if not w.startswith("two halves")]

        def torn(r):
            r["torn"] += r["arm"] == "leaf-strict"

        def blind(r):
            r["torn"] = 0

        def slower(r):
            r["done"] = int(r["done"] * (1.05 if r["arm"] == "leaf-strict-again" else 1))

        def early(r):
            r["last_old"] = r["first_new"] = int(r["first_new"] * (0.001 if r["arm"] == "klp" else 1))

        self.assertEqual([w.split(":")[0] for w in each(torn)], ["leaf-strict"])
        self.assertEqual(len(each(blind)), len(THRESHOLDS["seen"]["torn"]))
        self.assertTrue(all(w.startswith("A/A, done") for w in each(slower)) and each(slower))
        self.assertEqual([w.split(",")[0] for w in each(early)], ["klp over leaf-strict"])

    def changed(self, change, document=None):
        """What is missed, and what cannot be told, when each round of each boot is changed so."""
        document = document or made()
        for result in document["results"]:
            for r in result["rounds"]:
                change(r, result["unit"])
        missed = [w for w in verdicts(document, "MISSED") if not w.startswith("two halves")]
        return missed, verdicts(document, "not to be told")

    def failing(self, **fields):
        """A campaign of which two boots failed, and said before what these fields say of a strict leaf."""
        document = made()
        for result in document["results"][:2]:
            rounds = [{**r, **fields} if r["arm"] == "leaf-strict" else r for r in result["rounds"]]
            del result["base"]
            result.update(failed="leaf-strict, clear: torn 2\n<b>more</b>", rounds=rounds)
        return document

    def test_a_boot_that_failed(self):
        """It is a miss by itself, its reason is said, and what it saw before is counted."""
        document = self.failing(torn=7)
        self.assertIsNone(campaign.flaw(document))
        missed = verdicts(document, "MISSED")
        self.assertIn("boot 0 failed: leaf-strict, clear: torn 2", missed)
        self.assertTrue(any(w.startswith("leaf-strict: torn 42 in 36 rounds") for w in missed), missed)
        self.assertIn("boot 1 failed: leaf-strict", report.section(document, THRESHOLDS))
        self.assertFalse(any(w.startswith("leaf-strict: torn") for w in verdicts(document, "held")))
        quiet = verdicts(self.failing(), "MISSED")
        self.assertTrue(any(w.startswith("boot 1 failed") for w in quiet))
        for result in document["results"][:2]:  # as older records have them
            del result["rounds"]
        self.assertIsNone(campaign.flaw(document))
        self.assertTrue(any(w.startswith("boot 1 failed") for w in verdicts(document, "MISSED")))
        document["results"][0]["failed"] = "\x1b]0;owned\x07<script>`|" + "x" * 999
        self.assertIsNone(campaign.flaw(document))
        shown = report.told(document)
        self.assertTrue(all(line.isprintable() and "<" not in line and len(line) < 200 for line in shown), shown)

    def test_a_round_that_was_thrown_away(self):
        document = made()
        torn = {**document["results"][0]["rounds"][0], "arm": "klp", "scenario": "clear", "torn": 2}
        document["results"][0].update(discarded=[torn], again=1, boots_again=1)
        self.assertIsNone(campaign.flaw(document))
        self.assertTrue(any(w.startswith("klp: torn 2") for w in verdicts(document, "MISSED")))
        said = report.section(document, THRESHOLDS)
        self.assertIn("1 rounds run again for the emulator, 1 boots made again for it (thrown away: 1 of klp)", said)
        document["results"][0]["discarded"][0]["torn"] = -1
        self.assertIn("discarded 0: torn", campaign.flaw(document))

    def test_the_end_of_a_request(self):
        """Leaves that never come on miss, as do those that say so and are nowhere seen, or leave old passes behind."""
        leaf = lambda r: r["arm"].startswith("leaf")  # noqa: E731

        def refusing(r, _):
            r.update({"error": 8, "first_new": -1} if leaf(r) else {})

        def nowhere(r, _):
            r.update({"first_new": -1} if leaf(r) and not r["error"] else {})

        def behind(r, _):
            r.update({"last_old": r["done"] + 1} if r["arm"] == "leaf-strict" and r["scenario"] == "clear" else {})

        def through(r, _):
            r.update({"error": 0} if r["scenario"] == "failing" and r["arm"] == "leaf-strict" else {})

        def asked_again(r, unit):
            r.update({"refused": 1} if r["arm"] == "leaf-mixable" and unit < 3 else {})

        off = [w for w in self.changed(refusing)[0] if "not ended: 24 of leaf-strict" in w]
        self.assertEqual(len(off), 1)
        self.assertTrue(any("nobody saw the new: 24 of leaf-strict" in w for w in self.changed(nowhere)[0]))
        self.assertTrue(any("later was old: 12 of leaf-strict" in w for w in self.changed(behind)[0]))
        self.assertTrue(any("ended: 12 of leaf-strict" in w for w in self.changed(through)[0]))
        self.assertTrue(any(w.startswith("leaf-mixable: in 6 of 24") for w in self.changed(asked_again)[0]))
        document = made()
        missed, _ = self.changed(lambda r, _: r.update(first_new=5) if r["error"] else None, document)
        self.assertTrue(any("saw the new: 12 of kpatch, 12 of leaf-strict" in w for w in missed), missed)
        self.assertTrue(report.broken(document))

    def test_nobody_shows_it(self):
        """Where no arm goes backward, that a leaf does not says nothing; where one does, it does."""
        _, untold = self.changed(lambda r, _: None)
        self.assertTrue(any(w.startswith("leaf-strict: backward 0") and "no arm shows it" in w for w in untold), untold)
        document = made()
        self.changed(lambda r, _: r.update(backward=int(r["arm"] == "ftrace")), document)
        self.assertTrue(any(w.startswith("leaf-strict: backward 0") for w in verdicts(document, "held")))

    def test_the_bound_is_of_boots_that_could_show_it(self):
        """Neither rounds that ended in nothing count, nor scenarios in which no arm tears, nor a boot twice."""
        said = [w for w in verdicts(made(), "held") if w.startswith("leaf-strict: torn")]
        several = "12 boot(s), 12 round(s) that could show it"
        self.assertEqual(said, [f"leaf-strict: torn 0 in {several}, so in at most 0.22 of boots"])
        more = made()
        for result in more["results"]:
            result["rounds"] += copy.deepcopy(result["rounds"])
        said = [w for w in verdicts(more, "held") if w.startswith("leaf-strict: torn")]
        self.assertIn("at most 0.22 of boots", said[0])
        _, untold = self.changed(lambda r, _: r.update(error=8 if r["arm"] == "leaf-strict" else r["error"]))
        self.assertTrue(any(w.startswith("leaf-strict: torn 0") for w in untold), untold)

    def test_twins_that_could_not_be_told_apart(self):
        """An interval so wide that thrice as much is within it holds nothing."""
        def wide(r, unit):
            factor = (0.3, 3.5, 0.5, 2.2)[unit % 4] if r["arm"] == "leaf-strict-again" else 1
            r["done"] = int(r["done"] * factor)

        document = made()
        _, untold = self.changed(wide, document)
        self.assertTrue(any(w.startswith("A/A, done") and "wider" in w for w in untold), untold)
        self.assertFalse(any(w.startswith("A/A, done") for w in verdicts(document, "held")))

    def test_no_boot_is_left_out_of_a_ratio(self):
        """A ratio of the boots that are left, when some have nothing to compare, is none."""
        gone = lambda r, unit: r.update(late=0) if r["arm"] == "stop" and unit < 5 else None  # noqa: E731
        _, untold = self.changed(gone)
        self.assertTrue(any(w.startswith("leaf-strict over stop") for w in untold), untold)
        unended = lambda r, unit: r.update(error=8) if r["arm"] == "leaf-strict" and unit == 1 else None  # noqa: E731
        _, untold = self.changed(unended)
        self.assertTrue(any(w.startswith("leaf-strict over stop") for w in untold), untold)
        self.assertTrue(any(w.startswith("A/A, done, clear") for w in untold), untold)
        self.assertTrue(any("over 12 boots" in w for w in verdicts(made(), "held")))

    def test_what_was_declared_later(self):
        document = made()
        self.assertNotIn("after this run", report.section(document, THRESHOLDS))
        document["runs"][0]["commit"] = THRESHOLDS["added"]["after"][0]
        before, later = report.section(document, THRESHOLDS).split("Declared on 27 November 2026, after this run:")
        self.assertIn("12 boot(s), 10 wanted", before)
        for words in ("A/A, done, clear", "no boot failed", "requests that can succeed", "the answer was on"):
            self.assertTrue(words in later and words not in before, words)

    def test_too_few_boots(self):
        document = made()
        document["results"] = document["results"][:3]
        self.assertTrue(any("3 boot(s)" in what for what in verdicts(document, "MISSED")))
        document["results"] = document["results"][:1]
        untold = [what for what in verdicts(document, "not to be told") if "backward" not in what]
        self.assertTrue(all("few" in what for what in untold) and untold)
        self.assertFalse(any(what.startswith("A/A") for what in verdicts(document, "held")))

    def test_the_unit_is_the_boot(self):
        """Twice the rounds in the same boots make no interval narrower."""
        document, more = made(), made()
        for result in more["results"]:
            result["rounds"] += copy.deepcopy(result["rounds"])
        self.assertEqual(report.table(document, "clear")[0][:7], report.table(more, "clear")[0][:7])

    def test_halves(self):
        """Two runs that differ are told, where boots are alike."""
        document = made()
        for result in document["results"]:
            for r in result["rounds"]:
                r["done"] = int(COST.get(r["arm"], 2e7) * (1.02 if result["unit"] % 2 and r["arm"] == "klp" else 1))
        apart = [what for what in verdicts(document, "MISSED") if what.startswith("two halves")]
        self.assertEqual([what.split(",")[1] for what in apart], [" klp"])

    def test_requests_that_fail(self):
        rows = {row[1]: row for row in report.table(made(), "failing")}
        self.assertEqual(rows["klp"][2], "–")  # no effect
        self.assertNotEqual(rows["klp"][3], "–")  # but a cost
        tried = 12 * arms.MODES["icount"]["rounds"]
        self.assertEqual(rows["klp"][-1], f"{tried}/{tried}")


class Told(unittest.TestCase):
    def test_ends(self):
        """There nothing was expected of times; what must never be is judged all the same."""
        document = made()
        document["campaign"], document["setup"]["mode"] = "bench-ends", {**document["setup"]["mode"], "name": "ends"}
        self.assertFalse(report.broken(document))
        document["results"][2]["rounds"][0].update(arm="klp-fast", torn=1)
        self.assertTrue(report.broken(document))
        self.assertIn("MISSED: klp-fast: torn 1", report.section(document, THRESHOLDS))

    def test_section_and_figures(self):
        self.assertIn("12 of 12 boots", report.section(made(), THRESHOLDS))
        with tempfile.TemporaryDirectory() as directory:
            report.figures(made(), directory)
            self.assertTrue(os.path.exists(os.path.join(directory, "icount-clear-done.svg")))


def recorded(name):
    return campaign.read(os.path.join(HERE, "recorded", name + ".json"))


def measured(document):
    """Results without the words of the command, whose times are by a clock that firmware's was compared with."""
    results = json.loads(json.dumps(document["results"]))
    for r in (r for b in results for r in b["rounds"]):
        r.pop("said", None)
    return results


class Recorded(unittest.TestCase):
    """Boots that were run twice, kept: once as three shards, once as one run (README.md there)."""

    def setUp(self):
        self.whole = recorded("one-run")
        self.parts = [recorded(f"shard-{i}") for i in (1, 2, 3)]

    def test_three_shards_equal_one_run(self):
        a, b, c = self.parts
        merged = campaign.merge(a, b, c)
        self.assertEqual([r["unit"] for r in merged["results"]], list(range(self.whole["units"])))
        self.assertEqual(measured(merged), measured(self.whole))  # to the last instruction
        self.assertEqual({k: merged[k] for k in campaign.SAME}, {k: self.whole[k] for k in campaign.SAME})
        for other in (campaign.merge(campaign.merge(c, a), b), campaign.merge(b, campaign.merge(c, a), a)):
            self.assertEqual(other, merged)
        for scenario in report.scenarios(merged):
            self.assertEqual(report.table(merged, scenario), report.table(self.whole, scenario))

    def test_two_runs_agree(self):
        found, compared = repeats.compare(campaign.merge(*self.parts), self.whole)
        self.assertTrue(repeats.agree(found, compared), repeats.told(found, compared)[:5])
        self.assertGreater(compared, 1000)

    def test_what_does_not_agree_is_seen(self):
        for key, by in (("done", lambda v: v + v // 50 + 1), ("torn", lambda v: v + 1), ("arm", lambda v: v + "x")):
            other = json.loads(json.dumps(self.whole))
            r = other["results"][1]["rounds"][3]
            r[key] = by(r[key])
            found, compared = repeats.compare(self.whole, other)
            self.assertEqual(len(found), 1)
            self.assertFalse(repeats.agree(found, compared), key)
        near = json.loads(json.dumps(self.whole))
        near["results"][1]["rounds"][3]["known"] += 1  # one instruction
        found, compared = repeats.compare(self.whole, near)
        self.assertTrue(len(found) == 1 and repeats.agree(found, compared))
        self.assertFalse(repeats.agree(*repeats.compare({"results": []}, {"results": []})))

    def test_a_file_of_somebody_else(self):
        """What a command has said is any text: names in it, and lists in lists in lists."""
        with tempfile.TemporaryDirectory() as directory:
            at = [os.path.join(directory, name) for name in ("a.json", "b.json")]

            def run(*said):
                for path, text in zip(at, said):
                    document = recorded("one-run")
                    document["results"][0]["rounds"][0]["said"] = text
                    campaign.write(path, document)
                command = [sys.executable, os.path.join(HERE, "repeats.py"), *at]
                done = subprocess.run(command, capture_output=True, text=True)
                text = (done.stdout + done.stderr).replace("\n", "")
                self.assertTrue(text.isascii() and text.isprintable() and "Traceback" not in text, text[:300])
                return done.returncode

            self.assertEqual(run('{"\x1b]0;owned\x07": 1}', '{"\x1b]0;owned\x07": 2, "\x7f": "\x9b2J"}'), 1)
            self.assertEqual(run('{"\x1b]0;owned": 1}'.replace("\x1b", "\\u001b"), "1"), 1)
            self.assertEqual(run("[" * 100_000, "[" * 100_001), 1)
            self.assertEqual(run("[" * 100_000, "[" * 100_000), 0)
            self.assertEqual(run('{"a":' * 900 + "1" + "}" * 900, "{}"), 1)
            with open(at[0], "w", encoding="utf-8") as f:
                f.write("[" * 100_000)
            for first, code in ((at[0], 1), ("/nonexistent/x", 2)):
                command = [sys.executable, os.path.join(HERE, "repeats.py"), first, at[1]]
                done = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual((done.returncode, "Traceback" in done.stderr), (code, False), done.stderr)


if __name__ == "__main__":
    unittest.main()
