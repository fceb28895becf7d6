"""Functions of `ops` with fixed inputs, made with Keras's names: `O` is keras.ops or dlcore.ops.

make_keras_ops.py stores what Keras computes for them, with gradients; tests/python/test_ops_golden.py compares.
"""

import numpy as np

_random = np.random.RandomState(11)


def floats(*shape):
    """Normal numbers in multiples of 1/64: exact in float32."""
    return (np.round(_random.standard_normal(shape) * 64) / 64).astype("float32")


def distinct(*shape):
    """Numbers of which no two are equal: without ties for a maximum."""
    return (_random.permutation(np.prod(shape)).reshape(shape) / 64).astype("float32")


def integers(low, high, *shape, dtype="int32"):
    return _random.randint(low, high, shape).astype(dtype)


VECTOR, MATRIX, CUBE = floats(7), floats(4, 5), floats(2, 3, 4)
POSITIVE = np.abs(floats(3, 4)) + 0.25
HOLES = np.where(_random.rand(4, 5) < 0.3, np.nan, floats(4, 5)).astype("float32")
HOLES[0] = np.nan
SPECIAL = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan], "float32")
WHOLE, OTHER = integers(-1000, 1000, 3, 4), integers(1, 60, 3, 4)
LONG = integers(-(2**40), 2**40, 6, dtype="int64")
SQUARE = floats(2, 4, 4) + 3.0 * np.eye(4, dtype="float32")
DEFINITE = np.einsum("bij,bkj->bik", SQUARE, SQUARE).astype("float32")
IMAGES, VOLUMES = np.abs(floats(2, 6, 5, 3)) % 1.0, floats(2, 4, 5, 4, 2)
SIGNAL = floats(2, 40)
PAIR = (floats(3, 12), floats(3, 12))
LABELS, LOGITS = np.array([[1, 1, 2], [3, 4, 0]], "int32"), floats(2, 6, 5)
SHIFT = np.array([[1.1, 0.2, -0.5, -0.1, 0.9, 0.7, 0, 0], [0.8, 0, 1.2, 0.3, 1.2, -1.1, 0, 0]], "float32")
CORNERS = np.array([[[0, 0], [0, 5], [4, 0], [4, 5]], [[0, 0], [0, 5], [4, 0], [4, 5]]], "float32")
MOVED = CORNERS + np.array(
    [[[0.5, 1], [0, -1], [-1, 0.5], [0.25, -0.5]], [[1, 0], [0, 1], [0.5, 0], [0, 0.5]]], "float32"
)
PLACES = np.stack([floats(3, 4) * 2 + 2, floats(3, 4) * 2 + 2])
SEGMENTS = np.array([0, 2, 0, 1, 2, 2, 0], "int32")
T = {"transform": SHIFT}

# name: (function of O and the inputs, inputs)
CASES = {
    "cbrt": (lambda O, x: O.cbrt(x), MATRIX),
    "deg2rad": (lambda O, x: O.deg2rad(x), MATRIX),
    "rad2deg": (lambda O, x: O.rad2deg(x), MATRIX),
    "sinc": (lambda O, x: O.sinc(x), MATRIX),
    "i0": (lambda O, x: O.i0(x), MATRIX * 4),
    "erfc": (lambda O, x: O.erfc(x), MATRIX * 2),
    "fabs": (lambda O, x: O.fabs(x), MATRIX),
    "signs": (lambda O, x: (O.signbit(x), O.isposinf(x), O.isneginf(x), O.isreal(x)), SPECIAL),
    "angle": (lambda O, x: (O.angle(x), O.imag(x), O.conjugate(x)), MATRIX),
    "heaviside": (lambda O, x, y: O.heaviside(x, y), SPECIAL[:4], VECTOR[:4]),
    "fmax": (lambda O, x, y: (O.fmax(x, y), O.fmin(x, y)), HOLES, MATRIX),
    "fmod": (lambda O, x, y: O.fmod(x, y), WHOLE, OTHER),
    "fmod_floats": (lambda O, x, y: O.fmod(x, y), MATRIX * 4, np.abs(floats(4, 5)) + 0.5),
    "ldexp": (lambda O, x, y: O.ldexp(x, y), MATRIX, integers(-5, 9, 4, 5)),
    "logaddexp2": (lambda O, x, y: O.logaddexp2(x, y), MATRIX, floats(4, 5)),
    "allclose": (lambda O, x, y: (O.allclose(x, y), O.allclose(x, x)), MATRIX, MATRIX + 1e-3),
    "bitwise": (
        lambda O, x, y: (O.bitwise_and(x, y), O.bitwise_or(x, y), O.bitwise_xor(x, y), O.bitwise_not(x)),
        WHOLE,
        WHOLE[::-1].copy(),
    ),
    "bitwise_uint8": (
        lambda O, x, y: (O.bitwise_and(x, y), O.bitwise_or(x, y), O.bitwise_xor(x, y), O.bitwise_invert(x)),
        integers(0, 256, 9, dtype="uint8"),
        integers(0, 256, 9, dtype="uint8"),
    ),
    "shifts": (lambda O, x: (O.left_shift(x, 5), O.bitwise_right_shift(x, 3)), WHOLE),
    "gcd": (lambda O, x, y: (O.gcd(x, y), O.lcm(x, y)), WHOLE, OTHER),
    "windows": (lambda O: (O.hanning(9), O.hamming(8), O.blackman(7), O.bartlett(9), O.kaiser(8, 3.5), O.hanning(1)),),
    "geomspace": (lambda O: O.geomspace(1.0, 32.0, 6),),
    "vander": (lambda O, x: (O.vander(x, 4), O.vander(x, 3, increasing=True)), VECTOR),
    "ptp": (lambda O, x: (O.ptp(x), O.ptp(x, axis=1)), MATRIX),
    "percentile": (lambda O, x: (O.percentile(x, 30.0), O.percentile(x, [10.0, 80.0], axis=1)), MATRIX),
    "corrcoef": (lambda O, x: O.corrcoef(x), MATRIX),
    "histogram": (lambda O, x: O.histogram(x, 6), VECTOR),
    "trapezoid": (
        lambda O, x, y: (O.trapezoid(x, dx=0.5), O.trapezoid(x, y, axis=0)),
        MATRIX,
        np.arange(4.0, dtype="f"),
    ),
    "isin": (lambda O, x, y: (O.isin(x, y), O.isin(x, y, invert=True)), WHOLE // 100, OTHER // 10),
    "nan_reductions": (
        lambda O, x: (O.nansum(x, 0), O.nanprod(x, 0), O.nanmax(x, 1), O.nanmin(x, 1), O.nanmean(x, 1), O.nanstd(x, 1)),
        HOLES,
    ),
    "nan_variances": (lambda O, x: (O.nanvar(x), O.nanargmax(x[1:], 1), O.nanargmin(x[1:], 1)), HOLES),
    "nan_cumulated": (lambda O, x: (O.nancumsum(x, 1), O.nancumprod(x, 0)), HOLES),
    "nan_quantiles": (
        lambda O, x: (
            O.nanmedian(x),
            O.nanmedian(x, axis=1),
            O.nanquantile(x, [0.2, 0.7], 1),
            O.nanpercentile(x, 35.0),
        ),
        HOLES,
    ),
    "splits": (lambda O, x: (*O.hsplit(x, 3), *O.vsplit(x, 2), *O.dsplit(x, [1, 3])), CUBE),
    "dstack": (lambda O, x, y: (O.dstack([x, y]), O.dstack([x[0], y[1]])), MATRIX, floats(4, 5)),
    "flips": (lambda O, x: (O.fliplr(x), O.flipud(x), O.diagflat(x[0], 1)), MATRIX),
    "rot90": (lambda O, x: (O.rot90(x), O.rot90(x, 2), O.rot90(x, 3, (1, 2)), O.rot90(x, -1, (0, 2))), CUBE),
    "kron": (lambda O, x, y: O.kron(x, y), floats(2, 3), floats(3, 2)),
    "kron_ranks": (lambda O, x, y: O.kron(x, y), floats(2), floats(2, 3, 2)),
    "unravel_index": (lambda O, x: O.unravel_index(x, (3, 4, 5)), integers(0, 60, 7)),
    "extract_sequences": (lambda O, x: O.extract_sequences(x, 8, 3), SIGNAL),
    "rearrange": (
        lambda O, x: (O.rearrange(x, "b h w c -> b (h w) c"), O.rearrange(x, "b (h p) w c -> (b p) w h c", p=2)),
        IMAGES,
    ),
    "unfold": (lambda O, x: O.unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=2), floats(2, 3, 6, 7)),
    "fold": (lambda O, x: O.fold(x, (6, 7), (2, 3), dilation=(1, 2), padding=1, stride=2), floats(2, 18, 12)),
    "segments": (
        lambda O, x, i: (
            O.segment_max(x, i, 3),
            O.segment_min(x, i, 3),
            O.segment_prod(x, i, 3),
            O.segment_sum(x, i, 3),
        ),
        floats(7, 2),
        SEGMENTS,
    ),
    "cdist": (lambda O, x, y: O.cdist(x, y), floats(2, 3, 4), floats(2, 5, 4)),
    "associative_scan": (
        lambda O, x: (O.associative_scan(O.add, x), O.associative_scan(O.multiply, x, True, 1)),
        MATRIX,
    ),
    "adaptive_average_pool": (lambda O, x: O.adaptive_average_pool(x, (4, 3)), IMAGES),
    "adaptive_max_pool": (lambda O, x: O.adaptive_max_pool(x, (4, 2), "channels_first"), distinct(2, 3, 6, 5)),
    "adaptive_pool_1d": (lambda O, x: (O.adaptive_average_pool(x, 3), O.adaptive_max_pool(x, 2)), CUBE),
    "ctc_loss": (lambda O, y, x: O.ctc_loss(y, x, np.array([3, 2]), np.array([6, 5])), LABELS, LOGITS),
    "ctc_decode": (lambda O, x: O.ctc_decode(x, np.array([6, 4], "int32")), LOGITS),
    "ctc_decode_repeats": (lambda O, x: O.ctc_decode(x, np.array([6, 4], "int32"), merge_repeated=False), LOGITS),
    "ctc_beam": (
        lambda O, x: O.ctc_decode(x, np.array([6, 4], "int32"), strategy="beam_search", beam_width=50, top_paths=3),
        LOGITS,
    ),
    "fft": (lambda O, x, y: (*O.fft((x, y)), *O.fft2((x, y)), *O.ifft2((x, y))), *PAIR),
    "fft_long": (lambda O, x: O.rfft(x), floats(2, 180)),
    "fft_prime": (lambda O, x: O.rfft(x), floats(2, 67)),
    "rfft": (lambda O, x: (*O.rfft(x), *O.rfft(x, 16), *O.rfft(x, 45)), SIGNAL),
    "irfft": (lambda O, x, y: (O.irfft((x, y)), O.irfft((x, y), 15), O.irfft((x, y), 30)), *PAIR),
    "stft": (lambda O, x: (*O.stft(x, 8, 4, 16), *O.stft(x, 10, 3, 12, "hamming", center=False)), SIGNAL),
    "istft": (lambda O, x, y: O.istft((x, y), 8, 4, 16, length=20), floats(2, 7, 9), floats(2, 7, 9)),
    "cholesky": (lambda O, x: (O.cholesky(x), O.cholesky(x, upper=True), O.logdet(x)), DEFINITE),
    "cholesky_inverse": (lambda O, x: O.cholesky_inverse(O.cholesky(x)), DEFINITE[0]),
    "det": (lambda O, x: (O.det(x), O.slogdet(x)[1], O.inv(x)), SQUARE[:, ::-1].copy()),
    "lu_factor": (lambda O, x: O.lu_factor(x), SQUARE[:, ::-1].copy()),
    "solve": (lambda O, a, b: (O.solve(a, b), O.solve(a[0], b[0])), SQUARE[:, ::-1].copy(), floats(2, 4, 3)),
    "solve_triangular": (
        lambda O, a, b: (O.solve_triangular(O.tril(a), b, lower=True), O.solve_triangular(O.triu(a), b)),
        SQUARE,
        floats(2, 4, 3),
    ),
    "qr": (lambda O, x: O.qr(x), floats(2, 5, 3)),
    "qr_complete": (lambda O, x: O.qr(x, mode="complete"), floats(4, 2)),
    "jvp": (lambda O, x, v: O.jvp(lambda a: O.tanh(O.matmul(a, O.transpose(a))), (x,), (v,)), MATRIX, floats(4, 5)),
    "rgb_to_hsv": (lambda O, x: O.image.rgb_to_hsv(x), IMAGES),
    "hsv_to_rgb": (lambda O, x: O.image.hsv_to_rgb(x), IMAGES * 0.97 + 0.011),
    "rgb_to_grayscale": (lambda O, x: O.image.rgb_to_grayscale(x), IMAGES),
    "pad_images": (lambda O, x: O.image.pad_images(x, 1, 2, target_height=9, target_width=8), IMAGES),
    "crop_images": (lambda O, x: O.image.crop_images(x, 1, None, None, 2, target_height=3, target_width=2), IMAGES),
    "extract_patches": (lambda O, x: O.image.extract_patches(x, (2, 3), 2, 1, "same"), IMAGES),
    "extract_patches_dilated": (lambda O, x: O.image.extract_patches(x, 2, 1, 2), IMAGES),
    "extract_patches_3d": (lambda O, x: O.image.extract_patches_3d(x, 2), VOLUMES),
    "gaussian_blur": (lambda O, x: O.image.gaussian_blur(x, (3, 5), (0.8, 1.5), "channels_last"), IMAGES),
    "sobel_edges": (lambda O, x: O.image.sobel_edges(x), IMAGES),
    "ssim": (lambda O, x, y: O.image.ssim(x, y, filter_size=4), IMAGES, IMAGES[::-1].copy()),
    "scale_and_translate": (
        lambda O, x, s, t: O.image.scale_and_translate(x, (2, 8, 4, 3), s, t, (1, 2), "cubic"),
        IMAGES,
        np.array([1.3, 0.7], "float32"),
        np.array([0.4, -0.6], "float32"),
    ),
    "map_coordinates": (lambda O, x, c: O.image.map_coordinates(x, c, order=1, fill_value=0.5), MATRIX, PLACES),
    "perspective_transform": (lambda O, x: O.image.perspective_transform(x, CORNERS, MOVED), IMAGES),
}
CASES |= {
    "eigh": (lambda O, x: (O.eigh(x)[0], O.absolute(O.eigh(x)[1])), DEFINITE),
    "svd": (lambda O, x: (O.absolute(O.svd(x)[0]), O.svd(x)[1], O.absolute(O.svd(x)[2])), SQUARE),
    "svd_wide": (lambda O, x: tuple(O.absolute(y) for y in O.svd(x, full_matrices=False)), CUBE),
    "svd_tall": (lambda O, x: tuple(O.absolute(y) for y in O.svd(O.transpose(x), full_matrices=False)), MATRIX),
    "svd_values": (lambda O, x: O.svd(x, compute_uv=False), MATRIX),
    "pinv": (lambda O, x: O.pinv(x), CUBE),
    "pinv_tall": (lambda O, x: O.pinv(O.transpose(x)), MATRIX),
    "lstsq": (lambda O, x, y: O.lstsq(O.transpose(x), O.transpose(y)), MATRIX, floats(2, 5)),
    "lstsq_vector": (lambda O, x, y: O.lstsq(x, y), MATRIX, VECTOR[:4]),
    "matrix_rank": (lambda O, x: (O.matrix_rank(x), O.matrix_rank(x, tol=2.0)), CUBE),
    "nextafter": (lambda O, x, y: O.nextafter(x, y), MATRIX, floats(4, 5)),
    "polar": (lambda O, x, y: O.view_as_real(O.polar(x, y)), POSITIVE, floats(3, 4)),
    "complex": (lambda O, x: O.view_as_real(O.view_as_complex(x)), floats(3, 2)),
    "custom_gradient": (lambda O, x, y: O.custom_gradient(_reversed_product(O))(x, y), MATRIX, floats(4, 5)),
}


def _reversed_product(O):  # noqa: N803
    """x y with a gradient of its own, cut off."""

    def product(x, y):
        return x * y, lambda upstream: (O.clip(upstream, -0.5, 0.5) * x, 2.0 * upstream)

    return product


for _method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
    CASES[f"resize_{_method}"] = (lambda O, x, m=_method: O.image.resize(x, (9, 3), m), IMAGES)
    CASES[f"resize_{_method}_antialias"] = (
        lambda O, x, m=_method: O.image.resize(x, (2, 7), m, antialias=True),
        IMAGES,
    )
CASES["resize_crop"] = (lambda O, x: O.image.resize(x, (4, 8), crop_to_aspect_ratio=True), IMAGES)
CASES["resize_pad"] = (lambda O, x: O.image.resize(x, (4, 8), pad_to_aspect_ratio=True, fill_value=0.5), IMAGES)
for _mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
    CASES[f"affine_{_mode}"] = (lambda O, x, m=_mode: O.image.affine_transform(x, SHIFT, "bilinear", m, 0.25), IMAGES)
    CASES[f"map_nearest_{_mode}"] = (lambda O, x, c, m=_mode: O.image.map_coordinates(x, c, 0, m), MATRIX, PLACES)

BOOLS, TRUE = integers(0, 2, 3, 3).astype(bool), np.ones((3, 3), bool)
BYTES, MORE_BYTES = integers(-100, 100, 3, 4, dtype="int8"), integers(-100, 100, 4, 2, dtype="int8")
NOTHING = np.zeros((3, 0), "float32")
CORNER = np.array([-1.5, -1.0, -0.0, 0.0, 0.25, 1.0, 6.0, 7.0], "float32")
LARGE = np.array([3e38, 1e30, -2e20, 0.0, 5.0, np.inf, -np.inf], "float32")
CASES |= {
    "bools": (
        lambda O, x, y: (
            *(O.mod(x, y), O.fmod(x, y), O.square(x), O.diff(x), O.diff(x, 2, 0), O.diag(x[0]), O.diagflat(x)),
            *(O.matmul(x, y), O.dot(x, y), O.inner(x, y), O.tensordot(x, y, 1), O.einsum("ij,jk->ik", x, y)),
            *(O.vdot(x, y), O.cumsum(x, 0), O.cumprod(x, 1)),
        ),
        BOOLS,
        TRUE,
    ),
    "bytes": (
        lambda O, x, y: (O.matmul(x, y), O.einsum("ij,jk->ik", x, y), O.dot(x, y), O.tensordot(x, y, 1)),
        BYTES,
        MORE_BYTES,
    ),
    "bytes_cumulated": (lambda O, x: (O.cumsum(x), O.cumprod(x, 1), O.nancumsum(x, 0), O.nancumprod(x)), BYTES),
    "no_elements": (
        lambda O, x: (
            *(O.dot(x, O.transpose(x)), O.inner(x, x), O.tensordot(x, x, [[1], [1]]), O.einsum("ij,kj->ik", x, x)),
            *(O.quantile(O.transpose(x), 0.5, 1), *O.fft((x, x)), *O.unstack(O.transpose(x))),
        ),
        NOTHING,
    ),
    "initial": (
        lambda O, x, y: (
            *(O.max(x, axis=1, initial=3.0), O.min(x, axis=1, keepdims=True, initial=-2.0), O.max(x, initial=1.0)),
            *(O.max(y, axis=0, initial=0.5), O.min(y, initial=-9.0)),
        ),
        NOTHING,
        MATRIX,
    ),
    "over_no_axes": (
        lambda O, x: (O.sum(x, axis=()), O.mean(x, axis=[]), O.max(x, axis=()), O.var(x, axis=(), keepdims=True)),
        MATRIX,
    ),
    "nan_in_order": (
        lambda O, x: (O.median(x), O.median(x, 1), O.quantile(x, [0.2, 0.7], 1, "lower"), O.percentile(x, 30.0, 0)),
        HOLES[1:],
    ),
    "nan_spread": (lambda O, x: (O.nanvar(x, 1), O.nanstd(x), O.nanmean(x, 0, True)), HOLES[1:]),
    "nan_and_infinite": (lambda O, x: O.nanvar(x), SPECIAL),
    "infinite": (lambda O, x, y: (O.logaddexp(x, y), O.logaddexp2(x, y), O.hypot(x, y)), LARGE, LARGE[::-1].copy()),
    "infinite_equal": (lambda O, x: (O.logaddexp(x, x), O.hypot(x, 1.0), O.floor_divide(5.0, x)), LARGE),
    "floor_divide_infinite": (
        lambda O, x: (O.floor_divide(x, np.inf), O.floor_divide(x, -np.inf), O.mod(x, np.inf)),
        MATRIX,
    ),
    "logaddexp": (lambda O, x, y: (O.logaddexp(x, y), O.hypot(x, y)), MATRIX, floats(4, 5)),
    "round": (lambda O, x, y: (O.round(x, -1), O.round(x, 2), O.round(y, 1)), WHOLE, MATRIX),
    "saturate_cast": (
        lambda O, x, y, z: (
            *(O.saturate_cast(x, "uint8"), O.saturate_cast(y, "uint8"), O.saturate_cast(y, "bool")),
            *(O.saturate_cast(z, "float16"), O.saturate_cast(z, "int8")),
        ),
        WHOLE,
        BYTES,
        LARGE,
    ),
    "clip": (lambda O, x, y: (O.clip(x, -1.5, 20.5), O.clip(x, -2, 7), O.clip(y, -1, 1)), WHOLE, MATRIX),
    "array_split": (lambda O, x, y: (*O.array_split(x, 3), *O.array_split(y, 6, axis=2)), VECTOR, CUBE),
    "correlate": (
        lambda O, x, y: tuple(O.correlate(a, b, m) for a, b in ((x, y), (y, x)) for m in ("valid", "same", "full")),
        VECTOR,
        floats(4),
    ),
    "cross_flat": (
        lambda O, x, y: (O.cross(x, y[:, :2]), O.cross(x, y), O.cross(y, x), O.cross(x, x[::-1])),
        floats(4, 2),
        floats(4, 3),
    ),
    "scatter_update": (
        lambda O, x, y: tuple(
            O.scatter_update(x, np.array([[0], [2], [0]]), y, m) for m in ("max", "min", "mul", "add")
        ),
        MATRIX,
        floats(3, 5),
    ),
    "celu": (lambda O, x: (O.celu(x), O.celu(x, 0.5), O.celu(x, 2.0)), CORNER),
    "relu6": (lambda O, x: (O.relu6(x), O.hard_sigmoid(x * 3.0)), CORNER),
    "erfinv": (lambda O, x: O.erfinv(x * 0.125), CORNER[:-1]),
    "ldexp_small": (lambda O, x, y: O.ldexp(x, y), MATRIX.astype("float16"), integers(-9, 20, 4, 5)),
    "linspace": (
        lambda O, x: (O.linspace(x, 2, 5), O.linspace(0, x, 3, False, axis=1), O.geomspace(x + 5, 9, 4)),
        VECTOR,
    ),
    "blocks_of_channels": (
        lambda O, x: (O.depth_to_space(x, 2, "channels_first"), O.space_to_depth(x, 2, "channels_first")),
        floats(2, 8, 4, 6),
    ),
    "view": (
        lambda O, x: (O.view(x, "int32"), O.view(x, "uint8"), O.view(x), O.view(O.view(x, "float16"), "float32")),
        floats(3, 4),
    ),
    "trapezoid_places": (lambda O, x, y: O.trapezoid(x, y), MATRIX.astype("float16"), floats(4, 5)),
    # Away from halves, which Keras's backends round differently.
    "map_integers": (lambda O, x, c: O.image.map_coordinates(x, c, 1, "nearest"), WHOLE, PLACES + 0.0123),
    "affine_uint8": (lambda O, x: O.image.affine_transform(x, SHIFT * 0.987), (IMAGES * 255).astype("uint8")),
}

CASES |= {
    "elementary": (
        lambda O, x, y: (
            O.exp2(x),
            O.rsqrt(y),
            O.arccosh(y + 1.0),
            O.squareplus(x),
            O.squareplus(x, 0.5),
            O.log_sigmoid(x),
        ),
        MATRIX,
        np.abs(floats(4, 5)) + 0.25,
    ),
    "bends": (
        lambda O, x: (
            *(O.hard_shrink(x), O.hard_shrink(x, 1.25), O.soft_shrink(x), O.soft_shrink(x, 0.25), O.tanh_shrink(x)),
            *(O.sparse_plus(x), O.sparse_sigmoid(x), O.threshold(x, 0.3, -4.0), O.glu(x), O.glu(x, 0), O.softsign(x)),
        ),
        floats(4, 6) * 1.01 + 0.003,
    ),
    "finite": (lambda O, x: (O.isfinite(x), O.isinf(x), O.isnan(x), O.nan_to_num(x, 0.5, 9.0, -9.0)), SPECIAL),
    "logical": (
        lambda O, x, y: (
            *(O.logical_and(x, y), O.logical_or(x, y), O.logical_xor(x, y), O.logical_not(x)),
            *(O.isclose(x / 7, y / 7, atol=0.5), O.searchsorted(O.sort(x[0]), y), O.get_item(x, (..., 1))),
        ),
        integers(0, 3, 3, 4),
        integers(0, 3, 3, 4),
    ),
    "divide_no_nan": (lambda O, x, y: O.divide_no_nan(x, y), MATRIX, floats(4, 5) * (np.arange(5) % 2)),
    "filled": (
        lambda O, x: (O.full_like(x, 2.5), O.full_like(x, 7, "int32"), O.tri(3, 5, 1), O.trace(x, 1), O.eye(3, 4, k=1)),
        MATRIX,
    ),
    "moments": (
        lambda O, x: (*O.moments(x, (0, 2)), *O.moments(x, -1, keepdims=True), O.std(x, axis=1)),
        CUBE,
    ),
    "batch_normalization": (
        lambda O, x, m, v, b, g: (O.batch_normalization(x, m, v, -1), O.batch_normalization(x, m, v, 2, b, g, 0.01)),
        CUBE,
        floats(4),
        np.abs(floats(4)) + 0.5,
        floats(4),
        floats(4),
    ),
    "separable_conv": (
        lambda O, x, d, p: (
            O.separable_conv(x, d, p, padding="same"),
            O.separable_conv(x, d, p, strides=2),
            O.separable_conv(x, d, p, padding="same", dilation_rate=2),
        ),
        IMAGES,
        floats(3, 3, 3, 2),
        floats(1, 1, 6, 4),
    ),
    "psnr": (lambda O, x, y: O.psnr(x, y, 1.0), IMAGES, IMAGES[::-1].copy()),
    "cut_off": (lambda O, x: O.stop_gradient(x) * x + O.copy(x), MATRIX),
    "vectorized_map": (lambda O, x: O.vectorized_map(lambda row: O.softmax(row) * row[0], x), MATRIX),
}

# Whose gradients are not compared: they are none, or differ by choice where the function has a corner.
NO_GRADIENT = {
    "signs", "segments", "allclose", "heaviside", "fmax", "isin", "ctc_decode", "ctc_decode_repeats", "ctc_beam",
    "histogram", "jvp", "nan_variances", "nan_reductions", "nan_cumulated", "nan_quantiles", "lu_factor", "qr",
    "qr_complete", "fabs", "ptp", "matrix_rank", "nextafter", "no_elements", "initial", "over_no_axes", "nan_in_order",
    "nan_and_infinite", "infinite", "infinite_equal", "floor_divide_infinite", "saturate_cast", "view", "bools",
    "linspace", "ldexp_small", "trapezoid_places", "clip", "scatter_update", "finite", "divide_no_nan", "filled",
}  # fmt: skip
