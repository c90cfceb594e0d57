"""An ONNX graph written as expressions: values with operators, constants, loops and branches.

Only what the exports need. Shapes are worked out by the runtime; types are followed here, so that plain numbers take the type of the
value beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

OPSET = 18
IR_VERSION = 9
"""The oldest that OPSET needs, so that runtimes of the last years read the file."""

Number: TypeAlias = "Value | NDArray[Any] | float | int"


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor of a graph, by name."""

    graph: Graph
    name: str
    dtype: np.dtype[Any]

    __array_ufunc__ = None  # an array on the left leaves the operation to the value on the right

    def __add__(self, other: Number) -> Value:
        return self._with("Add", other)

    def __sub__(self, other: Number) -> Value:
        return self._with("Sub", other)

    def __mul__(self, other: Number) -> Value:
        return self._with("Mul", other)

    def __truediv__(self, other: Number) -> Value:
        return self._with("Div", other)

    def __pow__(self, other: Number) -> Value:
        return self._with("Pow", other)

    def __matmul__(self, other: Value) -> Value:
        return self._with("MatMul", other)

    def __radd__(self, other: Number) -> Value:
        return self.graph.value(other, self.dtype) + self

    def __rsub__(self, other: Number) -> Value:
        return self.graph.value(other, self.dtype) - self

    def __rmul__(self, other: Number) -> Value:
        return self.graph.value(other, self.dtype) * self

    def __rtruediv__(self, other: Number) -> Value:
        return self.graph.value(other, self.dtype) / self

    def __gt__(self, other: Number) -> Value:  # type: ignore[misc]
        return self._with("Greater", other, np.bool_)

    def __ge__(self, other: Number) -> Value:  # type: ignore[misc]
        return self._with("GreaterOrEqual", other, np.bool_)

    def __lt__(self, other: Number) -> Value:  # type: ignore[misc]
        return self._with("Less", other, np.bool_)

    def __le__(self, other: Number) -> Value:  # type: ignore[misc]
        return self._with("LessOrEqual", other, np.bool_)

    def equals(self, other: Number) -> Value:
        """Elementwise equality, bool."""
        return self._with("Equal", other, np.bool_)

    def least(self, other: Number) -> Value:
        """Elementwise minimum."""
        return self._with("Min", other)

    def most(self, other: Number) -> Value:
        """Elementwise maximum."""
        return self._with("Max", other)

    def to(self, dtype: DTypeLike) -> Value:
        """The same numbers in another type."""
        kind = np.dtype(dtype)
        return self if kind == self.dtype else self.graph.op("Cast", self, dtype=kind, to=self.graph.type_of(kind))

    def take(self, rows: Value | NDArray[Any], axis: int = 0) -> Value:
        """Rows by number along an axis."""
        return self.graph.op("Gather", self, rows, axis=axis)

    def where(self, kept: Value) -> Value:
        """The rows at which `kept` is true."""
        return self.graph.op("Compress", self, kept, axis=0)

    def slice(self, start: Value | Sequence[int], stop: Value | Sequence[int], axes: Sequence[int] = (0,)) -> Value:
        """From `start` to `stop` along axes; beyond an end means the end."""
        return self.graph.op("Slice", self, _places(start), _places(stop), _places(axes))

    def shaped(self, *shape: int) -> Value:
        """Reshaped; 0 keeps an axis, -1 takes what is left."""
        return self.graph.op("Reshape", self, _places(shape))

    def turned(self, *axes: int) -> Value:
        """Axes in another order."""
        return self.graph.op("Transpose", self, perm=list(axes))

    def sum(self, *axes: int, keep: bool = False) -> Value:
        """Sum over axes."""
        return self.graph.op("ReduceSum", self, _places(axes), keepdims=int(keep))

    def mean(self, *axes: int) -> Value:
        """Mean over axes, which stay with length one."""
        return self.graph.op("ReduceMean", self, _places(axes), keepdims=1)

    def any(self) -> Value:
        """Whether any element is true, a scalar."""
        return self.graph.op("ReduceMax", self.to(np.int32), keepdims=0).to(np.bool_)

    def length(self) -> Value:
        """Size of the first axis, int64 [1]."""
        return self.graph.op("Shape", self, dtype=np.int64, start=0, end=1)

    def apply(self, kind: str, **attributes: Any) -> Value:
        """An elementwise function: Sqrt, Tanh, Exp, Erf, Relu ..."""
        return self.graph.op(kind, self, **attributes)

    def _with(self, kind: str, other: Number, dtype: DTypeLike | None = None) -> Value:
        return self.graph.op(kind, self, self.graph.value(other, self.dtype), dtype=dtype or self.dtype)


class Graph:
    """Nodes and constants under construction."""

    def __init__(self) -> None:
        self._nodes: list[list[Any]] = [[]]  # the innermost body comes last
        self._weights: list[Any] = []
        self._inputs: list[Any] = []
        self._count = 0
        self._known: dict[int, tuple[NDArray[Any], Value]] = {}

    def input(self, name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> Value:
        """An input of the whole graph; a text in the shape is an axis of any length."""
        self._inputs.append(self._info(name, dtype, shape))
        return Value(self, name, np.dtype(dtype))

    def value(self, number: Number, dtype: DTypeLike | None = None) -> Value:
        """A value as it is, an array as a constant, a plain number as a constant of this type."""
        if isinstance(number, Value):
            return number
        if isinstance(number, np.ndarray):
            return self.constant(number)
        return self.constant(np.asarray(number, dtype or np.float32))

    def constant(self, array: NDArray[Any]) -> Value:
        """A constant; the same array object is kept once."""
        from onnx import numpy_helper

        if id(array) not in self._known:
            name = self._fresh("constant")
            self._weights.append(numpy_helper.from_array(array, name))
            self._known[id(array)] = array, Value(self, name, array.dtype)  # the array is held, so that its id stays its own
        return self._known[id(array)][1]

    def op(self, kind: str, *inputs: Value | NDArray[Any], dtype: DTypeLike | None = None, **attributes: Any) -> Value:
        """One operator with one result, whose type is the first input's unless said."""
        return self.ops(kind, inputs, (dtype,), **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[Value | NDArray[Any]], dtypes: Sequence[DTypeLike | None], **attributes: Any) -> list[Value]:
        """One operator with several results of these types."""
        from onnx import helper

        given = [self.value(one) for one in inputs]
        results = [Value(self, self._fresh(kind), np.dtype(given[0].dtype if kind_ is None else kind_)) for kind_ in dtypes]
        self._nodes[-1].append(helper.make_node(kind, [v.name for v in given], [v.name for v in results], **attributes))
        return results

    def concat(self, *values: Value | NDArray[Any], axis: int = 0) -> Value:
        """Values one behind the other, all of one type."""
        return self.op("Concat", *values, axis=axis)

    def choose(self, condition: Value, then: Number, otherwise: Number) -> Value:
        """Elementwise choice."""
        dtype = then.dtype if isinstance(then, Value | np.ndarray) else getattr(otherwise, "dtype", np.dtype(np.float32))
        return self.op("Where", condition, self.value(then, dtype), self.value(otherwise, dtype), dtype=dtype)

    def filled(self, number: float, length: Value, dtype: DTypeLike) -> Value:
        """A vector of this length (int64 [1]) that holds one number everywhere."""
        return self.op("Expand", np.asarray([number], dtype), length)

    def arange(self, length: Value) -> Value:
        """0, 1 ... length - 1, int64; `length` is int64 [1]."""
        return self.op("Range", np.array(0), length.shaped(), np.array(1), dtype=np.int64)

    def either(self, condition: Value, then: Callable[[], Sequence[Value]], otherwise: Callable[[], Sequence[Value]]) -> list[Value]:
        """The results of one branch; the other is not computed. `condition` is bool [1]."""
        bodies, dtypes = [], []
        for branch in (then, otherwise):
            results, body = self._body([], branch)
            bodies.append(body)
            dtypes = [v.dtype for v in results]
        return self.ops("If", [condition], dtypes, then_branch=bodies[0], else_branch=bodies[1])

    def loop(
        self, most: int, go: Value | None, state: Sequence[Value], step: Callable[..., tuple[Value | None, Sequence[Value]]]
    ) -> list[Value]:
        """Run `step(number, *state) -> (go on?, state)` up to `most` times while it says so; the last state comes back."""
        number, on = Value(self, self._fresh("step"), np.dtype(np.int64)), Value(self, self._fresh("on"), np.dtype(np.bool_))
        inner = [Value(self, self._fresh("state"), value.dtype) for value in state]

        def run() -> Sequence[Value]:
            again, following = step(number, *inner)
            going = self.op("Identity", on) if again is None else again
            return [going, *following]

        _, body = self._body([(number, ()), (on, ()), *((value, None) for value in inner)], run)
        start = self.constant(np.array(True)) if go is None else go
        return self.ops("Loop", [self.constant(np.array(most, np.int64)), start, *state], [v.dtype for v in state], body=body)

    def finish(self, outputs: Mapping[str, tuple[Value, Sequence[int | str]]], about: Mapping[str, str], text: str) -> Any:
        """The checked model with these named outputs."""
        from onnx import checker, helper

        for name, (value, _) in outputs.items():
            self._nodes[-1].append(helper.make_node("Identity", [value.name], [name]))
        infos = [self._info(name, value.dtype, shape) for name, (value, shape) in outputs.items()]
        graph = helper.make_graph(self._nodes[-1], "likewise", self._inputs, infos, self._weights, doc_string=text)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="likewise")
        helper.set_model_props(model, dict(about))
        if model.ByteSize() < 2**31 - 1:
            checker.check_model(model)
        return model

    @staticmethod
    def type_of(dtype: DTypeLike) -> int:
        """ONNX's number of a NumPy type."""
        from onnx import helper

        return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _body(self, inputs: Sequence[tuple[Value, Sequence[int] | None]], write: Callable[[], Sequence[Value]]) -> tuple[list[Value], Any]:
        """What `write` returns, and the graph of what it wrote; values and constants from outside may be used inside."""
        from onnx import helper

        self._nodes.append([])
        results = list(write())
        named = [self.op("Identity", value) for value in results]  # an output must be made inside
        nodes = self._nodes.pop()
        given = [self._info(value.name, value.dtype, shape) for value, shape in inputs]
        made = [self._info(value.name, value.dtype, () if n == 0 and inputs else None) for n, value in enumerate(named)]
        return named, helper.make_graph(nodes, self._fresh("body"), given, made)

    def _info(self, name: str, dtype: DTypeLike, shape: Sequence[int | str] | None) -> Any:
        from onnx import helper

        return helper.make_tensor_value_info(name, self.type_of(dtype), shape)

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _places(numbers: Value | Sequence[int]) -> Value | NDArray[Any]:
    return numbers if isinstance(numbers, Value) else np.array(numbers, np.int64)
