"""Factorizations, systems, eigenvalues, singular values, pseudo-inverses; functions with a gradient of their own."""

import numpy as np
import pytest
from checking import check_second_derivative

import dlcore as keras
from dlcore import _core, layers, ops

RNG = np.random.default_rng(5)
SQUARE, TALL = RNG.standard_normal((3, 4, 4)), RNG.standard_normal((2, 5, 3))
WEIGHTS = RNG.standard_normal((5, 5))


def close(got, expected, tolerance=1e-12):
    np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=tolerance, atol=tolerance)


def test_eigh():
    symmetric = SQUARE + np.swapaxes(SQUARE, 1, 2)
    w, v = (y.numpy() for y in ops.eigh(symmetric))
    close(w, np.linalg.eigvalsh(symmetric))
    close(np.einsum("bij,bj,bkj->bik", v, w, v), symmetric)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("x", [SQUARE, TALL, np.swapaxes(TALL, 1, 2), np.zeros((2, 3)), np.ones((4, 2))])
def test_svd(x, full):
    u, s, vh = (y.numpy() for y in ops.svd(x, full_matrices=full))
    expected = np.linalg.svd(x, full_matrices=full)
    assert [y.shape for y in (u, s, vh)] == [y.shape for y in expected]
    close(s, expected[1])
    close(ops.svd(x, compute_uv=False), s)
    k = s.shape[-1]
    close(u[..., :k] * s[..., None, :] @ vh[..., :k, :], x)
    close(np.swapaxes(u, -1, -2) @ u, np.broadcast_to(np.eye(u.shape[-1]), u.shape[:-2] + (u.shape[-1],) * 2))
    close(vh @ np.swapaxes(vh, -1, -2), np.broadcast_to(np.eye(vh.shape[-2]), vh.shape[:-2] + (vh.shape[-2],) * 2))


def test_eig():
    (w_re, w_im), (v_re, v_im) = ops.eig(SQUARE)
    w, v = w_re.numpy() + 1j * w_im.numpy(), v_re.numpy() + 1j * v_im.numpy()
    close(SQUARE @ v, v * w[:, None])
    close(np.prod(w, axis=-1), np.linalg.det(SQUARE))
    close(np.linalg.norm(v, axis=1), np.ones((3, 4)))
    (turn, sides), _ = ops.eig([[0.0, 1.0], [-1.0, 0.0]])
    close(turn, [0, 0])
    close(np.sort(sides.numpy()), [-1, 1])


def test_rank_deficient():
    x = RNG.standard_normal((6, 2)) @ RNG.standard_normal((2, 4))
    assert int(ops.matrix_rank(x)) == 2 and ops.matrix_rank(np.zeros((3, 2, 2))).numpy().tolist() == [0, 0, 0]
    close(ops.pinv(x), np.linalg.pinv(x, rcond=1e-10), 1e-10)
    b = RNG.standard_normal(6)
    close(ops.lstsq(x, b), np.linalg.lstsq(x, b, rcond=1e-10)[0], 1e-10)


def spectra(n):
    """Singular values that repeat, cluster, vanish and spread."""
    return [np.ones(n), np.arange(n) % 3.0, 1 + 1e-9 * np.arange(n), 10.0 ** (-18 * np.arange(n) / n), np.zeros(n)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, n", [(60, 60), (90, 40), (40, 90), (130, 17)])
def test_ill_conditioned_matrices(m, n, dtype):
    """Residuals and angles within n times the precision (Higham 2002, chapter 19), whatever the spectrum."""
    rng, k = np.random.default_rng(m), min(m, n)
    limit = 10 * max(m, n) * np.finfo(dtype).eps
    left, right = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    for values in spectra(k):
        x = ((left * values) @ right.T).astype(dtype)
        exact = x.astype("float64")
        u, s, vh = (ops.convert_to_numpy(y).astype("float64") for y in ops.svd(x, full_matrices=False))
        size = max(s[0], 1e-300)
        assert np.abs((u * s) @ vh - exact).max() <= limit * size
        assert np.abs(s - np.linalg.svd(exact, compute_uv=False)).max() <= limit * size
        assert max(np.abs(u.T @ u - np.eye(k)).max(), np.abs(vh @ vh.T - np.eye(k)).max()) <= limit
        symmetric = x @ x.T
        symmetric = (symmetric + symmetric.T) / 2
        w, v = (ops.convert_to_numpy(y).astype("float64") for y in ops.eigh(symmetric))
        size = max(np.abs(w).max(), 1e-300)
        assert np.abs((v * w) @ v.T - symmetric).max() <= limit * size
        assert np.abs(w - np.linalg.eigvalsh(symmetric.astype("float64"))).max() <= limit * size
        assert np.abs(v.T @ v - np.eye(m)).max() <= limit


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (6, 6)])
def test_lstsq_of_full_and_lower_rank(shape):
    rng = np.random.default_rng(8)
    full = rng.standard_normal(shape)
    low = rng.standard_normal((shape[0], 2)) @ rng.standard_normal((2, shape[1]))
    near = low + 1e-7 * full
    b = rng.standard_normal((shape[0], 3))
    for a, rcond in ((full, None), (low, None), (near, None), (near, 1e-5), (np.zeros(shape), None)):
        cut = rcond or max(shape) * np.finfo("float64").eps
        expected = np.linalg.lstsq(a, b, rcond=cut)[0]
        close(ops.lstsq(a, b, rcond=rcond), expected, 1e-7 if a is near and rcond is None else 1e-10)
        close(ops.lstsq(a, b[:, 0], rcond=rcond), expected[:, 0], 1e-7 if a is near and rcond is None else 1e-10)
    stacked = np.stack([full, low])
    close(ops.lstsq(stacked, np.stack([b, b]))[1], np.linalg.lstsq(low, b, rcond=1e-12)[0], 1e-10)


def test_numbers_that_are_not_finite_give_nan():
    for bad in (np.nan, np.inf):
        x = np.eye(4)
        x[1, 1] = bad
        for y in (*ops.eigh(x), *ops.svd(x), *ops.eig(x)[0], *ops.eig(x)[1], ops.lstsq(x, np.ones(4)), ops.pinv(x)):
            assert np.isnan(ops.convert_to_numpy(y)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes(dtype):
    x = ops.cast(TALL, dtype)
    exact = ops.convert_to_numpy(ops.cast(x, "float64"))
    tolerance = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 1e-6}[dtype]
    s = ops.svd(x, compute_uv=False)
    assert s.dtype == dtype and ops.pinv(x).dtype == dtype
    close(ops.cast(s, "float64"), np.linalg.svd(exact, compute_uv=False), tolerance * 4)
    close(ops.cast(ops.pinv(x, rcond=1e-3), "float64"), np.linalg.pinv(exact), tolerance * 4)


def svd_sum(x):
    u, s, vh = ops.svd(x, full_matrices=False)
    k = s.shape[-1]
    squares = ops.sum(ops.square(u) * WEIGHTS[: u.shape[-2], :k]) + ops.sum(
        ops.square(vh) * WEIGHTS[:k, : vh.shape[-1]]
    )
    return squares + ops.sum(u[..., 0, 0] * s[..., 1] * vh[..., 0, 1])


DEFINITE = SQUARE[0] @ SQUARE[0].T + np.eye(4)
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])


def solved(x):
    """A sum in which the matrix and the right-hand sides depend on x."""
    return ops.sum(ops.square(ops.solve(x, x[:, :2] + WEIGHTS[:4, :2])))


def qr_sum(mode):
    def function(x):
        q, r = ops.qr(x, mode=mode)
        rest = q[:, x.shape[-1] :]  # any that make q complete: a sum that does not depend on which
        return (
            ops.sum(q[:, : x.shape[-1]] ** 3)
            + ops.sum(ops.square(r) * WEIGHTS[: r.shape[0], : r.shape[1]])
            + ops.sum(ops.matmul(rest, ops.transpose(rest)) * WEIGHTS[: q.shape[0], : q.shape[0]])
        )

    return function


FUNCTIONS = {
    "cholesky": (lambda x: ops.sum(ops.cholesky(x) ** 2 * WEIGHTS[:4, :4]), DEFINITE),
    "cholesky upper": (lambda x: ops.sum(ops.cholesky(x, upper=True) * WEIGHTS[:4, :4]), DEFINITE),
    "cholesky_inverse": (lambda x: ops.sum(ops.cholesky_inverse(x) * WEIGHTS[:4, :4]), np.linalg.cholesky(DEFINITE)),
    "logdet": (lambda x: ops.logdet(x), DEFINITE),
    "solve": (solved, SQUARE[0]),
    "solve one by many matrices": (lambda x: ops.sum(ops.solve(SQUARE + x, x[None, :, :2]) ** 2), SQUARE[0]),
    "solve a vector": (lambda x: ops.sum(ops.solve(DEFINITE, x[0]) * x[1]), SQUARE[0]),
    "solve_triangular": (lambda x: ops.sum(ops.solve_triangular(x, x[:, :2] ** 2) ** 2), DEFINITE),
    "solve_triangular lower": (lambda x: ops.sum(ops.solve_triangular(x, x, lower=True) ** 2), DEFINITE),
    "inv": (lambda x: ops.sum(ops.inv(x) * WEIGHTS[:4, :4]), SQUARE[0]),
    "det": (lambda x: ops.det(x) ** 2, SQUARE[0]),
    "det of a singular matrix": (ops.det, SINGULAR),
    "det of zeros": (ops.det, np.zeros((3, 3))),
    "det without pivots": (ops.det, np.eye(3, k=1)),
    "solve many by one matrix": (lambda x: ops.sum(ops.solve(x, SQUARE) ** 2), SQUARE[0]),
    "slogdet": (lambda x: ops.prod(ops.slogdet(x)), SQUARE[0]),
    "lu_factor": (lambda x: ops.sum(ops.lu_factor(x)[0] ** 2 * WEIGHTS[:4, :4]), SQUARE[0]),
    "lu_factor tall": (lambda x: ops.sum(ops.lu_factor(x)[0] ** 2 * WEIGHTS[:5, :3]), TALL[0]),
    "lu_factor wide": (lambda x: ops.sum(ops.lu_factor(x)[0] ** 2 * WEIGHTS[:3, :5]), TALL[0].T),
    "qr": (qr_sum("reduced"), SQUARE[0]),
    "qr tall": (qr_sum("reduced"), TALL[0]),
    "qr wide": (qr_sum("reduced"), TALL[0].T),
    "qr complete": (qr_sum("complete"), TALL[0]),
    "eigh values": (lambda x: ops.sum(ops.eigh(x)[0] * np.arange(4.0)), SQUARE[0]),
    "eigh vectors": (lambda x: ops.sum(ops.square(ops.eigh(x)[1]) * WEIGHTS[:4, :4]), SQUARE[0]),
    "svd values": (lambda x: ops.sum(ops.svd(x)[1] * np.arange(3.0)), TALL[0]),
    "svd square": (svd_sum, SQUARE[1]),
    "svd tall": (svd_sum, TALL[0]),
    "svd wide": (svd_sum, TALL[1].T),
    "pinv tall": (lambda x: ops.sum(ops.pinv(x) * WEIGHTS[:3]), TALL[0]),
    "pinv wide": (lambda x: ops.sum(ops.pinv(x) * WEIGHTS[:, :3]), TALL[0].T),
    "pinv of equal singular values": (lambda x: ops.sum(ops.pinv(x) * WEIGHTS[:3, :3]), np.eye(3)),
    "lstsq": (lambda x: ops.sum(ops.square(ops.lstsq(x, WEIGHTS[:, 0]))), TALL[0]),
    "lstsq wide": (lambda x: ops.sum(ops.lstsq(x, ops.square(x[:, :2]))), TALL[0].T),
    "singular values alone": (lambda x: ops.sum(ops.svd(x, compute_uv=False) ** 3 * np.arange(3.0)), TALL[0]),
    "nuclear norm": (lambda x: ops.norm(x, "nuc"), TALL[0].T),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_gradients(name):
    function, start = FUNCTIONS[name]
    check_second_derivative(function, start, np.random.default_rng(1).standard_normal(start.shape), 1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_in_a_program(name):
    function, start = FUNCTIONS[name]
    (expected,) = gradient_of(function, start)
    with _core.Graph() as graph:
        x = graph.input(start.shape, "float64", "x")
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        program = graph.compile([tape.gradient(y, x)])
    close(program.run([ops.convert_to_tensor(start)])[0], expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.eigh(np.ones((2, 3))), r"eigh: expected square matrices .* Received shape \(2, 3\)"),
        (lambda: ops.svd(np.ones(3)), "svd: expected matrices"),
        (lambda: ops.lstsq(np.ones((3, 2)), np.ones(2)), "lstsq: a and b must have as many rows"),
        (lambda: ops.view_as_complex(np.ones((2, 3))), r"the last axis must have the size 2. Received shape \(2, 3\)"),
        (
            lambda: ops.solve(np.ones((1, 1)), np.ones(3)),
            r"solve: a and b must have as many rows. .*\(1, 1\) and \(3,\)",
        ),
        (lambda: ops.solve_triangular(np.eye(2), np.ones((1, 3))), "solve_triangular: a and b must have as many rows"),
        (lambda: ops.view_as_real((1, 2, 3)), "expected a pair .* Received 3 elements"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_full_matrices_have_no_gradient_unless_square():
    x = ops.convert_to_tensor(TALL[0])
    with keras.GradientTape(persistent=True) as tape:
        tape.watch(x)
        u, s, vh = ops.svd(x)
    assert tape.gradient(s, x).shape == x.shape
    with pytest.raises(ValueError, match="only with full_matrices=False"):
        tape.gradient(u, x)


def test_det_of_singular_matrices_has_its_cofactors_as_gradient():
    for x in (SINGULAR, np.diag([1.0, 2.0, 0.0]), np.eye(3, k=1), np.zeros((12, 12))):
        n = len(x)
        minors = [[np.delete(np.delete(x, i, 0), j, 1) for j in range(n)] for i in range(n)]
        expected = [[(-1) ** (i + j) * np.linalg.det(minors[i][j]) for j in range(n)] for i in range(n)]
        close(gradient_of(ops.det, x)[0], expected)
        close(gradient_of(ops.det, x.astype("float32"))[0], expected, 1e-6)


@pytest.mark.parametrize("n", [1, 8, 9, 40, 100])
def test_factors_and_systems_of_any_size(n):
    rng = np.random.default_rng(n)
    x, b = rng.standard_normal((2, n, n)), rng.standard_normal((2, n, 3))
    definite = x @ np.swapaxes(x, 1, 2) + np.eye(n)
    close(ops.cholesky(definite), np.linalg.cholesky(definite), 1e-10)
    close(ops.solve(x, b), np.linalg.solve(x, b), 1e-9)
    close(ops.inv(x), np.linalg.inv(x), 1e-9)
    for got, expected in zip(ops.slogdet(x), np.linalg.slogdet(x)):
        close(got, expected, 1e-10)
    np.testing.assert_allclose(ops.det(x), np.linalg.det(x), rtol=1e-10)
    for lower, triangle in ((False, np.triu), (True, np.tril)):
        a = triangle(x, 0) / n + np.eye(n)
        close(ops.solve_triangular(a + 7 * (x - triangle(x)), b, lower=lower), np.linalg.solve(a, b), 1e-10)
    for a in (x, x[:, : n // 2 + 1], x[:, :, : n // 2 + 1]):
        for mode in ("reduced", "complete"):
            q, r = (part.numpy() for part in ops.qr(a, mode=mode))
            close(q @ r, a)
            close(np.swapaxes(q, 1, 2) @ q, np.broadcast_to(np.eye(q.shape[-1]), (2, *q.shape[-1:] * 2)))
            close(np.tril(r, -1), np.zeros(r.shape))


def test_a_matrix_that_is_not_positive_definite_has_no_cholesky_factor():
    matrices = np.array([[[1.0, 2.0], [2.0, 1.0]], [[4.0, 2.0], [2.0, 2.0]]])
    with pytest.raises(ValueError, match=r"Received one of shape \(2, 2\) that is not"):
        ops.cholesky(matrices)
    x = keras.Input((2, 2), dtype="float64")
    lower = keras.Model(x, ops.cholesky(x)).predict(matrices, verbose=0)
    np.testing.assert_array_equal(lower, [[[1, 0], [2, np.nan]], [[2, 0], [1, 1]]])


def test_batches_of_systems_are_broadcast():
    x, b = SQUARE, RNG.standard_normal((4, 2))
    close(ops.solve(x[0], SQUARE), np.linalg.solve(x[:1], SQUARE))
    close(ops.solve(x[:, None], SQUARE[None, :2]), np.linalg.solve(x[:, None], SQUARE[None, :2]))
    close(ops.solve_triangular(np.triu(x[0]), np.stack([b] * 5)), np.linalg.solve(np.triu(x[0]), np.stack([b] * 5)))


def test_matrices_of_an_unknown_number():
    inputs = keras.Input((4, 4), dtype="float64")
    outputs = [ops.solve(inputs, inputs[..., :2]), ops.det(inputs), ops.solve(DEFINITE, inputs), ops.qr(inputs)[1]]
    assert [y.shape for y in outputs] == [(None, 4, 2), (None,), (None, 4, 4), (None, 4, 4)]
    found = keras.Model(inputs, outputs)(SQUARE)
    close(found[0], np.broadcast_to(np.eye(4, 2), (3, 4, 2)))
    close(found[1], np.linalg.det(SQUARE))
    close(found[2], np.linalg.solve(DEFINITE, SQUARE))
    assert found[3].shape == (3, 4, 4)


def gradient_of(function, *arrays):
    tensors = [ops.convert_to_tensor(x) for x in arrays]
    with keras.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return [None if d is None else ops.convert_to_numpy(d) for d in tape.gradient(y, tensors)]


def test_custom_gradient_of_keras_documentation():
    @ops.custom_gradient
    def log1pexp(x):
        e = ops.exp(x)

        def grad(*args, upstream=None):
            if upstream is None:
                (upstream,) = args
            return ops.multiply(upstream, 1.0 - 1.0 / ops.add(1, e))

        return ops.log(1 + e), grad

    close(gradient_of(log1pexp, np.array([0.0, 80.0], "float32"))[0], [0.5, 1.0], 1e-6)
    assert float(log1pexp(ops.array(0.0))) == pytest.approx(np.log(2))


def test_custom_gradient_need_not_be_linear():
    @ops.custom_gradient
    def clipped(x):
        return x, lambda upstream: ops.clip(upstream, -1.0, 1.0)

    x = np.array([1.0, 2.0, 3.0], "float32")
    (d,) = gradient_of(lambda x: ops.sum(clipped(x) * [0.5, 5.0, -7.0]), x)
    close(d, [0.5, 1, -1], 1e-7)
    with _core.Graph() as graph:
        symbol = graph.input((3,), "float32", "x")
        with keras.GradientTape() as tape:
            tape.watch(symbol)
            y = ops.sum(clipped(symbol) * [0.5, 5.0, -7.0])
        program = graph.compile([y, tape.gradient(y, symbol)])
    value, d = program.run([ops.convert_to_tensor(x)])
    assert float(value) == pytest.approx(-10.5)
    close(d, [0.5, 1, -1], 1e-7)


def test_custom_gradient_of_structures():
    """Several inputs and outputs, an output that nothing depends on, an input without gradient."""

    @ops.custom_gradient
    def both(pair, n):
        a, b = pair

        def grad(d_product, d_sum):
            return [d_sum + 10.0 * d_product, None, None]

        return {"sum": a + b, "product": a * b * ops.cast(n, "float32")}, grad

    x, y = np.array([1.0, 2.0], "float32"), np.array([3.0, 4.0], "float32")
    dx, dy = gradient_of(lambda x, y: ops.sum(both((x, y), 2)["product"]), x, y)
    close(dx, [10, 10], 1e-7)
    assert dy is None

    @ops.custom_gradient
    def wrong(x):
        return x, lambda upstream: [upstream, upstream]

    with pytest.raises(ValueError, match="one gradient per input. Got 2 for 1 inputs"):
        gradient_of(wrong, x)


def test_custom_gradient_in_a_functional_model():
    @ops.custom_gradient
    def reversed_gradient(x):
        return x, lambda upstream: -upstream

    inputs = keras.Input((2,))
    hidden = layers.Dense(2, use_bias=False, kernel_initializer="identity", name="first")(inputs)
    outputs = layers.Dense(1, use_bias=False, kernel_initializer="ones")(reversed_gradient(hidden))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((1, 2), "float32"), np.zeros((1, 1)))
    first, last = (new - old for new, old in zip(model.get_weights(), before))
    assert (first > 0).all() and (last < 0).all()


def test_functions_are_forgotten_with_their_tapes():
    from dlcore.ops import gradients

    count = len(gradients._functions)
    gradient_of(lambda x: ops.eigh(x)[0], SQUARE[0])
    assert len(gradients._functions) == count


def test_matrices_without_elements():
    x = np.ones((3, 0, 0), "float32")
    np.testing.assert_array_equal(ops.det(x), np.linalg.det(x))
    for result, expected in zip(ops.slogdet(x), np.linalg.slogdet(x)):
        np.testing.assert_array_equal(result, expected)
    for function in (ops.inv, ops.cholesky, ops.cholesky_inverse):
        assert function(x).shape == (3, 0, 0)
    assert [y.shape for y in ops.lu_factor(x)] == [(3, 0, 0), (3, 0)]
    assert [y.shape for y in ops.qr(np.ones((3, 0)), mode="complete")] == [(3, 3), (3, 0)]
    for solve in (ops.solve, ops.solve_triangular):
        assert solve(x, np.ones((3, 0, 2))).shape == (3, 0, 2)
    assert ops.norm(x[0, :0], np.inf) == 0
    assert [y.shape for y in ops.eigh(x)] == [(3, 0), (3, 0, 0)]
    assert [y.shape for pair in ops.eig(x) for y in pair] == [(3, 0), (3, 0), (3, 0, 0), (3, 0, 0)]
    assert [y.shape for y in ops.svd(np.ones((2, 3, 0)))] == [(2, 3, 3), (2, 0), (2, 0, 0)]
    np.testing.assert_array_equal(ops.lstsq(np.ones((0, 2)), np.ones((0, 1))), np.zeros((2, 1)))


def test_a_real_tensor_as_a_complex_one():
    np.testing.assert_array_equal(ops.view_as_real(np.array([1.0, 2.0])), [[1, 0], [2, 0]])
