"""Processes that train one model together, over MPI: each takes its part of every batch, and gradients are averaged.

`mpiexec -n 2 python program.py` starts them; in the program, `distribution.initialize()` makes them known to each other
and `distribution.set_distribution(distribution.DataParallel())` says that they train together. Every process must then
do the same: run the same steps on models of the same shape.
"""

import contextlib
import os

import numpy as np

from dlcore import _core
from dlcore.backend.global_state import get_global_attribute
from dlcore.backend.scopes import StatelessScope
from dlcore.training.data import ArraySource

# What the launchers of MPICH and Open MPI tell each process: the number of all.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_SUMMED = ("float32", "float64", "int32", "int64")


class Processes:
    """All processes of an MPI program.

    Args:
        comm: mpi4py's communicator.
    """

    def __init__(self, comm):
        from mpi4py import MPI

        self._mpi, self._comm = MPI, comm
        self.rank, self.size = comm.rank, comm.size
        # The number of this process among those on the same machine: which of its GPUs it takes.
        self.local_rank = comm.Split_type(MPI.COMM_TYPE_SHARED).rank
        _core.set_process_group(self.rank, self.size, self.sum, self.broadcast)

    def sum(self, array):
        """Sums a 1-D array over the processes, in place. Each element is summed by one process, so that all get the
        same bits.
        """
        part = -(-array.size // self.size)
        padded = np.zeros(part * self.size, array.dtype)
        padded[: array.size] = array
        mine = np.empty(part, array.dtype)
        self._comm.Reduce_scatter_block(padded, mine, op=self._mpi.SUM)
        self._comm.Allgather(mine, padded)
        array[:] = padded[: array.size]

    def broadcast(self, array):
        """Gives all processes the array of process 0, in place."""
        self._comm.Bcast(array, root=0)

    def mean(self, numbers):
        """The means of a list of numbers over the processes."""
        array = np.asarray(numbers, "float64")
        self.sum(array)
        return (array / self.size).tolist()


_started = None
_gradients_are_means = False


def start(num_processes=None, process_id=None):
    """Makes the processes of an MPI program known to each other; without one there is a single process."""
    global _started
    if not any(name in os.environ for name in _SIZES):
        return None
    if _started is None:
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError('Several processes need mpi4py: pip install "dlcore[mpi]".') from error
        _started = Processes(MPI.COMM_WORLD)
    if num_processes not in (None, _started.size) or process_id not in (None, _started.rank):
        raise ValueError(
            f"This is process {_started.rank} of {_started.size}. Got num_processes={num_processes}, "
            f"process_id={process_id}: leave them out, MPI knows them."
        )
    return _started


def started():
    """The processes, or None: there is one."""
    return _started if _started is not None and _started.size > 1 else None


def together():
    """The processes if they train together: there are several, and a distribution is set; else None."""
    return started() if get_global_attribute("distribution") is not None else None


# ---- what a step exchanges


@contextlib.contextmanager
def means_are_taken():
    """For optimizers that hand on gradients to others: those are not averaged again."""
    global _gradients_are_means
    outer, _gradients_are_means = _gradients_are_means, True
    try:
        yield
    finally:
        _gradients_are_means = outer


def mean_gradients(gradients, variables):
    """The gradients' means over the processes that train together: the gradient of the loss on all their rows.

    Of variables that their gradients overwrite, such as the largest value of an input, it is the maximum.
    """
    from dlcore import ops

    group = together()
    if group is None or _gradients_are_means:
        return gradients
    wide = [g if g.dtype in _SUMMED else _core.apply("cast", [g], dtype="float32") for g in gradients]
    overwrite = [v.overwrite_with_gradient for v in variables]
    # In the row of this process, zeros in those of the others: summed, the gradients of all.
    rows = [rank == group.rank for rank in range(group.size)]
    sums = _sums(
        [ops.stack([g if r else ops.zeros_like(g) for r in rows]) if o else g for g, o in zip(wide, overwrite)]
    )
    return [
        ops.max(s, axis=0)
        if own
        else _core.apply("cast", [_core.apply("mul", [s, _core.scalar(1 / group.size, s.dtype)])], dtype=g.dtype)
        for g, s, own in zip(gradients, sums, overwrite)
    ]


def _sums(tensors):
    """The tensors summed over the processes, one message for each dtype."""
    sums = dict.fromkeys(range(len(tensors)))
    for dtype in sorted({t.dtype for t in tensors}):
        places = [i for i, t in enumerate(tensors) if t.dtype == dtype]
        summed = _core.apply("all_reduce", [tensors[i] for i in places])
        sums.update(zip(places, summed if len(places) > 1 else [summed]))
    return list(sums.values())


def with_summed_state(metrics, compute):
    """compute() where the metrics have seen what all processes have: their state is summed."""
    variables = [v for metric in metrics for v in metric.variables if v.dtype in _SUMMED]
    sums = _sums([v.read() for v in variables]) if variables else []
    with StatelessScope(list(zip(variables, sums))):
        return compute()


# ---- what they share


def share_variables(variables, generators=()):
    """Gives all processes the values of process 0; the seed generators go on differently in each of them."""
    group = together()
    if group is None:
        return
    own = {id(generator.state) for generator in generators}
    for variable in variables:
        value = variable.numpy()
        group.broadcast(value.reshape(-1).view("uint8"))
        if id(variable) in own:
            value[0] += group.rank
        variable.assign(value)


def part_of(source, whole=False):
    """This process's part of a source of arrays, where processes train together; else the source.

    Args:
        whole: whether every row is taken; else the last batch, where it is smaller, gives all processes as many rows
            and what is left over is left out: in training all must take as many steps.
    """
    if together() is None or not isinstance(source, ArraySource):
        return source
    return _Part(source, together(), whole)


class _Part(ArraySource):
    """Of each batch of B rows, B / size rows."""

    def __init__(self, source, group, whole):
        if source.batch_size % group.size or source.rows < group.size:
            raise ValueError(
                f"{source.rows} rows in batches of {source.batch_size} can't be divided among {group.size} processes. "
                f"Pass a batch_size that is a multiple of {group.size}, and at least a row for each."
            )
        self._source, self._group = source, group
        self.structure, self.arrays, self.kept_arrays = source.structure, source.arrays, source.kept_arrays
        self.feeds_programs = source.feeds_programs
        self.batch_size = source.batch_size // group.size
        self._full, rest = divmod(source.rows, source.batch_size)
        counts = [rest // group.size + (whole and rank < rest % group.size) for rank in range(group.size)]
        self._tail = slice(sum(counts[: group.rank]), sum(counts[: group.rank + 1]))
        self.rows = self._full * self.batch_size + counts[group.rank]

    def order(self):
        """The rows of one epoch for this process; shuffled alike in all."""
        order = self._source.order()
        if order is None:
            order = np.arange(self._source.rows, dtype="int64")
        else:
            self._group.broadcast(order)
        cut = self._full * self._source.batch_size
        batches = order[:cut].reshape(self._full, self._group.size, self.batch_size)
        return np.concatenate([batches[:, self._group.rank].reshape(-1), order[cut:][self._tail]])
