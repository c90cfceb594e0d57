"""The dot product: rows solved as a naive computation solves them, parts that add up, links, strangers, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st

from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.dot import Dot, FittedDot
from likewise.models.link import Link
from likewise.models.rows import RowPrior
from likewise.shapes import Floats, Rows

USERS, ITEMS, FACTORS = 40, 12, 3
LINKS = {
    "free": Link("free"),
    "clip": Link("clip", 1.0, 5.0),
    "sigmoid": Link("sigmoid", 0.5, 5.5),
    "logistic": Link("logistic"),
}


def fitted(kind: str = "free", bias: bool = True, seed: int = 0) -> FittedDot:
    """A model with factors as a fit might find them, and priors that are no multiple of the identity."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Floats:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    def prior(rows: Floats) -> RowPrior:
        found = RowPrior.of_rows(rows)
        if bias:
            return found
        return RowPrior(np.append(found.mean[:-1], np.float32(0)), found.precision)

    user_bias, item_bias = (some(USERS), some(ITEMS)) if bias else (np.zeros(USERS, np.float32), np.zeros(ITEMS, np.float32))
    users, items = some(USERS, FACTORS), some(ITEMS, FACTORS)
    mean = 3.5 if kind in ("free", "clip") else 0.3
    output = Dot(FACTORS, bias, kind)  # type: ignore[arg-type]
    priors = prior(np.column_stack([users, user_bias])), prior(np.column_stack([items, item_bias]))
    return FittedDot(output, users, items, user_bias, item_bias, mean, LINKS[kind], *priors, 0.7)


def history(seed: int = 1, people: int = 4, longest: int = 6, likes: bool = False) -> Histories:
    """Some people with zero to `longest` ratings of distinct items, of different weight."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, longest + 1, people)
    counts[0] = 0
    rows = np.concatenate([rng.choice(ITEMS, n, replace=False) for n in counts]).astype(np.int32)
    ratings = rng.integers(0, 2, len(rows)) if likes else rng.integers(1, 6, len(rows))
    weights = rng.uniform(0.2, 2, len(rows)).astype(np.float32)
    return Histories(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rows, ratings.astype(np.float32), weights)


def entries(told: Histories, person: int) -> tuple[Rows, Floats, Floats]:
    part = slice(told.indptr[person], told.indptr[person + 1])
    assert told.ratings is not None and told.weights is not None
    return told.rows[part], told.ratings[part], told.weights[part]


def design(model: FittedDot) -> Floats:
    return np.column_stack([model.item_factors, np.full(ITEMS, 1 if model.config.bias else 0, np.float32)])


def row_of(model: FittedDot, vector: Floats) -> Floats:
    """Factors and bias of a vector (p, mean + b, 1)."""
    return np.append(vector[:-2], vector[-2] - np.float32(model.mean))


def naive_ridge(model: FittedDot, told: Histories, person: int) -> Floats:
    """The normal equations of weighted least squares with a Gaussian prior, in double precision."""
    rows, ratings, weights = entries(told, person)
    d = design(model)[rows].astype(np.float64)
    target = ratings - model.mean - model.item_bias[rows]
    precision = model.user_prior.precision.astype(np.float64)
    left = precision + d.T @ np.diag(weights / model.noise) @ d
    right = precision @ model.user_prior.mean + d.T @ (weights / model.noise * target)
    return np.asarray(np.linalg.solve(left, right))


@pytest.mark.parametrize(("kind", "bias"), [*product(("free", "clip"), (True, False))])
def test_fold_in_is_a_ridge_solution(kind: str, bias: bool) -> None:
    model, told = fitted(kind, bias), history()
    vectors = model.fold_in(told)
    for person in range(len(told.counts)):
        wanted = naive_ridge(model, told, person)
        if not bias:
            wanted[-1] = 0
        np.testing.assert_allclose(row_of(model, vectors[person]), wanted, atol=2e-5)


@given(seed=st.integers(0, 10_000))
def test_fold_in_is_a_ridge_solution_whatever_the_numbers(seed: int) -> None:
    model, told = fitted(seed=seed), history(seed + 1)
    rows = np.array([row_of(model, vector) for vector in model.fold_in(told)])
    np.testing.assert_allclose(rows, [naive_ridge(model, told, n) for n in range(len(rows))], atol=2e-4)


def surprise(model: FittedDot, told: Histories, person: int) -> Callable[[Floats], float]:
    """Minus the log posterior of a row, up to a constant, in double precision."""
    rows, ratings, weights = entries(told, person)
    d = design(model)[rows].astype(np.float64)
    offset = model.mean + model.item_bias[rows].astype(np.float64)
    low, high = (0.0, 1.0) if model.link.kind == "logistic" else (model.link.low, model.link.high)

    def value(row: Floats) -> float:
        away = row - model.user_prior.mean
        said = low + (high - low) / (1 + np.exp(-(offset + d @ row)))
        return float(0.5 * away @ model.user_prior.precision @ away + 0.5 / model.noise * np.sum(weights * (ratings - said) ** 2))

    return value


def minimum(value: Callable[[Floats], float], start: Floats) -> Floats:
    """By steps along each direction in turn that shrink when none helps: slow, and needs no derivative."""
    at, step = start.astype(np.float64), 0.5
    best = value(at)
    while step > 1e-6:
        tries = [at + sign * step * axis for axis in np.eye(len(at)) for sign in (1, -1)]
        values = [value(one) for one in tries]
        if min(values) < best:
            best, at = min(values), tries[int(np.argmin(values))]
        else:
            step /= 2
    return at


@pytest.mark.parametrize("kind", ["sigmoid", "logistic"])
def test_fold_in_through_a_sigmoid_is_the_mode(kind: str) -> None:
    model, told = fitted(kind), history(seed=5, likes=kind == "logistic")
    vectors = model.fold_in(told)
    for person in range(1, len(told.counts)):
        value, found = surprise(model, told, person), row_of(model, vectors[person])
        best = minimum(value, model.user_prior.mean)
        np.testing.assert_allclose(found, best, atol=5e-3)
        assert value(found) <= value(best) + 1e-4


@pytest.mark.parametrize("kind", list(LINKS))
def test_nobody_known_gets_the_populations_answer(kind: str) -> None:
    model = fitted(kind)
    nothing = Histories(np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    unknown = model.people(np.array([-1], np.int32))
    np.testing.assert_allclose(model.fold_in(nothing), unknown, atol=1e-5)
    np.testing.assert_allclose(row_of(model, unknown[0]), model.user_prior.mean, atol=1e-6)
    score = model.score_pairs(unknown, np.array([-1], np.int32))[0]
    p, q = model.user_prior.mean, model.item_prior.mean
    assert score == pytest.approx(model.mean + p[-1] + q[-1] + p[:-1] @ q[:-1], abs=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_scores_are_mean_biases_and_product(bias: bool) -> None:
    model = fitted(bias=bias)
    wanted = model.mean + model.user_bias[:, None] + model.item_bias + model.user_factors @ model.item_factors.T
    everybody = model.people(np.arange(USERS, dtype=np.int32))
    np.testing.assert_allclose(model.score(everybody), wanted, atol=1e-5)
    np.testing.assert_allclose(model.score(everybody, np.array([3, 1], np.int32)), wanted[:, [3, 1]], atol=1e-5)
    np.testing.assert_allclose(model.score_pairs(everybody[:ITEMS], np.arange(ITEMS, dtype=np.int32)), np.diag(wanted), atol=1e-5)


@pytest.mark.parametrize(("kind", "bias"), [*product(LINKS, (True, False))])
def test_parts_add_up(kind: str, bias: bool) -> None:
    model, told = fitted(kind, bias), history(likes=kind == "logistic")
    people = model.fold_in(told)
    for item in (0, 7, -1):
        for person, parts in enumerate(model.explain(people, told, item)):
            total = parts.mean + parts.user + parts.item + float(parts.taste.sum()) + parts.residual
            assert total == pytest.approx(parts.score, abs=1e-5)
            assert parts.score == pytest.approx(
                float(model.score_pairs(people[person : person + 1], np.array([item], np.int32))[0]), abs=1e-5
            )
            assert parts.response == pytest.approx(float(model.link.respond(np.float32([parts.score]))[0]), abs=1e-6)
            assert len(parts.taste) == told.counts[person]
            if kind in ("free", "clip"):  # a linear problem: nothing is left over
                assert abs(parts.residual) < 1e-4


@given(score=st.floats(-50, 50, width=32))
def test_links_stay_in_their_range(score: float) -> None:
    at = np.float32([score])
    assert LINKS["free"].respond(at)[0] == at[0]
    for kind, (low, high) in {"clip": (1, 5), "sigmoid": (0.5, 5.5), "logistic": (0, 1)}.items():
        assert low <= LINKS[kind].respond(at)[0] <= high
    assert Link("sigmoid", 0.5, 5.5).respond(np.float32([score + 1]))[0] >= Link("sigmoid", 0.5, 5.5).respond(at)[0]


def ratings_of(*values: float) -> Interactions:
    rows = np.arange(len(values), dtype=np.int32)
    return Interactions(rows, rows, len(values), len(values), np.float32(values))


def test_the_range_comes_from_the_settings_the_statement_or_the_data() -> None:
    data = ratings_of(1, 2, 4)
    assert Dot().link(data) == Link("clip", 1, 4)
    assert Dot().link(data, (1, 5)) == Link("clip", 1, 5)
    assert Dot(range=(0, 10)).link(data, (1, 5)) == Link("clip", 0, 10)
    assert Dot(output="sigmoid").link(data) == Link("sigmoid", 0, 4.5)
    assert Dot(output="sigmoid", range=(0, 5.5)).link(data) == Link("sigmoid", 0, 5.5)
    assert Dot(output="free").link(data) == Link("clip")  # to no limits
    assert Dot(output="logistic").link(data) == Link("logistic")
    assert Dot().link(ratings_of(3, 3)) == Link("free")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factors": 0}, "factors must be at least 1; got 0"),
        ({"output": "softmax"}, "output must be 'sigmoid', 'clip', 'free' or 'logistic'; got 'softmax'"),
        ({"init": "zero"}, "init must be .* got 'zero'"),
        ({"range": (5.0, 1.0)}, "low < high"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dot(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(LINKS))
def test_state_comes_back(kind: str) -> None:
    model = fitted(kind)
    again = FittedDot.from_state(model.config, {name: array.copy() for name, array in model.state().items()})
    assert again.link == model.link and again.mean == model.mean and again.noise == model.noise
    everybody, told = np.arange(-1, USERS, dtype=np.int32), history(likes=kind == "logistic")
    np.testing.assert_array_equal(again.score(again.people(everybody)), model.score(model.people(everybody)))
    np.testing.assert_array_equal(again.fold_in(told), model.fold_in(told))


def test_learned_rows_without_ratings_become_the_mean_row() -> None:
    rng = np.random.default_rng(3)
    data = Interactions(np.int32([0, 0, 1, 1, 3]), np.int32([0, 1, 1, 2, 0]), 4, 4, np.float32([5, 3, 4, 1, 2]))
    found = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 2), (4, 2), (4,), (4,))]
    model = FittedDot.trained(Dot(2), *found, 3.0, Link("free"), data)
    np.testing.assert_allclose(model.user_factors[2], found[0][[0, 1, 3]].mean(0), atol=1e-6)
    np.testing.assert_allclose(model.item_bias[3], found[3][:3].mean(), atol=1e-6)
    left = data.ratings - model.score_pairs(model.people(data.users), data.items)
    assert model.noise == pytest.approx(float(np.mean(left**2)), rel=1e-5)


def test_new_people_and_items_stand_at_the_end_and_move_nobody() -> None:
    model, told = fitted(), history()
    folded = model.fold_in(told)
    rows = np.arange(USERS, USERS + len(folded), dtype=np.int32)
    grown = model.with_people(rows, folded)
    np.testing.assert_allclose(grown.people(rows), folded, atol=1e-6)
    np.testing.assert_array_equal(grown.user_factors[:USERS], model.user_factors)
    raters = Histories(np.int64([0, 3]), np.int32([4, 9, 11]), np.float32([5, 4, 5]))
    wider = model.with_items(np.int32([ITEMS]), raters)
    np.testing.assert_array_equal(wider.item_factors[:ITEMS], model.item_factors)
    liked = wider.score_pairs(wider.people(np.int32([4, 9, 11])), np.full(3, ITEMS, np.int32))
    before = model.score_pairs(model.people(np.int32([4, 9, 11])), np.full(3, -1, np.int32))
    assert np.abs(np.float32([5, 4, 5]) - liked).mean() < np.abs(np.float32([5, 4, 5]) - before).mean()


def test_a_free_output_predicts_ratings_where_it_learned_them() -> None:
    link = Dot(output="free").link(ratings_of(1, 5))
    rows = np.arange(2, dtype=np.int32)
    assert link.rates and link.label == "free" and not Dot(output="free").link(Interactions(rows, rows, 2, 2)).rates
    assert link.respond(np.array([-9, 9], np.float32)).tolist() == [-9, 9]
