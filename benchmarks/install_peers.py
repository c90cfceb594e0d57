"""Gives every peer a virtual environment of its own: `make bench-peers`.

Each `benchmarks/peers/NAME.txt` pins what NAME needs; its environment lies in `benchmarks/.peers/NAME`. An install that fails is
reported as such (`benchmarks/.peers/NAME.json` keeps the last lines of the log) and the others go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE / ".peers"


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment."""
    return HOME / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def status(name: str) -> dict[str, object]:
    """What the last install of this peer left: `installed`, `requirements`, `problem`."""
    path = HOME / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"installed": False, "problem": "not installed yet: run `make bench-peers`"}


def install(name: str, again: bool = False) -> dict[str, object]:
    """Make the environment of one peer; does nothing where the same requirements are installed already."""
    requirements = HERE / "peers" / f"{name}.txt"
    pins = requirements.read_text().split()
    known = status(name)
    if known["installed"] and known["requirements"] == pins and not again:
        return known
    (HOME / f"{name}.json").unlink(missing_ok=True)  # an install that is cut short is no install
    venv.create(HOME / name, with_pip=True, clear=True)
    done = subprocess.run([python_of(name), "-m", "pip", "install", "--no-input", "-r", requirements], capture_output=True, text=True)
    problem = None if done.returncode == 0 else "\n".join((done.stdout + done.stderr).splitlines()[-15:])
    report = {"installed": problem is None, "requirements": pins, "problem": problem}
    (HOME / f"{name}.json").write_text(json.dumps(report, indent=1))
    return report


def main() -> int:
    known = sorted(path.stem for path in (HERE / "peers").glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*known, []], help="peers to install; all by default")
    parser.add_argument("--again", action="store_true", help="install even where the same requirements are installed")
    args = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    failed = 0
    for name in args.names or known:
        report = install(name, args.again)
        failed += not report["installed"]
        print(f"{name:10} {'installed' if report['installed'] else 'FAILED'}  {' '.join(report['requirements'])}", flush=True)
        if report["problem"]:
            print(report["problem"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
