"""The report: whole for every kind of data, escaped everywhere, one file that asks nothing of a network."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

import likewise as lw
from likewise.cli.app import app
from likewise.errors import InputError
from likewise.models.ease import EASE
from likewise.studies.report import explore, judge, write_report
from likewise.studies.report.marks import Line, Mark, bars, chart, marks, text, ticks_of
from tests.insight.worlds import NASTY, fitted, world

SECTIONS = (
    "accuracy",
    "data",
    "loved",
    "axes",
    "map",
    "groups",
    "people",
    "training",
    "calibration",
    "weak",
    "shown",
    "effects",
    "settings",
)


class Seen(HTMLParser):
    """Tags and ids of a page, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    rec, test = fitted()
    return write_report(rec, tmp_path_factory.mktemp("report") / "report.html", test).read_text(encoding="utf-8")


def items_of(page):
    return json.loads(re.search(r'<script type="application/json" id="items">(.*?)</script>', page, re.S)[1])


def test_every_section_is_there_and_told(page):
    seen = Seen(page)
    assert not seen.open
    assert set(SECTIONS) <= set(seen.ids) and len(seen.ids) == len(set(seen.ids))
    assert "Not here" not in page


def test_it_asks_nothing_of_a_network(page):
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert not re.findall(r"url\((?!#)", page) and "@import" not in page and "fetch(" not in page
    assert "default-src 'none'" in page


def test_titles_that_hold_html_are_text(page):
    assert page.count("<script") == 2  # the numbers and the page's own
    assert NASTY not in page and text(NASTY) in page
    assert NASTY in items_of(page)["names"]


def test_the_table_of_items_is_what_the_model_says(page):
    import base64

    rec, _ = fitted()
    table = items_of(page)
    assert table["n"] == len(table["names"]) == rec.data.n_items
    counts = np.frombuffer(base64.b64decode(table["count"]), "<i4")
    assert counts.tolist() == sorted(np.bincount(rec.data.interactions.items).tolist(), reverse=True)
    near = np.frombuffer(base64.b64decode(table["neighbours"]), "<u2").reshape(table["n"], -1)
    shared = np.frombuffer(base64.b64decode(table["shared"]), "<i4").reshape(near.shape)
    place = table["names"].index("Film 10")
    found = rec.insight.like("Film 10", k=10).frame
    mine = {table["names"][n]: int(s) for n, s in zip(near[place], shared[place], strict=True)}
    theirs = dict(found.select("title", "shared_raters").iter_rows())
    common = mine.keys() & theirs.keys()
    assert len(common) >= 8 and all(mine[name] == theirs[name] for name in common)


def test_without_a_test_a_tenth_is_held_out_and_it_says_so(tmp_path):
    rec = lw.Recommender(lw.Dot(factors=2), lw.Gradient(epochs=2)).fit(world())
    found = judge(rec)
    assert len(found.test) == pytest.approx(len(rec.data) / 10, rel=0.05) and found.rec is not rec
    assert "the latest tenth" in write_report(rec, tmp_path / "r.html", judged=found).read_text(encoding="utf-8")


def test_models_and_data_that_lack_something_say_it(tmp_path):
    likes = lw.read(world().frame().select("user_id", "item_id"))
    page = write_report(lw.Recommender(EASE()).fit(likes), tmp_path / "likes.html").read_text(encoding="utf-8")
    assert "no item factors" in page and "solved in one step" in page and "calibration needs ratings" in page
    assert not Seen(page).open
    tiny = lw.read({"user": [1, 1, 2, 2], "item": ["<u>", "b", "<u>", "c"], "rating": [5, 1, 4, 2]})
    page = write_report(lw.Recommender(lw.Dot(factors=1), lw.Gradient(epochs=1)).fit(tiny), tmp_path / "tiny.html").read_text(
        encoding="utf-8"
    )
    assert "at least 50 in all" in page and "<u>" not in page and "&lt;u&gt;" in page


def test_very_many_items_are_sampled_and_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(explore, "MOST", 25)
    rec, test = fitted()
    page = write_report(rec, tmp_path / "r.html", test).read_text(encoding="utf-8")
    assert "the 25 with the most ratings of 60" in page
    assert items_of(page)["n"] == 25


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path):
    rec, test = fitted()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="could not write the report"):
        write_report(rec, tmp_path / "file" / "r.html", test)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_verbs_write_and_print(tmp_path):
    rec, test = fitted()
    rec.save(tmp_path / "model")
    test.frame().write_parquet(tmp_path / "test.parquet")
    options = ["report", str(tmp_path / "model"), "-o", str(tmp_path / "r.html"), "--test", str(tmp_path / "test.parquet"), "--json"]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["bytes"] == (tmp_path / "r.html").stat().st_size
    done = CliRunner().invoke(app, ["insight", str(tmp_path / "model"), "--json"])
    found = json.loads(done.output)
    assert set(found) == {"loved", "hated", "axes", "groups", "remarks"} and found["loved"][0]["name"] == NASTY
    done = CliRunner().invoke(app, ["insight", str(tmp_path / "model"), "--like", "Film 10", "-n", "3"])
    assert done.exit_code == 0 and "Like Film 10" in done.output


# ---- the marks ---------------------------------------------------------------------------------------------------------------------


def test_marks_stand_where_their_numbers_are():
    out = marks([Mark("a", 1.0, 0.0, 2.0, "1"), Mark("b", 3.0, 2.0, 4.0, "3", "bad", "<i>")], 2.0)
    lefts = [float(x) for x in re.findall(r'class="dot" style="left:([\d.]+)%', out)]
    assert lefts[0] < 50 < lefts[1] and lefts[0] + lefts[1] == pytest.approx(100, abs=0.1)
    assert "--ref:50.0%" in out and "&lt;i&gt;" in out


def test_charts_leave_out_what_is_not_a_number():
    out = chart([Line("a", [1, 2, 3], [1.0, float("nan"), 3.0])], "x", "y", "said")
    assert out.count("<polyline") == 1 and "nan" not in out
    assert "100.0%" in bars(["a"], [0.5], ["half"])


def test_ticks_are_round_and_inside():
    assert ticks_of(0.13, 0.92, 4) == [0.2, 0.4, 0.6, 0.8]
    assert ticks_of(-1.4, 0.2, 3) == [-1.0, -0.5, 0.0]
    assert ticks_of(2.0, 2.0, 3) == [2.0]
