"""Gradient descent: one loop, and the objects that say how it is run."""

from likewise.solvers.gradient.settings import Averaging, Balance, EarlyStopping, Gradient, Loss, Negatives, Penalty
from likewise.solvers.gradient.steps import SGD, Adagrad, Adam, AdamW, Constant, CosineRestarts, LazyAdam, OneCycle, Plateau, Step

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Averaging",
    "Balance",
    "Constant",
    "CosineRestarts",
    "EarlyStopping",
    "Gradient",
    "LazyAdam",
    "Loss",
    "Negatives",
    "OneCycle",
    "Penalty",
    "Plateau",
    "Step",
]
