"""Protocols as data, splitting off introductions, and what a pair of sets is warned of."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.data.synthetic import planted_chain
from likewise.errors import InputError
from likewise.evaluation.cautions import cautions, features_from_test, order_unknown
from likewise.evaluation.evaluate import evaluate
from likewise.evaluation.held import held_out, introduce
from likewise.evaluation.protocol import PROTOCOLS, Protocol, positives, protocol
from likewise.evaluation.segments import head_items, labels, segment_parts
from likewise.models.ease import EASE
from likewise.models.markov import Markov
from tests.evaluation.planted import dataset, held_of

TIMED = ("user_id", "item_id", "rating", "timestamp")
DAY = 86_400


def test_protocols_are_data():
    ncf = protocol("loo99", seed=7)
    assert (ncf.negatives, ncf.by, ncf.ks, ncf.prefix) == (99, "last", (10,), "sampled_")
    assert ncf.settings["candidates"] == 100
    assert "99 sampled negatives (seed 7)" in ncf.describe()
    vae = PROTOCOLS["vae"]
    assert (vae.by, vae.positive, vae.given) == ("cold-users", ">=4", 0.8)
    assert Protocol(ks=(20, 5, 5)).ks == (5, 20)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"positive": "4"}, "as in '>=4'"),
        ({"positive": ">= four"}, "as in '>=4'"),
        ({"ks": (0,)}, "at least 1"),
        ({"negatives": 0}, "None to rank everything"),
        ({"pool": "cold"}, "'all' or 'new'"),
        ({"given": 1.0}, "a share"),
        ({"name_": "x"}, "a protocol has no name_"),
    ],
)
def test_impossible_protocols_are_refused(bad, message):
    with pytest.raises(InputError, match=message):
        protocol("full", **bad)


def test_unknown_protocol_names_those_there_are():
    with pytest.raises(InputError, match="full, loo99, vae, cold-items; got 'ncf'"):
        protocol("ncf")


def test_positives_by_threshold():
    ratings = np.array([3, 3.5, 4, 5], np.float32)
    assert positives(ratings, ">=4").tolist() == [False, False, True, True]
    assert positives(ratings, "> 3.5").tolist() == [False, False, True, True]
    assert positives(ratings, "<=3").tolist() == [True, False, False, False]
    assert Protocol().positives(None, 2).tolist() == [True, True]
    with pytest.raises(InputError, match="needs ratings"):
        Protocol(positive=">=4").positives(None, 2)


def test_introductions_take_the_share_of_strangers_only():
    pairs = [(person, thing) for person in range(4) for thing in range(10)] + [(4, 0)]
    held = held_of(pairs, [0, -1, -1, 1, -1], 12, ratings=np.arange(41, dtype=np.float32))
    given, rest = introduce(held, 0.8, seed=3)
    assert given.counts.tolist() == [0, 8, 8, 0, 0]  # who has one event keeps it for the test
    assert np.bincount(rest.people, minlength=5).tolist() == [10, 2, 2, 10, 1]
    for person in (1, 2):
        mine = set(given.rows[given.indptr[person] : given.indptr[person + 1]]) | set(rest.event_items[rest.people == person])
        assert mine == set(range(10))
    assert (given.ratings == np.array([10 * (1 if n < 8 else 2) for n in range(16)]) + given.rows).all()
    again, _ = introduce(held, 0.8, seed=3)
    assert np.array_equal(given.rows, again.rows)
    with pytest.raises(InputError, match="a share"):
        introduce(held, 0.0, 0)


def test_held_out_rows_tell_strangers_apart():
    train = dataset([(1, 10, 5.0), (2, 20, 3.0)])
    held = held_out(train, dataset([(3, 10, 4.0), (4, 30, 2.0), (2, 10, 1.0)]))
    assert held.event_users.tolist() == [-1, -1, 1]
    assert len(set(held.people.tolist())) == 3
    assert held.event_items.tolist() == [0, -1, 0]
    with pytest.raises(InputError, match="no events"):
        held_out(train, train.select(np.zeros(2, bool)))


def world(backwards):
    """30 people, 10 ratings each, a day apart; the test is the last two of each, or every fifth."""
    rows = [(u, 100 + (u * 7 + t) % 40, float(1 + (u + t) % 5), (u % 3 + t) * DAY) for u in range(30) for t in range(10)]
    test = [row for n, row in enumerate(rows) if (n % 5 == 2 if backwards else n % 10 >= 8)]
    return [row for row in rows if row not in test], test


def test_a_random_split_of_timed_data_is_warned_of_and_a_split_by_time_is_not():
    train, test = world(backwards=True)
    (line,) = [c for c in cautions(dataset(train, TIMED), dataset(test, TIMED)) if "random split" in c]
    assert "100%" in line
    assert "split by time" in line
    train, test = world(backwards=False)
    assert not any("random" in c for c in cautions(dataset(train, TIMED), dataset(test, TIMED)))
    untimed = [row[:3] for row in train], [row[:3] for row in test]
    assert not any("random" in c for c in cautions(*map(dataset, untimed)))


def test_moments_as_context_are_hindsight():
    train, test = world(backwards=True)
    from likewise.data.dataset import Dataset

    def with_day(rows):
        return Dataset.of(pl.DataFrame(rows, schema=list(TIMED), orient="row"), context=("day",))

    assert any("context 'day' is known only by hindsight" in c for c in cautions(with_day(train), with_day(test)))
    train, test = world(backwards=False)
    assert not any("hindsight" in c for c in cautions(with_day(train), with_day(test)))


def test_duplicates_strangers_and_long_lists_are_told():
    train, test = dataset([(1, 10, 5.0), (2, 20, 3.0)]), dataset([(1, 10, 5.0), (3, 40, 4.0)])
    lines = cautions(train, test, Protocol(ks=(2, 50), negatives=99))
    assert [line.split(":")[0].split("(")[0] for line in lines] == [
        "duplicates across the sets",
        "only in the test set",
        "k = 50 is more than the 2 items there are",
        "ranked among 99 sampled items, not the catalogue",
    ]
    assert "1 users and 1 items (50.0% of its events)" in lines[1]
    assert cautions(train, dataset([(1, 20, 4.0)]), Protocol(ks=(1,))) == []


def test_features_made_from_the_test_are_found():
    rng = np.random.default_rng(0)
    rows = [
        (int(u), int(i), float(r))
        for u, i, r in zip(rng.integers(0, 50, 600), rng.integers(0, 20, 600), rng.integers(1, 6, 600), strict=True)
    ]
    train, test = rows[:450], rows[450:]

    def table(source):
        frame = pl.DataFrame(source, schema=["user_id", "item_id", "rating"], orient="row")
        return frame.group_by("item_id").agg(pl.len().alias("popularity"), pl.col("rating").mean().alias("stars"))

    leaking = dataset(train, item_table=table(rows).with_columns(year=pl.lit(1990)))
    found = features_from_test(leaking, dataset(test))
    assert len(found) == 2
    assert "'popularity' was made from the test ratings: it is the count" in found[0]
    assert "'stars'" in found[1]
    assert features_from_test(dataset(train, item_table=table(train)), dataset(test)) == []


def test_segments_equal_a_loop():
    train = dataset([(u, i, 3.0, i * DAY) for u in range(12) for i in range(u + 1)], TIMED)
    test = dataset([(0, 11, 4.0, 40 * DAY), (11, 0, 2.0, 20 * DAY), (11, 99, 2.0, 9 * DAY), (77, 3, 1.0, 500 * DAY)], TIMED)
    held = held_out(train, test)
    named = {
        segment: [names[code] if code >= 0 else None for code in label]
        for segment, (names, label) in labels(train.interactions, held).items()
    }
    assert named == {
        "user": ["known", "known", "known", "new"],
        "activity": ["1-9", "10-49", "10-49", "0"],
        "item": ["tail", "head", "new", "head"],
        "item age": ["0-29 days", "0-29 days", None, "365+ days"],
    }
    # 78 events, items with 12, 11, 10 ... of them: 12 + 11 + 10 = 33 is not half yet, 42 is
    assert head_items(train.interactions).tolist() == [True] * 4 + [False] * 8
    squares = np.array([1.0, 4.0, np.nan, 9.0])
    parts = {(part.segment, part.part): part for part in segment_parts(train.interactions, held, {"rmse": squares})}
    assert parts["item", "head"].figures["rmse"].value == pytest.approx(np.sqrt(6.5))
    assert parts["user", "known"].events == 3
    assert np.isnan(parts["item", "new"].figures["rmse"].value)


def test_models_of_order_say_so_where_it_is_not_known() -> None:
    timed = planted_chain(n_users=20, n_items=40, length=4).data
    untimed = Dataset.of(timed.frame().drop("timestamp"))
    (line,) = order_unknown(Markov(), untimed)
    assert line.startswith("order unknown: markov learns") and "no event has a time" in line
    assert not order_unknown(Markov(), timed) and not order_unknown(EASE(), untimed)
    rec = lw.Recommender(Markov()).fit(untimed)
    assert rec.notes["remarks"] == [line]
    assert line in evaluate(rec.fitted, untimed, untimed).cautions
