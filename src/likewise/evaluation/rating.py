"""How far predicted ratings are from the ratings given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likewise.errors import InputError
from likewise.evaluation.figures import Figure, event_figure
from likewise.shapes import Floats, Rows


def rmse(predicted: Floats, actual: Floats) -> float:
    """Root of the mean squared difference of two float [event] columns.

    >>> rmse(np.array([3.0, 5.0]), np.array([4.0, 4.0]))
    1.0
    """
    return float(np.sqrt(np.mean(_errors(predicted, actual) ** 2)))


def mae(predicted: Floats, actual: Floats) -> float:
    """Mean absolute difference of two float [event] columns.

    >>> mae(np.array([3.0, 5.0]), np.array([4.0, 4.5]))
    0.75
    """
    return float(np.mean(np.abs(_errors(predicted, actual))))


def rating_figures(predicted: Floats, actual: Floats, people: Rows, n_people: int) -> list[Figure]:
    """RMSE and MAE over all events, kept by person.

    Parameters
    ----------
    predicted, actual : float [event]
    people : int32 [event]
        Which person gave the rating, in [0, n_people).
    """
    errors = _errors(predicted, actual)
    return [
        event_figure("rmse", errors**2, people, n_people, root=True),
        event_figure("mae", np.abs(errors), people, n_people),
    ]


def _errors(predicted: Floats, actual: Floats) -> NDArray[np.float64]:
    if predicted.shape != actual.shape or predicted.ndim != 1:
        raise InputError(f"predicted and actual must be one column each, of one length; got shapes {predicted.shape} and {actual.shape}")
    if not len(actual):
        raise InputError("there are no ratings to compare with; give at least one")
    return predicted.astype(np.float64) - actual.astype(np.float64)
