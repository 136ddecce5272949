"""Trackers of experiments, through the integrations that Hugging Face's Trainer has."""

from collections.abc import Sequence
from importlib.util import find_spec

from genrec.errors import GenRecError

TENSORBOARD = "tensorboard"
TRACKERS = (TENSORBOARD, "trackio", "wandb", "mlflow")
_WRITERS = ("tensorboard", "tensorboardX")
"""Packages that write TensorBoard's event files."""

EVENTS = "events"
"""Folder of a run that holds TensorBoard's event files."""


def choose_trackers(names: Sequence[str] | None) -> list[str]:
    """The trackers to report to: those asked for, or TensorBoard's files where a writer is installed.

    Raises:
        GenRecError: A name is unknown, or its package is missing.
    """
    if names is None:
        return [TENSORBOARD] if _installed(TENSORBOARD) else []
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise GenRecError(f"the tracker {unknown[0]!r} is unknown; choose of: {', '.join(TRACKERS)}")
    missing = [name for name in names if not _installed(name)]
    if missing:
        raise GenRecError(f"the tracker {missing[0]} is not installed; install it with: pip install {missing[0]}")
    return list(dict.fromkeys(names))


def _installed(name: str) -> bool:
    return any(find_spec(package) for package in (_WRITERS if name == TENSORBOARD else (name,)))
