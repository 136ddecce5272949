"""What Ray writes is what one process writes."""

from dataclasses import replace
from pathlib import Path

import pytest

from genrec.bulk import Job, ray_engine, recommend_to_many
from genrec.errors import GenRecError
from tests.bulk.test_parts import assert_same, read, times, users_file  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def ray():
    """A local Ray that the tests share."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
        yield ray
        ray.shutdown()


@pytest.mark.parametrize(("kind", "everybody"), [("bundle", False), ("bundle", True), ("run", False)])
def test_the_same_rows(ray, trained, users_file, tmp_path, monkeypatch, kind, everybody):  # noqa: F811
    job = Job(getattr(trained, kind), None if everybody else users_file, k=5, deny=("i3", "x"))
    local = recommend_to_many(job, tmp_path / "local", parts=3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(job.model)
    relative = replace(job, model=Path("model"))
    result = recommend_to_many(relative, "ray", parts=3, engine="ray", workers=2)
    same = ("users", "known_users", "unknown_items", "rows", "unknown_deny", "backend", "provider", "parts")
    assert [result[name] for name in same] == [local[name] for name in same]
    assert times(tmp_path / "ray").keys() == times(tmp_path / "local").keys()
    assert_same(read(tmp_path / "ray"), read(tmp_path / "local"))


def test_finished_parts_are_not_redone(ray, trained, users_file, tmp_path):  # noqa: F811
    job, out = Job(trained.bundle, users_file), tmp_path / "parts"
    recommend_to_many(job, out, parts=3)
    (out / "part-00002-of-00003.parquet").unlink()
    before = times(out)
    result = recommend_to_many(job, out, parts=3, engine="ray")
    assert (result["kept_parts"], result["users"]) == (2, 50)
    assert before.items() < times(out).items()


def test_errors_arrive_as_one_line(ray, trained, users_file, tmp_path):  # noqa: F811
    with pytest.raises(GenRecError, match=r"^k is 11, .* at most 10 items"):
        recommend_to_many(Job(trained.bundle, users_file, k=11), tmp_path / "parts", engine="ray")
    with pytest.raises(GenRecError, match=r"^the allow list allows nothing"):
        recommend_to_many(Job(trained.bundle, users_file, allow=("x",)), tmp_path / "parts", engine="ray")
    with pytest.raises(GenRecError, match="3 workers are asked for, but Ray has 2 CPUs"):
        recommend_to_many(Job(trained.bundle, users_file), tmp_path / "parts", engine="ray", workers=3)
    assert list((tmp_path / "parts").iterdir()) == []


def test_without_ray(trained, users_file, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(GenRecError, match=r"needs Ray, which is not installed; pip install 'genrec\[ray\]'"):
        recommend_to_many(Job(trained.bundle, users_file), tmp_path / "parts", engine="ray")
    assert not (tmp_path / "parts").exists()
    with pytest.raises(GenRecError, match="engine 'spark' is unknown; choose one of: local, ray"):
        recommend_to_many(Job(trained.bundle, users_file), tmp_path / "parts", engine="spark")
