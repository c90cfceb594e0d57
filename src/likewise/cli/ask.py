"""`likewise ask`: a few questions in the terminal, then recommendations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from likewise.cli import common

if TYPE_CHECKING:
    from likewise.people.visitor import Visitor

SKIP = frozenset({"", "n", "no", "-", "?"})
STOP = frozenset({"q", "quit", "stop"})


def ask(
    model: common.Model,
    questions: Annotated[int, typer.Option("--questions", "-n", help="How many questions; 'not seen' counts as one.")] = 10,
    k: Annotated[int, typer.Option("-k", help="Length of the list.")] = 10,
    where: Annotated[str | None, typer.Option("--where", help="Condition on the item table.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """Get to know a newcomer by questions, and recommend.

    One line an answer: a rating, nothing for "not seen", q to stop.
    """
    from likewise.answers import ListRequest

    rec = common.load_model(model)
    visitor = rec.visitor()
    limits = rec.data.rating_range if rec.data.explicit else None
    how = "y if you like it" if limits is None else f"{limits[0]:g} to {limits[1]:g}"
    typer.echo(f"{how}, Enter if you have not seen it, q to stop", err=True)
    for number in range(1, questions + 1):
        found = visitor.next_question()
        if found is None:
            break
        item, title = found
        typer.echo(f"{number}. {title}: ", nl=False, err=True)
        line = sys.stdin.readline()
        word = line.strip().lower()
        if not line or word in STOP:
            break
        visitor = _answered(visitor, item, word, limits is None)
    frame, _ = visitor.ranked(ListRequest(k, rec.answers.filters(where), True, "mean"), explain=True)
    if as_json:
        common.print_json(frame.to_dicts())
    else:
        common.print_frame(frame.drop("source"))


def _answered(visitor: Visitor, item: object, word: str, likes: bool) -> Visitor:
    """The visitor after this answer; one that cannot be read counts as not seen, and says so."""
    from likewise.errors import InputError

    if word in SKIP:
        return visitor.not_seen(item)
    try:
        return visitor.rate(item, None if likes else float(word))
    except (ValueError, InputError) as error:
        typer.echo(f"   {error if isinstance(error, InputError) else f'{word!r} is no rating'}; taken as not seen", err=True)
        return visitor.not_seen(item)
