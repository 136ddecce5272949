"""What a training step costs as the number of users grows, with sparse and with dense ID tables."""

import statistics
import time
from typing import Any

import torch
from inference_models import make_model

from genrec.indexing.scheme import FIRST_CODE, OWN
from genrec.indexing.tokens import TokenScheme, pad_rows
from genrec.training.optimizer import AdamWithSparseRows

GROWTH = (2e4, 1e6, 1e7)
DENSE_UP_TO = 1e6
"""Users from which dense gradients and moments no longer fit into a common machine's memory."""
_SHAPE = {"d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "heads": 4, "ffn_dim": 512}
_BATCH, _LENGTH, _ITEMS, _CODES = 128, 20, 12_000, 111


def measure_users(users: int, sparse: bool, repeats: int) -> float:
    """Median seconds of a step: `small`'s shape, 128 examples of other users each time."""
    codes = [[FIRST_CODE + n // _CODES, FIRST_CODE + _CODES + n % _CODES] for n in range(_ITEMS)]
    tokens = pad_rows([[], *codes], OWN.pad)
    scheme = TokenScheme("random", tokens, tokens[:1, :1] + 4, OWN, FIRST_CODE + 2 * _CODES)
    model = make_model(_SHAPE, scheme, users, max_length=64).train()
    model.use_sparse_ids(sparse)
    optimizer = _optimizer(model, sparse)
    seconds = []
    for _ in range(4 * repeats + 3):
        batch = _batch(users)
        started = time.perf_counter()
        model(**batch).loss.backward()
        if not sparse:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[3:])


def _optimizer(model: Any, sparse: bool) -> torch.optim.Optimizer:
    if not sparse:
        return torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    encoder = model.model.encoder
    tables = [encoder.user_embedding.weight, encoder.item_embedding.weight]
    taken = {id(weight) for weight in tables}
    dense = [weight for weight in model.parameters() if id(weight) not in taken]
    return AdamWithSparseRows([{"params": dense, "weight_decay": 0.01}], tables, 1e-4, 1.0)


def _batch(users: int) -> dict[str, torch.Tensor]:
    shape = (_BATCH, _LENGTH)
    user_ids = torch.zeros(shape, dtype=torch.int64)
    user_ids[:, 1] = torch.randint(1, users + 1, (_BATCH,))
    return {
        "input_ids": torch.randint(FIRST_CODE, FIRST_CODE + 2 * _CODES, shape),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
        "user_ids": user_ids,
        "item_ids": torch.randint(1, _ITEMS + 1, shape),
        "labels": torch.randint(FIRST_CODE, FIRST_CODE + 2 * _CODES, (_BATCH, 2)),
    }
