"""Strings: what stands for a batch's strings while a function is traced."""

import numpy as np

from dlcore.errors import NotTraceable


class Strings:
    """The place of strings among the arguments of a traced function: there are no tensors of strings.

    What a layer such as StringLookup makes of them becomes an input of the program, see `LooksAtValues`.

    Args:
        shape: sizes, None where any size may be.
        elements: the array of strings that the function is traced with; None where only shapes are asked for.
        read: (arrays of a batch) -> its array of strings.
        lookups: a list that takes what the program needs besides the numbers: functions (arrays of a batch) -> array.
    """

    dtype = "string"

    def __init__(self, shape, elements=None, read=None, lookups=None):
        self.shape = tuple(shape)
        self.elements = elements
        self.read = read
        self.lookups = lookups

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    def fitted(self, shape):
        """These strings with as many axes as the shape, see `fitted`."""
        if len(shape) == self.ndim:
            return self
        sample = fitted(np.empty([1 if size is None else size for size in self.shape], object), shape)
        sizes = (*self.shape, 1)[: sample.ndim]
        elements = None if self.elements is None else fitted(self.elements, shape)
        return Strings(sizes, elements, lambda arrays: fitted(self.read(arrays), shape), self.lookups)

    def __dlcore_tensor__(self):
        raise NotTraceable(
            f"{self!r} stands for strings, which only StringLookup, TextVectorization, Hashing and HashedCrossing "
            "take. Turn them into numbers with one of these layers."
        )

    def __array__(self, dtype=None, copy=None):
        return self.__dlcore_tensor__()

    def __repr__(self):
        return f"<Strings shape={self.shape}>"


def is_text(x):
    """Whether x is an array of strings."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "OSU":
        return False
    return x.dtype.kind != "O" or (x.size > 0 and all(isinstance(item, (str, bytes)) for item in x.flat))


def fitted(array, shape):
    """The array with as many axes as the shape if an axis of size 1 at the end can come or go for it."""
    if array.ndim == len(shape) - 1 and shape[-1] == 1:
        return array[..., None]
    return array[..., 0] if array.ndim == len(shape) + 1 and array.shape[-1] == 1 else array
