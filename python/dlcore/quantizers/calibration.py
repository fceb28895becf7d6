"""Quantization of a model's blocks, one after another, by the inputs that their layers get."""

import contextlib

import numpy as np

from dlcore import ops
from dlcore.quantizers.quantized_weight import QuantizedWeight

# Sequences that go through the layers together.
_BATCH = 8


def calibrate(model, config, chosen):
    """Quantizes the layers in a model's blocks; what a block passes on to the next has the errors that came of it.

    Args:
        model: the model.
        config: `CalibratedConfig`.
        chosen: function layer -> bool: whether to quantize it.
    """
    first, blocks = _structure(model, config)
    samples = sequences(config)
    batches = [ops.convert_to_tensor(samples[i : i + _BATCH]) for i in range(0, len(samples), _BATCH)]
    for layer in first:
        batches = [_run(layer, batch) for batch in batches]
    for block in blocks:
        layers = [layer for layer in block._flatten_layers() if _has_mode(layer, config.mode) and chosen(layer)]
        statistics = [layer.statistics_for(config) for layer in layers]
        with _seeing_inputs(layers, statistics):
            outputs = [_run(block, batch) for batch in batches]
        for layer, seen in zip(layers, statistics):
            layer.take_form(config, seen)
        if block is not blocks[-1]:
            batches = [_run(block, batch) for batch in batches] if layers else outputs


def _structure(model, config):
    structure = config.quantization_layer_structure
    if structure is None:
        structure = model.get_quantization_layer_structure(config.mode)
    blocks = None if structure is None else structure.get("sequential_blocks")
    if not blocks:
        raise ValueError(
            f"quantize: {config.mode} must know the model's blocks, in their order. Pass the configuration's argument "
            'quantization_layer_structure={"pre_block_layers": [...], "sequential_blocks": [...]}, or have the model '
            f"return that from get_quantization_layer_structure(). Got {structure!r}."
        )
    return structure.get("pre_block_layers", []), blocks


def _has_mode(layer, mode):
    if not isinstance(layer, QuantizedWeight) or layer.quantization_mode is not None:
        return False
    return mode in layer.quantization_modes


def _run(layer, batch):
    from dlcore.layers import Layer

    outputs = Layer.__call__(layer, batch)  # op by op: a program would not show the inputs
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


@contextlib.contextmanager
def _seeing_inputs(layers, statistics):
    """Inside, each layer shows its inputs to its statistics when it is called."""
    for layer, seen in zip(layers, statistics):

        def call(inputs, *args, layer=layer, seen=seen, original=layer.call, **kwargs):
            seen.see(ops.cast(layer.inputs_in_rows(inputs), "float32"))
            return original(inputs, *args, **kwargs)

        layer.call = call
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def sequences(config):
    """int32 (num_samples, sequence_length), cut from the data at even distances."""
    dataset, name = config.dataset, type(config).__name__
    if dataset is None or isinstance(dataset, (str, bytes)) or not hasattr(dataset, "__iter__"):
        raise TypeError(
            f"{name}: dataset must be an iterable of strings, or of arrays of token numbers, to see the inputs of "
            f"layers. Got {dataset!r}."
        )
    tokens = [_numbers(item, config.tokenizer, name) for item in dataset]
    tokens = np.concatenate(tokens) if tokens else np.zeros(0, "int32")
    if not tokens.size:
        raise ValueError(f"{name}: dataset has no tokens. Pass at least one.")
    count, length = config.num_samples, config.sequence_length
    tokens = np.resize(tokens, max(tokens.size, count * length))  # repeated where it is too short
    last = tokens.size - length
    starts = np.arange(count) * last // max(1, count - 1)
    return tokens[starts[:, None] + np.arange(length)]


def _numbers(item, tokenizer, name):
    if isinstance(item, str):
        if tokenizer is None:
            raise ValueError(f"{name}: dataset has strings, for which a tokenizer is needed. Got tokenizer=None.")
        item = getattr(tokenizer, "tokenize", tokenizer)(item)
    return np.asarray(ops.convert_to_numpy(item)).reshape(-1).astype("int32")
