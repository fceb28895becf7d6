from dlcore import backend, ops
from dlcore.backend.arguments import is_number
from dlcore.layers.core.embedding import Embedding
from dlcore.quantizers.integers import Integers


class ReversibleEmbedding(Embedding):
    """An embedding that also turns vectors back into one number per integer: the output layer of a language model.

    Called with `reverse=True`: y = x @ embeddings^T.

    Args:
        input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero: as
            `Embedding`.
        tie_weights: bool, default True: the same weights both ways; False: a second matrix (output_dim, input_dim).
        reverse_dtype: dtype of the product, or None (default): the layer's.
        logit_soft_cap: float > 0 or None (default): y = cap * tanh(y / cap).

    Input shape: (batch, ...), integers in [0, input_dim); in reverse (batch, ..., output_dim).
    Output shape: (batch, ..., output_dim); in reverse (batch, ..., input_dim).

    Reference: Press & Wolf 2017.

    Example:

    >>> layer = ReversibleEmbedding(100, 8)
    >>> vectors = layer(ops.array([[4, 7, 9]]))
    >>> layer(vectors, reverse=True).shape
    (1, 3, 100)
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        reverse_dtype=None,
        logit_soft_cap=None,
        **kwargs,
    ):
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        if logit_soft_cap is not None and (not is_number(logit_soft_cap) or logit_soft_cap <= 0):
            raise ValueError(
                "ReversibleEmbedding: logit_soft_cap must be a number > 0 or None. Got "
                f"logit_soft_cap={logit_soft_cap!r}."
            )

    def build(self, input_shape=None):
        super().build(input_shape)
        if self.tie_weights:
            return
        shape = (self.output_dim, self.input_dim)
        if self.quantization_mode is None:
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")
        else:
            self.reverse_embeddings = self._reverse_form().build(shape)

    def _reverse_form(self):
        return self._form if self.tie_weights else Integers(self, "reverse_embeddings", axes=(0,), packed_axis=0)

    def _forms(self):
        return [self._form] if self.tie_weights else [self._form, self._reverse_form()]

    @property
    def variable_serialization_spec(self):
        spec = super().variable_serialization_spec
        if self.tie_weights:
            return spec
        reverse = {
            mode: [name.replace("embeddings", "reverse_embeddings") for name in names if name != "g_idx"]
            for mode, names in spec.items()
        }
        return {mode: [*names, *reverse[mode]] for mode, names in spec.items()}

    def call(self, inputs, reverse=False):
        if not reverse:
            outputs = super().call(inputs)
            if self.mask_zero:
                backend.set_keras_mask(outputs, ops.not_equal(inputs, 0))
            return outputs
        if self.quantization_mode is not None:
            logits = self._reverse_form().product(self._logits, inputs, -1, False)
            if self.tie_weights:
                logits = self.with_adapters(logits, self._logits, inputs)
        elif self.tie_weights:
            logits = self.product_with_weight(self._logits, inputs)
        else:
            logits = self._logits(inputs, self.reverse_embeddings)
        if self.logit_soft_cap is None:
            return logits
        return ops.multiply(ops.tanh(ops.divide(logits, self.logit_soft_cap)), self.logit_soft_cap)

    def with_adapters(self, product, multiply, inputs):
        if not self.lora_enabled:
            return product
        of_b = multiply(inputs, ops.multiply(self.lora_embeddings_b, self._adapter_scale))
        return ops.add(product, multiply(of_b, self.lora_embeddings_a))

    def _logits(self, inputs, kernel):
        kernel = ops.transpose(kernel) if self.tie_weights else kernel
        dtype = self.reverse_dtype or self.compute_dtype
        return ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))

    def compute_mask(self, inputs, mask=None):
        # The call attaches the mask: only there it is known which way the layer runs.
        return None

    def compute_output_shape(self, input_shape, reverse=False):
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
