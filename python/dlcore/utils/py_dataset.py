"""Data given batch by batch by the user's own class."""

import itertools

from dlcore.backend.arguments import check_arguments


class PyDataset:
    """Base class of data sets that make each batch in Python.

    A subclass defines `__len__`, the number of batches, and `__getitem__(i)`, batch i as `(x, y)` or `(x, y,
    sample_weight)`. `on_epoch_begin` and `on_epoch_end` may be defined to change the data between epochs. `fit` takes
    the batches in a new order in each epoch, unless `shuffle=False`.

    Args:
        workers: number of threads or processes that make batches ahead; at most one makes none ahead.
        use_multiprocessing: whether they are processes; the data set must then be picklable.
        max_queue_size: number of batches made ahead at most.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...
        ...     def __getitem__(self, i):
        ...         x = np.random.rand(32, 1)
        ...         return x, x**2
    """

    # Kept on the class too, for subclasses that do not call super().__init__().
    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        options = {"workers": workers, "use_multiprocessing": use_multiprocessing, "max_queue_size": max_queue_size}
        check_arguments(PyDataset, (), options)
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index):
        """Batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index), which returns a batch.")

    @property
    def num_batches(self):
        """Number of batches, `len(self)`; None means without end."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(f"{type(self).__name__} must define __len__(self), the number of batches.")
        return len(self)

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch, e.g. to shuffle."""

    def __iter__(self):
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        for index in itertools.count() if count is None else range(count):
            yield self[index]


Sequence = PyDataset
