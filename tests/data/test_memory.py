"""Sizes, and work that does not fit in memory."""

import pytest

from genrec.data.memory import machine_memory, parse_memory
from genrec.errors import GenRecError


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 * 10**9), ("1.5 gb", 1_500_000_000), ("300MiB", 300 * 2**20), ("1T", 10**12)]
)
def test_sizes(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "4 elephants", "-1GB", "1MB", "nan"])
def test_no_size(text):
    with pytest.raises(GenRecError, match="--memory"):
        parse_memory(text)


def test_half_of_the_machine():
    assert parse_memory(None) == machine_memory() // 2 > 2 * 10**8


def test_little_memory_gives_the_same_dataset(shop):
    log = (
        "log.csv",
        "user,item,ts\n" + "".join(f"u{n * 7919 % 20011},i{n % 997},{n % 1000}\n" for n in range(300_000)),
    )
    results = [shop.prepare(log, memory=memory, min_count=5) for memory in ("200MB", "2GB")]
    assert results[0]["checksum"] == results[1]["checksum"]
