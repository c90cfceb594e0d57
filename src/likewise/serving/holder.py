"""The model that answers, and the one that takes its place when the folder's manifest changes."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path
from time import perf_counter

from likewise.artifact.folder import open_files, read_manifest
from likewise.errors import ArtifactError, InputError, LikewiseError
from likewise.serving.feedback.store import Feedback
from likewise.serving.loaded import Loaded, fingerprint
from likewise.serving.metrics import Metrics

log = logging.getLogger("likewise.serving")
EVERY = 0.5
"""Seconds between looks at the manifest."""


class Holder:
    """The models by slot. An answer takes one reference and keeps it, so no answer mixes two models.

    Parameters
    ----------
    folders : mapping of slot to the artifact's folder; "main" is required.
    metrics : Metrics
    feedback : Feedback
        Gives each version its generation number.
    """

    def __init__(self, folders: dict[str, Path], metrics: Metrics, feedback: Feedback) -> None:
        self.folders, self.metrics, self.feedback = folders, metrics, feedback
        self.damaged: str | None = None
        self.generation: int | None = None
        self._models: dict[str, Loaded] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Read the models; checksums are compared in the background, once answers have begun."""
        for slot, folder in self.folders.items():
            self._take(Loaded(folder, slot, verify=False))
        gc.freeze()  # the model stays; the collector need not walk it
        gc.enable()

    @property
    def main(self) -> Loaded:
        """The model that answers unless another is named."""
        return self._models["main"]

    def of(self, slot: str) -> Loaded:
        """The model of a slot.

        Raises InputError where the service has no second model.
        """
        if slot not in self._models:
            raise InputError("there is no second model beside the first; start the service with --beside FOLDER")
        return self._models[slot]

    @property
    def slots(self) -> list[str]:
        return list(self._models)

    def follow(self) -> None:
        """Begin to look for new models."""
        self._tasks = [asyncio.create_task(self._verify()), asyncio.create_task(self._follow())]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _verify(self) -> None:
        for folder in self.folders.values():
            try:
                await asyncio.to_thread(_checked, folder)
            except ArtifactError as error:
                if fingerprint(folder) == self._models[_slot(self.folders, folder)].version:
                    self.damaged = str(error)
                    log.error("the model is damaged: %s", error)

    async def _follow(self) -> None:
        failed: dict[str, str] = {}
        await asyncio.to_thread(self._number)
        while True:
            await asyncio.sleep(EVERY)
            for slot, folder in self.folders.items():
                version = fingerprint(folder)
                if not version or version in (self._models[slot].version, failed.get(slot)):
                    continue
                start = perf_counter()
                try:
                    fresh = await asyncio.to_thread(_ready, folder, slot)
                except (LikewiseError, OSError, RuntimeError) as error:
                    if fingerprint(folder) == version:  # else it was replaced once more: the next look takes that one
                        failed[slot] = version
                        log.error("the new model was not taken, the old one goes on: %s", error)
                    continue
                self._take(fresh)
                self.damaged = None
                await asyncio.to_thread(self._number)
                log.info("new model after %.2f s", perf_counter() - start, extra={"version": fresh.version})

    def _number(self) -> None:
        """The generation in the database; without one while it is away."""
        try:
            self.generation = self.feedback.generation(self.main.version)
        except LikewiseError as error:
            log.warning("the model has no generation number yet: %s", error)

    def _take(self, fresh: Loaded) -> None:
        before = self._models.get(fresh.slot)
        self._models[fresh.slot] = fresh
        self.metrics.serving(fresh.slot, fresh.version, before.version if before else None)


def _ready(folder: Path, slot: str) -> Loaded:
    fresh = Loaded(folder, slot, verify=True)
    fresh.warm()
    return fresh


def _checked(folder: Path) -> None:
    open_files(folder, read_manifest(folder), verify=True)


def _slot(folders: dict[str, Path], folder: Path) -> str:
    return next(slot for slot, known in folders.items() if known == folder)
