"""Settings of the reference models that are recurrent networks."""

from typing import Literal

from pydantic import Field

from genrec.baselines.settings.base import TargetsConfig


class GRU4RecConfig(TargetsConfig):
    """Settings of GRU4Rec."""

    model: Literal["gru4rec"] = "gru4rec"
    """What is trained."""
    hidden: int = Field(ge=1)
    """Units of each layer."""
    layers: int = Field(ge=1)
    """Layers of gated recurrent units."""
    loss: Literal["ce", "bpr", "top1", "bpr-max"]
    """`ce`: cross-entropy over all items; `bpr`, `top1`: the first paper's, `bpr-max`: the second's, against
    `negatives` drawn items."""
