"""A folder of files under one manifest, replaced whole or not at all.

Data files carry a part of their own checksum in their name. A save writes new files beside the old ones, makes them durable, and
then replaces `manifest.json` in one step; only after that are files removed that no manifest names. A crash, a kill or a full disk
at any moment leaves the manifest of before with every file it names.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from safetensors import SafetensorError

from likewise.errors import ArtifactError

MANIFEST = "manifest.json"
PAGE = "README.md"
WRITE_ERRORS = (OSError, SafetensorError, pl.exceptions.PolarsError)
"""What a full disk becomes, by who was writing."""
FORMAT = 1
"""Version of the folder's format; raised when an older release could no longer read it."""


def write_folder(folder: Path, files: Mapping[str, Callable[[Path], None]], manifest: Mapping[str, Any], page: str | None = None) -> None:
    """Write `files` (name -> function that writes to the path it is given), the manifest that names them, and a page for people.

    The page is `README.md`, replaced whole right after the manifest. It tells of the model and is no part of it: no checksum holds it,
    and a `README.md` that begins otherwise is somebody else's and stays.

    Raises ArtifactError when the folder holds something else, or cannot be written; what was there before stays whole.
    """
    folder = Path(folder)
    check_target(folder)
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        entries: dict[str, dict[str, Any]] = {}
        for name, write in files.items():
            path, entry = _write_file(folder, name, write)
            entries[name] = entry
            written.append(path)
        temporary = folder / f".{MANIFEST}.{os.getpid()}.tmp"
        written.append(temporary)
        with temporary.open("w", encoding="utf-8") as out:
            told = {"format": FORMAT, **manifest, "files": entries}
            json.dump({**told, "checksum": _checksum(told)}, out, indent=1, ensure_ascii=False, allow_nan=False)
            out.flush()
            os.fsync(out.fileno())
        leaf = None if page is None or not _may_replace(folder / PAGE, page) else _write_page(folder, page, written)
        _sync(folder)
        temporary.replace(folder / MANIFEST)
        if leaf is not None:
            leaf.replace(folder / PAGE)
        _sync(folder)
    except BaseException as error:
        current = _named(folder)
        for path in written:
            if path.name not in current:
                path.unlink(missing_ok=True)
        if not isinstance(error, WRITE_ERRORS):
            raise
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ArtifactError(f"could not save to {folder}: {reason}; what was there before is untouched") from error
    _sweep(folder)


def check_target(folder: Path) -> None:
    """Refuse a place that no model can be saved to, before hours are spent on one.

    Raises ArtifactError for a file, a folder that holds something else, and one that may not be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder} is a file; give a folder to save into")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists() and not _only_leftovers(folder):
        raise ArtifactError(f"{folder} holds files that are no Likewise model; give an empty or a new folder")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ArtifactError(f"could not save to {folder}: {there} may not be written to; give another folder")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest; ArtifactError if there is none, it is damaged, or of a format this release cannot read."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{folder} is no saved model: it has no {MANIFEST}; models are folders made by rec.save(...) or `likewise fit --out`"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, files = manifest["format"], manifest["files"]
        if not isinstance(files, dict) or not isinstance(version, int):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: it is not the manifest of a saved model") from error
    claimed = manifest.pop("checksum", None)
    if version > FORMAT:
        raise ArtifactError(f"{folder} was saved in format {version}; this release reads up to format {FORMAT}: upgrade likewise")
    if claimed is not None and claimed != _checksum(manifest):
        raise ArtifactError(f"{path} is damaged: its own checksum differs, so it was edited or corrupted")
    return dict(manifest)


def open_files(folder: Path, manifest: Mapping[str, Any], verify: bool = True) -> dict[str, Path]:
    """Paths of the manifest's files, each checked for size and, with `verify`, for its checksum."""
    paths = {}
    for name, entry in manifest["files"].items():
        path = Path(folder) / str(entry["file"])
        if path.parent != Path(folder):
            raise ArtifactError(f"{folder}: the manifest names a file outside the folder ({entry['file']})")
        if not path.is_file():
            raise ArtifactError(f"{folder} is damaged: {entry['file']} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise ArtifactError(f"{folder} is damaged: {entry['file']} has {path.stat().st_size} bytes, not {entry['bytes']}")
        if verify and _digest(path) != entry["sha256"]:
            raise ArtifactError(f"{folder} is damaged: the checksum of {entry['file']} differs, so it was edited or corrupted")
        paths[name] = path
    return paths


def _write_file(folder: Path, name: str, write: Callable[[Path], None]) -> tuple[Path, dict[str, Any]]:
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    try:
        write(temporary)
        with temporary.open("rb+") as done:
            os.fsync(done.fileno())
        digest = _digest(temporary)
        stem, dot, suffix = name.partition(".")
        final = folder / f"{stem}-{digest[:10]}{dot}{suffix}"
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return final, {"file": final.name, "bytes": final.stat().st_size, "sha256": digest}


def _write_page(folder: Path, page: str, written: list[Path]) -> Path:
    leaf = folder / f".{PAGE}.{os.getpid()}.tmp"
    written.append(leaf)
    with leaf.open("w", encoding="utf-8", newline="\n") as out:
        out.write(page)
        out.flush()
        os.fsync(out.fileno())
    return leaf


def _may_replace(path: Path, page: str) -> bool:
    """Whether there is no page, or one that begins with the same two lines as the new one."""
    if not path.exists():
        return True
    try:
        with path.open(encoding="utf-8") as old:
            return [old.readline(), old.readline()] == [f"{line}\n" for line in page.split("\n")[:2]]
    except (OSError, UnicodeDecodeError):
        return False


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file, _mapped(file) as content:
        return hashlib.sha256(content).hexdigest()


@contextmanager
def _mapped(file: Any) -> Iterator[Any]:
    if os.fstat(file.fileno()).st_size == 0:
        yield b""
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _named(folder: Path) -> set[str]:
    try:
        return {str(entry["file"]) for entry in read_manifest(folder)["files"].values()} | {MANIFEST}
    except ArtifactError:
        return set()


def _sweep(folder: Path) -> None:
    """Remove data files of earlier saves that the manifest no longer names."""
    keep = _named(folder)
    for path in folder.iterdir():
        if path.name not in keep and _is_ours(path):
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    stem, _, mark = path.name.split(".")[0].rpartition("-")
    hashed = bool(stem) and len(mark) == 10 and all(c in "0123456789abcdef" for c in mark)
    return path.is_file() and (hashed or (path.name.startswith(".") and path.name.endswith(".tmp")))


def _only_leftovers(folder: Path) -> bool:
    return all(_is_ours(path) for path in folder.iterdir())


def _sync(folder: Path) -> None:
    if os.name != "posix":  # a folder cannot be opened for syncing elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
