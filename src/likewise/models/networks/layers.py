"""The layers networks are made of: tables, ragged sums, stacks of dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from likewise.data.csr import CSR, counting_sort
from likewise.shapes import Floats


class Table(nn.Module):
    """Embedding table: one vector a row.

    Parameters
    ----------
    rows, width : int
    init : "normal" (deviation 0.1), "truncated" (0.01, cut at two deviations), "scaled" (1 / sqrt(width)), "small" (0.005), "zero"
    seen : float32 [row] or None
        How often an event looks each row up; penalties by occurrence follow it, None is held by none.
    bias : whether the last column is a bias; it starts at zero
    """

    seen: Tensor | None

    def __init__(self, rows: int, width: int, init: str = "normal", seen: Floats | None = None, bias: bool = False) -> None:
        super().__init__()
        self.bias = bias
        self.register_buffer("seen", None if seen is None else torch.from_numpy(np.asarray(seen, np.float32)), persistent=False)
        self.sparse = False
        weight = torch.zeros(rows, width)
        if init == "truncated":
            nn.init.trunc_normal_(weight, std=0.01, a=-0.02, b=0.02)
        elif init == "scaled":
            weight.normal_(std=width**-0.5)
        elif init in ("normal", "small"):
            weight.normal_(std=0.1 if init == "normal" else 0.005)
        if bias:
            weight[:, -1] = 0
        self.weight = nn.Parameter(weight)

    @torch.no_grad()
    def start_bias(self, bias: NDArray[np.floating]) -> None:
        """Begin the last column from these numbers [row]."""
        self.weight[:, -1] = torch.from_numpy(np.asarray(bias, np.float32))

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors [batch, width] of rows [batch]."""
        if self.sparse:
            return F.embedding(rows, self.weight, sparse=True)
        return self.weight.index_select(0, rows)  # its backward is one index_add, several times faster than an embedding's


class Ragged(nn.Module):
    """Ragged rows on the device, both ways round: which columns each row holds with what value, and which rows each column."""

    indptr: Tensor
    columns: Tensor
    values: Tensor
    starts: Tensor
    holders: Tensor
    order: Tensor

    def __init__(self, rows: CSR) -> None:
        super().__init__()
        self.register_buffer("indptr", torch.from_numpy(rows.indptr.astype(np.int64)), persistent=False)
        self.register_buffer("columns", torch.from_numpy(rows.columns.astype(np.int64)), persistent=False)
        self.register_buffer("values", torch.from_numpy(rows.filled().astype(np.float32)), persistent=False)
        starts, order = counting_sort(rows.columns, rows.width)
        holders = np.repeat(np.arange(rows.n_rows), rows.counts)[order]
        self.register_buffer("starts", torch.from_numpy(starts), persistent=False)
        self.register_buffer("holders", torch.from_numpy(holders.astype(np.int64)), persistent=False)
        self.register_buffer("order", torch.from_numpy(order), persistent=False)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(indptr [batch + 1], columns [entry], values [entry]) of the rows named."""
        counts = self.indptr[rows + 1] - self.indptr[rows]
        indptr = torch.zeros(len(rows) + 1, dtype=torch.int64, device=rows.device)
        torch.cumsum(counts, 0, out=indptr[1:])
        shift = torch.repeat_interleave(self.indptr[rows] - indptr[:-1], counts)
        places = torch.arange(len(shift), device=rows.device) + shift
        return indptr, self.columns[places], self.values[places]

    def sums(self, table: Tensor, rows: Tensor, dropout: float = 0.0) -> Tensor:
        """`values * table[columns]` summed over each of the rows named, [batch, width]; a share of the entries may be dropped.

        Each distinct row is summed once. A batch that names many of the rows gets them from the sums of all, whose transpose is
        ready; a small one takes its own entries.
        """
        if len(rows) * WHOLE >= len(self.indptr) - 1:
            values = F.dropout(self.values, dropout) if dropout else self.values
            return whole_sums(self, table, values).index_select(0, rows)
        distinct, place = torch.unique(rows, return_inverse=True)
        indptr, columns, values = self.take(distinct)
        values = F.dropout(values, dropout) if dropout else values
        return bag_sum(table, indptr, columns, values).index_select(0, place)


WHOLE = 4
"""A batch of more than one row in so many is summed over all rows at once."""


class _WholeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, values: Tensor, rows: Ragged) -> Tensor:
        ctx.save_for_backward(values)
        ctx.rows = rows
        weights = values.to(table.dtype)
        return F.embedding_bag(rows.columns, table, rows.indptr, mode="sum", per_sample_weights=weights, include_last_offset=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,), rows = ctx.saved_tensors, ctx.rows
        gradient = gradients[0].contiguous()
        weights = values[rows.order].to(gradient.dtype)
        back = F.embedding_bag(rows.holders, gradient, rows.starts, mode="sum", per_sample_weights=weights, include_last_offset=True)
        return back, None, None


def whole_sums(rows: Ragged, table: Tensor, values: Tensor) -> Tensor:
    """Sums [row, width] of `values * table[columns]` over every ragged row."""
    if not len(values):
        return table.new_zeros(len(rows.indptr) - 1, table.shape[1])
    summed: Tensor = _WholeSum.apply(table, values, rows)  # type: ignore[no-untyped-call]
    return summed


class _BagSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, indptr: Tensor, columns: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(indptr, columns, values)
        ctx.rows = len(table)
        return F.embedding_bag(columns, table, indptr, mode="sum", per_sample_weights=values.to(table.dtype), include_last_offset=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        # the transposed sum: entries sorted by column, each a bag of output gradients; no [entry, width] is ever made
        (gradient,) = gradients
        indptr, columns, values = ctx.saved_tensors
        ordered, order = columns.sort(stable=True)
        starts = torch.searchsorted(ordered, torch.arange(ctx.rows + 1, device=columns.device))
        bags = torch.repeat_interleave(torch.arange(len(indptr) - 1, device=columns.device), indptr.diff())
        weights = values[order].to(gradient.dtype)
        back = F.embedding_bag(bags[order], gradient.contiguous(), starts, mode="sum", per_sample_weights=weights, include_last_offset=True)
        return back, None, None, None


def bag_sum(table: Tensor, indptr: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Sums [batch, width] of `values * table[columns]` over each ragged row; an empty row is zero."""
    if not len(columns):
        return table.new_zeros(len(indptr) - 1, table.shape[1])
    summed: Tensor = _BagSum.apply(table, indptr, columns, values)  # type: ignore[no-untyped-call]
    return summed


def column_sums(rows: CSR, seen: Floats) -> Floats:
    """How often an event looks each column up, float32 [column], where it looks row r up seen[r] times, by the size of the values."""
    weight = np.repeat(seen, rows.counts) * np.abs(rows.filled())
    return np.bincount(rows.columns, weight, rows.width).astype(np.float32)


class _BiasedDot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, person: Tensor, item: Tensor) -> Tensor:
        ctx.save_for_backward(person, item)
        p, q = person[..., -1], item[..., -1]
        return (person * item).sum(-1) - p * q + p + q

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        # by hand, because autograd would fill four zero matrices for the slices of the bias column
        gradient = gradients[0][..., None]
        person, item = ctx.saved_tensors
        to_person, to_item = gradient * item, gradient * person
        to_person[..., -1:] = gradient
        to_item[..., -1:] = gradient
        return to_person, to_item


def biased_dot(person: Tensor, item: Tensor) -> Tensor:
    """Dot products over the last axis, whose last column is a bias that is added instead: p . q + b_p + b_q."""
    score: Tensor = _BiasedDot.apply(person, item)  # type: ignore[no-untyped-call]
    return score


def with_biases(person: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
    """The two sides of `biased_dot` as vectors with a plain dot product: (p, b_p, 1) and (q, 1, b_q)."""
    ones = torch.ones_like(person[..., -1:]), torch.ones_like(item[..., -1:])
    return torch.cat([person, ones[0]], -1), torch.cat([item[..., :-1], ones[1], item[..., -1:]], -1)


class FeatureTower(nn.Module):
    """Vectors of rows from their features: one vector a feature, summed; then dense layers where there are any.

    Parameters
    ----------
    features : CSR [row, feature] of all rows
    width : length of the vectors
    seen : float32 [row], how often an event looks each row up
    hidden, dropout : of the dense layers
    bias : whether the last column is a bias
    """

    def __init__(
        self, features: CSR, width: int, seen: Floats, hidden: Sequence[int] = (), dropout: Sequence[float] = (), bias: bool = True
    ) -> None:
        super().__init__()
        self.rows = Ragged(features)
        sizes = [*hidden, width]
        of_features = column_sums(features, seen)
        self.table = Table(features.width, sizes[0], "normal", of_features, bias=bias and not hidden)
        self.dense = nn.Sequential(nn.ReLU(), *_drop(dropout, 0), *_stack(sizes, dropout)) if hidden else None

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors [batch, width] of rows [batch]; one without features is zero."""
        if self.dense is None:
            return self.rows.sums(self.table.weight, rows)
        distinct, place = torch.unique(rows, return_inverse=True)
        some = self.rows.indptr[distinct + 1] > self.rows.indptr[distinct]
        vectors: Tensor = self.dense(self.rows.sums(self.table.weight, distinct)) * some[:, None]
        return vectors.index_select(0, place)

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each dense layer."""
        return [] if self.dense is None else [(layer.weight, layer.bias) for layer in self.dense if isinstance(layer, nn.Linear)]


def _drop(dropout: Sequence[float], n: int) -> list[nn.Module]:
    return [nn.Dropout(dropout[n])] if n < len(dropout) and dropout[n] else []


def _stack(sizes: Sequence[int], dropout: Sequence[float]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n, (before, after) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(before, after))
        if n < len(sizes) - 2:
            layers += [nn.ReLU(), *_drop(dropout, n + 1)]
    return layers


def dense(sizes: Sequence[int], dropout: Sequence[float] = (), norm: bool = False, last: int | None = 1) -> nn.Sequential:
    """Linear, ReLU, batch norm if asked for, dropout while the list lasts; then one plain linear layer of `last` outputs.

    >>> [type(layer).__name__ for layer in dense([8, 4], [0.5])]
    ['Linear', 'ReLU', 'Dropout', 'Linear']
    """
    layers: list[nn.Module] = []
    for n, (before, after) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(before, after), nn.ReLU()]
        if norm:
            layers.append(RowNorm(after))
        if n < len(dropout) and dropout[n]:
            layers.append(nn.Dropout(dropout[n]))
    if last is not None:
        layers.append(nn.Linear(sizes[-1], last))
    return nn.Sequential(*layers)


class RowNorm(nn.BatchNorm1d):
    """Batch norm over every leading axis; a training batch of one row is left as it is."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., width] to the same shape."""
        flat = input.reshape(-1, input.shape[-1])
        return input if self.training and len(flat) < 2 else super().forward(flat).reshape(input.shape)


def is_grid(person: Tensor, item: Tensor) -> bool:
    """Whether these are people [batch, 1, width] and items [1, item, width] expanded to all pairs."""
    if person.dim() != 3 or item.dim() != 3:
        return False
    return (person.shape[1] == 1 or person.stride(1) == 0) and (item.shape[0] == 1 or item.stride(0) == 0)


def dense_grid(layers: nn.Sequential, person: Tensor, item: Tensor) -> Tensor:
    """Dense layers of every person with every item [batch, item, ...], with the first, W (p, q) + b, done as W_p p + W_q q + b.

    Each layer's numbers are overwritten by the next ReLU: fresh memory for every tile would cost more than the products.
    """
    first, *rest = layers
    if not isinstance(first, nn.Linear):
        raise TypeError(f"dense layers begin with a linear one; these begin with {type(first).__name__}")
    width = person.shape[-1]
    left = F.linear(person[:, :1], first.weight[:, :width], first.bias)
    right = F.linear(item[:1], first.weight[:, width:])
    found = left + right
    for layer in rest:
        found = found.relu_() if isinstance(layer, nn.ReLU) else layer(found)
    return found
