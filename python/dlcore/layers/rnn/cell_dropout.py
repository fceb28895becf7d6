"""Dropout in cells: what is dropped stays the same at all steps of a sequence."""

import contextlib

from dlcore import ops, random


class CellDropout:
    """Mixed into cells with the rates `dropout` of the inputs and `recurrent_dropout` of the state.

    While `one_sequence()` is open, as in an `RNN`, the masks are drawn once; else anew at each call.
    """

    # How many masks are drawn for the gates: None for one that all share.
    dropout_mask_count = None
    _kept_masks = None

    @contextlib.contextmanager
    def one_sequence(self):
        """`with cell.one_sequence():` the steps of a sequence, which drop the same."""
        self._kept_masks = {}
        try:
            yield
        finally:
            self._kept_masks = None

    def get_dropout_mask(self, step_input):
        """What inputs like these are multiplied by in training, 0 or 1 / (1 - dropout); None where nothing is dropped.

        A list, where each gate drops inputs of its own.
        """
        return self._mask("dropout", step_input)

    def get_recurrent_dropout_mask(self, step_input):
        """As `get_dropout_mask`, for a state like this."""
        return self._mask("recurrent_dropout", step_input)

    def reset_dropout_mask(self):
        """Lets the next step draw another mask of the inputs."""
        (self._kept_masks or {}).pop("dropout", None)

    def reset_recurrent_dropout_mask(self):
        """Lets the next step draw another mask of the state."""
        (self._kept_masks or {}).pop("recurrent_dropout", None)

    def _mask(self, name, like):
        rate = getattr(self, name)
        if not rate:
            return None
        kept = {} if self._kept_masks is None else self._kept_masks
        if name not in kept:
            ones = ops.ones_like(like)
            count = self.dropout_mask_count
            masks = [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(count or 1)]
            kept[name] = masks if count else masks[0]
        return kept[name]
