"""The sources of batches: the user's arrays, or anything that yields batches."""

import functools
import inspect
import itertools
import math
from collections import deque

import numpy as np

from dlcore import _core, backend, tree
from dlcore.backend.config import limited
from dlcore.backend.tensors import Tensor
from dlcore.backend.variables import Variable
from dlcore.utils.batches import Batches
from dlcore.utils.py_dataset import PyDataset


def unpack_x_y_sample_weight(data):
    """(x, y, sample_weight) of what a data source yields; what is missing is None."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if len(data) > 3:
        raise ValueError(f"A batch should be x, (x, y) or (x, y, sample_weight). Received {len(data)} parts.")
    return (*data, *(None,) * (3 - len(data)))


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """The reverse: what is None at the end is left out.

    Args:
        x, y, sample_weight: arrays or structures of them, or None.
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    # Several inputs are not to be taken for (x, y).
    return (x,) if isinstance(x, (list, tuple)) else x


def make_source(x, y=None, sample_weight=None, batch_size=None, shuffle=False, class_weight=None, *, prepare):
    """The source for what the user passed to fit, evaluate or predict; prepare turns x into the arrays of steps."""
    if is_array_like(x):
        batch_size = 32 if batch_size is None else batch_size
        return ArraySource(prepare(x), y, sample_weight, batch_size, shuffle, class_weight)
    if not hasattr(x, "__iter__") and not hasattr(x, "__getitem__"):
        call_it = f" Pass what it returns: {x.__name__}()." if inspect.isfunction(x) else ""
        raise ValueError(
            f"Unrecognized data: {x!r} (of type {type(x).__name__}). Expected arrays, a PyDataset, a generator or "
            f"another iterable of batches.{call_it}"
        )
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"`y` and `sample_weight` go with arrays only: x is a {type(x).__name__}, which should yield "
            "(x, y, sample_weight) itself."
        )
    return BatchSource(x, prepare, class_weight, shuffle)


def with_validation(source, split, validation_data, batch_size, prepare):
    """The sources of the batches to train and to validate on; None for the latter where there is none."""
    if split and validation_data is None:
        if not isinstance(source, ArraySource):
            raise ValueError("`validation_split` goes with arrays only; pass `validation_data` instead.")
        train, validation_data = source.split(split)
        source = ArraySource(*train, source.batch_size, source.shuffle, source.class_weight)
    if validation_data is None:
        return source, None
    if not isinstance(validation_data, (tuple, list)):
        if is_array_like(validation_data):
            raise ValueError(
                "`validation_data` should be a tuple (x, y) or (x, y, sample_weight), or yield such batches. Got "
                f"{type(validation_data).__name__} of shape {getattr(validation_data, 'shape', None)}."
            )
        return source, make_source(validation_data, prepare=prepare)
    if not isinstance(source, ArraySource) and batch_size is None:
        batch_size = 32
    return source, make_source(*unpack_x_y_sample_weight(validation_data), batch_size, prepare=prepare)


def make_batch(x, y=None, sample_weight=None, class_weight=None):
    """One batch as the structure of arrays that steps take; x is made of arrays already.

    The arrays may have different numbers of rows, such as the nodes, the edges and the labels of a batch of graphs.
    """
    structure = _structure(x, y, sample_weight)
    if all(a.shape[0] == 0 for a in arrays_of(structure)):
        raise ValueError(_EMPTY)
    return tree.map_structure(_dense, _weighed(structure, class_weight))


def _structure(x, y, sample_weight):
    y = None if y is None else to_arrays(y, "y")
    sample_weight = None if sample_weight is None else to_arrays(sample_weight, "sample_weight")
    return pack_x_y_sample_weight(x, y, sample_weight)


def _weighed(structure, class_weight):
    if not class_weight:
        return structure
    x, y, sample_weight = unpack_x_y_sample_weight(structure)
    return pack_x_y_sample_weight(x, y, weights_of_classes(y, class_weight, sample_weight))


def arrays_of(structure):
    """The arrays of a batch or source in the order in which the program of a step takes them."""
    if type(structure) is np.ndarray:  # most often, and then in no time
        return [structure]
    return [a for a in tree.flatten(structure) if a is not None]


def is_array_like(x):
    """Whether x is an array or a structure of arrays (or lists of numbers) rather than a source of batches."""
    if isinstance(x, dict):
        return all(value is None or is_array_like(value) for value in x.values())
    if isinstance(x, (list, tuple)):
        return True
    kinds = ("to_numpy", "__array__", "toarray")
    return isinstance(x, (np.ndarray, Tensor, Variable)) or any(hasattr(x, name) for name in kinds)


def to_arrays(structure, what, strings=False):
    """Tensors, data frames and lists of numbers as C-contiguous NumPy arrays with at least one axis.

    SciPy's sparse matrices become such whose rows can be taken.

    Args:
        what: the argument that it is, for messages.
        strings: whether arrays may hold strings, which then are of dtype object.
    """
    if isinstance(structure, dict):
        return {key: to_arrays(value, f"{what}[{key!r}]", strings) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)) and structure and not _is_nested_values(structure):
        return tree.rebuilt(structure, [to_arrays(value, f"{what}[{i}]", strings) for i, value in enumerate(structure)])
    if hasattr(structure, "tocsr") and len(structure.shape) == 2:
        return structure.tocsr()
    return to_array(structure, what, strings)


def _is_nested_values(structure):
    first = structure[0]
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, (int, float, bool, np.generic, str, bytes))


def _dense(array):
    return array.toarray() if hasattr(array, "toarray") else array


_ENCODE_TEXT = (
    'Encode text as integers with TextVectorization or StringLookup, or begin the model with Input(dtype="string") and '
    "one of these layers."
)


def _is_text(what):
    number = "Number the classes: names, y = np.unique(y, return_inverse=True), or with the layer StringLookup."
    return ValueError(f"`{what}` holds text. {number if what.startswith('y') else _ENCODE_TEXT}")


def to_array(x, what, strings=False):
    if x is None or (type(x) is np.ndarray and x.dtype in _STORED and x.ndim and x.flags.c_contiguous):
        return x
    array = backend.convert_to_numpy(x)
    if strings and array.ndim and backend.is_text(array):
        return array.astype(object, copy=False)
    if array.dtype == object:
        array = _numbers_of_frame(x, what) if hasattr(x, "to_numpy") else _numbers_of_objects(array, what)
    elif hasattr(x, "isna"):
        _refuse_missing(x, what)
    if array.dtype.kind in "SU":
        raise _is_text(what)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(f"`{what}` is of dtype {array.dtype}. Make it numbers, such as with astype('float32').")
    if array.dtype not in _STORED and array.dtype.name != "bfloat16":
        array = array.astype(backend.standardize_dtype(array.dtype))
    if array.ndim == 0:
        raise ValueError(
            f"`{what}` is a single number; expected an array with one row per example. A data set of single examples "
            "becomes one of batches by its batch(32)."
        )
    return np.ascontiguousarray(array)


def _numbers_of_objects(array, what):
    if any(element is None for element in array.flat):
        raise ValueError(f"`{what}` holds None. Fill in what is missing, or leave those rows out.")
    try:
        return array.astype(np.float32)
    except (TypeError, ValueError):
        if backend.is_text(array):
            raise _is_text(what) from None
        raise ValueError(
            f"`{what}` is an array of dtype object: its elements are no numbers, or its rows differ in length. "
            f"Pad sequences to one length with preprocessing.sequence.pad_sequences. {_ENCODE_TEXT}"
        ) from None


def _numbers_of_frame(frame, what):
    """Floats of a data frame or series of mixed dtypes; only NumPy's floats may be NaN."""
    wrong = [f"{column.name!r} ({column.dtype})" for column in _columns(frame) if not _holds_numbers(column)]
    if wrong and frame.ndim == 1:
        raise ValueError(
            f"`{what}` holds no numbers ({frame.dtype}). Encode them, such as with pandas.factorize or StringLookup."
        )
    if wrong:
        raise ValueError(
            f"`{what}` has columns that hold no numbers: {', '.join(wrong)}. Leave them out, or encode them, such as "
            "with utils.FeatureSpace or pandas.get_dummies."
        )
    _refuse_missing(frame, what)
    return frame.to_numpy(dtype="float32")


def _columns(frame):
    return [frame] if frame.ndim == 1 else [frame.iloc[:, i] for i in range(frame.shape[1])]


def _refuse_missing(frame, what):
    """A ValueError where a value is missing; NumPy's floats may be NaN."""
    others = [c for c in _columns(frame) if not (isinstance(c.dtype, np.dtype) and c.dtype.kind == "f")]
    missing = [repr(column.name) for column in others if column.isna().any()]
    if missing:
        where = "" if frame.ndim == 1 else f" in the columns {', '.join(missing)}"
        raise ValueError(
            f"`{what}` has missing values{where}. Fill them in, such as with fillna(0), or leave those rows out with "
            "dropna()."
        )


def _holds_numbers(column):
    if column.dtype.kind in "mM":  # times, which NumPy would count in nanoseconds
        return False
    try:
        column.to_numpy(dtype="float32", na_value=np.nan)
    except (TypeError, ValueError):
        return False
    return True


_STORED = frozenset(map(np.dtype, ("bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64")))


class NoBatch(ValueError):
    """The data yielded nothing, which is an error unless it has been trained on before."""


class ArraySource:
    """Batches of rows of arrays that lie in memory.

    An epoch of fewer steps than there are batches goes on where the one before stopped.

    Args:
        x, y, sample_weight: arrays or structures of arrays, all with as many rows; x is made of arrays already.
        batch_size: rows of each batch but the last.
        shuffle: whether each epoch takes the rows in a new random order.
        class_weight: dict from class to weight, turned into sample weights.
    """

    _pass = None  # (order of the rows, number of batches taken) of a pass over the rows that is under way

    def __init__(self, x, y=None, sample_weight=None, batch_size=32, shuffle=False, class_weight=None):
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"`batch_size` should be a positive integer. Received: batch_size={batch_size!r}")
        if not isinstance(shuffle, (bool, int, np.bool_)) and shuffle != "batch":
            raise ValueError(f'`shuffle` should be True, False or "batch". Received: shuffle={shuffle!r}')
        self.class_weight = class_weight
        self._given = _structure(x, y, sample_weight)
        _count_rows(*unpack_x_y_sample_weight(self._given))
        self.structure = _weighed(self._given, class_weight)
        self.arrays = arrays_of(self.structure)
        # Else batches are made in Python: of sparse matrices, and of strings.
        self.feeds_programs = all(type(a) is np.ndarray and a.dtype != object for a in self.arrays)
        # As programs take them: a device may keep them from one call to the next.
        self.kept_arrays = [_core.kept_rows(a) for a in self.arrays] if self.feeds_programs else []
        self.rows = self.arrays[0].shape[0]
        self.batch_size = int(batch_size)
        self.shuffle = shuffle

    @property
    def num_batches(self):
        return math.ceil(self.rows / self.batch_size)

    def order(self):
        """All rows in random order; None stands for the order in which they lie."""
        if not self.shuffle:
            return None
        if self.shuffle == "batch":
            starts = np.random.permutation(self.num_batches) * self.batch_size
            return np.concatenate([np.arange(s, min(s + self.batch_size, self.rows)) for s in starts]).astype("int64")
        return np.random.permutation(self.rows).astype("int64", copy=False)

    def rewind(self):
        """Begins with the first batch again."""
        self._pass = None

    def take(self, steps=None):
        """(order of the rows, number of the first batch, that after the last) of the next `steps` batches, or of all
        that are left of the pass over the rows. Where none is left, a new pass begins.
        """
        order, first = self._pass or (self.order(), 0)
        end = limited(self.num_batches, None if steps is None else first + steps)
        self._pass = (order, end) if end < self.num_batches else None
        return order, first, end

    def batches(self, steps=None):
        """The batches that `take` names, as structures of arrays."""
        order, first, end = self.take(steps)
        for start in range(first * self.batch_size, min(end * self.batch_size, self.rows), self.batch_size):
            rows = slice(start, start + self.batch_size) if order is None else order[start : start + self.batch_size]
            yield tree.map_structure(lambda a, rows=rows: None if a is None else _dense(a[rows]), self.structure)

    def split(self, fraction):
        """(the first rows, the last rows) as two tuples (x, y, sample_weight), without the weights of classes."""
        if not 0 < fraction < 1:
            raise ValueError(f"`validation_split` should lie between 0 and 1. Received: validation_split={fraction}")
        cut = int(math.floor(self.rows * (1.0 - fraction)))
        if cut == 0 or cut == self.rows:
            raise ValueError(
                f"`validation_split={fraction}` of {self.rows} samples leaves "
                f"{cut} for training and {self.rows - cut} for validation; both need at least one."
            )
        head = tree.map_structure(lambda a: None if a is None else a[:cut], self._given)
        tail = tree.map_structure(lambda a: None if a is None else a[cut:], self._given)
        return unpack_x_y_sample_weight(head), unpack_x_y_sample_weight(tail)


_EMPTY = "Received empty data: there is not a single sample. Pass arrays of at least one row."


def _count_rows(x, y, sample_weight):
    """Checks that all arrays have as many rows, and at least one; else a ValueError that lists the numbers."""
    rows = {a.shape[0] for part in (x, y, sample_weight) if part is not None for a in arrays_of(part)}
    if len(rows) == 1 and 0 not in rows:
        return
    if not rows or rows == {0}:
        raise ValueError(_EMPTY)
    counts = []
    for what, structure in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        sizes = [a.shape[0] for a in arrays_of(structure)]
        if sizes:
            counts.append(f"{what}: {sizes[0] if len(set(sizes)) == 1 else sizes}")
    hint = "Pass a row of each for every sample."
    if isinstance(x, (list, tuple)) and y is not None and len(x) in {a.shape[0] for a in arrays_of(y)}:
        hint = f"x is a list of {len(x)} arrays, one per input of a model; one array of them all is np.stack(x)."
    raise ValueError(f"All arrays should have the same number of samples (rows). Received: {', '.join(counts)}. {hint}")


def weights_of_classes(y, class_weight, sample_weight=None):
    """One weight per row from the weights of classes, times the sample weights."""
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"`class_weight` must be a dict {{class: weight}}. Got class_weight={class_weight!r}; of a list of weights "
            "pass dict(enumerate(weights))."
        )
    if y is None or isinstance(y, (list, tuple, dict)):
        raise ValueError("`class_weight` is for models with a single output and its labels in `y`.")
    labels = np.argmax(y, axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    weights = np.ones(labels.shape, "float32")
    for label, weight in class_weight.items():
        weights[labels == label] = weight
    return weights if sample_weight is None else weights * sample_weight.reshape(weights.shape)


class BatchSource:
    """Batches that something yields: a PyDataset, a generator, or any iterable.

    An epoch of fewer steps than there are batches goes on where the one before stopped.

    Args:
        data: has `__getitem__` and `__len__` (or `num_batches`), or can be iterated.
        prepare: x -> the arrays that steps are given.
        class_weight: dict from class to weight.
        shuffle: whether each pass takes the batches of the user's own PyDataset in a new random order.
    """

    def __init__(self, data, prepare, class_weight=None, shuffle=False):
        self._data = data
        self._is_shuffled = bool(shuffle) and isinstance(data, PyDataset) and not isinstance(data, Batches)
        self._class_weight = class_weight
        self._prepare_x = prepare
        self._is_indexed = hasattr(data, "__getitem__") and (hasattr(data, "__len__") or hasattr(data, "num_batches"))
        self._is_one_way = not self._is_indexed and iter(data) is data
        self._iterator = iter(data) if self._is_one_way else None  # of a pass over the data that is under way
        self.num_batches = self._length()

    def _length(self):
        if hasattr(self._data, "num_batches"):
            return self._data.num_batches
        try:
            return len(self._data) if hasattr(self._data, "__len__") else None
        except TypeError:
            if self._is_indexed:
                raise
            return None  # of a tf.data.Dataset or an iterable DataLoader whose length is not known

    def on_epoch_begin(self):
        if hasattr(self._data, "on_epoch_begin"):
            self._data.on_epoch_begin()

    def on_epoch_end(self):
        if hasattr(self._data, "on_epoch_end"):
            self._data.on_epoch_end()

    def rewind(self):
        """Begins with the first batch again, of what can be iterated more than once."""
        if not self._is_one_way:
            self._iterator = None

    def batches(self, steps=None):
        """The next `steps` batches as structures of arrays, or all that are left of the pass over the data. Where none
        is left, a new pass begins.
        """
        if steps is None and self._is_endless():
            raise ValueError(
                "The data is without end: say how many batches to take, by steps_per_epoch and validation_steps of "
                "fit() or steps of evaluate() and predict(), or with take(n)."
            )
        is_new, count = self._iterator is None, 0
        if is_new:
            self._iterator = self._new_pass()
        for batch in itertools.islice(self._iterator, steps):
            count += 1
            yield self._prepare(batch)
        if count != steps and not self._is_one_way:
            self._iterator = None
            if count == 0 and not is_new:
                yield from self.batches(steps)

    def _is_endless(self):
        """Whether the data says so, as `Batches` and tf.data.Dataset after repeat()."""
        return hasattr(self._data, "cardinality") and int(self._data.cardinality()) == -1

    def _new_pass(self):
        if self._is_indexed:
            self.num_batches = self._length()  # which may change between epochs
        if self._is_indexed and getattr(self._data, "workers", 1) > 1:
            return self._made_ahead()
        if self._is_shuffled:
            return map(self._data.__getitem__, self._order())
        return itertools.islice(iter(self._data), self.num_batches)

    def _order(self):
        """The numbers of the batches of a pass."""
        if self.num_batches is None:
            return itertools.count()
        return iter(np.random.permutation(self.num_batches).tolist() if self._is_shuffled else range(self.num_batches))

    def _made_ahead(self):
        """Batches in order, some of them being made by other threads or processes meanwhile."""
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        in_processes = getattr(self._data, "use_multiprocessing", False)
        indices = self._order()
        with (ProcessPoolExecutor if in_processes else ThreadPoolExecutor)(self._data.workers) as pool:
            make = functools.partial(pool.submit, self._data.__getitem__)
            waiting = deque(map(make, itertools.islice(indices, max(self._data.max_queue_size, 1))))
            try:
                while waiting:
                    batch = waiting.popleft().result()
                    waiting.extend(map(make, itertools.islice(indices, 1)))
                    yield batch
            finally:  # after an error, or where training stops
                for future in waiting:
                    future.cancel()

    def _prepare(self, batch):
        if batch is None:
            raise ValueError("A batch should be x, (x, y) or (x, y, sample_weight). Received None.")
        x, *rest = unpack_x_y_sample_weight(batch)
        return make_batch(self._prepare_x(x), *rest, self._class_weight)
