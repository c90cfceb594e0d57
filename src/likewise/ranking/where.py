"""Conditions on items as text: read into a small tree, never run as code.

    condition   = all { "or" all }                all = part { "and" part }            part = "not" part | "(" condition ")" | test
    test        = column compare value            compare: =  ==  !=  <>  <  <=  >  >=
                | column ["not"] "in" "(" value { "," value } ")"
                | column ["not"] "has" value      one of a list, or of "Comedy|Drama"
                | column "is" ["not"] "null"
                | column                          a column of true and false
    value       = 'text' | "text" | 12.5 | true | false | 1995-01-31

A quote inside text is written twice. A column whose name is no plain word goes between backticks. Words are read in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeAlias

from likewise.errors import InputError

LONGEST = 10_000
"""Characters of a condition; conditions come from the outside."""
DEEPEST = 50
"""Parentheses and `not` inside each other."""
SHOWN = 100
"""Characters of a condition that an error shows around the place it means."""

COMPARE = {"=": "==", "==": "==", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
WORDS = frozenset({"and", "or", "not", "in", "has", "is", "null", "true", "false"})

TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<date>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)
    |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<quoted>`[^`]+`)
    |(?P<name>[^\W\d]\w*)
    |(?P<compare><=|>=|<>|!=|==|=|<|>)
    |(?P<mark>[(),])""",
    re.VERBOSE,
)

Constant: TypeAlias = str | int | float | bool | date | datetime


@dataclass(frozen=True)
class Column:
    """A column's name and the character it stands at."""

    name: str
    at: int


@dataclass(frozen=True)
class Value:
    """A constant and the character it stands at."""

    value: Constant
    at: int


@dataclass(frozen=True)
class Compare:
    """`column compare value`, with the sign as Python writes it."""

    column: Column
    sign: str
    value: Value


@dataclass(frozen=True)
class In:
    """`column in (values)`."""

    column: Column
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Has:
    """`column has value`."""

    column: Column
    value: Value


@dataclass(frozen=True)
class Null:
    """`column is null`."""

    column: Column


@dataclass(frozen=True)
class Flag:
    """A column of true and false."""

    column: Column


@dataclass(frozen=True)
class Not:
    """The opposite; unknown stays unknown."""

    part: Node


@dataclass(frozen=True)
class Both:
    """All of the parts ("and") or any of them ("or")."""

    word: str
    parts: tuple[Node, ...]


Node: TypeAlias = Compare | In | Has | Null | Flag | Not | Both


def parse(text: str) -> Node:
    """The tree of a condition.

    Raises InputError that points at the character which cannot be read.

    >>> parse("year >= 1990")
    Compare(column=Column(name='year', at=0), sign='>=', value=Value(value=1990, at=8))
    """
    if not isinstance(text, str):
        raise InputError(f"where must be text such as \"genres has 'Comedy' and year >= 1990\"; got {type(text).__name__}")
    if len(text) > LONGEST:
        raise InputError(f"where must have at most {LONGEST:,} characters; got {len(text):,}. Use allow= with the ids themselves")
    if not text.strip():
        raise InputError("where is empty; leave it out, or give a condition such as \"genres has 'Comedy' and year >= 1990\"")
    return _Parser(text).whole()


def refusal(text: str, at: int, message: str) -> InputError:
    """The error that shows the condition and a caret below the character meant."""
    start = text.rfind("\n", 0, at) + 1
    stop = text.find("\n", at)
    line = text[start : len(text) if stop < 0 else stop].replace("\t", " ")
    place = at - start
    cut = max(0, place - SHOWN // 2)
    return InputError(f"where: {message}\n  {line[cut : cut + SHOWN]}\n  {' ' * (place - cut)}^")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The word in lower case if this is one of the language's, else empty."""
        return self.text.lower() if self.kind == "name" and self.text.lower() in WORDS else ""


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            if text[at] in "'\"`":
                raise refusal(text, at, f"this {text[at]} is never closed")
            if text[at] in "&|!":
                raise refusal(text, at, "write and, or, not as words")
            raise refusal(text, at, f"cannot read {text[at]!r} here")
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, match.group(), at))
        at = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive descent over the tokens; one method a rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.condition()
        token = self.next
        if token.kind != "end":
            raise self.refusal(token, "expected 'and', 'or' or the end")
        return node

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.tokens[self.place]
        self.place += token.kind != "end"
        return token

    def took(self, *words: str) -> bool:
        """Whether the next token is one of these words or marks; if so it is taken."""
        token = self.next
        found = (token.word or (token.text if token.kind == "mark" else "")) in words
        self.place += found
        return found

    def refusal(self, token: _Token, message: str) -> InputError:
        found = "the end" if token.kind == "end" else repr(token.text)
        return refusal(self.text, token.at, f"{message}, found {found}")

    def condition(self) -> Node:
        return self.joined("or", self.all)

    def all(self) -> Node:
        return self.joined("and", self.part)

    def joined(self, word: str, rule: Callable[[], Node]) -> Node:
        parts = [rule()]
        while self.took(word):
            parts.append(rule())
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def part(self) -> Node:
        token = self.next
        self.depth += 1
        if self.depth > DEEPEST:
            raise refusal(self.text, token.at, f"more than {DEEPEST} conditions inside each other")
        node: Node
        if self.took("not"):
            node = Not(self.part())
        elif self.took("("):
            node = self.condition()
            if not self.took(")"):
                raise self.refusal(self.next, "expected ')'")
        else:
            node = self.test()
        self.depth -= 1
        return node

    def test(self) -> Node:
        column = self.column()
        if self.took("is"):
            negative = self.took("not")
            if not self.took("null"):
                raise self.refusal(self.next, "expected 'null' or 'not null'")
            return Not(Null(column)) if negative else Null(column)
        if self.next.kind == "compare":
            sign = COMPARE[self.take().text]
            if self.next.word == "null":
                raise refusal(self.text, self.next.at, f"nothing equals null; write {column.name} is null or {column.name} is not null")
            return Compare(column, sign, self.value())
        negative = self.took("not")
        if self.took("has"):
            has = Has(column, self.value())
            return Not(has) if negative else has
        if self.took("in"):
            among = In(column, self.values())
            return Not(among) if negative else among
        if negative:
            raise self.refusal(self.next, "expected 'in' or 'has'")
        if self.next.kind == "end" or self.next.word in ("and", "or") or self.next.text == ")":
            return Flag(column)
        raise self.refusal(self.next, f"expected a comparison, 'in', 'has' or 'is' after {column.name!r}")

    def column(self) -> Column:
        token = self.take()
        if token.kind == "quoted":
            return Column(token.text[1:-1], token.at)
        if token.kind == "name" and not token.word:
            return Column(token.text, token.at)
        if token.kind in ("text", "number", "date"):
            raise self.refusal(token, "expected a column first, as in year >= 1990")
        raise self.refusal(token, "expected a column")

    def value(self) -> Value:
        token = self.take()
        if token.kind == "text":
            quote = token.text[0]
            return Value(token.text[1:-1].replace(quote * 2, quote), token.at)
        if token.kind == "number":
            whole = token.text.lstrip("+-").isdigit() and len(token.text) < 19
            return Value(int(token.text) if whole else float(token.text), token.at)
        if token.kind == "date":
            return Value(read_time(self.text, token.text, token.at), token.at)
        if token.word in ("true", "false"):
            return Value(token.word == "true", token.at)
        if token.kind == "name" and not token.word:
            raise refusal(self.text, token.at, f"expected a value; if {token.text!r} is text, put it in quotes")
        raise self.refusal(token, "expected a value")

    def values(self) -> tuple[Value, ...]:
        if not self.took("("):
            raise self.refusal(self.next, "expected '(' and values, as in year in (1994, 1995)")
        found = [self.value()]
        while self.took(","):
            found.append(self.value())
        if not self.took(")"):
            raise self.refusal(self.next, "expected ',' or ')'")
        return tuple(found)


def read_time(text: str, written: str, at: int) -> date | datetime:
    """A day as a date, a moment as a datetime in UTC without a zone."""
    try:
        return date.fromisoformat(written) if len(written) == 10 else _in_utc(datetime.fromisoformat(written))
    except ValueError:
        raise refusal(text, at, f"{written!r} is no date; write 1995-01-31 or 1995-01-31T18:00") from None


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
