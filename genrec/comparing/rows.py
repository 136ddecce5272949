"""Rows of the table: metrics over the seeds, which are best, and how far each is from the best."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from genrec.baselines.settings import P5
from genrec.comparing.published import Published
from genrec.comparing.subjects import Subject
from genrec.evaluation.bootstrap import compare_means
from genrec.evaluation.metrics import Interval, Ranks, mean_interval, metric_values, summarise

KS: Final = (1, 5, 10)
"""Cut-offs of the metrics."""

CHIEF: Final = "NDCG@10"
"""The metric by which one model is the best of all, as it is the one that chooses epochs."""

Seeds = Sequence[Ranks]
"""A model's ranks, one array per seed."""


def make_rows(
    subjects: Sequence[Subject], ranks: Sequence[Seeds], exclude_seen: bool, published: Published | None
) -> list[dict[str, Any]]:
    """A row per model under one set of rules.

    Args:
        subjects: The models.
        ranks: Of each, per seed the rank of each user's target.
        exclude_seen: Whether seen items were no candidates.
        published: The paper's values, if the dataset is one of its own.

    Returns:
        Per model {"model", "exclude_seen", "metrics", "intervals", "spread", "best": metrics of which it has the
        best value, "second", "difference": its CHIEF minus that of the best by it (None for that one),
        "published", and the subject's facts}. A part of a model's mixture is neither best nor second.
    """
    rows = [_row(subject, seeds, exclude_seen) for subject, seeds in zip(subjects, ranks, strict=True)]
    whole = [place for place, subject in enumerate(subjects) if not subject.part]
    for metric in rows[0]["metrics"]:
        values = sorted({rows[place]["metrics"][metric] for place in whole}, reverse=True)
        for mark, value in zip(("best", "second"), values if len(rows) > 1 else (), strict=False):
            for place in whole:
                rows[place][mark] += [metric] if rows[place]["metrics"][metric] == value else []
    first = max(whole, key=lambda place: rows[place]["metrics"][CHIEF])
    for place, row in enumerate(rows):
        if place != first:
            found = compare_means(ranks[place], ranks[first], KS)[CHIEF]
            row["difference"] = {"from": rows[first]["model"], "metric": CHIEF, **found}
        if published is not None:
            row["published"] = published.of(_printed(row), row["indexing"], exclude_seen)
    return rows


def _printed(row: dict[str, Any]) -> str:
    """What the paper's table has of a row's model; of P5 two sizes, but none as narrow as ours is by default."""
    settings = row["settings"] or {}
    if row["model"] != P5:
        return str(row["model"])
    if weights := settings.get("weights"):
        return "p5 base" if "t5-base" in weights else "p5 small"
    return f"p5 {settings.get('shape')}"


def _row(subject: Subject, seeds: Seeds, exclude_seen: bool) -> dict[str, Any]:
    metrics, intervals, spread = summarise_seeds(seeds)
    return {
        "model": subject.model,
        "exclude_seen": exclude_seen,
        "metrics": metrics,
        "intervals": intervals,
        "spread": spread,
        "best": [],
        "second": [],
        "difference": None,
        "published": None,
        **subject.facts,
    }


def summarise_seeds(seeds: Seeds) -> tuple[dict[str, float], dict[str, Interval], dict[str, float] | None]:
    """Metrics as the mean over the seeds, 95 % intervals over users, and the standard deviation over seeds.

    A user's value is the mean over the seeds; the interval says how far another sample of users might lie, the
    standard deviation how far another seed.
    """
    each = [summarise(ranks, KS) for ranks in seeds]
    if len(seeds) == 1:
        return *each[0], None
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for name in each[0][0]:
        values = np.mean([metric_values(name, ranks) for ranks in seeds], axis=0)
        metrics[name], intervals[name] = float(values.mean()), mean_interval(values)
    spread = {name: float(np.std([found[name] for found, _ in each], ddof=1)) for name in metrics}
    return metrics, intervals, spread
