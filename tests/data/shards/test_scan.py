"""Files made into shards: nothing lost, honestly shuffled, split, the same again, and one clear error for what is wrong."""

import json
import os
import resource
import sys
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

import likewise as lw
from likewise.data.shards import prepare, scatter
from likewise.data.shards.growing import GrowingIds
from likewise.data.shards.manifest import MANIFEST
from likewise.data.vocabulary import Vocabulary
from likewise.errors import ArtifactError, InputError


def events(n=6000, users=90, items=40, seed=0, **columns):
    rng = np.random.default_rng(seed)
    frame = {"user_id": rng.integers(0, users, n) * 7, "item_id": rng.integers(0, items, n)}
    return pl.DataFrame({**frame, "rating": rng.integers(1, 6, n).astype(np.float32), **columns})


def write(folder, frame, files=3):
    folder.mkdir(exist_ok=True)
    for n in range(files):
        frame.gather_every(files, n).write_parquet(folder / f"part-{n}.parquet")
    return str(folder / "*.parquet")


@pytest.fixture
def small_shards(monkeypatch):
    """Many shards and strata of few events."""
    monkeypatch.setattr(prepare, "SHARD", 500)
    monkeypatch.setattr(prepare, "STRATUM", 600)


def all_of(data):
    return sorted(data.resident().frame().rows())


@pytest.mark.parametrize("kind", ["int", "text", "category"])
def test_every_event_is_there_once_under_its_ids(tmp_path, small_shards, kind):
    frame = events(timestamp=np.arange(6000) + 10**9, weight=np.linspace(0, 2, 6000))
    if kind != "int":
        frame = frame.with_columns(pl.format("u{}", "user_id").alias("user_id"), pl.format("é{}", "item_id").alias("item_id"))
    if kind == "category":
        frame = frame.with_columns(pl.col("item_id").cast(pl.Categorical))
    data = lw.scan(write(tmp_path / "in", frame), tmp_path / "out")
    assert len(data) == 6000 and len(data.files) == 12 and data.side == 10 and data.held_out is None
    plain = frame.with_columns(pl.col("item_id").cast(pl.String)) if kind == "category" else frame
    assert all_of(data) == sorted(lw.Dataset.of(plain).frame().rows())
    assert data.users == Vocabulary.of(plain["user_id"]) and data.items == Vocabulary.of(plain["item_id"])
    np.testing.assert_array_equal(data.counts[0], plain["user_id"].value_counts().sort("user_id")["count"])
    assert data.rating_range == (1, 5) and abs(data.mean - frame["rating"].mean()) < 1e-6
    assert abs(data.weight - frame["weight"].sum()) < 1e-3 and data.has_times


def test_the_shuffle_is_honest(tmp_path, small_shards):
    """Where an event lies says nothing about when it was read."""
    frame = events(n=20_000, users=4000, weight=np.arange(20_000, dtype=np.float32))
    data = lw.scan(write(tmp_path / "in", frame, 1), tmp_path / "out")
    for number in range(len(data.files)):
        read = np.sort(data.shard(number).weights)
        assert abs(read.mean() - 10_000) < 6 * 5774 / np.sqrt(len(read))
    places = np.concatenate([data.shard(number).weights for number in range(len(data.files))])
    assert abs(np.corrcoef(places, np.arange(len(places)))[0, 1]) < 0.03
    within = data.stratum(0, np.arange(len(data.files)))[1].weights
    assert abs(np.corrcoef(within[:-1], within[1:])[0, 1]) < 0.15


def test_strata_hold_each_event_once_and_share_no_rows(tmp_path, small_shards):
    data = lw.scan(write(tmp_path / "in", events()), tmp_path / "out")
    found = []
    for stratum in range(data.side):
        starts, columns = data.stratum(stratum, np.random.default_rng(stratum).permutation(len(data.files)))
        assert starts[0] == 0 and starts[-1] == len(columns)
        for block in range(data.side):
            part = slice(starts[block], starts[block + 1])
            assert (data.blocks[0][columns.users[part]] == block).all()
            assert (data.blocks[1][columns.items[part]] == (block + stratum) % data.side).all()
        found += zip(columns.users.tolist(), columns.items.tolist(), columns.ratings.tolist(), strict=True)
    kept = data.resident().interactions
    assert sorted(found) == sorted(zip(kept.users.tolist(), kept.items.tolist(), kept.ratings.tolist(), strict=True))


def test_split_at_random_and_by_time(tmp_path, small_shards):
    frame = events(timestamp=np.random.default_rng(1).permutation(6000) + 10**9)
    source = write(tmp_path / "in", frame)
    by_chance = lw.scan(source, tmp_path / "a", test=0.25, by="random")
    assert 1350 < len(by_chance.held_out) < 1650
    assert sorted(all_of(by_chance) + all_of(by_chance.held_out)) == sorted(
        frame.select("user_id", "item_id", "rating", "timestamp").rows()
    )
    later = lw.scan(source, tmp_path / "b", test=0.25)
    assert 1200 < len(later.held_out) < 1800
    assert later.resident().interactions.times.max() < later.held_out.resident().interactions.times.min()
    assert later.counts[0].sum() == len(later) and later.held_out.train is not None
    assert "held out" in repr(later) and "by time" in repr(later)


def test_what_is_held_out_tells_nothing_of_the_ratings(tmp_path, small_shards):
    late = np.arange(6000) >= 4500
    frame = events(timestamp=np.arange(6000) + 10**9).with_columns(rating=pl.Series(np.where(late, 9.0, 1.0 + np.arange(6000) % 3)))
    data = lw.scan(write(tmp_path / "in", frame), tmp_path / "out", test=0.3)
    learned = data.resident().interactions.ratings
    assert data.rating_range == (1, 3) and data.mean == pytest.approx(learned.mean(dtype=np.float64), abs=1e-6)


def test_the_same_again_is_the_same_and_is_not_done_twice(tmp_path, small_shards):
    source = write(tmp_path / "in", events())
    told = []
    first = lw.scan(source, tmp_path / "a", seed=3, watch=told.append)
    assert {event["stage"] for event in told} == {"encoding", "writing shards"}
    assert told[-1]["rows"] == 6000 and told[-1]["rows_per_second"] > 0 and told[-1]["peak_mb"] > 10
    assert lw.scan(source, tmp_path / "b", seed=3).fingerprint == first.fingerprint
    assert lw.scan(source, tmp_path / "c", seed=4).fingerprint != first.fingerprint
    told.clear()
    assert lw.scan(source, tmp_path / "a", seed=3, watch=told.append).fingerprint == first.fingerprint and not told
    with pytest.raises(ArtifactError, match="holds other events, or these prepared in another way"):
        lw.scan(source, tmp_path / "a", seed=4)


def test_kept_holds_every_row_that_is_learned(tmp_path, small_shards, monkeypatch):
    monkeypatch.setattr("likewise.data.shards.shards.KEPT", 50)
    data = lw.scan(write(tmp_path / "in", events()), tmp_path / "out", test=0.5, by="random")
    kept = data.kept.interactions
    assert 90 <= len(kept) < 250 and "stand for all" in data.kept.report.notes[0]
    assert ((kept.by_user.counts > 0) == (data.counts[0] > 0)).all() and ((kept.by_item.counts > 0) == (data.counts[1] > 0)).all()
    assert set(zip(kept.users.tolist(), kept.items.tolist(), strict=True)) <= set(
        zip(data.resident().interactions.users.tolist(), data.resident().interactions.items.tolist(), strict=True)
    )
    assert len(data.sample(70)) == 70 and len(data.sample(10**9)) == len(data)


def test_people_come_with_all_they_did(tmp_path, small_shards):
    data = lw.scan(write(tmp_path / "in", events()), tmp_path / "out", test=0.3, by="random")
    train, held = data.people(10)
    chosen = np.unique(held.users)
    assert len(chosen) == 10
    everything = data.resident().interactions
    assert len(train) == np.isin(everything.users, chosen).sum() and set(train.users) == set(chosen)


def test_likes_missing_ids_and_named_columns(tmp_path):
    frame = pl.DataFrame({"who": ["a", None, "b", "c"], "what": [1.0, 2.0, None, 3.0], "stars": [1, 2, 3, 4]})
    frame.write_parquet(tmp_path / "x.parquet")
    data = lw.scan(tmp_path / "x.parquet", tmp_path / "out", user="who", item="what", rating=False)
    assert not data.explicit and data.rating_range is None and len(data) == 2
    assert data.users.ids.to_list() == ["a", "c"] and data.items.ids.to_list() == [1, 3]


def test_tables_come_along(tmp_path):
    titles = pl.DataFrame({"item_id": range(40), "title": [f"t{n}" for n in range(40)]})
    data = lw.scan(write(tmp_path / "in", events()), tmp_path / "out", items=titles)
    assert data.kept.titles[3] == "t3"
    assert lw.scan(tmp_path / "in", tmp_path / "out", items=titles).fingerprint == data.fingerprint
    for other in (None, titles.with_columns(title=pl.lit("x"))):
        with pytest.raises(ArtifactError, match="prepared in another way"):
            lw.scan(tmp_path / "in", tmp_path / "out", items=other)


# ---- bad input --------------------------------------------------------------------------------------------------------------------


def refused(tmp_path, message, kind=InputError, source="in/*.parquet", **options):
    with pytest.raises(kind, match=message) as raised:
        lw.scan(str(tmp_path / source), tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name], "something is left"


def test_files_that_differ(tmp_path):
    write(tmp_path / "in", events())
    events().with_columns(pl.col("user_id").cast(pl.String)).write_parquet(tmp_path / "in" / "z.parquet")
    refused(tmp_path, "column 'user_id' is int64 in part-0.parquet and large_string in z.parquet")
    events().rename({"rating": "points"}).write_parquet(tmp_path / "in" / "z.parquet")
    refused(tmp_path, "part-0.parquet has a column 'rating', z.parquet has only user_id, item_id, points")


def test_files_that_are_no_parquet(tmp_path):
    write(tmp_path / "in", events())
    path = tmp_path / "in" / "part-1.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, "part-1.parquet is no whole Parquet file")
    path.write_bytes(whole[:100] + bytes(len(whole) - 300) + whole[-200:])  # its footer stands
    refused(tmp_path, "part-1.parquet")
    path.write_text("user_id,item_id\n1,2\n")
    refused(tmp_path, "part-1.parquet is no whole Parquet file")
    refused(tmp_path, "no file matches", source="nowhere/*.parquet")
    with pytest.raises(InputError, match="must be a path or a glob of Parquet files"):
        lw.scan(events(), tmp_path / "out")


def test_a_source_that_changes_under_the_reader(tmp_path, monkeypatch):
    write(tmp_path / "in", events())
    throw = scatter.Scattering._throw

    def throw_and_touch(self, number, *rest):
        os.utime(tmp_path / "in" / "part-2.parquet", (1, 1))
        return throw(self, number, *rest)

    monkeypatch.setattr(scatter.Scattering, "_throw", throw_and_touch)
    refused(tmp_path, "part-2.parquet changed while it was read")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"rating": [1.0, None] * 3000}, "part-0.parquet, after row 0: column 'rating' must hold a number in every row"),
        ({"rating": ["good"] * 6000}, "must hold numbers; row 1 holds 'good'"),
        ({"weight": [-1.0] * 6000}, "weights must not be negative"),
        ({"timestamp": ["soon"] * 6000}, "must hold times"),
        ({"user_id": [1.5] * 6000}, "not fractions such as 1.5"),
        ({"user_id": [True] * 6000}, "ids must be int or str, not Boolean"),
        ({"user_id": [4] * 6000}, "holds 1 users: a recommender needs at least 2"),
    ],
)
def test_values_that_may_not_be(tmp_path, column, message):
    write(tmp_path / "in", events(**column))
    refused(tmp_path, message)


def test_times_of_two_units(tmp_path):
    write(tmp_path / "in", events(timestamp=np.full(6000, 1_500_000_000)), 1)
    events(timestamp=np.full(6000, 1_500_000_000_000)).write_parquet(tmp_path / "in" / "z.parquet")
    refused(tmp_path, "times are in one unit at first and in another here")


def test_arguments_that_may_not_be(tmp_path):
    write(tmp_path / "in", events())
    refused(tmp_path, r"test must be a share in \[0, 1\)", test=1.0)
    refused(tmp_path, "by must be 'random' or 'time'", test=0.1, by="user")
    refused(tmp_path, "a split by time needs times", test=0.1, by="time")
    refused(tmp_path, "must lie in the stated range 1 to 3", range=(1, 3))
    refused(tmp_path, "range must have low < high", range=(3, 1))
    refused(tmp_path, "user='nobody' names a column that is not there", user="nobody")


def test_more_ids_than_rows_can_number(tmp_path, monkeypatch):
    write(tmp_path / "in", events())
    monkeypatch.setattr(prepare, "LARGEST", 50)
    refused(tmp_path, "there are more than 50 different users, which rows of 32 bits cannot number")


@contextmanager
def full_disk(size):
    """Lets no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot limit the size of its files there")
@pytest.mark.parametrize("size", [0, 300, 5_000, 20_000])
def test_a_full_disk_leaves_nothing(tmp_path, size):
    source = write(tmp_path / "in", events(n=50_000))
    lw.scan(source, tmp_path / "compiled")  # compiled code may be cached beforehand
    with full_disk(size), pytest.raises(ArtifactError, match=r"could not prepare .*out: .* nothing was left there"):
        lw.scan(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "in"]


def test_a_disk_without_room_is_told_before(tmp_path, monkeypatch):
    write(tmp_path / "in", events())
    monkeypatch.setattr(prepare.shutil, "disk_usage", lambda path: os.terminal_size((0, 0)) and type("Usage", (), {"free": 1000})())
    refused(tmp_path, "GB while it is made and 0.0 GB are free: give another disk", ArtifactError)


def test_a_run_that_is_stopped_leaves_nothing(tmp_path, monkeypatch):
    source = write(tmp_path / "in", events())

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        lw.scan(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_place_that_holds_something_else(tmp_path):
    source = write(tmp_path / "in", events())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="holds something that is no prepared data"):
        lw.scan(source, tmp_path / "out")
    assert (tmp_path / "out" / "letter.txt").read_text() == "dear"


# ---- folders that were tampered with ----------------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path, small_shards):
    return lw.scan(write(tmp_path / "in", events()), tmp_path / "out", test=0.2, by="random").folder


def damaged(prepared, message, **options):
    with pytest.raises(ArtifactError, match=message):
        lw.open_shards(prepared, **options)


def test_an_edited_shard(prepared):
    path = prepared / "train-00003.safetensors"
    found = bytearray(path.read_bytes())
    found[-1] ^= 1
    path.write_bytes(found)
    damaged(prepared, "train-00003.safetensors is damaged: its checksum differs")
    assert lw.open_shards(prepared, verify=False)


def test_a_cut_a_missing_and_a_strange_shard(prepared):
    path = prepared / "train-00003.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    damaged(prepared, "is damaged", verify=False)
    path.write_bytes(b"hello")
    damaged(prepared, "holds no arrays", verify=False)
    path.unlink()
    damaged(prepared, "train-00003.safetensors is missing")


def test_an_edited_manifest_and_none(prepared):
    path = prepared / MANIFEST
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "users": 3}))
    damaged(prepared, "its own checksum differs")
    path.write_text(json.dumps({**told, "format": 99}))
    damaged(prepared, "prepared in format 99; this release reads up to format 1")
    path.write_text("{")
    damaged(prepared, "shards.json is damaged")
    path.unlink()
    damaged(prepared, "holds no prepared data: it has no shards.json")


def test_a_shard_that_changes_under_the_reader(prepared):
    data = lw.open_shards(prepared)
    path = prepared / "train-00003.safetensors"
    os.utime(path, (1, 1))
    with pytest.raises(ArtifactError, match=r"train-00003.safetensors was changed while it was being read"):
        list(data.each())
    path.unlink()
    with pytest.raises(ArtifactError, match=r"train-00003.safetensors was removed while it was being read"):
        lw.Recommender(lw.Dot(factors=2), lw.Gradient(epochs=1, optimizer="sgd")).fit(data)


# ---- ids --------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30), max_size=30), max_size=6))
def test_ids_are_met_as_a_dict_would(batches):
    growing, known = GrowingIds("user"), {}
    for batch in batches:
        expected = [known.setdefault(raw, len(known)) for raw in batch]
        assert growing.rows(pl.Series(batch, dtype=pl.Int64)).tolist() == expected
    if known:
        vocabulary, rank, counts = growing.vocabulary()
        assert vocabulary.ids.to_list() == sorted(known)
        assert [vocabulary.id(int(rank[row])) for row in known.values()] == list(known)
        assert counts.tolist() == [sum(batch.count(raw) for batch in batches) for raw in sorted(known)]


def test_many_ids_and_texts():
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 10**12, 200_000)
    for values in (pl.Series(raw), pl.Series(raw).cast(pl.String)):
        growing = GrowingIds("item")
        rows = np.concatenate([growing.rows(values[start : start + 30_000]) for start in range(0, len(values), 30_000)])
        vocabulary, rank, _ = growing.vocabulary()
        assert vocabulary == Vocabulary.of(values)
        np.testing.assert_array_equal(rank[rows], vocabulary.rows(values))
