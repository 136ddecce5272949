"""The optimiser of a model with large ID tables: AdamW for most weights, lazy Adam for the rows of a batch.

A row's moments and weights move only in steps whose batch shows the row, so a step costs the same however many
users there are. The rows have no weight decay, which would move them all. The gradient's norm is clipped over both
kinds together, as `clip` says.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer, SparseAdam


class AdamWithSparseRows(Optimizer):
    """AdamW and SparseAdam as one optimiser; the learning rate's schedule reaches both.

    Args:
        dense: Parameter groups of AdamW.
        sparse: Parameters with sparse gradients.
        learning_rate: The peak.
        clip: Largest norm of the whole gradient.
    """

    def __init__(
        self, dense: list[dict[str, Any]], sparse: Iterable[Parameter], learning_rate: float, clip: float
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


def _scale(gradients: list[Tensor], largest: float) -> None:
    norm = torch.nn.utils.get_total_norm(gradients)
    factor = torch.clamp(largest / (norm + 1e-6), max=1.0)
    torch._foreach_mul_(gradients, factor)
