"""LSTMs whose products are convolutions: for sequences of images, such as radar pictures or video."""

from dlcore import activations, backend, ops, random
from dlcore.backend.arguments import fraction, int_tuple, one_of, positive_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.rnn.cell_dropout import CellDropout
from dlcore.layers.rnn.gated import ShowsCell, of_cell
from dlcore.layers.rnn.lstm import forget_bias_of_one
from dlcore.layers.rnn.rnn import RNN
from dlcore.layers.weight_options import (
    add_weight_with_options,
    set_weight_options,
    weight_options_config,
    weight_options_of,
)

_GATES = 4
# What the constructors of cell and layer have in common, in the order of the cell's.
_CELL_ARGUMENTS = (
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation",
    "recurrent_activation", "use_bias", "unit_forget_bias", "dropout", "recurrent_dropout", "seed",
)  # fmt: skip


class _ConvLSTMCell(CellDropout, Layer):
    """One step of a `ConvLSTM`, whose docstring has the equations and arguments.

    The call takes inputs (batch, *places, channels) and the states [h, c], each (batch, *new_places, filters).
    """

    starts_at_zero = True
    dropout_mask_count = _GATES

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
        activation,
        recurrent_activation,
        use_bias,
        unit_forget_bias,
        dropout,
        recurrent_dropout,
        seed,
        options,
        kind,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.rank = rank
        self.filters = positive_int(kind, "filters", filters)
        self.kernel_size = int_tuple(kind, "kernel_size", kernel_size, rank)
        self.strides = int_tuple(kind, "strides", strides, rank)
        self.padding = one_of(kind, "padding", padding, ("valid", "same"))
        self.data_format = backend.standardize_data_format(data_format)
        self.dilation_rate = int_tuple(kind, "dilation_rate", dilation_rate, rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{kind}: strides > 1 and dilation_rate > 1 do not go together. Got strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}."
            )
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        set_weight_options(self, **options)
        self.dropout = fraction(kind, "dropout", dropout)
        self.recurrent_dropout = fraction(kind, "recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self.state_size = None

    def state_shape(self, step_shape):
        """The shape of a state without the batch, for inputs of one step of that shape."""
        channels_first = self.data_format == "channels_first"
        places = step_shape[2:] if channels_first else step_shape[1:-1]
        sizes = []
        for size, kernel, stride, dilation in zip(places, self.kernel_size, self.strides, self.dilation_rate):
            used = 0 if self.padding == "same" or size is None else dilation * (kernel - 1)
            sizes.append(None if size is None else (size - used - 1) // stride + 1)
        return (self.filters, *sizes) if channels_first else (*sizes, self.filters)

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        if None in input_shape[1:]:
            raise ValueError(
                f'ConvLSTM{self.rank}D "{self.name}": all sizes but batch and time must be known. Got steps of shape '
                f"{tuple(input_shape)}. Give the Input those sizes."
            )
        columns = _GATES * self.filters
        self.state_size = [self.state_shape(input_shape)] * 2
        self.kernel = add_weight_with_options(self, "kernel", (*self.kernel_size, channels, columns))
        self.recurrent_kernel = add_weight_with_options(
            self, "recurrent_kernel", (*self.kernel_size, self.filters, columns), options="recurrent"
        )
        self.bias = None
        if self.use_bias:
            start = forget_bias_of_one(self) if self.unit_forget_bias else self.bias_initializer
            self.bias = add_weight_with_options(self, "bias", (columns,), initializer=start)

    def call(self, inputs, states, training=False):
        """One step."""
        h, c = states
        input_masks = self.get_dropout_mask(inputs) if training else None
        state_masks = self.get_recurrent_dropout_mask(h) if training else None
        z = self._products(
            inputs,
            self.kernel,
            input_masks,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )
        z = z + self._products(h, self.recurrent_kernel, state_masks, padding="same")
        if self.bias is not None:
            first = self.data_format == "channels_first"
            z = z + (ops.reshape(self.bias, [-1] + [1] * self.rank) if first else self.bias)
        i, f, g, o = ops.split(z, _GATES, axis=1 if self.data_format == "channels_first" else -1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def _products(self, x, kernel, masks, **arguments):
        """The convolution for all gates: one, or one per gate when each drops inputs of its own."""
        arguments["data_format"] = self.data_format
        if masks is None:
            return ops.conv(x, kernel, **arguments)
        kernels = ops.split(kernel, _GATES, axis=-1)
        parts = [ops.conv(x * mask, part, **arguments) for mask, part in zip(masks, kernels)]
        return ops.concatenate(parts, axis=1 if self.data_format == "channels_first" else -1)

    def get_config(self):
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in _CELL_ARGUMENTS},
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            **weight_options_config(self),
        }


class _ConvLSTM(ShowsCell, RNN):
    rank = None

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        arguments = locals()
        cell = _ConvLSTMCell(
            self.rank,
            **{name: arguments[name] for name in _CELL_ARGUMENTS},
            options=weight_options_of(arguments),
            kind=type(self).__name__,
            dtype=kwargs.get("dtype"),
            name="conv_lstm_cell",
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.rank + 3)

    @property
    def state_size(self):
        return self.cell.state_size or [None, None]

    def _state_shapes(self, step_shape):
        return [self.cell.state_shape(step_shape)] * 2

    filters = of_cell("filters")
    kernel_size = of_cell("kernel_size")
    strides = of_cell("strides")
    padding = of_cell("padding")
    data_format = of_cell("data_format")
    dilation_rate = of_cell("dilation_rate")
    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")


class ConvLSTM1D(_ConvLSTM):
    """`ConvLSTM2D` over sequences of rows. Arguments as there, with one spatial axis.

    Input shape: (batch, time, width, channels).
    Output shape: (batch, new_width, filters), or (batch, time, new_width, filters) with return_sequences.

    Example:

    >>> ConvLSTM1D(4, 3)(ops.ones((2, 5, 8, 3))).shape
    (2, 6, 4)
    """

    rank = 1


class ConvLSTM2D(_ConvLSTM):
    """Long short-term memory over sequences of images, with convolutions instead of matrix products.

    i, f, o = recurrent_activation(x_t * kernel + h * recurrent_kernel + bias),  g = activation(the same),
    c <- f * c + i * g,  h <- o * activation(c); the filters of the weights are in the order i, f, g, o.

    Args:
        filters: int > 0: channels of the output and the states.
        kernel_size: int or 2 ints.
        strides: int or 2 ints, default 1: of the inputs' convolution.
        padding: `"valid"` (default) or `"same"`: of the inputs' convolution. That of the states keeps their size.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int or 2 ints, default 1: of the inputs' convolution.
        activation: default `"tanh"`.
        recurrent_activation: of the gates, default `"sigmoid"`.
        use_bias: bool, default True.
        kernel_initializer, recurrent_initializer, bias_initializer: Glorot uniform, orthogonal, zeros.
        unit_forget_bias: bool, default True: the forget gate's bias starts at 1.
        kernel_, recurrent_, bias_ and activity_regularizer: default None.
        kernel_, recurrent_ and bias_constraint: default None.
        dropout, recurrent_dropout: floats in [0, 1], default 0: part of inputs and state dropped in training, the same
            at all steps, another for each gate.
        seed: int or None: of the dropout.
        return_sequences, return_state, go_backwards, stateful: as `RNN`.

    Input shape: (batch, time, height, width, channels).
    Output shape: (batch, new_height, new_width, filters), or with the time with return_sequences; with return_state
    also h and c.

    Raises:
        ValueError: the images' size or channels are unknown, or strides and dilation are both greater than 1.

    Reference: Shi et al. 2015.

    Example:

    >>> ConvLSTM2D(4, 3, padding="same", return_sequences=True)(ops.ones((2, 5, 8, 8, 3))).shape
    (2, 5, 8, 8, 4)
    """

    rank = 2


class ConvLSTM3D(_ConvLSTM):
    """`ConvLSTM2D` over sequences of volumes. Arguments as there, with three spatial axes.

    Input shape: (batch, time, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, filters), or with the time with return_sequences.

    Example:

    >>> ConvLSTM3D(2, 2)(ops.ones((1, 2, 4, 4, 4, 3))).shape
    (1, 3, 3, 3, 2)
    """

    rank = 3
