"""What the service is told: flags, environment or TOML, checked before anything starts."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from likewise.errors import InputError
from likewise.serving.security import Key

PREFIX = "LIKEWISE_"
"""Settings from the environment: LIKEWISE_PORT=8080, LIKEWISE_LIMITS__BODY_BYTES=65536."""
HANDED_DOWN = "LIKEWISE_SERVE_SETTINGS"
"""Where the starting process leaves the settings for its workers."""


@dataclass(frozen=True)
class Limits:
    """What one request, and one client, may ask for.

    Parameters
    ----------
    body_bytes : int
        Larger bodies get 413.
    body_seconds : float
        A body that takes longer to arrive gets 408.
    answer_seconds : float
        An answer that takes longer becomes a 503.
    list_length : int
        Most items in one list.
    entries : int
        Most ratings of a visitor, pairs to score, or events in one request.
    per_minute : int
        Requests a client may make in a minute; 0 sets no limit.
    """

    body_bytes: int = 1_000_000
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    list_length: int = 200
    entries: int = 1000
    per_minute: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (value == 0 and one.name != "per_minute"):
                raise InputError(f"limits.{one.name} must be a number above 0; got {value!r}")


@dataclass(frozen=True)
class Settings:
    """Everything a worker needs to start.

    Parameters
    ----------
    model : Path
        The artifact's folder.
    beside : Path or None
        A second model, to be compared with the first on the page and by `model=beside`.
    root : Path or None
        Folder that both must lie in; None sets no bound.
    database : str
        SQLAlchemy URL of the feedback; None keeps it in SQLite beside the artifact's folder.
    host, port : str, int
        127.0.0.1 unless told; any other address needs keys.
    keys : tuple of Key
        Hashed API keys with their scopes.
    origins : tuple of str
        Web origins that may ask from a browser (CORS); none by default.
    exposures : bool
        Keep what was served, by which model and policy.
    limits : Limits
    report : Path or None
        JSON of `likewise evaluate` or `likewise compare`, shown on the health page; `evaluation.json` in the folder by default.
    """

    model: Path
    beside: Path | None = None
    root: Path | None = None
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    keys: tuple[Key, ...] = ()
    origins: tuple[str, ...] = ()
    exposures: bool = False
    limits: Limits = field(default_factory=Limits)
    report: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise InputError(f"port must lie in [0, 65536); got {self.port}")
        if self.workers < 1:
            raise InputError(f"workers must be at least 1; got {self.workers}")
        for name in ("model", "beside"):
            folder = getattr(self, name)
            if folder is not None and self.root is not None and not folder.resolve().is_relative_to(self.root.resolve()):
                raise InputError(f"{name} must lie in the root folder {self.root}; {folder} does not")
        if not self.keys and not is_loopback(self.host):
            raise InputError(
                f"to listen on {self.host}, API keys are required, so that strangers are kept out; "
                "make one with `likewise serve --make-key read,feedback`, or listen on 127.0.0.1"
            )
        if "*" in self.origins:
            raise InputError("origins must be named one by one, such as https://shop.example; '*' is not allowed")

    @property
    def database_url(self) -> str:
        """The feedback's URL with its driver named."""
        folder = self.model.resolve()
        url = self.database or f"sqlite:///{folder.parent / (folder.name + '.feedback.db')}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1) if url.startswith("postgresql://") else url

    def as_json(self) -> str:
        """For a worker process; see `from_json`."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        return of_values(json.loads(text))


def load_settings(flags: Mapping[str, Any], config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a start: flags win over the environment, which wins over the TOML file.

    Raises
    ------
    InputError
        An unknown name, or a value that is not allowed; the message says where it came from.
    """
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values |= tomllib.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {config}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{config} is no TOML file: {error}") from None
    for name, value in from_environment(os.environ if environment is None else environment).items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    values |= {name: value for name, value in flags.items() if value is not None}
    return of_values(values)


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings among the environment's variables."""
    names = {one.name for one in fields(Settings)}
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        name, _, part = variable.removeprefix(PREFIX).lower().partition("__")
        if not variable.startswith(PREFIX) or name not in names:
            continue
        if name == "limits":
            found.setdefault("limits", {})[part] = text
        elif name == "keys":
            found["keys"] = [Key.parse(entry) for entry in text.split(",") if entry.strip()]
        else:
            found[name] = [entry.strip() for entry in text.split(",") if entry.strip()] if name == "origins" else text
    return found


def of_values(values: Mapping[str, Any]) -> Settings:
    """Settings from plain values, each made the type it should be."""
    known = {one.name for one in fields(Settings)}
    stray = sorted(set(values) - known)
    if stray:
        raise InputError(f"there is no setting {stray[0]!r}; there are: {', '.join(sorted(known))}")
    if not values.get("model"):
        raise InputError("model is missing: give the folder that `likewise fit --out` or rec.save() wrote")
    made = dict(values)
    for name in ("model", "beside", "root", "report"):
        made[name] = Path(made[name]) if made.get(name) else None
    for name in ("port", "workers"):
        if name in made:
            made[name] = number(name, made[name], int)
    if "exposures" in made:
        made["exposures"] = switch("exposures", made["exposures"])
    made["origins"] = tuple(made.get("origins") or ())
    made["keys"] = tuple(Key.of(entry) for entry in made.get("keys") or ())
    limits = made.get("limits") or {}
    if not isinstance(limits, Limits):
        kinds = {one.name: float if one.name.endswith("seconds") else int for one in fields(Limits)}
        unknown = sorted(set(limits) - set(kinds))
        if unknown:
            raise InputError(f"there is no limit {unknown[0]!r}; there are: {', '.join(kinds)}")
        made["limits"] = Limits(**{name: number(f"limits.{name}", value, kinds[name]) for name, value in limits.items()})
    return Settings(**made)


def number(name: str, value: Any, kind: type[int] | type[float]) -> Any:
    """A number from a number or its text."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be {'a whole number' if kind is int else 'a number'}; got {value!r}") from None


def switch(name: str, value: Any) -> bool:
    """True or false from itself or its text."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise InputError(f"{name} must be true or false; got {value!r}")
    return words[str(value).lower()]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
