"""exports/examples: what a consumer copies from there works, on a bundle made here."""

import json
import math
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import genrec
from genrec.exporting.bundle import export
from tests.helpers import make_dataset, make_run

EXAMPLES = Path(__file__).parents[2] / "exports" / "examples"


def test_python_without_genrec(trained):
    """In an interpreter that cannot import anything of genrec, nor torch."""
    code = (
        "import runpy, sys\n"
        "for name in ('genrec', 'torch', 'transformers', 'onnx'): sys.modules[name] = None\n"
        f"sys.argv = ['recommend.py', {str(trained.bundle)!r}, 'i7', 'i3', 'nothing known']\n"
        f"runpy.run_path({str(EXAMPLES / 'recommend.py')!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = genrec.load(trained.bundle).recommend(history=["i7", "i3"])["items"]
    found = [line.split(" ") for line in done.stdout.splitlines()]
    assert [item for item, _ in found] == [row["item"] for row in wanted]
    assert [float(score) for _, score in found] == pytest.approx([row["score"] for row in wanted], abs=1e-4)


@pytest.fixture(scope="session")
def node(request):
    """Runs the Node example with its package installed, which pytest's cache keeps."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = Path(request.config.cache.mkdir("node"))
    for name in ("package.json", "recommend.mjs"):
        shutil.copyfile(EXAMPLES / name, folder / name)
    # Its own script would fetch CUDA's libraries; the CPU's are in the package.
    env = {**os.environ, "ONNXRUNTIME_NODE_INSTALL": "skip"}
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"]
    try:
        subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=True)
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot install onnxruntime-node: {error}")

    def run(*arguments):
        command = ["node", str(folder / "recommend.mjs"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


def test_node_replays_the_golden_requests(node, trained):
    done = node(trained.bundle)
    count = len(json.loads((trained.bundle / "golden.json").read_text())["requests"])
    assert done.stdout == f"run: {count} of {count} golden requests give the same\n", done.stderr
    assert done.returncode == 0


def test_node_sees_a_difference(node, trained, tmp_path):
    shutil.copytree(trained.bundle, tmp_path / "bundle")
    golden = json.loads((tmp_path / "bundle/golden.json").read_text())
    golden["requests"][0]["outputs"]["scores"]["data"][3] += 0.01
    items = golden["requests"][3]["outputs"]["items"]["data"]
    items[0], items[1] = items[1], items[0]
    (tmp_path / "bundle/golden.json").write_text(json.dumps(golden))
    done = node(tmp_path / "bundle")
    assert done.returncode == 1
    assert done.stderr.strip() == "different: a visitor; a known user"


def test_node_recommends(node, trained):
    done = node(trained.bundle, 7, 3)
    wanted = genrec.load(trained.bundle).recommend(history=["i7", "i3"])["items"]
    found = [line.split(" ") for line in done.stdout.splitlines()]
    assert [f"i{item}" for item, _ in found] == [row["item"] for row in wanted], done.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A model `shop` for Triton, whose V2 messages are the ones in exports/examples."""
    root = tmp_path_factory.mktemp("kserve")
    run = make_run(root / "shop", make_dataset(root / "data"))
    export(run, root / "repository", k=5, target="triton")
    return root / "repository" / "shop"


def messages(folder):
    return [json.loads((folder / f"kserve_{name}.json").read_text()) for name in ("request", "response")]


def tensors(message, side):
    """The tensors of a V2 message as arrays, each checked by V2's rules."""
    types = {"INT64": (np.int64, int), "BOOL": (np.bool_, bool), "FP32": (np.float32, float)}
    arrays = {}
    for tensor in message[side]:
        assert tensor.keys() == {"name", "datatype", "shape", "data"}
        dtype, kind = types[tensor["datatype"]]
        assert all(type(size) is int and size > 0 for size in tensor["shape"])
        assert len(tensor["data"]) == math.prod(tensor["shape"])
        assert all(type(number) is kind for number in tensor["data"])
        arrays[tensor["name"]] = np.array(tensor["data"], dtype).reshape(tensor["shape"])
    return arrays


def test_kserve_messages(shop, tmp_path, monkeypatch):
    """The published pair is what the script makes of this model, and the model gives the response."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kserve.py", str(shop), "3"])
    runpy.run_path(str(EXAMPLES / "kserve.py"))
    for folder in (tmp_path, EXAMPLES):
        request, response = messages(folder)
        assert request.keys() == {"id", "inputs"}
        assert response.keys() == {"model_name", "model_version", "id", "outputs"}
        assert (response["model_name"], response["model_version"]) == ("shop", "1")
        assert request["id"] == response["id"] == "a known user"
        session = onnxruntime.InferenceSession(shop / "1/model.onnx", providers=["CPUExecutionProvider"])
        items, scores = session.run(["items", "scores"], tensors(request, "inputs"))
        wanted = tensors(response, "outputs")
        assert items.tolist() == wanted["items"].tolist()
        np.testing.assert_allclose(scores, wanted["scores"], atol=1e-4)
