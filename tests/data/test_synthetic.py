import numpy as np
import polars as pl
import pytest

from likewise.data.synthetic import planted_chain, planted_clusters, planted_ratings, zipf, zipf_blocks
from likewise.errors import InputError


def test_planted_ratings_are_their_truth_and_noise():
    planted = planted_ratings(noise=0.5, seed=3)
    events = planted.data.interactions
    left = events.ratings - planted.truth(events.users, events.items)
    assert abs(left.std() - 0.5) < 0.02 and abs(left.mean()) < 0.02
    assert len(set(zip(events.users.tolist(), events.items.tolist(), strict=True))) == len(events) == 12_000
    assert events.by_user.counts.min() >= 1 and events.by_item.counts.min() >= 1
    assert events.by_item.counts.max() > 3 * np.median(events.by_item.counts) / 2


def test_bounds_and_steps():
    data = planted_ratings(bounds=(1, 5), step=0.5, seed=1).data
    assert set(np.unique(data.interactions.ratings)) <= set(np.arange(1, 5.5, 0.5)) and data.rating_range == (1, 5)
    with pytest.raises(InputError, match=r"n_events must lie between 200 .* and 400"):
        planted_ratings(n_users=200, n_items=2, n_events=100)


def test_clusters_and_the_checkerboard():
    planted = planted_clusters(12, 8, clusters=2, density=1, noise=0)
    events = planted.data.interactions
    assert (planted.users[events.users] == planted.items[events.items]).all() and len(events) == 12 * 8 // 2
    loose = planted_clusters(seed=2).data.interactions
    assert loose.by_user.counts.min() >= 1 and loose.by_item.counts.min() >= 1


def test_chain_follows_its_transitions():
    planted = planted_chain(n_users=500, length=20, certainty=0.8)
    histories = planted.data.interactions.by_user
    steps = histories.rows.reshape(500, 20)
    successor = planted.transitions.argmax(1)
    assert abs((steps[:, 1:] == successor[steps[:, :-1]]).mean() - (0.8 + 0.2 / 30)) < 0.02
    np.testing.assert_allclose(planted.transitions.sum(1), 1)


def test_zipf_popularity_in_blocks():
    whole = pl.concat(zipf_blocks(100_000, 1000, 500, block=30_000, seed=1))
    assert whole.height == 100_000 and whole.equals(pl.concat(zipf_blocks(100_000, 1000, 500, block=30_000, seed=1)))
    counts = np.sort(whole["item_id"].value_counts()["count"].to_numpy())[::-1]
    expected = 1 / np.arange(1, 501)
    np.testing.assert_allclose(counts[:5] / counts.sum(), (expected / expected.sum())[:5], rtol=0.1)
    assert zipf(5000, 100, 100).interactions.by_user.counts.sum() <= 5000
    with pytest.raises(InputError, match="at least 1"):
        next(zipf_blocks(0, 1, 1))


def test_same_seed_same_bytes():
    for make in (planted_ratings, planted_clusters, planted_chain):
        assert make(seed=4).data.fingerprint == make(seed=4).data.fingerprint != make(seed=5).data.fingerprint
