"""Whether chains have settled: potential scale reduction and effective sample size of a traced figure."""

from __future__ import annotations

import numpy as np

from likewise.solvers.base import Event
from likewise.solvers.gibbs.hyper import Doubles


def r_hat(traces: Doubles) -> float:
    """Split R-hat of traces [chain, draw] (Gelman et al., 2013): near 1 once chains agree; each chain counts as two halves.

    >>> rng = np.random.default_rng(0)
    >>> r_hat(rng.standard_normal((4, 500))) < 1.02
    True
    """
    half = traces.shape[1] // 2
    if half < 2:
        return float("nan")
    parts = np.concatenate([traces[:, :half], traces[:, half : 2 * half]])
    within = float(parts.var(1, ddof=1).mean())
    between = half * float(parts.mean(1).var(ddof=1))
    return float(np.sqrt((half - 1) / half + between / half / within)) if within > 0 else 1.0


def effective_draws(trace: Doubles) -> float:
    """Independent draws that would tell as much of the mean as this autocorrelated trace (Geyer's initial positive sequence)."""
    n = len(trace)
    centred = trace - trace.mean()
    size = float(centred @ centred)
    if n < 4 or size <= 0:
        return float(n)
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[:n] / size
    pairs = correlation[1 : n - 1 : 2][: (n - 2) // 2] + correlation[2:n:2][: (n - 2) // 2]
    ends = np.flatnonzero(pairs < 0)
    total = float(pairs[: ends[0] if len(ends) else len(pairs)].sum())
    return float(min(n, n / max(1 + 2 * total, 1.0 / n)))


def verdict(history: list[Event]) -> str:
    """One line on the training error of the draws that count; empty where there are too few."""
    chains: dict[int, list[float]] = {}
    for event in history:
        if event["draw"]:
            chains.setdefault(event["chain"], []).append(float(event["train_rmse"]))
    length = min((len(trace) for trace in chains.values()), default=0)
    if length < 20:
        return ""
    traces = np.array([trace[:length] for trace in chains.values()])
    draws = sum(effective_draws(trace) for trace in traces)
    return f"training error: R-hat {r_hat(traces):.3f}, {draws:.0f} effective draws of {traces.size}"
