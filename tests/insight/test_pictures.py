"""Pictures are judged by what they draw: artists, labels, data; drawings by their boxes."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import likewise as lw
from likewise.errors import InputError
from likewise.insight.drawing import Drawing
from likewise.models.ease import EASE
from likewise.models.graph import Graph
from likewise.models.networks.base import Network
from likewise.models.registry import MODELS, model_settings
from tests.insight.worlds import NASTY, fitted, posterior, world

matplotlib = pytest.importorskip("matplotlib")


def words(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_biases_draw_a_point_and_a_line_each():
    rec, _ = fitted()
    ax = rec.insight.items().plot(3)
    assert len(words(ax)) == 6 and words(ax)[0].startswith("<script>")
    assert len(ax.lines) == 13  # a line and a point each, and zero
    bars = [line.get_xdata() for line in ax.lines[:12:2]]
    frame = rec.insight.items().loved(1)
    np.testing.assert_allclose(bars[0], [frame["low"][0], frame["high"][0]])


def test_axis_ends_draw_both_ends():
    rec, _ = fitted()
    ax = rec.insight.axes().plot(1, n=4)
    places = [bar.get_width() for bar in ax.patches]
    assert len(places) == 8 and places == sorted(places, reverse=True)


def test_map_draws_every_item_and_labels_without_overlap():
    rec, _ = fitted()
    ax = rec.insight.map().plot(colour="genres", labels=60)
    assert sum(len(c.get_offsets()) for c in ax.collections) >= 2 * rec.insight.map().frame.height - 2
    figure = ax.figure
    figure.savefig(io.BytesIO(), format="png")
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) > 5
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:n])
    with pytest.raises(InputError, match="no column 'nothing'"):
        rec.insight.map().plot(colour="nothing")


def test_calibration_and_reliability_draw_their_data():
    rec, test = posterior()
    found = rec.insight.calibration(test)
    ax = found.plot()
    np.testing.assert_allclose(ax.lines[1].get_ydata(), found.frame["actual"])
    found = rec.insight.reliability(test)
    ax = found.plot()
    np.testing.assert_allclose(ax.lines[1].get_xdata(), found.frame["chance"])
    assert ax.get_xlabel() and ax.get_ylabel()


def test_the_rest_draw_on_axes_given():
    rec, test = fitted()
    from matplotlib.figure import Figure

    for found in (
        rec.insight.training(),
        rec.insight.coverage(),
        rec.insight.effects(),
        rec.insight.errors(test),
        rec.insight.served(test),
    ):
        ax = Figure().subplots()
        assert found.plot(ax=ax) is ax
        assert ax.get_title() and (ax.lines or ax.patches)
        assert repr(found) and found._repr_html_()


def test_pages_of_notebooks_escape_titles():
    rec, _ = fitted()
    for found in (rec.insight.items(), rec.insight.like("Film 10"), rec.insight.clusters()):
        assert "<script>" not in found._repr_html_()


# ---- drawings ----------------------------------------------------------------------------------------------------------------------

SMALL = {
    "mlp": {"embedding": 4, "hidden": (8,)},
    "neumf": {"factors": 4, "embedding": 4, "hidden": (8,)},
    "dlrm": {"bottom": (8,), "top": (8,)},
}
NETWORKS = [name for name in MODELS if issubclass(model_settings(name), Network)]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_drawn_from_their_module(name):
    from likewise.models.networks.graph import graph_of

    graph = graph_of(model_settings(name)(**SMALL.get(name, {})), world())
    kinds = {node.kind for node in graph.nodes}
    assert {"input", "table", "operation", "output"} <= kinds
    reached = {b for _, b in graph.edges} | {n for n, node in enumerate(graph.nodes) if node.kind == "input"}
    assert reached == set(range(len(graph.nodes)))  # nothing hangs in the air
    assert sum(node.kind == "output" for node in graph.nodes) == 1
    assert {a for a, _ in graph.edges} == {n for n, node in enumerate(graph.nodes) if node.kind != "output"}
    ET.fromstring(Drawing(graph, name).svg)


def test_shapes_in_a_drawing_are_the_modules():
    from likewise.models.networks.graph import graph_of

    graph = graph_of(model_settings("mlp")(embedding=5, hidden=(8,), dropout=(0.2,)), world())
    found = [(node.label, node.detail) for node in graph.nodes]
    assert ("users", "160 × 5") in found and ("items", "60 × 5") in found
    assert ("Linear", "8 × 10") in found and ("Linear", "1 × 8") in found
    assert ("Dropout", "0.2") in found


def test_equations_are_drawn_from_their_arrays(tmp_path):
    rec, _ = fitted()
    drawing = rec.draw()
    assert "user factors" in repr(drawing) and f"{rec.data.n_users:,} × 4" in drawing.svg
    drawing.save(tmp_path / "model.svg")
    assert ET.fromstring((tmp_path / "model.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    with pytest.raises(InputError, match=r"must end in \.svg"):
        drawing.save(tmp_path / "model.png")
    for model in (lw.Bias(), EASE(), lw.Popularity()):
        assert lw.Recommender(model).fit(world()).draw()._repr_svg_().startswith("<svg")


def test_boxes_do_not_overlap_and_texts_are_escaped():
    graph = Graph()
    inputs = [graph.add(f"input {n}", kind="input") for n in range(4)]
    middle = [graph.add(NASTY, "a<b", "table", (place,)) for place in inputs]
    graph.add("sum", kind="output", after=(*middle, inputs[0]))
    svg = Drawing(graph, NASTY).svg
    assert "<script>" not in svg
    rects = [tuple(map(float, found)) for found in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="(\d+)" height="(\d+)"', svg)]
    assert len(rects) == 9
    for n, (x, y, w, h) in enumerate(rects):
        assert all(x + w <= a or a + c <= x or y + h <= b or b + d <= y for a, b, c, d in rects[:n])
