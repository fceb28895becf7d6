"""How tests of ops compare numbers."""

import numpy as np

from dlcore import ops


def check(result, expected, tolerance=1e-12):
    """The result has the expected shape, and numbers within the tolerance, relative and absolute."""
    got = ops.convert_to_numpy(result)
    expected = np.asarray(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
