"""Random calls of the functions of `ops`."""

from cases import FLOATS, INTEGERS, Case, Pick

# Left out: second names of the same function; sparsemax, of which Keras 3.15 gives zeros.
_MATH = "abs arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil conj cos cosh deg2rad erf erfc erfinv exp exp2"
_MATH += " expm1 floor i0 imag isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_not nan_to_num"
_MATH += " negative rad2deg real reciprocal rsqrt round sign signbit sin sinc sinh sqrt square tan tanh trunc"
_ACTIVATIONS = (
    "celu elu gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid log_softmax relu relu6"
)
_ACTIVATIONS += " selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid squareplus"
_ACTIVATIONS += " tanh_shrink"
_SHAPES = "ravel ones_like zeros_like transpose flip fliplr flipud diag diagonal trace argsort sort nonzero"
_SHAPES += " unique diff cumsum cumprod corrcoef vander bitwise_not stop_gradient copy"
_BINARY = "add subtract multiply divide true_divide divide_no_nan floor_divide mod fmod power maximum minimum fmax fmin"
_BINARY += " arctan2 hypot logaddexp logaddexp2 equal not_equal greater greater_equal less less_equal logical_and"
_BINARY += " logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm heaviside"
_BINARY += " nextafter copysign isclose outer kron append isin"
_REDUCTIONS = "sum prod mean std var max min argmax argmin all any median ptp logsumexp count_nonzero nansum nanmean"
_REDUCTIONS += " nanmax nanmin nanvar amax amin"
BOOLS = (True, False)
SHAPES = ((), (1,), (7,), (3, 5), (2, 3, 4), (1, 4, 1), (2, 3, 2, 3), (0, 3))
# Ways in which a NumPy array can lie in memory.
LAYOUTS = ("a", "a", "a", "np.transpose(a)", "a[..., ::-1]", "a[::2]", "np.broadcast_to(a, (2, *a.shape))")


def dtype(pick: Pick, *also: str) -> str:
    return pick.choice(("float32", "float32", *FLOATS, *INTEGERS, "bool", *also))


def elementwise(pick: Pick):
    shape = pick.choice(SHAPES)
    names, kind = pick.choice(((_MATH, dtype(pick)), (_ACTIVATIONS, pick.choice(FLOATS))))
    return f"{pick.choice(names.split())}({pick.choice(LAYOUTS) if shape else 'a'})", pick.array(shape, kind)


def of_one(pick: Pick):
    return f"{pick.choice(_SHAPES.split())}(a)", pick.array(pick.choice(SHAPES), dtype(pick))


def elementwise_of_two(pick: Pick):
    name, shape = pick.choice(_BINARY.split()), pick.choice(SHAPES)
    other = pick.choice((shape, shape[1:], tuple(pick.choice((1, n)) for n in shape), (2, *shape)))
    a, b = pick.array(shape, dtype(pick)), pick.array(other, dtype(pick), 1, 5)
    return f"{name}{pick.choice(('(a, b)', '(b, a)', '(a, b)', '(a, 2)', '(a, 1.5)', '(True, a)', '(3, a)'))}", a, b


def reduction(pick: Pick):
    axis = pick.choice((None, 0, -1, 1, (0, 1), (0, -1), 2))
    name = pick.choice(_REDUCTIONS.split())
    return f"{name}(a, axis={axis}{pick.some(keepdims=(..., True))})", pick.array(pick.choice(SHAPES[3:7]), dtype(pick))


def along_an_axis(pick: Pick):
    axis = pick.choice((0, -1, 1))
    code = pick.choice(
        (
            f"cumsum(a, axis={axis}{pick.some(dtype=(..., 'float32', 'int32'))})",
            f"cumprod(a, axis={axis})",
            f"sort(a, axis={axis})",
            f"argsort(a, axis={axis})",
            f"flip(a, axis={axis})",
            f"roll(a, {pick.randint(-4, 4)}, axis={axis})",
            f"diff(a, {pick.randint(1, 2)}, axis={axis})",
            f"split(a, [1], axis={axis})",
            f"stack([a, a], axis={axis})",
            f"concatenate([a, a], axis={axis})",
            f"unstack(a, axis={axis})",
            f"expand_dims(a, axis={axis})",
            f"repeat(a, {pick.randint(0, 3)}, axis={axis})",
            f"repeat(a, {pick.randint(0, 3)})",
            f"take(a, {pick.choice((0, -1, [1, 0], [[0, 1], [1, -1]]))}, axis={axis})",
            f"take_along_axis(a, np.argsort(np.asarray(a, 'float32'), axis={axis}), axis={axis})",
            f"normalize(a, axis={axis}, order={pick.randint(1, 3)})",
            f"norm(a, axis={axis}, ord={pick.choice((None, 1, 2, 3))}{pick.some(keepdims=(..., True))})",
            f"quantile(a, {pick.choice((0.5, 0.25, [0.1, 0.9]))}, axis={axis}{pick.some(keepdims=(..., True))})",
            f"one_hot(a, 5, axis={pick.choice((0, -1))}{pick.some(dtype=(..., 'int32', 'float16'))})",
            f"moments(a, axes=[{axis}]{pick.some(keepdims=(..., True))})",
            f"average(a, axis={axis})",
            f"trapezoid(a, dx=0.5, axis={axis})",
            f"top_k(a, {pick.randint(1, 2)})",
            f"logsumexp(a, axis={axis})",
            f"associative_scan(K.ops.add, a, axis={axis}{pick.some(reverse=(..., True))})",
        )
    )
    return code, pick.array(pick.choice(SHAPES[3:7]), dtype(pick))


def rearrangement(pick: Pick):
    shape = pick.choice(((3, 4), (2, 3, 4), (2, 3, 2, 3)))
    axes = list(range(len(shape)))
    pick.shuffle(axes)
    code = pick.choice(
        (
            f"transpose(a, {tuple(axes)})",
            f"swapaxes(a, {axes[0]}, {axes[1]})",
            f"moveaxis(a, {axes[0]}, {axes[1]})",
            f"rot90(a, {pick.randint(-2, 3)}, axes={tuple(axes[:2])})",
            "reshape(a, (-1, 2))",
            f"tile(a, {pick.sizes(1, 3, pick.randint(1, 3))})",
            f"pad(a, {[pick.sizes(0, 2, 2) for _ in shape]}{pick.some(mode=(..., 'reflect', 'symmetric'))})",
            f"pad(a, 1, constant_values={pick.choice((0, 2))})",
            f"tril(a, {pick.randint(-3, 3)})",
            f"triu(a, {pick.randint(-3, 3)})",
            f"diagonal(a, {pick.randint(-2, 2)}, {axes[0]}, {axes[1]})",
            f"trace(a, {pick.randint(-2, 2)}, {axes[0]}, {axes[1]})",
            f"broadcast_to(a, {(2, *shape)})",
            f"slice(a, {[0] * len(shape)}, {[max(1, n - 1) for n in shape]})",
            "slice_update(a, [1] * a.ndim, a[(slice(0, 1),) * a.ndim])",
            "scatter_update(a, [[0, 1], [1, 0]], a[:2, 2 % a.shape[1]])",
            "where(a > 1, a, 0)",
            "where(a > 1, 1.5, a)",
            "clip(a, -1, 2)",
            "clip(a, 0.5, 2.5)",
            "digitize(a, np.array([-1.0, 0.0, 2.0]))",
            "searchsorted(np.array([-1.0, 0.0, 2.0], 'float32'), a.ravel())",
            "einsum('...ij->...ji', a)",
            "squeeze(a[:1], 0)",
            "meshgrid(a[0].ravel(), a[1].ravel())",
            "array_split(a, 2, axis=-1)",
            "view(a, 'uint8').shape",
        )
    )
    return code, pick.array(shape, dtype(pick))


def indexing(pick: Pick):
    index = pick.choice(
        (
            "0",
            "-1",
            "1:",
            "::2",
            "::-1",
            "..., 0",
            ":, None",
            "..., 1:3",
            "None, ..., -1",
            "0, 1",
            "1:2, ::2",
            ":, ::-2",
        )
        + ("[1, 0]", ":, [2, 0]", "np.array([[0, 1], [1, 0]])", "a > 0")
    )
    return f"convert_to_tensor(a)[{index}]", pick.array(pick.choice(((3, 4), (2, 3, 4))), dtype(pick))


def product(pick: Pick):
    m, k, n, b = pick.sizes(1, 6, 4)
    shapes = pick.choice(
        (
            ("matmul(a, b)", (m, k), (k, n)),
            ("matmul(a, b)", (b, m, k), (k, n)),
            ("matmul(a, b)", (b, m, k), (b, k, n)),
            ("matmul(a, b)", (k,), (k, n)),
            ("matmul(a, b)", (b, 1, m, k), (2, k, n)),
            ("dot(a, b)", (m, k), (k, n)),
            ("dot(a, b)", (m, k), (b, k, n)),
            ("inner(a, b)", (m, k), (n, k)),
            ("vdot(a, b)", (m, k), (m, k)),
            ("tensordot(a, b, axes=1)", (m, k), (k, n)),
            ("tensordot(a, b, axes=[[0, 1], [1, 0]])", (m, k), (k, m, n)),
            ("einsum('ij,jk->ki', a, b)", (m, k), (k, n)),
            ("einsum('bij,bjk->bk', a, b)", (b, m, k), (b, k, n)),
            ("einsum('...ij,jk->...ik', a, b)", (b, m, k), (k, n)),
            ("cross(a, b)", (m, 3), (m, 3)),
            ("correlate(a, b, mode='same')", (m + 3,), (k,)),
        )
    )
    kind = dtype(pick)
    other = kind if pick.random() < 0.7 else dtype(pick)
    return shapes[0], pick.array(shapes[1], kind), pick.array(shapes[2], other)


def network(pick: Pick):
    rank = pick.randint(1, 3)
    size, channels = pick.sizes(5, 9, rank), pick.choice((1, 2, 4))
    padding = pick.choice(("valid", "same"))
    filters = pick.sizes(1, 3, rank)
    stride = pick.some(strides=(..., 1, 2))
    code, b = pick.choice(
        (
            (f"max_pool(a, {filters}{stride}, padding={padding!r})", None),
            (f"average_pool(a, {filters}{stride}, padding={padding!r})", None),
            (f"conv(a, b{stride}, padding={padding!r})", (*filters, channels, 3)),
            (f"conv(a, b, dilation_rate={pick.randint(1, 2)}, padding={padding!r})", (*filters, channels, 3)),
            (f"conv_transpose(a, b, strides={pick.randint(1, 3)}, padding={padding!r})", (*filters, 3, channels)),
            ("batch_normalization(a, b, b * b + 1, -1)", (channels,)),
            ("layer_normalization(a, gamma=b, beta=b)", (channels,)),
            (f"softmax(a, axis={pick.randint(0, rank)})", None),
            (f"log_softmax(a, axis={pick.randint(0, rank)})", None),
        )
    )
    x = pick.array((pick.randint(1, 3), *size, channels), pick.choice(("float32", "float32", "bfloat16")))
    return code, x, pick.array(b or (1,), str(x.dtype))


def algebra(pick: Pick):
    n, batch = pick.randint(1, 5), pick.choice(((), (2,)))
    spread = "(a + 8 * np.eye(a.shape[-1], dtype='float32'))"
    definite = "(a @ a.swapaxes(-1, -2) + np.eye(a.shape[-1], dtype='float32'))"
    code = pick.choice(
        (
            f"linalg.inv({spread})",
            f"linalg.det({spread})",
            f"slogdet({spread})",
            f"linalg.solve({spread}, b)",
            f"linalg.cholesky({definite})",
            f"linalg.cholesky_inverse({definite})" if not batch else f"linalg.cholesky({definite})",
            f"linalg.solve_triangular(np.tril({spread}), b, lower=True)",
            f"linalg.eigh({definite})[0]",
            "linalg.svd(a, compute_uv=False)",
            f"linalg.norm(a, axis=(-2, -1), ord={pick.choice((None, 1, 'fro', 'nuc', 2))!r})",
            "abs(K.ops.linalg.qr(a)[1])",
            f"linalg.lu_factor({spread})[0]",
        )
    )
    return code, pick.array((*batch, n, n)), pick.array((*batch, n, 2))


def segments(pick: Pick):
    name = pick.choice(("segment_sum", "segment_max"))
    return f"{name}(a, b, num_segments=4)", pick.array((8, 2)), pick.array((8,), "int32", 0, 3)


KINDS = (elementwise, elementwise, elementwise_of_two, elementwise_of_two, reduction, reduction, along_an_axis)
KINDS += (along_an_axis, rearrangement, rearrangement, indexing, product, network, algebra, segments, of_one)


def function(pick: Pick) -> Case:
    code, *arrays = pick.choice(KINDS)(pick)
    return Case("function", f"K.ops.{code}", dict(zip("ab", arrays)))


def gradient(pick: Pick) -> Case:
    """Of a function of float32, without arguments that NumPy computes: these are no weights any more."""
    while True:
        case = function(pick)
        if "np." not in case.code and all(x.dtype == "float32" for x in case.arrays.values()):
            return Case("gradient", case.code, case.arrays)
