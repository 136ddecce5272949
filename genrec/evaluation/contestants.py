"""Who takes part in an evaluation: runs, bundles, and references that need no training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from genrec.data.catalogue import Catalogue
from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from genrec.evaluation.followers import transitions_ranker
from genrec.evaluation.protocol import Ranker
from genrec.evaluation.rankers import PopularityRanker, ScorerRanker
from genrec.files import read_json
from genrec.folders import BUNDLE, RUN, Alone, mixed_share, require_kind
from genrec.ids import MANIFEST_FILE, RUN_FILE
from genrec.placement import Placement

POPULARITY, TRANSITIONS = "popularity", "transitions"
REFERENCES = (POPULARITY, TRANSITIONS)
"""Models that need no training and no folder."""

ALONE: Final[Mapping[Alone, str]] = {"model": ", model alone", "decoder": ", decoder alone"}
"""Follows a run's name where a part of its mixture is taken."""


@dataclass(frozen=True)
class Contestant:
    """A model under evaluation; its ranker is made when its turn comes."""

    name: str
    indexing: str | None
    make_ranker: Callable[[], Ranker]


def make_contestant(
    name: str | Path, sequences: Sequences, item_count: int, k: int, beams: int, placement: Placement
) -> Contestant:
    """Find out what a name stands for.

    Args:
        name: Folder of a run or a bundle, or one of `REFERENCES`.
        sequences: Whole sequences of those evaluated; references look at the training part.
        item_count: Number of their items, I.
        k: Length of the lists.
        beams: Of a run's search.
        placement: Where to compute.

    Raises:
        GenRecError: It stands for nothing, or for a model of more items.
    """
    if str(name) == POPULARITY:
        return Contestant(POPULARITY, None, lambda: PopularityRanker(sequences, item_count, k))
    if str(name) == TRANSITIONS:
        return Contestant(TRANSITIONS, None, lambda: transitions_ranker(sequences, item_count, k))
    path = Path(name)
    if not path.exists():
        raise GenRecError(f"{path} does not exist; give a run, a bundle or one of: {', '.join(REFERENCES)}")
    kind = require_kind(path, RUN, BUNDLE)
    if Catalogue(path).item_count > item_count:
        raise GenRecError(
            f"{path} knows {Catalogue(path).item_count} items, but those evaluated have {item_count}; "
            "compare models of one dataset"
        )
    if kind == BUNDLE:
        indexing = read_json(path / MANIFEST_FILE).get("indexing")
        return Contestant(str(path), indexing, lambda: _bundle_ranker(path, k, placement))
    indexing = read_json(path / RUN_FILE).get("config", {}).get("indexing")
    return Contestant(str(path), indexing, lambda: _run_ranker(path, k, beams, placement.device))


def models_alone(names: Sequence[str | Path], k: int, beams: int, placement: Placement) -> list[Contestant]:
    """The parts of those runs that rank by a mixture; arguments as in `make_contestant`."""
    paths = [Path(name) for name in names if str(name) not in REFERENCES and (Path(name) / RUN_FILE).is_file()]
    parts = [(path, alone) for path in paths for alone in parts_of(path)]
    return [make_part(path, alone, k, beams, placement) for path, alone in parts]


def make_part(path: Path, alone: Alone, k: int, beams: int, placement: Placement) -> Contestant:
    """A part of a run's mixture; other arguments as in `make_contestant`."""
    indexing = read_json(path / RUN_FILE)["config"]["indexing"]
    return Contestant(
        f"{path}{ALONE[alone]}", indexing, partial(_run_ranker, path, k, beams, placement.device, alone)
    )


def parts_of(path: Path) -> list[Alone]:
    """The parts of a run's mixture that can rank alone."""
    info, parts = read_json(path / RUN_FILE), list[Alone]()
    if mixed_share(info, "prior"):
        parts.append("model")
    if mixed_share(info, "item_head"):
        parts.append("decoder")
    return parts


def check_placement(placement: Placement, models: Sequence[str | Path]) -> None:
    """Refuse settings of bundles where there is none.

    Raises:
        GenRecError: The settings make no sense for these models.
    """
    placement.check()
    if not any((Path(name) / MANIFEST_FILE).is_file() for name in models):
        placement.check_run(Path(models[0]))


def _run_ranker(path: Path, k: int, beams: int, device: str, alone: Alone | None = None) -> Ranker:
    from genrec.device import choose_device
    from genrec.trained import open_run

    return ScorerRanker(open_run(path, choose_device(device), beams, alone).scorer, k)


def _bundle_ranker(path: Path, k: int, placement: Placement) -> Ranker:
    from genrec.runtime.providers import TENSORRT
    from genrec.runtime.recommender import Recommender

    recommender = Recommender(path, *placement)
    if recommender.provider == TENSORRT:  # elsewhere the first batch, which is the largest, warms up for the rest
        recommender.warm_up((1, recommender.batch_users))
    return ScorerRanker(recommender, k)
