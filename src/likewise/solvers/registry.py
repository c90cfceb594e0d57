"""Every solver by its name, imported when first asked for."""

from __future__ import annotations

from typing import Any

from likewise.errors import InputError
from likewise.models.registry import load

SOLVERS = {
    "closed_form": "likewise.solvers.closed_form:ClosedForm",
    "gradient": "likewise.solvers.gradient.settings:Gradient",
    "gibbs": "likewise.solvers.gibbs.settings:Gibbs",
    "als": "likewise.solvers.als:ALS",
    "stack": "likewise.solvers.stack:Stack",
}
"""Name of a solver -> its settings class, which has `fit`."""


def solver_settings(name: str) -> Any:
    """The settings class of a solver; InputError for a name that is not registered."""
    if name not in SOLVERS:
        raise InputError(f"there is no solver called {name!r}; there are: {', '.join(sorted(SOLVERS))}")
    return load(SOLVERS[name])
