"""ONNX files answer as the library does: same lists, same scores, for people known and new."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import likewise as lw
from likewise.artifact.export.onnx_file import export_onnx, graph_of
from likewise.artifact.store import Saved
from likewise.cli.app import app
from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.data.synthetic import planted_ratings
from likewise.errors import InputError, MissingExtraError
from likewise.models.base import FittedModel
from likewise.models.registry import model_settings
from likewise.ranking.topk import rank_model
from likewise.solvers.registry import solver_settings
from tests.contract import cases

ort = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
CLOSE = 1e-4
CANNOT = {"neighbours", "mlp", "neumf", "dlrm"}
EXPORTED = [case for case in cases.cases() if case.model not in CANNOT]
REFUSED = [case for case in cases.cases() if case.model in CANNOT and case.rated]
BRIEF = lw.Gradient(epochs=2, batch_size=512)
THOUSAND = {
    "dot": (lw.Dot(factors=12), lw.Gradient(epochs=4, engine="one-pass", optimizer=lw.SGD(0.01))),
    "dot through a sigmoid": (lw.Dot(factors=6, output="sigmoid", range=(0.0, 5.5)), BRIEF),
    "dot without biases": (lw.Dot(factors=6, bias=False, output="free"), BRIEF),
    "svdpp through a sigmoid": (model_settings("svdpp")(factors=6, output="sigmoid"), BRIEF),
    "als": (lw.Dot(factors=12, bias=False, output="free"), solver_settings("als")(sweeps=3, unobserved=0.1, l2=0.02, positive=">=3.5")),
    "posterior": (lw.Dot(factors=6), solver_settings("gibbs")(draws=24, burn_in=5)),
    # rows are kept in half precision: one on the edge between two values moves a score by a thousandth over the number of draws
    "posterior of levels": (lw.Dot(factors=3), solver_settings("gibbs")(draws=30, burn_in=5, observation="ordinal")),
    "posterior with histories": (lw.Dot(factors=3), solver_settings("gibbs")(draws=30, burn_in=5, blocks=("history",))),
    "ease": (model_settings("ease")(l2=50.0, positive=">=3", rating_power=0.5), lw.ClosedForm()),
    "sparse ease": (model_settings("ease")(l2=50.0, neighbours=20), lw.ClosedForm()),
    "markov": (lw.Markov(), lw.ClosedForm()),
    "bias": (lw.Bias(), lw.ClosedForm()),
    "sequential": (lw.Sequential(factors=16, window=20), lw.Gradient(epochs=2, batch_size=2048, loss="softmax")),
}


class Session:
    """One export, asked as a program without the library would ask it."""

    def __init__(self, saved: Saved) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(graph_of(saved).SerializeToString(), options)

    def ask(self, user: int = -1, items: Any = (), ratings: Any = (), exclude: Any = (), allowed: Any = (), k: int = 10) -> Any:
        given = {
            "user": np.array([user], np.int64),
            "items": np.asarray(items, np.int64),
            "ratings": np.asarray(ratings, np.float32),
            "exclude": np.asarray(exclude, np.int64),
            "allowed": np.asarray(allowed, np.bool_),
            "k": np.array([k], np.int64),
        }
        return self.session.run(["rows", "scores", "responses"], given)


def histories(n: int, n_items: int, rated: bool, longest: int = 25) -> Histories:
    """People who were never seen, every seventh without a history."""
    rng = np.random.default_rng(3)
    counts = np.where(np.arange(n) % 7 == 6, 0, rng.integers(1, min(longest, n_items // 2), n))
    rows = np.concatenate([rng.permutation(n_items)[:count] for count in counts]).astype(np.int32)
    ratings = (rng.integers(1, 11, len(rows)) / 2).astype(np.float32)
    return Histories(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rows, ratings if rated else None)


def assert_alike(session: Session, fitted: FittedModel[Any], asked: Histories, users: np.ndarray | None = None, k: int = 10) -> None:
    """Every list is the library's; two items may change places only where their scores agree to rounding."""
    people = fitted.fold_in(asked) if users is None else fitted.people(users)
    seen = CSR(asked.indptr, asked.rows, None, fitted.n_items)
    want = rank_model(fitted, people, k, seen, None, 1)
    swapped = 0
    for n in range(len(asked)):
        run = slice(asked.indptr[n], asked.indptr[n + 1])
        ratings = np.ones(len(asked.rows[run]), np.float32) if asked.ratings is None else asked.ratings[run]
        if users is None:
            rows, scores, responses = session.ask(-1, asked.rows[run], ratings, asked.rows[run], k=k)
        else:
            rows, scores, responses = session.ask(int(users[n]), exclude=asked.rows[run], k=k)
        length = want.counts[n]
        assert len(rows) == length
        np.testing.assert_allclose(scores, want.scores[n, :length], atol=CLOSE, rtol=CLOSE)
        np.testing.assert_allclose(responses, fitted.link.respond(want.scores[n, :length]), atol=CLOSE, rtol=CLOSE)
        if not np.array_equal(rows, want.items[n, :length]):
            swapped += 1
            one = CSR(np.array([0, len(asked.rows[run])]), asked.rows[run], None, fitted.n_items)
            every = rank_model(fitted, people[n : n + 1], fitted.n_items, one, None, 1)
            place = {int(item): float(score) for item, score in zip(every.items[0], every.scores[0], strict=True)}
            assert len(set(rows.tolist())) == length
            np.testing.assert_allclose([place[int(row)] for row in rows], want.scores[n, :length], atol=CLOSE, rtol=CLOSE)
    assert swapped <= len(asked) // 500, f"{swapped} lists of {len(asked)} differ"


@cache
def _data() -> lw.Dataset:
    return planted_ratings(500, 150, 15_000, bounds=(0.5, 5.0), step=0.5, seed=2).data


@pytest.mark.parametrize("case", EXPORTED, ids=str)
def test_lists_and_scores_of_every_model(case: cases.Case) -> None:
    fitted = cases.fitted(case)
    session = Session(Saved(fitted, case.solving(), cases.data(case.rated)))
    assert_alike(session, fitted, histories(60, fitted.n_items, case.rated))
    assert_alike(session, fitted, cases.data(case.rated).interactions.by_user, np.arange(fitted.n_users, dtype=np.int32))


@pytest.mark.parametrize("name", THOUSAND)
def test_a_thousand_people(name: str) -> None:
    model, solver = THOUSAND[name]
    rec = lw.Recommender(model, solver).fit(_data(), threads=1)
    session = Session(Saved(rec.fitted, solver, _data()))
    assert_alike(session, rec.fitted, histories(1_000, rec.fitted.n_items, True))
    assert_alike(session, rec.fitted, _data().interactions.by_user, np.arange(rec.fitted.n_users, dtype=np.int32))


@pytest.fixture(scope="module")
def biases() -> tuple[Session, FittedModel[Any]]:
    rec = lw.Recommender(lw.Bias()).fit(cases.data())
    return Session(Saved(rec.fitted, rec.solver, cases.data())), rec.fitted


def test_masks_and_lengths(biases: tuple[Session, FittedModel[Any]]) -> None:
    session, fitted = biases
    order = np.argsort(-fitted.score(fitted.people(np.array([4], np.int32)))[0], kind="stable")
    assert session.ask(4, k=5)[0].tolist() == order[:5].tolist()
    assert session.ask(4, exclude=order[[0, 2]], k=3)[0].tolist() == order[[1, 3, 4]].tolist()
    assert session.ask(4, exclude=[-1, order[0], -1, order[0]], k=1)[0].tolist() == [order[1]]
    allowed = np.isin(np.arange(30), order[10:13])
    assert session.ask(4, allowed=allowed, k=10)[0].tolist() == order[10:13].tolist()
    assert session.ask(4, allowed=allowed, exclude=order[10:13], k=10)[0].tolist() == []
    assert len(session.ask(4, k=1_000)[0]) == 30
    assert len(session.ask(4, k=0)[0]) == 0


def test_unknown_entries_are_left_out(biases: tuple[Session, FittedModel[Any]]) -> None:
    session, _ = biases
    told, beside = session.ask(items=[3, 5], ratings=[5, 1]), session.ask(items=[-1, 3, -1, 5], ratings=[1, 5, 1, 1])
    assert all(np.array_equal(a, b) for a, b in zip(told, beside, strict=True))


def test_equal_scores_go_to_the_lower_row() -> None:
    data = lw.read({"user": [1, 1, 2, 2], "item": ["a", "b", "c", "d"]})
    rec = lw.Recommender(lw.Popularity()).fit(data)
    assert Session(Saved(rec.fitted, rec.solver, data)).ask(k=4)[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_models_that_cannot_are_refused(case: cases.Case) -> None:
    with pytest.raises(InputError, match="cannot be exported to ONNX; these can: dot"):
        graph_of(Saved(cases.fitted(case), case.solving(), cases.data()))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    rec = lw.Recommender(lw.Bias()).fit(cases.data())
    with pytest.raises(MissingExtraError, match=r"likewise\[export\]"):
        export_onnx(Saved(rec.fitted, rec.solver, cases.data()), tmp_path / "out.onnx")


def test_large_arrays_go_beside_the_graph(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("likewise.artifact.export.onnx_file.ONE_FILE", 100)
    rec = lw.Recommender(lw.Dot(factors=12), BRIEF).fit(_data())
    for _ in range(2):  # written again, not appended
        written = export_onnx(Saved(rec.fitted, rec.solver, _data()), tmp_path / "out.onnx")
    assert [path.name for path in written] == ["out.onnx", "out.onnx.ids.json", "out.onnx.data"]
    assert ort.InferenceSession(tmp_path / "out.onnx").get_inputs()[0].name == "user"
    assert written[2].stat().st_size < 2 * sum(a.nbytes for a in rec.fitted.state().values()) + 100_000


def test_the_command(tmp_path: Path) -> None:
    rec = lw.Recommender(lw.Bias()).fit(cases.data())
    rec.save(tmp_path / "model")
    done = CliRunner().invoke(app, ["export", str(tmp_path / "model"), "--onnx", str(tmp_path / "out.onnx"), "--json"])
    assert done.exit_code == 0, done.output
    assert [Path(entry["file"]).name for entry in json.loads(done.stdout)] == ["out.onnx", "out.onnx.ids.json"]
    ids = json.loads((tmp_path / "out.onnx.ids.json").read_text(encoding="utf-8"))
    assert ids["items"] == rec.data.items.ids.to_list() and ids["rating_range"] == [0.5, 5.0]
    session = ort.InferenceSession(tmp_path / "out.onnx")
    assert session.get_modelmeta().custom_metadata_map["fingerprint"] == rec.data.fingerprint
    with pytest.raises(InputError, match="--onnx FILE, --tsv FOLDER"):
        CliRunner().invoke(app, ["export", str(tmp_path / "model")], catch_exceptions=False)
