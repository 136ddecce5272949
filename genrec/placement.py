"""Where a model computes: the device of both kinds, the execution provider and the threads of a bundle."""

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from genrec.errors import GenRecError

DEVICES = ("auto", "cpu", "cuda")


class Provider(StrEnum):
    """What runs a bundle; `auto` takes the fastest that works."""

    auto = "auto"
    tensorrt = "tensorrt"
    cuda = "cuda"
    cpu = "cpu"


class Placement(NamedTuple):
    """Where to compute. The device says which hardware, the provider how onnxruntime uses it.

    Attributes:
        device: "auto", "cpu" or "cuda"; for runs and bundles.
        provider: "auto", "tensorrt", "cuda" or "cpu"; for bundles.
        threads: Threads of an operator on the CPU, for bundles; None takes the cores that this process may use.
    """

    device: str = "auto"
    provider: str = Provider.auto
    threads: int | None = None

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            GenRecError: A name is unknown, device and provider contradict each other, or there is no thread.
        """
        for what, name, names in (
            ("device", self.device, DEVICES),
            ("provider", self.provider, tuple(Provider)),
        ):
            if name not in names:
                raise GenRecError(f"{what} {name!r} is unknown; choose one of: {', '.join(names)}")
        if self.provider != Provider.auto and (self.device, self.provider == Provider.cpu) in (
            ("cpu", False),
            ("cuda", True),
        ):
            raise GenRecError(
                f"device {self.device} and provider {self.provider} contradict each other; give one of the two"
            )
        if self.threads is not None and self.threads < 1:
            raise GenRecError(f"threads is {self.threads}; give a whole number from 1 on")

    def check_run(self, run: Path) -> None:
        """Refuse settings of bundles for a run.

        Raises:
            GenRecError: The provider or the threads are set.
        """
        self.check()
        if self.provider != Provider.auto or self.threads is not None:
            raise GenRecError(
                f"{run} is a run, which torch computes without onnxruntime's provider and threads; "
                "use --device, or export it to a bundle with genrec export"
            )
