import math

from dlcore import ops
from dlcore.backend.arguments import fraction, positive_int
from dlcore.layers.activations.activation import Softmax
from dlcore.layers.attention.projections import both, combine_masks, keys_like_values, projection, split_by_places
from dlcore.layers.layer import Layer
from dlcore.layers.regularization.dropout import Dropout
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of
from dlcore.ops.attention import causal_mask, masked_scores, window_mask


class GroupedQueryAttention(Layer):
    """Attention of many query heads over few heads of keys and values, each shared by a group of query heads.

    head_i = softmax(q_i @ k_j^T / sqrt(head_dim)) @ v_j with j = i // (num_query_heads / num_key_value_heads); queries,
    keys and values are affine in the inputs, the output in all heads together.

    Args:
        head_dim: int > 0: size of a head.
        num_query_heads: int > 0, a multiple of num_key_value_heads.
        num_key_value_heads: int > 0.
        dropout: float in [0, 1], default 0: part of the weights dropped in training.
        use_bias: bool, default True.
        sliding_window: int > 0 or None (default): position i attends to positions nearer than that only.
        flash_attention: kept for Keras's signature.
        kernel_initializer, bias_initializer: Glorot uniform, zeros.
        kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: default None.
        activity_regularizer: of what each of the projections returns and, again, of the outputs; default None.
        use_gate: bool, default False: multiply the heads by a sigmoid that is affine in the query.
        seed: int or None: of the dropout.

    The call takes the arguments of `MultiHeadAttention`.

    Input shapes: query (batch, T, dim), value and key (batch, S, dim).
    Output shape: (batch, T, dim); with return_attention_scores also (batch, query heads, T, S).

    Reference: Ainslie et al. 2023.

    Example:

    >>> layer = GroupQueryAttention(16, num_query_heads=4, num_key_value_heads=2)
    >>> layer(ops.ones((2, 8, 32)), ops.ones((2, 5, 32))).shape
    (2, 8, 32)
    """

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        kind = type(self).__name__
        self.head_dim = positive_int(kind, "head_dim", head_dim)
        self.num_query_heads = positive_int(kind, "num_query_heads", num_query_heads)
        self.num_key_value_heads = positive_int(kind, "num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{kind}: num_query_heads must be a multiple of num_key_value_heads. Got num_query_heads="
                f"{num_query_heads}, num_key_value_heads={num_key_value_heads}."
            )
        self.dropout = fraction(kind, "dropout", dropout)
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.sliding_window = None if sliding_window is None else positive_int(kind, "sliding_window", sliding_window)
        self.seed = seed
        set_weight_options(self, **weight_options_of(locals()))
        self.supports_masking = True
        self._return_attention_scores = False

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = keys_like_values(self, value_shape, key_shape)
        queries, shared = self.num_query_heads, self.num_key_value_heads
        self._query_dense = self._heads("query", "bqm,muh->bquh", queries, query_shape)
        self._key_dense = self._heads("key", "bkm,mvh->bkvh", shared, key_shape)
        if self.use_gate:
            self._gate_dense = self._heads("gate", "bqm,muh->bquh", queries, query_shape, activation="sigmoid")
        self._value_dense = self._heads("value", "bkm,mvh->bkvh", shared, value_shape)
        self._softmax = Softmax(axis=-1, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        features = query_shape[-1]
        inner = (None, None, queries, self.head_dim)
        self._output_dense = projection(
            self, "attention_output", "bquh,uhm->bqm", (None, features), "m", inner, self.activity_regularizer
        )

    def _heads(self, name, equation, heads, shape, activation=None):
        bias_axes = equation[-2:]
        return projection(
            self, name, equation, (None, heads, self.head_dim), bias_axes, shape, self.activity_regularizer, activation
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
        repeats = self.num_query_heads // self.num_key_value_heads
        mask = combine_masks(query_mask, value_mask, key_mask, attention_mask)
        q = self._query_dense(query)
        k = ops.repeat(self._key_dense(value if key is None else key), repeats, axis=2)
        v = ops.repeat(self._value_dense(value), repeats, axis=2)
        self._return_attention_scores = return_attention_scores
        mask, places = split_by_places(self, GroupedQueryAttention, mask, q, k, use_causal_mask)
        heads, weights = self._compute_attention(q, k, v, mask, training, **places)
        outputs = self._output_dense(heads * self._gate_dense(query) if self.use_gate else heads)
        return (outputs, weights) if return_attention_scores else outputs

    def _compute_attention(
        self, query, key, value, attention_mask=None, training=None, use_causal_mask=False, sliding_window=None
    ):
        """As that of `MultiHeadAttention`; key and value come with a head for each of the query's."""
        scores = ops.einsum("bquh,bkuh->buqk", query * (1.0 / math.sqrt(self.head_dim)), key)
        mask = attention_mask
        mask = mask if mask is None or len(mask.shape) == 4 else ops.expand_dims(mask, -3)
        if use_causal_mask:
            mask = both(mask, causal_mask(scores))
        if sliding_window is not None:
            mask = both(mask, window_mask(scores, sliding_window))
        # Keras gives positions that see nothing no weights where it shows or drops weights, else equal ones.
        if self._return_attention_scores or self.dropout > 0:
            weights = self._softmax(scores, mask=mask)
        else:
            weights = self._softmax(masked_scores(scores, mask))
        return ops.einsum("buqk,bkuh->bquh", self._dropout_layer(weights, training=training), value), weights

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        keys_like_values(self, value_shape, key_shape)
        return tuple(query_shape)

    def compute_mask(self, query, previous_mask=None, **kwargs):
        return previous_mask

    def get_config(self):
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "dropout": self.dropout,
            **weight_options_config(self),
            "seed": self.seed,
        }
