"""ops against NumPy, their promotion rules, KerasTensors, and their gradients against finite differences."""

import numpy as np
import pytest
import scipy.special
from checking import check

import dlcore
from dlcore import KerasTensor, Variable, ops
from dlcore.backend import result_type

RNG = np.random.default_rng(0)


def array(*shape, low=-2.0, high=2.0):
    return RNG.uniform(low, high, shape)


UNARY = {
    "absolute": np.abs,
    "negative": np.negative,
    "sign": np.sign,
    "square": np.square,
    "exp": np.exp,
    "expm1": np.expm1,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.round,
}
POSITIVE = {
    "sqrt": np.sqrt,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "reciprocal": np.reciprocal,
}
BOUNDED = {"arcsin": np.arcsin, "arccos": np.arccos, "arctanh": np.arctanh}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    x = array(3, 5)
    check(getattr(ops, name)(x), UNARY[name](x))


@pytest.mark.parametrize("name", POSITIVE)
def test_unary_of_positive(name):
    x = array(3, 5, low=0.1, high=5.0)
    check(getattr(ops, name)(x), POSITIVE[name](x))


@pytest.mark.parametrize("name", BOUNDED)
def test_unary_of_bounded(name):
    x = array(3, 5, low=-0.9, high=0.9)
    check(getattr(ops, name)(x), BOUNDED[name](x))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum", "mod", "floor_divide"])
def test_binary_with_broadcasting(name):
    a, b = array(4, 1, 5), array(3, 1, low=0.5)
    check(getattr(ops, name)(a, b), getattr(np, name)(a, b))


@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
def test_comparisons(name):
    a, b = RNG.integers(0, 3, (4, 5)), RNG.integers(0, 3, (5,))
    check(getattr(ops, name)(a, b), getattr(np, name)(a, b))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name, axis, keepdims):
    x = array(3, 4, 5)
    check(getattr(ops, name)(x, axis=axis, keepdims=keepdims), getattr(np, name)(x, axis=axis, keepdims=keepdims))


def test_arg_and_logical_reductions():
    x = RNG.integers(0, 9, (4, 6))
    check(ops.argmax(x), np.argmax(x))
    check(ops.argmax(x, axis=0), np.argmax(x, axis=0))
    check(ops.argmin(x, axis=-1, keepdims=True), np.argmin(x, axis=-1, keepdims=True))
    check(ops.any(x > 7, axis=0), np.any(x > 7, axis=0))
    check(ops.all(x < 8), np.all(x < 8))
    check(ops.count_nonzero(x, axis=1), np.count_nonzero(x, axis=1))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 0.5, 2.0, 3.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_power_of_scalars(dtype, exponent):
    x = np.arange(1, 8).astype(dtype)
    result = ops.power(ops.convert_to_tensor(x), exponent)
    is_float = dtype != "int32" or isinstance(exponent, float)
    assert result.dtype == ("float32" if is_float and dtype == "int32" else dtype)
    check(result, np.power(x.astype("float64"), exponent), 1e-6)


def test_shapes():
    x = array(2, 3, 4)
    check(ops.reshape(x, (4, -1)), x.reshape(4, -1))
    check(ops.transpose(x), x.T)
    check(ops.swapaxes(x, 0, 2), x.swapaxes(0, 2))
    check(ops.moveaxis(x, 0, -1), np.moveaxis(x, 0, -1))
    check(ops.moveaxis(x, (0, 1), (-1, 0)), np.moveaxis(x, (0, 1), (-1, 0)))
    check(ops.expand_dims(x, (0, -1)), x[None, ..., None])
    check(ops.squeeze(x[None, :, :, :1]), np.squeeze(x[None, :, :, :1]))
    check(ops.flip(x, 1), np.flip(x, 1))
    check(ops.roll(x, 2, 1), np.roll(x, 2, 1))
    check(ops.roll(x, 5), np.roll(x, 5))
    check(ops.tile(x, (2, 1)), np.tile(x, (2, 1)))
    check(ops.repeat(x, 3, 1), np.repeat(x, 3, 1))
    check(ops.repeat(x, [1, 2, 0], 1), np.repeat(x, [1, 2, 0], 1))
    check(ops.pad(x, ((1, 0), (0, 2), (1, 1))), np.pad(x, ((1, 0), (0, 2), (1, 1))))
    check(ops.pad(x, 1, mode="reflect"), np.pad(x, 1, mode="reflect"))
    check(ops.concatenate([x, x + 1], 1), np.concatenate([x, x + 1], 1))
    check(ops.stack([x, x + 1], -1), np.stack([x, x + 1], -1))
    check(ops.vstack([x[0, 0], x[0, 1]]), np.vstack([x[0, 0], x[0, 1]]))
    check(ops.diff(x, axis=1), np.diff(x, axis=1))
    for part, expected in zip(ops.split(x, [1, 3], 2), np.split(x, [1, 3], 2)):
        check(part, expected)
    for got, expected in zip(ops.meshgrid(x[0, 0], x[0, 1]), np.meshgrid(x[0, 0], x[0, 1])):
        check(got, expected)


def test_getitem():
    x = array(4, 5, 6)
    t = ops.convert_to_tensor(x)
    keys = [0, -1, slice(1, 3), (slice(None), 2), (Ellipsis, 1), (None, 0), (slice(None, None, -2), slice(3, 0, -1))]
    keys += [[0, 2], ([0, 1], [2, 3]), (slice(None), [1, 0], [2, 3]), (0, Ellipsis, slice(-2, None)), np.array([3, -1])]
    for key in keys:
        check(t[key], x[key])
    check(t[x[:, 0, 0] > 0], x[x[:, 0, 0] > 0])
    with pytest.raises(IndexError, match="index 7 .* out of range for axis 0 of size 5"):
        t[[0, -1], [1, 7]]
    with pytest.raises(IndexError, match="Index 4 is out of bounds for an axis of size 4"):
        t[4]
    assert [row.shape for row in t] == [(5, 6)] * 4


@pytest.mark.parametrize("key", [0.5, np.float32(1), [0.5], np.ones(2), "a", slice(4 / 2), slice(0, 4, 2.0)])
def test_getitem_takes_no_fractions(key):
    x = array(4, 5)
    assert ops.convert_to_tensor(x)[[]].shape == (0, 5)
    for t in (ops.convert_to_tensor(x), KerasTensor((4, 5))):
        with pytest.raises(IndexError, match="takes integers, slices.* Got .* A quotient is an integer with //"):
            t[key]


def test_indexing_functions():
    x = array(4, 5)
    check(ops.take(x, [[0, 3], [1, 1]], axis=1), np.take(x, [[0, 3], [1, 1]], axis=1))
    order = np.argsort(x, axis=1)
    check(ops.argsort(x, axis=1), order)
    check(ops.take_along_axis(x, order, axis=1), np.take_along_axis(x, order, axis=1))
    check(ops.sort(x, axis=0), np.sort(x, axis=0))
    check(ops.cumsum(x, axis=1), np.cumsum(x, axis=1))
    check(ops.cumprod(x), np.cumprod(x))
    check(ops.bincount(np.array([0, 2, 2, 5])), np.bincount([0, 2, 2, 5]))
    check(ops.digitize(x, [-1.0, 0.0, 1.0]), np.digitize(x, [-1.0, 0.0, 1.0]))
    check(ops.tril(x, 1), np.tril(x, 1))
    check(ops.triu(x), np.triu(x))
    check(ops.diag(x[0], 1), np.diag(x[0], 1))
    check(ops.diagonal(x, 1), np.diagonal(x, 1))
    check(ops.median(x, axis=1), np.median(x, axis=1))
    check(ops.quantile(x, [0.1, 0.9], axis=0), np.quantile(x, [0.1, 0.9], axis=0))
    check(ops.one_hot(np.array([1, 0]), 3), [[0, 1, 0], [1, 0, 0]])
    assert ops.top_k(x, 2)._fields == ("values", "indices")
    values, indices = ops.top_k(x, 2)
    check(values, -np.sort(-x, axis=1)[:, :2])
    check(indices, np.argsort(-x, axis=1)[:, :2])
    check(ops.in_top_k(np.argmax(x, axis=1), x, 1), [True] * 4)


@pytest.mark.parametrize(
    "subscripts, shapes",
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("abc,cd->abd", [(2, 3, 4), (4, 5)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
        ("bthd,bshd->bhts", [(2, 3, 4, 5), (2, 6, 4, 5)]),
        ("ii->i", [(4, 4)]),
        ("ij->ji", [(3, 4)]),
        ("ij,i->", [(3, 4), (3,)]),
        ("i,j,k->kij", [(2,), (3,), (4,)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 2, 3), (4, 3, 2)]),
        ("...i,...i->...", [(4, 1, 3), (5, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 4, 3, 5), (2, 1, 6, 5)]),
        ("bij,bij->bi", [(3, 4, 5), (1, 4, 1)]),
        ("bij,bij->bi", [(3, 1, 5), (1, 4, 1)]),
        ("i,i->", [(1,), (3,)]),
        ("ij,jk,kl->il", [(2, 1), (3, 4), (1, 5)]),
    ],
)
def test_einsum(subscripts, shapes):
    operands = [array(*shape) for shape in shapes]
    check(ops.einsum(subscripts, *operands), np.einsum(subscripts, *operands))
    variables = [Variable(x, dtype="float64") for x in operands]
    with dlcore.GradientTape() as tape:
        y = ops.sum(ops.square(ops.einsum(subscripts, *variables)))
    for i, gradient in enumerate(tape.gradient(y, variables)):
        direction = array(*shapes[i])
        ahead, behind = (
            np.sum(np.einsum(subscripts, *operands[:i], operands[i] + h * direction, *operands[i + 1 :]) ** 2)
            for h in (1e-6, -1e-6)
        )
        check(np.sum(gradient * direction), (ahead - behind) / 2e-6, 1e-5)


@pytest.mark.parametrize("batch", [1, 5])
def test_einsum_broadcasts_beside_unknown_sizes(batch):
    a, b = dlcore.Input((4, None, 3)), dlcore.Input((1, None, 3))
    scores = ops.einsum("bhqd,bhkd->bhqk", a, b)
    assert scores.shape == (None, 4, None, None)
    model = dlcore.Model([a, b], [scores, ops.einsum("bhqd,bhqd->bq", a, np.ones((1, 1, 1, 3), "float32"))])
    x, y = array(batch, 4, 2, 3).astype("float32"), array(batch, 1, 6, 3).astype("float32")
    products, sums = model([x, y])
    check(products, x @ y.transpose(0, 1, 3, 2), 1e-5)
    check(sums, x.sum((1, 3)), 1e-5)


@pytest.mark.parametrize(
    "subscripts, axis", [("ij->iz", "'z' 1 time.* operands 0"), ("ij->ii", "'i' 2 time.* operands 1")]
)
def test_einsum_with_an_axis_of_no_operand(subscripts, axis):
    with pytest.raises(ValueError, match=f"einsum: in '{subscripts}' the result has the axis {axis}"):
        ops.einsum(subscripts, array(4, 5))


def test_products():
    a, b, v = array(2, 3, 4), array(4, 5), array(4)
    check(ops.matmul(a, b), a @ b)
    check(ops.matmul(a, v), a @ v)
    check(ops.matmul(v, b), v @ b)
    check(ops.dot(a, array_like := b), np.dot(a, array_like))
    check(ops.tensordot(a, b, 1), np.tensordot(a, b, 1))
    check(ops.tensordot(a, a, [[0, 2], [0, 2]]), np.tensordot(a, a, [[0, 2], [0, 2]]))
    check(ops.outer(v, v), np.outer(v, v))
    check(ops.cross(a[..., :3], a[..., 1:]), np.cross(a[..., :3], a[..., 1:]))
    check(ops.norm(a), np.linalg.norm(a))
    with pytest.raises(ValueError, match="matmul"):
        ops.matmul(a, array(3, 5))


@pytest.mark.parametrize("product", [ops.matmul, lambda a, b: ops.einsum("ij,jk", a, b)])
def test_products_of_8_bit_integers_are_added_up_in_32(product):
    a, b = np.array([[100, -120], [3, 4]]), np.array([[100, 1], [2, 3]])
    y = product(ops.cast(a, "int8"), ops.cast(b, "int8"))
    assert y.dtype == "int32"
    check(y, a @ b)
    y = product(ops.cast(abs(a), "uint8"), ops.cast(b, "uint8"))
    assert y.dtype == "uint8"
    check(y, abs(a) @ b % 256)
    y = product(ops.array([[True, False]]), ops.array([[True], [True]]))
    assert y.dtype == "bool" and bool(y)


def test_dtypes_of_results():
    """Where Keras's dtype is not that of the promotion of the operands."""
    half, byte, small, flag = (ops.ones((2, 2), dtype) for dtype in ("bfloat16", "uint8", "int8", "bool"))
    for result, dtype in (
        (ops.full((2,), True), "float32"),
        (ops.full((2,), byte[0, 0]), "float32"),
        (ops.matmul(small, small), "int32"),
        (ops.einsum("ij,jk->ik", small, small), "int32"),
        (ops.dot(small, small), "int8"),
        (ops.matmul(byte, byte), "uint8"),
        (ops.matmul(flag, flag), "bool"),
        (ops.mod(flag, flag), "int32"),
        (ops.diff(flag), "bool"),
        (ops.cumsum(byte), "uint8"),
        (ops.cumprod(flag), "int32"),
        (ops.max(byte, initial=1.5), "uint8"),
        (ops.round(byte, -1), "uint8"),
        (ops.clip(byte, 0.5, 2), "float32"),
        (ops.clip(half, 0.5, 2), "bfloat16"),
        (ops.angle(half), "bfloat16"),
        (ops.ldexp(half, 3), "bfloat16"),
        (ops.linspace(half[0], 2, 3), "bfloat16"),
        (ops.linspace(0, 2, 3), "float32"),
        (ops.geomspace(half[0], 2, 3), "bfloat16"),
    ):
        assert result.dtype == dtype


def test_arrays_of_dtypes_without_a_tensor_are_widened():
    for dtype, wide in (("int16", "int32"), ("uint16", "int32"), ("uint32", "int64")):
        x = ops.convert_to_tensor(np.array([1, 2, 3], dtype))
        assert x.dtype == wide and x.numpy().tolist() == [1, 2, 3]
        assert ops.convert_to_tensor(np.array([1, 2], dtype), "float32").numpy().tolist() == [1.0, 2.0]
        model = dlcore.Sequential([dlcore.Input((3,)), dlcore.layers.Dense(1, kernel_initializer="ones")])
        rows = np.array([[1, 2, 3]], dtype)
        assert float(model(rows)[0, 0]) == float(model.predict(rows, verbose=0)[0, 0]) == 6.0


def test_bools_are_scattered():
    places, values = np.array([[2], [0], [2]]), np.array([[True, False], [False, False], [False, True]])
    found = ops.scatter(places, values, (4, 2))
    assert found.dtype == "bool" and found.numpy().tolist() == [[False, False], [False] * 2, [True, True], [False] * 2]


def test_view_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="the last axis of float32.*has 12 bytes; float64 needs a multiple of 8"):
        ops.view(ops.ones((2, 3)), "float64")
    with pytest.raises(ValueError, match="a scalar of float32 can't be read as int8"):
        ops.view(ops.ones(()), "int8")
    with pytest.raises(TypeError, match="can't be read as bool"):
        ops.view(ops.ones((2,)), "bool")


def test_promotion_is_keras():
    cases = {
        ("float32", float): "float32",
        ("int32", float): "float32",
        ("int32", int): "int32",
        ("bool", int): "int32",
        ("int64", "float32"): "float32",
        ("float16", "bfloat16"): "float32",
        ("uint8", "int32"): "int32",
        ("float32", "float64"): "float64",
        ("float16", int): "float16",
        (int, float): "float32",
    }
    for (a, b), expected in cases.items():
        assert result_type(a, b) == result_type(b, a) == expected
    assert result_type() == "float32"
    assert (ops.ones((2,), "float16") * 2.5).dtype == "float16"
    assert (np.ones(2, "float64") * ops.ones((2,))).dtype == "float64"
    assert ops.mean(np.array([1, 2])).dtype == "float32"
    assert ops.convert_to_tensor([1.0, 2.0]).dtype == "float32"
    assert ops.convert_to_tensor([1, 2]).dtype == "int32"
    assert ops.divide(3, 2).dtype == "float32"


def test_arrays_of_tensors_share_their_memory():
    """To be read; what writes gets a copy, and a variable that is assigned leaves them as they are."""
    variable = Variable(np.arange(6.0).reshape(2, 3), dtype="float32")
    tensor = ops.convert_to_tensor(variable)
    shared, again = np.asarray(tensor), np.asarray(tensor)
    assert np.shares_memory(shared, again) and not shared.flags.writeable
    for copied in (np.array(tensor), tensor.numpy(), np.asarray(tensor, "float64"), np.array(tensor, "float32")):
        assert copied.flags.writeable and not np.shares_memory(copied, shared)
    del tensor
    variable.assign(np.zeros((2, 3)))
    check(shared, np.arange(6.0).reshape(2, 3))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        with pytest.raises(ValueError, match="float32 can't be an array of float64 without a copy"):
            np.asarray(ops.ones(3), dtype="float64", copy=False)


def test_operators_and_conversions():
    t = ops.convert_to_tensor(np.array([1.0, -2.0]))
    check(2 - t, [1.0, 4.0])
    check(1 / (t + 3), [0.25, 1.0])
    check(-t, [-1.0, 2.0])
    check(abs(t), [1.0, 2.0])
    check(t**2, [1.0, 4.0])
    check((t > 0) | (t < -1), [True, True])
    check(~(t > 0), [False, True])
    for sum_ in (np.array([1.0, 1.0]) + t, t + np.array([1.0, 1.0]), np.float64(1) + t):
        assert isinstance(sum_, type(t))
        check(sum_, [2.0, -1.0])
    for tensor in (t, Variable(t)):  # NumPy's functions take tensors as arrays
        assert type(np.abs(tensor)) is np.ndarray and np.abs(tensor).tolist() == [1.0, 2.0]
        assert np.maximum(tensor, np.zeros(2)).tolist() == [1.0, 0.0]
    assert float(t[0]) == 1.0 and int(t[1]) == -2 and bool(t[0] > 0)
    assert len(t) == 2 and np.asarray(t).tolist() == [1.0, -2.0]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)
    with pytest.raises(TypeError, match="one element"):
        float(t)
    with pytest.raises(TypeError, match="no numbers"):
        ops.convert_to_tensor(["a"])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_operators_of_bits(dtype):
    x = np.array([1, 2, 7], dtype)
    t = ops.convert_to_tensor(x)
    for got, expected in ((~t, ~x), (t & 3, x & 3), (4 | t, 4 | x), (t ^ t, x ^ x), (~Variable(x, dtype=dtype), ~x)):
        assert got.dtype == dtype and got.numpy().tolist() == expected.tolist()
    # These are of truths in Keras, too.
    assert (Variable(x, dtype=dtype) & 2).dtype == "bool"
    assert (~KerasTensor((3,), dtype)).dtype == "bool"


def test_operators_of_bits_take_no_floats():
    for function in (lambda x: ~x, lambda x: x & x):
        with pytest.raises(TypeError, match="expected integers or bools. Received dtype float32; use ops.cast"):
            function(ops.ones(3))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = array(3, 7, low=-8, high=8)
    check(getattr(ops, name)(x), ACTIVATIONS[name](x), 1e-10)


def test_softmax_over_other_axes():
    x = array(2, 3, 4)
    e = np.exp(x)
    check(ops.softmax(x, axis=1), e / e.sum(1, keepdims=True))
    check(ops.softmax(x, axis=(0, 2)), e / e.sum((0, 2), keepdims=True))


def test_crossentropies():
    p, t = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]), np.array([2, 0])
    expected = -np.log(p[[0, 1], t])
    check(ops.sparse_categorical_crossentropy(t, p), expected, 1e-6)
    check(ops.categorical_crossentropy(np.eye(3)[t], p), expected, 1e-6)
    check(ops.sparse_categorical_crossentropy(t, np.log(p), from_logits=True), expected)
    check(ops.categorical_crossentropy(np.eye(3)[t], np.log(p), from_logits=True), expected)
    b = np.array([1.0, 0.0])
    check(ops.binary_crossentropy(b, np.array([0.8, 0.3])), [-np.log(0.8), -np.log(0.7)], 1e-6)
    check(ops.binary_crossentropy(b, np.array([2.0, -1.0]), from_logits=True), np.log1p(np.exp([-2.0, -1.0])))
    # Of a softmax the cross-entropy takes the logits: finite where the probability underflows.
    hopeless = ops.softmax(np.array([[0.0, 2000.0]]))
    check(ops.sparse_categorical_crossentropy(np.array([0]), hopeless), [2000.0])
    with pytest.raises(ValueError, match="same shape"):
        ops.categorical_crossentropy(np.eye(3), p)
    with pytest.raises(ValueError, match="'categorical_crossentropy'"):
        ops.sparse_categorical_crossentropy(np.eye(3)[t], p)


def conv_reference(x, w, stride):
    """Direct valid convolution, NHWC and HWIO."""
    kh, kw = w.shape[:2]
    oh, ow = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    y = np.zeros((x.shape[0], oh, ow, w.shape[3]))
    for i in range(oh):
        for j in range(ow):
            window = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            y[:, i, j] = np.tensordot(window, w, 3)
    return y


@pytest.mark.parametrize("stride", [1, 2])
def test_conv(stride):
    x, w = array(2, 8, 7, 3), array(3, 2, 3, 4)
    check(ops.conv(x, w, stride), conv_reference(x, w, stride), 1e-10)
    padded = np.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)))
    if stride == 1:
        check(ops.conv(x, w, 1, "same"), conv_reference(padded, w, 1), 1e-10)
    first = ops.conv(np.moveaxis(x, -1, 1), w, stride, data_format="channels_first")
    check(first, np.moveaxis(conv_reference(x, w, stride), -1, 1), 1e-10)
    row = ops.conv(x[:, 0], w[0], stride)
    check(row, conv_reference(x[:, :1], w[:1], stride)[:, 0], 1e-10)
    with pytest.raises(ValueError, match="5 channels"):
        ops.conv(array(2, 8, 7, 5), w)


def test_depthwise_and_transposed_conv():
    x, w = array(2, 6, 6, 3), array(3, 3, 3, 2)
    parts = [conv_reference(x[..., c : c + 1], w[:, :, c : c + 1], 1) for c in range(3)]
    check(ops.depthwise_conv(x, w), np.concatenate(parts, -1), 1e-10)
    # The transposed convolution is the gradient of the convolution.
    y, k = array(2, 4, 4, 5), array(3, 3, 3, 5)
    with dlcore.GradientTape() as tape:
        source = ops.zeros((2, 6, 6, 3), "float64")
        tape.watch(source)
        value = ops.sum(ops.conv(source, k) * y)
    check(ops.conv_transpose(y, k), tape.gradient(value, source), 1e-10)


def test_pooling():
    x = array(2, 6, 4, 3)
    blocks = x.reshape(2, 3, 2, 2, 2, 3)
    check(ops.max_pool(x, 2), blocks.max((2, 4)))
    check(ops.average_pool(x, 2), blocks.mean((2, 4)))
    check(ops.max_pool(x[:, 0], 2), x[:, 0].reshape(2, 2, 2, 3).max(2))
    assert ops.max_pool(x, 3, 2, "same").shape == (2, 3, 2, 3)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float16"])
def test_the_greatest_of_a_window_keeps_the_dtype(dtype):
    x = np.arange(16).astype(dtype).reshape(1, 4, 4, 1)
    y = ops.max_pool(x, 2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy().ravel(), np.array([5, 7, 13, 15]).astype(dtype))
    assert ops.max_pool(KerasTensor((None, 4, 4, 1), dtype), 2).dtype == dtype


def test_the_greatest_of_wide_integers_is_exact():
    x = np.array([2**31 - 5, 2**31 - 6], "int32").reshape(1, 2, 1)
    assert int(ops.max_pool(x, 2)) == 2**31 - 5


@pytest.mark.parametrize(
    "function, at, expected",
    [
        (ops.cbrt, [-8.0, 0.0, 8.0, np.inf], [1 / 12, np.inf, 1 / 12, 0.0]),
        (ops.erfc, [-np.inf, 0.0, np.inf], [0.0, -2 / np.sqrt(np.pi), 0.0]),
        (lambda x: ops.fmod(x, 2.0), [-3.0, -2.0, 0.0, 2.0, 3.0], [1.0] * 5),
        (lambda x: ops.fmod(-5.0, x), [-2.0, 2.0], [-2.0, 2.0]),
    ],
)
def test_gradients_at_zeros_and_ends(function, at, expected):
    x = Variable(np.array(at))
    with dlcore.GradientTape() as tape:
        y = function(x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "function, reference, dtype, reach, bound, at_ends",
    [
        (ops.erfc, scipy.special.erfc, "float64", (-6, 26), 5e-13, (2, 0)),
        (ops.erfc, scipy.special.erfc, "float32", (-4, 9), 2e-5, (2, 0)),
        (ops.i0, scipy.special.i0, "float64", (-700, 700), 4e-15, (np.inf, np.inf)),
        (ops.i0, scipy.special.i0, "float32", (-88, 88), 2e-6, (np.inf, np.inf)),
    ],
)
def test_special_functions_have_their_dtypes_precision(function, reference, dtype, reach, bound, at_ends):
    x = np.linspace(*reach, 3001).astype(dtype)
    y = function(ops.convert_to_tensor(x))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), reference(x.astype("float64")), rtol=bound)
    y = function(ops.convert_to_tensor(np.array([-np.inf, np.inf, 0, np.nan], dtype)))
    np.testing.assert_array_equal(y.numpy(), [*at_ends, 1, np.nan])


def test_attention_masks():
    q, k, v = array(2, 3, 4, 5), array(2, 6, 4, 5), array(2, 6, 4, 5)
    scores = np.einsum("bthd,bshd->bhts", q, k) / np.sqrt(5)
    mask = RNG.integers(0, 2, (2, 1, 3, 6)).astype(bool)
    mask[..., 0] = True
    e = np.where(mask, np.exp(scores), 0)
    expected = np.einsum("bhts,bshd->bthd", e / e.sum(-1, keepdims=True), v)
    check(ops.dot_product_attention(q, k, v, mask=mask), expected, 1e-10)


def test_control_flow():
    check(ops.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), (0, 0))[1], 10)
    check(ops.fori_loop(0, 4, lambda i, s: s + i, 0), 6)
    carry, outputs = ops.scan(lambda c, x: (c + x, c * x), ops.convert_to_tensor(0.0), ops.arange(4, dtype="float32"))
    check(carry, 6.0)
    check(outputs, [0.0, 0.0, 2.0, 9.0])
    check(ops.cond(True, lambda: 1.0, lambda: 2.0), 1.0)


def test_scatter():
    check(ops.scatter([[0], [2], [0]], [1.0, 2.0, 3.0], (4,)), [4.0, 0.0, 2.0, 0.0])
    x = array(3, 4)
    updated = x.copy()
    updated[[0, 2], [1, 3]] = [9.0, 8.0]
    check(ops.scatter_update(x, [[0, 1], [2, 3]], np.array([9.0, 8.0])), updated)
    updated = x.copy()
    updated[1:3, 2:] = 0
    check(ops.slice_update(x, (1, 2), np.zeros((2, 2))), updated)
    check(ops.slice(x, (1, 0), (2, 3)), x[1:3, :3])


def test_keras_tensors():
    x = KerasTensor((None, 4), "float32")
    x.history = (None, 0, 0)
    assert (x + 1).shape == (None, 4)
    assert ops.reshape(x, (-1, 2, 2)).shape == (None, 2, 2)
    assert ops.matmul(x, np.zeros((4, 3), "float32")).shape == (None, 3)
    assert ops.argmax(x, -1).dtype == "int32"
    assert ops.concatenate([x, x], 1).shape == (None, 8)
    assert x[:, 1].shape == (None,)
    assert (x > 0).dtype == "bool"
    assert ops.repeat(x, 3, 0).shape == (None, 4)
    with pytest.raises(ValueError, match="symbolic"):
        np.asarray(x)


def test_two_unknown_sizes():
    x = KerasTensor((None, None, 4), "float32")
    assert ops.expand_dims(x, 1).shape == (None, 1, None, 4)
    # The product of two sizes needs numbers: found with stand-ins.
    assert ops.reshape(x, (-1, 4)).shape == (None, 4)
    assert ops.einsum("abc,cde->abde", x, np.ones((4, 2, 3), "float32")).shape == (None, None, 2, 3)
    assert ops.einsum("ab,cd->abcd", x[..., 0], x[..., 0]).shape == (None, None, None, None)
    assert ops.tensordot(x, np.ones((4, 2, 3), "float32"), 1).shape == (None, None, 2, 3)
    assert ops.tensordot(x, x, axes=[[2], [2]]).shape == (None, None, None, None)


@pytest.mark.parametrize("batch", [None, -1])
def test_axes_of_unknown_sizes_joined_and_parted(batch):
    class Parted(dlcore.layers.Layer):
        def call(self, x):
            rows = ops.reshape(x, (-1, 6))
            return ops.reshape(rows, (ops.shape(x)[0] if batch is None else batch, ops.shape(x)[1], 2, 3))

    assert Parted()(dlcore.Input((None, 6))).shape == (None, None, 2, 3)


GRADIENTS = {
    "exp": lambda x: ops.exp(x),
    "tanh": lambda x: ops.tanh(x),
    "sigmoid": lambda x: ops.sigmoid(x),
    "softplus": lambda x: ops.softplus(x),
    "gelu": lambda x: ops.gelu(x),
    "erf": lambda x: ops.erf(x),
    "power": lambda x: ops.power(ops.abs(x) + 1, 2.5),
    "divide": lambda x: x / (ops.square(x) + 1),
    "softmax": lambda x: ops.softmax(x) * ops.arange(4, dtype="float64"),
    "logsumexp": lambda x: ops.logsumexp(x, axis=1),
    "var": lambda x: ops.var(x, axis=0),
    "max": lambda x: ops.max(x, axis=1),
    "matmul": lambda x: ops.matmul(x, ops.transpose(x)),
    "getitem": lambda x: x[1:, ::-2] * 3.0,
    "take": lambda x: ops.take(x, [2, 0, 2], axis=0) ** 2,
    "concatenate": lambda x: ops.concatenate([x, x * x], 1) ** 2,
    "pad": lambda x: ops.pad(x, 1) ** 2,
    "cumsum": lambda x: ops.cumsum(x, 1) ** 2,
    "sort": lambda x: ops.sort(x, 1) * ops.arange(4, dtype="float64"),
    "where": lambda x: ops.where(x > 0, x * x, -x),
    "einsum": lambda x: ops.einsum("ij,kj->ik", x, x),
    "layer_normalization": lambda x: ops.layer_normalization(x) * ops.arange(4, dtype="float64"),
    "conv": lambda x: ops.conv(ops.reshape(x, (1, 3, 4, 1)), ops.reshape(x[:2, :2], (2, 2, 1, 1))),
    "max_pool": lambda x: ops.max_pool(ops.reshape(x, (1, 3, 4, 1)), 2, 1),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    function = GRADIENTS[name]
    x = np.random.default_rng(7).uniform(-2, 2, (3, 4))
    weight = None

    def value(a):
        nonlocal weight
        y = function(ops.convert_to_tensor(a))
        if weight is None:
            weight = np.random.default_rng(1).normal(size=y.shape)
        return ops.sum(y * weight)

    with dlcore.GradientTape() as tape:
        t = ops.convert_to_tensor(x)
        tape.watch(t)
        y = function(t)
        weight = np.random.default_rng(1).normal(size=y.shape)
        loss = ops.sum(y * weight)
    gradient = tape.gradient(loss, t).numpy()
    step = 1e-6
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        numeric = (float(value(up)) - float(value(down))) / (2 * step)
        assert abs(gradient[index] - numeric) < 1e-6 * max(1.0, abs(numeric)), index


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first", None])
def test_blocks_of_pixels_and_channels(data_format):
    """Pixel (i b + p, j b + q) of channel c is channel (p b + q) C + c of pixel (i, j); with channels first, channel
    c b^2 + p b + q, as Keras on JAX and PyTorch have it."""
    b, deep = 2, np.arange(2 * 3 * 4 * 12, dtype="float32").reshape(2, 3, 4, 12)
    wide = np.zeros((2, 6, 8, 3), "float32")
    for p in range(b):
        for q in range(b):
            wide[:, p::b, q::b] = deep[..., (p * b + q) * 3 : (p * b + q + 1) * 3]
    dlcore.config.set_image_data_format(data_format or "channels_first")
    try:
        if data_format != "channels_last":
            deep, wide = np.moveaxis(deep.reshape(2, 3, 4, 4, 3), 3, -1).reshape(deep.shape), np.moveaxis(wide, -1, 1)
            deep = np.moveaxis(deep, -1, 1)
        np.testing.assert_array_equal(ops.depth_to_space(deep, b, data_format).numpy(), wide)
        np.testing.assert_array_equal(ops.space_to_depth(wide, b, data_format).numpy(), deep)
    finally:
        dlcore.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("axes", [(0, 1), (2, 0), (-1, 1)])
@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_norms_of_matrices(order, axes):
    x = array(3, 4, 5)
    for keepdims in (False, True):
        check(ops.norm(x, order, axes, keepdims), np.linalg.norm(x, order, axes, keepdims), 1e-10)
    check(ops.norm(x[0], order), np.linalg.norm(x[0], order), 1e-10)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, -1.5, np.inf, -np.inf])
def test_norms_of_vectors(order):
    x = array(3, 4, 5)
    check(ops.norm(x, order, 1, True), np.linalg.norm(x, order, 1, True))
    check(ops.norm(x[0, 0], order), np.linalg.norm(x[0, 0], order))


@pytest.mark.parametrize("order, axis", [("fro", 0), ("nuc", None), (3, (0, 1)), (1, None)])
def test_norms_that_do_not_exist(order, axis):
    with pytest.raises(ValueError, match="there is no norm ord=.* Received shape .2, 3, 4."):
        ops.norm(np.ones((2, 3, 4)), order, axis)


def test_masks_of_several_axes():
    x = array(3, 4, 5)
    mask = x[..., 0] > 0
    check(ops.convert_to_tensor(x)[mask], x[mask])
    check(ops.convert_to_tensor(x)[x > 0], x[x > 0])
    check(ops.convert_to_tensor(x)[1:, x[0] > 0], x[1:, x[0] > 0])
    check(ops.convert_to_tensor(x)[..., x[0, 0] > 0], x[..., x[0, 0] > 0])
    with pytest.raises(IndexError, match=r"a mask of shape \(4, 5\) can't select from axes of the sizes \(3, 4\)"):
        ops.convert_to_tensor(x)[x[0] > 0]


def test_segments_leave_out_ids_that_are_none():
    data, ids = np.array([1.0, 2.0, 4.0, 8.0], "float32"), np.array([-1, 1, 0, 5])
    assert ops.segment_sum(data, ids, 3).numpy().tolist() == [4, 2, 0]
    assert ops.segment_max(data, ids, 2).numpy().tolist() == [4, 2]


def test_slices_at_places_of_tensors():
    x = np.arange(24, dtype="float32").reshape(4, 6)
    row, column = dlcore.Input((), dtype="int32", batch_size=1), dlcore.Input((), dtype="int32", batch_size=1)
    data = dlcore.Input((6,), batch_size=4)
    starts = [ops.squeeze(row), ops.squeeze(column)]
    outputs = [ops.slice(data, starts, (2, 3)), ops.slice_update(data, starts, ops.zeros((2, 3)))]
    model = dlcore.Model([data, row, column], outputs)
    for r, c in ((0, 0), (1, 2), (2, 3)):
        piece, updated = model([x, np.array([r], "int32"), np.array([c], "int32")])
        np.testing.assert_array_equal(piece, x[r : r + 2, c : c + 3])
        expected = x.copy()
        expected[r : r + 2, c : c + 3] = 0
        np.testing.assert_array_equal(updated, expected)
    with pytest.raises(IndexError, match="along axis 0 a part of 2 from 3 on does not lie within the 4 elements"):
        ops.slice(x, (3, 0), (2, 3))
    with pytest.raises(TypeError, match=r"x\[start:stop\]: the bounds say how large the result is.*ops.slice"):
        data[:, : starts[0]]


def test_slices_that_begin_before_the_end():
    x, new = np.arange(12, dtype="float32").reshape(3, 4), np.full((2, 2), 50.0, "float32")
    updated = x.copy()
    updated[-2:, 1:3] = new
    check(ops.slice(x, (-2, 1), (2, 2)), x[-2:, 1:3])
    check(ops.slice_update(x, (-2, -3), new), updated)
    data, row = dlcore.Input((4,)), dlcore.Input((), dtype="int32", batch_size=1)
    model = dlcore.Model(data, [ops.slice(data, (-2, 1), (2, 2)), ops.slice_update(data, (-2, -3), new)])
    for got, expected in zip(model(x), (x[-2:, 1:3], updated)):
        check(got, expected)
    data = dlcore.Input((4,), batch_size=3)
    model = dlcore.Model([data, row], ops.slice_update(data, (ops.squeeze(row), -3), new))
    check(model([x, np.array([-2], "int32")]), updated)
    variable = Variable(x)
    with dlcore.GradientTape() as tape:
        y = ops.sum(ops.slice_update(variable, (-2, -3), new))
    check(tape.gradient(y, variable), updated != 50.0)
    for start in (-1, 2, -4):
        with pytest.raises(IndexError, match=f"slice_update: along axis 0 a part of 2 from {start} on does not lie"):
            ops.slice_update(x, (start, 0), new)
    with pytest.raises(ValueError, match="slice_update: .* each of the 2 axes. Received: 1 and 2"):
        ops.slice_update(x, (0,), new)
    assert ops.slice_update(np.array([1, 2, 3]), (1,), [7.9]).numpy().tolist() == [1, 7, 3]  # in its dtype


# ---------------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize("fill_mode", ["constant", "reflect"])
@pytest.mark.parametrize("kind", ["affine", "perspective"])
def test_gradients_of_projections(kind, fill_mode):
    """With respect to images and to the map, against central differences."""
    random = np.random.default_rng(3)
    images = random.normal(size=(2, 5, 6, 2))
    weights = random.normal(size=images.shape)
    if kind == "affine":
        shift = np.array(
            [[0.9, 0.1, 0.33, -0.2, 1.1, 0.21, 0.0, 0.0], [1.03, 0.31, -1.707, 0.23, 0.81, 0.617, 0.013, 0.021]]
        )

        def project(x, numbers):
            return ops.image.affine_transform(x, numbers, fill_mode=fill_mode, fill_value=0.5)

    else:
        shift = np.array([[0.3, 0.2], [4.6, 0.1], [0.4, 4.2], [5.2, 3.9]])
        end = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]])

        def project(x, numbers):
            return ops.image.perspective_transform(x, numbers, end, fill_value=0.5)

    inputs = [Variable(images, dtype="float64"), Variable(shift, dtype="float64")]

    def loss():
        return ops.sum(project(*inputs) * weights)

    with dlcore.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, inputs)
    step = 1e-6
    for variable, gradient in zip(inputs, gradients):
        start = variable.numpy()
        expected = np.zeros_like(start)
        for at in np.ndindex(start.shape):
            moved = [start.copy(), start.copy()]
            moved[0][at] += step
            moved[1][at] -= step
            losses = []
            for place in moved:
                variable.assign(place)
                losses.append(float(loss()))
            expected[at] = (losses[0] - losses[1]) / (2 * step)
        variable.assign(start)
        check(gradient, expected, 1e-6)


@pytest.mark.parametrize(
    ("segments", "reduction", "join", "neutral"),
    [
        (ops.segment_max, "max", np.maximum, -np.inf),
        (ops.segment_min, "min", np.minimum, np.inf),
        (ops.segment_prod, "mul", np.multiply, 1.0),
    ],
)
def test_rows_are_joined_in_time_that_grows_with_their_number(segments, reduction, join, neutral):
    # A table of all segments by all rows would take 20 GB.
    count, width = 50_000, 2
    random = np.random.RandomState(0)
    rows = random.uniform(0.5, 1.5, (2 * count, width)).astype("float32")
    ids = random.randint(0, count, 2 * count)
    expected = np.full((count, width), neutral, "float32")
    join.at(expected, ids, rows)
    np.testing.assert_allclose(segments(rows, ids, num_segments=count), expected, rtol=1e-6)
    table = random.uniform(0.5, 1.5, (count, width)).astype("float32")
    updated = ops.scatter_update(table, ids[:, None], rows, reduction=reduction)
    join.at(table, ids, rows)
    np.testing.assert_allclose(updated, table, rtol=1e-6)


def test_segments_without_rows():
    data = np.array([3, -1], "int32")
    assert np.asarray(ops.segment_max(data, [1, 1], num_segments=3)).tolist() == [-(2**31), 3, -(2**31)]
    assert np.asarray(ops.segment_min(data > 0, [1, 1], num_segments=2)).tolist() == [True, False]
    assert np.asarray(ops.segment_max(data > 0, [1, 1], num_segments=2)).tolist() == [False, True]
    assert np.asarray(ops.segment_prod(data, [1, -1], num_segments=2)).tolist() == [1, 3]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_over_paths_are_computed_in_float32(dtype):
    logits = ops.cast(np.random.default_rng(0).normal(size=(2, 6, 4)), dtype)
    wide, lengths = ops.cast(logits, "float32"), np.array([6, 4])
    loss = ops.ctc_loss([[1, 2], [3, 0]], logits, [2, 1], lengths)
    assert loss.dtype == "float32"
    np.testing.assert_array_equal(loss, ops.ctc_loss([[1, 2], [3, 0]], wide, [2, 1], lengths))
    for strategy in ("greedy", "beam_search"):
        assert ops.ctc_decode(logits, lengths, strategy=strategy)[1].dtype == "float32"


def test_moments_of_float16_are_finite():
    x = ops.convert_to_tensor([[60000.0, -60000.0]], "float16")
    mean, variance = ops.moments(x, (0, 1))
    assert mean.dtype == variance.dtype == "float16"
    assert (float(mean), float(variance)) == (0.0, 65504.0)


def test_concatenate_without_an_axis_takes_all_elements():
    x, y = np.arange(6).reshape(2, 3), np.arange(4)
    np.testing.assert_array_equal(ops.concatenate([x, y], axis=None), np.concatenate([x, y], axis=None))
    assert ops.concatenate([KerasTensor((None, 3)), KerasTensor((2,))], axis=None).shape == (None,)
