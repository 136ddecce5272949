"""Settings of the reference models; their defaults, each with its source, stand in defaults.toml.

torch is not imported here, so that a wrong setting is told at once.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from genrec.config import GENREC, TrainConfig, TrainerConfig, check_config


class BaselineConfig(TrainerConfig):
    """What the settings of all reference models have in common."""

    pretrains: ClassVar[bool] = False
    """Whether the model has a pretraining."""
    gradient_checkpointing: ClassVar[bool] = False
    torch_compile: ClassVar[bool] = False
    sparse_ids: ClassVar[bool] = False
    prior: ClassVar[str] = "none"
    """These four are GenRec's."""

    d_model: int = Field(ge=1)
    """Width of the model."""
    dropout: float = Field(ge=0, lt=1)
    """Share of activations dropped in training."""
    max_length: int = Field(ge=1, le=16384)
    """Items of a history that the model reads; the newest are kept."""

    @model_validator(mode="after")
    def _fits_together(self) -> "BaselineConfig":
        if faults := self.faults():
            raise ValueError("; ".join(faults))
        return self

    def faults(self) -> list[str]:
        """What does not fit together."""
        if self.pretrain_epochs and not self.pretrains:
            return [f"{self.model} has no pretraining; leave pretrain_epochs at 0"]
        return [] if self.pretrain_epochs or self.finetune_epochs else ["finetune_epochs is 0: nothing to train"]


class SASRecConfig(BaselineConfig):
    """Settings of SASRec."""

    model: Literal["sasrec"] = "sasrec"
    """What is trained."""
    layers: int = Field(ge=1)
    """Self-attention blocks (the paper's b)."""
    heads: int = Field(ge=1)
    """Attention heads; they divide `d_model`."""
    ffn_dim: int = Field(ge=1)
    """Inner width of the feed-forward networks."""
    targets: Literal["last", "every"]
    """`last`: each prefix of a sequence is an example with one target; `every`: one pass teaches all its items."""
    loss: Literal["ce", "bce"]
    """`ce`: cross-entropy over all items; `bce`: the paper's, against `negatives` drawn items."""
    negatives: int = Field(ge=1)
    """Items drawn for each target under `loss=bce`."""

    def faults(self) -> list[str]:
        """What does not fit together."""
        found = super().faults()
        if self.d_model % self.heads:
            found.append(f"d_model {self.d_model} must be a multiple of heads {self.heads}")
        return found


CONFIGS: Final[Mapping[str, type[TrainerConfig]]] = {GENREC: TrainConfig, "sasrec": SASRecConfig}
"""Every model that can be trained, and its settings."""


def make_baseline_config(given: dict[str, Any]) -> BaselineConfig:
    """Complete and check the settings of the reference model that `given["model"]` names.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    name = str(given["model"])
    kind = CONFIGS[name]
    assert issubclass(kind, BaselineConfig)  # GenRec's settings are made by genrec.config
    defaults = tomllib.loads((files("genrec.baselines") / "defaults.toml").read_text(encoding="utf-8"))
    return check_config(kind, {**defaults[name], **given})
