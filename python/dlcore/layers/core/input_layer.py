"""InputLayer and Input: where the data enters a Functional model."""

from dlcore.backend.dtypes import standardize_dtype
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.layers.layer import Layer
from dlcore.ops.operation import Node


class InputLayer(Layer):
    """The source of one KerasTensor.

    Args:
        shape: shape of one example, None for any size.
        batch_size: number of examples of each batch, default any.
        dtype: default the default float.
        sparse: whether the data comes as SciPy's sparse matrices, as it may anyway: batch by batch they become dense.
        ragged: False.
        batch_shape: the whole shape instead of shape and batch_size.
        input_tensor: a KerasTensor to be the source, or one of a model to take shape and dtype from.
        optional: whether None may be passed.
        name: default "input_layer", made unique.
    """

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name)
        if ragged:
            raise ValueError(
                f"{self._label()}: there are no ragged tensors. Got ragged=True; leave it False, and pad the rows to "
                "one length, such as with utils.pad_sequences."
            )
        if kwargs.get("input_shape") is not None:
            shape = kwargs.pop("input_shape")
        if kwargs.get("batch_input_shape") is not None:
            batch_shape = kwargs.pop("batch_input_shape")
        if input_tensor is not None:
            _check_agrees(self._label(), input_tensor, shape, batch_size, batch_shape, dtype, sparse)
            batch_shape, dtype, sparse = input_tensor.shape, input_tensor.dtype, input_tensor.sparse
        elif batch_shape is not None and (shape is not None or batch_size is not None):
            raise ValueError(
                f"{self._label()}: batch_shape says all. Got batch_shape={batch_shape} with shape={shape}, batch_size="
                f"{batch_size}; pass it alone, or shape and batch_size."
            )
        if batch_shape is None:
            if shape is None:
                raise ValueError("You must pass a `shape` argument, the shape of one example without the batch.")
            batch_shape = (batch_size, *_as_shape(shape))
        self.batch_shape = _as_shape(batch_shape)
        self.sparse, self.ragged = bool(sparse), False
        placeholder = input_tensor
        if input_tensor is None or input_tensor.history is not None:  # one that is an output stays so
            placeholder = KerasTensor(self.batch_shape, dtype, sparse=self.sparse, name=self.name)
        self._dtype = placeholder.dtype
        self.optional = optional
        self.built = True
        self._called = True
        Node(self, (), {}, placeholder)

    def call(self):
        return None

    @property
    def dtype(self):
        return self._dtype

    def get_config(self):
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def _check_agrees(label, tensor, shape, batch_size, batch_shape, dtype, sparse):
    """A ValueError unless what is given besides a KerasTensor is what it says."""
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            f"{label}: input_tensor must be a KerasTensor. Got {tensor!r} of type {type(tensor).__name__}."
        )
    for name, given, own in (
        ("shape", None if shape is None else _as_shape(shape), tensor.shape[1:]),
        ("batch_size", batch_size, tensor.shape[0] if tensor.shape else None),
        ("batch_shape", None if batch_shape is None else _as_shape(batch_shape), tensor.shape),
        ("dtype", None if dtype is None else standardize_dtype(dtype), tensor.dtype),
        ("sparse", sparse, tensor.sparse),
    ):
        if given is not None and given != own:
            raise ValueError(f"{label}: {name}={given} differs from that of the input_tensor, {own}. Leave it out.")


def _as_shape(shape):
    if isinstance(shape, (int, str)):
        example = 8 if isinstance(shape, str) else shape
        raise ValueError(f"A shape should be a tuple, such as ({example},). Received: shape={shape!r}")
    sizes = tuple(None if size is None else int(size) for size in shape)
    if any(size is not None and size < 0 for size in sizes):
        raise ValueError(f"Sizes of a shape can't be negative; use None for any size. Received: shape={sizes}")
    return sizes


def Input(  # noqa: N802
    shape=None,
    batch_size=None,
    dtype=None,
    sparse=None,
    ragged=None,
    batch_shape=None,
    name=None,
    tensor=None,
    optional=False,
):
    """A KerasTensor for the data that a model will get.

    Args:
        shape: shape of one example without the batch, None for any size.
        batch_size: number of examples of each batch, default any.
        dtype: default the default float; `"string"` for layers that take strings, such as TextVectorization.
        sparse: whether the data comes as SciPy's sparse matrices, as it may anyway: batch by batch they become dense.
        ragged: False, there are no ragged tensors.
        batch_shape: the whole shape instead of shape and batch_size.
        name: default "input_layer", made unique.
        tensor: a KerasTensor that is returned as it is; one of a model: whose shape and dtype are taken.
        optional: bool, default False: the data may be None.

    Example:

    >>> x = Input(shape=(32,))
    >>> y = layers.Dense(16, activation="softmax")(x)
    >>> model = Model(x, y)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer._inbound_nodes[0].outputs[0]
