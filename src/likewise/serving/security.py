"""Who may ask: API keys kept as hashes, scopes, and the headers that keep a browser safe."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from likewise.errors import InputError

SCOPES = ("read", "feedback", "admin")
"""What a key may do: ask for answers; write and read feedback; delete it and read the metrics."""

API_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own scripts and styles alone, and talks to this service alone."""


@dataclass(frozen=True)
class Key:
    """An API key as the service knows it: never the key itself.

    Parameters
    ----------
    name : whose it is; it stands in the logs.
    hash : SHA-256 of the key in hexadecimal. Keys are 32 random bytes, so a slow hash would add nothing.
    scopes : some of `SCOPES`; "admin" includes the others.
    """

    name: str
    hash: str
    scopes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]{1,64}", self.name):
            raise InputError(f"a key's name must be 1 to 64 letters, digits, '.', '_' or '-'; got {self.name!r}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.hash):
            raise InputError(f"the hash of key {self.name!r} must be 64 hexadecimal digits, as `likewise serve --make-key` prints them")
        unknown = [scope for scope in self.scopes if scope not in SCOPES]
        if unknown or not self.scopes:
            raise InputError(f"the scopes of key {self.name!r} must be some of {', '.join(SCOPES)}; got {', '.join(self.scopes) or 'none'}")

    def may(self, scope: str) -> bool:
        """Whether the key has the scope."""
        return scope in self.scopes or "admin" in self.scopes

    @classmethod
    def of(cls, value: Any) -> Key:
        """A key from a mapping or itself."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping) or set(value) != {"name", "hash", "scopes"}:
            raise InputError("a key has name, hash and scopes; print one with `likewise serve --make-key read`")
        return cls(str(value["name"]), str(value["hash"]), tuple(value["scopes"]))

    @classmethod
    def parse(cls, text: str) -> Key:
        """A key from `name:read+feedback:hash`, as the environment holds it."""
        parts = text.strip().split(":")
        if len(parts) != 3:
            raise InputError("a key in the environment is written name:scope+scope:hash")
        return cls(parts[0], parts[2], tuple(parts[1].split("+")))


def make_key(name: str, scopes: Iterable[str]) -> tuple[str, Key]:
    """A fresh key: the secret for the client, and what the service keeps."""
    secret = f"lw_{secrets.token_urlsafe(32)}"
    return secret, Key(name, digest(secret.encode()), tuple(scopes))


def digest(secret: bytes) -> str:
    """The hash of a key."""
    return hashlib.sha256(secret).hexdigest()


def find_key(keys: Iterable[Key], headers: Iterable[tuple[bytes, bytes]]) -> Key | None:
    """The key that a request carries in `Authorization: Bearer` or `X-API-Key`; None for none or a wrong one."""
    secret = b""
    for name, value in headers:
        if name == b"x-api-key":
            secret = value
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            secret = value[7:].strip()
    if not secret:
        return None
    hashed = digest(secret)
    found = None
    for key in keys:  # every key is compared, so that time tells nothing
        if hmac.compare_digest(key.hash, hashed):
            found = key
    return found
