"""Python's operators on Tensor, Variable and KerasTensor."""

from dlcore import _core
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.tensors import Tensor, convert_to_tensor
from dlcore.backend.variables import Variable
from dlcore.errors import NotTraceable
from dlcore.ops import numpy as knp

_BINARY = {
    "add": knp.add,
    "sub": knp.subtract,
    "mul": knp.multiply,
    "truediv": knp.divide,
    "floordiv": knp.floor_divide,
    "mod": knp.mod,
    "pow": knp.power,
    "matmul": knp.matmul,
}
# Of tensors, &, | and ^ are of bits; of variables and KerasTensors they are of truths, as in Keras.
_OF_BITS = {"and": knp.bitwise_and, "or": knp.bitwise_or, "xor": knp.bitwise_xor}
_OF_TRUTHS = {"and": knp.logical_and, "or": knp.logical_or, "xor": knp.logical_xor}
_COMPARISONS = {
    "lt": knp.less,
    "le": knp.less_equal,
    "gt": knp.greater,
    "ge": knp.greater_equal,
    "eq": knp.equal,
    "ne": knp.not_equal,
}


def _is_operand(x):
    return not isinstance(x, (str, dict, type(None)))


def _left(function):
    return lambda self, other: function(self, other) if _is_operand(other) else NotImplemented


def _right(function):
    return lambda self, other: function(other, self) if _is_operand(other) else NotImplemented


def _no_assignment(self, key, value):
    raise TypeError(
        "Elements can't be assigned to. Make a new tensor with ops.where, ops.slice_update or ops.scatter_update; a "
        "variable takes it with assign()."
    )


def _attach_operators(cls):
    for name, function in {**_BINARY, **(_OF_BITS if cls is Tensor else _OF_TRUTHS)}.items():
        setattr(cls, f"__{name}__", _left(function))
        setattr(cls, f"__r{name}__", _right(function))
    for name, function in _COMPARISONS.items():
        setattr(cls, f"__{name}__", _left(function))
    cls.__neg__ = lambda self: knp.negative(self)
    cls.__pos__ = lambda self: self
    cls.__abs__ = lambda self: knp.absolute(self)
    invert = knp.logical_not if cls is KerasTensor else knp.bitwise_invert
    cls.__invert__ = lambda self: invert(self)
    cls.__round__ = lambda self, digits=0: knp.round(self, digits or 0)
    cls.__getitem__ = lambda self, key: knp.get_item(self, key)
    cls.__setitem__ = _no_assignment
    cls.__hash__ = object.__hash__
    # NumPy leaves array + tensor to us; its functions (np.abs, ...) take tensors as arrays.
    cls.__array_priority__ = 100


def _is_same(self, other):
    """Of two KerasTensors, whether they are one, so that lists of them can be searched; else as of tensors."""
    return self is other if isinstance(other, KerasTensor) else _left(knp.equal)(self, other)


def _not_traced(tensor, what):
    if tensor.is_symbolic:
        raise NotTraceable(
            f"{what} is not known while the function is traced: {tensor!r} has no elements yet. Use dlcore.ops (where, "
            "cond, ...) instead of Python's control flow, or run eagerly with compile(..., run_eagerly=True)."
        )


def _number(convert):
    def of(self):
        tensor = self.value if isinstance(self, Variable) else self
        _not_traced(tensor, f"A tensor's {convert.__name__}()")
        if tensor.size != 1:
            raise TypeError(f"{convert.__name__}() takes a tensor of one element. Received shape {tensor.shape}.")
        return convert(tensor.numpy().item())

    return of


def _array(self, dtype=None, copy=None):
    """As TensorFlow's and JAX's: without a copy where none is asked for, and then only to be read."""
    if copy:
        return self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
    array = self.shared_array()
    if dtype is None or array.dtype == dtype:
        return array
    if copy is False:
        raise ValueError(f"A tensor of {self.dtype} can't be an array of {dtype} without a copy.")
    return array.astype(dtype)


def _length(self):
    if not self.shape:
        raise TypeError("A scalar tensor has no length.")
    if self.shape[0] is None:
        raise NotTraceable(f"The length of {self!r} is not known while the function is traced.")
    return self.shape[0]


def _repr(self):
    if self.is_symbolic:
        return f"<Tensor shape={self.shape}, dtype={self.dtype}, traced>"
    return f"<Tensor shape={self.shape}, dtype={self.dtype}, numpy={self.numpy()!r}>"


def _truth(self):
    tensor = self.value if isinstance(self, Variable) else self
    _not_traced(tensor, "A tensor's truth value")
    if tensor.size != 1:
        raise ValueError(
            f"The truth value of a tensor of shape {tensor.shape} is ambiguous. Use ops.any() or ops.all()."
        )
    return bool(tensor.numpy().item())


class _Elsewhere:
    """An attribute of other frameworks' tensors: an AttributeError that says what to use here."""

    def __init__(self, name, hint):
        self._name, self._hint = name, hint

    def __get__(self, instance, owner):
        raise AttributeError(f"A {owner.__name__} has no attribute {self._name!r}. {self._hint}", name=self._name)


_TAPE = "Gradients are taken with dlcore.GradientTape: tape.gradient(loss, variables)."
_HINTS = {
    "_id": _TAPE,  # that tf.GradientTape looks for
    "backward": _TAPE,
    "detach": "Use ops.stop_gradient().",
    "at": "Use ops.scatter_update() or ops.slice_update().",
}


def _attach_conversions(cls):
    cls.__float__ = _number(float)
    cls.__int__ = _number(int)
    cls.__bool__ = _truth
    cls.__len__ = _length
    cls.__iter__ = lambda self: (self[i] for i in range(len(self)))


def _index(self):
    if self.dtype not in ("uint8", "int8", "int32", "int64"):
        raise TypeError(f"A tensor of dtype {self.dtype} can't be an index; only integers can.")
    return int(self)


def _dlpack(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    if dl_device not in (None, _HOST):
        raise BufferError(f"A tensor's memory is shared on the host, {_HOST}. Received: dl_device={dl_device!r}")
    return _core.to_dlpack(_core.tensor(self.numpy()) if copy else self)


# DLPack's (kDLCPU, 0)
_HOST = (1, 0)


def attach():
    """Gives the three classes their operators."""
    for cls in (Tensor, Variable, KerasTensor):
        _attach_operators(cls)
    for cls in (Tensor, Variable):
        _attach_conversions(cls)
        cls.__index__ = _index
        for name, hint in _HINTS.items():
            setattr(cls, name, _Elsewhere(name, hint))
    Tensor.__array__ = _array
    Tensor.__dlpack__ = _dlpack
    Tensor.__dlpack_device__ = lambda self: _HOST
    Tensor.__repr__ = _repr
    Tensor.__format__ = lambda self, spec: format(self.numpy().item(), spec) if spec else repr(self)
    Tensor.__copy__ = lambda self: self
    Tensor.__deepcopy__ = lambda self, memo: self
    Tensor.__reduce__ = lambda self: (convert_to_tensor, (self.numpy(), self.dtype))
    KerasTensor.__eq__ = _is_same
    KerasTensor.squeeze = lambda self, axis=None: knp.squeeze(self, axis)
    KerasTensor.reshape = lambda self, newshape, *sizes: knp.reshape(self, (newshape, *sizes) if sizes else newshape)
