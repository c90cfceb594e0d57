"""Whatever is wrong with what the command line was given gets one clear line, exit code 2, and nothing is written."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from likewise.cli import main
from likewise.data.readers import read
from likewise.models.dot import Dot
from likewise.recommender import Recommender
from likewise.solvers.base import Event
from likewise.solvers.gradient import Gradient

HEAD = "user,item,rating,timestamp\n"
GOOD = HEAD + "".join(f"{u},{i},{1 + u * i % 5},{1_000_000_000 + u * i}\n" for u in range(1, 13) for i in range(1, 11) if (u + i) % 3)
ITEMS = "item,title,genres\n" + "".join(f"{i},{'Twins' if i < 3 else f'Film {i}'},Drama\n" for i in range(1, 11))


class Shell:
    """`likewise ...` in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def __call__(self, line: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["likewise", *line.split()])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self.capsys.readouterr()
        return code, out, err


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good table, an item table and a saved model."""
    home = tmp_path_factory.mktemp("saved")
    (home / "good.csv").write_text(GOOD)
    (home / "items.csv").write_text(ITEMS)
    data = read(home / "good.csv", items=home / "items.csv")
    Recommender(Dot(factors=2), Gradient(epochs=1)).fit(data).save(home / "m")
    return home


@pytest.fixture
def home(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(saved, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def likewise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TABLES = [
    ("", "", "is empty"),
    (HEAD, "", "no rows"),
    ("user,item,rating\n1,2,3\n2,3,4\n", "--delimiter ;", "--delimiter ';' does not cut"),
    ("user\n1\n2\n", "", "single column"),
    ("user,score\n1,2\n2,3\n", "", "no column for the item was found among: user, score"),
    (GOOD, "--user who", "--user who names a column that is not there"),
    (GOOD, "--context mood", "context names column 'mood'"),
    (HEAD + "1,2,good,1\n2,3,4,2\n", "", "column 'rating' must hold numbers; row 1 holds 'good'"),
    (HEAD + "1,2,nan,1\n2,3,4,2\n", "", "column 'rating' must be finite; row 1 holds nan"),
    (HEAD + "1,2,3,1\n2,3,inf,2\n", "", "column 'rating' must be finite; row 2 holds inf"),
    (GOOD, "--range 2,5", "stated range 2 to 5; row"),
    (GOOD, "--range 5,1", "low < high"),
    (GOOD, "--range five", "--range must read LOW,HIGH, such as 0.5,5; got 'five'"),
    ("user,item,rating,weight\n1,2,3,-1\n2,3,4,1\n", "", "weights must not be negative; column 'weight' holds -1.0 in row 1"),
    (HEAD + "1,2,3,soon\n2,3,4,later\n", "", "column 'timestamp' must hold times"),
    (HEAD + "1,2,3,1\n1,3,4,2\n", "", "holds only one user, 1"),
    (HEAD + "1,2,3,1\n2,2,4,2\n", "", "holds only one item, 2"),
    (HEAD + "1,2,3,1\n1,2,4,2\n2,3,4,2\n", "--duplicates error", "user 1 has item 2 in rows 1 and 2"),
    (GOOD, "--duplicates first", "duplicates must be 'last', 'mean', 'sum' or 'error'; got 'first'"),
    (GOOD, "--query ratings", "query goes with a database URL"),
]


@pytest.mark.parametrize("verb", ["fit bad.csv -p bias -o new", "data bad.csv"])
@pytest.mark.parametrize(("table", "options", "message"), TABLES)
def test_tables(home: Path, likewise: Shell, verb: str, table: str, options: str, message: str) -> None:
    (home / "bad.csv").write_text(table)
    refused(home, likewise, f"{verb} {options}", message)


ARGUMENTS = [
    ("fit none.csv -o new", "there is no file 'none.csv'"),
    ("fit goood.csv -o new", "did you mean 'good.csv'?"),
    ("fit good.csv -p nope -o new", "there is no preset 'nope'; there are: "),
    ("fit good.csv -p dot --set solver.epoch=3 -o new", "did you mean 'epochs'?"),
    ("fit good.csv -p dot --set solver.epochs=many -o new", "epochs must be at least 1; got 'many'"),
    ("fit good.csv -p dot --set model.factors=0 -o new", "factors must be at least 1; got 0"),
    ("fit good.csv -p dot --set epochs -o new", "must read model.SETTING=VALUE or solver.SETTING=VALUE; got 'epochs'"),
    ("fit good.csv -p bias -o .", "holds files that are no Likewise model"),
    ("fit good.csv -p bias -o good.csv", "is a file; give a folder"),
    ("fit good.csv -p bias -o good.csv/new", "may not be written to"),
    ("data good.csv --corner -3", "n must be at least 1; got -3"),
    ("bench good.csv --test none.csv -p bias", "there is no file 'none.csv'"),
    ("bench good.csv --test good.csv -p bias --range 4,5", "stated range 4 to 5"),
    ("bench good.csv --test good.csv -p bias --protocol half", "protocol must be one of"),
    ("bench good.csv --test good.csv -p bias --predictions none/p.csv", "could not write none/p.csv"),
    ("bench good.csv --test good.csv -p bias --user who", "--user who names a column that is not there"),
    ("bench good.csv --test good.csv -p bias --timestamp user", "name it with --user"),
    ("compare good.csv -p bias --item what", "--item what names a column that is not there"),
    ("evaluate m --test good.csv --user who", "--user who names a column that is not there"),
    ("compare good.csv -p bias --timestamp none --by time", "use --by random or --by user"),
    ("tune good.csv -p dot -o p.toml --minutes 0", "--minutes must be above 0; got 0"),
    ("tune good.csv -p dot -o p.toml --trials 0", "got --trials 0"),
    ("evaluate m --test none.csv", "there is no file 'none.csv'"),
    ("evaluate m --test good.csv --protocol half", "protocol must be one of"),
    ("compare good.csv -p nope", "there is no preset 'nope'"),
    ("compare none.csv -p nope", "there is no preset 'nope'"),
    ("bench none.csv --test good.csv -p bias --lists l.csv", "name it l.parquet"),
    ("recommend m 1 --rank-by luck", "must be 'mean', 'lower' or 'sample'; got 'luck'"),
    ("recommend m 1 --rank-by lower", "needs a posterior to know how unsure it is"),
    ("recommend m 1 --rank-by sample", "needs a posterior to sample from"),
    ("compare good.csv -p bias --by size", "by must be one of"),
    ("compare good.csv -p bias --picture none/p.png", "there is no folder 'none' for --picture"),
    ("compare good.csv -p bias --test good.csv --repeats 2", "--repeats splits TRAIN itself"),
    ("recommend m 1 -k 0", "k must be at least 1; got 0"),
    ("recommend m 99 --cold raise", "1 of 1 users are unknown, the first '99'"),
    ("recommend m 1 --cold warm", "cold must be 'popular', 'mean' or 'raise'; got 'warm'"),
    ("recommend m -o none/lists.parquet", "could not write none/lists.parquet"),
    ("recommend none 1", "none is no saved model"),
    ("predict m", "give a user and an item, or --pairs FILE"),
    ("predict m 99 1 --cold raise", "have an unknown id, the first '99', 1"),
    ("predict m 1 1 --cold popular", "cold must be 'mean' or 'raise' for predictions; got 'popular'"),
    ("predict m 1 Twins", "2 items are called 'Twins'; give one of their ids: 1, 2"),
    ("predict m --pairs none.csv", "there is no file 'none.csv'"),
    ("predict m --pairs good.csv -o none/p.csv", "could not write none/p.csv"),
    ("similar m 1 -k 0", "k must be at least 1; got 0"),
    ("similar m Twins", "2 items are called 'Twins'"),
    ("similar m Twinns", "nearest: Twins"),
    ("similar m 99 --user", "99"),
    ("info .", "is no saved model"),
    ("update m none.csv -o m2", "there is no file 'none.csv'"),
]


@pytest.mark.parametrize(("line", "message"), ARGUMENTS)
def test_arguments(home: Path, likewise: Shell, line: str, message: str) -> None:
    refused(home, likewise, line, message)


def refused(home: Path, likewise: Shell, line: str, message: str) -> None:
    before = content(home)
    code, _, err = likewise(line)
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith("error: ") and message in err
    assert content(home) == before


def test_k_beyond_the_catalogue_gives_what_there_is(home: Path, likewise: Shell) -> None:
    code, out, _ = likewise("recommend m 1 -k 1000 --json")
    assert code == 0 and {row["item_id"] for row in json.loads(out)} == {2, 5, 8}


def test_unknown_ids_are_answered_and_marked(home: Path, likewise: Shell) -> None:
    code, out, _ = likewise("recommend m 99 -k 2 --json")
    assert code == 0 and [row["source"] for row in json.loads(out)] == ["cold", "cold"]
    code, out, _ = likewise("predict m 99 1 --json")
    assert code == 0 and json.loads(out)[0]["source"] == "cold"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _edit(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


@pytest.mark.parametrize("harm", [_cut, _edit, Path.unlink])
@pytest.mark.parametrize("what", ["model-*", "users-*", "items-*", "history-*", "item_table-*"])
def test_damaged_models(home: Path, likewise: Shell, what: str, harm: Callable[[Path], None]) -> None:
    harm(next((home / "m").glob(what)))
    refused(home, likewise, "recommend m 1", "m is damaged: ")


def test_an_edited_manifest(home: Path, likewise: Shell) -> None:
    path = home / "m" / "manifest.json"
    path.write_text(path.read_text().replace('"factors": 2', '"factors": 3'))
    refused(home, likewise, "recommend m 1", "its own checksum differs, so it was edited or corrupted")


def test_a_cut_manifest(home: Path, likewise: Shell) -> None:
    _cut(home / "m" / "manifest.json")
    refused(home, likewise, "info m", "manifest.json is damaged")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and the folders of the kernel are Linux's")
def test_places_that_cannot_be_written(home: Path, likewise: Shell) -> None:
    refused(home, likewise, "fit good.csv -p bias -o /proc/new", "could not save to /proc/new")
    if os.getuid():
        (home / "shut").mkdir(mode=0o500)
        refused(home, likewise, "fit good.csv -p bias -o shut/new", "may not be written to; give another folder")


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot limit the size of its files there")
@pytest.mark.parametrize("size", [0, 400, 900, 1500, 2500])
@pytest.mark.parametrize("line", ["fit good.csv -p dot --set solver.epochs=1 -o m", "predict m --pairs good.csv -o pairs.csv"])
def test_a_full_disk_leaves_what_was_there(home: Path, likewise: Shell, line: str, size: int) -> None:
    (home / "pairs.csv").write_text("old")
    likewise("predict m 1 1")  # compiled code may be cached beforehand
    with full_disk(size):
        refused(home, likewise, line, "File too large")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Lets no file grow beyond so many bytes; the error comes from the system, through every library that writes.

    Not a fixture: the runner's own report must be able to grow.
    """
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def press(event: Event) -> None:
    """Ctrl-C in the second epoch."""
    if event["epoch"] == 2:
        raise KeyboardInterrupt


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits that Ctrl-C reaches in their second epoch."""
    real = Gradient.fit
    monkeypatch.setattr(Gradient, "fit", lambda self, model, data, run: real(self, model, data, replace(run, watch=press)))


@pytest.mark.usefixtures("pressed")
def test_ctrl_c_writes_nothing(home: Path, likewise: Shell) -> None:
    before = content(home)
    assert likewise("fit good.csv -p dot --set solver.epochs=50 -o new") == (130, "", "interrupted: nothing was written\n")
    assert content(home) == before


@pytest.mark.usefixtures("pressed")
def test_ctrl_c_keeps_the_best_if_asked_to(home: Path, likewise: Shell) -> None:
    code, out, _ = likewise("fit good.csv -p dot --set solver.epochs=50 -o new --keep-on-interrupt --json")
    assert code == 0 and "interrupted in epoch" in json.loads(out)["remarks"][0]
    assert likewise("info new")[0] == 0


def test_columns_of_other_names(home: Path, likewise: Shell) -> None:
    lines = [f"{u}|{i}|{r}|{t}" for u, i, r, t in (row.split(",") for row in GOOD.splitlines()[1:])]
    (home / "other.csv").write_text("\n".join(["who|what|liking|when", *lines]) + "\n")
    named = "--user who --item what --rating liking --timestamp when --delimiter |"
    plain = json.loads(likewise("bench good.csv --test good.csv -p bias --json")[1])
    assert json.loads(likewise(f"bench other.csv --test other.csv -p bias --json {named}")[1])["rmse"] == plain["rmse"]
    code, out, _ = likewise(f"compare other.csv --test other.csv -p bias --no-lists --json {named}")
    assert code == 0 and "rmse" in out
    (home / "commas.csv").write_text((home / "other.csv").read_text().replace("|", ","))
    code, out, _ = likewise("evaluate m --test commas.csv --user who --item what --rating liking --timestamp none --no-lists --json")
    assert code == 0 and "rmse" in out
