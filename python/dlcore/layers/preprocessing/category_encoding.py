import numpy as np

from dlcore import _core, ops
from dlcore.backend.arguments import one_of, positive_int
from dlcore.layers.layer import Layer
from dlcore.layers.preprocessing.values import sparse_flag


class CategoryEncoding(Layer):
    """Integers as vectors with one entry per integer.

    Args:
        num_tokens: int > 0: the integers are in [0, num_tokens); others leave no trace.
        output_mode: `"multi_hot"` (default): one vector per sample, 1 where the integer occurs; `"count"`: how often it
            occurs; `"one_hot"`: one vector per integer.
        sparse: bool, default False: outside of a model the vectors are a SciPy `csr_array`; in one they are dense.

    The call takes the integers and, for `"count"`, `count_weights` of the same shape that are added instead of 1.

    Input shape: (batch, integers) or (integers,).
    Output shape: (batch, num_tokens) or (num_tokens,); for `"one_hot"` (batch, integers, num_tokens), where a last axis
    of size 1 is dropped first.

    Example:

    >>> CategoryEncoding(num_tokens=4, output_mode="count")(np.array([[0, 1], [3, 3]])).numpy()
    array([[1., 1., 0., 0.],
           [0., 0., 0., 2.]], dtype=float32)
    """

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        self.num_tokens = positive_int("CategoryEncoding", "num_tokens", num_tokens)
        self.output_mode = standard_mode("CategoryEncoding", output_mode, ("multi_hot", "count", "one_hot"))
        self.sparse = sparse_flag("CategoryEncoding", sparse, output_mode)

    def __call__(self, inputs, *args, **kwargs):
        if isinstance(inputs, (int, list, tuple)):
            inputs = ops.convert_to_tensor(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs, count_weights=None):
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f'{self._label()}: count_weights are for output_mode="count". Got output_mode={self.output_mode!r}.'
            )
        return encode(inputs, self.output_mode, self.num_tokens, self.compute_dtype, count_weights, self.sparse)

    def get_config(self):
        config = {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
        return {**config, "sparse": True} if self.sparse else config  # Keras leaves it out


def standard_mode(layer_type, mode, choices):
    """The output mode, with Keras's old names understood."""
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    return one_of(layer_type, "output_mode", mode, choices)


def encode(indices, mode, depth, dtype, weights=None, sparse=False):
    """Integers as vectors of `depth` numbers; those outside [0, depth) leave no trace.

    Args:
        indices: int (..., n).
        mode: `"int"`: as they are; `"one_hot"`: (..., n, depth), a last axis of 1 dropped; `"multi_hot"`, `"count"`:
            (..., depth).
        dtype: of the result.
        weights: what `"count"` adds up, default ones.
        sparse: whether known integers become a SciPy `csr_array`; those of a trace never do.
    """
    indices = ops.convert_to_tensor(indices)
    if mode == "int":
        return ops.cast(indices, dtype)
    indices = ops.cast(indices, "int64")
    if indices.ndim == 0:
        indices = ops.expand_dims(indices, 0)
    if sparse and not indices.is_symbolic:
        return sparse_vectors(indices.numpy(), mode, depth, dtype, weights)
    if mode == "one_hot":
        indices = ops.squeeze(indices, -1) if indices.ndim > 1 and indices.shape[-1] == 1 else indices
        return ops.one_hot(indices, depth, dtype=dtype)
    ones = ops.ones_like(indices, dtype=dtype) if weights is None else ops.cast(weights, dtype)
    # Only its shape matters.
    like = ops.zeros_like(indices[..., :1], dtype="bool")
    like = _core.apply("broadcast_to", [like], shape=[*([-1] * (indices.ndim - 1)), depth])
    negative = ops.less(indices, 0)
    if indices.is_symbolic or bool(ops.any(negative)):
        indices = ops.where(negative, depth, indices)  # they would count from the end
    counts = _core.apply("scatter_along", [like, indices, ones], axis=-1, mode="fill")
    return ops.minimum(counts, 1) if mode == "multi_hot" else counts


def sparse_vectors(indices, mode, depth, dtype, weights=None):
    """What `encode` returns, as a SciPy `csr_array`.

    Raises:
        ImportError: SciPy is not installed.
        ValueError: the vectors are no matrix, or of a dtype that SciPy does not have.
    """
    try:
        from scipy.sparse import coo_array
    except ImportError:
        raise ImportError("sparse=True returns arrays of SciPy. Install it: pip install scipy") from None
    if mode == "one_hot":
        indices = indices if indices.ndim > 1 and indices.shape[-1] == 1 else indices[..., None]
    shape = (*indices.shape[:-1], depth)
    if len(shape) != 2 or dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"sparse=True returns matrices (samples, {depth}) of a dtype that SciPy has. Got vectors of shape {shape} "
            f"and dtype {dtype}. Give inputs with a batch axis and, for one_hot, one integer per sample, or leave "
            "sparse out."
        )
    inside = (indices >= 0) & (indices < depth)
    values = np.ones(indices.shape, dtype) if weights is None else ops.convert_to_numpy(weights).astype(dtype)
    matrix = coo_array((values[inside], (np.nonzero(inside)[0], indices[inside])), shape).tocsr()
    matrix.sum_duplicates()
    if mode == "multi_hot":
        matrix.data = (matrix.data > 0).astype(dtype)
    return matrix
