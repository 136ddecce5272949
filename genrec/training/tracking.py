"""Trackers of experiments, through the integrations that Hugging Face's Trainer has."""

from collections.abc import Sequence
from importlib.util import find_spec

from genrec.errors import GenRecError

TENSORBOARD = "tensorboard"
TRACKERS = (TENSORBOARD, "trackio", "wandb", "mlflow")

EVENTS = "events"
"""Folder of a run that holds TensorBoard's event files."""


def choose_trackers(names: Sequence[str] | None) -> list[str]:
    """The trackers to report to: those asked for, perhaps none; by default TensorBoard's files.

    Raises:
        GenRecError: A name is unknown, or its package is missing.
    """
    if names is None:
        return [TENSORBOARD]
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise GenRecError(f"the tracker {unknown[0]!r} is unknown; choose of: {', '.join(TRACKERS)}")
    missing = [name for name in names if name != TENSORBOARD and not find_spec(name)]
    if missing:
        raise GenRecError(f"the tracker {missing[0]} is not installed; install it with: pip install {missing[0]}")
    return list(dict.fromkeys(names))
