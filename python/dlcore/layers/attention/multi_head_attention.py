import math
import string

from dlcore import ops, regularizers
from dlcore.backend.arguments import axes, fraction, positive_int
from dlcore.layers.activations.activation import Softmax
from dlcore.layers.attention.projections import both, combine_masks, keys_like_values, projection, split_by_places
from dlcore.layers.layer import Layer
from dlcore.layers.regularization.dropout import Dropout
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of
from dlcore.ops.attention import Part, causal_mask, in_pieces, masked_scores, window_mask


class MultiHeadAttention(Layer):
    """Several attentions side by side, each on projections of its own.

    head_i = softmax(q_i @ k_i^T / sqrt(key_dim)) @ v_i with q_i, k_i, v_i affine in query, key and value; the output is
    affine in all heads together.

    Args:
        num_heads: int > 0.
        key_dim: int > 0: size of queries and keys per head.
        value_dim: int or None (default: key_dim): size of values per head.
        dropout: float in [0, 1], default 0: part of the weights dropped in training.
        use_bias: bool, default True.
        output_shape: int, tuple or None (default: the query's last size): the output's sizes after batch and time.
        attention_axes: int or tuple: the axes attended over; default None: all but batch and features.
        sliding_window: int > 0 or None (default): keys are seen from less than so many positions away only.
        flash_attention: kept for Keras's signature.
        kernel_initializer, bias_initializer: Glorot uniform, zeros.
        kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: default None.
        activity_regularizer: of what each of the projections returns, default None.
        use_gate: bool, default False: what each head gets is multiplied by sigmoid(query @ gate + bias).
        seed: int or None: of the dropout.

    The call takes `query`, `value`, and optionally `key` (default: value); `query_mask`, `value_mask`, `key_mask`
    (batch, time); `attention_mask` (batch, T, S), True where attention is allowed; `use_causal_mask`: position i sees
    only positions up to i; `return_attention_scores`; `training`.

    Input shapes: query (batch, T, dim), value and key (batch, S, dim).
    Output shape: (batch, T, dim); with return_attention_scores also (batch, heads, T, S).

    Reference: Vaswani et al. 2017; the gate: Qiu et al. 2025.

    Example:

    >>> MultiHeadAttention(num_heads=2, key_dim=16)(ops.ones((4, 8, 32)), ops.ones((4, 5, 32))).shape
    (4, 8, 32)
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._activity_regularizer = regularizers.get(activity_regularizer)  # of the projections
        kind = type(self).__name__
        self.num_heads = positive_int(kind, "num_heads", num_heads)
        self.key_dim = positive_int(kind, "key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else positive_int(kind, "value_dim", value_dim)
        self.dropout = fraction(kind, "dropout", dropout)
        self.use_bias = use_bias
        for name, value in (("output_shape", output_shape), ("attention_axes", attention_axes)):
            if value is not None:
                axes(kind, name, value)
        self._output_sizes = _as_tuple(output_shape)
        self.attention_axes = _as_tuple(attention_axes)
        self.use_gate = use_gate
        self.seed = seed
        self.sliding_window = None if sliding_window is None else positive_int(kind, "sliding_window", sliding_window)
        set_weight_options(self, **weight_options_of(locals()))
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = keys_like_values(self, value_shape, key_shape)
        rank = len(query_shape)
        axes = tuple(range(1, rank - 1)) if self.attention_axes is None else self.attention_axes
        self._axes = tuple(axis % rank for axis in axes)
        self._query_dense = self._projection("query", query_shape, self.key_dim)
        self._key_dense = self._projection("key", key_shape, self.key_dim)
        if self.use_gate:
            self._gate_dense = self._projection("gate", query_shape, self.value_dim)
        self._value_dense = self._projection("value", value_shape, self.value_dim)
        self._scores_equation, self._values_equation = _attention_equations(rank, self._axes)
        self._softmax = Softmax(axis=tuple(range(-len(self._axes), 0)), dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        self._output_dense = self._output_projection(query_shape)

    def _projection(self, name, shape, size):
        """(..., features) -> (..., heads, size)."""
        letters = string.ascii_lowercase[: len(shape)]
        outer, features, (head, depth) = letters[:-1], letters[-1], "yz"
        return projection(
            self,
            name,
            f"{letters},{features}{head}{depth}->{outer}{head}{depth}",
            (*[None] * (len(shape) - 2), self.num_heads, size),
            head + depth,
            shape,
            self._activity_regularizer,
        )

    def _output_projection(self, query_shape):
        """(..., heads, value_dim) -> (..., output sizes)."""
        sizes = tuple(self._output_sizes or (query_shape[-1],))
        outer, (head, depth) = string.ascii_lowercase[: len(query_shape) - 1], "yz"
        result = string.ascii_lowercase[len(outer) : len(outer) + len(sizes)]
        return projection(
            self,
            "attention_output",
            f"{outer}{head}{depth},{head}{depth}{result}->{outer}{result}",
            (*[None] * (len(outer) - 1), *sizes),
            result,
            (*query_shape[:-1], self.num_heads, self.value_dim),
            self._activity_regularizer,
        )

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        mask = combine_masks(query_mask, value_mask, key_mask, attention_mask)
        q = self._query_dense(query)
        k = self._key_dense(value if key is None else key)
        v = self._value_dense(value)
        mask, places = split_by_places(self, MultiHeadAttention, mask, q, k, use_causal_mask)
        outputs, weights = self._compute_attention(q, k, v, mask, training, return_attention_scores, **places)
        if self.use_gate:
            outputs = ops.multiply(outputs, ops.sigmoid(self._gate_dense(query)))
        outputs = self._output_dense(outputs)
        return (outputs, weights) if return_attention_scores else outputs

    def _compute_attention(
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        use_causal_mask=False,
        sliding_window=None,
    ):
        """What the heads get, (batch, T, heads, value_dim), and the weights or None: the step that subclasses replace.

        Args:
            query, key, value: projected, (batch, time, heads, size).
            attention_mask: bool, (batch, T, S) or None. To a subclass's method it says all: the arguments after
                `return_attention_scores`, for masks that are never held whole, are not passed.
        """
        query = query * (1.0 / math.sqrt(self.key_dim))
        mask = attention_mask
        if mask is not None:
            for _ in range(len(query.shape) + len(self._axes) - 1 - len(mask.shape)):
                mask = ops.expand_dims(mask, -2 * len(self._axes) - 1)

        # Keras gives positions that see nothing no weights where it shows or drops weights, else equal ones.
        whole = return_attention_scores or self.dropout > 0 or len(query.shape) != 4

        def attend(q, k, v, part):
            """What a part of the queries gets from a part of the values, and the weights."""
            seen = None if mask is None else part.of(mask)
            scores = ops.einsum(self._scores_equation, k, q)
            if use_causal_mask:
                seen = both(seen, causal_mask(scores, part.first_row))
            if sliding_window is not None:
                seen = both(seen, window_mask(scores, sliding_window, part.first_row))
            weights = self._softmax(scores, mask=seen) if whole else self._softmax(masked_scores(scores, seen))
            kept = self._dropout_layer(weights, training=training)
            return ops.einsum(self._values_equation, kept, v), weights

        if return_attention_scores or len(query.shape) != 4:  # pieces are of (batch, time, heads, size)
            return attend(query, key, value, Part())
        return in_pieces(lambda *of: attend(*of)[0], query, key, value, self.num_heads, 1, use_causal_mask), None

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        keys_like_values(self, value_shape, key_shape)
        return (*query_shape[:-1], *(self._output_sizes or (query_shape[-1],)))

    @property
    def query_dense(self):
        return self._query_dense

    @property
    def key_dense(self):
        return self._key_dense

    @property
    def value_dense(self):
        return self._value_dense

    @property
    def output_dense(self):
        return self._output_dense

    def compute_mask(self, query, previous_mask=None, **kwargs):
        return previous_mask

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self._output_sizes,
            "attention_axes": self.attention_axes,
            **weight_options_config(self),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "use_gate": self.use_gate,
            "seed": self.seed,
            "sliding_window": self.sliding_window,
        }


def _as_tuple(value):
    return (value,) if isinstance(value, int) else None if value is None else tuple(value)


def _attention_equations(rank, axes):
    """Einsum equations of scores (key, query -> scores) and outputs (weights, value -> output).

    Operands have `rank` axes and the heads before the last: for rank 3 and axes (1,) the scores are
    "aecd,abcd->acbe" with batch a, query position b, head c, key position e.
    """
    letters = string.ascii_lowercase
    query = letters[: rank + 1]
    key_letters = iter(letters[rank + 1 :])
    key = "".join(next(key_letters) if axis in axes else letter for axis, letter in enumerate(query))
    outer = "".join(letter for axis, letter in enumerate(query[:-1]) if axis not in axes)
    scores = outer + "".join(query[axis] for axis in axes) + "".join(key[axis] for axis in axes)
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"
