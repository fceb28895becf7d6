"""Conversions, slices and control flow."""

import builtins
import re

import numpy as np

from dlcore import _core, backend, tree
from dlcore.backend.arguments import int_from
from dlcore.backend.keras_tensor import KerasTensor, is_keras_tensor
from dlcore.backend.tensorflow_graph import is_in_graph, sizes_in_graph
from dlcore.backend.tensors import Tensor, convert_to_numpy, is_tensor
from dlcore.errors import NotTraceable
from dlcore.ops._common import TO_THE_END, as_indices, numbers, range_of, resolve_axis, tensor
from dlcore.ops.arithmetic import add, clip, multiply, negative
from dlcore.ops.arrangement import flip
from dlcore.ops.creation import arange, zeros
from dlcore.ops.indexing import take
from dlcore.ops.logic import greater_equal, less, logical_and, where
from dlcore.ops.operation import UnknownSizeError, operation
from dlcore.ops.shapes import broadcast_to, concatenate, ravel, reshape, squeeze, stack


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A tensor of a number, list, array or variable.

    Args:
        x: what the tensor is made of.
        dtype: default: that of x; Python's floats become `floatx()`, its integers int32.
        sparse, ragged: kept for Keras's signature: tensors are dense.

    A tensor of another library comes through DLPack: without a copy where it is row-major and 64-byte aligned, then
    neither should be changed in place any more. `torch.from_dlpack(tensor)` and its like are the way back.
    """
    if isinstance(x, KerasTensor):
        return x if dtype is None or x.dtype == backend.standardize_dtype(dtype) else cast(x, dtype)
    return backend.convert_to_tensor(x, dtype)


@operation
def cast(x, dtype):
    """x converted to dtype; floats are cut towards zero on the way to integers."""
    return backend.convert_to_tensor(x, dtype)


@operation
def saturate_cast(x, dtype):
    """As cast, but values beyond the range of the dtype become its ends, which are finite."""
    dtype = backend.standardize_dtype(dtype)
    x = backend.convert_to_tensor(x)
    if x.dtype != "bool":
        lows, highs = zip(range_of(x.dtype), range_of(dtype))
        ends = builtins.max(lows), builtins.min(highs)
        x = _core.apply("clip", [x, *(backend.convert_to_tensor(end, x.dtype) for end in ends)])
    return backend.convert_to_tensor(x, dtype)


def shape(x):
    """The shape as a tuple of ints; None where a size is not known."""
    if is_in_graph((x,), {}):
        return sizes_in_graph(x)
    return tuple(x.shape) if hasattr(x, "shape") else backend.convert_to_tensor(x).shape


def dtype(x):
    """The name of x's dtype."""
    return backend.standardize_dtype(x.dtype)


def result_type(*dtypes_or_tensors):
    """The dtype in which the values meet."""
    return backend.result_type(*(getattr(d, "dtype", d) for d in dtypes_or_tensors))


@operation
def stop_gradient(variable):
    """The same values; no gradient flows through."""
    return _core.apply("stop_gradient", [backend.convert_to_tensor(variable)])


@operation
def slice(inputs, start_indices, shape):
    """The part of the given shape that begins at start_indices.

    Args:
        start_indices: an int or an integer scalar for each axis, or a tensor of them; negative ones count from the
            end. In a trace they may be unknown; then the whole part must lie within, else the program raises an
            IndexError.
        shape: ints; -1 reaches to the end, from a start that is a number.

    Raises:
        IndexError: the part does not lie within.
    """
    x = backend.convert_to_tensor(inputs)
    starts = list(start_indices)
    if not len(starts) == len(shape) == x.ndim:
        raise ValueError(
            f"slice: start_indices and shape need a number for each of the {x.ndim} axes. Received: {len(starts)} and "
            f"{len(shape)}."
        )
    for axis, start in enumerate(starts):
        if _is_traced(start):
            size = shape[axis]
            if size in (-1, None):
                raise ValueError(f"slice: the size of axis {axis} must be a number where its start is not. Got {size}.")
            x = _core.apply("gather", [x, _places(start, int(size))], axis=axis, mode="raise")
            starts[axis] = 0
    starts = _starts_within("slice", starts, shape, x.shape)
    stops = [TO_THE_END if size in (-1, None) else start + int(size) for start, size in zip(starts, shape)]
    return _core.apply("slice", [x], starts=starts, stops=stops, strides=[1] * len(starts))


@operation
def slice_update(inputs, start_indices, updates):
    """A copy of inputs with updates written from start_indices on, in the dtype of inputs.

    Args:
        inputs: the tensor.
        start_indices: as of `slice`; of what begins at unknown ones and does not lie within, only a part is written.
        updates: tensor with as many axes.

    Raises:
        IndexError: the updates do not lie within.
    """
    x = tensor(inputs)
    updates, starts = cast(updates, x.dtype), list(start_indices)
    if not len(starts) == updates.ndim == x.ndim:
        raise ValueError(
            f"slice_update: start_indices and updates need a number and a size for each of the {x.ndim} axes. "
            f"Received: {len(starts)} and {updates.ndim}."
        )
    if any(_is_traced(start) for start in starts):
        return _update_at_places(x, starts, updates)
    starts = _starts_within("slice_update", starts, updates.shape, x.shape)
    stops = [start + size for start, size in zip(starts, updates.shape)]
    attrs = {"starts": starts, "stops": stops, "strides": [1] * len(starts)}
    ones = _core.apply("full_like", [updates], value=1.0, dtype=x.dtype)
    inside = _core.apply("cast", [_core.apply("slice_grad", [ones, x], **attrs)], dtype="bool")
    return _core.apply("where", [inside, _core.apply("slice_grad", [updates, x], **attrs), x])


def _starts_within(function, starts, sizes, shape):
    """The starts as ints from 0 on, of parts that lie within a tensor of the shape."""
    result = []
    for axis, (start, size, there) in enumerate(zip([int(i) for i in starts], sizes, shape)):
        if there is None and start < 0:
            raise UnknownSizeError(f"{function}: along axis {axis}, whose size is not known, a part begins at {start}.")
        first = start + there if start < 0 else start
        if there is not None and not 0 <= first <= first + max(size or 0, 0) <= there:
            raise IndexError(
                f"{function}: along axis {axis} a part of {size} from {start} on does not lie within the {there} "
                f"elements of a tensor of shape {shape}."
            )
        result.append(first)
    return result


def _is_traced(index):
    return backend.is_tensor(index) and index.is_symbolic


def _places(start, size):
    """start, start + 1, ..., start + size - 1."""
    return add(reshape(cast(start, "int32"), (1,)), arange(size, dtype="int32"))


def _update_at_places(x, starts, updates):
    inside = None
    for axis, (start, size) in enumerate(zip(starts, updates.shape)):
        first = where(less(start, 0), add(start, x.shape[axis]), start)
        places = _places(negative(first), x.shape[axis])  # in updates, for each place of x
        hit = logical_and(greater_equal(places, 0), less(places, size))
        updates = take(updates, clip(places, 0, size - 1), axis=axis)
        hit = reshape(hit, [-1 if a == axis else 1 for a in range(x.ndim)])
        inside = hit if inside is None else logical_and(inside, hit)
    return where(inside, updates, x)


def _flat_rows(indices, sizes):
    """Row numbers (n,) of the flattened leading axes from index tuples (..., len(sizes)).

    Gathered from the places themselves: negative indices count from the end, those out of range are an error.
    """
    indices = reshape(indices, [-1, len(sizes)])
    rows = None
    for axis, size in enumerate(sizes):
        places = backend.convert_to_tensor(np.arange(size), indices.dtype)
        column = _core.apply("slice", [indices], starts=[0, axis], stops=[TO_THE_END, axis + 1], strides=[1, 1])
        column = _core.apply("gather", [places, ravel(column)], axis=0)
        rows = column if rows is None else add(multiply(rows, size), column)
    return rows


def _added_by_row(table, rows, values):
    """The sums of the values for each row of the table; of bools: whether one of them is true."""
    sums = _core.apply("scatter_add", [numbers(table), rows, numbers(values)], axis=0)
    return backend.convert_to_tensor(sums, table.dtype)


@operation
def scatter(indices, values, shape):
    """Zeros of the given shape with values added at indices.

    Args:
        indices: integers (n, depth): places along the first `depth` axes; negative ones count from the end.
        values: (n, *shape[depth:]).
        shape: tuple of ints.

    Raises:
        IndexError: an index is out of range.
    """
    indices, values = as_indices(indices), tensor(values)
    depth = indices.shape[-1]
    table = zeros([int(np.prod(shape[:depth])), *shape[depth:]], values.dtype)
    values = reshape(values, [-1, *shape[depth:]])
    return reshape(_added_by_row(table, _flat_rows(indices, shape[:depth]), values), shape)


@operation
def scatter_update(inputs, indices, updates, reduction=None):
    """A copy of inputs with updates written at indices (n, depth), as in `scatter`, in the dtype of inputs.

    Args:
        inputs: the tensor.
        indices: integers (n, depth).
        updates: (n, *inputs.shape[depth:]).
        reduction: None (default): written in place of the elements, the last one where indices repeat; `"add"`: added;
            `"max"`, `"min"`: the greatest or smallest of element and updates; `"mul"`: their product.

    Raises:
        ValueError: another reduction.
        IndexError: an index is out of range.
    """
    if reduction not in (None, "add", "max", "min", "mul"):
        raise ValueError(f'Unknown reduction: {reduction!r}. Expected None, "add", "max", "min" or "mul".')
    x, indices = tensor(inputs), as_indices(indices)
    depth = indices.shape[-1]
    rows = _flat_rows(indices, x.shape[:depth])
    table, updates = (reshape(values, [-1, *x.shape[depth:]]) for values in (x, cast(updates, x.dtype)))
    if reduction == "add":
        table = add(table, _added_by_row(table, rows, updates))
    else:
        primitive = f"scatter_{reduction or 'set'}"
        table = _core.apply(primitive, [numbers(table), rows, numbers(updates)], axis=0)
    return reshape(backend.convert_to_tensor(table, x.dtype), x.shape)


@operation
def unstack(x, num=None, axis=0):
    """The list of slices along axis, without that axis.

    Args:
        x: tensor.
        num: int: how many there are; None: as the shape says.
        axis: int, default 0.

    Raises:
        ValueError: in a traced function, the size of the axis is not known and `num` is None.
    """
    x = backend.convert_to_tensor(x)
    axis = resolve_axis(axis, x.ndim)
    count = num if num is not None else x.shape[axis]
    if count is None:
        raise ValueError(f"unstack: the size of axis {axis} of {x.shape} is not known; give num=.")
    parts = _core.apply("split", [x], sizes=[1] * count, axis=axis) if count else ()
    return [squeeze(part, axis) for part in (parts if isinstance(parts, tuple) else [parts])]


@operation
def cond(pred, true_fn, false_fn):
    """true_fn() or false_fn(). With a traced predicate both are computed and `where` selects.

    Args:
        pred: bool scalar.
        true_fn, false_fn: functions without arguments, which return the same structure.
    """
    pred = backend.convert_to_tensor(pred, "bool")
    if not pred.is_symbolic:
        return true_fn() if bool(pred) else false_fn()
    return tree.map_structure(lambda a, b: _core.apply("where", [pred, *backend.promote(a, b)]), true_fn(), false_fn())


@operation
def switch(index, branches, *operands):
    """branches[index](*operands), with the index clipped into range. With a traced index all are computed."""
    if isinstance(index, Tensor) and index.is_symbolic:
        result, *others = (branch(*operands) for branch in branches)
        for i, other in enumerate(others, 1):
            is_other = greater_equal(index, i)
            result = tree.map_structure(lambda a, b, is_other=is_other: where(is_other, b, a), result, other)
        return result
    index = builtins.min(builtins.max(int(backend.convert_to_numpy(index)), 0), len(branches) - 1)
    return branches[index](*operands)


def _variables_like(cond, body, loop_vars, maximum_iterations=None):
    return tree.map_structure(
        lambda x: x.like() if is_keras_tensor(x) else KerasTensor(np.shape(x), backend.convert_to_tensor(x).dtype),
        loop_vars,
    )


@operation(outputs_like=_variables_like)
def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Repeats loop_vars = body(*loop_vars) while cond(*loop_vars).

    Args:
        cond: function of the variables. A traced function may ask for tensors' values where maximum_iterations is
            given: all of these are computed then, and `where` selects.
        body: function of the variables that returns them anew.
        loop_vars: tensor, or list or tuple of them.
        maximum_iterations: int or None (default): no limit.

    Raises:
        TypeError: the condition depends on tensors of a traced function, and there is no limit.
    """
    packed = isinstance(loop_vars, (list, tuple))
    state = tuple(loop_vars) if packed else (loop_vars,)
    count = 0
    while maximum_iterations is None or count < maximum_iterations:
        goes_on = cond(*state)
        is_traced = _is_traced(goes_on)
        if is_traced and maximum_iterations is None:
            raise NotTraceable(
                "while_loop: the condition is not known while the function is traced: it depends on tensors. Give "
                "maximum_iterations=, or run eagerly with compile(..., run_eagerly=True)."
            )
        if not is_traced and not bool(goes_on):
            break
        result = body(*state)
        result = tuple(result) if isinstance(result, (list, tuple)) else (result,)
        if is_traced:
            result = tree.map_structure(lambda new, old, goes_on=goes_on: where(goes_on, new, old), result, state)
        state = result
        count += 1
    state = tree.map_structure(backend.convert_to_tensor, state)
    return state if packed else state[0]


@operation
def fori_loop(lower, upper, body_fun, init_val):
    """val = body_fun(i, val) for i from lower to upper - 1.

    Args:
        lower, upper: ints: the first i, and the one after the last.
        body_fun: function (i, value) -> value.
        init_val: the first value, a structure of tensors.
    """
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


@operation
def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """carry, y = f(carry, x) along axis 0 of xs. Returns the last carry and the stacked y.

    Args:
        f: function of two structures of tensors that returns two.
        init: the first carry.
        xs: tensor or structure of tensors; None: f gets None, `length` times.
        length: int, where there are no xs.
        reverse: bool, default False: from the end.
        unroll: kept for Keras's signature; all steps are written out.

    Raises:
        ValueError: neither `xs` nor `length` is given.
    """
    if xs is None and length is None:
        raise ValueError("scan: give xs, or the number of steps by length.")
    if not isinstance(unroll, bool):
        int_from("scan", "unroll", unroll, 1)
    steps = length if xs is None else tree.flatten(xs)[0].shape[0]
    indices = range(steps - 1, -1, -1) if reverse else range(steps)
    carry, outputs = init, []
    for i in indices:
        carry, y = f(carry, None if xs is None else tree.map_structure(lambda x, i=i: x[i], xs))
        outputs.append(y)
    if reverse:
        outputs.reverse()
    return carry, tree.map_structure(lambda *ys: None if ys[0] is None else stack(ys), *outputs)


@operation
def associative_scan(f, elems, reverse=False, axis=0):
    """Running results of an associative f along an axis: x0, f(x0, x1), f(f(x0, x1), x2), ...

    Pairs of neighbours are joined, the shorter sequence is scanned, the elements between are filled in: f is applied
    about 2 log2(n) times to long slices instead of n times to short ones (Blelloch 1990).

    Args:
        f: function of two structures like `elems`, element by element along the axis.
        elems: tensor or structure of tensors with equal sizes of the axis.
        reverse: bool, default False: from the end.
        axis: int, default 0.
    """
    leaves = [backend.convert_to_tensor(x) for x in tree.flatten(elems)]
    axis = axis % leaves[0].ndim
    if reverse:
        leaves = [flip(x, axis) for x in leaves]

    def apply(a, b):
        return tree.flatten(f(tree.pack_sequence_as(elems, a), tree.pack_sequence_as(elems, b)))

    def cut(xs, start, stop, step=1):
        return [x[(builtins.slice(None),) * axis + (builtins.slice(start, stop, step),)] for x in xs]

    def run(xs):
        size = xs[0].shape[axis]
        if size < 2:
            return xs
        pairs = run(apply(cut(xs, 0, size - 1, 2), cut(xs, 1, None, 2)))
        count = size // 2
        between = cut(xs, 2, None, 2)
        filled = apply(cut(pairs, 0, (size - 1) // 2), between) if size > 2 else []
        evens = [concatenate([x, *rest], axis) for x, *rest in zip(cut(xs, 0, 1), *([filled] if filled else []))]
        return [_interleave(even, odd, count, axis) for even, odd in zip(evens, pairs)]

    results = run(leaves)
    if reverse:
        results = [flip(x, axis) for x in results]
    return tree.pack_sequence_as(elems, results)


def _interleave(even, odd, count, axis):
    """even[0], odd[0], even[1], ...; even may be longer by one."""
    head = (builtins.slice(None),) * axis
    both = stack([even[(*head, builtins.slice(0, count))], odd], axis + 1)
    shape = [*odd.shape[:axis], 2 * count, *odd.shape[axis + 1 :]]
    return concatenate([reshape(both, shape), even[(*head, builtins.slice(count, None))]], axis)


@operation
def map(f, xs):
    """f of every slice along axis 0, stacked.

    Args:
        f: function of a slice, or of a structure of slices as xs is one, that returns a tensor or a structure.
        xs: tensor, or structure of tensors, (N, ...).
    """
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


@operation
def vectorized_map(function, elements):
    """As `map`, whose order of calls nobody relies on.

    Args:
        function: function of a slice of elements along axis 0.
        elements: tensor, or structure of tensors, (N, ...).
    """
    return map(function, elements)


def vectorize(pyfunc, *, excluded=None, signature=None):
    """A function of tensors that calls pyfunc for each of their elements, and puts together what it returns.

    Args:
        pyfunc: function of scalars, or of the small tensors that the signature names.
        excluded: set of the numbers or names of arguments that are passed as they are; default None: no argument.
        signature: str, as `"(n,m),(m)->(n)"`: how many axes at the end of each argument belong to one call; default
            None: none. The axes before them are broadcast.

    Raises:
        ValueError: the signature can't be read, or has not as many arguments as the call.

    Example:

    >>> vectorize(lambda a, b: a + b)([1, 2, 3], 2).numpy()
    array([3, 4, 5], dtype=int32)
    """
    excluded, core_ranks = set(excluded or ()), None if signature is None else _core_ranks(signature)

    @operation
    def vectorized(*args, **kwargs):
        places = [key for key in (*range(len(args)), *kwargs) if key not in excluded]
        given = {**dict(enumerate(args)), **kwargs}
        tensors = [backend.convert_to_tensor(given[key]) for key in places]
        ranks = [0] * len(tensors) if core_ranks is None else core_ranks
        if len(ranks) != len(tensors):
            raise ValueError(f"vectorize: {signature!r} names {len(ranks)} arguments. Got {len(tensors)}.")
        outer = [x.shape[: x.ndim - rank] for x, rank in zip(tensors, ranks)]
        shape = np.broadcast_shapes(*outer)
        inner = [x.shape[x.ndim - rank :] for x, rank in zip(tensors, ranks)]
        rows = [reshape(broadcast_to(x, (*shape, *core)), (-1, *core)) for x, core in zip(tensors, inner)]

        def call(row):
            now = {**given, **dict(zip(places, row))}
            return pyfunc(*(now[i] for i in range(len(args))), **{key: now[key] for key in kwargs})

        return tree.map_structure(lambda y: reshape(y, (*shape, *y.shape[1:])), map(call, rows))

    return vectorized


def _core_ranks(signature):
    """The number of axes in each pair of brackets on the left of "->"."""
    text = signature.replace(" ", "")
    if not re.fullmatch(r"(\([\w,]*\),?)+->(\([\w,]*\),?)+", text):
        raise ValueError(f'vectorize: signature must be like "(n,m),(m)->(n)". Got signature={signature!r}.')
    return [
        len([name for name in core.split(",") if name]) for core in re.findall(r"\(([\w,]*)\)", text.split("->")[0])
    ]


__all__ = [
    "associative_scan",
    "cast",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "dtype",
    "fori_loop",
    "is_keras_tensor",
    "is_tensor",
    "map",
    "result_type",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "switch",
    "unstack",
    "vectorize",
    "vectorized_map",
    "while_loop",
]
