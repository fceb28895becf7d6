import numpy as np

from dlcore import backend, ops
from dlcore.layers.holder import note_structure_change
from dlcore.layers.layer import Layer
from dlcore.layers.preprocessing.category_encoding import encode, standard_mode
from dlcore.layers.preprocessing.values import sparse_flag


class Discretization(Layer):
    """The number of the interval that each number lies in: i where boundaries[i - 1] <= x < boundaries[i].

    Args:
        bin_boundaries: ascending list of floats, or None: found by `adapt(data)`.
        num_bins: int, in place of bin_boundaries: how many intervals `adapt` makes, with about as many numbers in each.
        epsilon: float, default 0.01: how exact the quantiles are; data of more than 1 / epsilon numbers is summarized.
        output_mode: `"int"` (default): the intervals, int32; `"one_hot"`, `"multi_hot"` or `"count"`: as
            `CategoryEncoding`.
        sparse: as of `CategoryEncoding`.

    Input shape: any. Output shape: the same; with another mode as `CategoryEncoding`.

    Example:

    >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])(np.array([[-1.5, 1.0, 3.4, 0.5]])).numpy()
    array([[0, 2, 3, 1]], dtype=int32)
    >>> layer = Discretization(num_bins=4)
    >>> layer.adapt(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]))
    >>> layer.bin_boundaries
    [0.0, 0.5, 1.2999999523162842]
    """

    _has_no_weights = True

    def __init__(
        self,
        bin_boundaries=None,
        num_bins=None,
        epsilon=0.01,
        output_mode="int",
        sparse=False,
        dtype=None,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.autocast = False  # dtype is that of the outputs
        self.sparse = sparse_flag("Discretization", sparse, output_mode)
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(
                f"Discretization: give either num_bins or bin_boundaries. Got num_bins={num_bins}, "
                f"bin_boundaries={bin_boundaries}."
            )
        if num_bins is not None and num_bins < 0:
            raise ValueError(f"Discretization: num_bins must not be negative. Got num_bins={num_bins}.")
        if bin_boundaries is not None and np.any(np.diff(bin_boundaries) < 0):
            raise ValueError(f"Discretization: bin_boundaries must ascend. Got {bin_boundaries}; pass them sorted.")
        self.bin_boundaries = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = standard_mode("Discretization", output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.summary = _EMPTY

    def adapt(self, data, steps=None):
        """Finds the boundaries that part the data into equal numbers.

        Args:
            data: an array, or an iterable of batches.
            steps: int or None: how many batches are taken.
        """
        if self.num_bins is None:
            raise ValueError(f"{self._label()} was given its bin_boundaries; adapt() needs num_bins instead.")
        self.reset_state()
        for i, batch in enumerate([data] if hasattr(data, "shape") else data):
            if steps is not None and i >= steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Takes a batch into the summary of the data."""
        numbers = backend.convert_to_numpy(ops.convert_to_tensor(data, dtype="float32"))
        joined = np.concatenate([_summary(numbers, self.epsilon), self.summary], axis=1)
        self.summary = _compressed(joined[:, np.argsort(joined[0])], self.epsilon)

    def finalize_state(self):
        """Sets the boundaries by the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()
            note_structure_change()

    def reset_state(self):
        """Forgets the data, but not the boundaries."""
        self.summary = _EMPTY

    @property
    def output_dtype(self):
        """The dtype of the outputs."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def call(self, inputs):
        if self.bin_boundaries is None:
            raise ValueError(f"{self._label()} has no boundaries yet. Call adapt() first, or pass bin_boundaries.")
        x = ops.convert_to_tensor(inputs)
        x = x if backend.is_float_dtype(x.dtype) else ops.cast(x, backend.floatx())
        bins = ops.digitize(x, ops.convert_to_tensor(np.array(self.bin_boundaries, "float64"), x.dtype))
        return encode(bins, self.output_mode, len(self.bin_boundaries) + 1, self.output_dtype, sparse=self.sparse)

    def compute_output_shape(self, input_shape):
        if self.output_mode == "int":
            return tuple(input_shape)
        kept = input_shape if self.output_mode == "one_hot" and input_shape[-1:] != (1,) else input_shape[:-1]
        return (*kept, self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1)

    def load_own_variables(self, store):
        """Nothing is stored but, in old files, the summary: the boundaries are in the configuration."""

    def get_config(self):
        config = super().get_config()
        del config["trainable"]  # which Keras's constructor does not take
        return {
            **config,
            "bin_boundaries": None if self.bin_boundaries is None else list(self.bin_boundaries),
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        found = config.pop("bin_boundaries", None)
        if found is None or config.get("num_bins") is None:
            return cls(bin_boundaries=found, **config)
        layer = cls(**config)
        layer.bin_boundaries = found
        return layer


# A summary of numbers [2, n]: some of them, ascending, and how many each stands for.
_EMPTY = np.zeros((2, 0), "float32")


def _summary(numbers, epsilon):
    """Every so-manieth of the sorted numbers, so that at most about 1 / epsilon are left."""
    ordered = np.sort(numbers, axis=None)
    stride = max(ordered.size / (1.0 / epsilon), 1.0)
    kept = ordered[int(stride - 1) :: int(stride)]
    return np.stack([kept, np.full(kept.shape, stride, "float32")])


def _compressed(summary, epsilon):
    """The summary at the quantiles epsilon, 2 epsilon, ..., 1; one that is short enough stays as it is."""
    numbers, counts = summary
    if numbers.size * epsilon < 1:
        return summary
    running = np.cumsum(counts)
    quantiles = np.arange(0.0, 1.0, epsilon) + epsilon
    at_quantiles = [np.interp(quantiles, running / running[-1], values) for values in (numbers, running)]
    return np.stack([at_quantiles[0], np.diff(at_quantiles[1], prepend=0)]).astype("float32")
