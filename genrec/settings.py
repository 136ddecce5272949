"""Settings as they are given: a preset, a TOML file and `--set key=value`, merged and checked together."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError, create_model

from genrec.config import DEFAULT_PRESET, GENREC, PRESETS, SHAPE, TrainConfig, TrainerConfig
from genrec.errors import GenRecError

_GENREC_ALONE: Final[Mapping[str, type[TrainerConfig]]] = {GENREC: TrainConfig}


def preset_settings(name: str) -> dict[str, Any]:
    """The settings that a preset names.

    Raises:
        GenRecError: There is no such preset.
    """
    presets = tomllib.loads((files("genrec") / "presets.toml").read_text(encoding="utf-8"))
    if name not in presets:
        raise GenRecError(f"preset {name!r} is unknown; choose one of: {', '.join(PRESETS)}")
    return {"preset": name, **presets[name]}


def collect_settings(
    preset: str | None = None,
    config_file: Path | None = None,
    settings: dict[str, Any] | list[str] | None = None,
    seed: int | None = None,
    model: str | None = None,
    configs: Mapping[str, type[TrainerConfig]] = _GENREC_ALONE,
) -> dict[str, Any]:
    """Gather what was asked for explicitly.

    Args:
        preset: Name of a preset; the file may name one too.
        config_file: TOML file of settings.
        settings: A dict of values or a list of "key=value" texts.
        seed: The same as the setting `seed`.
        model: The same as the setting `model`.
        configs: The models that may be named, and the settings of each.

    Raises:
        GenRecError: A key or the model is unknown, or a key given two values, in one message for all faults.
    """
    faults: list[str] = []
    given: dict[str, tuple[Any, str]] = {}

    def give(key: str, value: Any, source: str) -> None:
        if key in given and given[key][0] != value:
            faults.append(f"{key} is given two values: {given[key][0]} ({given[key][1]}) and {value} ({source})")
        given.setdefault(key, (value, source))

    for key, value in (_read_toml(config_file) if config_file else {}).items():
        give(key, value, str(config_file))
    for key, value in _pairs(settings or {}, faults):
        give(key, value, "--set")
    for key, value in (("model", model), ("preset", preset), ("seed", seed)):
        if value is not None:
            give(key, value, f"--{key}")
    wanted = str(given["model"][0]) if "model" in given else GENREC
    if wanted in configs:
        faults += _unknown_keys(given, wanted, configs[wanted])
        if faults:  # else whoever completes the settings checks them
            faults += _wrong_values({key: value for key, (value, _) in given.items()}, configs[wanted])
    else:
        faults.append(f"model {wanted!r} is unknown, choose one of: {', '.join(configs)}")
    if faults:
        raise GenRecError("the settings are wrong: " + "; ".join(faults))
    return {key: value for key, (value, _) in given.items()}


def make_config(given: dict[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """Complete and check settings.

    Args:
        given: Of `collect_settings`.
        base: Where the other settings come from; by default the preset, `small` where none is named.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    if base is not None:
        defaults = base.model_dump()
    else:
        defaults = preset_settings(str(given.get("preset", DEFAULT_PRESET)))
        if "weights" in given and "weights" not in defaults:
            dropped = (*SHAPE, "distances", "encoder_attention", "encoder_merge")
            defaults = {key: value for key, value in defaults.items() if key not in dropped}
    if given.get("batch_size", defaults.get("batch_size")) != defaults.get("batch_size"):
        defaults["least_steps"] = 0  # whoever names batches wants those
    return check_config(TrainConfig, {**defaults, **given})


Config = TypeVar("Config", bound=TrainerConfig)


def check_config(kind: type[Config], values: dict[str, Any]) -> Config:
    """Settings of a kind with these values.

    Raises:
        GenRecError: Wrong values, all in one message.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        raise GenRecError(f"the settings are wrong: {_explain(error)}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GenRecError(f"the config file {path} does not exist") from error
    except (OSError, ValueError) as error:
        raise GenRecError(f"the config file {path} is no readable TOML: {error}") from error


def _pairs(settings: dict[str, Any] | list[str], faults: list[str]) -> list[tuple[str, Any]]:
    if isinstance(settings, dict):
        return list(settings.items())
    pairs = []
    for text in settings:
        key, equals, value = text.partition("=")
        if equals:
            pairs.append((key.strip(), _parse(value.strip())))
        else:
            faults.append(f"--set {text} is not key=value")
    return pairs


def _parse(value: str) -> Any:
    """Numbers as JSON writes them, true, false and null in Python's spelling too; everything else is text.

    >>> [_parse(value) for value in ("1e-3", "True", "false", "None", "transitions")]
    [0.001, True, False, None, 'transitions']
    """
    words = {"True": True, "False": False, "None": None}
    if value in words:
        return words[value]
    try:
        return json.loads(value)
    except ValueError:
        return value


def _unknown_keys(values: Iterable[str], model: str, kind: type[TrainerConfig]) -> list[str]:
    faults = []
    for key in values:
        if key == "preset" and model != GENREC:
            faults.append(f"presets are GenRec's; {model} has one set of defaults, to be changed with --set")
        elif key not in kind.model_fields:
            near = difflib.get_close_matches(key, kind.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(kind.model_fields)}"
            of = "" if model == GENREC else f" of {model}"
            faults.append(f"unknown setting {key!r}{of}, {hint}")
    return faults


def _wrong_values(values: dict[str, Any], kind: type[TrainerConfig]) -> list[str]:
    """What is wrong with settings by themselves, whatever others are."""
    fields: dict[str, Any] = {
        key: (field.annotation, field) for key, field in kind.model_fields.items() if key in values
    }
    try:
        create_model("Given", **fields)(**values)
    except ValidationError as error:
        return [_explain(error)]
    return []


def _explain(error: ValidationError) -> str:
    """What is wrong with each setting; where it may be of several kinds, what each of them would want."""
    wanted: dict[str, list[str]] = {}
    for fault in error.errors():
        setting = f"{fault['loc'][0]} = {fault['input']!r}: " if fault["loc"] else ""
        wanted.setdefault(setting, []).append(fault["msg"].removeprefix("Value error, "))
    return "; ".join(
        setting + " or ".join([first, *(other.removeprefix("Input should be ") for other in others)])
        for setting, (first, *others) in wanted.items()
    )
