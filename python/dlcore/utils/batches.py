"""Batches: a data set whose batches are made when they are asked for."""

import itertools
import math
from collections import deque

import numpy as np

from dlcore import backend, ops, tree
from dlcore.backend.arguments import int_from
from dlcore.utils.py_dataset import PyDataset


class Texts(np.ndarray):
    """An array of strings with the method `numpy` of tensors."""

    def numpy(self):
        """The array of strings."""
        return self.view(np.ndarray)


class Batches(PyDataset):
    """Batches made one by one by a function; what the `..._dataset_from_...` functions return, and `fit` takes.

    Args:
        get: function: number of a batch -> the batch.
        count: number of batches; math.inf: without end, for `fit` with `steps_per_epoch`.
        on_epoch_end: function called after each pass, default None.
        **attributes: kept as attributes, e.g. `class_names`.

    Example:

    >>> squares = Batches(lambda i: (np.ones((8, 1)) * i, np.ones((8, 1)) * i**2), count=10)
    >>> doubled = squares.map(lambda x, y: (x, 2 * y)).take(3)
    """

    def __init__(self, get, count, on_epoch_end=None, **attributes):
        super().__init__()
        self._get = get
        self._count = count
        self._on_epoch_end = on_epoch_end
        self.__dict__.update(attributes)

    def __len__(self):
        return self._finite_count()

    @property
    def num_batches(self):
        """Number of batches; None means without end."""
        return None if self._count == math.inf else self._count

    def cardinality(self):
        """The number of batches; -1 where they are without end."""
        return -1 if self._count == math.inf else self._count

    @property
    def element_spec(self):
        """A KerasTensor for each part of a batch: its dtype, and its shape with None where the first and the last batch
        differ. Both are made for it.
        """

        def spec(first, last):
            shape = [a if a == b else None for a, b in zip(np.shape(first), np.shape(last))]
            is_text = isinstance(first, str) or (isinstance(first, np.ndarray) and first.dtype.kind in "OSU")
            return backend.KerasTensor(shape, "string" if is_text else first.dtype)

        return tree.map_structure(spec, self[0], self[(1 if self._count == math.inf else self._count) - 1])

    def _finite_count(self):
        if self._count == math.inf:
            raise TypeError("The batches are without end: repeat() made them so. Use take(n) first, or repeat last.")
        return self._count

    def __getitem__(self, index):
        if not 0 <= index < self._count:
            raise IndexError(f"There is no batch {index}: there are {self._count}.")
        return self._get(index)

    def __iter__(self):
        for index in itertools.count() if self._count == math.inf else range(self._count):
            yield self._get(index)
        self.on_epoch_end()

    def on_epoch_end(self):
        if self._on_epoch_end is not None:
            self._on_epoch_end()

    def as_numpy_iterator(self):
        """An iterator over the batches of one pass, with NumPy arrays in place of tensors."""
        return (tree.map_structure(backend.convert_to_numpy, batch) for batch in self)

    def map(self, function, num_parallel_calls=None, deterministic=None):
        """What a function makes of every batch.

        Args:
            function: of x, of (x, y) or of (x, y, sample_weight), as many as a batch has.
            num_parallel_calls, deterministic: kept for the signature of tf.data.
        """

        def get(index):
            batch = self[index]
            return function(*batch) if isinstance(batch, tuple) else function(batch)

        return Batches(get, self._count, self._on_epoch_end)

    def apply(self, function):
        """function(batches): for a function that makes other batches of these."""
        return function(self)

    def filter(self, function):
        """The batches of which function(x), or function(x, y), is true.

        Which these are is found in a pass of its own, before each pass: use `cache()` first where making them takes
        long. Their number must not change from pass to pass.

        Raises:
            ValueError: another number of batches was chosen than in the first pass.
        """
        chosen, count, holds = [], self._finite_count(), self.map(function)

        def choose():
            chosen[:] = [i for i in range(count) if bool(holds[i])]
            return len(chosen)

        size, stale = choose(), False

        def get(index):
            nonlocal stale
            if stale and choose() != size:
                raise ValueError(
                    f"filter: {len(chosen)} batches were chosen in this pass, {size} in the first: the order of rows "
                    "changed. Use unbatch() before filter(), and batch() after it."
                )
            stale = False
            return self[chosen[index]]

        def end():
            nonlocal stale
            self.on_epoch_end()
            stale = True

        return Batches(get, size, end)

    def reduce(self, initial_state, reduce_func):
        """The state after one pass: from `initial_state` on, `state = reduce_func(state, batch)` for every batch."""
        for batch in self:
            initial_state = reduce_func(initial_state, batch)
        return initial_state

    def take(self, count):
        """The first `count` batches."""
        return Batches(self.__getitem__, self._count if count < 0 else min(count, self._count), self._on_epoch_end)

    def skip(self, count):
        """All but the first `count` batches."""
        return Batches(lambda i: self[i + count], max(self._count - count, 0), self._on_epoch_end)

    def batch(self, batch_size, drop_remainder=False, num_parallel_calls=None, deterministic=None):
        """So many items at a time, stacked: for data sets made with `batch_size=None`.

        Args:
            batch_size: int > 0.
            drop_remainder: bool, default False: whether a last batch of fewer items is left out.
            num_parallel_calls, deterministic: kept for the signature of tf.data.
        """
        batch_size = int_from("batch", "batch_size", batch_size, 1)
        return self._stacked(batch_size, drop_remainder, lambda _, leaves: _numpy_of(leaves[0]).stack(leaves))

    def padded_batch(self, batch_size, padded_shapes=None, padding_values=None, drop_remainder=False):
        """As `batch`, of items of several sizes, which are filled up at the end of each axis.

        Args:
            batch_size: int > 0.
            padded_shapes: shape of an item, or shapes in the structure of the items; None in it, or all None (default):
                as large as the largest of the batch.
            padding_values: what to fill up with, likewise, default 0, and "" for strings.
            drop_remainder: bool, default False: leave out the last items where they are too few for a batch.

        Raises:
            ValueError: an item is larger than its shape, or there are not as many shapes or values as parts of an item.
        """
        batch_size = int_from("padded_batch", "batch_size", batch_size, 1)
        shapes, values = (_per_leaf(self, given) for given in (padded_shapes, padding_values))
        return self._stacked(
            batch_size, drop_remainder, lambda place, leaves: _padded(leaves, shapes[place], values[place])
        )

    def _stacked(self, batch_size, drop_remainder, stack):
        """Batches of items: stack(place among the leaves, that leaf of each item) makes each leaf."""

        def get(index):
            items = [self[i] for i in range(index * batch_size, min((index + 1) * batch_size, self._count))]
            leaves = enumerate(zip(*map(tree.flatten, items)))
            return tree.pack_sequence_as(items[0], [stack(place, of_items) for place, of_items in leaves])

        return Batches(get, _divided(self._count, batch_size, drop_remainder), self._on_epoch_end)

    def window(self, size, shift=None, stride=1, drop_remainder=False):
        """Data sets of `size` items each, `stride` apart; `flat_map(lambda window: window.batch(size))` makes arrays.

        Args:
            size: int > 0.
            shift: int > 0: items between the first ones of two windows, default `size`.
            stride: int > 0, default 1.
            drop_remainder: bool, default False: leave out windows that the end cuts off.

        Where the items are tuples, so are the windows: of a data set for each part.
        """
        size, stride = (int_from("window", name, n, 1) for name, n in (("size", size), ("stride", stride)))
        shift = size if shift is None else int_from("window", "shift", shift, 1)
        last = (size - 1) * stride if drop_remainder else 0
        count = self._count if self._count == math.inf else len(range(0, max(self._count - last, 0), shift))

        def get(index):
            places = [i for i in range(index * shift, index * shift + size * stride, stride) if i < self._count]
            items = [self[i] for i in places]
            if isinstance(items[0], tuple):
                return tuple(Batches(list(part).__getitem__, len(items)) for part in zip(*items))
            return Batches(items.__getitem__, len(items))

        return Batches(get, count, self._on_epoch_end)

    def flat_map(self, function):
        """The batches of all data sets that `function` makes of these batches, one after another; see `interleave`."""
        return self.interleave(function, cycle_length=1)

    def rebatch(self, batch_size, drop_remainder=False):
        """The same rows, so many in each batch. All batches but the last must be of one size.

        Args:
            batch_size: int > 0.
            drop_remainder: bool, default False: leave out the last rows where they are too few for a batch.
        """
        batch_size = int_from("rebatch", "batch_size", batch_size, 1)
        size, total = self._rows()

        def get(index):
            first, last = index * batch_size, min((index + 1) * batch_size, total)
            parts = [self._full_batch(i, size) for i in range(first // size, (last - 1) // size + 1)]
            skipped = first // size * size

            def rows(*leaves):
                return _numpy_of(leaves[0]).concatenate(leaves)[first - skipped : last - skipped]

            return tree.map_structure(rows, *parts)

        return Batches(get, _divided(total, batch_size, drop_remainder), self._on_epoch_end)

    def _rows(self):
        """The rows of the first batch, and of all."""
        if not self._finite_count():
            return 1, 0
        size, last = (_rows_in(self[i]) for i in (0, self._count - 1))
        return size, size * (self._count - 1) + last

    def _full_batch(self, index, size):
        batch = self[index]
        if index < self._count - 1 and _rows_in(batch) != size:
            raise ValueError(
                f"All batches but the last must have one size. Batch 0 has {size} rows, batch {index} "
                f"{_rows_in(batch)}. Use unbatch() or rebatch() before repeat() and concatenate()."
            )
        return batch

    def unbatch(self):
        """The rows one by one, without the batch axis. All batches but the last must be of one size."""
        size, total = self._rows()
        last = (-1, None)  # rows are asked for in order: the batch that was made last

        def get(index):
            nonlocal last
            number, batch = last
            if number != index // size:
                number, batch = last = index // size, self._full_batch(index // size, size)
            return tree.map_structure(lambda leaf: leaf[index % size], batch)

        def forget():
            nonlocal last
            last = (-1, None)
            self.on_epoch_end()

        return Batches(get, total, forget)

    def repeat(self, count=None):
        """Several passes one after the other, each in its own order where the batches are shuffled.

        Args:
            count: int; None (default) or -1: without end. `fit` then needs `steps_per_epoch`, and goes on in each epoch
                where it stopped in the one before.
        """
        size, turn = self._finite_count(), 0
        passes = math.inf if count is None or count < 0 else count

        def get(index):
            nonlocal turn
            number, place = divmod(index, size)
            if number != turn:
                turn = number
                if number:
                    self.on_epoch_end()
            return self[place]

        return Batches(get, size and size * passes, self.on_epoch_end if passes < math.inf else None)

    def concatenate(self, other):
        """The batches, then those of another data set with the same structure."""
        if not isinstance(other, Batches):
            raise TypeError(f"concatenate: expected Batches. Got {other!r} (of type {type(other).__name__}).")
        size = self._finite_count()

        def end_both():
            self.on_epoch_end()
            other.on_epoch_end()

        return Batches(lambda i: self[i] if i < size else other[i - size], size + other._count, end_both)

    @staticmethod
    def zip(*datasets):
        """Tuples of the batches of several data sets, as many as the shortest has: `Batches.zip(inputs, targets)`.

        Raises:
            TypeError: there is none, or one is not a Batches.
        """
        if len(datasets) == 1 and isinstance(datasets[0], (tuple, list)):
            datasets = datasets[0]
        if not datasets or not all(isinstance(dataset, Batches) for dataset in datasets):
            raise TypeError(f"zip: expected one or more Batches. Got {datasets!r}.")

        def end_all():
            for dataset in datasets:
                dataset.on_epoch_end()

        return Batches(
            lambda i: tuple(dataset[i] for dataset in datasets), min(dataset._count for dataset in datasets), end_all
        )

    def enumerate(self, start=0):
        """Pairs of a number, from `start` on, and a batch."""
        return Batches(lambda i: (start + i, self[i]), self._count, self._on_epoch_end)

    def shard(self, num_shards, index):
        """Every `num_shards`-th batch from batch `index` on: the part of one of as many processes."""
        if not 0 <= index < num_shards:
            raise ValueError(
                f"shard: index must be in 0 ... num_shards - 1. Got num_shards={num_shards}, index={index}."
            )
        count = math.inf if self._count == math.inf else len(range(index, self._count, num_shards))
        return Batches(lambda i: self[index + i * num_shards], count, self._on_epoch_end)

    def interleave(self, function, cycle_length=None, block_length=1, num_parallel_calls=None, deterministic=None):
        """The batches of several data sets in turn: of each that `function` makes of one of these batches.

        Args:
            function: of the batch, as in `map`, returns `Batches`, a list, a `tf.data.Dataset` or the like.
            cycle_length: int: how many take turns; where one has ended, the next comes in. None (default): all.
            block_length: int, default 1: batches of one in a turn.
            num_parallel_calls, deterministic: kept for the signature of tf.data.
        """
        block_length = int_from("interleave", "block_length", block_length, 1)
        sources = [_as_batches(source) for source in self.map(function)]
        cycle_length = len(sources) if cycle_length is None else int_from("interleave", "cycle_length", cycle_length, 1)
        waiting = deque((source, iter(range(len(source)))) for source in sources)
        turns, order = [None] * min(cycle_length, len(sources)), []
        while waiting or any(turns):
            for i, turn in enumerate(turns):
                turns[i] = turn = turn or (waiting.popleft() if waiting else None)
                taken = [(turn[0], place) for place in itertools.islice(turn[1], block_length)] if turn else []
                order += taken
                if len(taken) < block_length:
                    turns[i] = None

        def end_all():
            for source in sources:
                source.on_epoch_end()

        return Batches(lambda i: order[i][0][order[i][1]], len(order), end_all)

    def cache(self, filename=""):
        """The batches of the first pass, kept in memory for all others, also with the name of a file for tf.data."""
        made = {}

        def get(index):
            if index not in made:
                made[index] = self[index]
            return made[index]

        return Batches(get, self._count)

    def shuffle(self, buffer_size=None, seed=None, reshuffle_each_iteration=True):
        """The batches in a random order, not their rows. It must be known how many there are.

        Args:
            buffer_size: kept for the signature of tf.data: all batches are mixed.
            seed: int or None (default): another order in each run.
            reshuffle_each_iteration: bool, default True: another order in each pass.
        """
        order, generator = np.arange(self._finite_count()), np.random.RandomState(seed)
        generator.shuffle(order)

        def mix():
            self.on_epoch_end()
            if reshuffle_each_iteration:
                generator.shuffle(order)

        return Batches(lambda i: self[order[i]], self._count, mix)

    def prefetch(self, buffer_size=None):
        """The same: set `workers` to have batches made ahead by threads."""
        return self


def _as_batches(dataset):
    """Any data set with an end as Batches. One without numbers is read at its first batch, and let go at its last."""
    if isinstance(dataset, Batches):
        return dataset
    if not hasattr(dataset, "__iter__"):
        raise TypeError(f"Expected a data set, as Batches or a list. Got {type(dataset).__name__}.")
    if getattr(dataset, "cardinality", lambda: 0)() == -1:
        raise TypeError("The data set is without end. Use its take(n) first.")
    try:
        count = len(dataset)
    except TypeError:  # only reading tells
        dataset = list(dataset)
        count = len(dataset)
    if hasattr(dataset, "__getitem__"):
        return Batches(dataset.__getitem__, count)
    read = []

    def get(index):
        if not read:
            read.extend(dataset)
        batch = read[index]
        if index == count - 1:
            read.clear()
        return batch

    return Batches(get, count)


def _per_leaf(batches, given):
    """What is given for each leaf of an item: in the structure of the items, or one for all."""
    item = batches[0] if batches._count else None
    if isinstance(given, dict):
        given = [given[key] for key in sorted(given)]
    elif isinstance(given, tuple) and isinstance(item, tuple):
        given = list(given)
    else:
        given = [given] * len(tree.flatten(item))
    if item is not None and len(given) != len(tree.flatten(item)):
        raise ValueError(
            f"padded_batch: expected {len(tree.flatten(item))} shapes or values, one for each part of an item. Got "
            f"{len(given)}: {given}"
        )
    return given


def _padded(leaves, shape, value):
    """The arrays stacked, each filled up to the shape, or the largest size where this is None."""
    arrays = [np.asarray(backend.convert_to_numpy(leaf)) for leaf in leaves]
    sizes = [max(lengths) for lengths in zip(*(a.shape for a in arrays))]
    if shape is not None:
        wanted = [size if to in (None, -1) else to for to, size in zip(shape, sizes)]
        if len(shape) != len(sizes) or any(to < size for to, size in zip(wanted, sizes)):
            raise ValueError(f"padded_batch: items of up to {tuple(sizes)} don't fit into the shape {tuple(shape)}.")
        sizes = wanted
    if value is None:
        value = "" if arrays[0].dtype.kind in "OSU" else 0
    result = np.full((len(arrays), *sizes), value, object if arrays[0].dtype.kind in "OSU" else arrays[0].dtype)
    for row, array in zip(result, arrays):
        row[tuple(map(slice, array.shape))] = array
    return backend.convert_to_tensor(result) if backend.is_tensor(leaves[0]) else result


def _rows_in(batch):
    return len(tree.flatten(batch)[0])


def _divided(count, size, drop_remainder):
    """How many batches of a size `count` items make."""
    if count == math.inf:
        return count
    return count // size if drop_remainder else math.ceil(count / size)


def _numpy_of(x):
    """The namespace of NumPy's functions for x: tensors make tensors, arrays make arrays."""
    return ops if backend.is_tensor(x) else np


def batches_of_rows(load, rows, batch_size=32, shuffle=False, seed=None, **attributes):
    """Batches of rows that `load` reads, in another order in each pass if they are shuffled.

    Args:
        load: function: array of row numbers -> batch.
        rows: number of rows.
        batch_size: rows of a batch, None for single rows without a batch axis.
        shuffle: bool, default False.
        seed: of the order.
    """
    order, generator = np.arange(rows), np.random.RandomState(seed)
    if shuffle:
        generator.shuffle(order)

    def get(index):
        if batch_size is None:
            return tree.map_structure(lambda leaf: leaf[0], load(order[index : index + 1]))
        return load(order[index * batch_size : (index + 1) * batch_size])

    count = rows if batch_size is None else math.ceil(rows / batch_size)
    return Batches(get, count, (lambda: generator.shuffle(order)) if shuffle else None, **attributes)


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None):
    """Two data sets of single rows (use `.batch(n)`) from arrays or a data set.

    Args:
        dataset: array; list, tuple or dict of arrays with as many rows; a `PyDataset` or another iterable of batches; a
            PyTorch Dataset or another one that has the rows by number; or a tf.data.Dataset. All rows are put into
            memory.
        left_size: float, the part of the rows, or int, their number; default None: what `right_size` leaves.
        right_size: likewise.
        shuffle: bool, default False: shuffle the rows before splitting.
        seed: int of the shuffle.
        preferred_backend: kept for Keras's signature.

    Returns:
        (left, right), `Batches`.

    Raises:
        ValueError: the sizes are missing, negative or too large together.
    """
    arrays = _rows_of(dataset)
    if any(not leaf.ndim for leaf in tree.flatten(arrays)):
        raise TypeError(
            "split_dataset: expected arrays of rows, or a list of such. Got single numbers; pass np.array(x)."
        )
    rows = {len(leaf) for leaf in tree.flatten(arrays)}
    if len(rows) != 1:
        raise ValueError(f"split_dataset: expected arrays with as many rows each. Got {sorted(rows)} rows.")
    rows = rows.pop()
    left, right = _split_sizes(left_size, right_size, rows)
    order = np.arange(rows)
    if shuffle:
        np.random.RandomState(seed).shuffle(order)

    def part(numbers):
        def load(chosen):
            return tree.map_structure(lambda leaf: leaf[numbers[chosen]], arrays)

        return batches_of_rows(load, len(numbers), batch_size=None)

    return part(order[:left]), part(order[rows - right :])


def _rows_of(dataset):
    """The rows of a data set as a structure of arrays, tuples for its parts."""
    from dlcore.training.data import is_array_like

    if is_array_like(dataset):
        arrays = tree.map_structure(lambda leaf: np.asarray(backend.convert_to_numpy(leaf)), dataset)
        return tuple(arrays) if isinstance(arrays, list) else arrays
    rows = None
    if not hasattr(dataset, "__iter__") and hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
        rows = [dataset[i] for i in range(len(dataset))]
    elif not isinstance(dataset, PyDataset) and hasattr(dataset, "element_spec"):  # a tf.data.Dataset
        rows = None if hasattr(dataset, "_batch_size") else list(dataset)
    if rows:
        return tree.map_structure(lambda *parts: np.stack([backend.convert_to_numpy(p) for p in parts]), *rows)
    if not hasattr(dataset, "__iter__") or isinstance(dataset, (str, bytes)):
        raise TypeError(f"split_dataset: expected arrays or batches. Got {type(dataset).__name__}.")
    batches = list(dataset)
    if not batches:
        raise ValueError("split_dataset: the data set yields no batch.")
    return tree.map_structure(lambda *parts: np.concatenate([backend.convert_to_numpy(p) for p in parts]), *batches)


def _split_sizes(left, right, rows):
    """The number of rows of both parts."""
    if left is None and right is None:
        raise ValueError("split_dataset: give left_size or right_size.")
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, (int, float))):
            raise TypeError(f"split_dataset: {name} must be an int or a float. Got {name}={size!r}.")
        if size is not None and not 0 < size < (1 if isinstance(size, float) else rows):
            raise ValueError(
                f"split_dataset: {name} must be an int below {rows}, the number of rows, or a float between 0 and 1. "
                f"Got {name}={size}."
            )
    left, right = (round(size * rows) if isinstance(size, float) else size for size in (left, right))
    left, right = (rows - right if left is None else left), (rows - left if right is None else right)
    if left + right > rows or not left or not right:
        raise ValueError(f"split_dataset: {rows} rows can't be split into {left} and {right}.")
    return left, right
