# SPDX-License-Identifier: Apache-2.0
"""The statistics of the comparisons, by the standard library alone: what one boot says of an arm is one number (the
median of its rounds), boots are drawn again with replacement for intervals, arms are compared boot by boot, and what
did not end is censored, not left out. Deterministic: each interval has a seed of its own."""

import math
import random
import statistics

DRAWS = 2000
LEVEL = 0.95
FEWEST = 5  # units of which a mean has an interval


def quantile(values, q):
    """By linear interpolation between order statistics (type 7)."""
    if not values:
        raise ValueError("a quantile of nothing")
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def bootstrap(units, statistic, seed, draws=None, level=LEVEL):
    """The statistic of all units, and its percentile interval when units are drawn with replacement: (value, low,
    high). With one unit there is no interval: (value, None, None)."""
    value = statistic(units)
    if len(units) < 2:
        return value, None, None
    rng = random.Random(f"bootstrap:{seed}")
    drawn = []
    for _ in range(draws or DRAWS):
        drawn.append(statistic(rng.choices(units, k=len(units))))
    return value, quantile(drawn, (1 - level) / 2), quantile(drawn, (1 + level) / 2)


def median(units, seed):
    """The median of one number per boot, with its interval."""
    return bootstrap(units, statistics.median, seed)


def centre(units):
    """The mean and its standard error. The library's own are exact, and too slow for thousands of draws."""
    n = len(units)
    middle = math.fsum(units) / n
    return middle, math.sqrt(math.fsum((u - middle) ** 2 for u in units) / max(1, n - 1) / n)


def mean(units, seed, level=LEVEL, draws=None):
    """The mean with its studentised interval (bootstrap-t): with ten units, percentiles are too narrow."""
    value, step = centre(units)
    if len(units) < FEWEST:
        return value, None, None
    rng, drawn = random.Random(f"mean:{seed}"), []
    for _ in range(draws or DRAWS):
        middle, spread = centre(rng.choices(units, k=len(units)))
        if spread:
            drawn.append((middle - value) / spread)
    if not drawn:  # all units are the same
        return value, value, value
    return value, value - step * quantile(drawn, (1 + level) / 2), value - step * quantile(drawn, (1 - level) / 2)


def ratio(pairs, seed, level=LEVEL):
    """How much larger b is than a: the geometric mean of b/a over boots [(a, b)], with its interval. Both must be
    positive: a ratio to nothing is none."""
    if any(a <= 0 or b <= 0 for a, b in pairs):
        raise ValueError("a ratio of what is not positive")
    value, low, high = mean([math.log(b / a) for a, b in pairs], seed, level)
    return tuple(None if v is None else math.exp(max(-700, min(700, v))) for v in (value, low, high))


def difference(pairs, seed):
    """By how much b is more than a: the median over boots of b - a, with its interval."""
    return bootstrap([b - a for a, b in pairs], statistics.median, seed)


def contains(interval, value):
    """Does (value, low, high) hold this number? An interval that could not be had holds nothing."""
    _, low, high = interval
    return low is not None and low <= value <= high


def bound(events, trials, level=LEVEL):
    """The upper bound of a rate of which so many events were seen in so many independent trials, by Clopper and
    Pearson. For no event at all this is the exact form of the rule of three (3/n)."""
    if trials <= 0 or events >= trials:
        return 1.0
    if events == 0:
        return 1 - (1 - level) ** (1 / trials)
    low, high = events / trials, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        if binomial_tail(events, trials, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def binomial_tail(events, trials, p):
    """The chance of so many events or fewer."""
    total = 0.0
    for k in range(events + 1):
        log = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        total += math.exp(log + k * math.log(p) + (trials - k) * math.log1p(-p)) if 0 < p < 1 else float(p == 0)
    return total


def kaplan_meier(observed):
    """The share that still lasts, of [(time, ended)]: ended False says that it was watched so long and had not ended.
    [(time, at risk, ended then, share, low, high)] for each time at which something ended; the interval is
    Greenwood's, on the log-log scale."""
    at_risk, share, spread, curve = len(observed), 1.0, 0.0, []
    for time in sorted({t for t, _ in observed}):
        ends = sum(1 for t, ended in observed if t == time and ended)
        if ends:
            share *= 1 - ends / at_risk
            spread += ends / (at_risk * (at_risk - ends)) if at_risk > ends else math.inf
            curve.append((time, at_risk, ends, share, *greenwood(share, spread)))
        at_risk -= sum(1 for t, _ in observed if t == time)
    return curve


def greenwood(share, spread):
    if share <= 0 or share >= 1 or math.isinf(spread):
        return share, share
    z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)
    width = z * math.sqrt(spread) / abs(math.log(share))
    return share ** math.exp(width), share ** math.exp(-width)


def survival_quantile(curve, q):
    """The time by which a share q has ended; None if the curve does not come so far (it is censored)."""
    for time, _, _, share, *_ in curve:
        if share <= 1 - q + 1e-12:
            return time
    return None
