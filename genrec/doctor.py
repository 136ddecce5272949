"""What genrec finds on this machine, what is missing, and how to get it."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from genrec.runtime.failures import remedy
from genrec.runtime.providers import CPU, CUDA, NAMES, nvidia_visible
from genrec.runtime.sessions import try_provider
from genrec.runtime.threads import usable_cores


def examine(folder: Path | None = None) -> dict[str, Any]:
    """Look at packages, devices, onnxruntime's providers, memory and disk.

    Args:
        folder: Whose disk to look at; by default the working directory.

    Returns:
        {"genrec", "python", "platform", "packages": {name: version or None}, "devices", "providers": {name:
        {"works", "why", "remedy"}}, "cores", "threads", "memory", "disk", "problems": [{"problem", "remedy",
        "fatal"}], "ok"}; "cores" are the machine's, "threads" those that this process may use; "ok" is false where
        something does not work at all, not where a GPU could make it faster.
    """
    folder = folder or Path.cwd()
    packages, problems = _packages()
    providers = _providers(problems)
    devices = _devices(problems)
    return {
        "genrec": version("genrec"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "devices": devices,
        "providers": providers,
        "cores": os.cpu_count(),
        "threads": usable_cores(),
        "memory": _memory(),
        "disk": {"folder": str(folder), "free_bytes": shutil.disk_usage(folder).free},
        "problems": problems,
        "ok": not any(problem["fatal"] for problem in problems),
    }


def _problem(problem: str, remedy: str, fatal: bool = True) -> dict[str, Any]:
    return {"problem": problem, "remedy": remedy, "fatal": fatal}


def _packages() -> tuple[dict[str, str | None], list[dict[str, Any]]]:
    """Versions of what genrec needs, and what is missing, too old or in conflict."""
    packages: dict[str, str | None] = {}
    problems = []
    for text in requires("genrec") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        packages[wanted.name] = found
        remedy = f"pip install '{wanted.name}{wanted.specifier}'"
        if found is None:
            problems.append(_problem(f"{wanted.name} is not installed", remedy))
        elif not wanted.specifier.contains(found, prereleases=True):
            problems.append(_problem(f"{wanted.name} {found} does not fit {wanted.specifier}", remedy))
    if _version("onnxruntime") and _version("onnxruntime-gpu"):
        remedy = "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu"
        problems.append(_problem("onnxruntime and onnxruntime-gpu overwrite each other's files", remedy))
    return packages, problems


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _providers(problems: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Which execution providers really run a graph, tried with a tiny one."""
    try:
        import onnxruntime

        model = _tiny_model()
    except ImportError as error:
        problems.append(_problem(f"onnx or onnxruntime cannot be imported: {error}", "install genrec again"))
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys([*NAMES.values(), *onnxruntime.get_available_providers()]):
        why = _trouble(name, model)
        found[name] = {"works": why is None, "why": why, "remedy": remedy(why) if why else None}
    if not found[CPU]["works"]:
        problems.append(_problem("onnxruntime cannot run on the CPU", "install onnxruntime-gpu again"))
    cuda = found[CUDA]
    if nvidia_visible() and not cuda["works"]:
        cure = f"{cuda['remedy']}; bundles run on the CPU until then"
        problems.append(_problem(f"onnxruntime cannot use the GPU: {cuda['why']}", cure, fatal=False))
    return found


def _trouble(provider: str, model: bytes) -> str | None:
    """Why a provider does not run the tiny graph; None where it does."""
    import numpy as np

    session, why = try_provider(model, provider)
    if session is None:
        return why
    try:
        (result,) = session.run(None, {"x": np.array([1.0, 2.0], np.float32)})
    except Exception as error:  # onnxruntime's errors share no base class
        return str(error).splitlines()[0]
    return None if result.tolist() == [2.0, 4.0] else f"it computes wrong results: 1 + 1 = {result[0]}"


def _tiny_model() -> bytes:
    """A graph that adds a vector to itself."""
    from onnx import TensorProto, helper

    names = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "tiny", names[:1], names[1:])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _devices(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What torch can compute on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        problems.append(_problem(f"torch cannot be imported: {error}", "install torch again"))
        return []
    devices: list[dict[str, Any]] = [{"name": "cpu", "threads": torch.get_num_threads()}]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            devices.append(
                {"name": f"cuda:{number}", "model": properties.name, "memory_bytes": properties.total_memory}
            )
    elif nvidia_visible():
        why = "torch is built without CUDA" if torch.version.cuda is None else "the driver and torch do not fit"
        remedy = "install a CUDA build of torch that the driver supports; training runs on the CPU until then"
        problems.append(_problem(f"torch cannot use the GPU: {why}", remedy, fatal=False))
    return devices


def _memory() -> dict[str, int | None]:
    """Bytes of main memory; None where the system does not say."""
    names = {"total_bytes": "SC_PHYS_PAGES", "available_bytes": "SC_AVPHYS_PAGES"}
    known = getattr(os, "sysconf_names", {})
    page = os.sysconf("SC_PAGE_SIZE") if "SC_PAGE_SIZE" in known else 0
    return {name: os.sysconf(key) * page if key in known else None for name, key in names.items()}
