"""How `quantize` turns weights into groups of integers that fit the inputs that layers get."""

import abc

from dlcore.backend.arguments import fraction, positive_int
from dlcore.quantizers import awq, gptq
from dlcore.quantizers.configs import QuantizationConfig


class CalibratedConfig(QuantizationConfig, abc.ABC):
    """Base of the configurations that take data, which is no part of what files keep of them."""

    weight_bits_taken = (4,)
    _needed_once = ("dataset", "tokenizer", "quantization_layer_structure")

    def __init__(self, **arguments):
        super().__init__()
        vars(self).update(arguments)
        name = type(self).__name__
        if self.weight_bits not in self.weight_bits_taken:
            known = " or ".join(map(str, self.weight_bits_taken))
            raise ValueError(f"{name}: weight_bits must be {known}. Got weight_bits={self.weight_bits!r}.")
        for argument in ("num_samples", "sequence_length"):
            positive_int(name, argument, getattr(self, argument))
        if self.group_size != -1:
            positive_int(name, "group_size", self.group_size)
        self._names = tuple(arguments)

    def dtype_policy_string(self):
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def kept(self):
        return type(self).from_config(self.get_config())  # without the data

    def get_config(self):
        return {name: None if name in self._needed_once else getattr(self, name) for name in self._names}

    @abc.abstractmethod
    def statistics(self, size):
        """What is to be known of inputs of so many features: an object whose `see(inputs)` takes float (rows, size)."""

    @abc.abstractmethod
    def integers(self, weights, statistics):
        """Integers for weights.

        Args:
            weights: float32 (outputs, inputs).
            statistics: what `statistics()` returned, after it has seen inputs.

        Returns:
            dict: name of a variable -> its value.
        """


class GPTQConfig(CalibratedConfig):
    """Weights as integers, chosen column by column: each makes up for the errors of those before it.

    What is kept small is the error of a layer's outputs on the inputs of the data.

    Args:
        dataset: iterable of strings, or of arrays of token numbers, such as an array (samples, length).
        tokenizer: what turns strings into token numbers: an object with `tokenize(string)`, or a function; None for
            data that is numbers.
        weight_bits: 2, 3, 4 (default) or 8.
        num_samples: int > 0, default 128: sequences cut from the data, at even distances.
        per_channel: bool, default True: each output has its scales; False: a scale is for all outputs.
        sequence_length: int > 0, default 512: their length; data that is too short is repeated.
        hessian_damping: float in [0, 1], default 0.01: part of the mean square of the inputs that is added to each.
        group_size: int > 0, default 128: inputs that share a scale and a zero point; -1: all.
        symmetric: bool, default False: the zero point is in the middle.
        activation_order: bool, default False: begin with the inputs of largest mean square.
        quantization_layer_structure: dict or None (default): what `Model.get_quantization_layer_structure` says:
            `"pre_block_layers"`, the layers that the data goes through first, and `"sequential_blocks"`, the layers
            behind, one after another, in which dense layers are quantized.

    Reference: Frantar et al. 2022.

    Example:

    >>> tokens, width = np.arange(600) % 7, 8
    >>> embedding, block = layers.Embedding(7, width), layers.Dense(width)
    >>> model = Sequential([keras.Input((None,), dtype="int32"), embedding, block])
    >>> config = keras.quantizers.GPTQConfig(
    ...     [tokens],
    ...     tokenizer=None,
    ...     num_samples=4,
    ...     sequence_length=32,
    ...     quantization_layer_structure={"pre_block_layers": [embedding], "sequential_blocks": [block]},
    ... )
    >>> model.quantize(config=config)
    >>> block.dtype_policy.name
    'gptq/4/128_from_float32'
    """

    mode = "gptq"
    weight_bits_taken = (2, 3, 4, 8)

    def __init__(
        self,
        dataset,
        tokenizer,
        *,
        weight_bits=4,
        num_samples=128,
        per_channel=True,
        sequence_length=512,
        hessian_damping=0.01,
        group_size=128,
        symmetric=False,
        activation_order=False,
        quantization_layer_structure=None,
    ):
        super().__init__(
            dataset=dataset,
            tokenizer=tokenizer,
            weight_bits=weight_bits,
            num_samples=num_samples,
            per_channel=per_channel,
            sequence_length=sequence_length,
            hessian_damping=fraction("GPTQConfig", "hessian_damping", hessian_damping),
            group_size=group_size,
            symmetric=symmetric,
            activation_order=activation_order,
            quantization_layer_structure=quantization_layer_structure,
        )

    def statistics(self, size):
        return gptq.MeanSquares(size)

    def integers(self, weights, statistics):
        return gptq.integers(weights, statistics.value, self)


class AWQConfig(CalibratedConfig):
    """Weights as 4-bit integers, finer for inputs that are large in the data.

    Args:
        dataset, tokenizer, num_samples, sequence_length, group_size, quantization_layer_structure: as for `GPTQConfig`.
        weight_bits: 4.
        num_grid_points: int > 0, default 20: steps between no difference between inputs and one as large as that of
            their largest values; the best for a layer is taken.

    Reference: Lin et al. 2023.
    """

    mode = "awq"

    def __init__(
        self,
        dataset,
        tokenizer,
        *,
        weight_bits=4,
        num_samples=128,
        sequence_length=512,
        group_size=128,
        num_grid_points=20,
        quantization_layer_structure=None,
    ):
        super().__init__(
            dataset=dataset,
            tokenizer=tokenizer,
            weight_bits=weight_bits,
            num_samples=num_samples,
            sequence_length=sequence_length,
            group_size=group_size,
            num_grid_points=positive_int("AWQConfig", "num_grid_points", num_grid_points),
            quantization_layer_structure=quantization_layer_structure,
        )

    def statistics(self, size):
        return awq.LargestInputs(size)

    def integers(self, weights, statistics):
        return awq.integers(weights, statistics.value, self)
