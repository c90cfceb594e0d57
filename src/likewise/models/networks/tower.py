"""What features add to a vector, in NumPy: a sum of feature vectors, or a small perceptron over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.errors import InputError
from likewise.models.base import Arrays
from likewise.shapes import Floats


@dataclass(frozen=True, eq=False)
class Tower:
    """t(x) = W_L relu(... relu(x E) ...) + c_L, or x E alone where there are no layers.

    Parameters
    ----------
    table : float32 [feature, width], E
    layers : pairs of float32 (W [out, in], c [out])
    """

    table: Floats
    layers: Sequence[tuple[Floats, Floats]] = ()

    @property
    def width(self) -> int:
        """Length of what it gives."""
        return int(self.layers[-1][0].shape[0] if self.layers else self.table.shape[1])

    def __call__(self, features: CSR) -> Floats:
        """Vectors float32 [row, width]; a row without any feature gives zeros."""
        if features.width != len(self.table):
            raise InputError(f"features must have the {len(self.table)} columns of training; there are {features.width}: encode alike")
        vectors = weighted_sums(features, self.table)
        for weight, bias in self.layers:
            vectors = np.maximum(vectors, 0) @ weight.T + bias
        vectors[features.counts == 0] = 0
        return np.asarray(vectors, np.float32)

    def arrays(self) -> Arrays:
        """Everything by name."""
        layers = {f"{n}.{part}": array for n, pair in enumerate(self.layers) for part, array in zip(("weight", "bias"), pair, strict=True)}
        return {"table": self.table, **layers}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Tower | None:
        """The tower that `arrays` described; None where there is none."""
        if "table" not in arrays:
            return None
        count = sum(name.endswith(".weight") for name in arrays)
        return cls(arrays["table"], [(arrays[f"{n}.weight"], arrays[f"{n}.bias"]) for n in range(count)])


def weighted_sums(rows: CSR, table: Floats) -> Floats:
    """Sums [row, width] of `value * table[column]` over each row's entries."""
    return np.asarray(_weighted_sums(rows.indptr, rows.columns, rows.filled(), np.ascontiguousarray(table, np.float32)))


@njit(cache=True, nogil=True)
def _weighted_sums(indptr, columns, values, table):  # type: ignore[no-untyped-def]
    width = table.shape[1]
    out = np.zeros((len(indptr) - 1, width), np.float32)
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            column, value = columns[entry], values[entry]
            if column >= 0:
                for k in range(width):
                    out[row, k] += value * table[column, k]
    return out
