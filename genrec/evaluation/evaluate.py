"""`genrec eval`: a model and others under one protocol, on the same users."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.data.catalogue import Catalogue
from genrec.data.dataset import load_dataset
from genrec.data.split import Split
from genrec.data.tables import Sequences, read_sequences
from genrec.errors import GenRecError
from genrec.evaluation.followers import transitions_ranker
from genrec.evaluation.memory import remember
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import Ranker, make_cases, rank_targets
from genrec.evaluation.rankers import PopularityRanker, ScorerRanker
from genrec.files import read_json
from genrec.folders import BUNDLE, RUN, require_kind
from genrec.histories import check_extends
from genrec.ids import MANIFEST_FILE, RUN_FILE
from genrec.placement import Placement
from genrec.progress import SILENT, Reporter
from genrec.scoring import BATCH_USERS

POPULARITY, TRANSITIONS = "popularity", "transitions"
REFERENCES = (POPULARITY, TRANSITIONS)
"""Models that need no training and no folder."""

DEFAULT_KS = (1, 5, 10)


@dataclass(frozen=True)
class Contestant:
    """A model under evaluation; its ranker is made when its turn comes."""

    name: str
    indexing: str | None
    make_ranker: Callable[[], Ranker]


def evaluate(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: Split = "test",
    k: Sequence[int] = DEFAULT_KS,
    beams: int = 20,
    exclude_seen: bool = False,
    users: int | None = None,
    against: Sequence[str | Path] = (),
    device: str = "auto",
    provider: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Measure a run or a bundle by leave-one-out over all items.

    Args:
        model: Run or bundle.
        data: Dataset to evaluate on; by default the sequences that the model carries.
        split: "test" or "valid".
        k: Cut-offs of the metrics.
        beams: Beams of the search on runs (a bundle has its own); at least the largest cut-off is used.
        exclude_seen: Whether items of the history are no candidates.
        users: Evaluate a seeded sample of so many users; None takes all.
        against: Further runs, bundles, "popularity" or "transitions", ranked on the same users.
        device: Where to compute: auto, cpu or cuda.
        provider: What runs bundles: auto, tensorrt, cuda or cpu.
        threads: Threads of bundles on the CPU; by default the cores that this process may use.
        seed: Of the sample.
        reporter: Receives progress.

    Returns:
        {"split", "users", "protocol", "metrics", "intervals", "against": [...], "seconds"}.

    Raises:
        GenRecError: A model or the data is missing, damaged, or they do not fit together.
    """
    started = time.perf_counter()
    ks = _check_cutoffs(k)
    placement = Placement(device, provider, threads)
    _check_placement(placement, [model, *against])
    sequences, item_count = _sequences(Path(model), data)
    cases = make_cases(sequences, split, users, seed)
    width = max(ks)
    contestants = [_contestant(name, sequences, item_count, width, beams, placement) for name in (model, *against)]
    results = []
    for contestant in contestants:
        ranker = contestant.make_ranker()
        scorer = ranker.scorer if isinstance(ranker, ScorerRanker) else None
        if scorer is not None and scorer.trouble:
            reporter.warn(scorer.trouble)
        together = scorer.batch_users if scorer else BATCH_USERS
        ranks = rank_targets(ranker, cases, exclude_seen, reporter, contestant.name, together)
        metrics, intervals = summarise(ranks, ks)
        results.append(
            {
                "model": contestant.name,
                "indexing": contestant.indexing,
                "metrics": metrics,
                "intervals": intervals,
                "provider": scorer.provider if scorer is not None else None,
            }
        )
    own, *others = results
    sampled = bool(users) and len(cases) < len(make_cases(sequences, split))
    result = {
        **own,
        "split": split,
        "users": len(cases),
        "protocol": {
            "split": "leave-one-out",
            "candidates": "all items but those of the history" if exclude_seen else "all items",
            "exclude_seen": exclude_seen,
            "items": item_count,
            "beams": max(beams, width),
            "sampled_users": sampled,
            "seed": seed,
            "targets_in_history": cases.seen_share(),
            "leaky": any(result["indexing"] == "leaky-sequential" for result in results),
        },
        "against": others,
        "seconds": time.perf_counter() - started,
    }
    if data is None and not sampled and (Path(model) / RUN_FILE).is_file():
        remember(Path(model), result)
    return result


def _check_cutoffs(k: Sequence[int]) -> tuple[int, ...]:
    if not k or min(k) < 1:
        raise GenRecError(f"k = {list(k)} is wrong: give whole numbers from 1 on, such as 1,5,10")
    return tuple(sorted(set(k)))


def _check_placement(placement: Placement, models: Sequence[str | Path]) -> None:
    """Refuse settings of bundles where there is none."""
    placement.check()
    if not any((Path(name) / MANIFEST_FILE).is_file() for name in models):
        placement.check_run(Path(models[0]))


def _sequences(model: Path, data: str | Path | None) -> tuple[Sequences, int]:
    """The sequences to evaluate on and the number of items of the model's catalogue."""
    kind = require_kind(model, RUN, BUNDLE)
    catalogue = Catalogue(model)
    if data is not None:
        info = read_json(model / (MANIFEST_FILE if kind == BUNDLE else RUN_FILE))
        users = info.get("user_count", catalogue.user_count)
        check_extends(data, model, info, (users, catalogue.item_count))
        dataset = load_dataset(data, verify=False)  # its files were compared with their checksums just now
        return dataset.sequences, dataset.item_count
    if kind == BUNDLE and not catalogue.has_histories:
        raise GenRecError(f"{model} was exported without histories; give the dataset with --data")
    return read_sequences(model), catalogue.item_count


def _contestant(
    name: str | Path, sequences: Sequences, item_count: int, k: int, beams: int, placement: Placement
) -> Contestant:
    if str(name) == POPULARITY:
        return Contestant(POPULARITY, None, lambda: PopularityRanker(sequences, item_count, k))
    if str(name) == TRANSITIONS:
        return Contestant(TRANSITIONS, None, lambda: transitions_ranker(sequences, item_count, k))
    path = Path(name)
    if not path.exists():
        raise GenRecError(f"{path} does not exist; give a run, a bundle or one of: {', '.join(REFERENCES)}")
    if require_kind(path, RUN, BUNDLE) == BUNDLE:
        indexing = read_json(path / MANIFEST_FILE).get("indexing")
        return Contestant(str(path), indexing, lambda: _bundle_ranker(path, k, placement))
    indexing = read_json(path / RUN_FILE).get("config", {}).get("indexing")
    return Contestant(str(path), indexing, lambda: _run_ranker(path, k, beams, placement.device))


def _run_ranker(path: Path, k: int, beams: int, device: str) -> Ranker:
    from genrec.device import choose_device
    from genrec.trained import open_run

    return ScorerRanker(open_run(path, choose_device(device), beams).scorer, k)


def _bundle_ranker(path: Path, k: int, placement: Placement) -> Ranker:
    from genrec.runtime.providers import TENSORRT
    from genrec.runtime.recommender import Recommender

    recommender = Recommender(path, *placement)
    if recommender.provider == TENSORRT:  # elsewhere the first batch, which is the largest, warms up for the rest
        recommender.warm_up((1, BATCH_USERS))
    return ScorerRanker(recommender, k)
