"""How tests of ops compare numbers, and derivatives with differences."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import ops


def check(result, expected, tolerance=1e-12):
    """The result has the expected shape, and numbers within the tolerance, relative and absolute."""
    got = ops.convert_to_numpy(result)
    expected = np.asarray(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def check_second_derivative(function, start, direction, tolerance):
    """First and second derivatives of a function of float64 numbers along a direction, against central differences:
    1e-6 relative, or `tolerance`."""

    def derivatives(distance):
        x = ops.convert_to_tensor(start + distance * direction)
        with keras.GradientTape() as outer:
            outer.watch(x)
            with keras.GradientTape() as inner:
                inner.watch(x)
                y = function(x)
            slope = ops.sum(inner.gradient(y, x) * direction)
        return float(y), float(slope), float(ops.sum(outer.gradient(slope, x) * direction))

    (low, low_slope, _), (high, high_slope, _) = derivatives(-1e-5), derivatives(1e-5)
    _, slope, curvature = derivatives(0.0)
    assert slope == pytest.approx((high - low) / 2e-5, rel=1e-6, abs=tolerance)
    assert curvature == pytest.approx((high_slope - low_slope) / 2e-5, rel=1e-6, abs=tolerance)
