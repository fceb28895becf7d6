"""ops against NumPy, their promotion rules, KerasTensors, and their gradients against finite differences."""

import numpy as np
import pytest

import dlcore
from dlcore import KerasTensor, Variable, ops
from dlcore.backend import result_type

RNG = np.random.default_rng(0)


def array(*shape, low=-2.0, high=2.0):
    return RNG.uniform(low, high, shape)


def check(result, expected, tolerance=1e-12):
    got = ops.convert_to_numpy(result)
    expected = np.asarray(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


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
    ],
)
def test_einsum(subscripts, shapes):
    operands = [array(*shape) for shape in shapes]
    check(ops.einsum(subscripts, *operands), np.einsum(subscripts, *operands))


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


def test_operators_and_conversions():
    t = ops.convert_to_tensor(np.array([1.0, -2.0]))
    check(2 - t, [1.0, 4.0])
    check(1 / (t + 3), [0.25, 1.0])
    check(-t, [-1.0, 2.0])
    check(abs(t), [1.0, 2.0])
    check(t**2, [1.0, 4.0])
    check((t > 0) | (t < -1), [True, True])
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


# ---- what is given in other dtypes and ranks than usual


@pytest.mark.parametrize("n", [4, 7, 64, 97, 360])
def test_transforms_of_a_single_row(n):
    x = np.random.default_rng(n).normal(size=n)
    real, imaginary = ops.fft((x, np.zeros(n)))
    check(real.numpy() + 1j * imaginary.numpy(), np.fft.fft(x), 1e-5)
    check(ops.irfft(ops.rfft(x), n), x, 1e-5)


def test_bools_as_numbers():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    for got, expected in ((ops.add(a, b), a + b), (ops.multiply(a, b), a * b), (ops.absolute(a), a)):
        assert got.dtype == "bool"
        np.testing.assert_array_equal(got.numpy(), expected)
    assert ops.add(a, 1).dtype == "int32"


def test_integers_into_functions_of_floats():
    x = np.array([-2, 0, 3], "int32")
    check(ops.elu(x), np.where(x < 0, np.exp(x) - 1.0, x), 1e-6)
    check(ops.leaky_relu(x, 0.5), [-1.0, 0.0, 3.0])
    check(ops.soft_shrink(x), [-1.5, 0.0, 2.5])
    for function in (ops.nan_to_num, ops.trunc):
        assert function(x).dtype == "int32"
        np.testing.assert_array_equal(function(x).numpy(), x)
    np.testing.assert_array_equal(ops.hstack([1.0, 2.0]).numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(ops.erfinv([-1.0, 0.0, 1.0]).numpy(), [-np.inf, 0.0, np.inf])


NOTHING = np.zeros((0,), "float32")
NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    "call, expected, dtype",
    [
        (lambda: ops.argsort(3.0), [0], "int32"),
        (lambda: ops.normalize(-3.0), [-1.0], "float32"),
        (lambda: ops.rms_normalization(-3.0), [-1.0], "float32"),
        (lambda: ops.layer_normalization([1.0, 2.0], axis=()), [0.0, 0.0], "float32"),
        (lambda: ops.logsumexp([1.0, 2.0], axis=()), [1.0, 2.0], "float32"),
        (lambda: ops.corrcoef(3.0), NAN, "float32"),
        (lambda: ops.repeat(3.0, 2, axis=-1), [3.0, 3.0], "float32"),
        (lambda: ops.power([True, False], 2), [1, 0], "int32"),
        (lambda: ops.vander([True, False, True], 2), [[True, True], [False, True], [True, True]], "bool"),
        (lambda: ops.matmul(ops.ones((1, 2), "bool"), ops.ones((2, 1), "int8")), [[2]], "int8"),
        (lambda: ops.unique([2, 1, 2]), [1, 2], "int32"),
        (lambda: ops.unique([2.5]), [2.5], "float32"),
        (lambda: ops.arange(ops.cast(3, "float16")), [0.0, 1.0, 2.0], "float16"),
        (lambda: ops.arange(ops.cast(3, "int8"), 4.0), [3.0], "float32"),
        (lambda: ops.arange(np.int64(2)), [0, 1], "int32"),
        (lambda: ops.median(NOTHING), NAN, "float32"),
        (lambda: ops.quantile(np.ones((2, 0), "float32"), [0.25, 0.5], axis=-1), [[NAN, NAN], [NAN, NAN]], "float32"),
        (lambda: ops.nanmedian(np.ones((2, 0), "float32"), axis=1, keepdims=True), [[NAN], [NAN]], "float32"),
        (lambda: ops.quantile([1.0, 2.0], []), NOTHING, "float32"),
        (lambda: ops.histogram(NOTHING, 2)[0], [0.0, 0.0], "float32"),
        (lambda: ops.histogram(NOTHING, 2)[1], [0.0, 0.5, 1.0], "float32"),
        (lambda: ops.bincount(np.zeros((0,), "int32")), np.zeros((0,)), "int32"),
        (lambda: ops.bincount(np.zeros((0,), "int32"), minlength=2), [0, 0], "int32"),
        (lambda: ops.bincount(np.zeros((2, 0), "int32")), np.zeros((2, 0)), "int32"),
        (lambda: ops.bincount(np.zeros((2, 0), "int32"), minlength=1), [[0], [0]], "int32"),
        (lambda: ops.top_k([[1.0, 2.0]], 0)[0], np.zeros((1, 0)), "float32"),
        (lambda: ops.top_k([[1.0, 2.0]], 0)[1], np.zeros((1, 0)), "int32"),
        (lambda: ops.segment_max(NOTHING, np.zeros((0,), "int32"), 2), [-INF, -INF], "float32"),
        (lambda: ops.segment_min(np.zeros((0,), "int32"), np.zeros((0,), "int32"), 1), [2**31 - 1], "int32"),
    ],
)
def test_scalars_bools_and_nothing(call, expected, dtype):
    """As Keras has it on NumPy and TensorFlow."""
    result = call()
    assert result.dtype == dtype and result.shape == np.shape(expected)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.tril(np.ones(3)), r"tril: expected matrices \(..., m, n\). Received shape \(3,\)"),
        (lambda: ops.vander(np.ones((2, 3))), r"vander: expected a vector. Received shape \(2, 3\)"),
        (lambda: ops.unstack(np.ones(0), axis=1), "axis 1 is out of bounds for a tensor of 1 axes"),
        (
            lambda: ops.dot(np.ones((0, 3)), np.ones((2, 1, 3))),
            r"axis 1 of x1 and axis 1 of x2 are summed .*\(2, 1, 3\)",
        ),
        (
            lambda: ops.inner(np.ones((0, 3)), np.ones(1)),
            r"axis 1 of x1 and axis 0 of x2 are summed .*\(0, 3\) and \(1,\)",
        ),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 0), (0, 3)),
        ((5, 2, 0), (0, 3)),
        ((5, 2, 3), (3, 0)),
        ((5, 0, 3), (3, 2)),
        ((5, 2, 0), (0,)),
        ((0,), (4, 0, 2)),
    ],
)
def test_gradients_of_products_over_nothing(shapes):
    a, b = (Variable(np.ones(shape, "float32")) for shape in shapes)
    with dlcore.GradientTape() as tape:
        y = ops.sum(ops.matmul(a, b))
    for gradient, shape in zip(tape.gradient(y, [a, b]), shapes):
        assert gradient.shape == shape and not np.any(gradient.numpy())


@pytest.mark.parametrize("spaced", [ops.linspace, ops.logspace, ops.geomspace])
@pytest.mark.parametrize("endpoint", [True, False])
def test_spaced_numbers_between_tensors(spaced, endpoint):
    """They are traced and have gradients, and are those between numbers."""
    start, stop = np.array([[1.0], [2.0]], "float32"), np.array([3.0, 0.5, 2.0], "float32")
    options = {"num": 4, "endpoint": endpoint, "axis": -1}
    inputs = dlcore.Input((1,))
    model = dlcore.Model(inputs, spaced(inputs, stop, **options))
    assert model.output_shape == (None, 3, 4)
    expected = getattr(np, spaced.__name__)(start, stop, **options)
    check(model.predict(start, verbose=0), expected, 1e-5)
    begin = Variable(start)
    with dlcore.GradientTape() as tape:
        y = ops.sum(spaced(begin, stop, **options))
    h = 1e-3
    above, below = (getattr(np, spaced.__name__)(start + d, stop, **options).sum(axis=(1, 2)) for d in (h, -h))
    np.testing.assert_allclose(tape.gradient(y, begin).numpy()[:, 0], (above - below) / (2 * h), rtol=1e-2)


def test_spaced_numbers_and_their_step():
    values, step = ops.linspace(ops.array(0.0), 1, 5, retstep=True)
    check(values, [0, 0.25, 0.5, 0.75, 1])
    assert step == 0.25
    assert ops.linspace(ops.array([0, 10]), 5, 3).dtype == "float32"
    assert ops.linspace(ops.array(0.0), 10.0, 3, dtype="int32").numpy().tolist() == [0, 5, 10]
    assert ops.linspace(ops.ones(2), 3.0, 0).shape == (0, 2)
    assert ops.linspace(ops.array(2.0), 3.0, 1).numpy().tolist() == [2.0]


def test_vectorize():
    assert ops.vectorize(lambda a, b: a + b)([1, 2, 3, 4], 2).numpy().tolist() == [3, 4, 5, 6]
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    by_element = ops.vectorize(lambda a: ops.sum(a))
    np.testing.assert_array_equal(by_element(x), x)
    np.testing.assert_array_equal(ops.vectorize(ops.sum, signature="(n)->()")(x), x.sum(axis=1))
    product = ops.vectorize(ops.matmul, signature="(n,m),(m)->(n)")
    matrices, vector = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32"), x[1]
    np.testing.assert_allclose(product(matrices, vector), matrices @ vector, rtol=1e-5)
    least, greatest = ops.vectorize(lambda row: (ops.min(row), ops.max(row)), signature="(n)->(),()")(x)
    assert least.numpy().tolist() == [0, 3] and greatest.numpy().tolist() == [2, 5]
    power = ops.vectorize(lambda a, exponent=1: a**exponent, excluded={"exponent"})
    np.testing.assert_allclose(power(x, exponent=2), x**2)
    scaled = ops.vectorize(lambda a, factors: a * factors[1], excluded={1})
    np.testing.assert_array_equal(scaled(x, [1.0, 3.0]), 3 * x)
    inputs = dlcore.Input((3,))
    model = dlcore.Model(inputs, by_element(inputs))
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    with pytest.raises(ValueError, match=r'signature must be like "\(n,m\),\(m\)->\(n\)". Got signature=\'n->m\''):
        ops.vectorize(ops.sum, signature="n->m")
    with pytest.raises(ValueError, match="names 1 arguments. Got 2"):
        ops.vectorize(ops.add, signature="(n)->()")(x, x)


def test_segments_of_bools_and_bytes():
    rows, ids = np.array([[1, 0], [1, 1], [0, 1]]), np.array([0, 1, 1])
    expected = {
        "max": [[1, 0], [1, 1], [0, 0]],
        "min": [[1, 0], [0, 1], [1, 1]],
        "prod": [[1, 0], [0, 1], [1, 1]],
    }
    for name, values in expected.items():
        result = getattr(ops, f"segment_{name}")(rows.astype(bool), ids, num_segments=3)
        assert result.dtype == "bool" and result.numpy().tolist() == np.array(values, bool).tolist()
    assert ops.segment_prod(rows.astype("int8"), ids, num_segments=3).dtype == "int8"


def test_powers_and_quotients_of_bools_are_int32():
    x = np.array([True, False])
    for function in (ops.power, ops.floor_divide):
        result = function(x, np.array([True, True]))
        assert result.dtype == "int32" and result.numpy().tolist() == [1, 0]
    assert ops.power(x, 2).dtype == "int32"
    assert ops.relu(x).dtype == "int32" and ops.relu6(np.array([3, 9])).dtype == "float32"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.fft((np.float32(1), np.float32(1))), "fft: expected a tensor of at least 1 axes"),
        (lambda: ops.fft2((np.ones(3), np.ones(3))), "fft2: expected a tensor of at least 2 axes"),
        (lambda: ops.istft((np.ones(3), np.ones(3)), 4, 1, 4), "istft: expected a tensor of at least 2 axes"),
        (lambda: ops.stft(np.ones(9), 4, 0, 4), "stft: sequence_stride must be an int >= 1. Got sequence_stride=0"),
        (lambda: ops.extract_sequences(np.ones(9), 4, 0), "sequence_stride must be an int >= 1"),
        (lambda: ops.extract_sequences(np.float32(9), 4, 1), "at least one axis"),
        (lambda: ops.depth_to_space(np.ones((1, 2, 2, 4)), 0), "block_size must be an int >= 2. Got block_size=0"),
        (lambda: ops.space_to_depth(np.ones((1, 2, 2, 4)), 1), "block_size must be an int >= 2. Got block_size=1"),
        (lambda: ops.normalize(np.ones(3), order=0), "order must be an int >= 1. Got order=0"),
        (lambda: ops.image.resize(np.ones((4, 4, 3)), (0, 3)), "height and width must be positive"),
        (lambda: ops.image.affine_transform(np.ones((4, 4, 3)), np.ones((2, 3, 2))), r"\(N, 8\) or \(8,\)"),
        (lambda: ops.image.map_coordinates(np.ones((4, 4)), np.ones(2), 0), "coordinates of at least 2 axes"),
        (lambda: ops.image.extract_patches_3d(np.ones((1, 4, 4, 4, 1)), (2, 2)), "size must be an int or 3 ints"),
        (lambda: ops.image.extract_patches(np.ones((1, 4, 4, 1)), "5"), "size must be an int or 2 ints"),
        (lambda: ops.image.crop_images(np.ones((4, 4, 1)), -1, 0, None, None, 2, 2), "top_cropping must not be neg"),
        (lambda: ops.slice(np.ones((3, 3)), (1, 1), (2, 2, 2)), "a number for each of the 2 axes. Received: 2 and 3"),
        (lambda: ops.where([True], [1.0]), "where: give both x1 and x2, or neither"),
        (lambda: ops.pad(np.ones(3), 1, "reflect", 2.0), "constant_values are of the mode"),
        (lambda: ops.swapaxes(np.ones((3, 4)), 5, 0), "axis 5 is out of bounds"),
        (lambda: ops.meshgrid(np.ones(3), np.ones(2), indexing="kk"), 'indexing must be "xy" or "ij"'),
        (lambda: ops.diag(np.ones((2, 3, 4))), "diag: expected a vector or a matrix"),
        (lambda: ops.argpartition(np.ones(3), (1, 2)), "argpartition: kth must be an int"),
        (lambda: ops.histogram(np.ones((2, 3))), "histogram: expected a tensor of one axis"),
        (lambda: ops.histogram(np.ones(3), range=(5, 1)), "range must be a pair"),
        (lambda: ops.scan(lambda c, x: (c, x), 0.0), "scan: give xs, or the number of steps"),
        (lambda: ops.scan(lambda c, x: (c, x), 0.0, np.ones(3), unroll=-1), "unroll must be an int >= 1"),
    ],
)
def test_errors_of_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lu_of_other_shapes():
    for shape in ((3, 5), (5, 3), (2, 4, 2)):
        x = np.random.RandomState(0).randn(*shape)
        lu, pivots = (np.asarray(part) for part in ops.lu_factor(x))
        matrices, lu = (a.reshape(-1, *shape[-2:]) for a in (x, lu))
        for matrix, factors, swaps in zip(matrices, lu, pivots.reshape(len(lu), -1)):
            size = min(matrix.shape)
            lower = np.tril(factors, -1)[:, :size] + np.eye(matrix.shape[0], size)
            rows = list(range(matrix.shape[0]))
            for i, j in enumerate(swaps):
                rows[i], rows[j] = rows[j], rows[i]
            np.testing.assert_allclose(lower @ np.triu(factors)[:size], matrix[rows], atol=1e-5)


def test_softmax_of_one_number_warns():
    with pytest.warns(UserWarning, match=r"softmax over axis 1 of shape \(2, 1\) is always 1"):
        ops.softmax(np.ones((2, 1)), axis=1)


def test_rms_normalization_keeps_the_dtype():
    x = ops.full((2, 8), 300.0, "float16")  # whose squares float16 can't hold
    y = ops.rms_normalization(x, ops.ones(8, "float32"))
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, 1.0, atol=1e-3)


def test_functions_of_functions_in_a_model():
    x, which = dlcore.Input((3,), batch_size=2), dlcore.Input((), dtype="int32", batch_size=2)
    branches = [lambda t: t + 1.0, lambda t: t * 2.0, lambda t: -t]
    outputs = {
        "map": ops.map(lambda row: row * row[0], x),
        "scan": ops.scan(lambda carry, row: (carry + row, carry), ops.zeros(3), x)[0],
        "running": ops.associative_scan(ops.add, x, axis=1),
        "loop": ops.fori_loop(0, 3, lambda i, t: t + i, x),
        "switch": ops.switch(which[0], branches, x),
        "cond": ops.cond(which[0] > 1, lambda: ops.ones(3), lambda: ops.zeros(3)),
    }
    model = dlcore.Model([x, which], outputs)
    data = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    for index, expected in ((0, data + 1), (1, data * 2), (5, -data)):
        for found in (model([data, np.full(2, index)]), model.predict([data, np.full(2, index)], verbose=0)):
            np.testing.assert_array_equal(found["switch"], expected)
    found = model([data, np.full(2, 5)])
    np.testing.assert_array_equal(found["map"], data * data[:, :1])
    np.testing.assert_array_equal(found["scan"], data.sum(0))
    np.testing.assert_array_equal(found["running"], data.cumsum(1))
    np.testing.assert_array_equal(found["loop"], data + 3)
    np.testing.assert_array_equal(found["cond"], np.ones(3))


def test_take_along_axis_broadcasts_both():
    x = np.arange(12).reshape(1, 1, 3, 4)
    indices = np.array([0, 2, 1, -1]).reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(ops.take_along_axis(x, indices, axis=2), np.take_along_axis(x, indices, axis=2))


def test_medians_of_infinities():
    x = np.array([[1.0, np.inf, np.inf], [-np.inf, np.nan, -np.inf]])
    np.testing.assert_array_equal(ops.nanmedian(x, axis=1), [np.inf, -np.inf])
    np.testing.assert_array_equal(ops.median([np.inf, np.inf, 1.0, np.inf]), np.inf)


def test_each_nan_is_unique():
    values, counts = ops.unique([np.nan, 1.0, np.nan], return_counts=True)
    np.testing.assert_array_equal(values, [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(counts, [1, 1, 1])


def test_dtype_of_averages():
    half = ops.ones(2, "bfloat16")
    assert [ops.average(ops.ones(2, kind), weights=half).dtype for kind in ("bool", "int32", "float32")] == [
        "bfloat16",
        "bfloat16",
        "float32",
    ]
