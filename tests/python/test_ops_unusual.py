"""ops of what is given in other dtypes and ranks than usual, of nothing, and of what they can't take."""

import functools

import numpy as np
import pytest
from checking import check

import dlcore
from dlcore import Variable, ops


@pytest.mark.parametrize("n", [1, 2, 5, 64, 65, 96, 101, 400, 512, 502, 4096, 8192])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fourier_transforms_of_any_size(n, dtype):
    random = np.random.default_rng(n)
    x, y = random.normal(size=(2, 3, 2, n)).astype(dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-6  # of what is normal with deviation 1

    def check_parts(parts, expected):
        assert parts[0].dtype == dtype
        scale = np.sqrt(n)
        check((parts[0].numpy() + 1j * parts[1].numpy()) / scale, expected / scale, 4 * tolerance)

    check_parts(ops.fft((x, y)), np.fft.fft(x.astype("float64") + 1j * y))
    check_parts(ops.rfft(x), np.fft.rfft(x.astype("float64")))
    check_parts(ops.rfft(x[0, 0]), np.fft.rfft(x[0, 0].astype("float64")))  # a single row
    check(ops.irfft(ops.rfft(x), n), x, 4 * tolerance)


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
        (lambda: ops.histogram(2.5, 2)[0], [0.0, 1.0], "float32"),
        (lambda: ops.histogram(2.5, 2)[1], [2.0, 2.5, 3.0], "float32"),
        (lambda: ops.softmax(2.5), 1.0, "float32"),
        (lambda: ops.softmax(2.5, axis=0), 1.0, "float32"),
        (lambda: ops.log_softmax(2.5), 0.0, "float32"),
        (lambda: ops.tril([1, 2, 3]), [[1, 0, 0], [1, 2, 0], [1, 2, 3]], "int32"),
        (lambda: ops.triu([1.0, 2.0, 3.0], 1), [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]], "float32"),
        (lambda: ops.clip([1.0, 2.0], NAN, 1.0), [NAN, NAN], "float32"),
        (lambda: ops.clip([1.0, 2.0], 0, NAN), [NAN, NAN], "float32"),
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
        (lambda: ops.tril(1.0), r"tril: expected matrices \(..., m, n\) or a vector. Received shape \(\)"),
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


def test_a_loop_until_the_values_say_so():
    x = dlcore.Input((3,))
    grown = ops.while_loop(lambda i, y: ops.sum(y) < 100, lambda i, y: (i + 1, y * 2), (0, x), maximum_iterations=5)
    model = dlcore.Model(x, grown)
    data = np.array([[1.0, 2.0, 3.0]], "float32")
    for start, count in ((1.0, 5), (9.0, 1), (50.0, 0)):
        for i, y in (model(data * start), model.predict(data * start, verbose=0)):
            assert np.all(i == count)
            np.testing.assert_array_equal(y, data * start * 2**count)
    variable = dlcore.Variable(data)
    with dlcore.GradientTape() as tape:
        y = dlcore.Function(x, grown[1])(variable)
    np.testing.assert_array_equal(tape.gradient(y, variable), np.full((1, 3), 32.0))

    model = dlcore.Model(x, ops.while_loop(lambda y: ops.sum(y) < 100, lambda y: y * 2, x))
    np.testing.assert_array_equal(model(data), data * 32)
    np.testing.assert_array_equal(dlcore.Model(x, model(x) + 1)(data), data * 32 + 1)
    with pytest.raises(TypeError, match="Give maximum_iterations=, or run eagerly"):
        model.predict(data, verbose=0)
    model.compile(run_eagerly=True)
    np.testing.assert_array_equal(model.predict(data, verbose=0), data * 32)


def test_shapes_that_depend_on_values_in_a_model():
    x = dlcore.Input((3,))
    outputs = [*ops.nonzero(x), *ops.where(x > 1), *ops.unique(x, return_inverse=True, return_counts=True)]
    outputs += [ops.unique(x, axis=1, size=2)]
    assert [y.shape for y in outputs] == [(None,)] * 5 + [(None, 3), (None,), (None, 2)]
    assert [y.dtype for y in outputs] == ["int32"] * 4 + ["float32", "int32", "int32", "float32"]
    data = np.array([[0.0, 2.0, 2.0], [3.0, 0.0, 0.0]], "float32")
    expected = [*np.nonzero(data), *np.nonzero(data > 1), *np.unique(data, return_inverse=True, return_counts=True)]
    expected += [np.unique(data, axis=1)]
    for found, value in zip(dlcore.Model(x, outputs)(data), expected):
        np.testing.assert_array_equal(found, np.reshape(value, found.shape))


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


def test_the_last_update_of_a_place_stays():
    x, places = ops.array([4.0, 1.0, 3.0, 4.0]), [[0], [2], [0], [-4], [1]]
    values = ops.array([1.0, 5.0, 7.0, 9.0, np.nan])
    np.testing.assert_array_equal(ops.scatter_update(x, places, values), [9.0, np.nan, 5.0, 4.0])
    small = ops.scatter_update(np.array([4, 1, 3], "uint8"), [[0], [2], [0]], np.array([1, 5, 7], "uint8"))
    assert small.dtype == "uint8" and small.numpy().tolist() == [7, 1, 5]
    flags = ops.scatter_update(np.array([False, True]), [[0], [0]], np.array([True, False]))
    assert flags.dtype == "bool" and flags.numpy().tolist() == [False, True]
    rows = ops.scatter_update(np.zeros((2, 2), "int32"), [[1], [1]], np.array([[1, 2], [3, 4]], "int32"))
    assert rows.numpy().tolist() == [[0, 0], [3, 4]]
    with dlcore.GradientTape() as tape:
        tape.watch([x, values])
        y = ops.sum(ops.scatter_update(x, [[0], [2], [0]], values[:3]) * np.array([1, 2, 3, 4], "float32"))
    dx, dvalues = tape.gradient(y, [x, values])
    assert dx.numpy().tolist() == [0, 2, 0, 4] and dvalues.numpy().tolist() == [0, 3, 1, 0, 0]


@pytest.mark.parametrize("reduction", [None, "add", "max", "min", "mul"])
def test_updates_at_negative_indices(reduction):
    x = np.arange(1, 7, dtype="float32").reshape(2, 3)
    update = {None: lambda old, new: new, "add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}
    for places, new in (([[-1, -1], [0, -3]], [9.0, 0.5]), ([[-1]], [[9.0, 0.5, 2.0]])):
        expected = x.copy()
        for place, value in zip(places, np.array(new, "float32")):
            expected[tuple(place)] = update[reduction](expected[tuple(place)], value)
        np.testing.assert_array_equal(ops.scatter_update(x, places, new, reduction), expected)
    for place in ([0, 3], [0, -4], [2, 0]):  # never another element
        with pytest.raises(IndexError, match="is out of range"):
            ops.scatter_update(x, [place], [5.0], reduction)


def test_scattered_at_negative_indices():
    assert ops.scatter([[0, -1], [-1, 0]], [1.0, 2.0], (2, 3)).numpy().tolist() == [[0, 0, 1], [2, 0, 0]]
    with pytest.raises(IndexError, match="index 4 .* is out of range"):
        ops.scatter([[0, 4]], [1.0], (2, 3))


@pytest.mark.parametrize("reduction", [None, "add", "max", "min", "mul"])
@pytest.mark.parametrize(
    ("dtype", "updates"),
    [
        ("float16", np.array([5.0], "float32")),
        ("int32", [1.7]),
        ("uint8", np.array([5], "int64")),
        ("bool", np.array([2], "int32")),
    ],
)
def test_updates_keep_the_dtype(dtype, updates, reduction):
    x = np.array([1, 0], dtype)
    result = ops.scatter_update(x, [[0]], updates, reduction)
    assert result.dtype == dtype
    if reduction is None:
        assert result.numpy().tolist() == [np.array(updates).astype(dtype)[0], x[1]]


@pytest.mark.parametrize("mode", ["edge", "wrap", "reflect", "symmetric"])
def test_padding_with_elements(mode):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for width in (1, ((0, 2), (1, 0)), 5):
        padded = np.pad(x, width, mode)
        np.testing.assert_array_equal(ops.pad(x, width, mode), padded)
        assert ops.pad(dlcore.KerasTensor((2, 3)), width, mode).shape == padded.shape
    if mode in ("edge", "wrap"):
        assert ops.pad(dlcore.KerasTensor((None, 3)), 1, mode).shape == (None, 5)
    assert ops.pad(dlcore.KerasTensor((None, 3)), ((0, 0), (2, 2)), mode).shape == (None, 7)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("mode", ["maximum", "minimum", "mean", "median", "linear_ramp"])
def test_padding_with_what_is_computed(mode, dtype):
    x = (np.array([[1, 5, -3, 2], [7, 2, 0, -6], [4, 4, -8, 1]]) * 3).astype(dtype)
    for width in (1, ((0, 2), (1, 0)), ((5, 0), (0, 3)), 0):
        padded = np.pad(x, width, mode)
        got = ops.pad(x, width, mode)
        assert got.dtype == dtype
        # The mean of padded means of integers is rounded once more than NumPy's.
        np.testing.assert_allclose(got, padded, rtol=1e-6, atol=mode == "mean" and dtype == "int32")
        assert ops.pad(dlcore.KerasTensor((3, 4)), width, mode).shape == padded.shape
    assert ops.pad(dlcore.KerasTensor((None, 3)), ((0, 0), (2, 2)), mode).shape == (None, 7)


def test_padding_by_other_names():
    x = np.arange(1, 4, dtype="float32")
    assert ops.pad(x, 2, "circular").numpy().tolist() == [2, 3, 1, 2, 3, 1, 2]
    assert ops.pad(x, 2, "empty").shape == (7,)
    with pytest.raises(ValueError, match='pad: unknown mode \'replicate\'. Known names: .*"edge".*"wrap"'):
        ops.pad(x, 1, "replicate")


@pytest.mark.parametrize(
    "shapes",
    [((2, 1, 3, 2, 2), (2, 3, 2, 2)), ((2, 2, 2, 2, 2, 2), (3,)), ((2, 3), (1, 4)), ((2,), (3, 4)), ((), (3,))],
)
def test_products_of_kronecker(shapes):
    a, b = (np.arange(np.prod(shape), dtype="float32").reshape(shape) for shape in shapes)
    np.testing.assert_array_equal(ops.kron(a, b), np.kron(a, b))


def test_clip_to_one_side():
    x = np.array([-3, 0, 3], "int32")
    assert ops.clip(x, None, 1).numpy().tolist() == [-3, 0, 1]
    assert ops.clip(x, -1, None).numpy().tolist() == [-1, 0, 3]
    assert ops.clip(x, 0.5, None).dtype == "float32" and ops.clip(x, None, None).dtype == "int32"


def test_whole_numbers_are_rounded_down():
    for start in (-2, ops.array(-2.0)):
        assert ops.linspace(start, 1, 5, endpoint=False, dtype="int32").numpy().tolist() == [-2, -2, -1, -1, 0]


def test_exponents_beyond_the_dtype():
    x = np.array([0.0, 1.0, 1e-30, 1e30, -np.inf], "float32")
    for exponent in (300, 130, -130, -300, 5):
        with np.errstate(over="ignore", under="ignore"):
            expected = np.ldexp(x, exponent)
        np.testing.assert_allclose(ops.ldexp(x, exponent), expected, rtol=1e-6, atol=1e-38)
    np.testing.assert_array_equal(ops.ldexp(np.array([0.0, 3e-300]), 1100), np.ldexp([0.0, 3e-300], 1100))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_bits_as_numpy(dtype):
    generator, ends = np.random.default_rng(0), np.iinfo(dtype)
    x = generator.integers(ends.min, ends.max, (7, 143), dtype, endpoint=True)
    y = generator.integers(ends.min, ends.max, (143,), dtype, endpoint=True)
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm"):
        np.testing.assert_array_equal(getattr(ops, name)(x, y), getattr(np, name)(x, y), err_msg=name)
        assert getattr(ops, name)(x, y).dtype == dtype
    np.testing.assert_array_equal(ops.bitwise_not(x), ~x)
    count = np.arange(7, dtype=dtype)[:, None] * 11
    np.testing.assert_array_equal(ops.left_shift(x, count), x << count)
    np.testing.assert_array_equal(ops.right_shift(x, count), x >> count)
    np.testing.assert_array_equal(ops.bitwise_and(x, 5), x & np.array(5, dtype))


def test_bits_of_bools_and_of_compiled_functions():
    x, y = np.array([False, False, True, True]), np.array([False, True, False, True])
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        assert getattr(ops, name)(x, y).numpy().tolist() == getattr(np, name)(x, y).tolist()
    assert ops.bitwise_not(x).numpy().tolist() == [True, True, False, False]
    assert ops.left_shift(x, y).dtype == "int32" and ops.left_shift(x, y).numpy().tolist() == [0, 0, 1, 2]
    with pytest.raises(TypeError, match="bitwise_or: expected integers or bools. Received dtype float32"):
        ops.bitwise_or(np.zeros(2, "float32"), 1)
    with pytest.raises(TypeError, match="gcd: expected integers. Received dtype bool"):
        ops.gcd(x, y)

    class Hash(dlcore.layers.Layer):
        def call(self, x):
            return ops.cast(ops.bitwise_and(ops.bitwise_xor(x, ops.right_shift(x, 4)), 255), "float32") / 2

    inputs = dlcore.Input((3,), dtype="int32")
    numbers = np.arange(600, dtype="int32").reshape(200, 3) * 7919
    found = dlcore.Model(inputs, Hash(dtype="int32")(inputs)).predict(numbers, verbose=0)
    np.testing.assert_array_equal(found, ((numbers ^ (numbers >> 4)) & 255) / np.float32(2))


def test_arrays_of_large_results_are_their_own():
    x = np.arange(3_000_000, dtype="float32").reshape(3, 1_000_000)
    tensor = ops.add(x, 1)
    first, second = tensor.numpy(), tensor.numpy()
    first[:] = 0
    del tensor
    ops.add(x, 2)  # in the memory that the tensor had
    np.testing.assert_array_equal(second, x + 1)
    assert first.flags.writeable and not first.any() and ops.convert_to_numpy(ops.add(x, 1)).flags.c_contiguous


def test_shifts_move_all_bits_out():
    x = np.array([3, -3, 3], "int32")
    assert ops.left_shift(x, np.array([1, -1, 40], "int32")).numpy().tolist() == [6, 0, 0]
    assert ops.right_shift(x, np.array([1, -1, 40], "int32")).numpy().tolist() == [1, -1, 0]


def test_the_default_of_select_is_of_the_common_dtype():
    flags = np.array([True, False])
    chosen = ops.select([flags, flags], [np.ones(2, "float16"), np.ones(2, "uint8")], default=-1)
    assert chosen.dtype == "float16" and chosen.numpy().tolist() == [1, -1]


def test_sizes_and_values_of_keras_tensors():
    x, whole = dlcore.Input((3,)), dlcore.KerasTensor((2, 3))
    assert ops.size(whole) == 6 and ops.size(x).shape == () and ops.size(x).dtype == "int32"
    assert ops.array(x, "float16").dtype == "float16"
    model = dlcore.Model(x, [ops.sum(x) / ops.size(x), ops.full((2, 3), x[0])])
    mean, filled = model.predict(np.array([[1, 2, 3], [4, 5, 6]], "float32"), verbose=0)
    assert mean == 3.5 and filled.tolist() == [[1, 2, 3], [1, 2, 3]]


def test_moves_name_as_many_places():
    with pytest.raises(ValueError, match="as many sources as destinations"):
        ops.moveaxis(np.ones((2, 3, 4)), -1, (1, 0))


def resized(x, size, interpolation, antialias):
    """Images (N, H, W, C) with the weights of a resized picture of a single line, in float64."""
    for axis, out in zip((1, 2), size):
        unit = np.eye(x.shape[axis], dtype="float32")[:, None, :, None]
        weights = ops.image.resize(unit, (1, out), interpolation, antialias).numpy()[:, 0, :, 0].astype("float64")
        x = np.moveaxis(np.tensordot(x, weights, (axis, 0)), -1, axis)
    return x


@pytest.mark.parametrize("channels", [1, 3, 17])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("antialias", [False, True])
def test_resize_with_channels_first_of_bytes_and_of_unknown_batches(channels, interpolation, antialias):
    x = np.random.default_rng(0).integers(0, 256, (2, 9, 14, channels)).astype("uint8")
    for size in ((20, 5), (4, 14), (9, 31)):
        expected = resized(x.astype("float64"), size, interpolation, antialias)
        resize = functools.partial(ops.image.resize, size=size, interpolation=interpolation, antialias=antialias)
        check(resize(x.astype("float32")), expected, 1e-5)
        check(resize(x[0].astype("float64")), expected[0], 1e-5)
        first = resize(x.transpose(0, 3, 1, 2).astype("float32"), data_format="channels_first")
        check(first, expected.transpose(0, 3, 1, 2), 1e-5)
        as_bytes = resize(x)
        assert as_bytes.dtype == "uint8"
        assert np.abs(as_bytes.numpy() - np.clip(expected, 0, 255)).max() < 0.501
        images = dlcore.Input((9, 14, channels))
        check(dlcore.Model(images, resize(images)).predict(x.astype("float32"), verbose=0), expected, 1e-5)


def test_nearest_pixels():
    x = np.arange(2 * 5 * 4 * 3).reshape(2, 5, 4, 3)
    expected = x[:, [0, 0, 1, 2, 2, 3, 4, 4]][:, :, [0, 2, 3]]
    for dtype in ("float32", "int32", "uint8", "bool", "bfloat16"):
        given = ops.cast(x, dtype)
        found = ops.image.resize(given, (8, 3), "nearest")
        assert found.dtype == dtype
        np.testing.assert_array_equal(ops.cast(found, "float32"), ops.cast(ops.cast(expected, dtype), "float32"))
    first = ops.image.resize(x.transpose(0, 3, 1, 2), (8, 3), "nearest", data_format="channels_first")
    np.testing.assert_array_equal(first, expected.transpose(0, 3, 1, 2))
    images = dlcore.Input((5, 4, None))
    model = dlcore.Model(images, ops.image.resize(images, (8, 3), "nearest"))
    np.testing.assert_array_equal(model(x.astype("float32")), expected)


def test_pixels_beside_what_is_not_finite():
    x = np.ones((1, 6, 6, 3), "float32")
    x[0, 2, 3] = [INF, NAN, -INF]
    for size, bad in (((12, 12), {3, 4, 5, 6}), ((6, 12), {2})):
        y = ops.image.resize(x, size).numpy()[0]
        rows = {int(row) for row in np.nonzero(~np.isfinite(y))[0]}
        assert rows == bad
        columns = {int(column) for column in np.nonzero(~np.isfinite(y))[1]}
        assert columns == {5, 6, 7, 8}
        row = sorted(bad)[0]
        assert y[row, 6, 0] == INF and np.isnan(y[row, 6, 1]) and y[row, 6, 2] == -INF


@pytest.mark.parametrize("coordinates", ["float16", "bfloat16", "float32", "float64", "int32"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"])
def test_coordinates_of_any_dtype(dtype, coordinates):
    pixels = np.array([[0.5, 10.25, 20.0], [30.0, 40.75, 50.0]])
    image = ops.cast(pixels, dtype)
    places = ops.cast([[0.25, 1.0, 0.5], [0.5, 1.75, 2.0]], coordinates)
    y, x = ops.cast(places, "float64").numpy()
    pixels = ops.cast(image, "float64").numpy()
    below, left = np.minimum(y.astype(int), 0), np.minimum(x.astype(int), 1)
    corner = [pixels[below + i, left + j] for i in (0, 1) for j in (0, 1)]
    y, x = y - below, x - left
    expected = (1 - y) * ((1 - x) * corner[0] + x * corner[1]) + y * ((1 - x) * corner[2] + x * corner[3])
    result = ops.image.map_coordinates(image, places, order=1)
    assert result.dtype == dtype
    expected = np.round(expected) if "int" in dtype else expected
    tolerance = {"bfloat16": 1e-2, "float16": 1e-3}.get(dtype, 1e-6)
    check(ops.cast(result, "float64"), expected, tolerance)
    nearest = ops.image.map_coordinates(image, places, order=0)
    assert nearest.dtype == dtype and nearest.numpy()[1] == image[1, 2 if coordinates != "int32" else 1]


def test_halves_stay_halves_where_images_bend():
    image = ops.cast(np.linspace(0.0, 1.0, 64).reshape(8, 8, 1), "float16")
    bent = ops.image.elastic_transform(image, alpha=0.0)
    assert bent.dtype == "float16"
    check(bent, image.numpy(), 1e-3)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_affine_transforms_with_depth(interpolation):
    """The numbers c0 and c1, that bring points (x, y) to (x, y) / (c0 x + c1 y + 1)."""
    y, x = np.mgrid[:6, :8].astype("float32")
    image = np.stack([y, x], axis=-1)
    depth = 0.053 * x + 0.107 * y + 1
    seen = ops.image.affine_transform(image, [1, 0, 0, 0, 1, 0, 0.053, 0.107], interpolation)
    expected = image / depth[..., None]
    check(seen, expected if interpolation == "bilinear" else np.round(expected), 1e-5)
    flat = ops.image.affine_transform(image, [1, 0, 0, 0, 1, 0, 0, 0], interpolation)
    np.testing.assert_array_equal(flat, image)


def test_gradient_of_resize():
    x = Variable(np.random.default_rng(0).normal(size=(2, 5, 6, 3)))
    factors = np.random.default_rng(1).normal(size=(2, 8, 4, 3)).astype("float32")
    with dlcore.GradientTape() as tape:
        loss = ops.sum(ops.image.resize(x, (8, 4), "bicubic") * factors)
    unit = np.eye(5 * 6 * 3, dtype="float32").reshape(-1, 5, 6, 3)
    y = ops.image.resize(unit, (8, 4), "bicubic").numpy()  # resize is linear
    check(tape.gradient(loss, x), np.tensordot(factors, y, ((1, 2, 3), (1, 2, 3))).reshape(2, 5, 6, 3), 1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ops.convert_to_tensor(300, "uint8"),
        lambda: ops.convert_to_tensor(-1.5, "uint8"),
        lambda: ops.convert_to_tensor(2**31),
        lambda: ops.convert_to_tensor(2**70, "int64"),
        lambda: ops.array([300], "uint8"),
        lambda: ops.array([1, -129], "int8"),
        lambda: ops.array([2**63], "int64"),
        lambda: ops.full((2,), 256, "uint8"),
        lambda: ops.full((2,), 1e20, "int32"),
        lambda: ops.full((2,), float("nan"), "int64"),
        lambda: ops.convert_to_tensor(float("-inf"), "int8"),
        lambda: ops.convert_to_tensor(1e19, "int64"),
        lambda: ops.convert_to_tensor(np.int32(3)) + 2**31,
        lambda: Variable(3, dtype="uint8").assign(300),
    ],
)
def test_python_numbers_beyond_their_dtype_are_errors(make):
    with pytest.raises(OverflowError, match=r"does not fit into u?int\d+, which holds"):
        make()


def test_python_numbers_beyond_a_tensors_dtype_keep_its_lowest_bits():
    x = ops.convert_to_tensor(np.arange(3, dtype="uint8"))
    assert (x + 300).numpy().tolist() == [44, 45, 46]
    assert (x - 1).numpy().tolist() == [255, 0, 1]
    assert ops.pad(x, 1, constant_values=-2).numpy().tolist() == [254, 0, 1, 2, 254]


UINT8, INT8 = np.array([1, 128, 255], "uint8"), np.array([-128, 1, 100], "int8")


@pytest.mark.parametrize(
    "function",
    [
        lambda o, x: o.divide(x, 256),
        lambda o, x: o.divide(1000, x),
        lambda o, x: o.divide(x, -1),
        lambda o, x: o.divide(x, 128),
        lambda o, x: x / 256,
        lambda o, x: -129 / x,
        lambda o, x: o.hypot(x, 260),
        lambda o, x: o.arctan2(x, -260),
        lambda o, x: o.logaddexp(x, -200),
        lambda o, x: o.logaddexp2(260, x),
        lambda o, x: o.heaviside(o.multiply(x, 0), 256),
        lambda o, x: o.greater(o.nextafter(x, 300), x),
        lambda o, x: o.isclose(x, 257),
        lambda o, x: o.linspace(x, 300, 3),
        lambda o, x: o.logspace(x, 300, 3, base=1.01),
    ],
)
@pytest.mark.parametrize("x", [UINT8, INT8], ids=["uint8", "int8"])
def test_python_numbers_beyond_a_tensors_dtype_in_functions_of_floats(function, x):
    expected = function(np, x.astype("float32"))
    check(function(ops, ops.convert_to_tensor(x)), expected, 1e-6)
    check(function(ops, Variable(x, dtype=x.dtype)), expected, 1e-6)
    inputs = dlcore.Input((), 3, dtype=x.dtype)
    layer = dlcore.layers.Lambda(lambda t: function(ops, t))
    check(dlcore.Model(inputs, layer(inputs))(x), expected, 1e-6)


def test_bytes_into_functions_of_floats():
    x = UINT8.astype("float32")
    check(ops.divide_no_nan(UINT8, 256), x / 256)
    check(ops.geomspace(UINT8, 300, 3), np.geomspace(x, 300, 3), 1e-5)
    check(ops.softsign(UINT8), x / (1 + x), 1e-6)
    check(ops.log_sigmoid(UINT8), -np.log1p(np.exp(-x)), 1e-6)
    check(ops.psnr(UINT8, UINT8[::-1], 255), 10 * np.log10(255**2 / np.mean((x - x[::-1]) ** 2)), 1e-5)


def test_lengths_and_remainders_of_nan_and_infinity():
    nan, inf = np.nan, np.inf
    pairs = np.array([[nan, inf], [-inf, nan], [nan, 1], [inf, -inf], [3, 4]], "float32")
    np.testing.assert_array_equal(ops.hypot(pairs[:, 0], pairs[:, 1]), [inf, inf, nan, inf, 5])
    np.testing.assert_array_equal(ops.fmod(np.array([0, -0.0, 5], "float32"), np.float32(nan)), [nan] * 3)


def test_python_numbers_at_the_ends_of_their_dtypes():
    for dtype in ("uint8", "int8", "int32", "int64"):
        ends = [int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)]
        assert ops.array(ends, dtype).numpy().tolist() == ends
        assert [ops.convert_to_tensor(end, dtype).item() for end in ends] == ends
    assert ops.add(np.array([3], "uint8"), -1).numpy().tolist() == [2]


def test_counts_of_keras_tensors_are_open():
    rows, ids = dlcore.Input((3,), 6), dlcore.Input((), 6, dtype="int32")
    for name in ("sum", "max", "min", "prod"):
        segments = getattr(ops, f"segment_{name}")
        assert segments(rows, ids).shape == (None, 3)
        assert segments(rows, ids, num_segments=4).shape == (4, 3)
    model = dlcore.Model([rows, ids], ops.segment_sum(rows, ids))
    assert model([np.ones((6, 3), "float32"), np.array([0, 0, 2, 2, 2, 1])]).numpy()[:, 0].tolist() == [2, 1, 3]
    counts = ops.bincount(dlcore.Input((3,), 6, dtype="int32"))
    assert counts.shape == (6, None) and counts.dtype == "int32"
    assert ops.bincount(ids, weights=np.ones(6, "float32")).dtype == "float32"
