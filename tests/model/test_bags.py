"""Sums of a table's rows against torch's and against the matrix that they stand for."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.model.bags import Bags, add_learned_sums

ROWS = 6


@st.composite
def some_bags(draw):
    members = draw(st.lists(st.lists(st.integers(0, ROWS - 1), max_size=4), min_size=1, max_size=7))
    numbers = [number for bag in members for number in bag]
    sizes = torch.tensor([len(bag) for bag in members])
    weights = draw(st.lists(st.floats(-2, 2, width=32), min_size=len(numbers), max_size=len(numbers)))
    return Bags(torch.tensor(numbers, dtype=torch.long), torch.tensor(weights), torch.cumsum(sizes, 0) - sizes)


def matrix(bags, rows):
    """float [bags, rows], what a bag weighs each row by."""
    found = torch.zeros(len(bags.starts), rows)
    ends = [*bags.starts.tolist()[1:], len(bags.numbers)]
    for bag, (first, last) in enumerate(zip(bags.starts.tolist(), ends, strict=True)):
        for number, weight in zip(bags.numbers[first:last], bags.weights[first:last], strict=True):
            found[bag, number] += weight
    return found


@given(bags=some_bags())
def test_sums_and_gradients_are_products_with_the_matrix(bags):
    table = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    turned = bags.turned(ROWS)
    torch.testing.assert_close(matrix(turned, len(bags.starts)), matrix(bags, ROWS).t())
    rows = torch.randn(len(bags.starts), 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    found = add_learned_sums(rows, table, bags, turned)
    torch.testing.assert_close(found, rows + matrix(bags, ROWS) @ table)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    to_rows, to_table = torch.autograd.grad(found, (rows, table), upstream)
    assert torch.equal(to_rows, upstream)
    torch.testing.assert_close(to_table, matrix(bags, ROWS).t() @ upstream)
