"""Array functions outside of training beside Keras's: `python -m bench.array_ops [--peers PYTHON] [function ...]`.

Milliseconds of one eager call on NumPy data until there are NumPy arrays: linear algebra, Fourier transforms, sorting,
images at other places, random numbers.
"""

import functools
from collections.abc import Callable

import numpy as np

from .keras_calls import Rows, main


@functools.cache
def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def regular(n: int, *batch: int) -> np.ndarray:
    return 0.1 * normal(*batch, n, n) + np.eye(n, dtype="float32")


def definite(n: int) -> np.ndarray:
    return regular(n) @ regular(n).T + np.eye(n, dtype="float32")


def signals() -> np.ndarray:
    return normal(64, 16_000)


def pixels() -> np.ndarray:
    return np.abs(normal(64, 160, 160, 3))


def integers() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1000, 1_000_000)


def call(function: Callable, *data: Callable) -> Callable:
    """keras -> function(keras, *data), its results as NumPy arrays."""

    def prepare(keras):
        arguments = [make() for make in data]

        def run():
            found = function(keras, *arguments)
            return [keras.ops.convert_to_numpy(y) for y in (found if isinstance(found, (tuple, list)) else [found])]

        return run

    return prepare


def linalg(name: str, *data: Callable, **named) -> Callable:
    return call(lambda keras, *x: getattr(keras.ops.linalg, name)(*x, **named), *data)


def op(name: str, *data: Callable, **named) -> Callable:
    return call(lambda keras, *x: getattr(keras.ops, name)(*x, **named), *data)


def image(name: str, *arguments, **named) -> Callable:
    return call(lambda keras, x: getattr(keras.ops.image, name)(x, *arguments, **named), pixels)


def random(name: str, *arguments) -> Callable:
    return call(lambda keras: getattr(keras.random, name)(*arguments))


TURN = np.array([0.98, -0.17, 14.0, 0.17, 0.98, -11.0, 0.0, 0.0], "float32")

ROWS: Rows = {
    "solve 64": linalg("solve", lambda: regular(64), lambda: normal(64, 8)),
    "solve 256": linalg("solve", lambda: regular(256), lambda: normal(256, 8)),
    "solve 512 x 8x8": linalg("solve", lambda: regular(8, 512), lambda: regular(8, 512)),
    "inv 256": linalg("inv", lambda: regular(256)),
    "det 256": linalg("det", lambda: regular(256)),
    "cholesky 256": linalg("cholesky", lambda: definite(256)),
    "lu_factor 256": linalg("lu_factor", lambda: regular(256)),
    "qr 256": linalg("qr", lambda: regular(256)),
    "solve_triangular 256": linalg(
        "solve_triangular", lambda: np.tril(regular(256)), lambda: normal(256, 8), lower=True
    ),
    "lstsq 256": linalg("lstsq", lambda: regular(256), lambda: normal(256, 8)),
    "eigh 256": linalg("eigh", lambda: definite(256)),
    "svd 256": linalg("svd", lambda: regular(256)),
    "eig 128": linalg("eig", lambda: regular(128)),
    "fft 1000 x 1024": call(lambda keras, x: keras.ops.fft((x, x)), lambda: normal(1000, 1024)),
    "fft2 8 x 160x160": call(lambda keras, x: keras.ops.fft2((x, x)), lambda: normal(8, 160, 160)),
    "rfft 1000 x 1024": op("rfft", lambda: normal(1000, 1024)),
    "stft 64 x 16,000": call(lambda keras, x: keras.ops.stft(x, 400, 160, 512), signals),
    "sort 30,000 x 160": op("sort", lambda: normal(30_000, 160)),
    "argsort 30,000 x 160": op("argsort", lambda: normal(30_000, 160)),
    "top_k 30,000 x 160, 5": op("top_k", lambda: normal(30_000, 160), k=5),
    "median 30,000 x 160": op("median", lambda: normal(30_000, 160), axis=1),
    "cumsum 30,000 x 160": op("cumsum", lambda: normal(30_000, 160), axis=1),
    "unique 10^6": op("unique", integers),
    "bincount 10^6": op("bincount", integers),
    "segment_sum 10^6": op(
        "segment_sum", lambda: normal(1_000_000), lambda: np.arange(1_000_000) // 10, num_segments=100_000
    ),
    "where 10^6, int64": op("where", lambda: integers() > 500, integers, lambda: integers()[::-1].copy()),
    "maximum 10^6, int64": op("maximum", integers, lambda: integers()[::-1].copy()),
    "bitwise_and 10^6, int64": op("bitwise_and", integers, lambda: integers()[::-1].copy()),
    "ctc_loss 32 x 200": op(
        "ctc_loss",
        lambda: np.ones((32, 20), "int32"),
        lambda: normal(32, 200, 30),
        lambda: np.full(32, 20),
        lambda: np.full(32, 200),
    ),
    "resize 160 to 96, bilinear": image("resize", (96, 96)),
    "resize 160 to 96, bicubic": image("resize", (96, 96), interpolation="bicubic"),
    "affine_transform": image("affine_transform", TURN),
    "rgb_to_hsv": image("rgb_to_hsv"),
    "extract_patches 16": image("extract_patches", 16, 16),
    "normal 10^7": random("normal", (10_000_000,)),
    "uniform 10^7": random("uniform", (10_000_000,)),
}


if __name__ == "__main__":
    main("bench.array_ops", __doc__, "Array functions, ms", ROWS)
