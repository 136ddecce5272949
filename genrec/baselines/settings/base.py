"""What the settings of the reference models have in common."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from genrec.config import TrainerConfig


class BaselineConfig(TrainerConfig):
    """What the settings of all reference models have in common."""

    pretrains: ClassVar[bool] = False
    """Whether the model has a pretraining."""
    gradient_checkpointing: ClassVar[bool] = False
    torch_compile: ClassVar[bool] = False
    sparse_ids: ClassVar[bool] = False
    prior: ClassVar[str] = "none"
    """These four are GenRec's."""

    max_length: int = Field(ge=1, le=16384)
    """Items of a history that the model reads; the newest are kept."""

    @classmethod
    def complete(cls, given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        """All settings.

        Args:
            given: Those that were asked for.
            defaults: The model's section of defaults.toml.
        """
        return {**defaults, **given}

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


class CountedConfig(BaselineConfig):
    """Settings of a model that counts once and has nothing to train."""

    counted: ClassVar[bool] = True

    def faults(self) -> list[str]:
        """What does not fit together."""
        epochs = self.pretrain_epochs or self.finetune_epochs
        return [f"{self.model} counts once, in no epochs; leave pretrain_epochs and finetune_epochs at 0"] * bool(
            epochs
        )


class PopularityConfig(CountedConfig):
    """Settings of the most popular items."""

    model: Literal["popularity"] = "popularity"
    """What is counted."""


class TransitionsConfig(CountedConfig):
    """Settings of transition counts."""

    model: Literal["transitions"] = "transitions"
    """What is counted."""


class NetworkConfig(BaselineConfig):
    """What the settings of all models that are trained have in common."""

    d_model: int = Field(ge=1)
    """Width of the model."""
    dropout: float = Field(ge=0, lt=1)
    """Share of activations dropped in training."""


class RankingConfig(NetworkConfig):
    """Settings of a model whose loss may compare each target with all items or with a few drawn ones."""

    loss: Literal["ce", "bce", "bpr", "top1", "bpr-max"]
    """`ce`: cross-entropy over all items; the others, of which each model knows its paper's, compare with
    `negatives` drawn items."""
    negatives: int = Field(ge=1)
    """Items drawn for each target, unless `loss=ce`."""


class TargetsConfig(RankingConfig):
    """Settings of a model that predicts after each item of a sequence."""

    targets: Literal["last", "every"]
    """`last`: each prefix of a sequence is an example with one target; `every`: one pass teaches all its items."""
