"""`genrec compare`: several models on one dataset, trained where they are missing, in one table."""

import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from genrec.baselines.settings import CONFIGS
from genrec.comparing.latex import latex_table
from genrec.comparing.page import html_page
from genrec.comparing.plans import plan_runs, trained_of
from genrec.comparing.published import Published, published_of
from genrec.comparing.rows import CHIEF, KS, make_rows
from genrec.comparing.subjects import Field, Subject
from genrec.comparing.training import find_missing, train_missing, what_they_lack
from genrec.data.dataset import Dataset, load_dataset
from genrec.errors import GenRecError
from genrec.evaluation.conditions import Conditions
from genrec.evaluation.measure import measure
from genrec.evaluation.memory import remember
from genrec.evaluation.metrics import Ranks, summarise
from genrec.evaluation.popularity import train_counts
from genrec.evaluation.protocol import Cases, make_cases
from genrec.files import atomic_file, check_output
from genrec.folders import kind_of
from genrec.progress import SILENT, Reporter

ALL: Final = tuple(CONFIGS)
"""The models that are compared unless some are named."""

BEAMS: Final = 20

_PACKAGES: Final = ("genrec", "torch", "transformers", "numpy")


def compare(
    dataset: str | Path,
    output: str | Path | None = None,
    *,
    models: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    minutes: float | None = None,
    preset: str | None = None,
    settings: Sequence[str] = (),
    exclude_seen: bool | None = None,
    users: int | None = None,
    html: str | Path | None = None,
    latex: str | Path | None = None,
    device: str = "auto",
    force: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Train what is missing, evaluate all by one protocol on the same users, and compare.

    The same call goes on where it was stopped: finished runs are kept, unfinished ones resumed.

    Args:
        dataset: Folder that `genrec.prepare` wrote.
        output: Folder of the runs, which are called MODEL-seedN; by default beside the dataset, DATASET-compare.
        models: Of `ALL`; None takes all that the dataset has enough for.
        seeds: Each model is trained once with each; its row shows the mean.
        minutes: What the training of a run may take; it ends then and keeps its best epoch.
        preset: Where GenRec's defaults come from.
        settings: "key=value" for every model that has the setting, "model.key=value" for one.
        exclude_seen: Whether items of the history are no candidates; None shows both.
        users: Evaluate a seeded sample of so many users; None takes all.
        html: File to write as one self-contained page.
        latex: File to write as a LaTeX table.
        device: auto, cpu or cuda.
        force: Replace `html` and `latex`, and runs that were trained on other data or with other settings.
        reporter: Receives progress.

    Returns:
        {"dataset": {"name", "path", "checksum", "users", "items", "interactions"}, "folder", "protocol": {"split",
        "users", "sampled_users", "items", "beams", "targets_in_history", "chief_metric"}, "rows": of
        `genrec.comparing.rows.make_rows`, those with seen items kept first, "published": where published values
        come from, or None, "versions", "date", "seconds", "written": the files}.

    Raises:
        GenRecError: The dataset, a model's name or setting, a run in the folder or an output is at fault.
    """
    started = time.perf_counter()
    dataset, places = Path(dataset), {Path(place): write for place, write in _writers(html, latex) if place}
    folder = Path(output) if output is not None else beside(dataset)
    names = list(ALL if models is None else models)
    plans = plan_runs(trained_of(names), _distinct(seeds), folder, preset, list(settings), minutes)
    for place in places:
        check_output(place, force, [dataset])
    data = load_dataset(dataset)
    _check_folder(folder)
    cases = make_cases(data.sequences, "test", users)
    missing = find_missing(plans, data, force)
    lacking = what_they_lack(missing, data)
    if models is not None and lacking:
        raise next(iter(lacking.values()))
    for model, error in lacking.items():
        reporter.warn(f"{model} is left out: {error}")
    train_missing([run for run in missing if run.plan.model not in lacking], data, device, reporter)
    field = Field(data, max(KS), BEAMS, device)
    subjects = [subject for name in names if name not in lacking for subject in field.subjects(name, plans)]
    sampled = len(cases) < len(make_cases(data.sequences, "test"))
    rows = _evaluate(subjects, data, cases, sampled, exclude_seen, published_of(data), reporter)
    result = _describe(data, folder, cases, sampled, rows)
    result["seconds"] = time.perf_counter() - started
    for place, write in places.items():
        with atomic_file(place) as temporary:
            temporary.write_text(write(result), encoding="utf-8")
    return {**result, "written": [str(place) for place in places]}


def beside(dataset: Path) -> Path:
    """Where the runs lie unless another folder is given.

    >>> beside(Path("data/shop")).as_posix()
    'data/shop-compare'
    """
    dataset = dataset if dataset.name else dataset.absolute()
    return dataset.with_name(f"{dataset.name}-compare")


def _check_folder(folder: Path) -> None:
    """Refuse a place where runs cannot lie."""
    kind = kind_of(folder)
    if kind or (folder.exists() and not folder.is_dir()):
        raise GenRecError(
            f"{folder} is a {kind or 'file'}, where runs cannot lie; give another folder with -o, or leave it out"
        )


def _writers(
    html: str | Path | None, latex: str | Path | None
) -> list[tuple[str | Path | None, Callable[[dict[str, Any]], str]]]:
    if html is not None and latex is not None and Path(html) == Path(latex):
        raise GenRecError(f"{html} is to hold both the page and the LaTeX table; give two files")
    return [(html, html_page), (latex, latex_table)]


def _distinct(seeds: Sequence[int]) -> list[int]:
    if not seeds or min(seeds) < 0:
        raise GenRecError(f"seeds = {list(seeds)} is wrong: give whole numbers from 0 on, such as 0,1,2")
    return list(dict.fromkeys(seeds))


def _evaluate(
    subjects: Sequence[Subject],
    data: Dataset,
    cases: Cases,
    sampled: bool,
    exclude_seen: bool | None,
    published: Published | None,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """The rows, those with seen items kept first; where both are shown, these alone have published values."""
    counts = train_counts(data.sequences, data.item_count)
    rows = []
    for number, excluded in enumerate((False, True) if exclude_seen is None else (exclude_seen,)):
        conditions = Conditions(cases, counts, KS, excluded, reporter=reporter)
        ranks = [[measure(one, conditions).ranks for one in subject.contestants] for subject in subjects]
        if not sampled:
            _remember(subjects, ranks, excluded)
        rows += make_rows(subjects, ranks, excluded, None if number else published)
    return rows


def _remember(subjects: Sequence[Subject], ranks: Sequence[Sequence[Ranks]], exclude_seen: bool) -> None:
    """Tell `genrec runs` what was found."""
    protocol = {"exclude_seen": exclude_seen, "as_visitor": False, "beams": BEAMS}
    for subject, seeds in zip(subjects, ranks, strict=True):
        if subject.part or not subject.facts["runs"]:
            continue
        for run, found in zip(subject.facts["runs"], seeds, strict=True):
            metrics, _ = summarise(found, KS)
            told = {"split": "test", "protocol": protocol, "users": len(found), "metrics": metrics}
            remember(Path(run), told)


def _describe(
    data: Dataset, folder: Path, cases: Cases, sampled: bool, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    published = published_of(data)
    return {
        "dataset": {
            "name": data.path.absolute().name,
            "path": str(data.path),
            "checksum": data.checksum,
            "users": data.user_count,
            "items": data.item_count,
            "interactions": data.interaction_count,
        },
        "folder": str(folder),
        "protocol": {
            "split": "leave-one-out",
            "users": len(cases),
            "sampled_users": sampled,
            "items": data.item_count,
            "beams": BEAMS,
            "targets_in_history": cases.seen_share(),
            "chief_metric": CHIEF,
        },
        "rows": rows,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "published": published.source if published and any(row["published"] for row in rows) else None,
    }
