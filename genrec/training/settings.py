"""Settings of whichever model is trained; torch is not imported."""

from typing import Any

from genrec.baselines.settings import BaselineConfig, make_baseline_config
from genrec.config import GENREC, TrainConfig
from genrec.settings import make_config


def make_settings(given: dict[str, Any]) -> TrainConfig | BaselineConfig:
    """Complete and check the settings of the model that `given` names, GenRec where it names none.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    return make_config(given) if given.get("model", GENREC) == GENREC else make_baseline_config(given)
