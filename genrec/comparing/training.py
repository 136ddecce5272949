"""Training what a comparison lacks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from genrec.baselines.settings import BaselineConfig
from genrec.comparing.plans import RunPlan
from genrec.data.dataset import Dataset
from genrec.errors import GenRecError
from genrec.ids import FINISHED
from genrec.progress import Reporter, describe_time


class Missing(NamedTuple):
    """A run that is not finished."""

    plan: RunPlan
    resume: bool
    """Whether it is gone on with where it was begun, and not replaced."""


def find_missing(plans: Sequence[RunPlan], data: Dataset, force: bool) -> list[Missing]:
    """The runs that are not there, or half done; with `force` also those that are not what is wanted.

    Raises:
        GenRecError: A folder holds something else, and `force` is false.
    """
    missing = []
    for plan in plans:
        try:
            status = plan.status(data)
        except GenRecError:
            if not force:
                raise
            missing.append(Missing(plan, resume=False))
        else:
            missing += [] if status == FINISHED else [Missing(plan, resume=True)]
    return missing


def what_they_lack(missing: Sequence[Missing], data: Dataset) -> dict[str, GenRecError]:
    """The reference models that cannot be made for a dataset, each with what it says.

    Making one takes a moment, so this is known before others are trained for hours.
    """
    lacking: dict[str, GenRecError] = {}
    configs = {plan.model: plan.config for plan, _ in missing if isinstance(plan.config, BaselineConfig)}
    for model, config in configs.items():
        from genrec.training.baseline import build_baseline

        try:
            build_baseline(config, data)
        except GenRecError as error:
            lacking[model] = error
    return lacking


def train_missing(missing: Sequence[Missing], data: Dataset, device: str, reporter: Reporter) -> None:
    """Train one run after the other."""
    limits = [plan.config.minutes for plan, _ in missing]
    if len(limits) > 1 and all(limits):
        reporter.info(f"{len(limits)} runs to train, at most {describe_time(60 * sum(limits))} of training")
    seconds: dict[str, float] = {}
    for number, (plan, resume) in enumerate(missing, 1):
        from genrec.training.train import train

        reporter.info(f"{plan.path.name}: training {number} of {len(missing)}")
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        options = {"resume": resume, "force": not resume, "device": device, "reporter": reporter}
        result = train(data.path, plan.path, settings=plan.given, **options)
        seconds[plan.model] = result["seconds"]
        left = outlook([run.plan.model for run in missing[number:]], seconds)
        reporter.info(f"{plan.path.name}: trained in {describe_time(result['seconds'])}{left}")


def outlook(models: Sequence[str], seconds: Mapping[str, float]) -> str:
    """What is left to train: how many runs, and the time of those whose model was trained with another seed.

    >>> outlook(["sasrec", "sasrec"], {"sasrec": 600.0}), outlook(["sasrec", "hgn"], {"sasrec": 600.0})
    ('; 2 to go, about 20 min', '; 2 to go, 1 of them about 10 min')
    """
    known = [seconds[model] for model in models if model in seconds]
    some = "" if len(known) == len(models) else f"{len(known)} of them "
    time = f", {some}about {describe_time(sum(known))}" if known else ""
    return f"; {len(models)} to go{time}" if models else ""
