"""Tables of results in the documents, written from the JSON files: `python -m benchmarks.tables`.

A document says `<!-- results: SUITE -->`, and what stands between that line and `<!-- end of results -->` is written anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PLACE = re.compile(r"(?P<head><!-- results: (?P<suite>[\w-]+) -->\n).*?(?P<tail>^<!-- end of results -->)", re.MULTILINE | re.DOTALL)
FIGURES = {"rating": ("rmse", "mae"), "list": ("ndcg@10", "recall@20")}
SMALLER_IS_BETTER = {"rating": True, "list": False}


def table(result: dict[str, Any]) -> str:
    """Everybody who finished, best first, and how the table came about."""
    task = result["task"]
    done = [one for one in result["contenders"] if "median" in one]
    first = FIGURES[task][0]
    done.sort(key=lambda one: one["median"][first] if SMALLER_IS_BETTER[task] else -one["median"][first])
    heads = ["", *FIGURES[task], "fit, seconds", "peak memory, MB"]
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1)]
    for one in done:
        numbers = one["median"]
        name = f"**{one['name']}**" if one["kind"] == "preset" else f"{one['name']} {one['version']}"
        seconds = f"{numbers['fit_seconds']:.1f}" if numbers["fit_seconds"] >= 0.05 else "< 0.05"
        lines.append([name, *(f"{numbers[figure]:.4f}" for figure in FIGURES[task]), seconds, f"{numbers['peak_mb']:.0f}"])
    machine = result["machine"]
    repeats = "one run" if result["repeats"] == 1 else f"medians of {result['repeats']} runs"
    busy = f", while other work kept it busy (load {machine['load']:.0f})" if machine["load"] > machine["cores"] else ""
    about = f"{repeats}, {result['threads']} thread, {machine['processor']}, {machine['cores']} cores{busy}; {result['when'][:10]}"
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"\n{rows}\n\n*Suite `{result['suite']}`: {about}. `python -m benchmarks --suite {result['suite']}`*\n\n"


def filled(text: str) -> str:
    """A document with every table as the results say."""

    def put(found: re.Match[str]) -> str:
        result = json.loads((RESULTS / f"{found['suite']}.json").read_text(encoding="utf-8"))
        return found["head"] + table(result) + found["tail"]

    return PLACE.sub(put, text)


def documents() -> list[Path]:
    """The documents with such tables."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if PLACE.search(page.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    for page in documents():
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.relative_to(ROOT))
