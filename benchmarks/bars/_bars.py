"""What every file of bars shares: fresh processes, and lines `bar | value | bound | holds`.

A value is read from the JSON that the command line printed in a process of its own, or from a clock or a scale outside it. A file
of bars looks like this:

    def bars(board: Board) -> None:
        u1 = board.data("ml-100k/u1.base"), board.data("ml-100k/u1.test")
        board.at_most("dot, u1, RMSE", lambda: board.median(*u1, "dot", "rmse"), 0.925, accuracy=True)

    if __name__ == "__main__":
        run("foundation", bars)

`--control` puts the preset `bias` (`popularity` on tables of likes) in the place of every preset and runs the bars marked
`accuracy=True` alone: each of them must then fail, or it measures nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.about import about
from benchmarks.measure import Measured, likewise, measured
from benchmarks.suites import NoDataError, data_home

RESULTS = Path(__file__).parents[1] / "results" / "bars"
CONTROL = "bias"
CONTROL_OF_LIKES = "popularity"
Value = Callable[[], float] | float


@dataclass(frozen=True)
class Line:
    """One bar: what was measured, what was promised, and whether the promise holds."""

    name: str
    value: float | None
    bound: str
    holds: bool
    remark: str = ""

    def __str__(self) -> str:
        value = "-" if self.value is None else f"{self.value:.4g}" if abs(self.value) < 1000 else f"{self.value:,.0f}"
        return " | ".join([self.name, value, self.bound, "yes" if self.holds else "NO"]) + (f" | {self.remark}" if self.remark else "")


@dataclass
class Board:
    """Runs bars one after another and keeps their lines."""

    control: bool = False
    seeds: tuple[int, ...] = (0, 1, 2)
    only: str = ""
    threads: int | None = None
    lines: list[Line] = field(default_factory=list)
    _records: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def at_most(self, name: str, value: Value, bound: float, accuracy: bool = False) -> None:
        """The value must not be more than the bound."""
        self._judge(name, value, lambda v: v <= bound, f"<= {bound:g}", accuracy)

    def at_least(self, name: str, value: Value, bound: float, accuracy: bool = False) -> None:
        """The value must not be less than the bound."""
        self._judge(name, value, lambda v: v >= bound, f">= {bound:g}", accuracy)

    def near(self, name: str, value: Value, target: float, within: float, accuracy: bool = False) -> None:
        """The value must be as near to the target as said."""
        self._judge(name, value, lambda v: abs(v - target) <= within, f"{target:g} +- {within:g}", accuracy)

    def true(self, name: str, check: Callable[[], bool]) -> None:
        """Something must be so."""
        self._judge(name, lambda: float(check()), lambda v: v == 1.0, "so", False)

    def data(self, path: str) -> Path:
        """A file of the data folder."""
        found = data_home() / path
        if not found.exists():
            raise NoDataError(f"{found} does not exist")
        return found

    def record(self, train: Path, test: Path, preset: str, *options: str, seed: int = 0) -> dict[str, Any]:
        """The JSON of `likewise bench`, plus what the process cost as seen from outside: `outside_seconds`, `outside_mb`.

        Under control the preset is `bias` (`popularity` for likes), without the options that set settings. The same call is run once.
        """
        if self.control:
            return self._control(train, test, _without_settings(options), seed)
        return self._record(train, test, preset, options, seed)

    def _control(self, train: Path, test: Path, options: tuple[str, ...], seed: int) -> dict[str, Any]:
        """The record of `bias`; of `popularity` where the table has no ratings, which `bias` refuses."""
        try:
            return self._record(train, test, CONTROL, options, seed)
        except RuntimeError as error:
            if "needs ratings" not in str(error):
                raise
            return self._record(train, test, CONTROL_OF_LIKES, options, seed)

    def _record(self, train: Path, test: Path, preset: str, options: tuple[str, ...], seed: int) -> dict[str, Any]:
        key = (str(train), str(test), preset, *options, str(seed))
        if key not in self._records:
            command = [*likewise(), "bench", train, "--test", test, "--preset", preset, "--seed", str(seed), *options, "--json"]
            done = self.run(command)
            self._records[key] = {**done.json(), "outside_seconds": done.wall_seconds, "outside_mb": done.peak_mb}
        return self._records[key]

    def median(self, train: Path, test: Path, preset: str, figure: str, *options: str) -> float:
        """The median of a figure over the seeds."""
        return median(float(self.record(train, test, preset, *options, seed=seed)[figure]) for seed in self.seeds)

    def run(self, command: Sequence[str | Path], threads: int | None = None) -> Measured:
        """A command in a fresh process; RuntimeError with its last lines if it fails."""
        done = measured(command, threads or self.threads)
        if done.problem:
            raise RuntimeError(f"{' '.join(map(str, command))} failed: {done.problem}")
        return done

    def _judge(self, name: str, value: Value, holds: Callable[[float], bool], bound: str, accuracy: bool) -> None:
        if self.only not in name or (self.control and not accuracy):
            return
        try:
            found = float(value() if callable(value) else value)
        except (RuntimeError, KeyError, NoDataError) as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
            line = Line(name, None, bound, False, reason)
        else:
            ok = holds(found)
            line = Line(name, found, bound, not ok, "control: must fail") if self.control else Line(name, found, bound, ok)
        self.lines.append(line)
        print(line, flush=True)


def run(title: str, bars: Callable[[Board], None], arguments: Sequence[str] | None = None) -> None:
    """Run a file of bars and leave with 0 if all hold, else 1."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.bars.{title}")
    parser.add_argument("--control", action="store_true", help=f"put {CONTROL!r} in every preset's place: every accuracy bar must fail")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="bars whose name holds this")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--write", action="store_true", help="put the lines into benchmarks/results/bars, for the tables of the documents")
    args = parser.parse_args(arguments)
    board = Board(args.control, tuple(args.seeds), args.only, args.threads)
    print("bar | value | bound | holds")
    try:
        bars(board)
    except NoDataError as error:
        print(f"{title}: {error}", file=sys.stderr)
        sys.exit(2)
    failed = [line.name for line in board.lines if not line.holds]
    if args.write and not args.control:
        _write(title, board)
    print(f"{title}: {len(board.lines) - len(failed)} of {len(board.lines)} hold" + (f"; not: {'; '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


def _write(title: str, board: Board) -> None:
    """Put the lines that were run in the place of the older ones of the same name, each with when and how it was measured."""
    path = RESULTS / f"{title}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    how = {"seeds": board.seeds, **about()}
    for line in board.lines:
        known[line.name] = {"value": line.value, "bound": line.bound, "holds": line.holds, "remark": line.remark, **how}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _without_settings(options: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    skip = False
    for option in options:
        if not skip and option != "--set":
            kept.append(option)
        skip = option == "--set"
    return tuple(kept)
