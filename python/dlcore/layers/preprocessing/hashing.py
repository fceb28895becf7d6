"""Layers that put any value into one of a number of bins, by a fingerprint: no vocabulary is needed."""

import numpy as np

from dlcore import _core, backend, ops
from dlcore.backend.arguments import one_of, positive_int
from dlcore.layers.preprocessing.category_encoding import encode, standard_mode
from dlcore.layers.preprocessing.values import LayerOfValues, sparse_flag, strings_of

_CROSSING_KEY = 0xDECAFCAFFE


class Hashing(LayerOfValues):
    """The bin of each string or integer, found by its fingerprint: the same in all programs.

    Integers are hashed as their decimal digits. FarmHash64 is used, or SipHash64 with a salt.

    Args:
        num_bins: int > 0.
        mask_value: value that goes to bin 0, and no other with it; None (default): bins start at 0.
        salt: int, pair of ints or None (default).
        output_mode: `"int"` (default): the bins; `"one_hot"`, `"multi_hot"` or `"count"`: as `CategoryEncoding`.
        sparse: as of `CategoryEncoding`.

    The call takes arrays or lists of strings or integers; in a model, where it runs before the program, an `Input`.

    Input shape: any. Output shape: the same; with another mode as `CategoryEncoding`.

    Example:

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel()
    array([1, 0, 1, 1, 2])
    """

    def __init__(self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else backend.floatx()
        super().__init__(**kwargs)
        self.sparse = sparse_flag("Hashing", sparse, output_mode)
        self.num_bins = positive_int("Hashing", "num_bins", num_bins)
        self.output_mode = standard_mode("Hashing", output_mode, ("int", "one_hot", "multi_hot", "count"))
        if output_mode == "int" and self.compute_dtype not in ("int32", "int64"):
            raise ValueError(
                f'Hashing: the dtype of output_mode="int" must be int32 or int64. Got {kwargs["dtype"]!r}.'
            )
        self.mask_value = mask_value
        self.salt = key_of("Hashing", salt)

    def call(self, inputs):
        values, shape = values_of(self, inputs)
        masked = self.mask_value is not None and self.num_bins > 1
        fingerprints = _core.fingerprints(values, core_key(self.salt))
        found = (fingerprints % np.uint64(self.num_bins - masked)).astype("int64") + masked
        if masked:
            found[values == self.mask_value] = 0
        return encode(found.reshape(shape), self.output_mode, self.num_bins, self.compute_dtype, sparse=self.sparse)

    def get_config(self):
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "salt": self.salt,
            "mask_value": self.mask_value,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


class HashedCrossing(LayerOfValues):
    """The bin of each combination of several features, found by a fingerprint of all.

    Args:
        num_bins: int > 0.
        output_mode: `"int"` (default): the bins; `"one_hot"`: as `CategoryEncoding`.
        sparse: as of `CategoryEncoding`.

    The call takes a list of two or more arrays of strings or integers with equal shapes, (), (batch,) or (batch, 1).

    Output shape: the same; for `"one_hot"` (batch, num_bins).

    Example:

    >>> HashedCrossing(num_bins=5)((["A", "B", "A"], [101, 101, 5])).numpy()
    array([1, 4, 4])
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype="int64" if output_mode == "int" and dtype is None else dtype, **kwargs)
        self.sparse = sparse_flag("HashedCrossing", sparse, output_mode)
        self.num_bins = positive_int("HashedCrossing", "num_bins", num_bins)
        self.output_mode = one_of("HashedCrossing", "output_mode", output_mode, ("int", "one_hot"))

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"{self._label()} expects a list of at least two inputs. Got {inputs!r}.")
        features = [values_of(self, feature, floats=False) for feature in inputs]
        shape = features[0][1]
        if any(other != shape for _, other in features) or len(shape) > 2 or (len(shape) == 2 and shape[-1] != 1):
            raise ValueError(
                f"{self._label()}: the inputs must have one shape, (), (batch,) or (batch, 1). Got shapes "
                f"{[other for _, other in features]}."
            )
        crossed = np.uint64(_CROSSING_KEY)
        for values, _ in features:
            # Integers are their own fingerprints here.
            fingerprints = values.view("uint64") if values.dtype == "int64" else _core.fingerprints(values)
            crossed = _joined(crossed, fingerprints)
        bins = (crossed % np.uint64(self.num_bins)).astype("int64")
        return encode(
            bins.reshape(shape),
            self.output_mode,
            self.num_bins,
            self.compute_dtype,
            sparse=self.sparse,
        )

    def get_config(self):
        config = super().get_config()
        del config["trainable"]  # as Keras
        return {
            **config,
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


def values_of(layer, inputs, floats=True):
    """Strings or ints in an array, a list or a tensor as an array of one axis, and their shape; floats lose their
    fractions."""
    array = np.asarray(inputs) if hasattr(inputs, "__array__") and not backend.is_tensor(inputs) else None
    if array is None and not backend.is_tensor(inputs):
        array = np.array(inputs, dtype=object)
        if any(isinstance(value, (str, bytes)) for value in array.ravel()):
            return strings_of(layer, array)
    array = ops.convert_to_numpy(inputs) if array is None or array.dtype == object else array
    if array.dtype.kind in "SUO":
        return strings_of(layer, array)
    if array.dtype.kind not in ("iuf" if floats else "iu"):
        raise TypeError(f"{layer._label()} expects integers or strings. Got dtype {array.dtype}.")
    return array.astype("int64", copy=False).ravel(), array.shape


def key_of(layer_type, salt):
    """The salt as a list of two ints, or None."""
    if salt is None:
        return None
    if isinstance(salt, int):
        return [salt, salt]
    if isinstance(salt, (list, tuple)) and len(salt) == 2:
        return list(salt)
    raise ValueError(f"{layer_type}: salt must be an int, a pair of ints or None. Got salt={salt!r}.")


def core_key(key):
    """The pair of ints, or None, as the core takes it: modulo 2**64."""
    return None if key is None else [part % 2**64 for part in key]


def _mixed(x):
    return x ^ (x >> np.uint64(47))


def _joined(first, second):
    """One fingerprint of two, in their order (as TensorFlow crosses features; the mixing of MurmurHash 2)."""
    factor = np.uint64(0xC6A4A7935BD1E995)
    result = first ^ factor ^ _mixed(second * factor) * factor
    return _mixed(_mixed(result * factor) * factor)
