"""From a data set to a fitted posterior: what is learned, stopping, resuming, and bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import ArtifactError, InputError
from likewise.models.dot import Dot
from likewise.models.posterior import FittedPosterior
from likewise.solvers.base import Run
from likewise.solvers.gibbs.diagnose import effective_draws, r_hat
from likewise.solvers.gibbs.layout import make_layout
from likewise.solvers.gibbs.noise import pieces_of
from likewise.solvers.gibbs.settings import Gibbs
from likewise.solvers.gibbs.side import Block
from tests.solvers.gibbs.problems import planted, table

QUICK = Gibbs(draws=40, burn_in=20, draws_kept=20)


def error(model, test: Dataset, train: Dataset) -> float:
    pairs = train.encode(test)
    found = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items))
    return float(np.sqrt(np.mean((found - pairs.ratings) ** 2)))


def fitted(solver: Gibbs = QUICK, factors: int = 3, data: Dataset | None = None, **run: object) -> FittedPosterior:
    model = solver.fit(Dot(factors=factors), planted()[0] if data is None else data, Run(**run)).model
    assert isinstance(model, FittedPosterior)
    return model


def all_finite(model: FittedPosterior) -> bool:
    return all(np.isfinite(array).all() for array in model.state().values() if array.dtype.kind == "f" and array.ndim) or all(
        np.isfinite(array[np.isfinite(array)]).all() for array in model.state().values()
    )


def test_it_learns_what_was_planted_and_knows_how_sure_it_is():
    train, test = planted(120, 80)
    model = fitted(replace(QUICK, draws=100, draws_kept=50), data=train)
    assert error(model, test, train) < 0.5  # the noise alone is 0.4, the ratings spread by 1.4
    pairs = train.encode(test)
    told = model.predictive(model.people(pairs.users), pairs.items)
    inside = np.abs(pairs.ratings - told.mean) < 1.2816 * told.sd
    assert np.mean(inside) == pytest.approx(0.8, abs=0.05)
    np.testing.assert_allclose(told.mean, model.score_pairs(model.people(pairs.users), pairs.items), atol=1e-3)


def test_ordered_levels_give_every_level_its_chance():
    train, test = planted(120, 80)
    halves = [d.frame().with_columns(pl.col("rating").round().clip(1, 5)) for d in (train, test)]
    train, test = Dataset.of(halves[0]), Dataset.of(halves[1])
    model = fitted(replace(QUICK, observation="ordinal"), data=train)
    pairs = train.encode(test)
    told = model.predictive(model.people(pairs.users), pairs.items)
    np.testing.assert_allclose(told.probabilities.sum(1), 1, atol=1e-4)
    level = np.searchsorted(told.levels, pairs.ratings)
    assert np.abs(told.probabilities.mean(0) - np.bincount(level, minlength=5) / len(level)).max() < 0.05
    assert error(model, test, train) < 0.75
    assert np.abs(model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items)) - told.mean).mean() < 0.05


def test_likes_and_dislikes_give_a_chance_of_a_like():
    train, _ = planted()
    frame = train.frame().with_columns((pl.col("rating") > 3).cast(pl.Float32))
    model = fitted(replace(QUICK, observation="binary"), data=Dataset.of(frame))
    chance = model.link.respond(model.score(model.people(np.arange(5, dtype=np.int32))))
    assert 0 <= chance.min() < 0.3 < 0.7 < chance.max() <= 1


def test_features_and_histories_reach_rows_without_ratings():
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 2, 60)
    ratings = {
        (u, i): 3.0 + (1.0 if kind[i] else -1.0) + 0.2 * rng.standard_normal() for u in range(40) for i in range(50) if rng.random() < 0.4
    }
    items = pl.DataFrame({"item_id": np.arange(60), "kind": ["good" if k else "bad" for k in kind]})
    data = table(ratings, item_table=items)
    solver = replace(QUICK, blocks=("item_features", "history", "raters"))
    model = fitted(solver, data=data)
    assert model.reads_features
    new = np.arange(50, 60)
    features = data.item_features.encode(items[new].drop("item_id")).design()
    rows = np.arange(model.n_items, model.n_items + 10, dtype=np.int32)
    grown = model.with_items(rows, Histories(np.zeros(11, np.int64), np.empty(0, np.int32)), features)
    score = grown.score(grown.people(np.array([0], np.int32)))[0, -10:]
    assert score[kind[new] == 1].min() > score[kind[new] == 0].max() + 1


def test_contexts_are_learned_and_may_be_left_out():
    rng = np.random.default_rng(0)
    n = 3000
    frame = pl.DataFrame({"user_id": rng.integers(0, 40, n), "item_id": rng.integers(0, 30, n), "device": rng.choice(["tv", "phone"], n)})
    frame = frame.unique(["user_id", "item_id"], maintain_order=True)
    frame = frame.with_columns(
        rating=3.0 + pl.when(pl.col("device") == "tv").then(0.8).otherwise(-0.8) + 0.3 * rng.standard_normal(len(frame))
    )
    data = Dataset.of(frame, ("device",), stated_range=(0.0, 6.0))
    model = fitted(replace(QUICK, contexts=("all",)), data=data)
    people, items = model.people(np.zeros(3, np.int32)), np.zeros(3, np.int32)
    tv, phone, unknown = data.contexts["device"].row("tv"), data.contexts["device"].row("phone"), -1
    found = model.score_pairs(people, items, {"device": np.array([tv, phone, unknown], np.int32)})
    assert found[0] - found[1] == pytest.approx(1.6, abs=0.25)
    assert found[2] == pytest.approx(float(model.score_pairs(people[:1], items[:1])[0]), abs=1e-4)
    parts = model.explain(people[:1], Histories.of({0: 3.0}), 0, {"device": np.array([tv], np.int32)})[0]
    assert parts.score == pytest.approx(found[0], abs=1e-4)


@pytest.mark.parametrize("observation", ["gaussian", "ordinal"])
@pytest.mark.parametrize("blocks", [(), ("item_features", "history", "raters")], ids=["ids", "features"])
def test_the_same_bytes_at_any_number_of_threads(monkeypatch, blocks, observation):
    monkeypatch.setattr("likewise.solvers.gibbs.noise.PIECE", 64)
    monkeypatch.setattr("likewise.solvers.gibbs.layout.WORTH_A_PIECE", 1000)
    frame = planted()[0].frame()
    train = Dataset.of(frame.with_columns(pl.col("rating").round().clip(1, 5)))
    films = pl.DataFrame({"item_id": train.items.ids, "genre": [str(n % 3) for n in range(train.n_items)]})
    solver = replace(QUICK, blocks=blocks, choose=bool(blocks), observation=observation)
    data = replace(train, item_table=films)
    one, two = (fitted(solver, data=data, seed=4, threads=threads) for threads in (1, 3))
    for name, array in one.state().items():
        np.testing.assert_array_equal(array, two.state()[name])


def test_pieces_are_cut_where_they_are_worth_it():
    users, items = (part.ravel().astype(np.int32) for part in np.indices((400, 100)))
    field = make_layout([users, items], [400, 100], ["user", "item"]).fields[0]
    assert len(field.parts(16, 3)) == 1 < len(field.parts(16, 17)) <= 16
    assert len(pieces_of(1000)) == 2 and len(pieces_of(100_000)) == 7


def test_another_seed_draws_something_else():
    one = fitted(seed=4)
    assert not np.array_equal(one.users.rows, fitted(seed=5).users.rows)


def test_trained_people_and_the_same_people_folded_in_agree():
    train, _ = planted()
    model = fitted(replace(QUICK, draws=100, draws_kept=100, noise=()), data=train)
    trained = model.score(model.people(np.arange(20, dtype=np.int32)))
    folded = model.score(model.fold_in(train.interactions.by_user.take(np.arange(20, dtype=np.int32))))
    assert np.abs(trained - folded).mean() < 0.05


def test_weights_are_precisions():
    """A rating of weight three is a rating three times."""
    base = {(0, 0): 5.0, (0, 1): 1.0, (1, 0): 4.0, (1, 1): 2.0, (2, 0): 3.0, (2, 1): 3.0}
    frame = table(base).frame()
    heavy = Dataset.of(frame.with_columns(weight=pl.Series([0.0, 1, 1, 1, 1, 1])))
    model = fitted(replace(QUICK, noise=()), 1, heavy)
    assert all_finite(model)
    with pytest.raises(InputError, match="not be negative"):
        Dataset.of(frame.with_columns(weight=pl.Series([-1.0, 1, 1, 1, 1, 1])))


def test_a_chain_stopped_goes_on_with_the_bytes_it_would_have_had(tmp_path):
    whole = fitted(replace(QUICK, blocks=("history",)), seed=2)
    stop = Run(seed=2, checkpoint=str(tmp_path), watch=lambda event: event["sweep"] == 33)
    solver = replace(QUICK, blocks=("history",))
    part = solver.fit(Dot(factors=3), planted()[0], stop)
    assert "stopped after sweep 33" in part.notes[0]
    assert part.model.n_draws < 20
    again = solver.fit(Dot(factors=3), planted()[0], Run(seed=2, checkpoint=str(tmp_path)))
    assert "went on from sweep 33" in again.notes[0]
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, again.model.state()[name])
    solver.fit(Dot(factors=3), planted()[0], stop)
    with pytest.raises(ArtifactError, match="another fit"):
        replace(solver, draws=41).fit(Dot(factors=3), planted()[0], Run(seed=2, checkpoint=str(tmp_path)))


def test_an_interrupt_keeps_what_was_drawn_when_asked():
    def interrupt(event):
        if event["sweep"] == 25:
            raise KeyboardInterrupt

    fit = QUICK.fit(Dot(factors=2), planted()[0], Run(watch=interrupt, keep_on_interrupt=True))
    assert "interrupted" in fit.notes[0]
    assert all_finite(fit.model)
    with pytest.raises(KeyboardInterrupt):
        QUICK.fit(Dot(factors=2), planted()[0], Run(watch=interrupt))


def test_time_validation_and_chains_are_reported():
    train, test = planted()
    fit = replace(QUICK, chains=2).fit(Dot(factors=2), train, Run(valid=test))
    assert len(fit.history) == 2 * 60
    assert fit.history[-1]["valid_rmse"] < fit.history[0]["valid_rmse"]
    assert fit.model.n_draws == 20
    assert any("R-hat" in note for note in fit.notes)
    short = replace(QUICK, draws=100_000, seconds=0.2).fit(Dot(factors=2), train, Run())
    assert "was used up" in short.notes[0]
    assert all_finite(short.model)


def test_blocks_that_do_not_help_are_left_out():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"user_id": np.repeat(np.arange(60), 15), "item_id": rng.permuted(np.tile(np.arange(30), (60, 1)), axis=1)[:, :15].ravel()}
    )
    kind = rng.integers(0, 2, 30)
    rating = 3 + np.where(kind[frame["item_id"].to_numpy()] == 1, 1.0, -1.0) + 0.3 * rng.standard_normal(len(frame))
    items = pl.DataFrame({"item_id": np.arange(30), "kind": kind.astype(str)})
    fit = replace(QUICK, blocks=("item_features", "tags"), choose=True).fit(
        Dot(factors=2), Dataset.of(frame.with_columns(rating=rating), item_table=items), Run()
    )
    assert "inner split" in fit.notes[0]
    assert "tags" not in fit.notes[0]


def test_a_block_that_misleads_about_later_ratings_is_left_out():
    rng = np.random.default_rng(1)
    people, each = 400, 3
    users = np.repeat(np.arange(people), each)
    group = rng.integers(0, 2, people)
    turned = np.where(np.arange(people) < 0.88 * people, 1.0, -1.0)
    rating = 3 + (group * 2 - 1.0)[users] * turned[users] + 0.5 * rng.standard_normal(len(users))
    frame = pl.DataFrame({"user_id": users, "item_id": rng.integers(0, 40, len(users)), "rating": rating})
    table = pl.DataFrame({"user_id": np.arange(people), "group": np.where(group, "a", "b")})
    solver = replace(QUICK, blocks=("user_features",), choose=True)
    timeless = solver.fit(Dot(factors=1), Dataset.of(frame, user_table=table), Run())
    timed = solver.fit(Dot(factors=1), Dataset.of(frame.with_columns(timestamp=pl.Series(users)), user_table=table), Run())
    assert "these blocks help together: user_features" in timeless.notes[0]
    assert "at random and by time no block helped" in timed.notes[0]


@pytest.mark.parametrize(
    "ratings",
    [
        {(0, 0): 3.0},
        {(u, i): 4.0 for u in range(5) for i in range(4)},
        {(0, i): float(i % 5) for i in range(3000)} | {(1, 0): 2.0},
        {(0, 0): 1e6, (0, 1): -1e6, (1, 0): 5.0},
    ],
    ids=["one rating", "constant", "one user has nearly all", "huge"],
)
@pytest.mark.parametrize("observation", ["gaussian", "ordinal"])
def test_odd_ratings_give_a_sound_posterior(ratings, observation):
    model = fitted(replace(QUICK, draws=10, blocks=("history", "raters"), observation=observation), 4, table(ratings))
    people = model.people(np.array([0, -1], np.int32))
    assert np.isfinite(model.score(people)).all()
    told = model.predictive(people, np.array([0, -1], np.int32))
    assert np.isfinite(told.mean).all()
    assert np.isfinite(told.sd).all()


def test_odd_features_give_a_sound_posterior():
    rng = np.random.default_rng(0)
    data, _ = planted()
    frame = pl.DataFrame(
        {
            "item_id": np.arange(40),
            "zero": np.zeros(40),
            "gaps": [float("nan") if n % 3 else 1.0 for n in range(40)],
            "x": rng.standard_normal(40),
            "huge": 1e30 * rng.standard_normal(40),
        }
    ).with_columns(twice=2 * pl.col("x"))
    model = fitted(replace(QUICK, blocks=("item_features",)), data=replace(data, item_table=frame))
    assert np.isfinite(model.score(model.people(np.array([0, -1], np.int32)))).all()


def test_settings_and_data_that_cannot_be_are_refused():
    for wrong in (
        {"draws": 0},
        {"burn_in": -1},
        {"observation": "poisson"},
        {"blocks": ("nothing",)},
        {"noise": ("day",)},
        {"spread": 0.0},
        {"seconds": 0.0},
    ):
        with pytest.raises(InputError):
            Gibbs(**wrong)
    data, _ = planted()
    with pytest.raises(InputError, match="no context column 'day'"):
        fitted(replace(QUICK, contexts=("day",)), data=data)
    with pytest.raises(InputError, match="two values"):
        fitted(replace(QUICK, observation="binary"), data=data)
    with pytest.raises(InputError, match="at most 32"):
        fitted(replace(QUICK, observation="ordinal"), data=data)


def test_wide_blocks_draw_the_same_distribution_as_narrow_ones():
    """Conjugate gradients, the eigenvectors of x'x, and those of xx', on the same rows."""
    rng = np.random.default_rng(2)
    dense = rng.standard_normal((12, 20)) * (rng.random((12, 20)) < 0.5)
    rows, precision = rng.standard_normal((12, 3), np.float32), np.array([[2.0, 0.3, 0], [0.3, 1.5, 0.2], [0, 0.2, 3.0]])
    for x in (dense, dense.T):
        made = CSR(
            np.arange(len(x) + 1) * x.shape[1],
            np.tile(np.arange(x.shape[1], dtype=np.int32), len(x)),
            x.astype(np.float32).ravel(),
            x.shape[1],
        )
        target = rows if len(x) == 12 else rng.standard_normal((20, 3), np.float32)
        found = []
        for limit in (100, 0):
            block, effects = Block("x", made, 3, direct_limit=limit), []
            for _ in range(1500):
                block.strength = np.array([2.0, 2.0, 5.0])
                block.draw(target, precision, rng)
                effects.append(block.effect)
            found.append(np.array(effects))
        np.testing.assert_allclose(found[0].mean(0), found[1].mean(0), atol=0.12)
        np.testing.assert_allclose(found[0].std(0), found[1].std(0), atol=0.08)


@pytest.mark.parametrize("limit", [100, 0])
def test_coefficients_make_what_was_drawn(limit):
    rng = np.random.default_rng(3)
    dense = rng.standard_normal((30, 20), np.float32)
    for x in (dense, np.ascontiguousarray(dense.T)):
        made = CSR(np.arange(len(x) + 1) * x.shape[1], np.tile(np.arange(x.shape[1], dtype=np.int32), len(x)), x.ravel(), x.shape[1])
        block = Block("x", made, 3, direct_limit=limit)
        block.draw(rng.standard_normal((len(x), 3), np.float32), np.eye(3), rng)
        np.testing.assert_allclose(x @ block.coefficients(), block.effect, atol=2e-3)


def test_chains_are_judged():
    rng = np.random.default_rng(0)
    apart = rng.standard_normal((3, 200)) + np.arange(3)[:, None] * 3
    assert r_hat(apart) > 1.5
    walk = np.cumsum(rng.standard_normal(500))
    assert effective_draws(walk) < 60
    assert effective_draws(rng.standard_normal(500)) > 250
