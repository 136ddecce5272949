"""Sparse rows: the same update as Adam's where every step shows every row, none elsewhere, clipped as one norm."""

import pytest
import torch
from torch import nn

from genrec.training.optimizer import AdamWithSparseRows

ROWS, WIDTH = 6, 4


def tables(sparse: bool) -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"ids": nn.Embedding(ROWS, WIDTH, sparse=sparse), "head": nn.Linear(WIDTH, 3)})


def loss_of(model, rows):
    return model["head"](model["ids"](rows)).square().sum()


def optimizer_of(model, clip=1e9):
    dense = [{"params": list(model["head"].parameters()), "weight_decay": 0.01}]
    return AdamWithSparseRows(dense, [model["ids"].weight], 0.1, clip)


def test_rows_that_every_step_shows_move_as_under_adam():
    everything = torch.arange(ROWS)
    sparse, dense = tables(True), tables(False)
    ours = optimizer_of(sparse)
    groups = [
        {"params": list(dense["head"].parameters()), "weight_decay": 0.01},
        {"params": [dense["ids"].weight], "weight_decay": 0.0},
    ]
    peer = torch.optim.AdamW(groups, lr=0.1)
    for _ in range(5):
        for model, optimizer in ((sparse, ours), (dense, peer)):
            loss_of(model, everything).backward()
            optimizer.step()
            optimizer.zero_grad()
    for name, weight in dense.state_dict().items():
        torch.testing.assert_close(sparse.state_dict()[name], weight, msg=name)


def test_rows_that_a_step_does_not_show_stay():
    model = tables(True)
    optimizer = optimizer_of(model)
    before = model["ids"].weight.detach().clone()
    for _ in range(3):
        loss_of(model, torch.tensor([1, 4, 4])).backward()
        optimizer.step()
        optimizer.zero_grad()
    moved = (model["ids"].weight != before).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]


def test_the_norm_is_clipped_over_both_kinds():
    sparse, dense = tables(True), tables(False)
    rows = torch.tensor([2, 2, 5])
    loss_of(sparse, rows).backward()
    loss_of(dense, rows).backward()
    optimizer_of(sparse, clip=0.5).clip_gradients()
    torch.nn.utils.clip_grad_norm_(dense.parameters(), 0.5)
    torch.testing.assert_close(sparse["ids"].weight.grad.to_dense(), dense["ids"].weight.grad)
    torch.testing.assert_close(sparse["head"].weight.grad, dense["head"].weight.grad)


def test_its_state_is_saved_and_the_schedule_reaches_both_parts():
    def run(stop: int | None) -> nn.ModuleDict:
        model = tables(True)
        optimizer = optimizer_of(model)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
        for step in range(6):
            if step == stop:
                state = optimizer.state_dict(), schedule.state_dict()
                optimizer = optimizer_of(model)
                schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
                optimizer.load_state_dict(state[0])
                schedule.load_state_dict(state[1])
            loss_of(model, torch.tensor([step, 3])).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1 / 7] * 2)
        return model

    for first, second in zip(run(None).parameters(), run(3).parameters(), strict=True):
        assert torch.equal(first, second)
