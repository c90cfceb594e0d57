"""The feedback database, both kinds: kept once, in order, or refused whole; migrations make what the tables say."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
import sqlalchemy as sa

import likewise as lw
from likewise.errors import InputError
from likewise.serving.feedback.database import open_engine, prepare
from likewise.serving.feedback.learn import feedback_dataset
from likewise.serving.feedback.store import DatabaseAwayError, Event, Feedback, KeyReusedError
from likewise.serving.feedback.tables import HEAD, metadata
from likewise.solvers.als import ALS
from tests.serving.conftest import small_data


def test_migrations_make_what_the_tables_say(database: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    feedback = Feedback(database)
    feedback.prepare()
    with feedback.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "likewise_schema"})
        different = [one for one in compare_metadata(context, metadata) if "likewise_schema" not in str(one)]
        assert context.get_current_revision() == HEAD
    assert [one for one in different if one[0] not in ("add_index", "remove_index") and "comment" not in str(one)] == []
    feedback.prepare()
    feedback.close()


def prepared(url: str) -> None:
    engine = open_engine(url)
    prepare(engine)
    engine.dispose()


@pytest.mark.slow
def test_several_processes_may_prepare_at_once(database: str) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(prepared, [database] * 3))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(prepared, [database] * 3))


def test_an_event_is_kept_once(database: str) -> None:
    feedback = Feedback(database)
    event = Event("1", "100", "rate", 4.0, 50.0, "k1")
    assert feedback.add([event, Event("1", "101", "like", None, 10.0)]) == (2, 0)
    assert feedback.add([event]) == (0, 1)
    assert feedback.add([event, event]) == (0, 2)
    assert [row["item_id"] for row in feedback.of_user("1")] == ["101", "100"]
    with pytest.raises(KeyReusedError, match="another rating"):
        feedback.add([Event("1", "103", "like"), Event("1", "100", "rate", 2.0, 50.0, "k1")])
    assert len(feedback.of_user("1")) == 2
    assert feedback.waiting(0.0)[0] == 2 and feedback.forget("1") == 2 and feedback.of_user("1") == []
    feedback.close()


def test_one_key_from_many_threads_is_kept_once(database: str) -> None:
    feedback = Feedback(database)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda n: feedback.add([Event("1", "100", "like", key=f"k{n % 10}")]), range(80)))
    assert len(feedback.of_user("1")) == 10
    assert sum(fresh + known for fresh, known in counts) == 80
    feedback.close()


def test_a_migration_leaves_no_lock_behind(database: str) -> None:
    feedback = Feedback(database)
    if feedback.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no such locks")
    feedback.prepare()
    with feedback.engine.connect() as connection:
        mine = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        assert connection.exec_driver_sql(f"SELECT count(*) FROM pg_locks WHERE {mine}").scalar() == 0
    feedback.close()


def test_generations_only_grow(database: str) -> None:
    feedback = Feedback(database)
    first, second = feedback.generation("a"), feedback.generation("b")
    assert first < second and feedback.generation("a") == first
    feedback.close()


def test_feedback_teaches_the_next_model(database: str) -> None:
    data = small_data()
    rec = lw.Recommender(lw.Dot(factors=4), ALS(feedback="ratings", sweeps=4, l2=0.1)).fit(data)
    feedback = Feedback(database)
    feedback.add([Event("900", "100", "rate", 5.0, 1.0), Event("900", "102", "like", None, 2.0), Event("900", "100", "rate", 4.0, 3.0)])
    feedback.add([Event("900", "104", "view"), Event("word", "104", "like")])
    new = feedback_dataset(database, rec.data)
    assert new.frame().select("user_id", "item_id", "rating").sort("item_id").rows() == [(900, 100, 4.0), (900, 102, 5.0)]
    updated = rec.update(new)
    assert list(updated.recommend([900], k=3)["source"]) == ["known"] * 3
    with pytest.raises(InputError, match="nothing to learn"):
        feedback_dataset(database, rec.data, after=4e9)
    feedback.close()


def test_a_database_that_is_away_is_said() -> None:
    feedback = Feedback("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseAwayError, match="try again"):
        feedback.add([Event("1", "2", "like")])
    feedback.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "no url", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"database|file"):
        Feedback(url)


def test_sqlite_keeps_every_commit(tmp_path: object) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/f.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.execute(sa.text("select 1")).scalar() == 1
    engine.dispose()
