from dlcore import initializers, ops
from dlcore.layers.rnn.gated import GatedCell, GatedRNN, checked_use_cudnn, of_cell
from dlcore.layers.weight_options import add_weight_with_options, weight_options_of


def forget_bias_of_one(cell):
    """An initializer of a bias of four gates: the cell's own, but 1 for the forget gate (Jozefowicz et al. 2015)."""

    def initializer(shape, dtype=None):
        units, own = shape[0] // 4, cell.bias_initializer or initializers.Zeros()
        return ops.concatenate(
            [
                own((units,), dtype=dtype),
                initializers.Ones()((units,), dtype=dtype),
                own((2 * units,), dtype=dtype),
            ],
            axis=0,
        )

    return initializer


class LSTMCell(GatedCell):
    """One step of `LSTM`, whose docstring has the equations and arguments.

    The call takes inputs (batch, features) and the states [h, c], each (batch, units); it returns (h, [h, c]).
    """

    gates = 4

    def __init__(
        self,
        units,
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
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        options = weight_options_of(locals())
        super().__init__(
            units, activation, recurrent_activation, use_bias, options, dropout, recurrent_dropout, seed, **kwargs
        )
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def build_bias(self):
        if not self.unit_forget_bias:
            return super().build_bias()
        return add_weight_with_options(self, "bias", self.bias_shape(), initializer=forget_bias_of_one(self))

    def step(self, inputs, recurrent, states):
        z = ops.matmul(inputs, self.kernel) + ops.matmul(recurrent, self.recurrent_kernel)
        if self.bias is not None:
            z = z + self.bias
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * states[1] + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def get_config(self):
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


class LSTM(GatedRNN):
    """Long short-term memory.

    i, f, o = recurrent_activation(x_t @ kernel + h @ recurrent_kernel + bias),  g = activation(the same),
    c <- f * c + i * g,  h <- o * activation(c); the columns of the weights are in the order i, f, g, o.

    Args:
        units: int > 0: size of the output and the states.
        activation: default `"tanh"`.
        recurrent_activation: of the gates, default `"sigmoid"`.
        use_bias: bool, default True.
        kernel_initializer, recurrent_initializer, bias_initializer: Glorot uniform, orthogonal, zeros.
        unit_forget_bias: bool, default True: the forget gate's bias starts at 1.
        kernel_, recurrent_, bias_ and activity_regularizer: default None.
        kernel_, recurrent_ and bias_constraint: default None.
        dropout: float in [0, 1], default 0: part of the input features dropped in training, the same at all steps.
        recurrent_dropout: float in [0, 1], default 0: part of the state h dropped in training. The layer then steps
            through time instead of running as one primitive.
        seed: int or None: of the dropout.
        use_cudnn: kept for Keras's signature, as an attribute too.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as `RNN`.

    Input shape: (batch, time, features).
    Output shape: (batch, units) or (batch, time, units); with return_state also h and c.

    Reference: Hochreiter & Schmidhuber 1997; Gers et al. 2000.

    Example:

    >>> LSTM(4)(ops.ones((32, 10, 8))).shape
    (32, 4)
    """

    primitive = "lstm"
    cell_class = LSTMCell

    def __init__(
        self,
        units,
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
        unroll=False,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        self.use_cudnn = checked_use_cudnn("LSTM", use_cudnn)

    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")
