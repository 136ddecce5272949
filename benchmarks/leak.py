"""What the order of the items' tokens tells of the test item: "largest number so far + 1..5", for every indexing.

An item's number is the place of its tokens among all items' tokens, or the source's number. The rule knows nothing
else, so what it scores above chance is what the numbering gives away.

Example: python benchmarks/leak.py data/beauty data/sports data/yelp --seed 0
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.data.dataset import Dataset, load_dataset
from genrec.data.tables import read_table
from genrec.errors import GenRecError
from genrec.evaluation.metrics import summarise
from genrec.evaluation.protocol import make_cases, rank_targets
from genrec.ids import ITEM_ID, ITEMS_FILE
from genrec.indexing.evidence import read_descriptions
from genrec.indexing.rules import LEAKY_SEQUENTIAL, RULES
from genrec.indexing.scheme import own_scheme
from genrec.indexing.text import TEXT, item_numbers
from genrec.inspection.audit import NUMBERS, source_numbers
from genrec.inspection.rules import NumberingRanker
from genrec.progress import SILENT

SOURCE = "the source's numbers"


def main() -> None:
    """Parse, measure, print a table per dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="+", help="folders that genrec prepare wrote")
    parser.add_argument("--seed", type=int, default=0, help="the run's seed")
    options = parser.parse_args()
    for folder in options.datasets:
        data = load_dataset(folder)
        chance = min(1.0, NUMBERS / data.item_count)
        print(f"\n{folder.name}: {data.user_count:,} users, {data.item_count:,} items, chance {chance:.4f}\n")
        print("| numbering | HR@5 | 95 % interval | times chance |\n|---|---|---|---|")
        for name in (SOURCE, TEXT, *RULES):
            numbers = numbers_of(data, name, options.seed)
            if numbers is not None:
                hits, low, high = leaked(data, numbers)
                label = f"{name} (leaky)" if name in (SOURCE, LEAKY_SEQUENTIAL) else name
                print(f"| {label} | {hits:.4f} | {low:.4f} to {high:.4f} | {hits / chance:.1f} |")


def numbers_of(data: Dataset, name: str, seed: int) -> NDArray[np.int64] | None:
    """int64 [items]: the number of each item; None where there is no such numbering."""
    if name == SOURCE:
        return source_numbers(read_table(data.path / ITEMS_FILE, [ITEM_ID]).column(ITEM_ID).to_pylist())
    if name == TEXT:
        return item_numbers(data.item_count, seed)
    describe = partial(read_descriptions, data.path)
    try:
        scheme = own_scheme(data.sequences, data.item_count, name, seed, describe=describe)
    except GenRecError:  # nothing is said of these items
        return None
    order = np.lexsort(scheme.item_tokens[1:].T[::-1])
    numbers = np.empty(data.item_count, np.int64)
    numbers[order] = np.arange(1, data.item_count + 1)
    return numbers


def leaked(data: Dataset, numbers: NDArray[np.int64]) -> tuple[float, float, float]:
    """HR@5 of the rule on everybody's test item, with its 95 % interval."""
    cases = make_cases(data.sequences, "test", None, 0)
    ranks = rank_targets(NumberingRanker(numbers, NUMBERS), cases, False, SILENT, "numbering")
    metrics, intervals = summarise(ranks, (NUMBERS,))
    return metrics[f"HR@{NUMBERS}"], *intervals[f"HR@{NUMBERS}"]


if __name__ == "__main__":
    main()
