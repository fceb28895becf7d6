"""What constructors and namespaces say of wrong arguments and unknown names."""

import inspect
import re

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, losses, ops
from dlcore.registry import Catalogue

NAMESPACES = (
    layers,
    losses,
    keras.metrics,
    keras.optimizers,
    keras.optimizers.schedules,
    keras.initializers,
    keras.regularizers,
    keras.constraints,
    keras.callbacks,
)
# What constructors cannot do without, where another argument is to be wrong.
NEEDED = {
    "PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.2]},
    "LossScaleOptimizer": {"inner_optimizer": keras.optimizers.SGD()},
    "Bidirectional": {"layer": layers.LSTM(2)},
    "RNN": {"cell": layers.LSTMCell(2)},
    "CSVLogger": {"filename": "log.csv"},
    "BackupAndRestore": {"backup_dir": "backup"},
    "ModelCheckpoint": {"filepath": "model.keras"},
    "LearningRateScheduler": {"schedule": abs},
    "MeanMetricWrapper": {"fn": abs},
    "FunctionLoss": {"fn": abs},
}


def checked_arguments():
    """(class, argument) for each argument of a public constructor that is a number or bool by default, or a name."""
    classes = {cls for names in NAMESPACES for cls in vars(names).values() if inspect.isclass(cls)}
    for cls in sorted(classes, key=lambda cls: cls.__module__ + cls.__name__):
        for name, parameter in inspect.signature(cls.__init__).parameters.items():
            is_checked = isinstance(parameter.default, (int, float)) or name == "name"
            if is_checked and (cls.__name__, name) != ("TensorBoard", "profile_batch"):
                yield cls, name


@pytest.mark.parametrize(
    "wrong", ["many", {"number": 1}, Ellipsis, float("nan")], ids=["string", "dict", "object", "nan"]
)
@pytest.mark.parametrize("cls, name", list(checked_arguments()))
def test_arguments_of_another_kind(cls, name, wrong):
    if (isinstance(wrong, str) and name == "name") or (isinstance(wrong, dict) and name == "learning_rate"):
        return  # a name, or the configuration of a schedule, which has a message of its own
    if wrong != wrong and name in ("fill_value", "mask_value", "value"):
        return  # NaN is a value
    required = [
        p.name
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    arguments = {key: NEEDED.get(cls.__name__, {}).get(key, 2) for key in required}
    with pytest.raises(ValueError, match=rf"{name} must be .*[Gg]ot .*{re.escape(repr(wrong))}"):
        cls(**{**arguments, name: wrong})


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: layers.Dense(2, use_bias=7.5), "Dense: use_bias must be True or False. Got use_bias=7.5."),
        (lambda: layers.PReLU(shared_axes="x"), "PReLU: shared_axes must be an int or a list of ints. Got"),
        (
            lambda: layers.Attention(seed="x"),
            "Attention: seed must be an int >= 0, a SeedGenerator or None. Got seed='x'.",
        ),
        (lambda: layers.MultiHeadAttention(2, 2, seed=-1), "MultiHeadAttention: seed must be an int >= 0, a SeedGen"),
        (lambda: losses.Dice(axis="x"), "Dice: axis must be an int or a list of ints. Got axis='x'."),
        (
            lambda: layers.Lambda(abs, mask=3),
            "Lambda: mask must be an array, a function (inputs, mask) -> mask or None.",
        ),
        (lambda: layers.Lambda(abs, output_shape="x"), "Lambda: output_shape must be a list of sizes. Got"),
        (lambda: layers.STFTSpectrogram(window=3), "STFTSpectrogram: window must be the name of a window, an array of"),
        (lambda: layers.MelSpectrogram(window="x"), "MelSpectrogram: unknown window 'x'. Known names: "),
        (lambda: layers.Dense(2, 7), "Dense: activation: Cannot interpret 7 as an activation. Expected a name, a"),
        (lambda: layers.Dense(2, bias_constraint="maxnrom"), "Dense: bias_constraint: Unknown constraint: "),
        (lambda: layers.LSTM(2, dropout=None), "LSTM: dropout must be a number. Got dropout=None."),
        (lambda: layers.ELU([1, 2]), "ELU: alpha must be a number. Got alpha=[1, 2]."),
        (lambda: layers.BatchNormalization(momentum=1.5), "momentum must be a number in [0, 1]. Got momentum=1.5."),
        (lambda: layers.EinsumDense("ab,bc->ac", 3, bias_axes="d"), "bias_axes must be letters of the output 'ac', or"),
        (lambda: keras.optimizers.Adam(beta_2=-1), "Adam: beta_2 must be a number in [0, 1]. Got beta_2=-1."),
        (lambda: keras.optimizers.Adam(epsilon=[1e-7]), "Adam: epsilon must be a number >= 0. Got epsilon=[1e-07]."),
        (lambda: keras.metrics.TopKCategoricalAccuracy(k=0), "k must be an int > 0. Got k=0."),
        (lambda: keras.callbacks.EarlyStopping(patience=1.5), "EarlyStopping: patience must be an int >= 0. Got"),
        (lambda: keras.callbacks.CSVLogger(3), "CSVLogger: filename must be a path. Got filename=3."),
        (lambda: keras.callbacks.EarlyStopping(verbose="yes"), "EarlyStopping: verbose must be 0, 1 or 2. Got"),
        (lambda: layers.Concatenate(axis=None), "Concatenate: axis must be an int. Got axis=None."),
        (lambda: layers.LayerNormalization(axis=None), "axis must be an int or a list of ints. Got axis=None."),
        (lambda: losses.SparseCategoricalCrossentropy(axis=[1]), "axis must be an int. Got axis=[1]."),
        (lambda: layers.EinsumDense(3, 4), "EinsumDense: expected an equation such as"),
        (lambda: layers.TextVectorization(split=["x"]), "TextVectorization: split must be a name. Got split=['x']."),
        (lambda: keras.optimizers.Muon(exclude_layers=[1]), "exclude_layers must be a list of strings. Got"),
        (lambda: layers.Embedding(10**30, 2), "Embedding: input_dim must be an int of at most 64 bits. Got"),
        (lambda: keras.quantizers.AbsMaxQuantizer(value_range="x"), "AbsMaxQuantizer: value_range must be"),
        (lambda: keras.quantizers.Int8QuantizationConfig("x"), "weight_quantizer must be a Quantizer or None. Got"),
        (lambda: keras.utils.PyDataset(workers="two"), "PyDataset: workers must be an int >= 0. Got workers='two'."),
        (lambda: layers.Rescaling("x"), "Rescaling: scale must be a number or a list of numbers. Got scale='x'."),
        (lambda: layers.Resizing(2, 2, "linear"), "Resizing: unknown interpolation: 'linear'. "),
        (lambda: layers.Dropout(0.5, ["x"]), "Dropout: noise_shape must hold ints >= 1, or None for any size. Got"),
        (lambda: keras.InputSpec(shape=("x",)), "InputSpec: shape must hold ints, or None for any size. Got"),
        (lambda: keras.InputSpec(ndim="two"), "InputSpec: ndim must be an int >= 0. Got ndim='two'."),
        (lambda: keras.metrics.Precision(class_id="x"), "Precision: class_id must be an int >= 0. Got class_id='x'."),
        (lambda: keras.optimizers.SGD(clipnorm=-1.0), "SGD: clipnorm must be a number >= 0. Got clipnorm=-1.0."),
        (lambda: keras.optimizers.SGD(weight_decay="x"), "SGD: weight_decay must be a number >= 0. Got"),
        (lambda: keras.optimizers.SGD(ema_momentum=2.0), "ema_momentum must lie in [0, 1]. Got ema_momentum=2.0."),
        (lambda: keras.optimizers.SGD(gradient_accumulation_steps=1.5), "gradient_accumulation_steps must be an int"),
        (lambda: keras.callbacks.LearningRateScheduler(0.1), "LearningRateScheduler: schedule must be a function. Got"),
        (lambda: keras.callbacks.EarlyStopping(monitor=1), "EarlyStopping: monitor must be a string. Got monitor=1."),
        (
            lambda: keras.initializers.HeNormal(seed={}),
            "HeNormal: seed must be an int >= 0, a SeedGenerator or None. Got",
        ),
    ],
)
def test_arguments_that_are_none_by_default(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


def test_unknown_arguments():
    with pytest.raises(TypeError, match="MeanSquaredError: 'reducton' is no argument. Nearest names: \"reduction\""):
        losses.MeanSquaredError(reducton="sum")
    with pytest.raises(TypeError, match="L2: 'l1' is no argument"):
        keras.regularizers.L2(l1=0.1)


@pytest.mark.parametrize("names", [*NAMESPACES, ops, keras.activations, keras.models, keras.saving, keras.random])
def test_unknown_names_of_a_namespace(names):
    assert not hasattr(names, "__no_such_name__")
    known = [name for name in dir(names) if name[0].isalpha()][0]
    with pytest.raises(
        AttributeError, match=rf"(?i)module '{names.__name__}' has no attribute '{known}x'. .*\"{known}\""
    ):
        getattr(names, f"{known}x")


MODULES = [
    keras, layers, losses, keras.metrics, keras.optimizers, keras.constraints, keras.quantizers, keras.activations,
    keras.applications, keras.callbacks, keras.datasets, keras.utils,
]  # fmt: skip


@pytest.mark.parametrize("names", MODULES)
def test_dir_lists_nothing_that_a_module_imports_for_itself(names):
    values = {name: getattr(names, name) for name in dir(names) if not name.startswith("_")}
    foreign = [name for name, value in values.items() if inspect.ismodule(value) and "dlcore" not in value.__name__]
    assert values and not foreign and Catalogue not in values.values()


def test_known_names_are_told_once():
    with pytest.raises(ValueError) as error:
        keras.optimizers.get("mse")
    assert '"AdamW"' in str(error.value) and "adamw" not in str(error.value)


@pytest.mark.parametrize("function", [ops.argmax, ops.sort, ops.argsort, ops.cumsum, ops.concatenate])
@pytest.mark.parametrize("axis", [(0, 1), 1.5, "last"])
def test_one_axis_is_an_int(function, axis):
    x = np.ones((2, 3), "float32")
    with pytest.raises(TypeError, match="One axis is expected, an int. Received: axis="):
        function([x, x] if function is ops.concatenate else x, axis=axis)
    assert function([x, x] if function is ops.concatenate else x, axis=np.int64(1)) is not None
