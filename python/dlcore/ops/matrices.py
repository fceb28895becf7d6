"""Matrices: their diagonals and triangles, and the products of matrices, vectors and any axes."""

import itertools
import math
import string

import numpy as np

from dlcore import _core, backend
from dlcore.ops import reductions
from dlcore.ops._common import as_float, count_of, numbers, own_names, resolve_axis, tensor
from dlcore.ops.arithmetic import multiply, power, subtract
from dlcore.ops.arrangement import flip, pad
from dlcore.ops.creation import zeros, zeros_like
from dlcore.ops.indexing import take
from dlcore.ops.logic import less_equal, where
from dlcore.ops.operation import operation
from dlcore.ops.shapes import expand_dims, moveaxis, ravel, reshape, squeeze, stack, transpose

# ---- diagonals and triangles


@operation
def diag(x, k=0):
    """The matrix with x on its k-th diagonal, or the k-th diagonal of the matrix x."""
    x = tensor(x)
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: expected a vector or a matrix. Received shape {x.shape}; see ops.diagonal.")
    if x.ndim == 2:
        return diagonal(x, k)
    n = x.shape[0] + abs(k)
    rows = max(-k, 0) + np.arange(x.shape[0])
    values = numbers(x)
    flat = _core.apply("scatter_add", [zeros([n * n], values.dtype), tensor(rows * n + rows + k), values], axis=0)
    return backend.convert_to_tensor(reshape(flat, [n, n]), x.dtype)


@operation
def diagflat(x, k=0):
    """The matrix with the elements of x on its k-th diagonal."""
    return diag(ravel(x), k)


@operation
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The elements whose indices along axis1 and axis2 differ by the offset, as the last axis."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    first = np.arange(max(-offset, 0), min(rows, columns - offset))
    flat = reshape(x, [*x.shape[:-2], rows * columns])
    return take(flat, first * columns + first + offset, axis=-1)


@operation
def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of the diagonal.

    Args:
        x: tensor of two or more axes.
        offset: int: which diagonal; above the main one where it is positive.
        axis1, axis2: ints: the axes of the matrices.
    """
    return reductions.sum(diagonal(x, offset, axis1, axis2), -1)


def _matrices(name, x):
    """x; of a vector the matrix that has it as each of its rows."""
    x = tensor(x)
    if x.ndim == 0:
        raise ValueError(f"{name}: expected matrices (..., m, n) or a vector. Received shape {x.shape}.")
    return x if x.ndim > 1 else _core.apply("broadcast_like", [x, outer(x, x)])


def _below_diagonal(x, k):
    """Where the column's index less the row's is at most k, in the last two axes."""
    rows = _core.apply("iota_like", [x], axis=x.ndim - 2, dtype="int32")
    columns = _core.apply("iota_like", [x], axis=x.ndim - 1, dtype="int32")
    return less_equal(subtract(columns, rows), k)


@operation
def tril(x, k=0):
    """x on and below the k-th diagonal, else 0; of a vector as of the matrix whose rows it is."""
    x = _matrices("tril", x)
    return where(_below_diagonal(x, k), x, zeros_like(x))


@operation
def triu(x, k=0):
    """x on and above the k-th diagonal, else 0; of a vector as of the matrix whose rows it is."""
    x = _matrices("triu", x)
    return where(_below_diagonal(x, k - 1), zeros_like(x), x)


@operation
def vander(x, N=None, increasing=False):
    """The powers of the vector x as columns, N of them (default as many as x has elements), the highest first.

    Args:
        x: vector.
        N: int.
        increasing: bool, default False: the lowest power first.
    """
    x = tensor(x)
    if x.ndim != 1:
        raise ValueError(f"vander: expected a vector. Received shape {x.shape}.")
    count = x.shape[0] if N is None else int(N)
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    values = numbers(x)
    powers = backend.convert_to_tensor(powers.copy(), values.dtype)
    return backend.convert_to_tensor(power(expand_dims(values, -1), powers), x.dtype)


# ---- products


def _product(a, b, **transposed):
    """The matrix product of two tensors of one dtype, in that dtype: of bools and 8-bit integers through int32."""
    dtype = a.dtype
    if dtype in ("bool", "uint8", "int8"):
        a, b = (backend.convert_to_tensor(x, "int32") for x in (a, b))
    return backend.convert_to_tensor(_core.apply("matmul", [a, b], **transposed), dtype)


def _summable(operands):
    """The operands in one dtype, int32 for int8 alone, whose sums of products overflow at once."""
    are_int8 = all(getattr(x, "dtype", None) == "int8" for x in operands)
    operands = backend.promote(*operands)
    return [backend.convert_to_tensor(x, "int32") for x in operands] if are_int8 else operands


@operation
def matmul(x1, x2):
    """The matrix product over the last two axes; leading axes are broadcast.

    Of bools it is a bool: whether one of the products is true. Of int8 it is int32.
    """
    a, b = _summable([x1, x2])
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: both operands need at least one axis. Received shapes {a.shape} and {b.shape}.")
    left = reshape(a, [1, *a.shape]) if a.ndim == 1 else a
    right = reshape(b, [*b.shape, 1]) if b.ndim == 1 else b
    product = _product(left, right)
    if b.ndim == 1:
        product = squeeze(product, -1)
    return squeeze(product, -1 if b.ndim == 1 else -2) if a.ndim == 1 else product


@operation
def dot(x1, x2):
    """Over the last axis of x1 and the last but one of x2."""
    a, b = backend.promote(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if b.ndim <= 2:
        return backend.convert_to_tensor(matmul(a, b), a.dtype)
    return tensordot(a, b, axes=[[-1], [-2]])


@operation
def vdot(x1, x2):
    """The sum of all products of elements."""
    return dot(ravel(x1), ravel(x2))


@operation
def inner(x1, x2):
    """Over the last axes of both."""
    a, b = backend.promote(x1, x2)
    return multiply(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=[[-1], [-1]])


@operation
def outer(x1, x2):
    """All products of two elements, as a matrix."""
    return multiply(reshape(x1, [-1, 1]), reshape(x2, [1, -1]))


@operation
def kron(x1, x2):
    """Kronecker's product: each element of x1 times the whole of x2."""
    a, b = backend.promote(x1, x2)
    rank = max(a.ndim, b.ndim)
    shape_a, shape_b = ([1] * (rank - len(x.shape)) + list(x.shape) for x in (a, b))
    # The axes of both by turns; those of one that then lie side by side are one axis, for tensors have few.
    axes = [(i, size) for sizes in zip(shape_a, shape_b) for i, size in enumerate(sizes) if size != 1]
    axes = [(i, math.prod(size for _, size in run)) for i, run in itertools.groupby(axes, lambda axis: axis[0])]
    spread_a, spread_b = (reshape(x, [size if i == of else 1 for i, size in axes]) for of, x in enumerate((a, b)))
    return reshape(multiply(spread_a, spread_b), [m * n for m, n in zip(shape_a, shape_b)])


@operation
def tensordot(x1, x2, axes=2):
    """The sum of products over pairs of axes.

    Args:
        x1, x2: the tensors.
        axes: int n: the last n of x1 and the first n of x2; or a pair of ints or of lists: axes of x1, axes of x2.
    """
    a, b = backend.promote(x1, x2)
    if isinstance(axes, int):
        over_a, over_b = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        over_a, over_b = (([ax] if isinstance(ax, int) else list(ax)) for ax in axes)
    over_a, over_b = [i % a.ndim for i in over_a], [i % b.ndim for i in over_b]
    for i, j in zip(over_a, over_b):
        if None not in (a.shape[i], b.shape[j]) and a.shape[i] != b.shape[j]:
            raise ValueError(
                f"tensordot: axis {i} of x1 and axis {j} of x2 are summed over together, so their sizes must be equal. "
                f"Received shapes {a.shape} and {b.shape}."
            )
    keep_a, keep_b = [i for i in range(a.ndim) if i not in over_a], [i for i in range(b.ndim) if i not in over_b]
    k = math.prod(a.shape[i] if b.shape[j] is None else b.shape[j] for i, j in zip(over_a, over_b))
    kept = [a.shape[i] for i in keep_a], [b.shape[i] for i in keep_b]
    left = reshape(transpose(a, keep_a + over_a), [*kept[0], k] if keep_a else [1, k])
    right = reshape(transpose(b, over_b + keep_b), [k, count_of(kept[1])])
    return reshape(_product(left, right), [*kept[0], *kept[1]])


@operation
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The vector product of vectors of three elements; of those of two, with 0 as the third, only its third element.

    Args:
        x1, x2: the tensors.
        axisa, axisb, axisc: ints, default -1: the axis of the vectors in x1, x2 and the result.
        axis: int or None (default): all three at once.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = backend.promote(x1, x2)
    axisa, axisb = resolve_axis(axisa, a.ndim), resolve_axis(axisb, b.ndim)
    if not all(v.shape[ax] in (2, 3) for v, ax in ((a, axisa), (b, axisb))):
        raise ValueError(f"cross: the vectors must have 2 or 3 elements. Received shapes {a.shape} and {b.shape}.")
    vectors = [[take(v, i, ax) for i in range(v.shape[ax])] for v, ax in ((a, axisa), (b, axisb))]
    flat = len(vectors[0]) == len(vectors[1]) == 2
    (a1, a2, a3), (b1, b2, b3) = (v if len(v) == 3 else [*v, zeros_like(v[0])] for v in vectors)
    parts = [(a1, b2, a2, b1)] if flat else [(a2, b3, a3, b2), (a3, b1, a1, b3), (a1, b2, a2, b1)]
    results = [subtract(multiply(p, q), multiply(r, s)) for p, q, r, s in parts]
    return results[0] if flat else stack(results, axisc)


@operation
def correlate(x1, x2, mode="valid"):
    """Cross-correlation of two vectors.

    Args:
        x1, x2: (n,) and (m,).
        mode: where they overlap: `"valid"` (default): wholly, |n - m| + 1 numbers, `"same"`: the middle max(n, m)
            numbers, or `"full"`: anywhere, n + m - 1.
    """
    a, b = backend.promote(x1, x2)
    a, b = as_float(a), as_float(b)
    if a.shape[0] < b.shape[0]:
        return flip(correlate(b, a, mode))
    beyond = b.shape[0] - 1
    width, low = {"valid": (0, 0), "same": (beyond, b.shape[0] // 2), "full": (2 * beyond, beyond)}[mode]
    image = reshape(pad(a, [[low, width - low]]), [1, 1, -1, 1])
    return reshape(_core.apply("conv2d", [image, reshape(b, [1, -1, 1, 1])]), [-1])


# ---- Einstein's summation


@operation
def einsum(subscripts, *operands, **kwargs):
    """Einstein's summation: `einsum("bij,bjk->bik", a, b)`. Operands are contracted from the left.

    Args:
        subscripts: a letter for each axis of each operand, `...` for any number of them, and behind `->` those of the
            result; without it, the letters that occur once, in alphabetical order.
        *operands: as many tensors; their dtypes are promoted, axes of size 1 are broadcast.

    Raises:
        ValueError: operands are missing or too many, or axes of one letter differ in size.
    """
    operands = _summable(operands)
    terms, result = _parse_einsum(subscripts.replace(" ", ""), operands)
    sizes = _sizes_of_letters(subscripts, terms, operands)
    terms, operands = zip(*(_lettered(*_without_ones(t, x, sizes)) for t, x in zip(terms, operands)))
    term, x = terms[0], operands[0]
    for i in range(1, len(operands)):
        other, y = terms[i], operands[i]
        later = set(result).union(*terms[i + 1 :])
        first = next((letter for letter in result if (letter in term) != (letter in other)), None)
        if first in other:  # what is first in the result are the product's rows: nothing is transposed afterwards
            term, x, other, y = other, y, term, x
        term, x = _contract(term, x, other, y, later)
    lost = [a for a, letter in enumerate(term) if letter not in result]
    if lost:
        x, term = reductions.sum(x, lost), [letter for letter in term if letter in result]
    order = [term.index(letter) for letter in result]
    return x if order == list(range(len(order))) else transpose(x, order)


def _parse_einsum(subscripts, operands):
    """Lists of letters per operand and of the result; an ellipsis becomes letters of its own."""
    left, _, right = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands; {len(operands)} were given.")
    unused = [letter for letter in string.ascii_letters if letter not in subscripts]
    broadcast = max([x.ndim - len(t) + 3 for x, t in zip(operands, terms) if "..." in t], default=0)
    dots = unused[:broadcast]
    expanded = []
    for x, t in zip(operands, terms):
        own = x.ndim - len(t) + 3
        expanded.append(
            list(t.replace("...", "".join(dots[len(dots) - own :]) if own > 0 else "")) if "..." in t else list(t)
        )
    letters = [letter for t in expanded for letter in t]
    if "->" in subscripts:
        result = list(right.replace("...", "".join(dots)))
        for letter in result:
            if letter not in letters or result.count(letter) > 1:
                raise ValueError(
                    f"einsum: in {subscripts!r} the result has the axis {letter!r} {result.count(letter)} time(s) and "
                    f"the operands {letters.count(letter)}. Each axis of the result must be one of an operand, once."
                )
        return expanded, result
    return expanded, dots + sorted({c for c in letters if letters.count(c) == 1 and c not in dots})


def _sizes_of_letters(subscripts, terms, operands):
    """The size of each letter's axes: 1 only where all have it, None where it is not known."""
    sizes = {}
    for term, x in zip(terms, operands):
        if x.ndim != len(term):
            raise ValueError(f"einsum: the subscripts name {len(term)} axes of the operand of shape {x.shape}.")
        for letter, size in zip(term, x.shape):
            known = sizes.setdefault(letter, size)
            if known == 1 or (known is None and size != 1):
                sizes[letter] = size
            elif size not in (None, 1, known):
                raise ValueError(
                    f"einsum: in {subscripts!r} the axis {letter!r} has the sizes {known} and {size}, of operands of "
                    f"shapes {[tuple(x.shape) for x in operands]}. Axes of one letter must be equal, or 1."
                )
    return sizes


def _without_ones(term, x, sizes):
    """The operand without its axes of size 1 that are longer in others, which is to broadcast them."""
    ones = [a for a, letter in enumerate(term) if x.shape[a] == 1 and sizes[letter] != 1]
    return [c for a, c in enumerate(term) if a not in ones], squeeze(x, ones) if ones else x


def _lettered(term, x):
    """Takes repeated letters of one operand as its diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            x = diagonal(x, 0, first, second)
            term = [c for i, c in enumerate(term) if i not in (first, second)] + [letter]
    return term, x


def _contract(term_a, a, term_b, b, later):
    """One matrix product: batch letters are in both and still needed, summed ones in both and not."""
    for term, x, other in ((term_a, a, term_b), (term_b, b, term_a)):
        alone = [i for i, letter in enumerate(term) if letter not in other and letter not in later]
        if alone and x is a:
            a, term_a = reductions.sum(a, alone), [c for i, c in enumerate(term) if i not in alone]
        elif alone:
            b, term_b = reductions.sum(b, alone), [c for i, c in enumerate(term) if i not in alone]
    batch = [c for c in term_a if c in term_b and c in later]
    summed = [c for c in term_a if c in term_b and c not in later]
    rows, columns = [c for c in term_a if c not in term_b], [c for c in term_b if c not in term_a]
    sizes = {**dict(zip(term_b, b.shape)), **dict(zip(term_a, a.shape))}
    # A factor stays as it lies where its last axis decides between [rows, summed] and [summed, rows].
    transpose_a, transpose_b = bool(summed) and term_a[-1:] == rows[-1:], bool(columns) and term_b[-1] in summed
    if rows and term_a == rows + summed:  # leading axes stay apart, of which several may be of unknown size
        a = reshape(a, [*(sizes[c] for c in rows), count_of(sizes[c] for c in summed)])
    else:
        a = _as_matrices(a, term_a, sizes, batch, *((summed, rows) if transpose_a else (rows, summed)))
    b = _as_matrices(b, term_b, sizes, batch, *((columns, summed) if transpose_b else (summed, columns)))
    letters = batch + rows + columns
    product = _product(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return letters, reshape(product, [sizes[c] for c in letters])


def _as_matrices(x, term, sizes, batch, rows, columns):
    """x as (*batch, product of the sizes of `rows`, product of those of `columns`); all are lists of letters."""
    x = transpose(x, [term.index(c) for c in batch + rows + columns])
    shape = [*(sizes[c] for c in batch), count_of(sizes[c] for c in rows), count_of(sizes[c] for c in columns)]
    return reshape(x, shape)


__all__ = own_names(globals())
