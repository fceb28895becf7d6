from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.layers.layer import Layer
from dlcore.layers.lora import LowRankAdapter
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of
from dlcore.ops._common import as_indices
from dlcore.ops.indexing import rows_of
from dlcore.quantizers.quantized_weight import QuantizedWeight, UnpackedWeight


class Embedding(LowRankAdapter, QuantizedWeight, Layer):
    """Turns integers into dense vectors: y = embeddings[x].

    Args:
        input_dim: int > 0: the number of different integers, largest + 1.
        output_dim: int > 0: the length of a vector.
        embeddings_initializer: default `"uniform"`.
        embeddings_regularizer, embeddings_constraint: default None.
        mask_zero: bool, default False: 0 is padding, which later layers that use masks leave out.
        weights: list with the initial embeddings of shape (input_dim, output_dim), or None (default).
        lora_rank, lora_alpha: default None; a rank: the table has adapters from the start, see `enable_lora`.
        quantization_config: of a layer whose dtype is quantized, see `quantize`.
        input_length: kept for older programs: the length of the sequences.

    Input shape: (batch, ...), integers in [0, input_dim).
    Output shape: (batch, ..., output_dim).

    Raises:
        IndexError: an input is outside [0, input_dim).

    Example:

    >>> Embedding(1000, 64)(ops.array([[4, 7], [9, 0]])).shape
    (2, 2, 64)
    """

    embeddings = UnpackedWeight()

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        input_length = kwargs.pop("input_length", None)
        if input_length is not None and "input_shape" not in kwargs:
            lengths = input_length if isinstance(input_length, (list, tuple)) else (input_length,)
            kwargs["input_shape"] = tuple(lengths)
        super().__init__(**kwargs)
        self.input_dim = positive_int("Embedding", "input_dim", input_dim)
        self.output_dim = positive_int("Embedding", "output_dim", output_dim)
        self.input_length = input_length
        set_weight_options(self, **weight_options_of(locals()))
        self.take_lora(lora_rank, lora_alpha)
        self.take_quantization_config(quantization_config)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        if weights is not None and not isinstance(weights, (list, tuple)) and not hasattr(weights, "shape"):
            raise ValueError(f"Embedding: weights must be an array of the embeddings. Got weights={weights!r}.")
        self.autocast = False  # half precision does not have all integers
        self._initial_weights = weights
        if weights is not None:
            self.build()

    quantized_weight = adapted_weight = "embeddings"
    quantization_modes = ("int8", "int4")
    other_weights = ()

    def scale_axes(self):
        return (-1,)

    def build(self, input_shape=None):
        self.embeddings = self.build_weight((self.input_dim, self.output_dim))
        self.built = True
        if self._initial_weights is not None:
            weights = self._initial_weights
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])
            self._initial_weights = None
        self.add_adapters_if_asked()

    def call(self, inputs):
        indices = as_indices(inputs)
        if self.quantization_mode is not None:
            rows = self._form.weight(rows=indices)
        else:
            rows = rows_of(self._frozen_weight() if self.lora_enabled else self.embeddings, indices)
        if self.lora_enabled:  # the sum for the rows that occur
            rows = ops.add(rows, self.adapter_product(indices))
        return ops.cast(rows, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            **weight_options_config(self),
            **self.lora_entries(),
            **self.quantization_entries(),
            "mask_zero": self.mask_zero,
        }
