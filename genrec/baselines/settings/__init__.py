"""Settings of the reference models; their defaults, each with its source, stand in defaults.toml.

torch is not imported here, so that a wrong setting is told at once.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from genrec.baselines.settings.attention import BERT4RecConfig, FDSAConfig, S3RecConfig, SASRecConfig
from genrec.baselines.settings.base import BaselineConfig, CountedConfig, PopularityConfig, TransitionsConfig
from genrec.baselines.settings.recurrent import GRU4RecConfig
from genrec.baselines.settings.text import P5Config
from genrec.baselines.settings.windowed import CaserConfig, HGNConfig
from genrec.config import GENREC, TrainConfig, TrainerConfig
from genrec.settings import check_config

__all__ = [
    "CONFIGS",
    "P5",
    "BERT4RecConfig",
    "BaselineConfig",
    "CaserConfig",
    "CountedConfig",
    "FDSAConfig",
    "GRU4RecConfig",
    "HGNConfig",
    "P5Config",
    "PopularityConfig",
    "S3RecConfig",
    "SASRecConfig",
    "TransitionsConfig",
    "make_baseline_config",
]

P5: Final = "p5"
"""The reference model that generates item tokens; the others score items."""

CONFIGS: Final[Mapping[str, type[TrainerConfig]]] = {
    GENREC: TrainConfig,
    "bert4rec": BERT4RecConfig,
    "caser": CaserConfig,
    "fdsa": FDSAConfig,
    "gru4rec": GRU4RecConfig,
    "hgn": HGNConfig,
    P5: P5Config,
    "s3rec": S3RecConfig,
    "sasrec": SASRecConfig,
    "popularity": PopularityConfig,
    "transitions": TransitionsConfig,
}
"""Every model that can be trained, or counted, and its settings."""


def make_baseline_config(given: dict[str, Any]) -> BaselineConfig:
    """Complete and check the settings of the reference model that `given["model"]` names.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    name = str(given["model"])
    kind = CONFIGS[name]
    assert issubclass(kind, BaselineConfig)  # GenRec's settings are made by genrec.config
    defaults = tomllib.loads((files("genrec.baselines") / "defaults.toml").read_text(encoding="utf-8"))
    return check_config(kind, kind.complete(given, defaults[name]))
