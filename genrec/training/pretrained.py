"""Pretrained weights with their tokenizer, of whichever kind: found, opened, loaded."""

from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedModel

from genrec.config import SHAPE
from genrec.errors import GenRecError

_FETCHED = ["*.json", "*.safetensors", "merges.txt", "vocab.txt"]
"""Nothing pickled is fetched."""

Config = TypeVar("Config", bound=PretrainedConfig)
Model = TypeVar("Model", bound=PreTrainedModel)


def fetch_weights(weights: str) -> str:
    """The local folder of pretrained weights: as given, from the hub's cache, or from the hub.

    Raises:
        GenRecError: They are not on this machine and the hub cannot be reached.
    """
    if Path(weights).is_dir():
        return weights
    try:
        return snapshot_download(weights, allow_patterns=_FETCHED)
    except (OSError, ValueError) as error:
        raise GenRecError(
            f"the weights {weights!r} are not on this machine and cannot be fetched; go online, or copy the "
            "model's folder here and give it with --set weights=FOLDER"
        ) from error


def load_tokenizer(folder: str) -> Any:
    """The tokenizer in a folder of weights or a run in text mode."""
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def open_weights(folder: str, kind: type[Config], name: str) -> tuple[Any, Config]:
    """The tokenizer and the configuration of a folder of weights.

    Args:
        folder: Of `fetch_weights`.
        kind: Class of the configuration.
        name: What the model is called in messages.

    Raises:
        GenRecError: Either is missing or damaged.
    """
    try:
        return load_tokenizer(folder), kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _damaged(folder, name, error) from error


def load_weights(folder: str, kind: type[Model], settings: Any, name: str, reshaped: bool = False) -> Model:
    """A model with the weights of a folder.

    Args:
        folder: Of `fetch_weights`.
        kind: Class of the model.
        settings: Its configuration.
        name: What it is called in messages.
        reshaped: Whether weights of another shape are left out.

    Raises:
        GenRecError: The weights are missing or damaged.
    """
    try:
        return kind.from_pretrained(
            folder,
            config=settings,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=reshaped,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _damaged(folder, name, error) from error


def contradictions(config: Any, found: dict[str, int]) -> list[str]:
    """The settings of SHAPE that are given and are others than pretrained weights have."""
    return [
        f"{key} {getattr(config, key)} (the weights have {found[key]})"
        for key in SHAPE
        if getattr(config, key) not in (None, found[key])
    ]


def _damaged(folder: str, name: str, error: Exception) -> GenRecError:
    return GenRecError(
        f"{folder} is no whole {name} model with its tokenizer (config.json, model.safetensors, tokenizer files): "
        f"{next(iter(str(error).splitlines()), type(error).__name__)}"
    )
