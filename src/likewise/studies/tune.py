"""Search of a preset's settings: many short fits on an inner split of the training data, the best written as a preset.

    [tune]
    "model.factors" = { low = 16, high = 256, log = true }
    "solver.optimizer.lr" = { low = 0.001, high = 0.1, log = true }
    "model.output" = { choices = ["clip", "sigmoid"] }

A range of two whole numbers is searched in whole numbers. The inner split is by time where there are times, else random; the test rows
never take part. The sampler is a tree-structured Parzen estimator (Bergstra et al. 2011); trials whose validation error after an epoch is
worse than the median of earlier trials at that epoch are given up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from likewise.data.dataset import Dataset
from likewise.data.splits import split
from likewise.errors import DivergedError, InputError, MissingExtraError
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.protocol import Protocol
from likewise.studies.fit import fit
from likewise.studies.presets import load_preset, read_tables
from likewise.studies.toml import dumps

if TYPE_CHECKING:
    import optuna

LOWER_IS_BETTER = {"rmse": True, "ndcg@10": False}


@dataclass(frozen=True)
class Range:
    """Where a setting may lie: numbers from `low` to `high`, or one of `choices`.

    >>> Range("model.factors", 4, 64, log=True).whole
    True
    """

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.startswith(("model.", "solver.")):
            raise InputError(f"a setting to tune starts with 'model.' or 'solver.'; got {self.name!r}")
        if self.choices:
            if self.low is not None or self.high is not None or self.log:
                raise InputError(f"[tune] {self.name!r}: give either choices, or low and high")
            return
        low, high = self.low, self.high
        if low is None or high is None or not low < high:
            raise InputError(f"[tune] {self.name!r} needs numbers with low < high, or choices; got low={low!r}, high={high!r}")
        if self.log and low <= 0:
            raise InputError(f"[tune] {self.name!r}: a range with log = true must lie above 0; got low={low!r}")

    @property
    def whole(self) -> bool:
        """Whether whole numbers are meant."""
        return {type(self.low), type(self.high)} == {int}

    def ask(self, trial: optuna.Trial) -> Any:
        """A value to try."""
        if self.choices:
            return self.read(trial.suggest_categorical(self.name, [json.dumps(choice) for choice in self.choices]))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low or 0), int(self.high or 0), log=self.log)
        return trial.suggest_float(self.name, float(self.low or 0), float(self.high or 0), log=self.log)

    def read(self, kept: Any) -> Any:
        """A value as the study keeps it, as the setting wants it; choices are kept as JSON."""
        return json.loads(kept) if self.choices else kept


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Parameters
    ----------
    settings : mapping of setting to value
        Empty where nothing tried was better than the preset as it is.
    value, before : float
        The figure on the inner split of these settings, and of the preset as it is.
    figure : "rmse" or "ndcg@10"
    trials, pruned, failed : int
        Trials of the study in all; those given up early; those whose settings were impossible or diverged.
    out : Path
        The preset file written.
    """

    settings: Mapping[str, Any]
    value: float
    before: float
    figure: str
    trials: int
    pruned: int
    failed: int
    out: Path


def tune(
    train: Dataset,
    preset: str | Path,
    out: str | Path,
    *,
    trials: int = 30,
    seconds: float | None = None,
    storage: str | Path | None = None,
    seed: int = 0,
    said: Callable[[str], None] = lambda _: None,
) -> Tuned:
    """Search the ranges that a preset declares, on an inner split of `train`, and write the best settings as a preset file.

    Parameters
    ----------
    preset : a name or the path of a .toml file with a table [tune]
    out : path of the preset to write, ending in .toml
    trials : trials of the study in all, those of earlier runs with this storage included
    seconds : no trial is begun after so long, and a running gradient fit is stopped
    storage : SQLite file that remembers the trials, so that a later call goes on; None keeps nothing
    said : told a line after each trial

    Raises
    ------
    InputError
        For a preset without ranges, a range that is none, and where no trial succeeded.
    MissingExtraError
        Without the extra "tune".
    """
    optuna = _optuna()
    tables, out = read_tables(preset), Path(out)
    if trials < 1 or (seconds is not None and seconds <= 0):
        raise InputError(f"trials must be at least 1 and seconds positive; got trials={trials}, seconds={seconds}")
    if out.suffix != ".toml":
        raise InputError(f"the preset to write must end in .toml; got {out}")
    search = _Search(optuna, train, preset, ranges_of(tables, str(preset)), seed, None if seconds is None else perf_counter() + seconds)
    with _quiet(optuna):
        study = optuna.create_study(
            storage=None if storage is None else f"sqlite:///{Path(storage).resolve()}",
            study_name=search.name,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
            direction="minimize" if LOWER_IS_BETTER[search.figure] else "maximize",
            load_if_exists=True,
        )
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))  # a study that goes on draws what it has not drawn yet
    search.run(study, trials, said)
    done = [trial for trial in study.trials if trial.state.is_finished()]
    good = [trial for trial in done if trial.state == optuna.trial.TrialState.COMPLETE]
    if not good:
        raise InputError(f"none of {len(done)} trials came to an end: give more seconds, or ranges of settings that can be fitted")
    before, value, settings = float(study.user_attrs["before"]), float(study.best_value), search.settings(study.best_params)
    if (before <= value) == LOWER_IS_BETTER[search.figure]:
        value, settings = before, {}
    _write(out, preset, settings, f"{search.figure} {value:.4f} on an inner split, the best of {len(done)} trials")
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in done)
    return Tuned(settings, value, before, search.figure, len(done), pruned, len(done) - len(good) - pruned, out)


def ranges_of(tables: Mapping[str, Any], preset: str) -> list[Range]:
    """The ranges a preset declares, checked."""
    declared = tables.get("tune")
    if not isinstance(declared, Mapping) or not declared:
        raise InputError(
            f'preset {preset!r} declares no ranges: add a table [tune] with lines like "model.factors" = {{ low = 8, high = 128 }}'
        )
    ranges = []
    for name, given in declared.items():
        if not isinstance(given, Mapping) or set(given) - {"low", "high", "log", "choices"}:
            raise InputError(f"[tune] {name!r} must be a table of low, high and log, or of choices; got {given!r}")
        numbers = {key: given.get(key) for key in ("low", "high")}
        if any(value is not None and not isinstance(value, int | float) for value in numbers.values()):
            raise InputError(f"[tune] {name!r}: low and high must be numbers; got {given!r}")
        ranges.append(Range(name, **numbers, log=bool(given.get("log")), choices=tuple(given.get("choices", ()))))
    return ranges


class _Search:
    """The inner split, and one trial after another on it."""

    def __init__(self, optuna: Any, train: Dataset, preset: str | Path, ranges: list[Range], seed: int, until: float | None) -> None:
        self.optuna, self.preset, self.ranges, self.seed, self.until = optuna, preset, ranges, seed, until
        self.inner, self.held = split(train, by="time" if train.has_times else "random", test=0.1, seed=seed)
        self.figure = "rmse" if load_preset(preset).task == "rating" and train.explicit else "ndcg@10"
        told = json.dumps([repr(ranges), seed, self.figure, train.fingerprint])
        self.name = f"{Path(preset).stem}:{sha256(told.encode()).hexdigest()[:16]}"

    def run(self, study: Any, trials: int, said: Callable[[str], None]) -> None:
        """Trials until there are so many, or the time is up; the preset as it is comes first."""
        if "before" not in study.user_attrs:
            study.set_user_attr("before", self._value({}, lambda _: self._late()))
        finished = sum(trial.state.is_finished() for trial in study.trials)
        while finished < trials and not self._late():
            with _quiet(self.optuna):
                study.optimize(self._trial, n_trials=1, catch=(DivergedError, InputError))
            finished += 1
            last = study.trials[-1]
            value = "" if last.value is None else f"  {self.figure} {last.value:.4f}"
            said(f"trial {finished} of {trials}  {last.state.name.lower()}{value}  {self.settings(last.params)}")

    def settings(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial."""
        return {one.name: one.read(kept[one.name]) for one in self.ranges if one.name in kept}

    def _trial(self, trial: optuna.Trial) -> float:
        changes = {one.name: one.ask(trial) for one in self.ranges}
        given_up = False

        def watch(event: Mapping[str, Any]) -> bool:
            nonlocal given_up
            value, epoch = event.get(f"valid_{self.figure}"), event.get("epoch")
            if value is not None and epoch is not None:
                trial.report(float(value), int(epoch))
                given_up = given_up or trial.should_prune()
            given_up = given_up or self._late()
            return given_up

        value = self._value(changes, watch)
        if given_up:
            raise self.optuna.TrialPruned
        return value

    def _value(self, changes: Mapping[str, Any], watch: Callable[[Mapping[str, Any]], bool]) -> float:
        """The figure on the inner split of the preset with these changes."""
        rec = fit(self.inner, self.preset, self.held, changes=changes, seed=self.seed, watch=watch)
        ratings = self.figure == "rmse"
        asked = Asked(ratings=ratings, lists=not ratings, distribution=False, segments=False)
        return float(evaluate(rec.fitted, self.inner, self.held, Protocol(ks=(10,)), asked=asked)[self.figure])

    def _late(self) -> bool:
        return self.until is not None and perf_counter() > self.until


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna's own log lines left out; `said` tells of each trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("tune", "a search of settings") from error
    return optuna


def _write(out: Path, preset: str | Path, settings: Mapping[str, Any], why: str) -> None:
    """The preset with these settings, as a file that loads."""
    tables = read_tables(preset, settings)
    about = str(tables.get("preset", {}).get("about", ""))
    tables["preset"] = {**tables.get("preset", {}), "about": "; ".join(filter(None, [about, f"tuned: {why}"]))}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(dumps(tables), encoding="utf-8")
    except OSError as error:
        raise InputError(f"could not write {out}: {error.strerror or error}; choose another place") from error
    load_preset(out)
