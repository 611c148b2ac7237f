# SPDX-License-Identifier: GPL-3.0-or-later
"""Two answers to each question, one plain and one with a method: what the difference is and how sure."""
import math

import numpy as np


def mcnemar(plain, method):
    """Two-sided exact p of as uneven a split among the questions on which both differ (McNemar 1947, binomial form)."""
    won = sum(1 for a, b in zip(plain, method) if b and not a)
    lost = sum(1 for a, b in zip(plain, method) if a and not b)
    n = won + lost
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(won, lost) + 1)) / 2 ** n
    return min(1.0, 2 * tail)


def signs(plain, method):
    """The same for numbers: in how many questions the method's is the larger one; ties count for neither."""
    return mcnemar([a > b for a, b in zip(plain, method)], [b > a for a, b in zip(plain, method)])


def difference(plain, method):
    """Mean of method - plain and its 95 % interval, by the spread of the pairs' own differences."""
    d = np.array(method, float) - np.array(plain, float)
    half = 1.96 * d.std(ddof=1) / math.sqrt(len(d)) if len(d) > 1 else math.inf
    return float(d.mean()), float(d.mean() - half), float(d.mean() + half)


def verdict(plain, method, p):
    mean, low, high = difference(plain, method)
    if p < 0.05 and low > 0:
        return "raises"
    if p < 0.05 and high < 0:
        return "**lowers**"
    return "no effect shown"


def table(rows):
    """{(method, what): (plain values, method's values)} -> Markdown lines."""
    lines = ["| method | what is counted | plain | with it | difference | 95 % interval | p | N | |", "|---|---|---|---|---|---|---|---|---|"]
    for (name, what), (plain, method) in rows.items():
        truths = all(isinstance(v, (bool, np.bool_)) for v in [*plain, *method])
        p = mcnemar(plain, method) if truths else signs(plain, method)
        mean, low, high = difference(plain, method)
        a, b = float(np.mean(plain)), float(np.mean(method))
        lines.append(f"| {name} | {what} | {a:.2f} | {b:.2f} | {mean:+.2f} | {low:+.2f} to {high:+.2f} | {p:.3f} | {len(plain)} | {verdict(plain, method, p)} |")
    return lines
