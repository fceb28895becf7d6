from dlcore import ops
from dlcore.backend.arguments import sequence
from dlcore.layers.layer import Layer

_MODES = ("sum", "mul", "ave", "concat", None)


class Bidirectional(Layer):
    """Runs one recurrent layer forwards and another backwards over sequences and merges their outputs.

    Args:
        layer: a recurrent layer such as `LSTM(10)`, from which both directions are made.
        merge_mode: `"concat"` (default), `"sum"`, `"mul"`, `"ave"`, or None: the two outputs as a tuple.
        weights: list of initial weights of both, forward first; default None.
        backward_layer: layer for the backward direction, with `go_backwards` other than `layer`'s; default None: made
            from `layer`.

    The call takes `sequences`, `mask`, `training` and `initial_state`: the forward states, then the backward ones. With
    `return_state` the states follow the output in the same order.

    Reference: Schuster & Paliwal 1997.

    Example:

    >>> Bidirectional(LSTM(4, return_sequences=True))(ops.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        layer, backward_layer = _as_layer(layer), None if backward_layer is None else _as_layer(backward_layer)
        if merge_mode not in _MODES:
            raise ValueError(f"Bidirectional: merge_mode must be one of {_MODES}. Got merge_mode={merge_mode!r}.")
        super().__init__(**kwargs)
        self.forward_layer = _copy(layer, "forward_")
        self.backward_layer = backward_layer or _copy(layer, "backward_", go_backwards=True)
        self._check_directions()
        self.merge_mode = merge_mode
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        for direction in (self.forward_layer, self.backward_layer):
            direction.zero_output_for_mask = layer.return_sequences
        self._weights_to_set = None if weights is None else sequence("Bidirectional", "weights", weights, "arrays")
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_directions(self):
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                "Bidirectional: the two layers must go in different directions. "
                f"Got go_backwards={forward.go_backwards} for both."
            )
        for name in ("return_sequences", "return_state", "stateful"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"Bidirectional: both layers must have the same {name}. Got {getattr(forward, name)} forwards and "
                    f"{getattr(backward, name)} backwards."
                )

    def __call__(self, sequences, initial_state=None, **kwargs):
        if isinstance(sequences, (list, tuple)):
            sequences, *states = sequences
            initial_state = states or initial_state
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    def build(self, sequences_shape, initial_state_shape=None):
        for direction in (self.forward_layer, self.backward_layer):
            if not direction.built:
                direction.build(sequences_shape)
        self.built = True
        if self._weights_to_set:
            self.set_weights(self._weights_to_set)
            self._weights_to_set = None

    def call(self, sequences, initial_state=None, mask=None, training=None):
        half = len(initial_state) // 2 if initial_state is not None else None
        states = (None, None) if half is None else (initial_state[:half], initial_state[half:])
        results = [
            direction(sequences, initial_state=state, mask=mask, training=training)
            for direction, state in zip((self.forward_layer, self.backward_layer), states)
        ]
        final_states = ()
        if self.return_state:
            final_states = tuple(results[0][1:]) + tuple(results[1][1:])
            results = [result[0] for result in results]
        forward, backward = results
        if self.return_sequences:
            backward = ops.flip(backward, axis=1)
        if self.merge_mode is None:
            return (forward, backward, *final_states)
        merged = self._merge(forward, backward)
        return (merged, *final_states) if self.return_state else merged

    def _merge(self, forward, backward):
        if self.merge_mode == "concat":
            return ops.concatenate([forward, backward], axis=-1)
        if self.merge_mode == "sum":
            return forward + backward
        if self.merge_mode == "ave":
            return (forward + backward) / 2.0
        return forward * backward

    def compute_mask(self, sequences, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    @property
    def states(self):
        """The states of a stateful layer, forward first."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return [*forward, *backward] if forward and backward else None

    def reset_state(self):
        """Sets the states of a stateful layer back to zero."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        output = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (output[0], output[1:]) if self.return_state else (output, ())
        if self.merge_mode is None:
            return (output, output, *states, *states)
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        return (output, *states, *states) if self.return_state else output

    def get_config(self):
        from dlcore.layers import serialize

        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize(self.forward_layer),
            "backward_layer": serialize(self.backward_layer),
        }


def _as_layer(layer):
    if isinstance(layer, dict):
        from dlcore.layers import deserialize

        layer = deserialize(layer)
    if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
        raise ValueError(
            f"Bidirectional wraps a recurrent layer such as LSTM. Got {layer!r} of type {type(layer).__name__}. "
            "Pass e.g. Bidirectional(LSTM(10))."
        )
    return layer


def _copy(layer, prefix, **changes):
    config = {**layer.get_config(), **changes}
    config["name"] = prefix + layer.name.removeprefix(prefix)
    return type(layer).from_config(config)
