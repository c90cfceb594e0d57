"""Every person with every item in one call gives what pair after pair gives."""

import numpy as np
import pytest
import torch

from likewise.answers import Answers
from likewise.models.networks.layers import dense, dense_grid, is_grid
from tests.contract.cases import cases, data, fitted


def test_the_first_layer_of_a_grid_sees_each_side_once():
    generator = torch.Generator().manual_seed(0)
    layers = dense([7, 5, 4]).eval()
    left, right = torch.randn(3, 4, generator=generator), torch.randn(6, 3, generator=generator)
    people, items = left[:, None].expand(3, 6, -1), right.expand(3, 6, -1)
    assert is_grid(people, items)
    assert not is_grid(people.contiguous(), items)
    assert not is_grid(left, right)
    with torch.no_grad():
        plain = layers(torch.cat([people, items], -1))
        torch.testing.assert_close(dense_grid(layers, people, items), plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", [case for case in cases() if "mlp" in str(case)], ids=str)
def test_lists_and_pairs_agree(case):
    answers = Answers(fitted(case), data(case.rated))
    model = answers.fitted
    people = model.people(np.arange(-1, 3, dtype=np.int32))
    grid = model.score(people)
    items = np.arange(model.n_items, dtype=np.int32)
    pairs = np.stack([model.score_pairs(people[np.full(len(items), n)], items) for n in range(4)])
    np.testing.assert_allclose(grid, pairs, atol=1e-4)
