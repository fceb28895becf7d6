"""Models of one layer and an affine map before it, trained for five steps: `K` is keras or dlcore, `L` its layers.

make_keras_fits.py stores Keras's losses and weights, tests/python/test_fits_golden.py compares.
"""

import itertools

import layer_cases
import numpy as np
from layer_cases import IMAGE, MASK, SEQUENCE, TAIL_MASK, VECTOR, VOLUME, inputs_of, random

PLACES = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
BEHIND = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 1]], bool)  # what counts begins late or never
ATTENTION = [(2, 4, 6), (2, 5, 6)]

# name: (constructor, input shapes, arguments of the call)
CASES = {}
# As CASES, of layers that are called with several positional inputs.
CALLS = {}
# name: (input shapes, function of layers and symbolic inputs that returns the outputs)
MODELS = {}


def _takes_part(arguments):
    """Not what says itself whether it is trained, and what Keras on JAX can't train."""
    return "training" not in arguments and "return_attention_scores" not in arguments


# Keras on JAX can't train these: the mask lacks axes, is none of the loss's, a target's shape is not known, numbers are
# not finite, the kernel is not kept as normalized.
LEFT_OUT = ("conv_lstm2d", "softmax_masked", "einsum_dense", "stft_spectrogram_psd", "spectral_normalization")
CASES |= {name: case for name, case in layer_cases.CASES.items() if _takes_part(case[2]) and name not in LEFT_OUT}
CALLS |= {name: case for name, case in layer_cases.CALLS.items() if _takes_part(case[2])}


def add(kind, *options, shape, name=None, **arguments):
    """A case per option: the layers of a class with each of the options, dicts, in turn."""
    for option in options:
        text = "_".join(str(value) for value in option.values())
        shapes = shape if isinstance(shape, list) else [shape]
        CASES[f"{name or kind}_{text}"] = (lambda L, o=option: getattr(L, kind)(**o), shapes, arguments)


def maskless(outputs):
    """The outputs without their mask, so that the loss looks at all of them."""
    return [y + 0 for y in outputs] if isinstance(outputs, (list, tuple)) else outputs + 0


def first(shape):
    """The shape with its channels first."""
    return shape[0], shape[-1], *shape[1:-1]


for d, data_format in itertools.product(PLACES, ("channels_last", "channels_first")):
    places = PLACES[d] if data_format == "channels_last" else first(PLACES[d])
    stepping = [
        {"padding": "valid", "dilation_rate": 2, "data_format": data_format},
        {"padding": "same", "strides": 2, "data_format": data_format},
    ]
    conv = [{"filters": 4, "kernel_size": 2, "activation": "tanh", **steps} for steps in stepping]
    add(f"Conv{d}D", *conv, shape=places)
    add(f"Conv{d}DTranspose", *conv, shape=places)
    if d < 3:
        depthwise = [{"kernel_size": 2, "depth_multiplier": 2, **steps} for steps in stepping]
        add(f"DepthwiseConv{d}D", *depthwise, shape=places)
        add(f"SeparableConv{d}D", *[{"filters": 4, **options} for options in depthwise], shape=places)
    pooling = [
        {"pool_size": 2, "padding": "valid", "data_format": data_format},
        {"pool_size": 3, "strides": 2, "padding": "same", "data_format": data_format},
    ]
    for kind in ("Max", "Average"):
        add(f"{kind}Pooling{d}D", *pooling, shape=places)
        add(f"Global{kind}Pooling{d}D", {"keepdims": True, "data_format": data_format}, shape=places)
        add(f"Adaptive{kind}Pooling{d}D", {"output_size": 2, "data_format": data_format}, shape=places)
    if d > 1:
        amounts = (1, 2, 3)[-d:]
        add(f"UpSampling{d}D", {"size": amounts, "data_format": data_format}, shape=places)
        add(f"ZeroPadding{d}D", {"padding": amounts, "data_format": data_format}, shape=places)
        add(f"Cropping{d}D", {"cropping": ((1, 0), (0, 2), (1, 0))[-d:], "data_format": data_format}, shape=places)
    sizes = {1: 6, 2: (6, 5), 3: (4, 4, 3)}[d]
    frames = (2, 3, *np.atleast_1d(sizes).tolist(), 2)
    add(
        f"ConvLSTM{d}D",
        {"filters": 2, "kernel_size": 2, "padding": "same", "return_sequences": True, "data_format": data_format},
        {"filters": 2, "kernel_size": 2, "strides": 2, "go_backwards": True, "data_format": data_format},
        shape=frames if data_format == "channels_last" else (2, *first(frames[1:])[:1], frames[-1], *frames[2:-1]),
    )
CASES["conv1d_groups"] = (lambda L: L.Conv1D(6, 2, groups=3, padding="same"), [SEQUENCE], {})
CASES["conv3d_groups_first"] = (
    lambda L: L.Conv3D(4, 2, groups=2, use_bias=False, data_format="channels_first"),
    [first(VOLUME)],
    {},
)
for method in ("bicubic", "lanczos3", "lanczos5", "bilinear", "nearest"):
    add("UpSampling2D", {"size": (2, 3), "interpolation": method}, shape=IMAGE)
    add("Resizing", {"height": 9, "width": 4, "interpolation": method}, shape=IMAGE)
for axis in (-1, 1, 2):
    add("BatchNormalization", {"axis": axis, "momentum": 0.8, "epsilon": 0.01}, shape=IMAGE)
    add("LayerNormalization", {"axis": axis}, shape=IMAGE)
    add("UnitNormalization", {"axis": axis}, shape=IMAGE)
    add("GroupNormalization", {"axis": axis, "groups": 1}, shape=IMAGE)
for activation in (
    "gelu", "silu", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "exponential", "hard_sigmoid",
    "hard_silu", "mish", "softmax", "log_softmax", "leaky_relu", "relu6", "celu", "hard_shrink", "hard_tanh",
    "log_sigmoid", "soft_shrink", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink", "linear",
):  # fmt: skip
    add("Activation", {"activation": activation}, shape=VECTOR)
WATCHED = {
    "kernel_regularizer": "l1",
    "bias_regularizer": "l2",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
}
add("Dense", {"units": 3, **WATCHED, "bias_constraint": "non_neg"}, shape=VECTOR, name="watched_dense")
add("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, shape=VECTOR)
add(
    "Conv2D", {"filters": 3, "kernel_size": 2, **WATCHED, "kernel_constraint": "unit_norm"}, shape=IMAGE, name="watched"
)
add(
    "Embedding",
    {"input_dim": 9, "output_dim": 4, "embeddings_constraint": "unit_norm", "embeddings_regularizer": "l2"},
    shape=("int", (2, 5), 9),
)
for kind, masks in itertools.product(("SimpleRNN", "LSTM", "GRU"), (None, MASK, TAIL_MASK, BEHIND)):
    masked = {} if masks is None else {"mask": masks}
    options = [
        {"units": 3, "return_sequences": True, "go_backwards": True},
        {"units": 3, "return_sequences": True, "zero_output_for_mask": True},
        {"units": 3, "return_state": True, "unroll": True},
        {"units": 3, "return_sequences": True, "activation": "gelu"},
    ]
    counted = "all" if masks is None else masks.astype(int).sum()
    add(kind, *options, shape=SEQUENCE, name=f"{kind}_of_{counted}", **masked)
for kind, mode in itertools.product(("SimpleRNN", "LSTM", "GRU"), ("concat", "sum", "ave", "mul")):
    CASES[f"bidirectional_{kind}_{mode}"] = (
        lambda L, k=kind, m=mode: L.Bidirectional(getattr(L, k)(3, return_sequences=True), merge_mode=m),
        [SEQUENCE],
        {"mask": TAIL_MASK},
    )
CASES["bidirectional_of_two"] = (
    lambda L: L.Bidirectional(
        L.LSTM(3, return_sequences=True), backward_layer=L.GRU(3, return_sequences=True, go_backwards=True)
    ),
    [SEQUENCE],
    {},
)
CASES["rnn_of_regularized"] = (
    lambda L: L.LSTM(3, kernel_regularizer="l2", recurrent_regularizer="l2", activity_regularizer="l2"),
    [SEQUENCE],
    {},
)
for inner in ("Dense(4)", "BatchNormalization(momentum=0.7)", "LSTM(3)", "LayerNormalization()"):
    shape = SEQUENCE if "LSTM" not in inner else (2, 3, 5, 2)
    CASES[f"time_distributed_{inner}"] = (
        lambda L, i=inner: L.TimeDistributed(eval(i, {}, vars(L))),  # noqa: S307
        [shape],
        {},
    )
REGULARIZED = {"kernel_regularizer": "l2", "activity_regularizer": "l1", "bias_constraint": "max_norm"}
CALLS |= {
    "multi_head_attention_regularized": (lambda L: L.MultiHeadAttention(2, 3, **REGULARIZED), ATTENTION, {}),
    "multi_head_attention_gate": (
        lambda L: L.MultiHeadAttention(2, 3, use_gate=True, sliding_window=2),
        ATTENTION[1:] * 2,
        {"use_causal_mask": True},
    ),
    "multi_head_attention_keys": (
        lambda L: L.MultiHeadAttention(2, 3, output_shape=4),
        [*ATTENTION, ATTENTION[1]],
        {"key_mask": MASK, "value_mask": TAIL_MASK},
    ),
    "group_query_attention_regularized": (lambda L: L.GroupQueryAttention(3, 4, 2, **REGULARIZED), ATTENTION, {}),
    "group_query_attention_gate": (
        lambda L: L.GroupQueryAttention(4, 4, 1, use_gate=True),
        ATTENTION,
        {"value_mask": MASK},
    ),
}

STATES = [(2, 3), (2, 3)]
for kind, mask, option in itertools.product(
    ("LSTM", "GRU", "SimpleRNN"), (MASK, BEHIND), ({}, {"unroll": True}, {"activation": "gelu"})
):
    count = 2 if kind == "LSTM" else 1
    MODELS[f"{kind}_from_states_{mask.astype(int).sum()}_{'_'.join(option)}"] = (
        [SEQUENCE, *STATES[:count]],
        lambda L, x, *states, k=kind, m=mask, o=option: maskless(
            getattr(L, k)(3, return_sequences=True, return_state=True, **o)(x, initial_state=list(states), mask=m)
        ),
    )
MODELS["cells_from_states"] = (
    [SEQUENCE, (2, 3), (2, 2)],
    lambda L, x, *states: maskless(
        L.RNN([L.SimpleRNNCell(3), L.SimpleRNNCell(2)], return_sequences=True)(
            x, initial_state=[[states[0]], [states[1]]], mask=BEHIND
        )
    ),
)
MODELS["bidirectional_from_states"] = (
    [SEQUENCE, *STATES, *STATES],
    lambda L, x, *states: L.Bidirectional(L.LSTM(3, return_sequences=True))(
        x, initial_state=list(states), mask=TAIL_MASK
    ),
)
# Masks that are made and passed on by layers, up to the loss.
WORDS = ("int", (4, 6), 4)
MODELS["mask_to_the_loss"] = (
    [WORDS],
    lambda L, x: L.TimeDistributed(L.Dense(2))(L.LSTM(3, return_sequences=True)(L.Embedding(4, 3, mask_zero=True)(x))),
)
MODELS["mask_to_the_last_state"] = ([WORDS], lambda L, x: L.Dense(2)(L.GRU(3)(L.Embedding(4, 3, mask_zero=True)(x))))
MODELS["mask_to_an_average"] = (
    [WORDS],
    lambda L, x: L.GlobalAveragePooling1D()(L.LayerNormalization()(L.Embedding(4, 3, mask_zero=True)(x))),
)
MODELS["mask_to_an_attention"] = (
    [WORDS],
    lambda L, x: (lambda y: L.MultiHeadAttention(2, 2)(y, y))(L.Embedding(4, 3, mask_zero=True)(x)),
)
MODELS["mask_of_two"] = (
    [WORDS, WORDS],
    lambda L, a, b: L.SimpleRNN(2)(
        L.Concatenate()([L.Embedding(4, 3, mask_zero=True)(a), L.Embedding(4, 2, mask_zero=True)(b)])
    ),
)
MODELS["mask_of_a_sum"] = (
    [WORDS, WORDS],
    lambda L, a, b: L.SimpleRNN(2)(
        L.Add()([L.Embedding(4, 3, mask_zero=True)(a), L.Embedding(4, 3, mask_zero=True)(b)])
    ),
)
MODELS["mask_through_layers"] = (
    [WORDS],
    lambda L, x: L.Bidirectional(L.GRU(2, return_sequences=True))(
        L.Activation("tanh")(L.Dropout(0.0)(L.Dense(3)(L.Embedding(4, 3, mask_zero=True)(x))))
    ),
)
MODELS["mask_that_ends"] = ([WORDS], lambda L, x: L.RMSNormalization()(L.Embedding(4, 3, mask_zero=True)(x)))

# Trained in mixed precision too, and compared coarsely.
MIXED = (
    "dense", "einsum_dense_axes_behind", "conv2d", "conv1d_causal", "conv2d_transpose", "depthwise_conv2d",
    "batch_normalization", "layer_normalization", "group_normalization", "lstm", "gru", "simple_rnn_relu",
    "bidirectional", "embedding", "average_pooling2d", "multi_head_attention", "attention", "softmax",
)  # fmt: skip
ALL = (*CASES, *CALLS, *MODELS, *(f"{name} in bfloat16" for name in MIXED))


def train(K, name):
    """Losses and weights of five steps of gradient descent, of the package's model of that name."""
    name, _, mixed = name.partition(" in ")
    policy = K.config.dtype_policy()
    K.config.set_dtype_policy(f"mixed_{mixed}" if mixed else "float32")
    try:
        shapes, build = MODELS[name] if name in MODELS else _model_of_layer(K, name)
        inputs = [
            K.Input(batch_shape=shape[1], dtype="int32") if shape[0] == "int" else K.Input(batch_shape=shape)
            for shape in shapes
        ]
        outputs = build(K.layers, *inputs)
        model = K.Model(inputs, list(outputs) if isinstance(outputs, (list, tuple)) else [outputs])
    finally:
        K.config.set_dtype_policy(policy)
    starts = [random(f"{name} weight {i}", w.shape) * 0.5 for i, w in enumerate(model.get_weights())]
    is_norm = "normal" in name.lower()  # has variances
    model.set_weights([abs(w) + 0.125 for w in starts] if is_norm else starts)
    arrays = inputs_of(name, shapes)
    targets = [random(f"{name} target {i}", y.shape) for i, y in enumerate(model.outputs)]
    model.compile(K.optimizers.SGD(0.02), "mse" if len(targets) == 1 else ["mse"] * len(targets))
    only = len(arrays) == 1, len(targets) == 1
    x, y = arrays[0] if only[0] else arrays, targets[0] if only[1] else targets
    losses = model.fit(x, y, len(arrays[0]), epochs=5, shuffle=False, verbose=0).history["loss"]
    return [np.array(losses, "float32"), *(np.asarray(w, "float32") for w in model.get_weights())]


def _model_of_layer(K, name):
    make, shapes, arguments = (CASES | CALLS)[name]

    def build(L, *inputs):
        inputs = [x if shape[0] == "int" else L.Dense(shape[-1])(x) for x, shape in zip(inputs, shapes)]
        passed = {key: _tensors(K, value) for key, value in arguments.items()}
        spread = name in CALLS or len(inputs) == 1
        outputs = make(L)(*inputs, **passed) if spread else make(L)(inputs, **passed)
        return maskless(outputs) if "mask" in passed else outputs

    return shapes, build


def _tensors(K, value):
    if isinstance(value, list):
        return [_tensors(K, item) for item in value]
    return K.ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value
