from dlcore import ops
from dlcore.layers.rnn.gated import GatedCell, GatedRNN, checked_use_cudnn, of_cell
from dlcore.layers.weight_options import weight_options_of


class GRUCell(GatedCell):
    """One step of `GRU`, whose docstring has the equations and arguments.

    The call takes inputs (batch, features) and the state h (batch, units); it returns (h, [h]).
    """

    gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
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
        reset_after=True,
        seed=None,
        **kwargs,
    ):
        options = weight_options_of(locals())
        super().__init__(
            units, activation, recurrent_activation, use_bias, options, dropout, recurrent_dropout, seed, **kwargs
        )
        self.reset_after = reset_after

    def bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def step(self, inputs, recurrent, states):
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = x + (self.bias[0] if self.reset_after else self.bias)
        x_z, x_r, x_h = ops.split(x, 3, axis=-1)
        u, w = self.units, self.recurrent_kernel
        if self.reset_after:
            inner = ops.matmul(recurrent, w)
            inner = inner if self.bias is None else inner + self.bias[1]
            h_z, h_r, h_h = ops.split(inner, 3, axis=-1)
            z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
            candidate = self.activation(x_h + r * h_h)
        else:
            h_z, h_r = ops.split(ops.matmul(recurrent, w[:, : 2 * u]), 2, axis=-1)
            z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
            candidate = self.activation(x_h + ops.matmul(r * recurrent, w[:, 2 * u :]))
        h = z * states[0] + (1.0 - z) * candidate
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}


class GRU(GatedRNN):
    """Gated recurrent unit.

    z, r = recurrent_activation(x_t @ kernel + h @ recurrent_kernel + bias),
    n = activation(x_t @ kernel + b + r * (h @ recurrent_kernel + b')),  h <- z * h + (1 - z) * n;
    with reset_after=False n = activation(x_t @ kernel + (r * h) @ recurrent_kernel + b).
    The columns of the weights are in the order z, r, n.

    Args:
        units: int > 0: size of the output and the state.
        activation: default `"tanh"`.
        recurrent_activation: of the gates, default `"sigmoid"`.
        use_bias: bool, default True.
        kernel_initializer, recurrent_initializer, bias_initializer: Glorot uniform, orthogonal, zeros.
        kernel_, recurrent_, bias_ and activity_regularizer: default None.
        kernel_, recurrent_ and bias_constraint: default None.
        dropout: float in [0, 1], default 0: part of the input features dropped in training, the same at all steps.
        recurrent_dropout: float in [0, 1], default 0: part of the state dropped in training. The layer then steps
            through time instead of running as one primitive.
        seed: int or None: of the dropout.
        use_cudnn: kept for Keras's signature, as an attribute too.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as `RNN`.
        reset_after: bool, default True: apply r after the product with the recurrent kernel.

    Input shape: (batch, time, features).
    Output shape: (batch, units) or (batch, time, units); with return_state also h.

    Reference: Cho et al. 2014.
    """

    primitive = "gru"
    cell_class = GRUCell

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
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
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        self.use_cudnn = checked_use_cudnn("GRU", use_cudnn)

    def _attributes(self):
        return {**super()._attributes(), "reset_after": bool(self.cell.reset_after)}

    recurrent_activation = of_cell("recurrent_activation")
    reset_after = of_cell("reset_after")
