"""The code blocks of a Markdown page, as one script that runs them in order.

Every `python` and `bash` block is run, unless a comment stands on the line above it:

    <!-- not run: reason -->    shown only
    <!-- ci -->                 bash that `.ci/run` runs from the root of a clone

`python tests/blocks.py README.md` prints the commands marked `ci`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

FENCE = re.compile(
    r"^(?:[ ]*<!-- (?P<mark>not run: [^\n]+|ci) -->\n)?"
    r"(?P<indent>[ ]*)```(?P<language>python|bash)[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its code, the line it starts on, the mark above it and where its fence ends in the text."""

    language: str
    code: str
    line: int
    mark: str | None
    end: int = 0

    def as_python(self) -> str:
        """Return the block as Python that keeps the page's line numbers in tracebacks."""
        if self.language == "python":
            return self.code
        command = ["bash", "-euo", "pipefail", "-c", self.code]
        return f"__import__('subprocess').run({command!r}, check=True)\n"


def blocks(page: Path) -> list[Block]:
    """Return the `python` and `bash` blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["language"], dedent(match["code"]), text.count("\n", 0, match.start("code")) + 1, match["mark"], match.end())
        for match in FENCE.finditer(text)
    ]


def script(page: Path, told: bool = False) -> str:
    """Return one Python script of all blocks that are run; each block starts on the line it has in the page.

    With `told` a line with the block's number is printed before the block, in the place of its fence.
    """
    lines: list[str] = []
    for block in blocks(page):
        if block.mark is None:
            lines += [""] * (block.line - 1 - len(lines))
            if told:
                lines[-1] = f"print('\\x1e{block.line}', flush=True)"
            lines += block.as_python().splitlines()
    return "\n".join(lines) + "\n" if lines else ""


if __name__ == "__main__":
    for block in blocks(Path(sys.argv[1])):
        if block.mark == "ci":
            print(block.code, end="")
