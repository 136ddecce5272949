"""Settings of the reference models that are Transformers."""

from typing import ClassVar, Literal

from pydantic import Field

from genrec.baselines.settings.base import NetworkConfig, TargetsConfig


class TransformerConfig(NetworkConfig):
    """The shape of a Transformer."""

    layers: int = Field(ge=1)
    """Self-attention blocks."""
    heads: int = Field(ge=1)
    """Attention heads; they divide `d_model`."""
    ffn_dim: int = Field(ge=1)
    """Inner width of the feed-forward networks."""
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    """Share of attention's weights dropped in training; None: as `dropout`."""

    def faults(self) -> list[str]:
        """What does not fit together."""
        found = super().faults()
        if self.d_model % self.heads:
            found.append(f"d_model {self.d_model} must be a multiple of heads {self.heads}")
        return found


class CausalConfig(TransformerConfig, TargetsConfig):
    """Settings of a Transformer that predicts from the items before."""

    loss: Literal["ce", "bce"]
    """`ce`: cross-entropy over all items; `bce`: SASRec's paper's, against `negatives` drawn items."""


class SASRecConfig(CausalConfig):
    """Settings of SASRec."""

    model: Literal["sasrec"] = "sasrec"
    """What is trained."""


class FDSAConfig(CausalConfig):
    """Settings of FDSA."""

    model: Literal["fdsa"] = "fdsa"
    """What is trained."""


class BERT4RecConfig(TransformerConfig):
    """Settings of BERT4Rec."""

    model: Literal["bert4rec"] = "bert4rec"
    """What is trained."""
    mask_share: float = Field(gt=0, lt=1)
    """Share of an example's items that are hidden (the paper's rho)."""
    newest_share: float = Field(ge=0, le=1)
    """Share of examples that hide their newest item alone, as every prediction does."""
    prefixes: Literal["all", "last"]
    """Examples: every prefix of the training sequence, or only the longest."""


class S3RecConfig(CausalConfig):
    """Settings of S3-Rec."""

    pretrains: ClassVar[bool] = True
    """Whether the model has a pretraining."""

    model: Literal["s3rec"] = "s3rec"
    """What is trained."""
    mask_share: float = Field(gt=0, lt=1)
    """Share of a sequence's items that pretraining hides."""
    aap: float = Field(ge=0)
    """Weight of associated attribute prediction: an item tells its attributes."""
    mip: float = Field(ge=0)
    """Weight of masked item prediction."""
    map: float = Field(ge=0)
    """Weight of masked attribute prediction: those of the hidden items."""
    sp: float = Field(ge=0)
    """Weight of segment prediction: the rest of a sequence tells a hidden stretch of it from a stranger's."""

    def faults(self) -> list[str]:
        """What does not fit together."""
        found = super().faults()
        if self.max_length < 2:
            found.append("max_length 1 leaves nothing to pretrain on")
        if self.pretrain_epochs and not self.aap + self.mip + self.map + self.sp:
            found.append("aap, mip, map and sp are all 0: nothing to pretrain; set pretrain_epochs=0")
        return found
