"""The architecture: imports run one way, and what must stay light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"errors", "ids", "leftovers", "files", "folders", "progress", "config", "settings"}
    | {"placement", "device", "scoring", "batching"},
    {"data", "indexing", "model", "decoding", "baselines", "histories", "trained"},
    {"evaluation", "training", "exporting", "runtime", "recommend", "bulk", "doctor", "inspection"},
    {"comparing"},
]
"""From the bottom to the top; a layer imports itself and those below."""


def layer_of(module: str) -> int | None:
    part = module.split(".")[1] if "." in module else ""
    return next((number for number, names in enumerate(LAYERS) if part in names), None)


def imports(path: Path) -> list[str]:
    """Every module of ours that a file names in an import, in functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return [name for name in names if name.startswith("genrec")]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "genrec").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_run_downwards(path):
    relative = path.relative_to(ROOT).with_suffix("")
    own = layer_of(".".join(relative.parts))
    for name in imports(path):
        assert not name.startswith("genrec_cli"), f"the library imports the command line: {name}"
        below = layer_of(name)
        assert own is None or below is None or below <= own, f"{relative} imports {name} from a higher layer"


COMMANDS = [
    "prepare",
    "inspect",
    "train",
    "pretrain",
    "finetune",
    "eval",
    "compare",
    "export",
    "recommend",
    "doctor",
]
HEAVY = ["torch", "transformers", "duckdb", "pyarrow", "onnxruntime", "numpy"]


@pytest.mark.parametrize("arguments", [["--help"], *[[command, "--help"] for command in COMMANDS]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from genrec_cli.main import app\n"
        f"try: app({arguments!r}, prog_name='genrec')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout
    assert arguments == ["--help"] or "Example" in done.stdout


def test_the_library_neither_prints_nor_exits():
    for path in (ROOT / "genrec").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("print", "exit", "quit"), f"{path.name}:{node.lineno}"
