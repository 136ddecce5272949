"""Choosing what a session runs on."""

import pytest

from genrec.doctor import _tiny_model
from genrec.errors import GenRecError
from genrec.runtime import sessions
from genrec.runtime.sessions import CPU, CUDA, open_session


def test_the_cpu_always_works():
    assert open_session(_tiny_model(), "cpu")[1:] == (CPU, None)


def test_an_unknown_device():
    with pytest.raises(GenRecError, match="device 'tpu' is unknown; choose one of: auto, cpu, cuda"):
        open_session(_tiny_model(), "tpu")


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_not_tried(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not sessions.nvidia_visible()


@pytest.fixture
def broken_cuda(monkeypatch):
    monkeypatch.setattr(sessions, "nvidia_visible", lambda: True)
    monkeypatch.setattr(sessions, "try_provider", lambda *_: (None, "libcublas is missing"))


def test_cuda_that_does_not_work_falls_back_and_says_why(broken_cuda):
    assert open_session(_tiny_model())[1:] == (CPU, "libcublas is missing")


def test_cuda_asked_for_and_absent(broken_cuda):
    with pytest.raises(GenRecError, match=r"cannot use it \(libcublas is missing\); use --device cpu"):
        open_session(_tiny_model(), "cuda")


def test_trying_a_provider_is_quiet(capfd):
    session, why = sessions.try_provider(_tiny_model(), CUDA)
    assert session is not None or why
    assert "\n" not in why
    assert capfd.readouterr() == ("", "")


def test_the_line_that_names_the_missing_library():
    log = (
        "\x1b[1;31m2026 [E:onnxruntime:Default, provider_bridge_ort.cc:1] Failed to load library "
        "libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file\n"
        "more\n"
    )
    assert sessions._reason(log) == "libcublasLt.so.12: cannot open shared object file"
    assert sessions._reason("") == "the provider did not start"
