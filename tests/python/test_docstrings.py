"""The examples in docstrings run and show what is written."""

import ast
import doctest
import importlib
import pathlib
import pkgutil

import numpy as np
import pytest

import dlcore as keras


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
