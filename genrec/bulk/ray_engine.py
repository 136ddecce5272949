"""Parts written by a Ray cluster: Ray Data hands them to a pool of actors, each with an open model."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from genrec.bulk.job import Job
from genrec.bulk.parts import Folder, Shard
from genrec.bulk.worker import Worker
from genrec.errors import GenRecError
from genrec.folders import BUNDLE, RUN, require_kind

Batch = dict[str, np.ndarray]


def check_ray() -> None:
    """Refuse to begin without Ray.

    Raises:
        GenRecError: It is not installed.
    """
    if find_spec("ray") is None:
        raise GenRecError("--engine ray needs Ray, which is not installed; pip install 'genrec[ray]'")


def write_on_ray(
    job: Job, folder: Folder, shards: list[Shard], total: int, workers: int | None
) -> Iterator[tuple[dict[str, int], dict[str, Any]]]:
    """Write parts on Ray, as many at a time as there are workers.

    Args:
        job: Its paths, and the folder's, are seen by all machines of the cluster.
        folder: Where the parts go.
        shards: The parts.
        total: Rows of the input.
        workers: Actors; one per machine where None.

    Yields:
        Per finished part its counts and the facts of the model.

    Raises:
        GenRecError: Ray cannot be reached or failed, the cluster is too small, or the job is at fault.
    """
    with _connected() as ray:
        from ray.data import ActorPoolStrategy

        cpus, gpus, size = _shares(ray, job, workers)
        size = min(size, len(shards))
        numbers = [{"number": shard.number} for shard in shards]
        done = ray.data.from_items(numbers, override_num_blocks=len(numbers)).map_batches(
            _Actor,
            fn_constructor_args=(_for_workers(job, cpus), _absolute(folder), total),
            batch_size=1,
            compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
            num_cpus=cpus,
            num_gpus=gpus,
        )
        for row in done.iter_rows():
            report = json.loads(row["report"])
            if "error" in report:
                raise GenRecError(report["error"])
            yield report["counts"], report["facts"]


class _Actor:
    """A process on the cluster. Errors for the user travel as results: Ray would wrap them in its own."""

    def __init__(self, job: Job, folder: Folder, total: int) -> None:
        self.folder, self.total = folder, total
        self.worker: Worker | None = None
        try:
            self.worker = Worker(job)
        except GenRecError as error:
            self.error = str(error)

    def __call__(self, batch: Batch) -> Batch:
        reports = [json.dumps(self._write(int(number))) for number in batch["number"]]
        return {"report": np.array(reports)}

    def _write(self, number: int) -> dict[str, Any]:
        if self.worker is None:
            return {"error": self.error}
        try:
            counts = self.worker.write_part(self.folder, Shard(number, self.folder.count), self.total)
        except GenRecError as error:
            return {"error": str(error)}
        return {"counts": counts, "facts": self.worker.facts}


def _shares(ray: Any, job: Job, workers: int | None) -> tuple[int, int, int]:
    """CPUs and GPUs of each worker, and the number of workers."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    cores = [int(node["CPU"]) for node in nodes]
    if (workers or 1) > sum(cores):
        raise GenRecError(
            f"{workers or 1} workers are asked for, but Ray has {sum(cores)} CPUs; give --workers less"
        )
    size = workers or len(nodes)
    cpus = max(share for share in range(1, max(cores) + 1) if share == 1 or sum(n // share for n in cores) >= size)
    device = job.opening.get("device", "auto")
    gpus = sum(node.get("GPU", 0) for node in nodes)
    if device == "cuda" and gpus < size:
        raise GenRecError(f"{size} workers on --device cuda are asked for, but Ray has {gpus:.0f} GPUs")
    return cpus, int(device == "cuda" or (device == "auto" and gpus >= size)), size


def _for_workers(job: Job, cpus: int) -> Job:
    """The job by absolute paths, and with its share of a machine's cores; torch takes that from Ray."""
    opening = dict(job.opening)
    if require_kind(job.model, RUN, BUNDLE) == BUNDLE:
        opening["threads"] = opening.get("threads") or cpus
    return replace(
        job,
        model=job.model.absolute(),
        data=job.data and job.data.absolute(),
        users_file=job.users_file and job.users_file.absolute(),
        opening=opening,
    )


def _absolute(folder: Folder) -> Folder:
    return replace(folder, path=folder.path.absolute())


@contextmanager
def _connected() -> Iterator[Any]:
    """Ray, connected to RAY_ADDRESS or to a cluster of this block on this machine; quiet."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.data
    from ray.exceptions import RayError

    ours = not ray.is_initialized()
    context = ray.data.DataContext.get_current()
    bars, context.enable_progress_bars = context.enable_progress_bars, False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        if ours:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
        yield ray
    except (RayError, ConnectionError) as error:
        raise GenRecError(f"Ray failed: {str(error).strip().splitlines()[-1]}") from error
    finally:
        context.enable_progress_bars = bars
        if ours:
            ray.shutdown()
