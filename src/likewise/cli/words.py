"""What a message calls an argument, said as the command line's option: `user='who'` becomes `--user who`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

VALUE = r"""'[^']*'|"[^"]*"|\.\.\.|[^\s,;:()]+"""
PLAIN = re.compile(r"[\w./@%+-]+")


def as_options(message: str, options: Mapping[str, str]) -> str:
    """The message with each argument that is an option of the command called by the option's name.

    >>> as_options("user='who' names a column that is not there", {"user": "--user"})
    '--user who names a column that is not there'
    >>> as_options("leave the column out with timestamp=False", {"timestamp": "--timestamp"})
    'leave the column out with --timestamp none'
    >>> as_options("half_life must be above 0; got 0", {"half_life": "--half-life"})
    '--half-life must be above 0; got 0'
    """
    if not options:
        return message
    names = "|".join(map(re.escape, sorted(options, key=len, reverse=True)))
    said = re.sub(rf"(?<![\w.\[-])({names})=({VALUE})", lambda found: _option(options[found[1]], found[2]), message)
    return re.sub(rf"^({names})(?= must\b)", lambda found: options[found[1]], said)


def _option(option: str, value: str) -> str:
    if value in ("...", "True"):
        return option
    if value in ("False", "None"):
        return f"{option} none"
    inner = value[1:-1] if value[0] in "'\"" else value
    return f"{option} {inner}" if PLAIN.fullmatch(inner) else f"{option} {value}"


def options_of(arguments: Sequence[str]) -> dict[str, str]:
    """The options of the verb that the command line names: what the code calls each, and what the user does."""
    from typer.main import get_command

    from likewise.cli.app import app

    verbs = getattr(get_command(app), "commands", {})
    verb = next((word for word in arguments if word in verbs), None)
    if verb is None:
        return {}
    found: dict[str, str] = {}
    for parameter in verbs[verb].params:
        if parameter.opts and parameter.opts[0].startswith("-"):
            option = max(parameter.opts, key=len)
            found |= {str(parameter.name): option, option.lstrip("-").replace("-", "_"): option}
    return found
