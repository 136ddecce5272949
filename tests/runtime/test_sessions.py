"""Choosing what a session runs on: onnxruntime's own words, at its boundary, with and without a GPU."""

import os

import numpy as np
import onnxruntime
import pytest

from genrec.doctor import _tiny_model
from genrec.errors import GenRecError
from genrec.placement import Placement
from genrec.runtime import providers, sessions
from genrec.runtime.providers import CPU, CUDA, TENSORRT, engine_folder
from genrec.runtime.sessions import open_session, try_provider

GRAPH = "0123456789abcdef0123"

WALL = (
    "\x1b[1;31m2026-11-24 03:20:51.566627358 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] "
    "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& "
    "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
    "/lib/onnxruntime/capi/libonnxruntime_providers_cuda.so with error: {library}: cannot open shared object "
    "file: No such file or directory\n\x1b[m\n\x1b[0;93m2026-11-24 03:20:51.566652670 [W:onnxruntime:Default, "
    "onnxruntime_pybind_state.cc:1295 CreateExecutionProviderFactoryInstance] Failed to create "
    "CUDAExecutionProvider. Require cuDNN 9.* and CUDA 13.*. Please install all dependencies as mentioned in the "
    "GPU requirements page, make sure they're in the PATH, and that your GPU is supported.\x1b[m\n"
)
"""What onnxruntime 1.31 prints of a missing library, however low its log level."""

PLUGINS = (
    "/onnxruntime_src/onnxruntime/python/onnxruntime_pybind_state.cc:729 void onnxruntime::python::"
    "RegisterTensorRTPluginsAsCustomOps(PySessionOptions&, const onnxruntime::ProviderOptions&) Please install "
    "TensorRT libraries as mentioned in the GPU requirements page, make sure they're in the PATH or "
    "LD_LIBRARY_PATH, and that your GPU is supported.\n"
)
DRIVER = (
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 CUDA failure 35: CUDA driver version is "
    "insufficient for CUDA runtime version ; GPU=-1 ; hostname=box ; file=cuda_execution_provider.cc ; line=282 ; "
    "expr=cudaSetDevice(info_.device_id);"
)


class Machine:
    """Pretends to be a machine on which only some providers work; remembers what was asked of onnxruntime."""

    def __init__(self, monkeypatch, tmp_path):
        self.walls, self.errors, self.asked = {}, {}, []
        self.real = onnxruntime.InferenceSession
        monkeypatch.setenv("GENREC_CACHE", str(tmp_path))
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.open)
        for module in (providers, sessions):
            monkeypatch.setattr(module, "nvidia_visible", lambda: True)

    def open(self, model, options, providers, enable_fallback):
        """A session as onnxruntime makes it without its fallback: an error, or a quiet step down to the CPU."""
        assert not enable_fallback
        first = providers[0][0]
        self.asked.append(providers)
        os.write(2, self.walls.get(first, "").encode())
        if first in self.errors:
            raise self.errors[first]
        session = self.real(model, options, providers=[CPU])
        runs = CPU if first in self.walls else first
        session.get_providers = lambda: list(dict.fromkeys([runs, CPU]))
        return session

    def breaks(self, provider, library):
        self.walls[provider] = WALL.format(library=library)
        if provider == TENSORRT:
            self.errors[provider] = RuntimeError(PLUGINS)

    @property
    def tried(self):
        return [names[0][0] for names in self.asked]


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    return Machine(monkeypatch, tmp_path)


def opened(graph=GRAPH, **placement):
    return open_session(_tiny_model(), Placement(**placement), graph)


def build_engines():
    engine_folder(GRAPH).mkdir(parents=True)
    (engine_folder(GRAPH) / "graph_0_sm90.engine").touch()


def test_the_cpu_always_works():
    assert opened(device="cpu")[1:] == opened(provider="cpu")[1:] == (CPU, None)


def test_the_best_that_works(gpu):
    assert opened()[1:] == opened(device="cuda")[1:] == (CUDA, None)
    assert opened(provider="cpu")[1:] == opened(device="cpu")[1:] == (CPU, None)
    assert gpu.tried == [CUDA, CUDA, CPU, CPU]


def test_tensorrt_where_it_is_asked_for_or_has_its_engines(gpu, tmp_path):
    assert opened(provider="tensorrt")[1:] == (TENSORRT, None)
    names, options = zip(*gpu.asked[0], strict=True)
    assert names == (TENSORRT, CUDA, CPU)
    assert options[0]["trt_engine_cache_path"] == str(tmp_path / "tensorrt" / GRAPH[:16])
    assert engine_folder(GRAPH).is_dir()
    assert opened().provider == CUDA
    (engine_folder(GRAPH) / "graph_0_sm90.engine").touch()
    assert opened()[1:] == opened(device="cuda")[1:] == (TENSORRT, None)
    assert opened("another graph").provider == CUDA


def test_scores_on_cuda_keep_all_their_digits(gpu):
    opened()
    assert dict(gpu.asked[0])[CUDA]["use_tf32"] == "0"


def test_what_does_not_work_is_told_and_the_next_taken(gpu, capfd):
    gpu.breaks(CUDA, "libcublasLt.so.13")
    session, provider, trouble = opened()
    assert provider == CPU
    assert trouble == (
        "onnxruntime cannot use cuda: libcublasLt.so.13 is missing; pip install 'onnxruntime-gpu[cuda,cudnn]'"
    )
    assert session.run(None, {"x": np.ones(1, np.float32)})[0].tolist() == [2]
    assert capfd.readouterr() == ("", "")


def test_tensorrt_that_does_not_work_leaves_it_to_cuda(gpu):
    build_engines()
    gpu.breaks(TENSORRT, "libnvinfer.so.10")
    wanted = "onnxruntime cannot use tensorrt: libnvinfer.so.10 is missing; pip install 'tensorrt==10.*'"
    assert opened()[1:] == (CUDA, wanted)
    gpu.breaks(CUDA, "libcudart.so.13")
    provider, trouble = opened()[1:]
    assert provider == CPU
    assert trouble.startswith(wanted + "; onnxruntime cannot use cuda: libcudart.so.13 is missing")


@pytest.mark.parametrize(
    ("library", "told"),
    [
        ("libcublasLt.so.13", "libcublasLt.so.13 is missing; pip install 'onnxruntime-gpu[cuda,cudnn]'"),
        ("libcudnn.so.9", "libcudnn.so.9 is missing; pip install 'onnxruntime-gpu[cuda,cudnn]'"),
        (
            "libcuda.so.1",
            "libcuda.so.1 is missing; install the NVIDIA driver, or start the container",
        ),
    ],
)
def test_what_is_asked_for_by_name_must_work(gpu, capfd, library, told):
    gpu.breaks(CUDA, library)
    for name in ("device", "provider"):
        with pytest.raises(GenRecError) as caught:
            opened(**{name: "cuda"})
        message = str(caught.value)
        assert message.startswith(f"--{name} cuda was asked for, but onnxruntime cannot use cuda: {told}")
        assert message.endswith(f"; or use --{name} cpu, or see genrec doctor")
        assert "\n" not in message
        assert "\x1b" not in message
    assert gpu.tried == [CUDA, CUDA]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            DRIVER,
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version; update the",
        ),
        (PLUGINS, "Please install TensorRT libraries; pip install tensorrt"),
        (
            'Error loading "C:\\providers_cuda.dll" which depends on "cublasLt64_13.dll" which is missing',
            "cublasLt64_13.dll is missing; pip install 'onnxruntime-gpu[cuda,cudnn]'",
        ),
        ("something new\nat line 7", "something new; see what it requires at https://onnxruntime"),
        ("", "the provider did not start; see what it requires at https://onnxruntime"),
    ],
)
def test_other_failures(gpu, text, told):
    gpu.errors[TENSORRT] = RuntimeError(text)
    with pytest.raises(GenRecError) as caught:
        opened(provider="tensorrt")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_onnxruntime_without_cuda(gpu, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(GenRecError, match=r"has no CUDAExecutionProvider; .*pip install onnxruntime-gpu; or use"):
        opened(provider="cuda")


def test_a_gpu_is_not_tried_where_none_is_visible(gpu, monkeypatch):
    monkeypatch.setattr(providers, "nvidia_visible", lambda: False)
    assert opened()[1:] == (CPU, None)
    assert gpu.tried == [CPU]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_not_visible(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not providers.nvidia_visible()


@pytest.mark.parametrize("provider", [TENSORRT, CUDA])
def test_trying_the_installed_onnxruntime_is_quiet_and_takes_one_line(capfd, provider):
    session, why = try_provider(_tiny_model(), provider)
    assert (session is None) == bool(why)
    assert "\n" not in why
    assert "\x1b" not in why
    assert capfd.readouterr() == ("", "")


def test_threads_reach_onnxruntime_and_rest_between_requests():
    options = opened(threads=3, provider="cpu").session.get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
