"""The folder is replaced whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from likewise.artifact.folder import MANIFEST, _checksum, open_files, read_manifest, write_folder
from likewise.errors import ArtifactError


def text(content: str):
    return lambda path: path.write_text(content)


def content_of(folder: Path) -> dict[str, str]:
    manifest = read_manifest(folder)
    return {name: path.read_text() for name, path in open_files(folder, manifest).items()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "m", {"a.txt": text("one"), "empty.txt": text("")}, {"note": 1})
    assert content_of(tmp_path / "m") == {"a.txt": "one", "empty.txt": ""}
    assert read_manifest(tmp_path / "m")["note"] == 1


def test_a_second_save_leaves_no_file_of_the_first(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.txt": text("one"), "b.txt": text("gone")}, {})
    write_folder(tmp_path, {"a.txt": text("two")}, {})
    assert content_of(tmp_path) == {"a.txt": "two"}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("after", ["a.txt", "b.txt", "manifest"])
def test_a_full_disk_leaves_the_old_model_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    write_folder(tmp_path, {"a.txt": text("old"), "b.txt": text("old b")}, {})

    def full(path: Path) -> None:
        path.write_text("ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files = {name: full if name == after else text("new " + name) for name in ("a.txt", "b.txt")}
    if after == "manifest":
        dump = json.dump

        def fail(value, out, **options):
            dump(value, out, **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(json, "dump", fail)
    with pytest.raises(ArtifactError, match="No space left"):
        write_folder(tmp_path, files, {})
    assert content_of(tmp_path) == {"a.txt": "old", "b.txt": "old b"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_kill_at_any_write_leaves_a_whole_model(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from likewise.artifact.folder import write_folder
        folder, moment = Path(sys.argv[1]), int(sys.argv[2])
        count = 0
        def at(step):
            def audit(event, args):
                global count
                if event in ("os.rename", "open") and str(folder) in str(args[0]):
                    count += 1
                    if count == step:
                        os.kill(os.getpid(), signal.SIGKILL)
            return audit
        sys.addaudithook(at(moment))
        write_folder(folder, {"a.txt": lambda p: p.write_text("new"), "b.txt": lambda p: p.write_text("new")}, {})
    """)
    killed = 0
    for moment in range(1, 40):
        folder = tmp_path / str(moment)
        write_folder(folder, {"a.txt": text("old"), "b.txt": text("old")}, {})
        done = subprocess.run([sys.executable, "-c", program, str(folder), str(moment)], check=False)
        killed += done.returncode == -signal.SIGKILL
        assert set(content_of(folder).values()) in ({"old"}, {"new"})
        write_folder(folder, {"a.txt": text("later")}, {})  # leftovers of the kill are in nobody's way
        assert content_of(folder) == {"a.txt": "later"}
        assert len(list(folder.iterdir())) == 2
        if done.returncode == 0:
            break
    assert killed > 5


def point_outside(path: Path) -> None:
    """A manifest of somebody hostile, who does not forget the checksum."""
    manifest = read_manifest(path.parent)
    entry = manifest["files"]["a.txt"]
    entry["file"] = f"../{entry['file']}"
    path.write_text(json.dumps({**manifest, "checksum": _checksum(manifest)}))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: next(f.glob("a-*")).write_text("on"), "bytes"),
        (lambda f: next(f.glob("a-*")).write_text("two"), "checksum"),
        (lambda f: next(f.glob("a-*")).unlink(), "missing"),
        (lambda f: (f / MANIFEST).write_text("{"), "not the manifest"),
        (lambda f: (f / MANIFEST).write_text('{"format": 1}'), "not the manifest"),
        (lambda f: (f / MANIFEST).unlink(), "no saved model"),
        (lambda f: (f / MANIFEST).write_text((f / MANIFEST).read_text().replace('"format": 1', '"format": 99')), "upgrade"),
        (lambda f: (f / MANIFEST).write_text((f / MANIFEST).read_text().replace('"bytes": 3', '"bytes": 4')), "its own checksum"),
        (lambda f: point_outside(f / MANIFEST), "outside"),
    ],
)
def test_damage_is_refused_with_the_reason(tmp_path: Path, harm, says: str) -> None:
    write_folder(tmp_path, {"a.txt": text("one")}, {})
    harm(tmp_path)
    with pytest.raises(ArtifactError, match=says):
        content_of(tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match="no Likewise model"):
        write_folder(tmp_path, {"a.txt": text("one")}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ArtifactError, match="is a file"):
        write_folder(tmp_path / "thesis.tex", {"a.txt": text("one")}, {})
