"""What LSTM, GRU and SimpleRNN share: a cell with one kernel for all gates, and a layer that is one primitive."""

import inspect

from dlcore import _core, activations, ops, random
from dlcore.backend.arguments import fraction, positive_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.rnn.cell_dropout import CellDropout
from dlcore.layers.rnn.rnn import RNN
from dlcore.layers.weight_options import add_weight_with_options, set_weight_options, weight_options_config

# Activations the recurrent primitives know; with others the cell is stepped.
_FUSED_ACTIVATIONS = (
    activations.linear,
    activations.relu,
    activations.relu6,
    activations.tanh,
    activations.sigmoid,
    activations.hard_sigmoid,
    activations.softplus,
    activations.softsign,
)
# What the layers' constructors take beside the arguments of their cells.
_STEPPING = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "activity_regularizer")


def checked_use_cudnn(kind, use_cudnn):
    """Keras's flag, which has no effect: there is one form of each layer."""
    if use_cudnn not in ("auto", True, False):
        raise ValueError(f'{kind}: use_cudnn must be "auto", True or False. Got use_cudnn={use_cudnn!r}.')
    return use_cudnn


def of_cell(name):
    """A read-only property of a layer that is an attribute of its cell."""
    return property(lambda layer: getattr(layer.cell, name))


class ShowsCell:
    """Mixed into layers around a cell: its arguments are the layer's, and those that all cells take attributes too."""

    activation = of_cell("activation")
    use_bias = of_cell("use_bias")
    dropout = of_cell("dropout")
    recurrent_dropout = of_cell("recurrent_dropout")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")

    def get_config(self):
        cell = self.cell.get_config()
        for name in ("name", "trainable", "dtype"):
            cell.pop(name)
        return {**self._stepping_config(), **cell}


class GatedCell(CellDropout, Layer):
    """Base of the cells: weights kernel [C, G * U], recurrent_kernel [U, G * U] and bias for G gates of U units.

    Args:
        units: int > 0.
        activation: name or function.
        recurrent_activation: name or function of the gates, or None if the cell has no gates.
        use_bias: bool.
        options: initializers, regularizers and constraints of kernel, recurrent kernel and bias.
        dropout: float in [0, 1]: part of the inputs dropped, the same at all time steps.
        recurrent_dropout: float in [0, 1]: part of the recurrent state dropped, the same at all time steps.
        seed: int or None.
    """

    gates = 1
    starts_at_zero = True

    def __init__(
        self, units, activation, recurrent_activation, use_bias, options, dropout, recurrent_dropout, seed, **kwargs
    ):
        kwargs.pop("implementation", None)
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.units = positive_int(kind, "units", units)
        self.activation = activations.get(activation)
        if recurrent_activation is not None:
            self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        set_weight_options(self, **options)
        self.dropout = fraction(kind, "dropout", dropout)
        self.recurrent_dropout = fraction(kind, "recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    @property
    def state_size(self):
        return self.units

    @property
    def output_size(self):
        return self.units

    def get_initial_state(self, batch_size=None):
        """Zeros (batch_size, units), one per state."""
        count = 1 if self.state_size == self.units else len(self.state_size)
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in range(count)]

    def bias_shape(self):
        return (self.gates * self.units,)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f'{type(self).__name__} "{self.name}": the number of features must be known.')
        columns = self.gates * self.units
        self.kernel = add_weight_with_options(self, "kernel", (channels, columns))
        self.recurrent_kernel = add_weight_with_options(
            self, "recurrent_kernel", (self.units, columns), options="recurrent"
        )
        self.bias = self.build_bias() if self.use_bias else None

    def build_bias(self):
        return add_weight_with_options(self, "bias", self.bias_shape())

    def call(self, inputs, states, training=False):
        """One step."""
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        recurrent = states[0]
        if training and self.dropout:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            recurrent = recurrent * self.get_recurrent_dropout_mask(recurrent)
        return self.step(inputs, recurrent, states)

    def step(self, inputs, recurrent, states):
        """(output, new states) from the inputs, the (dropped-out) last output and the states."""
        raise NotImplementedError

    def get_config(self):
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **weight_options_config(self),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }
        if hasattr(self, "recurrent_activation"):
            config["recurrent_activation"] = activations.serialize(self.recurrent_activation)
        return config


class GatedRNN(ShowsCell, RNN):
    """Base of the layers: runs its cell over the whole sequence in one primitive where the primitive knows how."""

    primitive = None
    cell_class = None
    units = of_cell("units")

    def __init__(self, arguments, **kwargs):
        """`arguments`: `locals()` of the subclass's constructor, which takes those of its cell and of `RNN`."""
        kwargs.pop("implementation", None)
        names = inspect.signature(self.cell_class).parameters.keys() & arguments.keys() - {"kwargs"}
        cell = self.cell_class(
            **{name: arguments[name] for name in names}, dtype=kwargs.get("dtype"), name=f"{self.primitive}_cell"
        )
        super().__init__(cell, **{name: arguments[name] for name in _STEPPING}, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape, initial_state_shape)
        self.input_spec = InputSpec(ndim=3, axes={-1: sequences_shape[-1]})

    def run(self, sequences, states, mask, training, from_zero):
        cell = self.cell
        if not self._is_fused(training):
            return super().run(sequences, states, mask, training, from_zero)
        if training and cell.dropout:
            noise_shape = (None, 1, None)
            sequences = random.dropout(sequences, cell.dropout, noise_shape=noise_shape, seed=cell.seed_generator)
        inputs = [sequences, cell.kernel.value, cell.recurrent_kernel.value, self._bias(sequences.dtype), *states]
        if mask is not None:
            inputs.append(ops.cast(mask, "bool"))
        outputs, *rest = self._apply_primitive(inputs, sequences.dtype)
        before, states = self._output_before(states, states[0]), rest[: len(states)]
        last_output = states[0]
        if mask is None:
            return outputs, last_output, states
        order = ops.expand_dims(ops.flip(mask, axis=1) if self.go_backwards else mask, -1)
        if self.zero_output_for_mask and self.return_sequences:
            outputs = outputs * ops.cast(order, outputs.dtype)
        elif not from_zero:  # the primitive gives zeros before the first step that counts
            counted = ops.cumsum(ops.cast(order, "int32"), axis=1) > 0
            outputs = ops.where(counted, outputs, ops.expand_dims(before, 1))
        if not from_zero:
            last_output = ops.where(ops.any(order, axis=1), last_output, before)
        return outputs, last_output, states

    def _apply_primitive(self, inputs, dtype):
        """The primitive, which computes in float32 at least, but for products: those of a 16-bit `dtype` in TF32 on a
        GPU, those of bfloat16 in bfloat16 on a processor that has instructions for it. Its results are of `dtype`.
        """
        narrow = dtype in ("float16", "bfloat16")
        if narrow:
            inputs = [x if x.dtype == "bool" else ops.cast(x, "float32") for x in inputs]
        products = {"narrow_products": narrow, "bfloat_products": dtype == "bfloat16"}
        attributes = {"reverse": bool(self.go_backwards), **products, **self._attributes()}
        results = _core.apply(self.primitive, inputs, **attributes)
        return [ops.cast(y, dtype) for y in results] if narrow else results

    def _is_fused(self, training):
        functions = [self.cell.activation, getattr(self.cell, "recurrent_activation", self.cell.activation)]
        dropped = training and self.cell.recurrent_dropout
        return not dropped and all(function in _FUSED_ACTIVATIONS for function in functions)

    def _attributes(self):
        attributes = {"activation": self.cell.activation.__name__}
        if hasattr(self.cell, "recurrent_activation"):
            attributes["recurrent_activation"] = self.cell.recurrent_activation.__name__
        return attributes

    def _bias(self, dtype):
        return ops.zeros(self.cell.bias_shape(), dtype=dtype) if self.cell.bias is None else self.cell.bias.value
