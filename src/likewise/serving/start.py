"""Starting the service: one process, or several workers that share the model's memory."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile

from likewise.artifact.folder import read_manifest
from likewise.errors import LikewiseError
from likewise.serving.feedback.store import Feedback
from likewise.serving.logs import start_logging
from likewise.serving.settings import HANDED_DOWN, Settings

log = logging.getLogger("likewise.serving")
LAST_SECONDS = 20
"""Time that open requests get when the service is stopped."""


def serve(settings: Settings, quiet: bool = False) -> None:
    """Run until it is stopped. Everything that can be checked is checked before a port is opened.

    Parameters
    ----------
    settings : Settings
    quiet : bool
        No line for each request.
    """
    import uvicorn

    for folder in (settings.model, settings.beside):
        if folder is not None:
            read_manifest(folder)
    start_logging(logging.INFO)
    if quiet:
        logging.getLogger("likewise.serving.access").setLevel(logging.WARNING)
    options = {
        "host": settings.host, "port": settings.port, "log_config": None, "access_log": False, "server_header": False,
        "timeout_graceful_shutdown": LAST_SECONDS, "timeout_keep_alive": 30, "date_header": False,
    }  # fmt: skip
    if settings.workers == 1:
        from likewise.serving.app import make_app

        uvicorn.run(make_app(settings), **options)  # type: ignore[arg-type]
        return
    feedback = Feedback(settings.database_url)
    try:
        feedback.prepare()
    except LikewiseError as error:
        log.warning("the service starts without its feedback database: %s", error)
    feedback.close()
    counts = tempfile.mkdtemp(prefix="likewise-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
    os.environ[HANDED_DOWN] = settings.as_json()
    try:
        uvicorn.run("likewise.serving.app:from_environment", factory=True, workers=settings.workers, **options)  # type: ignore[arg-type]
    finally:
        shutil.rmtree(counts, ignore_errors=True)
