"""Each genuine MovieLens layout, from small files written in it; and the real data sets where they are."""

import numpy as np
import polars as pl
import pytest

from likewise.data.movielens import load_movielens
from likewise.data.readers import read
from likewise.data.side import GENRES

RATINGS = [(1, 1, 5.0, 978300760), (1, 3, 3.0, 978300761), (2, 1, 4.0, 978300762), (2, 2, 1.0, 978300763)]


def lines(delimiter, ending="\n"):
    return "".join(delimiter.join(str(int(v)) for v in row) + ending for row in RATINGS)


@pytest.fixture
def ml_100k(tmp_path):
    def flags(*names):
        return "|".join(str(int(genre in names)) for genre in GENRES)

    (tmp_path / "u.data").write_text(lines("\t"))
    (tmp_path / "u.item").write_bytes(
        (
            f"1|Toy Story (1995)|01-Jan-1995||http://x?Toy%20Story|{flags('Animation', 'Comedy')}\n"
            f"2|Misérables, Les (1995)|01-Jan-1996||http://y|{flags('Drama')}\n"
            f"3|unknown||||{flags('unknown')}\n"
        ).encode("latin-1")
    )
    (tmp_path / "u.user").write_bytes("1|24|M|technician|85711\n2|53|F|other|T8H1N\n".encode("latin-1"))
    return tmp_path


@pytest.fixture
def ml_1m(tmp_path):
    (tmp_path / "ratings.dat").write_text(lines("::"))
    (tmp_path / "movies.dat").write_bytes(
        "1::Toy Story (1995)::Animation|Comedy\n2::Star Wars: Épisode IV (1977)::Drama\n3::Nowhere (2001)::Horror\n".encode("latin-1")
    )
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    return tmp_path


@pytest.fixture
def ml_latest(tmp_path):
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(",".join(map(str, r)) + "\n" for r in RATINGS))
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n2,"American, An (1990)",Drama\n'
        "3,Odd One (2006–2007),(no genres listed)\n"
    )
    (tmp_path / "tags.csv").write_text('userId,movieId,tag,timestamp\n1,1,pixar,1\n1,2,"never, rated",2\n2,1,Pixar,3\n')
    (tmp_path / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0114709,862\n")
    return tmp_path


def test_ml_100k(ml_100k):
    data = load_movielens(ml_100k)
    assert data.frame().rows() == RATINGS
    assert data.titles.to_list() == ["Toy Story (1995)", "Misérables, Les (1995)", "unknown"]
    assert data.item_features["genres"].columns == ("genres=Animation", "genres=Comedy", "genres=Drama", "genres=unknown")
    assert data.item_table["year"].to_list() == [1995, 1995, None]
    assert data.user_features.columns == [
        "age",
        "age missing",
        "gender=F",
        "gender=M",
        "occupation=other",
        "occupation=technician",
        "zip=85711",
        "zip=T8H1N",
    ]


def test_ml_1m(ml_1m):
    data = load_movielens(str(ml_1m))
    assert data.frame().rows() == RATINGS
    assert data.titles[1] == "Star Wars: Épisode IV (1977)"
    assert data.item_table["year"].to_list() == [1995, 1977, 2001]
    assert data.user_features["occupation"].columns == ("occupation=K-12 student", "occupation=self-employed")
    assert data.user_features["age"].kind == "category"


def test_ml_latest(ml_latest):
    data = load_movielens(ml_latest, context=["day"])
    assert data.frame().drop("day").rows() == RATINGS
    assert data.item_features["genres"].matrix.counts.tolist() == [2, 1, 0]
    assert data.item_table["year"].to_list() == [1995, 1990, 2006]
    assert data.item_features["tags"].columns == ("tags=pixar",)
    assert len(data.contexts["day"]) == 1


def test_half_stars_and_tags_of_ml_10m(tmp_path):
    (tmp_path / "ratings.dat").write_text("1::122::5::838985046\n1::185::4.5::838983525\n2::122::0.5::838983392\n")
    (tmp_path / "movies.dat").write_text("122::Boomerang (1992)::Comedy|Romance\n185::Net, The (1995)::Action\n")
    (tmp_path / "tags.dat").write_text("1::122::dry: wit::1188263867\n9::185::odd::1\n")
    data = load_movielens(tmp_path)
    assert data.rating_range == (0.5, 5) and data.item_features["tags"].columns == ("tags=dry: wit",)


def test_named_data_sets_are_found_under_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / "ml-100k").mkdir()
    (tmp_path / "ml-100k" / "u.data").write_text(lines("\t"))
    monkeypatch.setenv("LIKEWISE_DATA", str(tmp_path))
    assert len(load_movielens("100k")) == len(load_movielens("ml-100k")) == 4


def test_rows_follow_time_rank_where_there_is_one(tmp_path):
    pl.DataFrame(
        {"user_id": [2, 1, 1], "item_id": [1, 2, 1], "rating": [3, 4, 5], "timestamp": [None, None, None], "time_rank": [0, 1, 0]},
        schema_overrides={"timestamp": pl.Int64},
    ).write_parquet(tmp_path / "ratings.parquet")
    assert load_movielens(tmp_path).frame().select("user_id", "item_id").rows() == [(1, 1), (1, 2), (2, 1)]


def test_the_sample():
    pytest.importorskip("likewise_samples", reason="the package likewise-samples is not installed")
    data = load_movielens()
    assert (len(data), data.n_users, data.n_items) == (100_836, 610, 9_724)
    assert [b.name for b in data.item_features.blocks] == ["genres", "year", "tags"]


def test_real_ml_100k(data_home):
    data = load_movielens(data_home / "ml-100k")
    assert (len(data), data.n_users, data.n_items) == (100_000, 943, 1_682)
    assert data.item_features["genres"].matrix.width == 19 and data.item_features["genres"].matrix.counts.min() == 1
    assert data.user_features["occupation"].matrix.width == 21
    assert data.titles[0] == "Toy Story (1995)" and data.titles[266] == "unknown"
    assert read(data_home / "ml-100k" / "u1.test").n_users == 459


def test_real_ml_1m(data_home):
    data = load_movielens(data_home / "ml-1m")
    assert (len(data), data.n_users, data.n_items) == (1_000_209, 6_040, 3_706)
    assert not data.has_times and data.user_features["age"].matrix.width == 7
    part = read(data_home / "ml-1m" / "ratings-users-1-2999.dat")
    assert len(part) == 487_650 and part.has_times
    both = data.over(part).interactions
    assert np.array_equal(np.sort(both.by_user.counts), np.sort(part.interactions.by_user.counts))


def test_real_gowalla(data_home):
    data = read(data_home / "gowalla" / "train.txt")
    assert (len(data), data.n_users, data.n_items) == (810_128, 29_858, 40_981)
