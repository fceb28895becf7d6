"""Attention: averages of values, weighted by how well their keys match a query."""

from dlcore import ops, random
from dlcore.backend.arguments import fraction, one_of
from dlcore.layers.layer import Layer
from dlcore.ops.attention import causal_mask


class Attention(Layer):
    """Dot-product attention: softmax(query @ key^T) @ value (Luong et al. 2015).

    Args:
        use_scale: bool, default False: learn a factor of the scores.
        score_mode: `"dot"` (default), or `"concat"`: score = w * sum tanh(query + key).
        dropout: float in [0, 1], default 0: part of the weights dropped in training.
        seed: int or None.

    The call takes a list [query, value] or [query, value, key], where key defaults to value; `mask`, a list
    [query_mask, value_mask]; `return_attention_scores`; and `use_causal_mask`: position i sees only positions up to i.

    Input shapes: query (batch, Tq, dim), value and key (batch, Tv, dim).
    Output shape: (batch, Tq, dim); with return_attention_scores also (batch, Tq, Tv).
    """

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = one_of(type(self).__name__, "score_mode", score_mode, ("dot", "concat"))
        self.dropout = fraction(type(self).__name__, "dropout", dropout)
        self.seed = seed
        self.supports_masking = True
        if self.dropout > 0:
            self.seed_generator = random.SeedGenerator(seed)

    def build(self, input_shape):
        self._check_inputs(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def scores(self, query, key):
        """How well each query matches each key: (batch, Tq, Tv)."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        sums = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        sums = sums if self.scale is None else sums * self.scale
        return self.concat_score_weight * ops.sum(ops.tanh(sums), axis=-1)

    def call(self, inputs, mask=None, training=False, return_attention_scores=False, use_causal_mask=False):
        self._check_inputs(inputs, mask)
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        scores = self.scores(query, key)
        seen = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), -2)
        if use_causal_mask:
            causal = causal_mask(scores)
            seen = causal if seen is None else ops.logical_and(seen, causal)
        if seen is not None:
            scores = ops.where(seen, scores, scores - (65504.0 if scores.dtype == "float16" else 1e9))
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        outputs = ops.matmul(weights, value)
        if query_mask is not None:
            outputs = outputs * ops.expand_dims(ops.cast(query_mask, outputs.dtype), -1)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs, mask=None):
        self._check_inputs(inputs, mask)
        return None if mask is None else mask[0]

    def _check_inputs(self, inputs, mask=None):
        is_list = isinstance(inputs, (list, tuple)) and 2 <= len(inputs) <= 3
        if not is_list or isinstance(inputs[0], int | None):
            raise ValueError(
                f'{type(self).__name__} "{self.name}" takes a list [query, value] or [query, value, key]. Got {inputs}.'
            )
        if mask is not None and (not isinstance(mask, (list, tuple)) or not 2 <= len(mask) <= 3):
            raise ValueError(
                f'{type(self).__name__} "{self.name}" takes its mask as a list [query_mask, value_mask], of which each '
                f"may be None. Got mask={mask}."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class AdditiveAttention(Attention):
    """Additive attention: the score of a query and a key is sum(scale * tanh(query + key)) (Bahdanau et al. 2015).

    Args:
        use_scale: bool, default True: learn `scale`, one number per feature.
        dropout: float in [0, 1], default 0: part of the weights dropped in training.

    Calls, inputs and outputs as `Attention`.
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape):
        self._check_inputs(input_shape)
        features = input_shape[0][-1]
        self.scale = self.add_weight((features,), "glorot_uniform", name="scale") if self.use_scale else None

    def scores(self, query, key):
        sums = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(sums if self.scale is None else sums * self.scale, axis=-1)

    def get_config(self):
        config = super().get_config()
        del config["score_mode"]
        return config
