"""Writes a dataset as `user item item ...` lines, items by the numbers that genrec makes texts of.

Example: python benchmarks/renumber.py data/beauty --seed 0 > beauty-shuffled.txt
"""

import argparse
import sys
from pathlib import Path

from genrec.data.dataset import load_dataset
from genrec.indexing.text import item_numbers


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a folder that genrec prepare wrote")
    parser.add_argument("--seed", type=int, default=0, help="the run's seed")
    options = parser.parse_args()
    data = load_dataset(options.dataset)
    numbers = item_numbers(data.item_count, options.seed)
    for user in range(1, data.user_count + 1):
        sys.stdout.write(" ".join(map(str, [user, *numbers[data.sequences.of(user) - 1]])) + "\n")


if __name__ == "__main__":
    main()
