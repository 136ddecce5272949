"""Cores that a container leaves to the process."""

import os

import pytest

from genrec.runtime.threads import usable_cores


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A root folder to write control groups into, on a machine of eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("cpu_", "cpu.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return usable_cores(tmp_path)

    return write


def test_without_control_groups(machine):
    assert machine() == 8


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("1600000 100000", 8)],
)
def test_version_2(machine, limit, cores):
    assert machine(proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_max=limit + "\n") == cores


def test_the_tightest_group_around_the_process_counts(machine):
    groups = {"sys__fs__cgroup__a__cpu_max": "300000 100000\n", "sys__fs__cgroup__a__b__cpu_max": "max 100000\n"}
    assert machine(proc__self__cgroup="0::/a/b\n", **groups) == 3


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("400000", 4)])
def test_version_1(machine, quota, cores):
    files = {
        "proc__self__cgroup": "9:name=systemd:/\n4:memory:/docker/x\n1:cpu,cpuacct:/docker/x\n0::/\n",
        "sys__fs__cgroup__cpu__cpu_cfs_quota_us": quota + "\n",
        "sys__fs__cgroup__cpu__cpu_cfs_period_us": "100000\n",
    }
    assert machine(**files) == cores


def test_an_affinity_mask_tighter_than_the_quota(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5})
    assert machine(proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_max="200000 100000\n") == 1
