"""The index: recall as measured, exact scores, k places; and candidates for models without vectors."""

import json
import sys

import numpy as np
import pytest

import likewise as lw
from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.dataset import Dataset
from likewise.errors import InputError, MissingExtraError
from likewise.models.neighbours import Neighbours
from likewise.ranking.ann import ItemIndex
from likewise.ranking.stages import rank_candidates
from likewise.ranking.topk import rank_model, top_k
from tests.planted import ratings

RNG = np.random.default_rng(0)
VECTORS = (RNG.normal(size=(3000, 16)) * RNG.gamma(2, 1, (3000, 1))).astype(np.float32)
PEOPLE = RNG.normal(size=(60, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def index():
    pytest.importorskip("usearch")
    return ItemIndex.build(VECTORS, PEOPLE, k=20)


def test_recall_is_what_it_says(index):
    exact, near = top_k(PEOPLE, VECTORS, 20).items, index.candidates(PEOPLE, 20)
    shares = [len(set(a) & set(b)) / 20 for a, b in zip(exact.tolist(), near.tolist(), strict=True)]
    assert index.recall == pytest.approx(np.mean(shares))
    assert index.recall > 0.95


def test_scores_are_exact_and_in_order(index):
    lists, exact = index.top_k(PEOPLE, 10), top_k(PEOPLE, VECTORS, 10)
    np.testing.assert_allclose(lists.scores, np.take_along_axis(PEOPLE @ VECTORS.T, lists.items, 1), rtol=1e-5)
    assert (np.diff(lists.scores) <= 0).all()
    assert (lists.items == exact.items).mean() > 0.98


def test_k_is_k_whatever_is_hidden(index):
    hidden = [(b, i) for b in range(60) for i in top_k(PEOPLE[b : b + 1], VECTORS, 200).items[0]]
    exclude = csr_from_pairs(*(np.array(column, np.int32) for column in zip(*hidden, strict=True)), None, 60, 3000)
    allowed = RNG.random(3000) < 0.02
    for hide, mask in ((exclude, None), (None, allowed), (exclude, allowed)):
        found, exact = index.top_k(PEOPLE, 10, hide, mask), top_k(PEOPLE, VECTORS, 10, hide, mask)
        assert (found.counts == exact.counts).all()
        assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.items, exact.items, strict=True)]) > 0.9


def test_built_twice_is_the_same_and_survives_its_state(index):
    again = ItemIndex.build(VECTORS, PEOPLE, k=20)
    back = ItemIndex.from_state(VECTORS, index.state())
    for other in (again, back):
        np.testing.assert_array_equal(other.candidates(PEOPLE, 30), index.candidates(PEOPLE, 30))
        assert other.recall == index.recall
    with pytest.raises(InputError, match="build it again"):
        ItemIndex.from_state(VECTORS[:5], index.state())


def test_bad_input(index, monkeypatch):
    with pytest.raises(InputError, match="as many columns"):
        ItemIndex.build(VECTORS, PEOPLE[:, :3])
    with pytest.raises(InputError, match="k must be at least 1"):
        index.top_k(PEOPLE, 0)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"likewise\[ann\]"):
        ItemIndex.build(VECTORS, PEOPLE)


def test_one_item_and_one_person():
    pytest.importorskip("usearch")
    index = ItemIndex.build(VECTORS[:1], PEOPLE[:1], k=5)
    assert index.recall == 1.0
    assert index.top_k(PEOPLE[:1], 3).items.tolist() == [[0]]


@pytest.mark.parametrize("n", [3, 12, 40])
def test_candidates_are_ranked_by_the_model(n):
    fitted = Neighbours().solve(Dataset.of(ratings(users=30, items=40, events=500)))
    people = fitted.people(np.arange(30, dtype=np.int32))
    candidates = np.stack([np.random.default_rng(b).permutation(40)[:n] for b in range(30)]).astype(np.int32)
    seen = fitted.known.csr(40)
    found = rank_candidates(fitted, people, candidates, 5, seen)
    full = rank_model(fitted, people, 5, seen)
    scores = fitted.score(people)
    for b in range(30):
        left = [i for i in candidates[b] if i not in seen.row(b)]
        if len(left) >= 5:
            assert found.items[b].tolist() == sorted(left, key=lambda i: (-scores[b, i], i))[:5]
        else:
            assert found.items[b].tolist() == full.items[b].tolist()


def test_candidates_that_do_not_fit_are_refused():
    fitted = Neighbours().solve(Dataset.of(ratings()))
    people = fitted.people(np.arange(3, dtype=np.int32))
    with pytest.raises(InputError, match="candidates must be"):
        rank_candidates(fitted, people, np.zeros((2, 4), np.int32), 5)
    with pytest.raises(InputError, match="k must be"):
        rank_candidates(fitted, people, np.zeros((3, 4), np.int32), 0)
    nobody = CSR(np.zeros(1, np.int64), np.empty(0, np.int32), None, fitted.n_items)
    assert len(rank_candidates(fitted, people.take(np.empty(0, np.int32)), np.zeros((0, 4), np.int32), 2, nobody)) == 0


def test_a_saved_model_keeps_its_index_and_what_it_misses(tmp_path):
    pytest.importorskip("usearch")
    model = lw.Recommender(lw.Dot(factors=8, bias=False, output="free"), lw.ALS(unobserved=0.2, l2=0.01, sweeps=2)).fit(ratings())
    quick = model.with_index(k=10)
    quick.save(tmp_path / "model")
    back = lw.load(tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["index"] == {"recall": quick.answers.index.recall, "k": 10}
    assert back.answers.index.recall == quick.answers.index.recall
    user = model.data.users.id(3)
    assert back.recommend(user, 5)["item_id"].to_list() == quick.recommend(user, 5)["item_id"].to_list()
    assert quick.recommend(user, 5)["item_id"].to_list() == model.recommend(user, 5)["item_id"].to_list()
    assert model.answers.index is None
    assert quick.notes == model.notes
    with pytest.raises(InputError, match="no item vectors"):
        lw.Recommender(lw.EASE(l2=10.0, item_power=0.0)).fit(ratings()).with_index()
