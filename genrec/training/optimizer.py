"""The optimiser of a model with large ID tables: AdamW for most weights, lazy Adam for the rows of a batch.

A row's moments and weights move only in steps whose batch shows the row, so a step costs the same however many
users there are. The rows have no weight decay, which would move them all. The gradient's norm is clipped over both
kinds together, as `clip` says. Several processes share the gradients of rows here: torch's DistributedDataParallel
can do so with gloo alone, which now and then corrupts memory over it (seen with torch 2.13).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import Module
from torch.optim import AdamW, Optimizer, SparseAdam

from genrec import ranks


class AdamWithSparseRows(Optimizer):
    """AdamW and SparseAdam as one optimiser; the learning rate's schedule reaches both.

    Args:
        dense: Parameter groups of AdamW.
        sparse: Parameters with sparse gradients.
        learning_rate: The peak.
        clip: Largest norm of the whole gradient.
    """

    def __init__(
        self, dense: list[dict[str, Any]], sparse: Iterable[Tensor], learning_rate: float, clip: float
    ) -> None:
        self.parts = (AdamW(dense, lr=learning_rate, fused=True), SparseAdam(list(sparse), lr=learning_rate))
        self.clip = clip
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share_groups()

    def _share_groups(self) -> None:
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Clip, then step both."""
        self.clip_gradients()
        for part in self.parts:
            part.step()

    def clip_gradients(self) -> None:
        """Scale the gradient down where its norm exceeds `clip`; a row that the batch shows twice counts once."""
        gradients = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    parameter.grad = parameter.grad.coalesce()
                    gradients.append(parameter.grad._values())
                elif parameter.grad is not None:
                    gradients.append(parameter.grad)
        _scale(gradients, self.clip)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The state of each part."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()


def leave_to_us(model: Module, names: Iterable[str]) -> None:
    """Keep DistributedDataParallel from sharing the gradients of the weights of these names."""
    setattr(model, "_ddp_params_and_buffers_to_ignore", list(names))  # noqa: B010 - else mypy takes it for a module


def share_rows(weights: Iterable[Tensor]) -> None:
    """Give every process the mean of all processes' sparse gradients; does nothing where there is one process."""
    if ranks.world_size() > 1:
        for weight in weights:
            assert weight.grad is not None  # each batch shows users and items
            weight.grad = _mean_over_processes(weight.grad.coalesce())


def _mean_over_processes(gradient: Tensor) -> Tensor:
    rows, values = gradient.indices()[0], gradient.values()
    counts = [int(count) for count in _gather(torch.tensor([len(rows)], device=rows.device))]
    gap = max(counts) - len(rows)  # all must give as much
    found = zip(
        _gather(torch.nn.functional.pad(rows, (0, gap))),
        _gather(torch.nn.functional.pad(values, (0, 0, 0, gap))),
        counts,
        strict=True,
    )
    parts = [(rows[:count], values[:count]) for rows, values, count in found]
    rows, values = (torch.cat(column) for column in zip(*parts, strict=True))
    return torch.sparse_coo_tensor(rows.unsqueeze(0), values / len(counts), gradient.shape).coalesce()


def _gather(part: Tensor) -> list[Tensor]:
    """What each process has, in the order of their ranks; of one shape."""
    parts = [torch.empty_like(part) for _ in range(ranks.world_size())]
    distributed.all_gather(parts, part)
    return parts


def _scale(gradients: list[Tensor], largest: float) -> None:
    norm = torch.nn.utils.get_total_norm(gradients)
    factor = torch.clamp(largest / (norm + 1e-6), max=1.0)
    torch._foreach_mul_(gradients, factor)
