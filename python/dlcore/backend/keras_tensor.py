"""KerasTensor: the placeholder that flows through the functional API, with the history of how it was made."""

from dlcore.backend import dtypes, names
from dlcore.backend.masking import get_keras_mask


class KerasTensor:
    """Shape (None for unknown sizes), dtype and the node of the model's graph that makes it; no elements.

    Args:
        shape: tuple of ints, None for any size.
        dtype: default `"float32"`.
        sparse, ragged: bool: whether the data may come so.
        record_history: kept for Keras's signature.
        name: str; default: made unique.
    """

    def __init__(self, shape, dtype="float32", sparse=False, ragged=False, record_history=True, name=None):
        self.shape = tuple(None if size is None else int(size) for size in shape)
        # Models may take strings, though there are no tensors of them.
        self.dtype = dtype if dtype == "string" else dtypes.standardize_dtype(dtype)
        # Whether the data may come so; tensors themselves are dense.
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.name = name or names.auto_name(type(self).__name__)
        # (operation, index of the node, index of the output)
        self.history = None
        # The KerasTensor of the mask; its node is made when someone asks for it.
        self._mask = None

    @property
    def _keras_mask(self):
        """The mask that will ride on the tensor, as a KerasTensor of the graph; an AttributeError where none will."""
        if self._mask is None:
            raise AttributeError(f"{self} carries no mask.")
        if self._mask.history is None:
            from dlcore.ops.operation import Node, OpsFunction

            Node(OpsFunction(get_keras_mask), (self,), {}, self._mask)
        return self._mask

    @_keras_mask.setter
    def _keras_mask(self, mask):
        self._mask = mask

    def like(self):
        """Another of the same shape and dtype, that carries a mask if this one does."""
        made = KerasTensor(self.shape, self.dtype, self.sparse)
        made._mask = None if self._mask is None else self._mask.like()
        return made

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    @property
    def _keras_history(self):
        return self.history

    def __array__(self, *args, **kwargs):
        raise ValueError(
            "A KerasTensor is symbolic: it stands for data that a Functional model will get, and NumPy can't read it. "
            "Use dlcore.ops instead of NumPy or another framework, or put such code into a Layer that works on arrays "
            "outside the model."
        )

    def __float__(self):
        raise ValueError(
            "A KerasTensor has no value: its elements are not known while the model is being built. "
            "Convert dtypes with ops.cast instead of float() and int()."
        )

    __int__ = __float__

    def __bool__(self):
        raise TypeError(
            "A KerasTensor has no truth value: its elements are not known while the model is being built. "
            "Choose with ops.where or ops.cond instead of `if`."
        )

    def __len__(self):
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"The length of {self} is not known while the model is being built.")
        return self.shape[0]

    def __iter__(self):
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"Can't iterate over {self}: the size of its first axis is not known.")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self):
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


def is_keras_tensor(x):
    """Whether x is a KerasTensor: a value of a model that is being built."""
    return isinstance(x, KerasTensor)
