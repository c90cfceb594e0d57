"""What every model promises, checked on every model of the registry with every solver that can fit it."""

from __future__ import annotations

from threading import Thread

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Parts
from likewise.models.networks.base import Network
from likewise.models.registry import fitted_class, fitted_name, model_settings
from likewise.solvers.base import check_fits_together
from tests.contract.cases import ORDERED, cases, data, digest, fitted, histories, rows

CASES = cases()
EVERYBODY = np.arange(-1, 50, dtype=np.int32)


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture
def model(case):
    return fitted(case)


def size(people):
    return len(people)


def part_of(people, chosen):
    return people.take(chosen) if isinstance(people, Histories) else people[chosen]


def total(parts: Parts) -> float:
    return parts.mean + parts.user + parts.item + float(parts.taste.sum(dtype=np.float64)) + sum(parts.extra.values()) + parts.residual


def test_settings_are_plain_values_that_make_them_again(case):
    settings = case.settings()
    check_fits_together(settings, case.solving())
    assert model_settings(settings.name)(**settings.settings) == settings
    assert type(case.solving())(**case.solving().settings) == case.solving()


def test_shapes(case, model):
    assert (model.n_users, model.n_items) == (50, 30)
    people = model.people(EVERYBODY)
    scores = model.score(people)
    assert scores.shape == (51, 30)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert model.link.respond(scores).shape == (51, 30)
    some = rows(3, 29, 3, 0)
    np.testing.assert_allclose(model.score(people, some), scores[:, some], atol=1e-5)
    users, items = np.divmod(np.arange(50 * 30, dtype=np.int32), 30)
    pairs = model.score_pairs(model.people(users.astype(np.int32)), items.astype(np.int32))
    assert pairs.dtype == np.float32
    np.testing.assert_allclose(pairs.reshape(50, 30), scores[1:], atol=1e-4)


def test_vectors_give_the_scores(case, model):
    vectors, people = model.item_vectors, model.people(EVERYBODY)
    if vectors is None:
        return
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 30
    np.testing.assert_allclose(people @ vectors.T, model.score(people), atol=1e-5)


def test_factors_are_a_row_each(case, model):
    for side, n in (("user", 50), ("item", 30)):
        factors = model.factors(side)
        assert factors is None or (factors.shape[0] == n and factors.dtype == np.float32)


def test_an_answer_depends_on_its_own_row_alone(case, model):
    people = model.people(EVERYBODY)
    scores = model.score(people)
    order = np.random.default_rng(0).permutation(51).astype(np.int32)
    np.testing.assert_allclose(model.score(model.people(EVERYBODY[order])), scores[order], atol=1e-5)
    np.testing.assert_allclose(model.score(model.people(rows(7))), scores[8:9], atol=1e-5)
    items = np.random.default_rng(1).integers(0, 30, 51).astype(np.int32)
    pairs = model.score_pairs(people, items)
    np.testing.assert_allclose(model.score_pairs(part_of(people, order), items[order]), pairs[order], atol=1e-5)
    np.testing.assert_allclose(model.score_pairs(part_of(people, rows(9)), items[9:10]), pairs[9:10], atol=1e-5)


def test_nobody_and_nothing(case, model):
    """A batch of none, an item list of none."""
    nobody = model.people(np.empty(0, np.int32))
    assert model.score(nobody).shape == (0, 30)
    assert model.score_pairs(nobody, np.empty(0, np.int32)).shape == (0,)
    assert model.score(model.people(rows(1, 2)), np.empty(0, np.int32)).shape == (2, 0)
    assert size(model.fold_in(Histories.of())) == 0


def test_rows_never_seen_get_the_populations_answer(case, model):
    people = model.people(rows(-1, 3))
    unknown = model.score(people, rows(-1, 4, -1))
    assert np.isfinite(unknown).all()
    np.testing.assert_array_equal(unknown[:, 0], unknown[:, 2])
    np.testing.assert_allclose(model.score_pairs(people, rows(-1, -1)), unknown[:, 0], atol=1e-4)
    np.testing.assert_allclose(unknown[:, 1], model.score(people)[:, 4], atol=1e-5)


def test_an_empty_history_is_row_minus_one(case, model):
    for empty in (Histories.of({}), histories(case.rated).take(rows(1))):
        folded = model.fold_in(empty)
        np.testing.assert_allclose(model.score(folded), model.score(model.people(rows(-1))), atol=1e-5)


def test_folding_in_answers_each_by_their_own_history(case, model):
    three = histories(case.rated)
    together = model.score(model.fold_in(three))
    assert together.shape == (3, 30)
    assert np.isfinite(together).all()
    for n in range(3):
        np.testing.assert_allclose(model.score(model.fold_in(three.take(rows(n)))), together[n : n + 1], atol=1e-4)


def test_nothing_that_is_asked_changes_the_model_or_the_data(case):
    events = data(case.rated)
    model, before, print_before = fitted(case), digest(fitted(case)), events.fingerprint
    three = histories(case.rated)
    columns = [three.rows.copy(), None if three.ratings is None else three.ratings.copy()]
    people = model.fold_in(three)
    model.score(people)
    model.explain(people, three, 4)
    model.with_people(rows(2, 60), model.people(rows(3, 4)))
    model.with_items(rows(2, 33), events.interactions.by_item.take(rows(5, 6)))
    assert digest(model) == before
    assert events.fingerprint == print_before
    np.testing.assert_array_equal(three.rows, columns[0])
    if three.ratings is not None:
        np.testing.assert_array_equal(three.ratings, columns[1])


def test_explanations_add_up(case, model):
    """Of people trained on, of people folded in, of nobody; for an item they have, one they have not, one never seen."""
    three = histories(case.rated)
    trained = data(case.rated).interactions.by_user.take(EVERYBODY[:5])
    for people, entries in ((model.people(EVERYBODY[:5]), trained), (model.fold_in(three), three)):
        for item in (4, 9, -1):
            found = model.explain(people, entries, item)
            expected = model.score_pairs(people, np.full(len(entries), item, np.int32))
            assert [len(parts.taste) for parts in found] == entries.counts.tolist()
            for parts, score in zip(found, expected, strict=True):
                assert parts.score == pytest.approx(score, abs=1e-4)
                assert total(parts) == pytest.approx(parts.score, abs=1e-4)
                assert parts.response == pytest.approx(model.link.respond(np.array([score], np.float32))[0], abs=1e-4)
                assert np.isfinite(parts.taste).all()


def test_with_people_changes_those_rows_and_nobody_else(case, model):
    folded = model.fold_in(histories(case.rated))
    scores, expected = model.score(model.people(EVERYBODY)), model.score(folded)
    changed = model.with_people(rows(4, 52, 50), folded)
    assert changed.n_users == 53
    assert model.n_users == 50
    after = changed.score(changed.people(np.arange(-1, 53, dtype=np.int32)))
    np.testing.assert_allclose(after[[5, 53, 51]], expected, atol=1e-3)  # some models keep rows in half precision
    others = np.setdiff1d(np.arange(51), [5])
    np.testing.assert_array_equal(after[others], scores[others])
    np.testing.assert_allclose(after[52], scores[0], atol=1e-5, err_msg="a gap is someone nothing is known of")


def test_with_items_adds_items_and_leaves_the_old_answers(case, model):
    raters = data(case.rated).interactions.by_item.take(rows(6, 11))
    scores = model.score(model.people(EVERYBODY))
    changed = model.with_items(rows(30, 32), raters)
    assert changed.n_items == 33
    after = changed.score(changed.people(EVERYBODY))
    assert after.shape == (51, 33)
    assert np.isfinite(after).all()
    np.testing.assert_allclose(after[:, :30], scores, atol=1e-4)
    again = model.with_items(rows(30), raters.take(rows(0)))
    np.testing.assert_allclose(again.score(again.people(EVERYBODY))[:, 30], after[:, 30], atol=1e-3)


def test_state_is_arrays_that_make_the_model_again(case, model):
    state = model.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != np.object_ for array in state.values())
    kind = fitted_class(fitted_name(model))
    assert kind is type(model)
    copy = kind.from_state(model.config, {name: array.copy() for name, array in state.items()})
    assert digest(copy) == digest(model)
    assert copy.link == model.link
    np.testing.assert_array_equal(copy.score(copy.people(EVERYBODY)), model.score(model.people(EVERYBODY)))
    three = histories(case.rated)
    np.testing.assert_array_equal(copy.score(copy.fold_in(three)), model.score(model.fold_in(three)))


def test_the_same_seed_gives_the_same_bytes_and_global_randomness_is_left_alone(case, model):
    np.random.seed(3)  # noqa: NPY002 - the caller's state is what is watched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert digest(case.fit(data(case.rated))) == digest(model)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_order_of_events_does_not_matter_to_a_closed_form(case, model):
    if case.solver not in ORDERED:
        return
    other = case.fit(data(case.rated, shuffled=True))
    np.testing.assert_allclose(other.score(other.people(EVERYBODY)), model.score(model.people(EVERYBODY)), atol=1e-4)


def test_many_threads_get_the_same_answers(case, model):
    three = histories(case.rated)

    def answers():
        folded = model.fold_in(three)
        return [
            model.score(model.people(EVERYBODY)),
            model.score(folded),
            model.score_pairs(folded, rows(1, 2, 3)),
            np.array([total(parts) for parts in model.explain(folded, three, 4)]),
        ]

    expected, wrong = answers(), []

    def ask():
        for _ in range(3):
            wrong.extend(n for n, (a, b) in enumerate(zip(answers(), expected, strict=True)) if not np.array_equal(a, b))

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_distribution_has_a_spread(case, model):
    predictive = model.predictive(model.people(rows(-1, 3, 4)), rows(2, -1, 5))
    if predictive is None:
        return
    for column in (predictive.mean, predictive.sd, predictive.sd_mean):
        assert column.shape == (3,)
        assert np.isfinite(column).all()
    assert (predictive.sd > 0).all()
    assert (predictive.sd_mean >= 0).all()
    assert (predictive.sd >= predictive.sd_mean - 1e-5).all()
    if predictive.probabilities is not None:
        np.testing.assert_allclose(predictive.probabilities.sum(1), 1, atol=1e-4)
        assert predictive.probabilities.shape == (3, len(predictive.levels))


@pytest.mark.parametrize(("users", "items"), [(1, 1), (1, 4), (4, 1)])
def test_one_user_or_one_item_is_enough(case, users, items):
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(users), items),
            "item_id": np.tile(np.arange(items), users),
            "rating": np.linspace(1, 5, users * items),
            "timestamp": np.arange(users * items) + 1_500_000_000,
        }
    )
    model = case.fit(Dataset.of(frame if case.rated else frame.drop("rating")))
    scores = model.score(model.people(np.arange(-1, users, dtype=np.int32)))
    assert scores.shape == (users + 1, items)
    assert np.isfinite(scores).all()


def test_what_does_not_fit_is_refused(case, model):
    refused = (InputError, IndexError, ValueError)
    with pytest.raises(refused):
        model.score_pairs(model.people(rows(1, 2, 3)), rows(1, 2))
    with pytest.raises(refused):
        model.people(rows(50))
    with pytest.raises(refused):
        model.score(model.people(rows(1)), rows(30))
    with pytest.raises(refused):
        model.score_pairs(model.people(rows(1)), rows(30))


def test_its_graph_leads_from_what_is_given_to_one_answer(case, model):
    if isinstance(model.config, Network):
        pytest.skip("a network is drawn from its module: tests/insight/test_pictures.py")
    nodes, edges = model.graph().nodes, model.graph().edges
    assert [node.kind for node in nodes].count("output") == 1
    assert {a for a, _ in edges} == {n for n, node in enumerate(nodes) if node.kind != "output"}
    fed = {b for _, b in edges}
    assert all(n in fed or node.kind in ("input", "table") for n, node in enumerate(nodes))
