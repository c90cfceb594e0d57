"""`likewise doctor`: what this machine offers, and what each missing extra would bring."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from likewise.cli import common

EXTRAS = {
    "samples": "the sample of MovieLens that `likewise demo` uses",
    "plots": "pictures: .plot() of evaluations and insights, the report page",
    "serve": "the service and its page: likewise serve, likewise explore",
    "sql": "reading ratings from a database URL",
    "tune": "searching settings: likewise tune",
    "export": "ONNX files: likewise export --onnx",
    "maps": "maps by UMAP",
    "ann": "approximate search in very large catalogues",
    "tensorboard": "training curves in TensorBoard",
    "mlflow": "training curves in MLflow",
}
"""What each optional extra brings; the packages it needs are read from the installed metadata."""
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*([^;]*?)\s*(?:;\s*extra\s*==\s*['\"]([\w-]+)['\"])?$")


def doctor(as_json: common.AsJson = False) -> None:
    """Report the environment, and what missing extras would bring."""
    found = {"environment": environment(), "packages": packages(), "numba_cache": numba_cache(), "gpu": gpu(), "extras": extras()}
    if as_json:
        common.print_json(found)
        return
    cache = found["numba_cache"]
    kept = cache["path"] if cache["writable"] else f"NOT writable, every process compiles afresh: {cache['advice']}"
    common.print_facts({name.replace("_", " "): value for name, value in found["environment"].items()})
    common.print_facts({"compiled code": kept, "GPU": found["gpu"]["name"] or found["gpu"]["why"]})
    typer.echo("packages       " + ", ".join(f"{name} {version or 'MISSING'}" for name, version in found["packages"].items()))
    typer.echo("")
    for name, extra in found["extras"].items():
        state = "installed" if extra["installed"] else f"missing {', '.join(extra['missing'])}: pip install 'likewise[{name}]'"
        typer.echo(f"{name:<12} {extra['brings']}  ({state})")


def environment() -> dict[str, Any]:
    """Python, platform, cores, threads."""
    from likewise import __version__
    from likewise.parallel import thread_count

    return {
        "likewise": __version__,
        "python": f"{platform.python_version()} at {sys.executable}",
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": thread_count(),
    }


def packages() -> dict[str, str | None]:
    """Version of each package of the base install, None where it is missing."""
    return {name: _version(name) for name, extra in _requirements() if extra is None}


def extras() -> dict[str, dict[str, Any]]:
    """What each extra brings, and which of its packages are missing."""
    found = {}
    for name, brings in EXTRAS.items():
        needed = [package for package, extra in _requirements() if extra == name]
        missing = [package for package in needed if _version(package) is None]
        found[name] = {"brings": brings, "installed": not missing, "missing": missing}
    return found


def numba_cache() -> dict[str, Any]:
    """Where compiled code is kept, and whether it can be."""
    advice = "set NUMBA_CACHE_DIR to a folder that can be written"
    try:
        from likewise.models.normal import normal_cdf

        path = Path(normal_cdf.stats.cache_path)
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return {"path": str(path), "writable": True, "advice": None}
    except (OSError, RuntimeError) as error:  # Numba raises RuntimeError at import where it finds no folder at all
        return {"path": None, "writable": False, "advice": f"{advice} ({error})"}


def gpu() -> dict[str, Any]:
    """The GPU that gradient fitting would use, or why there is none."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return {"name": None, "torch": None, "why": f"torch cannot be imported: {error}"}
    if torch.cuda.is_available():
        return {"name": torch.cuda.get_device_name(0), "torch": torch.__version__, "why": None}
    built = "this torch is built without CUDA" if torch.version.cuda is None else "torch has CUDA, but no GPU answers"
    return {"name": None, "torch": torch.__version__, "why": f"none, and none is needed: {built}"}


def _requirements() -> list[tuple[str, str | None]]:
    """Direct requirements of the installed package: name, and the extra it belongs to."""
    found = (_REQUIREMENT.match(line) for line in metadata.requires("likewise") or [])
    return [(match[1], match[3]) for match in found if match is not None]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
