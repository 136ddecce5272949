"""Settings of the reference models that are Transformers."""

from typing import Literal

from pydantic import Field

from genrec.baselines.settings.base import BaselineConfig, TargetsConfig


class TransformerConfig(BaselineConfig):
    """The shape of a Transformer."""

    layers: int = Field(ge=1)
    """Self-attention blocks."""
    heads: int = Field(ge=1)
    """Attention heads; they divide `d_model`."""
    ffn_dim: int = Field(ge=1)
    """Inner width of the feed-forward networks."""

    def faults(self) -> list[str]:
        """What does not fit together."""
        found = super().faults()
        if self.d_model % self.heads:
            found.append(f"d_model {self.d_model} must be a multiple of heads {self.heads}")
        return found


class SASRecConfig(TransformerConfig, TargetsConfig):
    """Settings of SASRec."""

    model: Literal["sasrec"] = "sasrec"
    """What is trained."""
    loss: Literal["ce", "bce"]
    """`ce`: cross-entropy over all items; `bce`: the paper's, against `negatives` drawn items."""
