"""`genrec plot`: curves of loss and validation, by Matplotlib (extra `[plot]`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.errors import GenRecError
from genrec.files import atomic_file, check_output
from genrec.folders import RUN, require_kind
from genrec.ids import FINETUNE
from genrec.runs import read_epochs

FORMATS = (".png", ".svg", ".pdf")
_METRICS = ("NDCG@10", "HR@10")


def plot(runs: Sequence[str | Path], output: str | Path, force: bool = False) -> None:
    """Draw the loss of both phases and the validation metrics of one or several runs.

    Args:
        runs: Runs, finished or not.
        output: A .png, .svg or .pdf file.
        force: Replace an existing file.

    Raises:
        GenRecError: A run is missing, damaged or has no epoch yet, the output's name has another ending, or
            Matplotlib is not installed.
    """
    output = Path(output)
    if output.suffix.lower() not in FORMATS:
        raise GenRecError(f"the output {output} must end with one of {', '.join(FORMATS)}")
    curves = {str(run): _epochs(Path(run)) for run in runs}
    check_output(output, force)
    figure = _draw(curves)
    with atomic_file(output) as temporary:
        figure.savefig(temporary, format=output.suffix[1:].lower(), dpi=144)


def _epochs(run: Path) -> list[dict[str, Any]]:
    require_kind(run, RUN)
    epochs = read_epochs(run)
    if not epochs:
        raise GenRecError(f"{run} has no epoch behind it yet; there is nothing to draw")
    return epochs


def _draw(curves: dict[str, list[dict[str, Any]]]) -> Any:
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise GenRecError("genrec plot needs Matplotlib; install it with: pip install '.[plot]'") from error

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss, valid = figure.subplots(1, 2)
    for number, (name, epochs) in enumerate(curves.items()):
        colour = f"C{number}"
        losses = [epoch for epoch in epochs if "loss" in epoch]
        places = range(1, len(losses) + 1)
        loss.plot(places, [epoch["loss"] for epoch in losses], ".-", color=colour, label=name)
        begun = next((n for n, epoch in enumerate(losses) if epoch["phase"] == FINETUNE), 0)
        if 0 < begun < len(losses):
            loss.axvline(begun + 0.5, color=colour, linewidth=0.8, linestyle=":")
        validated = [epoch for epoch in epochs if "valid" in epoch]
        for metric, style in zip(_METRICS, ("o-", "s--"), strict=True):
            values = [epoch["valid"][metric] for epoch in validated]
            label = f"{name}, {metric}" if len(curves) > 1 else metric
            valid.plot([epoch["epoch"] for epoch in validated], values, style, color=colour, label=label, ms=3)
    loss.set(title="Training loss (dotted: finetuning begins)", xlabel="epoch of both phases", ylabel="loss")
    valid.set(title="Validation", xlabel="epoch of finetuning")
    for axes in (loss, valid):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.lines:
            axes.legend(fontsize=8)
    return figure
