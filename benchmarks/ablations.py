"""What each setting is worth: a table of runs that differ from a preset, for docs/ablations.md.

Example: python benchmarks/ablations.py runs/small runs/no-item-loss runs/users

Prints Markdown. A row's command is what, by `run.json`, differs from the preset; the values are those by which the
training chose the shares of its mixture: validation NDCG@10, seen items out.
"""

import json
import sys
from pathlib import Path
from typing import Any

from genrec.config import TrainConfig
from genrec.files import read_json
from genrec.ids import RUN_FILE
from genrec.progress import describe_time
from genrec.settings import make_config


def main(runs: list[Path]) -> str:
    """The table, in the order of the runs."""
    header = ["`genrec train data/beauty -o RUN ...`", "decoder alone", "with item head", "with prior"]
    header += ["best epoch", "training"]
    lines = [header, ["---"] * len(header), *map(row, runs)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(run: Path) -> list[str]:
    """A run's command and values."""
    info = read_json(run / RUN_FILE)
    result = info["result"]
    head, prior = (result.get(part, {}).get("tried", {}) for part in ("item_head", "prior"))
    whole = result.get("item_head", {}).get("tried_with_prior") or prior
    values = [(head or prior)["0.0"], *(max(tried.values()) if tried else None for tried in (head, whole))]
    best, last = result["best"]["epoch"], result["epochs"]["finetune"]
    told = ["-" if value is None else f"{value:.4f}" for value in values]
    config = TrainConfig(**info["config"]).model_dump()  # with settings that the run is older than
    return [command(config), *told, f"{best} of {last}", describe_time(result["seconds"])]


def command(config: dict[str, Any]) -> str:
    """The options that make a configuration of its preset.

    >>> command({"preset": "small", "seed": 3, "dropout": 0.25, "user_buckets": None})
    '`--preset small --set dropout=0.25 --set user_buckets=null --seed 3`'
    """
    preset = make_config({"preset": config["preset"]}).model_dump()
    changed = {name: value for name, value in config.items() if name != "seed" and preset.get(name) != value}
    sets = [
        f"--set {name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in changed.items()
    ]
    return f"`{' '.join(['--preset', config['preset'], *sets, '--seed', str(config['seed'])])}`"


if __name__ == "__main__":
    print(main([Path(name) for name in sys.argv[1:]]))
