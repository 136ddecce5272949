"""How much the codes of an indexing tell of the next item, and what making them costs.

The measure is that of class-based bigrams (Brown et al. 1992): the last item's cluster predicts the next item's,
and within a cluster items go by their training counts. The bits with which this names the validation items say how
well the clusters are made, without a training. Test items are never looked at.

Examples:
    python benchmarks/indexing.py data/beauty data/sports data/yelp
    python benchmarks/indexing.py --synthetic 2e5
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genrec.data.dataset import Dataset, load_dataset
from genrec.data.split import targets, train_part
from genrec.data.tables import Sequences
from genrec.indexing.evidence import Descriptions, read_descriptions
from genrec.indexing.rules import LEAKY_SEQUENTIAL, RULES
from genrec.indexing.scheme import own_scheme
from genrec.indexing.tokens import TokenMatrix

Ints = NDArray[np.int64]

HIDDEN = 5
"""One in so many items is hidden from the training part, to see where new items are put."""
_STRENGTHS = (10, 30, 100, 300)
"""Of smoothing, in observations; the best for the indexing counts."""
_EVENTS_PER_USER = 10


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="*", help="folders that genrec prepare wrote, with --items")
    parser.add_argument("--synthetic", type=float, help="items of a random catalogue: time and memory only")
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds are averaged")
    options = parser.parse_args()
    for folder in options.datasets:
        data = load_dataset(folder)
        print(f"\n{folder.name}: {data.item_count:,} items\n")
        print("| indexing | bits | sd | same first code | hidden items | seconds |\n|---|---|---|---|---|---|")
        for name in options.rules:
            print(_row(data, name, options.seeds), flush=True)
    if options.synthetic:
        items = int(options.synthetic)
        sequences, descriptions = synthetic(items)
        print(f"\n{items:,} items, {len(sequences.items):,} interactions\n")
        print("| indexing | seconds | peak memory of the process |\n|---|---|---|")
        for name in options.rules:
            print(_cost(sequences, descriptions, items, name), flush=True)


def _row(data: Dataset, name: str, seeds: int) -> str:
    describe = partial(read_descriptions, data.path)
    bits, shared, hidden, seconds = [], [], [], []
    for seed in range(seeds):
        started = time.perf_counter()
        tokens = own_scheme(data.sequences, data.item_count, name, seed, describe=describe).item_tokens
        seconds.append(time.perf_counter() - started)
        bits.append(bigram_bits(tokens, data.sequences))
        shared.append(shared_first(tokens, data.sequences))
        hidden.append(hidden_share(data, name, seed, describe))
    label = f"{name} (leaky)" if name == LEAKY_SEQUENTIAL else name
    return (
        f"| {label} | {np.mean(bits):.3f} | {np.std(bits):.3f} | {np.mean(shared):.4f} | {np.mean(hidden):.4f} "
        f"| {np.median(seconds):.1f} |"
    )


def bigram_bits(tokens: TokenMatrix, sequences: Sequences) -> float:
    """Bits per validation item of class bigrams over the first codes, counted in the training part."""
    train = train_part(sequences)
    cluster = np.unique(tokens[:, 0], return_inverse=True)[1].reshape(-1)
    count = int(cluster.max()) + 1
    weight = np.bincount(train.items, minlength=len(tokens)) + 0.5
    weight[0] = 0.0
    mass = np.bincount(cluster, weight, count)
    before, after = _neighbours(train)
    pairs = np.bincount(cluster[before] * count + cluster[after], minlength=count * count).reshape(count, count)
    last, following = _last_and_next(sequences)
    seen, expected = pairs[cluster[last], cluster[following]], mass[cluster[following]] / mass.sum()
    total, inside = pairs.sum(1)[cluster[last]], weight[following] / mass[cluster[following]]
    return float(min(-np.log2((seen + k * expected) / (total + k) * inside).mean() for k in _STRENGTHS))


def shared_first(tokens: TokenMatrix, sequences: Sequences) -> float:
    """How often the validation item has the first code of the item before it."""
    last, following = _last_and_next(sequences)
    return float((tokens[last, 0] == tokens[following, 0]).mean())


def hidden_share(data: Dataset, name: str, seed: int, describe: Callable[[], Descriptions]) -> float:
    """How often a hidden item has the first code of a known one that somebody's training part shows beside it."""
    train = train_part(data.sequences)
    hidden = np.zeros(data.item_count + 1, bool)
    drawn = np.random.default_rng(seed).permutation(data.item_count)[: data.item_count // HIDDEN]
    hidden[drawn + 1] = True
    kept = ~hidden[train.items]
    users = np.repeat(np.arange(len(train.lengths)), train.lengths)
    lengths = np.bincount(users[kept], minlength=len(train.lengths))
    # Two further events, so that what is kept is the training part of these sequences.
    rest = Sequences(train.items[kept], np.concatenate([[0], np.cumsum(lengths)]))
    whole = _with_targets(rest)
    tokens = own_scheme(whole, data.item_count, name, seed, describe=describe).item_tokens
    before, after = _neighbours(train)
    one = hidden[before] ^ hidden[after]
    return float((tokens[before[one], 0] == tokens[after[one], 0]).mean())


def _with_targets(train: Sequences) -> Sequences:
    """Sequences whose training part is the given one."""
    used = np.flatnonzero(train.lengths)
    ends = np.repeat(train.offsets[used + 1], 2)
    lengths = train.lengths[used] + 2
    return Sequences(np.insert(train.items, ends, 1), np.concatenate([[0], np.cumsum(lengths)]))


def _neighbours(sequences: Sequences) -> tuple[Ints, Ints]:
    """Items that stand side by side."""
    users = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    same = users[1:] == users[:-1]
    return sequences.items[:-1][same].astype(np.int64), sequences.items[1:][same].astype(np.int64)


def _last_and_next(sequences: Sequences) -> tuple[Ints, Ints]:
    """The last training item and the validation item of everybody who has both."""
    users, positions = targets(sequences, "valid")
    places = sequences.offsets[users - 1] + positions
    return sequences.items[places - 1].astype(np.int64), sequences.items[places].astype(np.int64)


def synthetic(items: int) -> tuple[Sequences, Descriptions]:
    """As many users as items, each within one of many groups; a word of each title tells the group."""
    rng = np.random.default_rng(0)
    groups = max(1, items // 200)
    group = np.repeat(rng.integers(0, groups, items), _EVENTS_PER_USER)
    drawn = rng.integers(0, items // groups, len(group)) * groups + group + 1
    offsets = np.arange(0, len(group) + 1, _EVENTS_PER_USER)
    words = rng.zipf(1.3, (items, 4)).clip(max=50_000)
    titles = [f"g{number % groups} w{' w'.join(map(str, row))}" for number, row in enumerate(words.tolist())]
    kinds = pa.array([[f"kind {number % groups // 10}"] for number in range(items)])
    return Sequences(drawn.astype(np.int32), offsets), Descriptions(pa.array(titles, pa.large_string()), kinds)


def _cost(sequences: Sequences, descriptions: Descriptions, items: int, name: str) -> str:
    started = time.perf_counter()
    own_scheme(sequences, items, name, 0, describe=lambda: descriptions)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"| {name} | {seconds:.1f} | {peak / 1e9:.2f} GB |"


if __name__ == "__main__":
    main()
