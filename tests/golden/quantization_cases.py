"""Cases of quantization that Keras (make_keras_quantization.py) and the tests compute: name -> function of the package.

A case returns an array or a list of arrays.
"""

import numpy as np

RNG = np.random.default_rng(12)
MATRIX = RNG.normal(size=(9, 6)).astype("float32")
SEQUENCES = RNG.normal(size=(4, 5, 6)).astype("float32")
TARGETS = RNG.normal(size=(4, 5, 3)).astype("float32")
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


@case
def float8_scale(k):
    amax = np.array([0.0, 1e-3, 448.0, 1e30, np.inf, np.nan], "float32")
    old = np.linspace(0.5, 3, 6).astype("float32")
    return [k.quantizers.compute_float8_scale(amax, old, *rest) for rest in ((448.0,), (57344.0, 2))]


@case
def float8_history(k):
    history = np.array([3.0, 1.0, 4.0, 1.5], "float32")
    return [k.quantizers.compute_float8_amax_history(MATRIX, history[:n]) for n in (1, 2, 4)]


@case
def float8_rounding(k):
    round_trip = k.quantizers.quantize_and_dequantize
    return [
        round_trip(MATRIX * 300, np.float32(scale), dtype, "float32")
        for dtype in ("float8_e4m3fn", "float8_e5m2")
        for scale in (0.3, 17.0)
    ]


def float8_layers(k, policy="float32"):
    """A model trained in float8, from fixed floats; built before it is quantized."""
    inputs = x = k.Input((5, 6))
    x = k.layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de", activation="tanh", dtype=policy)(x)
    x = k.layers.EinsumDense("abde,dec->abc", (None, 7), dtype=policy)(x)
    model = k.Model(inputs, k.layers.Dense(3, dtype=policy)(x))
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    for layer in model.layers[1:]:
        layer.quantize("float8")
        for part in ("inputs", "kernel", "outputs_grad"):  # as after so many steps
            getattr(layer, f"{part}_amax_history").assign(rng.uniform(0, 4, 1024).astype("float32"))
            getattr(layer, f"{part}_scale").assign(np.float32(rng.uniform(0.001, 0.01)))
    return model


def float8_state(model):
    names = ["kernel", "bias"]
    names += [f"{part}_{what}" for part in ("inputs", "kernel", "outputs_grad") for what in ("scale", "amax_history")]
    found = [getattr(layer, name) for layer in model.layers[1:] for name in names]
    return [value for value in found if value is not None]


def float8_training(k, policy, optimizer):
    model = float8_layers(k, policy)
    model.compile(optimizer, "mse", run_eagerly=True)
    losses = [model.train_on_batch(SEQUENCES * (1 + i), TARGETS) for i in range(3)]
    return [np.array(losses, "float32"), *float8_state(model), model.predict(SEQUENCES, verbose=0)]


@case
def float8_sgd(k):
    return float8_training(k, "float32", k.optimizers.SGD(0.01, momentum=0.9, global_clipnorm=1.0, weight_decay=0.1))


@case
def float8_accumulated(k):
    return float8_training(k, "float32", k.optimizers.Adam(0.01, gradient_accumulation_steps=2, use_ema=True))


@case
def float8_scaled_loss(k):
    return float8_training(k, "float32", k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.01), initial_scale=64.0))


def transformer(k):
    """A small model with attention made of single layers, trained in float8 from the start."""
    policy = k.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", amax_history_length=4)
    sequence = k.Input((5, 6), name="sequence")
    x = k.layers.LayerNormalization(name="norm")(sequence)
    heads = "abc,cde->abde", (None, 2, 4)
    q, keys, v = (k.layers.EinsumDense(*heads, bias_axes="de", dtype=policy, name=name)(x) for name in "qkv")
    x = k.layers.Reshape((5, 8), name="joined")(k.layers.Attention(name="attention")([q, v, keys]))
    x = k.layers.Dense(8, activation="gelu", dtype=policy, name="hidden")(x)
    model = k.Model(sequence, k.layers.Dense(3, dtype=policy, name="outputs")(x), name="transformer")
    model.compile(k.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return model


# Modes that take data, without any: all inputs count alike.
ROWS = RNG.normal(size=(7, 10)).astype("float32")
HEADS = RNG.normal(size=(2, 3, 2, 5)).astype("float32")


def calibrated(k, layer, config, largest=None):
    """The layer, quantized; `largest`: of its inputs, as AWQ is to have seen them. Keras does it in two steps."""
    if k.__name__ != "keras":
        seen = layer.statistics_for(config)
        if largest is not None:
            seen.see(largest[None])
        layer.take_form(config, seen)
        return
    from keras.src.quantizers import awq, gptq

    layer.quantize(config.mode, config=config)
    if config.mode == "gptq":
        gptq.GPTQ(layer, config).quantize_and_correct_layer()
        return
    quantizer = awq.AWQ(layer, config)
    if largest is not None:
        quantizer.activation_magnitudes = largest
    quantizer.quantize_layer()


def dense_like_layers(k):
    """(layer, inputs) of each kind, from fixed floats; Keras takes the largest axis of a kernel for that of the model.

    Signs alternate, for Keras's zero points overflow where all weights of a group are positive; positive weights are
    larger, for the largest negative one of a symmetric group is halfway between two integers.
    """
    layers = (
        (k.layers.Dense(5, activation="tanh"), ROWS),
        (k.layers.EinsumDense("ab,bc->ac", 6, bias_axes="c"), ROWS),
        (k.layers.EinsumDense("ab,bcd->acd", (3, 3), bias_axes="cd"), ROWS),
        (k.layers.EinsumDense("abcd,cde->abe", (None, 11)), HEADS),
    )
    rng = np.random.default_rng(4)
    for layer, inputs in layers:
        layer(inputs)
        signs = [1 - 2 * (np.indices(w.shape).sum(0) % 2) for w in layer.get_weights()]
        layer.set_weights([(rng.uniform(0.1, 0.9, size=s.shape) * s + (s > 0)).astype("float32") for s in signs])
    return layers


def calibrated_layers(k, config, largest=None):
    """The variables and outputs of each kind. Keras keeps fractions of group numbers, of which it takes the floor."""
    results = []
    for layer, inputs in dense_like_layers(k):
        calibrated(k, layer, config, largest)
        names = ["quantized_kernel", "kernel_scale", "kernel_zero", "awq_scales"]
        results += [getattr(layer, name) for name in names if hasattr(layer, name)]
        results += [np.floor(np.asarray(layer.g_idx)), layer(inputs)]
    return results


for name, options in {
    "gptq": {},
    "gptq_groups": {"group_size": 4, "activation_order": True},
    "gptq_symmetric": {"group_size": 5, "symmetric": True, "weight_bits": 3},
    "gptq_one_scale": {"group_size": -1, "per_channel": False, "weight_bits": 8},
    "gptq_two_bits": {"group_size": -1, "weight_bits": 2},
}.items():
    CASES[name] = lambda k, options=options: calibrated_layers(k, k.quantizers.GPTQConfig(None, None, **options))

LARGEST = np.array([0.0, 0.3, 20, 4, 1, 0.05, 7, 2, 30, 1], "float32")


@case
def awq(k):
    return calibrated_layers(k, k.quantizers.AWQConfig(None, None))


@case
def awq_fitted(k):
    return calibrated_layers(k, k.quantizers.AWQConfig(None, None, group_size=5, num_grid_points=7), LARGEST)


# Adapters of integers.


def adapted_layers(k, config):
    """The outputs and what files hold of layers whose weight was made integers and then given adapters."""
    results = []
    embedding = k.layers.Embedding(6, 7), np.array([[0, 5, 2], [3, 3, 1]])
    for layer, inputs in (*dense_like_layers(k), embedding):
        layer(inputs)
        rng = np.random.default_rng(11)
        layer.set_weights([rng.normal(size=w.shape).astype("float32") for w in layer.get_weights()])
        layer.quantize(config=config, mode=config.mode)
        layer.enable_lora(2, lora_alpha=3)
        for variable in layer.trainable_variables:
            variable.assign(rng.normal(size=variable.shape))
        store = {}
        layer.save_own_variables(store)
        results += [layer(inputs), *(np.asarray(store[str(i)]) for i in range(len(store)))]
    return results


@case
def lora_int8(k):
    return adapted_layers(k, k.quantizers.Int8QuantizationConfig())


@case
def lora_int4(k):
    return adapted_layers(k, k.quantizers.Int4QuantizationConfig(block_size=4))


@case
def lora_int4_without_groups(k):
    return adapted_layers(k, k.quantizers.Int4QuantizationConfig(block_size=None))
