"""Settings of the reference models that read a few newest items and know users by rows of their own."""

from typing import Literal

from pydantic import Field

from genrec.baselines.settings.base import RankingConfig


class WindowConfig(RankingConfig):
    """Settings of a model of users and windows."""

    ahead: int = Field(ge=1)
    """Items that an example teaches: the next ones (the papers' T)."""
    user_dropout: float = Field(ge=0, le=1)
    """Share of examples whose user is shown as unknown, so that such users are served too; 1 leaves users out."""


class HGNConfig(WindowConfig):
    """Settings of HGN."""

    model: Literal["hgn"] = "hgn"
    """What is trained."""
    loss: Literal["ce", "bpr"]
    """`ce`: cross-entropy over all items; `bpr`: the paper's, against `negatives` drawn items."""


class CaserConfig(WindowConfig):
    """Settings of Caser."""

    model: Literal["caser"] = "caser"
    """What is trained."""
    horizontal: int = Field(ge=1)
    """Horizontal filters of each height from 1 to `max_length`."""
    vertical: int = Field(ge=1)
    """Vertical filters."""
    loss: Literal["ce", "bce"]
    """`ce`: cross-entropy over all items; `bce`: the paper's, against `negatives` drawn items."""
