"""What a score on a dataset is worth, in words."""

import math
from typing import Any, Final

from genrec.inspection.audit import LAST_FIVE_VALID, NUMBERING, NUMBERS, POPULARITY, REPEAT

_MANY: Final = 0.05
"""A share of ties or of repeats from which on it is worth a sentence."""
_SIGMAS: Final = 4
"""How far from one half the order of IDs must be to mean something, in standard errors."""
_LEAST_USERS: Final = 50
"""Users from which on a share is worth a sentence."""
_CHANCES: Final = 3
"""How many times better than chance the numbering rule must be to mean something."""


def verdict(result: dict[str, Any]) -> list[str]:
    """Sentences on an inspected dataset; see `genrec.inspection.inspect.inspect` for what it reads."""
    audit = result["audit"]
    if audit is None:
        return [
            "Nobody has a test item (that takes two interactions), so no score can be measured on this dataset."
        ]
    rules = {rule["rule"]: rule for rule in audit["rules"]}
    found = [
        _worth(rules, result["items"]),
        _numbering(rules, result["items"]),
        _repeats(rules, audit),
        _ties(result),
        _order(audit["id_order"]),
        _precision(audit["users"]),
    ]
    return [sentence for sentence in found if sentence]


def _worth(rules: dict[str, Any], items: int) -> str:
    """The bar that a model has to clear."""
    chance = min(1.0, 10 / items)
    bars = []
    for column in ("kept", "excluded"):
        # A numbering is no knowledge of users; validation items are no training data.
        fair = [
            rule for rule in rules.values() if rule["rule"] not in (NUMBERING, LAST_FIVE_VALID) and rule[column]
        ]
        best = max(fair, key=lambda rule: rule[column]["NDCG@10"])
        scores = f"HR@10 {best[column]['HR@10']:.4f}, NDCG@10 {best[column]['NDCG@10']:.4f}"
        bars.append(f"{scores} with seen items {column} ({best['rule']})")
    return (
        f"Without any model a rule reaches {' and '.join(bars)}; chance is HR@10 {chance:.4f}. "
        "Only what a model adds to that is worth its training."
    )


def _numbering(rules: dict[str, Any], items: int) -> str | None:
    rule = rules[NUMBERING]
    if rule["kept"] is None:
        return f"The numbering rule does not apply: {rule['skipped']}."
    metric = f"HR@{NUMBERS}"
    score, low = rule["kept"][metric], rule["intervals"][metric][0]
    popular = rules[POPULARITY]["kept"][metric]
    chance = min(1.0, NUMBERS / items)
    figures = f'"{NUMBERING}" has {metric} {score:.4f}, popularity {popular:.4f}, chance {chance:.4f}'
    if low > max(popular, chance):
        return (
            f"The numbering leaks: {figures}. The numbers were given in the order of whole sequences, test items "
            "included, so item tokens made of them hold part of the answer: discount scores that were measured so "
            "(genrec shuffles the numbers, but for indexing=leaky-sequential)."
        )
    if low > _CHANCES * chance:
        return (
            f"The numbering tells something of what comes next: {figures}. Make no item tokens of these numbers."
        )
    return f"The numbering gives nothing away: {figures}."


def _repeats(rules: dict[str, Any], audit: dict[str, Any]) -> str:
    share = audit["targets_in_history"]
    if share == 0:
        return (
            "No test item is in its user's history: excluding seen items makes every score better, so say which."
        )
    text = f"{share:.1%} of the test items are in their user's history already"
    if share < _MANY:
        return f"{text}: with seen items excluded these count as misses."
    hits = rules[REPEAT]["kept"]["HR@1"]
    return (
        f"{text}, and repeating the last item alone has HR@1 {hits:.4f}: scores with seen items kept measure how "
        "well repeats are remembered, scores with seen items excluded what is new. Give both."
    )


def _ties(result: dict[str, Any]) -> str | None:
    share = result["tie_share"]
    if share is None:
        return "There are no times: the order of the source is taken on trust."
    if share < _MANY:
        return None
    rule = str((result["ties"] or {}).get("rule"))
    by = {
        "item": "by item ID, which a model can learn without learning anything of the users",
        "shuffle": "by chance, which no model can learn",
    }.get(rule, "by the rows of the source; where these were sorted, genrec prepare --ties shuffle is safer")
    return f"{share:.1%} of the interactions share user and time with another, and are ordered {by}."


def _order(order: dict[str, Any]) -> str | None:
    """The order of IDs, among ties where there are enough of them."""
    tied = order["tied_users"] >= _LEAST_USERS
    share, users = (order["tied_share"], order["tied_users"]) if tied else (order["share"], order["users"])
    if users < _LEAST_USERS or abs(share - 0.5) < max(_MANY, _SIGMAS / (2 * math.sqrt(users))):
        return None
    side, shown = ("after", share) if share > 0.5 else ("before", 1 - share)
    where = " whose last two interactions share their time" if tied else ""
    return (
        f"The test item's ID sorts {side} the one before it for {shown:.0%} of the {users:,} users{where} (half "
        "would be chance): the IDs tell part of the order, so a model that can read them has an advantage."
    )


def _precision(users: int) -> str:
    """How exact a share measured on so many users can be."""
    spread = 1.96 * math.sqrt(0.05 * 0.95 / users)
    return f"With {users:,} test users a HR@10 near 0.05 is known to ±{spread:.4f}: smaller differences are noise."
