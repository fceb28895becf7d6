"""GradientTape: gradients of what was computed inside its block, eagerly or while a function is traced."""

import functools

from dlcore import _core, backend, ops, tree
from dlcore.backend.tensors import Tensor
from dlcore.backend.variables import Variable, recording


class GradientTape:
    """Records the computations in its `with` block and takes gradients of them.

    Trainable variables read inside are watched by themselves; tensors with `watch`. Tapes may be nested, for gradients
    of gradients.

    Args:
        persistent: whether `gradient` may be called more than once.
        watch_accessed_variables: whether trainable variables are watched.

    Example:

    >>> with GradientTape() as tape:
    ...     loss = ops.mean(ops.square(model(x, training=True)[:, 0] - y))
    >>> gradients = tape.gradient(loss, model.trainable_variables)
    >>> iterations = model.optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._reads = {}  # id of a variable -> the variable and the values of it that were read
        self._assigned = set()  # ids of variables that were assigned after their last read
        self._graph = None
        self._first = self._last = 0
        self._tape = None
        self._is_recording = False
        self._is_used = False
        self._kept = []

    def keep(self, gradient):
        """Keeps the gradient of a function alive that was called while this tape records."""
        self._kept.append(gradient)

    def __enter__(self):
        self._graph = _core.Graph.current()
        if self._graph is None:
            self._tape = _core.Tape()
        else:
            self._first = self._graph.node_count
        self._start()
        return self

    def __exit__(self, *exception):
        if self._is_recording:
            self._stop()

    def _start(self):
        recording.tapes.append(self)
        if self._tape is not None:
            self._tape.start()
        self._is_recording = True

    def _stop(self):
        recording.tapes.remove(self)
        if self._tape is not None:
            self._tape.stop()
        else:
            self._last = self._graph.node_count
        self._is_recording = False

    def note_read(self, variable, tensor):
        """A variable was read (in graphs of others, as of a layer that is built inside the block, the tape has no
        part). Its gradient is the sum of those of its values: the first one and what it was assigned inside the block,
        through which no gradient flows."""
        if self._watches_variables and variable.trainable and _core.Graph.current() is self._graph:
            self._note(variable, tensor)

    def note_assignment(self, variable):
        """A variable was assigned: what is read next is a value of its own."""
        self._assigned.add(id(variable))

    def _note(self, variable, tensor):
        if id(variable) not in self._reads:
            self._reads[id(variable)] = (variable, [])
        elif id(variable) not in self._assigned:
            return
        self._assigned.discard(id(variable))
        self._reads[id(variable)][1].append(tensor)
        if self._tape is not None:
            self._tape.watch(tensor)

    def watch(self, tensor):
        """Makes gradients with respect to a tensor (or a structure of them) possible."""
        if not self._is_recording:
            raise RuntimeError("GradientTape.watch() works only inside the tape's `with` block.")
        for x in tree.flatten(tensor):
            if isinstance(x, Variable):
                self._note(x, x.read())
            elif isinstance(x, Tensor):
                if not backend.is_float_dtype(x.dtype):
                    raise ValueError(f"Only tensors of floats have gradients. Received a tensor of dtype {x.dtype}.")
                if self._tape is not None:
                    self._tape.watch(x)
            else:
                raise ValueError(
                    "GradientTape.watch() takes tensors and variables of dlcore; ops.convert_to_tensor(x) makes one of "
                    f"an array or a tensor of another library. Received: {x!r}"
                )

    def watched_variables(self):
        """Tuple of the variables that were read while the tape recorded."""
        return tuple(variable for variable, _ in self._reads.values())

    def stop_recording(self):
        """`with tape.stop_recording():` leaves out what is computed inside (eager tapes only)."""
        return _Pause(self)

    def reset(self):
        """Forgets what was recorded."""
        self.__init__(self._persistent, self._watches_variables)
        self.__enter__()

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """Gradients of the sum of the targets with respect to the sources, in their structure.

        Args:
            target: tensor, or a structure of them.
            sources: variable or watched tensor, or a structure of them.
            output_gradients: weights of the target's elements, in its structure.
            unconnected_gradients: what a source that the target does not depend on gets: "none" or "zero".
        """
        if self._is_used and not self._persistent:
            raise RuntimeError(
                "A GradientTape that is not persistent gives gradients once. Use GradientTape(persistent=True)."
            )
        if self._graph is None and self._tape is None:
            raise RuntimeError("GradientTape.gradient() was called before anything was recorded.")
        targets = [self._target(x) for x in tree.flatten(target)]
        flat = tree.flatten(sources)
        values = [self._values(x) for x in flat]
        found = iter(self._gradients(targets, [x for tensors in values for x in tensors], output_gradients))
        gradients = [_sum([next(found) for _ in tensors]) for tensors in values]
        if unconnected_gradients == "zero":
            gradients = [ops.zeros(x.shape, x.dtype) if g is None else g for g, x in zip(gradients, flat)]
        if not self._persistent:
            self._is_used = True
            if not self._is_recording:
                self._tape = None
        return tree.pack_sequence_as(sources, gradients)

    def _target(self, x):
        if isinstance(x, Variable) and self._values(x):
            return self._values(x)[-1]
        if not isinstance(x, Tensor):
            raise ValueError(
                "The target of GradientTape.gradient() should be a tensor, computed with layers and dlcore.ops. "
                f"Received: {x!r}"
            )
        return x

    def _values(self, x):
        """The tensors that stand for a source: of a variable the values that were read."""
        if isinstance(x, Tensor):
            return [x]
        if not isinstance(x, Variable):
            raise ValueError(
                f"The sources of GradientTape.gradient() are keras.Variables and watched tensors. Got {x!r} (of type "
                f"{type(x).__name__})."
            )
        return self._reads[id(x)][1] if id(x) in self._reads else []

    def _gradients(self, targets, sources, output_gradients):
        weights = [] if output_gradients is None else [ops.convert_to_tensor(g) for g in tree.flatten(output_gradients)]
        if self._tape is not None:
            # The tape can't grow while it is read.
            was_recording = self._is_recording
            if was_recording:
                self._stop()
            gradients = self._tape.gradient(targets, sources, weights)
            if was_recording and self._persistent:
                self._start()
            return gradients
        last = self._graph.node_count if self._is_recording else self._last
        return self._graph.gradient(targets, sources, weights, self._first, last)

    def jacobian(self, target, sources):
        """The derivative of each element of the target: shape target.shape + source.shape.

        Args:
            target: tensor.
            sources: tensor or variable, or a structure of them, which the result has too.

        Raises:
            RuntimeError: the tape is not persistent.
        """
        if not self._persistent:
            raise RuntimeError("GradientTape.jacobian() needs GradientTape(persistent=True).")
        flat, count = ops.reshape(target, [-1]), target.size
        rows = []
        for i in range(count):
            hot = ops.reshape(ops.one_hot(i, count, dtype=flat.dtype), target.shape)
            rows.append(tree.flatten(self.gradient(target, sources, hot, "zero")))
        stacked = [ops.reshape(ops.stack(column), [*target.shape, *column[0].shape]) for column in zip(*rows)]
        return tree.pack_sequence_as(sources, stacked)


def _sum(gradients):
    known = [gradient for gradient in gradients if gradient is not None]
    return functools.reduce(ops.add, known) if known else None


class _Pause:
    def __init__(self, tape):
        self._tape = tape

    def __enter__(self):
        if self._tape._tape is None:
            raise NotImplementedError("GradientTape.stop_recording() is not supported in traced functions.")
        self._tape._stop()

    def __exit__(self, *exception):
        self._tape._start()
