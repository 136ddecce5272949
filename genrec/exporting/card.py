"""The README.md of a bundle: what is in it, where it comes from, and how to call it without genrec."""

from typing import Any

from genrec.baselines.settings import P5

_CALL = """\
```python
import numpy as np
import onnxruntime as ort
import pyarrow.parquet as pq

items = pq.read_table("items.parquet")["item_id"].to_pylist()
history = HISTORY  # item IDs, oldest first
session = ort.InferenceSession("recommender.onnx", providers=["CPUExecutionProvider"])
none = np.zeros((1, 0), np.int64)
request = {
    "history": np.array([[items.index(item) + 1 for item in history]], np.int64),  # indexes; zeros are padding
    "user": np.array([0], np.int64),  # 0 is a visitor; users.parquet has the indexes of known users
    "exclude_seen": np.array(True),
    "banned": none,  # item indexes to keep out
    "allowed": none,  # where a row has a number, everything else is kept out
}
indexes, scores = session.run(["items", "scores"], request)
print([(items[i - 1], s) for i, s in zip(indexes[0], scores[0]) if i])
```
"""

_SCORED = "the model, the scores of all items and the choice of the best"

_ROUNDING = {
    "int8": "Activations are rounded in steps that depend on the whole batch, so a user's scores depend a little "
    "on who else is in it.",
    "fp16": "It is meant for GPUs; a CPU computes in fp32 and converts on the way.",
}

_SPLIT = (
    " They are in fp32, in which they were compared with torch: the figures above are not theirs. Optimum's own "
    "tools quantise them for the runtime at hand."
)


def model_card(manifest: dict[str, Any]) -> str:
    """Markdown from what the manifest says (all but its list of files)."""
    inside = "encoder, item tokens, their prefix tree and the beam search" if _searches(manifest) else _SCORED
    parts = [
        f"# {manifest['run']['name']}: a recommender in ONNX ({manifest['model_type']})",
        _warning(manifest),
        f"`recommender.onnx` takes a user's history and returns the items that come next, best first: {inside} "
        "are inside, and every operator is of the ONNX standard.",
        "## Data and model",
        _facts(manifest),
        "## Quality",
        _quality(manifest),
        _comparison(manifest),
        "## Calling it",
        "From this folder, with onnxruntime, numpy and pyarrow:",
        _CALL.replace("HISTORY", repr(manifest["example_items"])),
        _limits(manifest),
        "With genrec: `genrec recommend FOLDER USER`, or `genrec.load(FOLDER).recommend(user=USER)`.",
        "## Files",
        _files(manifest),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _warning(manifest: dict[str, Any]) -> str:
    if not manifest["leaky"]:
        return ""
    return (
        "**leaky**: the item tokens of this model (`leaky-sequential`) number items by their first appearance "
        "over whole sequences, test items included. It reproduces a published protocol; its metrics cannot be "
        "compared with those of other item tokens."
    )


def _facts(manifest: dict[str, Any]) -> str:
    rows = {
        "dataset": manifest["dataset"]["name"],
        "users": f"{manifest['user_count']:,}",
        "items": f"{manifest['item_count']:,}",
        **_reading(manifest),
        "opset": manifest["opset"],
        "quantisation": manifest["quantize"],
    }
    if manifest["parameters"]:
        rows["parameters"] = f"{manifest['parameters']:,}"
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def _searches(manifest: dict[str, Any]) -> bool:
    """Whether the model generates items by a search; else it scores all of them."""
    return manifest["beams"] is not None


def _reading(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the model reads, and how it comes to a list."""
    if not _searches(manifest):
        return {
            "input": f"at most {manifest['max_length']} items; the newest are kept",
            "lists": f"the best {manifest['k']} of all items, each of which is scored",
        }
    unit = "items" if manifest["model_type"] == P5 else "tokens"
    return {
        "item tokens": f"{manifest['indexing']}, at most {manifest['depth']} per item",
        "encoder input": f"at most {manifest['max_length']} {unit}; the newest items are kept",
        "search": f"{manifest['beams']} beams, lists of {manifest['k']}",
    }


def _quality(manifest: dict[str, Any]) -> str:
    parity = manifest["parity"]
    compared = (
        f"Against the torch model on {parity['lists']} lists of {parity['users']} users: scores differ by at most "
        f"{parity['max_abs_diff']:.1e}, {parity['same_top_k']:.1%} of the lists are the same."
    )
    valid = manifest["metrics"].get("valid")
    if not valid:
        return compared
    leaky = " (leaky)" if manifest["leaky"] else ""
    table = "\n".join(f"| {name}{leaky} | {value:.4f} |" for name, value in valid.items())
    return (
        "On the validation items (leave-one-out, all items are candidates), which also chose the model; "
        f"`genrec eval` measures the test items:\n\n| metric | value |\n|---|---|\n{table}\n\n{compared}"
    )


def _comparison(manifest: dict[str, Any]) -> str:
    """The quantised graph beside the one in fp32."""
    kind, comparison = manifest["quantize"], manifest.get("comparison")
    if not comparison:
        return ""
    fp32, small = comparison["fp32"], comparison[kind]
    leaky = " (leaky)" if manifest["leaky"] else ""
    labels = {
        "bytes": "bytes of recommender.onnx",
        "users_per_second": f"users a second, batches of {comparison['batch']}",
        "milliseconds": "milliseconds, one user",
    }
    rows = [
        f"| {labels.get(name, name + leaky)} | {_figure(value)} | {_figure(small[name])} |"
        for name, value in fp32.items()
    ]
    sample = f", a sample with seed {comparison['seed']}" if comparison["sampled"] else ""
    parts = [
        f"`recommender.onnx` is {kind}; the graph in fp32 is not kept. Measured when it was exported, on that "
        f"machine's CPU ({comparison['users']:,} users{sample}, histories before the validation item):",
        f"| | fp32 | {kind} |\n|---|---|---|\n" + "\n".join(rows),
        f"{comparison['overlap']:.1%} of the items of a list are in the other graph's too, "
        f"{comparison['identical']:.1%} of the lists are identical. {_ROUNDING[kind]} On another machine the same "
        f"request may get scores that differ by up to {manifest['tolerance']:g}.",
    ]
    return "\n\n".join(parts)


def _figure(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if value < 1 else f"{value:,.2f}"


def _limits(manifest: dict[str, Any]) -> str:
    return (
        f"A list has {manifest['k']} places; item 0 with score -inf stands where fewer items are allowed. A score "
        "is the item's log-probability: exp(score) sums to 1 over all items, and keeping items out changes the "
        "list, never a score. Batches of any size and histories of any length work; numbers that are no item's "
        "count as padding, such user numbers as unknown; but a row of `allowed` that has only such numbers allows "
        "nothing."
    )


def _optimum(manifest: dict[str, Any]) -> str:
    if manifest["model_type"] == P5:
        return "Graphs in Hugging Face Optimum's layout are left out: nothing in them would make p5's prompts."
    if not _searches(manifest):
        return (
            "Graphs in Hugging Face Optimum's layout are left out: they are those of an encoder and a decoder, as "
            f"GenRec has them, not {manifest['model_type']}."
        )
    return (
        "`encoder_model.onnx`, `decoder_model.onnx`, `decoder_with_past_model.onnx`: the model alone in Hugging "
        "Face Optimum's layout; `config.json`, `item_tokens.parquet` and `user_tokens.parquet` belong to them."
    ) + ("" if manifest["quantize"] == "none" else _SPLIT)


def _files(manifest: dict[str, Any]) -> str:
    lines = [
        "`recommender.onnx`: the whole recommender.",
        _optimum(manifest),
        "`items.parquet`: index, external ID and what else is known of each item.",
    ]
    if manifest["histories"]:
        lines.append(
            "`users.parquet`, `sequences.parquet`: users and their histories. Personal data; mind who gets it."
        )
    else:
        lines.append("Users and histories were left out (`--no-histories`).")
    lines.append(
        "`golden.json`: made-up requests with their exact answers, to check any runtime by; "
        "`genrec export --verify FOLDER` replays them and compares all checksums."
    )
    lines.append("`manifest.json`: all facts above, interface, versions, checksums.")
    return "\n".join(f"* {line}" for line in lines)
