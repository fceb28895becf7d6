"""RNN: steps a cell through time. The layers LSTM, GRU and SimpleRNN replace the stepping by one primitive."""

import contextlib
import itertools

from dlcore import _core, backend, ops, tree
from dlcore.backend.arguments import is_int, sequence
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class RNN(Layer):
    """Runs a cell over the time steps of sequences.

    Args:
        cell: a layer with `call(inputs, states) -> (output, new_states)`, `state_size` (int, or list of ints or of
            shapes without the batch) and, optionally, `output_size` and `get_initial_state(batch_size)`; or a list of
            cells, stacked.
        return_sequences: bool, default False: return the outputs of all steps instead of the last.
        return_state: bool, default False: return the final states too.
        go_backwards: bool, default False: step from the end; outputs are in the order they were made.
        stateful: bool, default False: the final states are the initial states of the next batch.
        unroll: bool, default False: kept for Keras's signature.
        zero_output_for_mask: bool, default False: with return_sequences, outputs of masked steps are 0 instead of the
            last output.

    The call takes `sequences`, and optionally `mask` (batch, time), `training` and `initial_state`, a list of states.
    Masked steps leave the states as they are.

    Input shape: (batch, time, features).
    Output shape: (batch, units), or (batch, time, units) with return_sequences; with return_state also the states.
    """

    # What a stateful layer keeps is no weight: it is neither counted nor saved.
    _untracked = Layer._untracked | {"states"}

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.cell = _make_cell(cell)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=3)
        self.states = None

    @property
    def state_size(self):
        """The sizes of the states, a list."""
        return _sizes_of(self.cell)

    def _state_shapes(self, step_shape):
        """The shapes of the states without the batch, for inputs of one step of that shape."""
        return [_as_shape(size) for size in self.state_size]

    def __call__(self, sequences, initial_state=None, **kwargs):
        if isinstance(sequences, (list, tuple)):
            sequences, *states = sequences
            initial_state = states or initial_state
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    def build(self, sequences_shape, initial_state_shape=None):
        if not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self.states is None:
            self._make_states(sequences_shape)

    def _make_states(self, shape):
        if shape[0] is None:
            raise ValueError(
                f'{type(self).__name__} "{self.name}" is stateful, so the batch size must be known. Got input shape '
                f"{tuple(shape)}. Give it as Input(batch_shape=...) or batch_input_shape=..."
            )
        self.states = [
            backend.Variable(
                "zeros", shape=(shape[0], *sizes), dtype=self.variable_dtype, trainable=False, name="rnn_state"
            )
            for sizes in self._state_shapes((shape[0], *shape[2:]))
        ]

    def get_initial_state(self, batch_size):
        """The states to begin with: those of the cell, zeros by default."""
        return _first_states_of(self.cell, batch_size, self.compute_dtype)

    def reset_state(self):
        """Sets the states of a stateful layer back to zero."""
        for state in self.states or ():
            state.assign(ops.zeros(state.shape, dtype=state.dtype))

    reset_states = reset_state

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if not backend.is_float_dtype(sequences.dtype):
            sequences = ops.cast(sequences, self.compute_dtype)
        states = self._first_states(sequences, initial_state)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        from_zero = initial_state is None and not self.stateful and _starts_at_zero(self.cell)
        outputs, last_output, states = self.run(sequences, states, mask, training, from_zero)
        if self.stateful:
            for variable, state in zip(self.states, states):
                variable.assign(state)
        output = outputs if self.return_sequences else last_output
        return (output, *_packed(self.cell, states)) if self.return_state else output

    def _first_states(self, sequences, initial_state):
        if initial_state is None and self.stateful:
            initial_state = self.states
            if sequences.shape[0] not in (None, self.states[0].shape[0]):
                raise ValueError(
                    f'{type(self).__name__} "{self.name}" is stateful: each batch must have the batch size of the '
                    f"states, {self.states[0].shape[0]}. Got {sequences.shape[0]}."
                )
        if initial_state is None:
            # Of the batch size of the sequences, which may be unknown.
            row = sequences[:, 0]
            shapes = self._state_shapes(row.shape)
            while len(row.shape) > 2:
                row = row[..., 0]
            row = ops.zeros_like(row[:, :1])
            if _starts_at_zero(self.cell):
                return [_zeros(row, sizes) for sizes in shapes]
            given = self.get_initial_state(sequences.shape[0] or 1)
            return [_zeros(row, sizes) + state for sizes, state in zip(shapes, given)]
        states = tree.flatten(initial_state)
        if len(states) != len(self.state_size):
            raise ValueError(
                f'{type(self).__name__} "{self.name}" has {len(self.state_size)} states of sizes {self.state_size}. '
                f"Got {len(states)} initial states."
            )
        return [ops.convert_to_tensor(state, dtype=self.compute_dtype) for state in states]

    def run(self, sequences, states, mask, training, from_zero):
        """(outputs of all steps, last output, final states): steps the cell, one by one.

        Args:
            from_zero: bool: whether the states are known to be zeros.
        """
        steps = sequences.shape[1]
        if steps is None:
            raise ValueError(
                f'{type(self).__name__} "{self.name}" steps a cell, so the number of time steps must be known. Got '
                f"input shape {tuple(sequences.shape)}. Give the Input that size."
            )
        with self.cell.one_sequence() if hasattr(self.cell, "one_sequence") else contextlib.nullcontext():
            outputs, output, states = self._run_steps(sequences, states, mask, training)
        return ops.stack(outputs, axis=1) if self.return_sequences else None, output, states

    def _run_steps(self, sequences, states, mask, training):
        steps, outputs, output = sequences.shape[1], [], None
        for t in reversed(range(steps)) if self.go_backwards else range(steps):
            new_output, new_states = self._step(sequences[:, t], states, training)
            if mask is not None:
                counts = mask[:, t : t + 1]
                kept = self._output_before(states, new_output) if output is None else output
                shown = ops.zeros_like(new_output) if self.zero_output_for_mask else kept
                outputs.append(_choose(counts, new_output, shown))
                new_output = _choose(counts, new_output, kept)
                new_states = [_choose(counts, new, old) for new, old in zip(new_states, states)]
            else:
                outputs.append(new_output)
            output, states = new_output, new_states
        return outputs, output, states

    def _output_before(self, states, output):
        """What stands for the output before the first step that counts: the first state of the (last) cell, where it
        may have been an output; zeros with `unroll`, as of Keras.
        """
        if self.unroll:
            return ops.zeros_like(output)
        packed = _packed(self.cell, states)
        first = tree.flatten(packed[-1] if isinstance(self.cell, StackedRNNCells) else packed)[0]
        return first if first.shape[1:] == output.shape[1:] else ops.zeros_like(output)

    def _step(self, inputs, states, training):
        output, new_states = self.cell(inputs, _packed(self.cell, states), training=training)
        return output, tree.flatten(new_states)

    def compute_mask(self, sequences, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        states = 1 if is_int(self.cell.state_size) else len(self.cell.state_size)
        return [mask] + [None] * states if self.return_state else mask

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, steps = sequences_shape[:2]
        states = self._state_shapes((batch, *sequences_shape[2:]))
        units = getattr(self.cell, "output_size", None)
        sizes = states[0] if units is None else _as_shape(units)
        output = (batch, steps, *sizes) if self.return_sequences else (batch, *sizes)
        return (output, *_packed(self.cell, [(batch, *state) for state in states])) if self.return_state else output

    def get_config(self):
        from dlcore.layers import serialize

        return {**self._stepping_config(), "cell": serialize(self.cell)}

    def _stepping_config(self):
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
        }


class StackedRNNCells(Layer):
    """Several cells as one: the output of each is the input of the next.

    Args:
        cells: list of cells.

    Example:

    >>> cells = [keras.layers.LSTMCell(8), keras.layers.GRUCell(4)]
    >>> RNN(StackedRNNCells(cells))(ops.ones((2, 5, 3))).shape
    (2, 4)
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        self.cells = [_make_cell(cell) for cell in sequence("StackedRNNCells", "cells", cells, "cells")]

    @property
    def state_size(self):
        return [cell.state_size for cell in self.cells]

    def get_initial_state(self, batch_size=None):
        """The states of all cells, a list of those of each."""
        return _packed(self, _first_states_of(self, batch_size, self.compute_dtype))

    @contextlib.contextmanager
    def one_sequence(self):
        """`with cells.one_sequence():` the steps of a sequence, in which each cell drops the same."""
        with contextlib.ExitStack() as stack:
            for cell in self.cells:
                if hasattr(cell, "one_sequence"):
                    stack.enter_context(cell.one_sequence())
            yield

    @property
    def starts_at_zero(self):
        return all(_starts_at_zero(cell) for cell in self.cells)

    @property
    def output_size(self):
        return getattr(self.cells[-1], "output_size", _sizes_of(self.cells[-1])[0])

    def build(self, input_shape):
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], getattr(cell, "output_size", _sizes_of(cell)[0]))

    def call(self, inputs, states, training=False):
        new_states = []
        for cell, own in zip(self.cells, states):
            inputs, cell_states = cell(inputs, own if isinstance(own, list) else [own], training=training)
            new_states += tree.flatten(cell_states)
        return inputs, _packed(self, new_states)

    def get_config(self):
        from dlcore.layers import serialize

        return {**super().get_config(), "cells": [serialize(cell) for cell in self.cells]}


def _sizes_of(cell):
    """The sizes of all states of a cell, one list."""
    if isinstance(cell, StackedRNNCells):
        return [size for inner in cell.cells for size in _sizes_of(inner)]
    return [cell.state_size] if is_int(cell.state_size) else list(cell.state_size)


def _first_states_of(cell, batch_size, dtype):
    """The states that a cell begins with, one list."""
    if isinstance(cell, StackedRNNCells):
        return [state for inner in cell.cells for state in _first_states_of(inner, batch_size, dtype)]
    if _starts_at_zero(cell):
        return [ops.zeros((batch_size, *_as_shape(size)), dtype=dtype) for size in _sizes_of(cell)]
    return tree.flatten(cell.get_initial_state(batch_size=batch_size))


def _packed(cell, states):
    """A list of all states as a cell takes and returns them: of stacked cells, what each takes, in a list."""
    if not isinstance(cell, StackedRNNCells):
        return list(states)
    states, packed = iter(states), []
    for inner in cell.cells:
        own = _packed(inner, itertools.islice(states, len(_sizes_of(inner))))
        is_single = is_int(inner.state_size) and not hasattr(inner, "get_initial_state")
        packed.append(own[0] if is_single else own)
    return packed


def _starts_at_zero(cell):
    """Whether the states of a cell begin as zeros: those of dlcore's cells, and of cells that do not say otherwise."""
    return getattr(cell, "starts_at_zero", not hasattr(cell, "get_initial_state"))


def _as_shape(size):
    """The shape of a state without the batch, from an entry of `state_size`."""
    return (size,) if is_int(size) else tuple(size)


def _zeros(row, sizes):
    """Zeros (batch, *sizes) from zeros (batch, 1)."""
    row = row if len(sizes) == 1 else ops.reshape(row, [-1] + [1] * len(sizes))
    return _core.apply("broadcast_to", [row], shape=[-1, *sizes])


def _choose(counts, new, old):
    """`new` where a step counts, else `old`; counts is (batch, 1)."""
    extra = len(new.shape) - len(counts.shape)
    counts = ops.reshape(counts, [-1] + [1] * (len(new.shape) - 1)) if extra > 0 else counts
    return ops.where(counts, new, old)


def _make_cell(cell):
    if isinstance(cell, (list, tuple)):
        return StackedRNNCells(cell)
    if isinstance(cell, dict):
        from dlcore.layers import deserialize

        cell = deserialize(cell)
    if not hasattr(cell, "state_size") or not callable(getattr(cell, "call", None)):
        raise ValueError(f"RNN: the cell must be a layer with call(inputs, states) and a state_size. Got {cell!r}.")
    return cell
