"""Prints the tables of piecewise.simd.h: `python piecewise.py > piecewise.inc`.

A function of a >= 0 is c0 + c1*d + c2*d^2 + ..., d = a - center. Each of the 32 rows is (center, c0, c1, ...) of one
interval of a, least squares of the relative error at Chebyshev nodes. The center is the float32 near the interval's
middle whose value is nearest to a float32: then c0 adds no error of its own.
"""

import math

import numpy as np

ROWS, COLUMNS, NODES, CENTERS = 32, 8, 200, 2000
SATURATED = 6.1


def center_of(function, low, high):
    if low == 0:
        return np.float32(0)
    center = np.float32((low + high) / 2)
    near = (center.view("int32") + np.arange(-CENTERS, CENTERS)).astype("int32").view("float32")
    value = np.array([function(float(x)) for x in near])
    rounding = np.abs(value.astype("float32") - value) / value
    return near[rounding.argmin()]


def row(function, low, high, degree):
    center = center_of(function, low, high)
    half = (high - low) / 2
    a = (low + high) / 2 + half * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    d = (a - float(center)) / half
    value = np.array([function(x) for x in a])
    rest, coefficients = value.copy(), []
    if center == 0:
        coefficients.append(np.float32(0))
    # Each coefficient is rounded in turn, and the ones after it are fitted again to what that leaves.
    while len(coefficients) <= degree:
        first = len(coefficients)
        powers = d[:, None] ** np.arange(first, degree + 1) / value[:, None]
        fitted = np.linalg.lstsq(powers, rest / value, rcond=None)[0][0] / half**first
        if first == 0:
            fitted = function(float(center))
        elif first == 1 and center == 0:
            fitted = function(1e-12) / 1e-12
        coefficients.append(np.float32(fitted))
        rest -= float(coefficients[-1]) * (d * half) ** first
    padding = [np.float32(0)] * (COLUMNS - 1 - len(coefficients))
    return [center, *coefficients, *padding]


def by_leading_bits(function, degree, smallest, largest):
    """An interval is all numbers of the same exponent and two leading bits of the mantissa; those below are with
    `smallest`. The row is the last five of these bits."""
    index = lambda x: int(np.float32(x).view("int32")) >> 21  # noqa: E731
    bound = lambda i: float(np.int32(i << 21).view("float32"))  # noqa: E731
    table = [[np.float32(0)] * COLUMNS] * ROWS
    first = index(smallest)
    for i in range(first, index(largest) + 1):
        table[i % ROWS] = row(function, 0 if i == first else bound(i), bound(i + 1), degree)
    return table


def by_steps(function, degree, step):
    """Row i is of the numbers nearest to i * step."""
    return [row(function, max(0, (i - 0.5) * step), (i + 0.5) * step, degree) for i in range(ROWS)]


# Slopes of gelu less 1/2, and 1/2 from where float32 knows no difference.
def gelu_slope(a):
    if a >= SATURATED:
        return 0.5
    return math.erf(a / math.sqrt(2)) / 2 + a * math.exp(-a * a / 2) / math.sqrt(2 * math.pi)


def gelu_tanh_slope(a):
    if a >= SATURATED:
        return 0.5
    scale, cube = 2 * math.sqrt(2 / math.pi), 0.044715
    t = math.tanh(scale * (a + cube * a**3) / 2)
    return t / 2 + a * (1 - t * t) / 4 * scale * (1 + 3 * cube * a * a)


def main():
    tables = {
        "kTanh": by_leading_bits(math.tanh, 5, 0.125, 9.5),
        "kErf": by_leading_bits(math.erf, 5, 0.125, 3.99),
        "kGeluTail": by_steps(lambda a: a / 2 * math.erfc(a / math.sqrt(2)), 6, 3 / 16),
        "kGeluSlope": by_steps(gelu_slope, 4, 1 / 5),
        "kGeluTanhSlope": by_steps(gelu_tanh_slope, 4, 1 / 5),
    }
    print("// Made by piecewise.py.")
    for name, table in tables.items():
        print(f"inline constexpr PiecewiseTable {name}({{")
        for numbers in table:
            print(f"    {{{', '.join(f'{float(x).hex()}f' for x in numbers)}}},")
        print("});")


if __name__ == "__main__":
    main()
