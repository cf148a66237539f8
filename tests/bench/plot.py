# SPDX-License-Identifier: Apache-2.0
"""Plain SVG by hand: intervals on a logarithmic axis, and steps of survival curves. No styles beyond what each file
holds, and the same input gives the same bytes."""

import math
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, TOP, FOOT = 760, 26, 170, 40, 46
INK, SOFT, MARK = "#222", "#bbb", "#1a6e3c"
COLOURS = ("#1a6e3c", "#b3541e", "#2457a5", "#8a1e7a", "#777700", "#444444", "#c2185b", "#0e8f9c", "#6a4fb3", "#8d5b3f")


def text(x, y, words, anchor="start", size=13, colour=INK):
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"


def line(x1, y1, x2, y2, colour=INK, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def page(height, title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" role="img"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    )
    return "\n".join([head, text(12, 22, title, size=15), *parts, "</svg>", ""])


def short(value):
    """1200 -> 1.2k"""
    for limit, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{word}"
    return f"{value:.3g}"


class Log:
    """A logarithmic axis over whole decades."""

    def __init__(self, values):
        positive = [v for v in values if v > 0] or [1, 10]
        self.low = math.floor(math.log10(min(positive)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(positive))))

    def x(self, value):
        share = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - 40)

    def grid(self, top, bottom):
        parts = []
        for power in range(self.low, self.high + 1):
            x = self.x(10**power)
            parts += [line(x, top, x, bottom, SOFT, 0.6), text(x, bottom + 16, short(10**power), "middle", 11)]
        return parts


def intervals(title, unit, rows):
    """One row for each (name, value, low, high): a dot and its interval; value None: it is 0, which has no place on
    this axis; low None: no interval."""
    axis = Log([v for row in rows for v in row[1:] if v is not None])
    bottom = TOP + ROW * len(rows)
    parts = axis.grid(TOP, bottom)
    for i, (name, value, low, high) in enumerate(rows):
        y = TOP + ROW * (i + 0.5)
        parts.append(text(LEFT - 10, y + 4, name, "end"))
        if value is None:
            parts.append(text(LEFT + 6, y + 4, "0", colour=INK))
            continue
        if low is not None:
            parts.append(line(axis.x(low), y, axis.x(high), y, MARK, 2.5))
        parts.append(f'<circle cx="{axis.x(value):.1f}" cy="{y:.1f}" r="4" fill="{MARK}"/>')
        parts.append(text(min(axis.x(value if high is None else high) + 8, WIDTH - 40), y + 4, short(value), size=11))
    parts.append(text((LEFT + WIDTH) / 2, bottom + 34, unit, "middle", 12))
    return page(bottom + FOOT, title, parts)


def survival(title, unit, curves):
    """Steps of (name, curve of stats.kaplan_meier(), last time watched)."""
    height, axis = 320, Log([p[0] for _, curve, _ in curves for p in curve] + [last for _, _, last in curves])
    bottom = height - FOOT

    def y(share):
        return bottom - share * (bottom - TOP)

    parts = axis.grid(TOP, bottom)
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(line(LEFT, y(share), WIDTH - 40, y(share), SOFT, 0.6))
        parts.append(text(LEFT - 8, y(share) + 4, f"{share:g}", "end", 11))
    for i, (name, curve, last) in enumerate(curves):
        colour, share, points = COLOURS[i % len(COLOURS)], 1.0, [(LEFT, y(1.0))]
        for time, _, _, after, *_ in curve:
            points += [(axis.x(time), y(share)), (axis.x(time), y(after))]
            share = after
        points.append((axis.x(last), y(share)))
        way = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(12, TOP + 18 + 20 * i, name, colour=colour))
        if share > 0:  # watched so long, and not ended
            parts.append(line(axis.x(last), y(share) - 5, axis.x(last), y(share) + 5, colour, 2))
    parts.append(text((LEFT + WIDTH) / 2, bottom + 34, unit, "middle", 12))
    return page(height, title, parts)
