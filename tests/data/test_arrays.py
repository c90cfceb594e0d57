"""A safetensors file in parts: what several write is what one would have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from likewise.data.arrays import Kind, Slices, lay_out, read_arrays


def test_parts_make_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "flags": rng.random(5) < 0.5,
        "table": rng.random((7, 3), np.float32),
        "mean": rng.random(3),
        "one": np.array(4, np.int64),
        "none": np.zeros((0, 4), np.float32),
    }
    path = tmp_path / "model.safetensors"
    lay_out(path, {name: Kind(array.dtype, array.shape) for name, array in arrays.items()})
    for low, high in ((4, 7), (0, 4)):
        with Slices(path) as file:
            file.write("table", low, arrays["table"][low:high])
    with Slices(path) as file:
        for name in set(arrays) - {"table"}:
            file.write(name, 0, arrays[name])
    for read in (load_file(path), read_arrays(path)):
        assert read.keys() == arrays.keys()
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize(
    ("first", "rows"), [(3, np.zeros((5, 3), np.float32)), (0, np.zeros((2, 4), np.float32)), (0, np.zeros((2, 3), np.float64))]
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, first: int, rows: np.ndarray) -> None:
    path = tmp_path / "model.safetensors"
    lay_out(path, {"table": Kind(np.dtype(np.float32), (7, 3))})
    with Slices(path) as file, pytest.raises(ValueError, match="does not fit table"):
        file.write("table", first, rows)
