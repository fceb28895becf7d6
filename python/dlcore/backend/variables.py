"""Variable: a named tensor that programs read and update in place."""

import contextlib
import functools
import itertools
import threading

import numpy as np

from dlcore import _core
from dlcore.backend import dtypes, names
from dlcore.backend.scopes import get_stateless_scope
from dlcore.backend.tensors import Tensor, convert_to_tensor


class _Recording(threading.local):
    """The gradient tapes that record in this thread; each is told of every variable read."""

    def __init__(self):
        self.tapes = []


recording = _Recording()


class _Reading(threading.local):
    """The dtype in which the layer that runs reads its float variables, None: as they are; and whether only shapes are
    asked for, for which NumPy may have the values that are stored."""

    dtype = None
    only_shapes = False


reading = _Reading()


class _New(threading.local):
    """The list to which new variables are added; None: nobody asks."""

    variables = None


_new = _New()
_numbers = itertools.count()


@contextlib.contextmanager
def noting_new():
    """A context that gives the list of the variables that are made in it, by this thread."""
    outer, _new.variables = _new.variables, []
    try:
        yield _new.variables
    finally:
        if outer is not None:
            outer += _new.variables
        _new.variables = outer


def unrecorded(function):
    """Decorator of what makes variables: values they are given there are so at once, also while a graph is traced, and
    not again in each run of the program."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        with _core.Unrecorded():
            return function(*args, **kwargs)

    return call


class Variable:
    """A persistent tensor: weights, optimizer and metric state.

    Args:
        initializer: the first value (array, number, tensor), or a callable `(shape, dtype) -> tensor`, or the name of
            an initializer; the last two need `shape`.
        shape: tuple of ints.
        dtype: name of the dtype; default: the value's own, or the default float for an initializer.
        trainable: whether gradients are taken and optimizers update it.
        autocast: whether layers that compute in 16 bits read a float variable in that dtype, default True.
        aggregation, synchronization, layout: kept for Keras's signature.
        name: default "variable", made unique.

    While a graph is traced, `value` is symbolic and `assign` is recorded: both take effect when the program runs.

    Example:

    >>> counter = Variable(0, dtype="int32")
    >>> total = counter.assign_add(2)
    >>> int(counter)
    2
    """

    def __init__(
        self,
        initializer,
        shape=None,
        dtype=None,
        trainable=True,
        autocast=True,
        aggregation="none",
        synchronization="auto",
        name=None,
        layout=None,
    ):
        self.name = name if name is not None else names.auto_name(type(self).__name__)
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(f"A variable's name must be a string without '/'. Received: name={name!r}")
        scope = names.current_path()
        self.path = f"{scope}/{self.name}" if scope else self.name
        self.trainable = bool(trainable)
        self.autocast = bool(autocast)
        # What it was made as; `layer.trainable = False` leaves it.
        self.declared_trainable = self.trainable
        self.number = next(_numbers)  # of the order in which variables are made
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.regularizer = None
        self.constraint = None
        self.overwrite_with_gradient = False
        # By what a graph records: see StepPrograms. What `unrecorded` functions make is not.
        self.made_in_trace = _core.Graph.current() is not None
        self._core = _core.Variable(self._first_value(initializer, shape, dtype), self.path)
        self.shape = self._core.shape
        self._dtype = self._core.dtype
        if _new.variables is not None:
            _new.variables.append(self)

    def _first_value(self, initializer, shape, dtype):
        if isinstance(initializer, str):
            from dlcore import initializers

            initializer = initializers.get(initializer)
        if not callable(initializer):
            value = convert_to_tensor(initializer, dtype)
            return _core.apply("copy", [value]) if value is initializer else value
        if shape is None:
            raise ValueError(f"Variable '{self.name}': an initializer function needs a `shape`. Received: shape=None")
        shape = tuple(int(size) if size is not None else None for size in shape)
        if None in shape or any(size < 0 for size in shape):
            raise ValueError(
                f"Variable '{self.name}': every size of its shape must be known and not negative. "
                f"Received: shape={shape}"
            )
        return convert_to_tensor(initializer(shape, dtype=dtypes.standardize_dtype(dtype)), dtype)

    @property
    def dtype(self):
        """The dtype of `value`: in a layer of mixed precision its compute dtype, else that in which it is stored."""
        dtype = reading.dtype
        return self._dtype if dtype is None or not self.autocast or self._dtype not in dtypes.FLOATS else dtype

    @property
    def value(self):
        """The value now, symbolic while a graph is traced; a layer of mixed precision reads its compute dtype."""
        tensor = self.read()
        for tape in recording.tapes:
            tape.note_read(self, tensor)
        dtype = self.dtype
        return tensor if dtype == self._dtype else _core.apply("cast", [tensor], dtype=dtype)

    def read(self):
        """The value as it is stored, or the one in the StatelessScope that is open."""
        scope = get_stateless_scope()
        found = None if scope is None else scope.get_current_value(self)
        return self._core.value() if found is None else found

    def write(self, value):
        """Stores a tensor of the variable's shape and dtype."""
        if recording.tapes:
            value = _core.apply("stop_gradient", [value])
            for tape in recording.tapes:
                tape.note_assignment(self)
        scope = get_stateless_scope()
        if scope is None:
            self._core.assign(value)
        else:
            scope.add_update((self, value))

    def __dlcore_tensor__(self):
        return self.value

    def assign(self, value):
        """Replaces the value; the shape must agree, the dtype is converted."""
        value = convert_to_tensor(value, self._dtype)
        if value.shape != self.shape:
            raise ValueError(f"Variable '{self.path}' has shape {self.shape}; {value.shape} can't be assigned to it.")
        self.write(value)
        return value

    def assign_add(self, value):
        """Adds to the value; returns the new one."""
        return self.assign(_core.apply("add", [self.read(), self._operand(value)]))

    def assign_sub(self, value):
        """Subtracts from the value; returns the new one."""
        return self.assign(_core.apply("sub", [self.read(), self._operand(value)]))

    def _operand(self, value):
        return convert_to_tensor(value, self._dtype)

    def numpy(self):
        """A NumPy copy of the value; an error while a program is traced, which reads it when it runs."""
        return (self._core.concrete() if reading.only_shapes else self.read()).numpy()

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self):
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.numpy()}>"

    def __deepcopy__(self, memo):
        copy = Variable(
            self.numpy(), dtype=self._dtype, trainable=self.trainable, autocast=self.autocast, name=self.name
        )
        copy.path, copy.number, copy.declared_trainable = self.path, self.number, self.declared_trainable
        copy.regularizer, copy.constraint = self.regularizer, self.constraint
        copy.overwrite_with_gradient = self.overwrite_with_gradient
        memo[id(self)] = copy
        return copy

    def __getstate__(self):
        state = self.__dict__.copy()
        state["_core"] = np.asarray(self)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._core = _core.Variable(_core.tensor(state["_core"]), self.path)


def is_variable(x):
    """Whether x is a Variable."""
    return isinstance(x, Variable)


__all__ = ["Tensor", "Variable", "is_variable", "reading", "recording"]
