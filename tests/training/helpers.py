"""A dataset that a tiny model learns, quick settings, and the comparison of two runs."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tests.helpers import write_dataset

QUICK = {
    "preset": "tiny",
    "d_model": 16,
    "ffn_dim": 32,
    "heads": 2,
    "batch_size": 16,
    "pretrain_epochs": 2,
    "finetune_epochs": 2,
    "max_length": 24,
}


def chain_dataset(folder: Path, users: int = 120) -> Path:
    """A chain: the item after n is n + 1 (20 items in a circle), so the last item decides the next."""
    rng = np.random.default_rng(0)
    rows = [
        (start + np.arange(length)) % 20 + 1
        for start, length in zip(rng.integers(0, 20, users), rng.integers(4, 9, users), strict=True)
    ]
    write_dataset(folder, [f"u{n}" for n in range(users)], [f"i{n}" for n in range(20)], rows)
    return folder


def weights(run: Path) -> dict[str, np.ndarray]:
    """A run's weights by name."""
    return load_file(run / "model.safetensors")


def assert_equal_weights(first: Path, second: Path) -> None:
    """Bit for bit."""
    a, b = weights(first), weights(second)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def as_options(settings: dict[str, object]) -> list[str]:
    """Settings as command-line options."""
    return [text for key, value in settings.items() for text in ("--set", f"{key}={value}")]
