"""The examples in docstrings run and show what is written."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import dlcore as keras

PACKAGES = (
    "activations",
    "applications",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
)


def modules():
    for name in PACKAGES:
        module = importlib.import_module(f"dlcore.{name}")
        yield module.__name__
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"dlcore.{name}."):
            yield found.name


def names():
    """What an example may use without importing it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    found = {"np": np, "ops": keras.ops, "keras": keras, "Variable": keras.Variable, "model": model}
    found |= {"x": np.ones((10, 3), "float32"), "y": np.ones(10, "float32")}
    found |= {"applications": keras.applications, "layers": keras.layers, "Model": keras.Model}
    for package in ("layers", "callbacks", "optimizers", "optimizers.schedules"):
        found |= vars(importlib.import_module(f"dlcore.{package}"))
    return found


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name, capsys):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(module, extraglobs={**names(), **vars(module)}, optionflags=flags)
    assert results.failed == 0, capsys.readouterr().out
