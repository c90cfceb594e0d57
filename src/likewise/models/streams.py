"""Counter-based random streams: the same numbers for a row whichever thread draws them, in whatever order."""

import math

import numpy as np
from numba import njit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 1.0 / 9007199254740992.0  # 2 ** -53


@njit(cache=True, nogil=True)
def mix(word):  # type: ignore[no-untyped-def]
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): every bit of the input changes half of the output's."""
    word = (word ^ (word >> _S30)) * _MIX_A
    word = (word ^ (word >> _S27)) * _MIX_B
    return word ^ (word >> _S31)


@njit(cache=True, nogil=True)
def stream(key, row):  # type: ignore[no-untyped-def]
    """Start of the stream of one row under one key, uint64."""
    return mix(key + mix(np.uint64(row) * _STEP + np.uint64(1)))


@njit(cache=True, nogil=True)
def uniform(start, counter):  # type: ignore[no-untyped-def]
    """Number `counter` of a stream, uniform in (0, 1]."""
    return (np.float64(mix(start + np.uint64(counter + 1) * _STEP) >> _S11) + 1.0) * _UNIT


@njit(cache=True, nogil=True)
def normal(start, counter):  # type: ignore[no-untyped-def]
    """Standard normal number `counter` of a stream (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(uniform(start, 2 * counter)))
    return radius * math.cos(2.0 * math.pi * uniform(start, 2 * counter + 1))


@njit(cache=True, nogil=True)
def fill_normals(start, out):  # type: ignore[no-untyped-def]
    """Standard normals into a vector, two from each point of the unit disc (Marsaglia and Bray, 1964)."""
    n, counter = out.shape[0], 0
    for j in range(0, n, 2):
        x = y = square = 0.0
        while square >= 1.0 or square == 0.0:
            x, y = 2.0 * uniform(start, counter) - 1.0, 2.0 * uniform(start, counter + 1) - 1.0
            square = x * x + y * y
            counter += 2
        length = math.sqrt(-2.0 * math.log(square) / square)
        out[j] = x * length
        if j + 1 < n:
            out[j + 1] = y * length


@njit(cache=True, nogil=True)
def gamma(start, counter, shape):  # type: ignore[no-untyped-def]
    """Gamma variate of this shape and scale one (Marsaglia and Tsang, 2000); takes up to 61 numbers from `counter` on."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(start, counter) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for attempt in range(20):
        at = counter + 1 + 3 * attempt
        x = math.sqrt(-2.0 * math.log(uniform(start, at))) * math.cos(2.0 * math.pi * uniform(start, at + 1))
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(uniform(start, at + 2)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v
    return boost * shape  # reached once in 10^25 draws


def derived_key(*parts: int) -> np.uint64:
    """One key from a seed and any labels (chain, sweep, field ...), each of which changes it wholly."""
    word = 0x243F6A8885A308D3
    for part in parts:
        word = _mix_int((word + 0x9E3779B97F4A7C15 * ((part & 0xFFFFFFFFFFFFFFFF) + 1)) & 0xFFFFFFFFFFFFFFFF)
    return np.uint64(word)


def _mix_int(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return word ^ (word >> 31)
