"""The examples in docstrings run and show what is written."""

import ast
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re

import numpy as np
import pytest

import dlcore as keras
from dlcore.ops import shared_arguments


def modules():
    """Names of the package's modules that have examples."""
    for found in pkgutil.walk_packages(keras.__path__, "dlcore."):
        spec = found.module_finder.find_spec(found.name)
        if spec.origin.endswith(".py") and ">>>" in pathlib.Path(spec.origin).read_text():
            yield found.name


def names():
    """What an example may use without importing it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    found = {"np": np, "ops": keras.ops, "keras": keras, "Variable": keras.Variable, "model": model}
    found |= {"x": np.ones((10, 3), "float32"), "y": np.ones(10, "float32")}
    found |= {"applications": keras.applications, "layers": keras.layers, "random": keras.random}
    found |= {"Model": keras.Model, "Sequential": keras.Sequential}
    for package in ("layers", "callbacks", "distillation", "optimizers", "optimizers.schedules"):
        found |= vars(importlib.import_module(f"dlcore.{package}"))
    return found


def examples(path):
    """(name, docstring, line) of each class and function in a file whose docstring has examples."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ">>>" in (ast.get_docstring(node) or ""):
            yield getattr(node, "name", path.stem), ast.get_docstring(node), getattr(node, "lineno", 0)


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if name.startswith("dlcore.wrappers."):
        pytest.importorskip("sklearn")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for title, docstring, line in examples(pathlib.Path(module.__file__)):
        known = {**names(), **vars(module)}
        runner.run(doctest.DocTestParser().get_doctest(docstring, known, title, module.__file__, line))
    assert runner.failures == 0, capsys.readouterr().out


# ---- the dtypes and errors that the ops' docstrings state

MATRIX = np.array([[2, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, 1], [1, 0, 1, 3]])
DEFINITE = np.eye(4)  # of bools, too
TENSORS = {"x", "x1", "x2", "y", "a", "array", "inputs", "target", "output", "values", "sorted_sequence", "data"}
OTHERS = {
    "indices": [0, 1], "q": 0.5, "kth": 1, "repeats": 2, "pad_width": 1, "newshape": (16,), "shape": (4, 4), "shift": 1,
    "source": 0, "destination": 1, "axis1": 0, "axis2": 1, "bins": [1, 2], "max_val": 1.0, "fill_value": 1, "axis": 0,
    "segment_ids": [0, 1, 1, 0], "output_size": 2, "pool_size": 2, "indices_or_sections": 2,
}  # fmt: skip
VECTORS = {"bincount", "correlate", "diagflat", "searchsorted", "vander"}
STATED = {
    "Floats: of the operands' dtype, of `floatx()` for integers and bools.": lambda d: d if "float" in d else "float32",
    "Bools.": lambda dtype: "bool",
    "int32.": lambda dtype: "int32",
    "x's dtype, but int32 for bools and 8-bit integers.": lambda d: "int32" if d in ("bool", "uint8", "int8") else d,
    "The dtype in which the operands meet, but int32 for bools.": lambda d: "int32" if d == "bool" else d,
}
# Who return several tensors or none, or say in their own words of which dtype the result is.
OWN_WORDS = set(
    "array_split bartlett blackman clip convert_to_numpy cross dsplit dtype eig eigh empty empty_like fft fft2 "
    "full hamming hanning hard_tanh histogram hsplit ifft2 irfft is_keras_tensor is_tensor kaiser lu_factor "
    "matmul meshgrid multi_hot ndim nonzero one_hot ones qr result_type rfft scatter shape size slogdet "
    "sparse_categorical_crossentropy split svd threshold top_k unravel_index unstack view_as_complex view_as_real "
    "vsplit zeros".split()
)


def operand(name):
    if name == "cholesky":
        return DEFINITE
    return MATRIX[0] if name in VECTORS else MATRIX[None] if name.endswith("_pool") else MATRIX


def called(function, tensor, **more):
    """The function of tensors and other arguments by their names; None where it takes ones that aren't known."""
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if name not in TENSORS | {"xs"} | set(OTHERS):
            return None
        arguments[name] = [tensor, tensor] if name == "xs" else tensor if name in TENSORS else OTHERS[name]
    return function(**{**arguments, **more})


def ops_of_tensors():
    names = [name for name in dir(keras.ops) if inspect.isfunction(getattr(keras.ops, name))]
    return [name for name in names if TENSORS & set(inspect.signature(getattr(keras.ops, name)).parameters)]


def test_known_statements_are_of_known_ops():
    assert set(shared_arguments._RESULTS) == set(STATED)
    assert set(shared_arguments._RESULT_OF) <= set(ops_of_tensors()) - OWN_WORDS


def stated_result(name):
    """What the docstring says of the result; "" where it says nothing: then it is of the operand's dtype."""
    stated = re.search(r"^Returns:\n    (.*)$", getattr(keras.ops, name).__doc__, re.MULTILINE)
    return stated[1] if stated else ""


def has_own_words(name):
    return name in OWN_WORDS or stated_result(name) not in {"", *STATED}


@pytest.mark.parametrize("name", [name for name in ops_of_tensors() if not has_own_words(name)])
def test_results_are_of_the_stated_dtype(name):
    function = getattr(keras.ops, name)
    expected = STATED.get(stated_result(name), lambda dtype: dtype)
    compared = 0
    for dtype in "bool uint8 int8 int32 int64 float16 bfloat16 float32 float64".split():
        tensor = keras.ops.cast(operand(name), dtype)
        try:
            result = called(function, tensor)
        except TypeError:
            continue  # a dtype that the op does not take
        if result is not None:
            assert result.dtype == expected(dtype), (dtype, function.__doc__)
            compared += 1
    assert compared or called(function, keras.ops.ones(operand(name).shape)) is None


def test_axes_are_what_is_stated():
    """Where several axes are said to be possible two are taken, where one is they are an error."""
    several, one = "    axis: int or tuple of ints: what it goes over.", "    axis: int: what it goes over."
    checked = {several: 0, one: 0}
    for name in ops_of_tensors():
        function = getattr(keras.ops, name)
        assert function.__doc__.count("Returns:\n") < 2, name
        shape = (1, 1, 3) if name == "squeeze" else operand(name).shape
        if several in function.__doc__:
            assert called(function, keras.ops.ones(shape), axis=(0, 1)) is not None, name
            checked[several] += 1
        elif one in function.__doc__:
            with pytest.raises((TypeError, ValueError)):
                called(function, keras.ops.ones(shape), axis=(0, 1))
            checked[one] += 1
    assert all(count > 10 for count in checked.values())


# Who take pairs (real, imaginary), or ask for nothing but the shape or the NumPy array.
OTHER_OPERANDS = set(
    "convert_to_numpy dtype empty fft fft2 ifft2 irfft is_keras_tensor is_tensor meshgrid multi_hot ndim nonzero "
    "result_type shape view_as_real".split()
)


@pytest.mark.parametrize("name", ops_of_tensors())
def test_errors_are_of_the_stated_kinds(name):
    function = getattr(keras.ops, name)
    parameters = inspect.signature(function).parameters
    tensor = keras.ops.ones(operand(name).shape)
    try:
        if called(function, tensor) is None:
            return
    except (TypeError, ValueError):
        return  # of other shapes or dtypes
    if name not in OTHER_OPERANDS:
        for wrong in (np.array([["a", "b"], ["c", "d"]]), object()):
            with pytest.raises(TypeError):
                called(function, wrong)
    if "axis" in parameters and name not in OTHER_OPERANDS:
        with pytest.raises(ValueError):
            called(function, tensor, axis=7)
    if {"x1", "x2"} <= set(parameters) and name not in ("append", "correlate", "isin", "kron", "outer", "gcd", "lcm"):
        with pytest.raises(ValueError):
            called(function, tensor, x1=keras.ops.ones((2, 3)), x2=keras.ops.ones((4, 5)))


x2 = np.ones((2, 4), "float32")
STATED_ERRORS = {  # what docstrings say under "Raises"
    "arange": lambda: keras.ops.arange(0, 4, 0),
    "split": lambda: keras.ops.split(x2, 3, axis=1),
    "squeeze": lambda: keras.ops.squeeze(x2, axis=0),
    "reshape": lambda: keras.ops.reshape(x2, (3, 3)),
    "unstack": lambda: keras.ops.unstack(keras.KerasTensor((None, 3))),
    "scan": lambda: keras.ops.scan(lambda carry, x: (carry, x), 0.0),
    "histogram": lambda: keras.ops.histogram(x2),
    "extract_sequences": lambda: keras.ops.extract_sequences(x2, 5, 1),
    "rearrange": lambda: keras.ops.rearrange(x2, "a (b c) -> a b c"),
    "sparse_categorical_crossentropy": lambda: keras.ops.sparse_categorical_crossentropy(x2.astype(int), x2),
    "ctc_loss": lambda: keras.ops.ctc_loss(np.ones(2, int), x2, np.ones(2, int), np.ones(2, int)),
    "map_coordinates": lambda: keras.ops.image.map_coordinates(x2, np.ones((2, 3)), order=2),
    "perspective_transform": lambda: keras.ops.image.perspective_transform(
        np.ones((1, 4, 4, 1)), np.ones((3, 2)), np.ones((3, 2))
    ),
    "plot_history": lambda: keras.plotting.plot_history({"loss": [1.0]}, metrics=["mae"]),
    "plot_predictions": lambda: keras.plotting.plot_predictions(np.ones((3, 8, 8, 1)), x2),
    "register_keras_serializable": lambda: keras.saving.register_keras_serializable()(type("Bare", (), {})),
    "save_model": lambda: keras.saving.save_model(keras.Sequential([keras.Input((1,))]), "model.txt"),
    "pack_sequence_as": lambda: keras.tree.pack_sequence_as([1, 2], [3]),
    "pad_sequences": lambda: keras.utils.pad_sequences([["a"]]),
    "set_random_seed": lambda: keras.utils.set_random_seed(-1),
    "set_floatx": lambda: keras.backend.set_floatx("float8"),
    "plot_image_gallery": lambda: keras.visualization.plot_image_gallery(np.ones((1, 4, 4, 3)), y_true=[0]),
}


@pytest.mark.parametrize("name", STATED_ERRORS)
def test_stated_errors_are_raised(name):
    with pytest.raises(ValueError):
        STATED_ERRORS[name]()
