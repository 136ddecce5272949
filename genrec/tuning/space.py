"""What a search may try: settings with their choices or ranges, read from TOML and checked together."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from genrec.config import SHAPE, TrainConfig
from genrec.errors import GenRecError
from genrec.settings import make_config


class Range(BaseModel):
    """An interval of numbers; whole ones if both ends are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: int | float
    """Least value."""
    high: int | float
    """Greatest value."""
    log: bool = False
    """Whether to draw evenly on a logarithmic scale."""

    def has(self, value: Any) -> bool:
        """Whether it holds a value."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self


class Choices(BaseModel):
    """Values to choose from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: list[Any] = Field(min_length=1)
    """At least one."""

    def has(self, value: Any) -> bool:
        """Whether it holds a value."""
        return value in self.values


Space = dict[str, Range | Choices]


class Trial(Protocol):
    """The part of an Optuna trial that draws settings."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...


def load_space(path: Path | None, fixed: dict[str, Any]) -> Space:
    """Read and check what to search.

    Args:
        path: TOML file; None takes genrec's own.
        fixed: Settings that were given explicitly.

    Raises:
        GenRecError: The file cannot be read, a name is no setting, a value is none that the setting takes, or a
            setting is both fixed and searched; all faults in one message.
    """
    own = path is None
    content = _read(path)
    if own:
        weights = make_config(fixed).weights
        dropped = {*fixed, *(SHAPE if weights else ())}
        content = {name: value for name, value in content.items() if name not in dropped}
    space: Space = {}
    faults = []
    for name, value in content.items():
        try:
            space[name] = _parse(name, value, fixed)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if not content:
        faults.append("nothing is left to search")
    if faults:
        raise GenRecError(f"the search space {'' if own else path} is wrong: {'; '.join(faults)}")
    return space


def suggest(space: Space, trial: Trial) -> dict[str, Any]:
    """Draw a value for each setting."""
    drawn: dict[str, Any] = {}
    for name, values in space.items():
        if isinstance(values, Choices):
            drawn[name] = trial.suggest_categorical(name, values.values)
        elif isinstance(values.low, int) and isinstance(values.high, int):
            drawn[name] = trial.suggest_int(name, values.low, values.high, log=values.log)
        else:
            drawn[name] = trial.suggest_float(name, values.low, values.high, log=values.log)
    return drawn


def as_it_is(space: Space, fixed: dict[str, Any]) -> dict[str, Any]:
    """What the settings would be without a search, as far as the space has them.

    Args:
        space: The space.
        fixed: The settings that are not searched for, the preset among them.
    """
    config = make_config(fixed).model_dump()
    return {name: config[name] for name, values in space.items() if values.has(config[name])}


def describe(space: Space) -> dict[str, Any]:
    """The space as JSON."""
    return {
        name: values.values if isinstance(values, Choices) else values.model_dump()
        for name, values in space.items()
    }


def _read(path: Path | None) -> dict[str, Any]:
    source = path or files("genrec.tuning") / "space.toml"
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GenRecError(f"the search space {path} does not exist") from error
    except (OSError, ValueError) as error:
        raise GenRecError(f"the search space {path} is no readable TOML: {error}") from error


def _parse(name: str, value: Any, fixed: dict[str, Any]) -> Range | Choices:
    if name not in TrainConfig.model_fields or name in ("model", "seed", "preset", "beams"):
        raise ValueError("this is no setting that can be searched")
    if name in fixed:
        raise ValueError(f"it is fixed at {fixed[name]} too; leave one of the two out")
    try:
        parsed = Choices(values=value) if isinstance(value, list) else Range.model_validate(value)
    except ValidationError as error:
        messages = [fault["msg"].removeprefix("Value error, ") for fault in error.errors()]
        raise ValueError(
            f"give a list of choices or {{low = , high = , log = }}: {'; '.join(messages)}"
        ) from error
    for bound in parsed.values if isinstance(parsed, Choices) else (parsed.low, parsed.high):
        try:
            make_config({**fixed, name: bound})
        except GenRecError as error:
            raise ValueError(str(error).removeprefix("the settings are wrong: ")) from error
    return parsed
