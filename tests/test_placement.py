"""Where to compute: what makes no sense is refused in one line."""

from pathlib import Path

import pytest

from genrec.errors import GenRecError
from genrec.placement import Placement


@pytest.mark.parametrize(
    ("placement", "told"),
    [
        (Placement(device="tpu"), "device 'tpu' is unknown; choose one of: auto, cpu, cuda"),
        (Placement(provider="gpu"), "provider 'gpu' is unknown; choose one of: auto, tensorrt, cuda, cpu"),
        (Placement("cpu", "cuda"), "device cpu and provider cuda contradict each other"),
        (Placement("cpu", "tensorrt"), "device cpu and provider tensorrt contradict each other"),
        (Placement("cuda", "cpu"), "device cuda and provider cpu contradict each other"),
        (Placement(threads=0), "threads is 0; give a whole number from 1 on"),
    ],
)
def test_nonsense(placement, told):
    with pytest.raises(GenRecError, match=told):
        placement.check()


@pytest.mark.parametrize("pair", [("auto", "cuda"), ("cuda", "tensorrt"), ("cuda", "cuda"), ("cpu", "cpu")])
def test_what_agrees(pair):
    Placement(*pair).check()


def test_a_run_has_no_provider_and_no_threads():
    Placement("cpu").check_run(Path("runs/ml"))
    for placement in (Placement(provider="cpu"), Placement(threads=2)):
        with pytest.raises(GenRecError, match=r"runs/ml is a run, .* use --device, or export it"):
            placement.check_run(Path("runs/ml"))
