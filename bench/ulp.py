"""The worst errors of the elementary functions: `python -m bench.ulp [--step 1] [function ...]`.

Every `step`-th of the 2^32 float32 numbers goes through dlcore's float32 kernel and through the same function in
float64, which is the C library's. The error counts in units in the last place of the exact result. Kernels take numbers
below the smallest normal one for zero and flush such results to zero: those inputs are left out, and errors of results
up to the smallest normal number count in units of that.
"""

import argparse

import numpy as np

from dlcore import _core

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "erf", "gelu")
CHUNK = 1 << 21
SMALLEST = np.finfo("float32").tiny


def errors(function, x):
    """Of each number, in units in the last place; of results that are not finite, 0 if they agree and inf if not."""
    with np.errstate(all="ignore"):  # signaling NaN among the numbers
        got = _core.apply(function, [_core.tensor(x)]).numpy().astype("float64")
        exact = _core.apply(function, [_core.tensor(x.astype("float64"))]).numpy()
        rounded = exact.astype("float32")
        unit = np.where(np.abs(rounded) <= SMALLEST, SMALLEST, np.spacing(np.abs(rounded))).astype("float64")
        error = np.abs(got - exact) / unit
    special = ~np.isfinite(rounded)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(special, np.where(same, 0.0, np.inf), error)


def worst(function, step):
    """The greatest error and the number where it is."""
    found = -1.0, np.float32(0)
    for first in range(0, 1 << 32, CHUNK * step):
        x = np.arange(first, min(first + CHUNK * step, 1 << 32), step, dtype="uint64").astype("uint32").view("float32")
        x = x[~(np.abs(x) < SMALLEST) | (x == 0)]
        if not x.size:
            continue
        error = errors(function, x)
        at = int(error.argmax())
        found = max(found, (float(error[at]), x[at]), key=lambda pair: pair[0])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="function", default=FUNCTIONS)
    parser.add_argument("--step", type=int, default=1)
    options = parser.parse_args()
    print(
        f"{_core.isa()}, every {options.step}-th float32 number\n\n| function | worst error, ULP | at |\n|---|---|---|"
    )
    for function in options.functions:
        error, x = worst(function, options.step)
        print(f"| {function} | {error:.3f} | {x!r} |", flush=True)


if __name__ == "__main__":
    main()
