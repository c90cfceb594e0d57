"""Choosing questions: planted knowledge, gains against a plain computation, the terminal."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from likewise.answers import Answers
from likewise.cli.app import app
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.models.dot import Dot
from likewise.people.questions import Questionnaire
from likewise.recommender import Recommender
from likewise.solvers.gradient import Gradient
from tests.contract.cases import data, rows


@pytest.fixture(scope="module")
def rec():
    return Recommender(Dot(factors=4), Gradient(epochs=5, batch_size=256)).fit(data())


def test_gain_is_the_fall_of_the_mean_variance(rec):
    """Against the covariances before and after, item by item."""
    asker = Questionnaire(rec.answers)
    (model,) = asker.rows
    history = Histories.of({4: 5.0, 9: 2.0})
    asked, gains, chances = asker.ask(history, rows(7), 1)
    precision = model.prior.precision.astype(np.float64)
    for item in (4, 9):
        precision = precision + np.outer(model.design[item], model.design[item]) / model.noise
    shares = asker.popularity / asker.popularity.sum()

    def variance(p):
        return float(shares @ np.einsum("ik,kl,il->i", model.design, np.linalg.inv(p), model.design))

    best, chance = int(asked[0]), asker.chance(rows(4, 9), rows(7))
    falls = [variance(precision) - variance(precision + np.outer(d, d) / model.noise) for d in model.design]
    worth = np.array(falls) * chance
    worth[[4, 9, 7]] = -1
    assert best == int(worth.argmax())
    assert gains[0] == pytest.approx(worth[best], rel=1e-2)
    assert chances[0] == pytest.approx(chance[best], rel=1e-5)


def test_who_knows_one_of_a_kind_knows_the_others():
    """Two halves of the people know two halves of the items: an answer tells which half this is."""
    users, items = np.divmod(np.arange(40 * 20), 20)
    inside = (users % 2) == (items % 2)
    rng = np.random.default_rng(0)
    inside &= rng.random(len(users)) < 0.8
    frame = pl.DataFrame({"user_id": users[inside], "item_id": items[inside], "rating": rng.integers(1, 6, inside.sum()) * 1.0})
    known = Dataset.of(frame)
    asker = Questionnaire(Answers(Recommender(Dot(factors=2), Gradient(epochs=1)).fit(known).fitted, known))
    place = known.items.rows(list(range(20)))
    even, odd = place[0:20:2], place[1:20:2]
    before = asker.chance(rows(), rows())
    np.testing.assert_allclose(before[even].mean(), before[odd].mean(), atol=0.1)
    yes, no = asker.chance(even[:2], rows()), asker.chance(rows(), even[:2])
    assert yes[even[2:]].mean() > 0.6 > 0.2 > yes[odd].mean()
    assert no[odd].mean() > no[even[2:]].mean()
    asked, _, _ = asker.ask(Histories.of({int(even[0]): 4.0}), rows(), 3)
    assert set(asked.tolist()) <= set(even.tolist())


def test_a_visitor_is_asked_one_thing_after_another_until_nothing_is_left(rec):
    visitor, asked = rec.visitor(), []
    while (question := visitor.next_question()) is not None:
        item, title = question
        assert title
        asked.append(item)
        visitor = visitor.rate(item, 3.0) if len(asked) % 2 else visitor.not_seen(item)
    assert sorted(asked) == list(range(30))
    assert len(visitor.history.rows) == 15


def test_the_terminal_asks_and_then_recommends(rec, tmp_path):
    rec.save(tmp_path / "model")
    done = CliRunner().invoke(app, ["ask", str(tmp_path / "model"), "-n", "4", "-k", "3", "--json"], input="5\n\nseven\n2\n")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert "taken as not seen" in done.stderr
    quick = CliRunner().invoke(app, ["ask", str(tmp_path / "model"), "-k", "2", "--json"], input="q\n")
    assert len(json.loads(quick.stdout.strip().splitlines()[-1])) == 2


def test_the_terminal_updates(rec, tmp_path):
    rec.save(tmp_path / "model")
    pl.DataFrame({"user_id": [3, 60], "item_id": [4, 9], "rating": [1.0, 5.0]}).write_csv(tmp_path / "new.csv")
    command = ["update", str(tmp_path / "model"), str(tmp_path / "new.csv"), "--out", str(tmp_path / "after"), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.strip().splitlines()[-1])["new_users"] == 1
    assert Recommender.load(tmp_path / "after").data.n_users == 51
