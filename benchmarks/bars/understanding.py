"""The bars of understanding: items loved beyond doubt, axes with names that hold, and a report that is small and quickly there.

`dot` is fitted by `likewise fit` and asked by `likewise insight`, each in a process of its own.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.bars._bars import Board, run
from benchmarks.measure import likewise

PRESET = "dot"
R, P, AXES = 0.4, 0.01, 5
FILMS = ("Schindler's List", "Shawshank Redemption")
WALLACE = ("Wrong Trousers", "Close Shave", "Grand Day Out", "Wallace & Gromit")


def bars(board: Board) -> None:
    sets = {"ML-100K": board.data("ml-100k"), "latest-small": board.data("ml-latest-small")}
    with tempfile.TemporaryDirectory() as folder:
        learned: dict[tuple[str, int], dict[str, Any]] = {}

        def insight(name: str, seed: int) -> dict[str, Any]:
            if (name, seed) not in learned:
                model = fitted(board, sets[name], Path(folder) / f"{name}-{seed}", seed)
                learned[name, seed] = board.run([*likewise(), "insight", model, "--json"]).json()
            return learned[name, seed]

        def fewest(name: str) -> float:
            return min(row["count"] for seed in board.seeds for row in insight(name, seed)["loved"])

        def wanted(titles: tuple[str, ...]) -> float:
            """In how many of the seeds one of the titles is among the 15."""
            loved = [[row["name"] for row in insight("ML-100K", seed)["loved"]] for seed in board.seeds]
            return sum(any(title in name for name in names for title in titles) for names in loved)

        for film in (*((film,) for film in FILMS), WALLACE):
            board.at_least(f"ML-100K, {film[0]} among the 15 most loved, seeds", lambda film=film: wanted(film), len(board.seeds))
        board.at_least("ML-100K, fewest ratings of the 15 most loved", lambda: fewest("ML-100K"), 20)
        board.at_least("latest-small, fewest ratings of the 15 most loved", lambda: fewest("latest-small"), 15)
        for name in sets:
            board.at_least(
                f"{name}, axes of the first five with R >= {R} and p < {P}, least over seeds",
                lambda name=name: min(named_axes(insight(name, seed)) for seed in board.seeds),
                2,
            )
            board.at_least(
                f"{name}, names of axes that at least two seeds share",
                lambda name=name: shared_names([insight(name, seed) for seed in board.seeds]),
                2,
            )
        report_bars(board, Path(folder))


def report_bars(board: Board, folder: Path) -> None:
    """Seconds and size of the report on ML-1M, the better of two; what the refit on nine tenths takes is taken off."""
    told: dict[str, Any] = {}

    def report() -> dict[str, Any]:
        if not told:
            model = fitted(board, board.data("ml-1m"), folder / "ml-1m", 0)
            command = [*likewise(), "report", model, "-o", folder / "report.html", "--json"]
            runs = [board.run(command, threads=2).json() for _ in range(2)]  # the first may compile
            told.update(min(runs, key=lambda run: run["seconds"] - run["fit_seconds"]))
        return told

    board.at_most("report on ML-1M, seconds beyond fitting, two threads", lambda: report()["seconds"] - report()["fit_seconds"], 20)
    board.at_most("report on ML-1M, megabytes", lambda: report()["bytes"] / 1e6, 8)


def fitted(board: Board, data: Path, model: Path, seed: int) -> Path:
    """The folder of a model fitted on a data set."""
    if not model.exists():
        board.run([*likewise(), "fit", data, "--preset", PRESET, "--seed", str(seed), "--out", model])
    return model


def named_axes(found: dict[str, Any]) -> int:
    """How many of the first axes are predicted well enough to be named, and have a name."""
    return sum(axis["name"] != "unnamed" and axis["r"] is not None and axis["r"] >= R and axis["p"] < P for axis in found["axes"][:AXES])


def shared_names(seeds: list[dict[str, Any]], least: int = 2) -> int:
    """How many names, whichever way round, are given in at least `least` of the seeds."""
    given: Counter[frozenset[str]] = Counter()
    for found in seeds:
        given.update({frozenset(axis["name"].split(" - ")) for axis in found["axes"][:AXES] if axis["name"] != "unnamed"})
    return sum(count >= least for count in given.values())


if __name__ == "__main__":
    run("understanding", bars)
