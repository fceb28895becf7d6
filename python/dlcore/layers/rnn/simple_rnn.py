from dlcore import ops
from dlcore.layers.rnn.gated import GatedCell, GatedRNN
from dlcore.layers.weight_options import weight_options_of


class SimpleRNNCell(GatedCell):
    """One step of `SimpleRNN`, whose docstring has the equations and arguments.

    The call takes inputs (batch, features) and the state h (batch, units); it returns (h, [h]).
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
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
        super().__init__(units, activation, None, use_bias, options, dropout, recurrent_dropout, seed, **kwargs)

    def step(self, inputs, recurrent, states):
        z = ops.matmul(inputs, self.kernel) + ops.matmul(recurrent, self.recurrent_kernel)
        h = self.activation(z if self.bias is None else z + self.bias)
        return h, [h]


class SimpleRNN(GatedRNN):
    """Fully connected recurrent network: h <- activation(x_t @ kernel + h @ recurrent_kernel + bias).

    Args:
        units: int > 0: size of the output and the state.
        activation: default `"tanh"`.
        use_bias: bool, default True.
        kernel_initializer, recurrent_initializer, bias_initializer: Glorot uniform, orthogonal, zeros.
        kernel_, recurrent_, bias_ and activity_regularizer: default None.
        kernel_, recurrent_ and bias_constraint: default None.
        dropout, recurrent_dropout: floats in [0, 1], default 0: as `LSTM`.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as `RNN`.
        seed: int or None: of the dropout.

    Input shape: (batch, time, features).
    Output shape: (batch, units) or (batch, time, units); with return_state also h.

    Reference: Elman 1990.
    """

    primitive = "simple_rnn"
    cell_class = SimpleRNNCell

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
