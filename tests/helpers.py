"""Small datasets and runs with random weights, whose scores are spread as wide as a trained model's."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from genrec.baselines.settings import CONFIGS, make_baseline_config
from genrec.config import TrainConfig
from genrec.data.dataset import load_dataset, save_info
from genrec.data.tables import GROUP_USERS, Group, Sequences, write_sequences, write_table
from genrec.files import read_json, write_json
from genrec.ids import INDEX, ITEMS_FILE, RUN_FILE, SEQUENCES_FILE, USER_ID, USERS_FILE
from genrec.indexing.scheme import own_scheme
from genrec.indexing.tokens import SpecialTokens, TokenScheme, pad_rows
from genrec.model.checkpoint import finish_run, start_run
from genrec.model.configuration import GenRecConfig
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.training.baseline import BuiltBaseline

USERS, ITEMS = 30, 40
MAX_LENGTH = 24
MAX_ITEMS = 8
"""What reference models read of a history."""


def make_dataset(folder: Path, users: int = USERS, items: int = ITEMS, seed: int = 0, longest: int = 12) -> Path:
    """A dataset of random histories with titles; user n is "un", item n is "in" (both from 1)."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(1, items + 1, size=rng.integers(1, longest + 1)) for _ in range(users)]
    write_dataset(folder, [f"u{n}" for n in range(1, users + 1)], [f"i{n}" for n in range(1, items + 1)], rows)
    return folder


def write_dataset(
    folder: Path, user_ids: list[str], item_ids: list[str], rows: list[Any], genres: Sequence[int] | None = None
) -> None:
    """A dataset with the given IDs, histories (item indexes, oldest first) and an attribute of each item."""
    folder.mkdir(parents=True)
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    flat = np.concatenate([np.asarray(row, np.int32) for row in rows])
    own = [n % 3 for n in range(len(item_ids))] if genres is None else genres
    table = pa.table(
        {
            "item_id": item_ids,
            "title": [f"Title of {item}" for item in item_ids],
            "attributes": pa.array([[f"genre {genre}"] for genre in own], pa.list_(pa.string())),
        }
    )
    save_dataset(folder, user_ids, table, Sequences(flat, offsets))


def save_dataset(
    folder: Path, user_ids: list[str], items: pa.Table, sequences: Sequences, times: np.ndarray | None = None
) -> None:
    """Make an existing folder a dataset; `items` begins with item_id and is in index order, as `user_ids` are."""
    users = pa.table({USER_ID: pa.array(user_ids, pa.string())})
    for file, table in ((USERS_FILE, users), (ITEMS_FILE, items)):
        indexes = pa.array(np.arange(1, table.num_rows + 1, dtype=np.int32))
        write_table(folder / file, table.add_column(0, INDEX, indexes).to_reader())
    count = write_sequences(folder / SEQUENCES_FILE, _groups(sequences, times), times is not None)
    save_info(folder, name=folder.name, users=len(user_ids), items=items.num_rows, interactions=count)


def _groups(sequences: Sequences, times: np.ndarray | None) -> Iterator[Group]:
    for first in range(0, len(sequences.lengths), GROUP_USERS):
        lengths = sequences.lengths[first : first + GROUP_USERS]
        rows = slice(sequences.offsets[first], sequences.offsets[first + len(lengths)])
        yield Group(first + 1, lengths, sequences.items[rows], None if times is None else times[rows])


def text_like_scheme(users: int = USERS, items: int = ITEMS) -> TokenScheme:
    """Item and user tokens of different lengths that share prefixes, as a tokenizer's pieces do."""
    special = SpecialTokens(pad=1, begin=0, end=2, mask=3)
    rows = [[4, *_pieces(number), special.end] for number in range(1, items + 1)]
    people = [[5, *_pieces(number)] for number in range(users + 1)]
    return TokenScheme(
        indexing="text",
        item_tokens=pad_rows([[], *rows], special.pad),
        user_tokens=pad_rows(people, special.pad),
        special=special,
        vocabulary=16,
    )


def _pieces(number: int) -> list[int]:
    """Decimal digits as tokens 6..15."""
    return [6 + int(digit) for digit in str(number)]


def make_model(
    scheme: TokenScheme,
    users: int,
    seed: int = 0,
    spread: float = 4.0,
    d_model: int = 16,
    max_length: int = MAX_LENGTH,
    **settings: Any,
) -> GenRecForConditionalGeneration:
    """A model with random weights; `spread` times BART's own deviation makes the scores differ clearly.

    `settings` are those of GenRecConfig besides.
    """
    torch.manual_seed(seed)
    config = GenRecConfig(
        user_count=users,
        item_count=scheme.item_count,
        vocab_size=scheme.vocabulary,
        d_model=d_model,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=2 * d_model,
        decoder_ffn_dim=2 * d_model,
        max_position_embeddings=max_length,
        pad_token_id=scheme.special.pad,
        bos_token_id=scheme.special.begin,
        eos_token_id=scheme.special.end,
        decoder_start_token_id=scheme.special.end,
        forced_eos_token_id=None,
        **settings,
    )
    model = GenRecForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "norm" not in name:
                weight.mul_(spread if "attn" not in name else 4 * spread)
        model.final_logits_bias.normal_()
        if config.distances:
            model.model.encoder.distance_bias.normal_()
        if model.repeats is not None:
            model.repeats.weight.normal_(std=0.1)
    return model


def make_run(
    folder: Path,
    dataset: Path,
    scheme: TokenScheme | None = None,
    seed: int = 0,
    max_length: int = MAX_LENGTH,
    **model: Any,
) -> Path:
    """A finished run with random weights on a dataset; own tokens of depth 2 where no scheme is given."""
    data = load_dataset(dataset)
    if scheme is None:
        scheme = own_scheme(data.sequences, data.item_count, "random", seed=seed)
    settings: dict[str, Any] = {"preset": "tiny", "indexing": scheme.indexing, "max_length": max_length}
    config = TrainConfig(**settings, weights="made by hand")
    folder.mkdir(parents=True)
    start_run(folder, data, config, scheme)
    finish_run(folder, make_model(scheme, data.user_count, seed=seed, max_length=max_length, **model))
    return folder


def make_item_run(folder: Path, dataset: Path, model: str, seed: int = 0) -> Path:
    """A finished run of a reference model with random weights, whose scores differ clearly."""
    data = load_dataset(dataset)
    width = {} if CONFIGS[model].counted else {"d_model": 16}
    config = make_baseline_config({"model": model, "max_length": MAX_ITEMS, **width})
    built = BuiltBaseline(config, data).model
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in built.parameters():
            if weight.dim() == 2:
                weight.normal_(std=0.5)
        for part in built.modules():
            if isinstance(part, torch.nn.Embedding) and part.padding_idx is not None:
                part.weight[part.padding_idx] = 0
    folder.mkdir(parents=True)
    start_run(folder, data, config, None)
    finish_run(folder, built, result={"seconds": 1.0, "epochs": {"pretrain": 0, "finetune": 1}})
    return folder


def edit_run(folder: Path, **values: Any) -> None:
    """Change what run.json says."""
    write_json(folder / RUN_FILE, {**read_json(folder / RUN_FILE), **values})
