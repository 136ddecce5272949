"""What the terminal and the page say alike of an inspected dataset."""

from typing import Any

from genrec.inspection.audit import CUTOFFS


def facts(result: dict[str, Any]) -> dict[str, str]:
    """The counts as {name: text}, for people."""
    lengths, popularity, times = result["lengths"], result["popularity"], result["times"]
    ties = "no times" if result["tie_share"] is None else f"{result['tie_share']:.2%}"
    return {
        "users": f"{result['users']:,}",
        "items": f"{result['items']:,}",
        "interactions": f"{result['interactions']:,}",
        "sparsity": f"{result['sparsity']:.4%} of the pairs of user and item are empty",
        "interactions per user": _spread(lengths),
        "interactions per item": _spread(popularity),
        "the top tenth of the items": f"{result['top_item_share']:.1%} of the interactions",
        "share user and time": ties,
        "repeat an earlier item": f"{result['repeat_share']:.2%}",
        "times": f"{times['first']} to {times['last']}" if times else "none: the order of the source counts",
    }


def _spread(values: dict[str, Any]) -> str:
    return (
        f"{values['min']:,} to {values['max']:,}, median {values['median']:,.0f}, mean {values['mean']:,.2f}, "
        f"90 % have at most {values['p90']:,.0f}"
    )


def bar_label(bar: dict[str, int]) -> str:
    """What stands beside a bar.

    >>> bar_label({"from": 10, "to": 14, "count": 3}), bar_label({"from": 5, "to": 5, "count": 3})
    ('10-14', '5')
    """
    return f"{bar['from']:,}" if bar["from"] == bar["to"] else f"{bar['from']:,}-{bar['to']:,}"


def metric_names() -> list[str]:
    """The metrics that the audit's tables show."""
    return [f"HR@{CUTOFFS[1]}", f"HR@{CUTOFFS[2]}", f"NDCG@{CUTOFFS[2]}"]
