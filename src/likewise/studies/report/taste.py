"""The sections on what was learned of items and people: biases, axes, the map, groups, and people with their lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from likewise.answers import ListRequest
from likewise.insight.axes import Axis
from likewise.insight.biases import Biases
from likewise.people.reasons import reasons_of
from likewise.recommender import Recommender
from likewise.studies.report.explore import items_of
from likewise.studies.report.marks import Mark, marks, text

EXAMPLES = 3
LIST = 8


def bias_section(biases: Biases, n: int = 12) -> str:
    """Items loved and hated beyond what the factors explain."""

    def rows(frame: pl.DataFrame, tone: str) -> list[Mark]:
        return [
            Mark(r["name"], r["bias"], r["low"], r["high"], f"{r['bias']:+.2f}", tone, f"{r['count']:,} ratings, mean {r['mean']:.2f}")
            for r in frame.iter_rows(named=True)
        ]

    n = min(n, biases.frame.height // 2) or 1
    loved, hated = marks(rows(biases.loved(n), "good"), 0.0), marks(rows(biases.hated(n), "bad"), 0.0)
    return (
        f"<p>{text(biases.source[0].upper() + biases.source[1:])}. Lines are 95 % intervals, and items are ranked by the end nearest to "
        f"zero: an item with two ratings can top no list.</p>"
        f'<div class="two"><div><h3>Loved</h3>{loved}</div><div><h3>Not loved</h3>{hated}</div></div>'
    )


def axes_section(rec: Recommender) -> str:
    """The axes of taste with both ends."""
    intro = (
        "The directions in which items differ most. A direction gets a name only if what is known of the items predicts "
        "it for items left out of the fit, and better than after its values are shuffled."
    )
    return f"<p>{intro}</p>" + "".join(_axis(axis) for axis in rec.insight.axes().axes)


def _axis(axis: Axis) -> str:
    tested = (
        ""
        if np.isnan(axis.r)
        else f", predicted from what is known of the items with R\u00a0=\u00a0{axis.r:.2f} (p\u00a0=\u00a0{axis.p:.3f})"
    )
    low, _, high = axis.name.partition(" - ") if " - " in axis.name else ("", "", "")
    title = f"{text(low)} <i>to</i> {text(high)}" if high else "No name: nothing known of the items predicts it"
    ends = "".join(
        f"<div><h4>{text(word) if word else sign}</h4><ol>{''.join(f'<li>{text(name)}</li>' for name in end['name'].head(7))}</ol></div>"
        for word, sign, end in ((low, "−", axis.low), (high, "+", axis.high))
    )
    return (
        f'<article class="axis"><h3>{axis.number}. {title}</h3><p>{100 * axis.variance:.1f} % of the variance{tested}.</p>'
        f'<div class="ends">{ends}</div></article>'
    )


def explore_section(rec: Recommender, biases: Biases) -> str:
    """The map, the search box and the neighbours; the numbers stand in a script element."""
    table, note, groups = items_of(rec.answers, rec.insight.axes(), biases)
    left_out = f"<p>Shown: {text(note)}.</p>" if note else ""
    legend = "".join(
        f'<button type="button" class="group" data-group="{n}" aria-pressed="false"><i class="c{n}"></i>{text(name)}</button>'
        for n, name in enumerate(groups)
    )
    return (
        f"<p>Items that the same people like lie near each other. Type a title, or choose a point, to see what is most like it and why.</p>"
        f'{left_out}<div class="explore"><div class="search"><label for="find">Find an item</label><input id="find" type="text" '
        f'role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list" autocomplete="off" spellcheck="false" '
        f'placeholder="Title"><ul id="found" role="listbox" aria-label="Items found" hidden></ul></div>'
        f'<div class="legend-row" role="group" aria-label="Show one kind">{legend}</div>'
        f'<div class="map">'
        f'<canvas id="points" tabindex="0" role="img" aria-label="Map of the items. Arrow keys move it, plus and minus zoom. '
        f'Every item can also be found by its title in the box above."></canvas><div class="zoom"><button type="button" data-zoom="in" '
        f'aria-label="Zoom in">+</button><button type="button" data-zoom="out" aria-label="Zoom out">−</button><button type="button" '
        f'data-zoom="all" aria-label="Show all">⤢</button></div><div id="tip" hidden></div></div>'
        f'<div id="like" aria-live="polite"></div></div>'
        f'<script type="application/json" id="items">{table}</script>'
    )


def clusters_section(rec: Recommender) -> str:
    """Groups of items."""
    rows = []
    for row in rec.insight.clusters().frame.iter_rows(named=True):
        title = row["about"] or f"Group {row['cluster']}"
        rows.append(
            f"<article><h3>{text(title)}</h3><p>{row['size']:,} items, {100 * row['share']:.0f} % of the ratings</p>"
            f"<p class='titles'>{text(row['typical'].replace('; ', ' · '))}</p></article>"
        )
    return f'<p>Items whose vectors point the same way, with the most typical of each group.</p><div class="cards">{"".join(rows)}</div>'


def people_section(rec: Recommender, seed: int = 0) -> str:
    """A few people: what they rated best, what they would get, and why."""
    counts = rec.data.interactions.by_user.counts
    able = np.flatnonzero(counts >= min(10, int(counts.max())))
    order = able[np.argsort(counts[able], kind="stable")]
    chosen = list(dict.fromkeys(int(order[int(q * (len(order) - 1))]) for q in (0.3, 0.6, 0.9)))[:EXAMPLES]
    intro = (
        "Three people of different activity: what they rated best, what they would get, and the ratings of theirs that pulled it up most."
    )
    return f"<p>{intro}</p>" + "".join(_person(rec, user) for user in chosen)


def _person(rec: Recommender, user: int) -> str:
    answers, data = rec.answers, rec.data
    row = np.array([user], np.int32)
    history = data.interactions.by_user.take(row)
    ratings = np.ones(len(history.rows), np.float32) if history.ratings is None else history.ratings
    best = np.argsort(-ratings, kind="stable")[:6]
    liked = [(answers.name(int(history.rows[n])), "" if history.ratings is None else f"{ratings[n]:g}") for n in best]
    listed = answers.lists([data.users.id(user)], ListRequest(LIST))
    people = answers.fitted.people(row)
    lines = []
    for item, score in zip(listed["item_id"], listed["score"], strict=True):
        reasons = reasons_of(answers, people, history, data.items.row(item))[0]
        lines.append((reasons.title, f"{score:.2f}", reasons.sentence()))
    return (
        f"<article class='person'><h3>Person {text(data.users.id(user))}</h3><p>{len(history.rows):,} ratings</p><div class='two'>"
        f"<div><h4>Rated best</h4>{_titles([(name, said, '') for name, said in liked])}</div>"
        f"<div><h4>Would get</h4>{_titles(lines)}</div></div></article>"
    )


def _titles(lines: Sequence[tuple[str, str, str]]) -> str:
    cells = (
        f"<li><span>{text(name)}</span><b>{text(said)}</b>" + (f"<small>{text(why)}</small>" if why else "") + "</li>"
        for name, said, why in lines
    )
    return f'<ol class="titles-list">{"".join(cells)}</ol>'
