"""genrec: generative personalised sequential recommendation (GenRec, Cao and Liò, arXiv 2407.21191).

The command line's verbs as functions: `prepare`, `inspect`, `train`, `pretrain`, `finetune`, `evaluate`,
`compare`, `export`, and `load(MODEL).recommend(...)`. Each is imported on first use, so that `import genrec` costs
nothing.
"""

from importlib import import_module
from typing import Any

_VERBS = {
    "prepare": "genrec.data.prepare",
    "inspect": "genrec.inspection.inspect",
    "train": "genrec.training.train",
    "pretrain": "genrec.training.train",
    "finetune": "genrec.training.train",
    "evaluate": "genrec.evaluation.evaluate",
    "compare": "genrec.comparing.compare",
    "export": "genrec.exporting.bundle",
    "load": "genrec.recommend",
}

__all__ = [*_VERBS, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # costs 20 ms, which a command's start does not have to spare

        return version("genrec")
    if name in _VERBS:
        return getattr(import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'genrec' has no attribute {name!r}")
