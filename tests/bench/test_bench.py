#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the analysis computes, against values from hand or literature, and that it can say no."""

import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import campaign  # noqa: E402
import plot  # noqa: E402
import stats  # noqa: E402

# Freireich et al. 1963: weeks in remission under 6-mercaptopurine, as every textbook of survival has them; False:
# censored. The textbook's curve: 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448.
REMISSION = [(6, True)] * 3 + [(7, True), (10, True), (13, True), (16, True), (22, True), (23, True)]
REMISSION += [(t, False) for t in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)]


class Stats(unittest.TestCase):
    def test_quantile(self):
        self.assertEqual(stats.quantile([4, 1, 3, 2], 0.5), 2.5)
        self.assertEqual(stats.quantile([7], 0.975), 7)
        with self.assertRaises(ValueError):
            stats.quantile([], 0.5)

    def test_bootstrap_covers(self):
        """An interval of 95 % holds the truth about as often as it says (200 samples of 12)."""
        rng, held = random.Random(5), 0
        for i in range(200):
            units = [rng.gauss(100, 15) for _ in range(12)]
            held += stats.contains(stats.bootstrap(units, statistics.fmean, i, draws=400), 100)
        self.assertTrue(172 <= held <= 199, f"{held} of 200")

    def test_mean_covers_with_ten(self):
        """With ten units, from a skewed distribution, as times are."""
        rng, held = random.Random(6), 0
        for i in range(300):
            units = [math.log(rng.lognormvariate(0, 0.3)) for _ in range(10)]
            held += stats.contains(stats.mean(units, i, draws=300), 0)
        self.assertTrue(276 <= held <= 296, f"{held} of 300")

    def test_mean_of_equals(self):
        self.assertEqual(stats.mean([2.0] * 5, 1), (2, 2, 2))

    def test_bootstrap_repeats(self):
        units = [3, 1, 4, 1, 5, 9, 2, 6]
        self.assertEqual(stats.median(units, "x"), stats.median(units, "x"))
        self.assertEqual(stats.median([8], 1), (8, None, None))
        self.assertFalse(stats.contains((8, None, None), 8))

    def test_ratio(self):
        rng = random.Random(1)
        same = [(b, b * math.exp(rng.gauss(0, 0.02))) for b in (100, 120, 90, 400, 30, 100, 110, 95, 105, 99)]
        self.assertTrue(stats.contains(stats.ratio(same, 1), 1))
        more = [(a, 1.3 * b) for a, b in same]
        value, low, high = stats.ratio(more, 1)
        self.assertTrue(1.25 < low < value < high < 1.35, (low, value, high))
        self.assertFalse(stats.contains((value, low, high), 1))
        with self.assertRaises(ValueError):
            stats.ratio([(0, 1), (1, 1)], 1)

    def test_bound(self):
        for n in (30, 1000, 30000):
            self.assertAlmostEqual(stats.bound(0, n) * n, 3, delta=0.15)
        self.assertAlmostEqual(stats.bound(1, 100), 0.04656, places=4)  # tables of Clopper and Pearson, one-sided
        self.assertAlmostEqual(stats.bound(5, 50), 0.1993, places=3)
        self.assertEqual((stats.bound(0, 0), stats.bound(3, 3)), (1.0, 1.0))

    def test_kaplan_meier(self):
        curve = stats.kaplan_meier(REMISSION)
        self.assertEqual([t for t, *_ in curve], [6, 7, 10, 13, 16, 22, 23])
        shares = (0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448)
        for point, share in zip(curve, shares):
            self.assertAlmostEqual(point[3], share, places=3)
            self.assertTrue(point[4] < point[3] < point[5])
        self.assertEqual([n for _, n, *_ in curve], [21, 17, 15, 12, 11, 7, 6])
        self.assertEqual(stats.survival_quantile(curve, 0.5), 23)
        self.assertIsNone(stats.survival_quantile(curve, 0.9))
        left_out = stats.kaplan_meier([p for p in REMISSION if p[1]])
        self.assertEqual(left_out[-1][3], 0, "who is left out, not censored, makes all of them end")

    def test_kaplan_meier_without_censoring_is_the_plain_share(self):
        times = [5, 1, 3, 3, 8]
        for time, _, _, share, *_ in stats.kaplan_meier([(t, True) for t in times]):
            self.assertAlmostEqual(share, sum(t > time for t in times) / 5)


class Given:
    seed, units = 7, 9

    def __init__(self, part):
        self.shard = part


def work(unit):
    """A unit whose result depends on its number and the seed alone."""
    return {"unit": unit, "value": campaign.rng("test", 7, unit).random()}


def run(part):
    return campaign.document("test", Given(part), {"cpus": 1}, [work(u) for u in campaign.mine(9, part)])


class Campaign(unittest.TestCase):
    def test_three_shards_are_one_run(self):
        whole, parts = run((1, 1)), [run((i, 3)) for i in (1, 2, 3)]
        merged = campaign.merge(*parts)
        self.assertEqual(merged["results"], whole["results"])
        self.assertEqual({k: merged[k] for k in campaign.SAME}, {k: whole[k] for k in campaign.SAME})

    def test_laws(self):
        a, b, c = (run((i, 3)) for i in (1, 2, 3))
        merge = campaign.merge
        self.assertEqual(merge(merge(a, b), c), merge(a, merge(b, c)))
        self.assertEqual(merge(a, b), merge(b, a))
        self.assertEqual(merge(a, a), merge(a))
        self.assertEqual(json.loads(json.dumps(merge(a, b))), merge(a, b))

    def test_what_does_not_belong_together(self):
        a, b = run((1, 3)), run((2, 3))
        for key, value in (("seed", 8), ("units", 10), ("setup", {"cpus": 2}), ("campaign", "other"), ("schema", "x")):
            with self.assertRaises(campaign.Unlike):
                campaign.merge(a, {**b, key: value})
        with self.assertRaises(campaign.Unlike):
            campaign.merge(a, {**a, "results": [{**a["results"][0], "value": 2}]})

    def test_the_commit_is_that_of_its_beginning(self):
        """What is committed while a campaign runs was not run; nor is it the commit of the folder where one stands."""
        program = """
import argparse, campaign, subprocess
class Given: seed, units, shard = 1, 1, (1, 1)
campaign.options(argparse.ArgumentParser(), 1)
subprocess.run(["git", "-C", campaign.HERE, *"commit -q --allow-empty -m later".split()], check=True)
print(campaign.document("x", Given, {}, [])["runs"][0]["commit"])
"""
        with tempfile.TemporaryDirectory() as directory:
            name = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
            environment = {**os.environ, **name, "PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1"}

            def git(*words):
                command = ["git", "-C", directory, *words]
                return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

            for file in ("campaign.py", "shape.py"):
                shutil.copy(os.path.join(campaign.HERE, file), directory)
            git("init", "-q")
            git("add", ".")
            git("commit", "-q", "-m", "first")
            first = git("rev-parse", "--short=12", "HEAD").strip()
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), first)

    def test_shards(self):
        self.assertEqual(campaign.shard("2/3"), (2, 3))
        for wrong in ("0/3", "4/3", "1", "a/b", "1/0", "-1/3"):
            with self.assertRaises(Exception):
                campaign.shard(wrong)


class Plot(unittest.TestCase):
    def test_svg(self):
        rows = [("a<b", 1e3, 9e2, 2e3), ("one boot", 5e6, None, None), ("nothing", None, None, None)]
        drawn = plot.intervals("title", "instructions", rows)
        self.assertIn("a&lt;b", drawn)
        self.assertEqual(drawn, plot.intervals("title", "instructions", rows))
        import xml.dom.minidom

        xml.dom.minidom.parseString(drawn)
        xml.dom.minidom.parseString(plot.survival("t", "ns", [("x", stats.kaplan_meier(REMISSION), 35)]))


if __name__ == "__main__":
    unittest.main()
