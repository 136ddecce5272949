"""Rules of the next item.

* last: the last item tells the next;
* last two: only the last two together tell it, as in a Latin square, where neither alone tells anything;
* set: three items in any order tell it, and orders that training never showed are asked for;
* attribute: an attribute of the last item tells it, for items that training showed, but not what follows them.
"""

from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np


class Grammar(NamedTuple):
    """What is learned and what is asked; items are numbered in an order that says nothing."""

    items: int
    rows: list[list[int]]
    histories: list[list[int]]
    targets: list[int]
    attributes: list[int]
    """The attribute of each item, from 1."""


def shuffled(items, rows, questions, attributes=None):
    number = np.concatenate([[0], np.random.default_rng(5).permutation(items) + 1])
    told = [[int(number[item]) for item in row] for row in rows]
    asked = [[int(number[item]) for item in row] for row in questions]
    own = np.ones(items, int)
    own[number[1:] - 1] = 1 if attributes is None else attributes
    return Grammar(items, told, [row[:-1] for row in asked], [row[-1] for row in asked], own.tolist())


def last():
    rows = [[(start + step) % 20 + 1 for step in range(4)] for start in range(20)]
    return shuffled(20, rows, rows)


def last_two():
    count = 7
    rows = [[a, b] for a in range(count) for b in range(count)]
    for row in rows:
        row += [(row[0] + row[1] + 1) % count]
        row += [(row[1] + row[2] + 1) % count]
    rows = [[item + 1 for item in row] for row in rows]
    return shuffled(count, rows, [row[:3] for row in rows] + rows)


def a_set():
    answers = {chosen: 7 + number for number, chosen in enumerate(combinations(range(1, 7), 3))}
    rows = [[*order, answers[tuple(sorted(order))]] for order in permutations(range(1, 7), 3)]
    rng = np.random.default_rng(0)
    asked = set(rng.permutation(len(rows))[:24].tolist())
    return shuffled(
        26,
        [row for number, row in enumerate(rows) if number not in asked],
        [row for number, row in enumerate(rows) if number in asked],
    )


def attribute():
    groups, each, unasked = 6, 12, 10
    attributes = [1] * groups + [2 + group for group in range(groups) for _ in range(each)]
    rng = np.random.default_rng(0)
    rows, questions = [], []
    for group in range(groups):
        members = [groups + 1 + group * each + number for number in range(each)]
        rows += [[member, group + 1] for member in members[:unasked]]
        rows += [[int(rng.integers(1, groups + 1)), member] for member in members[unasked:] for _ in range(3)]
        questions += [[member, group + 1] for member in members[unasked:]]
    return shuffled(groups * (each + 1), rows, questions, attributes)


GRAMMARS = {"last": last, "last two": last_two, "set": a_set, "attribute": attribute}
