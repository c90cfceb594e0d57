"""Tables of results in the documents, written from the JSON files: `python -m benchmarks.tables`.

What stands between one of these lines and `<!-- end of results -->` is written anew:

    <!-- results: SUITE -->      everybody in a suite
    <!-- bars: NAME -->          the lines of a file of bars
    <!-- results: networks -->   every network on every split, of `benchmarks.studies.networks_table`
    <!-- results: newcomers-ml-1m -->   what folding in recovers, of `benchmarks.studies.newcomers`
    <!-- side by side -->        Likewise and the best other library, a row a figure
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import rows as side_by_side
from benchmarks.studies.networks_table import table as networks_table
from benchmarks.studies.newcomers import table as newcomers_table

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PLACE = re.compile(
    r"(?P<head><!-- (?P<what>(results|bars): [\w-]+|side by side) -->\n).*?(?P<tail>^<!-- end of results -->)", re.MULTILINE | re.DOTALL
)
FIGURES = {"rating": ("rmse", "mae"), "list": ("ndcg@10", "recall@20")}
NOT_RUN = "\n*Not run yet: `{}`.*\n\n"
SMALLER_IS_BETTER = {"rating": True, "list": False}


def table(result: dict[str, Any]) -> str:
    """Everybody who finished, best first, and how the table came about."""
    task = result["task"]
    done = [one for one in result["contenders"] if "median" in one]
    first = FIGURES[task][0]
    done.sort(key=lambda one: one["median"][first] if SMALLER_IS_BETTER[task] else -one["median"][first])
    reference = next((one["ratio_to"] for one in done), "")
    compared = any("first_against_it" in one for one in done)
    heads = ["", *FIGURES[task], *([f"{first}: {reference} minus it, 95 %"] if compared else []), "CPU seconds", "peak memory, MB"]
    lines = [heads]
    for one in done:
        numbers = one["median"]
        name = f"**{one['name']}**" if one["kind"] == "preset" else f"{one['name']} {one['version']}"
        gap = [_gap(one)] if compared else []
        lines.append(
            [
                name,
                *(f"{numbers[figure]:.4f}" for figure in FIGURES[task]),
                *gap,
                f"{numbers['cpu_seconds']:.1f}",
                f"{numbers['peak_mb']:.0f}",
            ]
        )
    repeats = "one run" if result["repeats"] == 1 else f"medians of {result['repeats']} runs"
    about = f"{repeats}, {result['threads']} thread; CPU seconds of the whole process, imports and answers too; {_machine(result)}"
    failed = [f"{one['name']}: {one['problem'].splitlines()[-1][:100]}" for one in result["contenders"] if "problem" in one]
    missing = f" Not shown: {'; '.join(failed)}." if failed else ""
    return f"\n{markdown(lines)}\n\n*Suite `{result['suite']}`: {about}. `python -m benchmarks --suite {result['suite']}`.{missing}*\n\n"


def networks(result: dict[str, Any]) -> str:
    """The error and the seconds of every network on every split."""
    about = f"RMSE and fit, one seed, one thread, {_machine(result)}"
    return f"\n{networks_table(result)}\n\n*{about}. `python -m benchmarks.studies.networks_table`*\n\n"


def bars_table(title: str, lines: dict[str, Any]) -> str:
    """The lines of a file of bars, and how they came about."""
    found = [["", "measured", "wanted", "holds"]]
    for name, line in lines.items():
        value = line["remark"] or "-" if line["value"] is None else _number(line["value"])
        found.append([name.replace("|", "/"), value, line["bound"], "yes" if line["holds"] else "**no**"])
    machines = sorted({_machine(line) for line in lines.values()})
    return f"\n{markdown(found)}\n\n*{'; '.join(machines)}. `make bars ONLY={title}`*\n\n"


def markdown(lines: list[list[str]]) -> str:
    """A table; the first column is text, the others are set to the right."""
    ruled = [lines[0], ["---"] + ["---:"] * (len(lines[0]) - 1), *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in ruled)


def filled(text: str) -> str:
    """A document with every table as the results say."""

    def put(found: re.Match[str]) -> str:
        what, _, name = found["what"].partition(": ")
        if what == "side by side":
            body = f"\n{markdown([['', 'Likewise', 'best other', 'difference'], *side_by_side(RESULTS)])}\n\n"
        elif what == "bars":
            lines = _read(RESULTS / "bars" / f"{name}.json")
            body = bars_table(name, lines) if lines else NOT_RUN.format(f"make bars ONLY={name} ARGS=--write")
        else:
            result = _read(RESULTS / f"{name}.json")
            body = NOT_RUN.format(f"python -m benchmarks --suite {name}")
            if isinstance(result, list):
                body = newcomers_table(result)
            elif result:
                body = networks(result) if "cells" in result else table(result)
        return found["head"] + body + found["tail"]

    return PLACE.sub(put, text)


def documents() -> list[Path]:
    """The documents with such tables."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if PLACE.search(page.read_text(encoding="utf-8"))]


def _gap(one: dict[str, Any]) -> str:
    gap = one.get("first_against_it")
    return f"{gap['difference']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f}), {gap['verdict']}" if gap else ""


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    busy = f", while other work kept it busy (load {machine['load']:.0f})" if machine["load"] > machine["cores"] + 1 else ""
    return f"{machine['processor']}, {machine['cores']} cores{busy}; {result['when'][:10]}"


def _read(path: Path) -> Any:
    """The JSON of a file, None where nobody has run it yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


if __name__ == "__main__":
    for page in documents():
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.relative_to(ROOT))
