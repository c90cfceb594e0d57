"""The words for array axes, and the array types, used in every signature and docstring.

    batch      rows of one call                      item     rows of the item vocabulary
    user       rows of the user vocabulary           factor   columns of an embedding
    feature    columns of an encoded feature matrix  negative sampled items beside one positive
    k          places of a list                      draw     samples of a posterior

Shapes are written `[batch, factor]`. Rows are int32; row `-1` means "never seen".
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.int32]
"""Rows of a vocabulary; -1 where an id is unknown."""
Floats: TypeAlias = NDArray[np.float32]
Times: TypeAlias = NDArray[np.int64]
"""Seconds since 1970; `NO_TIME` where the time is missing."""
Offsets: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NO_TIME = np.iinfo(np.int64).min
NOBODY = np.int32(-1)
