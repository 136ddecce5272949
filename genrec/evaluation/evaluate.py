"""`genrec eval`: a model and others under one protocol, on the same users."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.catalogue import Catalogue
from genrec.data.dataset import load_dataset
from genrec.data.split import Split
from genrec.data.tables import Sequences, read_sequences
from genrec.errors import GenRecError
from genrec.evaluation.bootstrap import compare
from genrec.evaluation.conditions import Conditions
from genrec.evaluation.contestants import REFERENCES, check_placement, make_contestant, models_alone
from genrec.evaluation.measure import measure
from genrec.evaluation.memory import remember
from genrec.evaluation.per_user import write_per_user
from genrec.evaluation.popularity import RULE, train_counts
from genrec.evaluation.protocol import make_cases
from genrec.files import check_output, read_json
from genrec.folders import BUNDLE, RUN, require_kind
from genrec.histories import check_extends
from genrec.ids import MANIFEST_FILE, RUN_FILE
from genrec.placement import Placement
from genrec.progress import SILENT, Reporter

DEFAULT_KS = (1, 5, 10)


def evaluate(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: Split = "test",
    k: Sequence[int] = DEFAULT_KS,
    beams: int = 20,
    exclude_seen: bool = False,
    as_visitor: bool = False,
    users: int | None = None,
    against: Sequence[str | Path] = (),
    calibrate: Sequence[int] | None = None,
    per_user: str | Path | None = None,
    device: str = "auto",
    provider: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    force: bool = False,
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
        as_visitor: Whether models are told the history alone, as of an unknown user.
        users: Evaluate a seeded sample of so many users; None takes all.
        against: Further runs, bundles, "popularity" or "transitions", ranked on the same users. A run with a prior
            is measured once more without it.
        calibrate: Numbers of beams to compare with exact scores of all items; for runs.
        per_user: Parquet file to write, with a row per user and model.
        device: Where to compute: auto, cpu or cuda.
        provider: What runs bundles: auto, tensorrt, cuda or cpu.
        threads: Threads of bundles on the CPU; by default the cores that this process may use.
        seed: Of the sample, and of the bootstrap.
        force: Whether to replace `per_user`.
        reporter: Receives progress.

    Returns:
        {"split", "users", "protocol", "metrics", "intervals", "slices", "beyond", "against": [...], "seconds"},
        and "calibration" and "per_user" where they are asked for. Each of "against" has a "difference" per metric,
        the model's minus its own.

    Raises:
        GenRecError: A model or the data is missing, damaged, or they do not fit together; or an output exists.
    """
    started = time.perf_counter()
    ks = _check_cutoffs(k)
    models = [model, *against]
    placement = Placement(device, provider, threads)
    check_placement(placement, models)
    if calibrate is not None:
        _check_calibration(Path(model), calibrate)
    if per_user is not None:
        check_output(Path(per_user), force, _folders(*models, data))
    sequences, item_count = _sequences(Path(model), data)
    cases = make_cases(sequences, split, users, seed)
    counts = train_counts(sequences, item_count)
    conditions = Conditions(cases, counts, ks, exclude_seen, as_visitor, seed, reporter)
    contestants = [make_contestant(name, sequences, item_count, max(ks), beams, placement) for name in models]
    contestants += models_alone(models, max(ks), beams, placement)
    own, *others = (measure(contestant, conditions) for contestant in contestants)
    result = {
        **own.result,
        "split": split,
        "users": len(cases),
        "protocol": {
            **_protocol(conditions),
            "beams": max(beams, max(ks)),
            "sampled_users": bool(users) and len(cases) < len(make_cases(sequences, split)),
            "leaky": any(found.result["indexing"] == "leaky-sequential" for found in (own, *others)),
        },
        "against": [{**other.result, "difference": compare(own.ranks, other.ranks, ks, seed)} for other in others],
    }
    if per_user is not None:
        ranks = [(found.result["model"], found.ranks) for found in (own, *others)]
        write_per_user(Path(per_user), Catalogue(data or model), cases, ranks)
        result["per_user"] = str(per_user)
    if calibrate is not None:
        result["calibration"] = _calibrate(Path(model), conditions, calibrate, device)
    result["seconds"] = time.perf_counter() - started
    if data is None and not result["protocol"]["sampled_users"] and (Path(model) / RUN_FILE).is_file():
        remember(Path(model), result)
    return result


def _check_cutoffs(k: Sequence[int]) -> tuple[int, ...]:
    if not k or min(k) < 1:
        raise GenRecError(f"k = {list(k)} is wrong: give whole numbers from 1 on, such as 1,5,10")
    return tuple(sorted(set(k)))


def _check_calibration(model: Path, beams: Sequence[int]) -> None:
    if require_kind(model, RUN, BUNDLE) == BUNDLE:
        raise GenRecError(
            f"{model} is a bundle, whose number of beams is fixed; calibrate the run that it was exported from"
        )
    if not beams or min(beams) < 1:
        raise GenRecError(
            f"calibrate = {list(beams)} is wrong: give numbers of beams from 1 on, such as 20,50,100"
        )


def _folders(*names: str | Path | None) -> list[Path]:
    """Those of the names that are of folders."""
    return [Path(name) for name in names if name is not None and str(name) not in REFERENCES]


def _protocol(conditions: Conditions) -> dict[str, Any]:
    excluded = conditions.exclude_seen
    return {
        "split": "leave-one-out",
        "candidates": "all items but those of the history" if excluded else "all items",
        "exclude_seen": excluded,
        "as_visitor": conditions.as_visitor,
        "items": len(conditions.counts),
        "seed": conditions.seed,
        "targets_in_history": conditions.cases.seen_share(),
        "popularity_slices": RULE,
    }


def _calibrate(run: Path, conditions: Conditions, beams: Sequence[int], device: str) -> list[dict[str, Any]]:
    from genrec.evaluation.calibration import calibrate

    return calibrate(run, conditions, beams, device)


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
