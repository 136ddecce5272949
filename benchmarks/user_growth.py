"""What a training step costs as the number of users grows, with sparse and with dense ID tables."""

import statistics
import time
from collections.abc import Sequence
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
_BATCH, _LENGTH, _ITEMS, _CODES, _STEPS, _WARM = 128, 20, 12_000, 111, 8, 4


def measure_users(counts: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """Medians of steps of a model 128 wide, 128 examples of other users each; models take turns step by step.

    Returns:
        Per number of users {"users", "sparse": seconds, "growth": ratio to the first number's, "dense": seconds or
        None}.
    """
    sparse = [_Learner(count, sparse=True) for count in counts]
    dense = [_Learner(count, sparse=False) if count <= DENSE_UP_TO else None for count in counts]
    learners = [learner for learner in (*sparse, *dense) if learner]
    rounds = [{learner: learner.step() for learner in learners} for _ in range(_WARM + repeats * _STEPS)][_WARM:]
    return [
        {
            "users": count,
            "sparse": statistics.median(found[one] for found in rounds),
            "growth": statistics.median(found[one] / found[sparse[0]] for found in rounds),
            "dense": statistics.median(found[other] for found in rounds) if other else None,
        }
        for count, one, other in zip(counts, sparse, dense, strict=True)
    ]


class _Learner:
    """A model of so many users and its optimiser."""

    def __init__(self, users: int, sparse: bool) -> None:
        codes = [[FIRST_CODE + n // _CODES, FIRST_CODE + _CODES + n % _CODES] for n in range(_ITEMS)]
        tokens = pad_rows([[], *codes], OWN.pad)
        scheme = TokenScheme("random", tokens, tokens[:1, :1] + 4, OWN, FIRST_CODE + 2 * _CODES)
        self.users, self.sparse = users, sparse
        self.model = make_model(_SHAPE, scheme, users, max_length=64).train()
        self.model.use_sparse_ids(sparse)
        self.optimizer = _optimizer(self.model, sparse)

    def step(self) -> float:
        """Learn from a batch; the seconds that it takes."""
        batch = _batch(self.users)
        started = time.perf_counter()
        self.model(**batch).loss.backward()
        if not self.sparse:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - started


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
