"""golden.json: requests with their exact answers, by which any runtime in any language can be checked.

The requests are made up from the sizes of the model, so no user's history travels with them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import GenRecError
from genrec.exporting.parity import SAME, largest_difference, same_lists
from genrec.files import read_json
from genrec.ids import FORMAT_VERSION
from genrec.scoring import Ranked, Rows, Scorer, pad

GOLDEN_FILE = "golden.json"

PLACES = 50
"""Places of a list that are written at most, to keep the file small."""

_BAN_ALL = 1000
"""Items of the largest catalogue that one of the requests bans as a whole."""

Tensors = dict[str, NDArray[Any]]
"""Inputs or outputs of the graph by name."""


def write_golden(bundle: Scorer, folder: Path, manifest: dict[str, Any], tolerance: float = SAME) -> None:
    """Answer the requests and write both.

    Args:
        bundle: The bundle's own graph on the CPU.
        folder: Where to write.
        manifest: Has the sizes of the model and describes inputs and outputs.
        tolerance: How far another runtime's scores may be off.
    """
    requests = []
    for name, inputs in make_requests(bundle, manifest).items():
        items, scores = ask(bundle, inputs)
        outputs = {"items": items[:, :PLACES], "scores": scores[:, :PLACES]}
        requests.append({"name": name, "inputs": inputs, "outputs": outputs})
    save_golden(folder / GOLDEN_FILE, {"tolerance": tolerance, "requests": requests})


def save_golden(path: Path, golden: dict[str, Any]) -> None:
    """Write what `read_golden` reads, one request a line."""
    lines = [
        json.dumps({"name": name, "inputs": _to_json(inputs), "outputs": _to_json(outputs)}, allow_nan=False)
        for name, inputs, outputs in (request.values() for request in golden["requests"])
    ]
    head = json.dumps({"format_version": FORMAT_VERSION, "tolerance": golden["tolerance"], "requests": []})
    path.write_text(head.replace("[]}", "[\n" + ",\n".join(lines) + "\n]}\n"), encoding="utf-8")


def make_requests(bundle: Scorer, manifest: dict[str, Any]) -> dict[str, Tensors]:
    """The inputs of every request, by its name; the same for the same model."""
    users, items = manifest["user_count"], manifest["item_count"]

    def some(count: int, first: int = 1) -> list[int]:
        """Item indexes from all over the catalogue."""
        return [1 + (first + 7919 * n) % items for n in range(count)]

    visitor = _request([some(3)], [0])
    best = ask(bundle, visitor)[0][0, :3].tolist()
    requests = {
        "a visitor": visitor,
        "a visitor, seen items allowed": _request([some(3)], [0], exclude_seen=False),
        "a visitor without a history": _request([[]], [0]),
        "a known user": _request([some(5, 2)], [1]),
        "a known user without a history": _request([[]], [users]),
        "zeros inside the history": _request([[0, *some(1), 0, 0, *some(2, 3), 0]], [1]),
        "a history longer than the encoder reads": _request([some(manifest["max_length"] + 5)], [1]),
        "a batch of several lengths": _request([some(1, 4), some(9, 5), [], some(4)], [0, 1, users, 1]),
        "numbers that are no item's, no user's": _request(
            [[-3, *some(2), items + 1, 10**12]], [users + 1], banned=[[-1, items + 7]]
        ),
        "a negative user number": _request([some(2)], [-1]),
        "banned: the visitor's first three": _request([some(3)], [0], banned=[best]),
        "an allow list": _request([some(3)], [0], allowed=[[*some(3), *best]]),
        "an allow list, seen items allowed": _request([some(3)], [0], False, allowed=[[*some(3), *best]]),
        "an allow list, one of it banned": _request([some(3)], [0], banned=[best[:1]], allowed=[best]),
        "an allow list of unknown numbers only": _request([some(3)], [0], allowed=[[items + 1, -1]]),
        "a batch with lists in some rows": _request(
            [some(3), some(3), some(3)], [0, 0, 0], banned=[best, [], best[:1]], allowed=[[], best, best]
        ),
    }
    if items <= _BAN_ALL:
        requests["everything banned"] = _request([some(3)], [0], banned=[list(range(1, items + 1))])
    return requests


def _request(
    history: Rows,
    users: list[int],
    exclude_seen: bool = True,
    banned: Rows | None = None,
    allowed: Rows | None = None,
) -> Tensors:
    return {
        "history": pad(history, len(users)),
        "user": np.array(users, np.int64),
        "exclude_seen": np.array(exclude_seen),
        "banned": pad(banned, len(users)),
        "allowed": pad(allowed, len(users)),
    }


def ask(scorer: Scorer, inputs: Tensors) -> Ranked:
    """The answer of a scorer to a request's inputs."""
    rest = (inputs["banned"], inputs["allowed"])
    return scorer(inputs["history"], inputs["user"], bool(inputs["exclude_seen"]), *rest)


def read_golden(path: Path) -> dict[str, Any]:
    """What golden.json says, its "inputs" and "outputs" as arrays by name.

    Raises:
        GenRecError: The file is missing or damaged.
    """
    golden = read_json(path)
    try:
        requests = [
            {"name": entry["name"], **{side: _from_json(entry[side]) for side in ("inputs", "outputs")}}
            for entry in golden["requests"]
        ]
        return {"tolerance": float(golden["tolerance"]), "requests": requests}
    except (KeyError, TypeError, ValueError) as error:
        raise GenRecError(f"{path} is damaged: {error!r}; export the bundle again") from error


def replay(golden: dict[str, Any], answer: Callable[[Tensors], Ranked]) -> list[dict[str, Any]]:
    """Ask again and compare.

    Args:
        golden: Of `read_golden`.
        answer: Gives items and scores for a request's inputs.

    Returns:
        Per request {"name", "same": whether all lists are the same, "max_abs_diff": of two scores; None where
        only one of the lists has an item}.
    """
    results = []
    for request in golden["requests"]:
        wanted = (request["outputs"]["items"], request["outputs"]["scores"])
        places = wanted[0].shape[1]
        items, scores = answer(request["inputs"])
        found = (items[:, :places], scores[:, :places])
        difference = largest_difference(wanted, found)
        results.append(
            {
                "name": request["name"],
                "same": bool(same_lists(wanted, found, golden["tolerance"]).all()),
                "max_abs_diff": difference if np.isfinite(difference) else None,
            }
        )
    return results


def _to_json(tensors: Tensors) -> dict[str, Any]:
    """Numbers row by row; JSON has no -inf, null stands for it."""
    return {
        name: {"dtype": str(array.dtype), "shape": list(array.shape), "data": [_number(x) for x in array.flat]}
        for name, array in tensors.items()
    }


def _number(value: Any) -> int | float | bool | None:
    if isinstance(value, np.floating):
        return float(str(value)) if np.isfinite(value) else None  # str gives the fewest digits that tell it
    return value.item()


def _from_json(tensors: dict[str, Any]) -> Tensors:
    return {
        name: np.array([-np.inf if x is None else x for x in entry["data"]], dtype=entry["dtype"]).reshape(
            entry["shape"]
        )
        for name, entry in tensors.items()
    }
