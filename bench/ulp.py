"""The worst errors of the elementary functions: `python -m bench.ulp [--all] [--step 1] [function ...]`.

Every `step`-th of the 2^32 float32 numbers goes through dlcore's float32 kernel and through the same function in
float64, which is the C library's. The error counts in units in the last place of the exact result; what is not finite
must agree. Kernels take numbers below the smallest normal one, 2^-126, for zero: so does the reference. They flush such
results, and such parts of results, to zero: errors of results below 2^-122 count in units of 2^-126.
"""

import argparse
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dlcore import _core

GOALS = {"exp": 2, "log": 2, "tanh": 2, "sigmoid": 2, "erf": 4, "gelu": 4}
OTHERS = ("silu", "softplus", "elu", "expm1", "log1p", "log2", "log10", "rsqrt", "sin", "cos", "gelu_tanh")
ATTRIBUTES = {"elu": {"alpha": 1.0}, "gelu_tanh": {"approximate": True}}
CHUNK = 1 << 17  # what is kept of it stays in the caches
SMALLEST = np.finfo("float32").tiny


def bits(number):
    """Of a float64; those of infinity are all of the exponent's."""
    return np.float64(number).view("int64")


def apply(function, x):
    primitive = "gelu" if function == "gelu_tanh" else function
    return _core.apply(primitive, [_core.tensor(x)], **ATTRIBUTES.get(function, {})).numpy()


def errors(function, x):
    """Of each number, in units in the last place; of what is not finite, 0 where both agree and inf where not."""
    got = apply(function, x)
    small = np.abs(x) < SMALLEST
    if small.any():
        x = np.where(small, np.copysign(np.float32(0), x), x)
    exact = apply(function, x.astype("float64"))
    unit = exact.view("int64") & bits(np.inf)  # the power of two below
    unit[unit < bits(2.0**-122)] = bits(2.0 ** (-126 + 23))
    unit -= 23 << 52  # divided by 2^23
    error = np.abs(got - exact)
    error /= unit.view("float64")
    special = ~np.isfinite(error)
    if special.any():
        got, rounded = got[special], exact[special].astype("float32")
        error[special] = np.where((got == rounded) | (np.isnan(got) & np.isnan(rounded)), 0.0, np.inf)
    return error


def worst_of_chunk(function, first, step):
    x = np.arange(first, min(first + CHUNK * step, 1 << 32), step, dtype="uint64").astype("uint32").view("float32")
    with np.errstate(all="ignore"):  # signaling NaN among the numbers, overflow in the conversions
        error = errors(function, x)
    at = int(error.argmax())
    return float(error[at]), x[at]


def worst(function, step):
    """The greatest error and the number where it is."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        firsts = range(0, 1 << 32, CHUNK * step)
        found = pool.map(worst_of_chunk, itertools.repeat(function), firsts, itertools.repeat(step))
        return max(found, key=lambda pair: pair[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="function")
    parser.add_argument("--all", action="store_true", help="functions without a goal, too")
    parser.add_argument("--step", type=int, default=1)
    options = parser.parse_args()
    functions = options.functions or [*GOALS, *(OTHERS if options.all else ())]
    print(f"{_core.isa()}, every {'' if options.step == 1 else f'{options.step}-th '}float32 number\n")
    print("| function | worst error, ULP | at | goal | s |\n|---|---|---|---|---|")
    for function in functions:
        start = time.perf_counter()
        error, x = worst(function, options.step)
        seconds = time.perf_counter() - start
        print(f"| {function} | {error:.3f} | {x!s} | {GOALS.get(function, '-')} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
