"""Keras-style deep learning on a small, fast C++ core.

import dlcore as keras

model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
"""

import importlib

import dlcore._core as _core
from dlcore._core import Tensor

__version__ = _core.__version__

# Loaded when first used, so that `import dlcore` takes no longer than NumPy and the core.
_MODULES = (
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "distillation",
    "distribution",
    "dtype_policies",
    "errors",
    "export",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "plotting",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "saving",
    "training",
    "tree",
    "utils",
    "visualization",
    "wrappers",
)
_OBJECTS = {
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models",
    "Functional": "models",
    "GradientTape": "training",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "backend",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "ops",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "RematScope": "layers.remat",
    "Sequential": "models",
    "StatelessScope": "backend",
    "SymbolicScope": "backend",
    "Variable": "backend",
    "device": "distribution",
    "explain": "training.explain",
    "name_scope": "backend",
    "remat": "layers.remat",
}

__all__ = ["Tensor", "num_threads", "set_num_threads", "show_config", "version", *_MODULES, *_OBJECTS]


def num_threads():
    """The number of threads that compute: `OMP_NUM_THREADS`, or the processors that the process may use."""
    return _core.num_threads()


def set_num_threads(threads):
    """Sets the number of threads that compute, an int > 0. Results are the same to the bit for any number."""
    from dlcore.backend.arguments import int_from

    _core.set_num_threads(int_from("set_num_threads", "threads", threads, 1))


def show_config():
    """Prints the version, the processor, the instruction set in use and the number of threads."""
    print(f"dlcore {__version__}: {_core.cpu_name()}, {_core.isa()}, {_core.num_threads()} threads")


def version():
    """The version of the package."""
    return __version__


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"dlcore.{name}")
    if name in _OBJECTS:
        value = getattr(importlib.import_module(f"dlcore.{_OBJECTS[name]}"), name)
        globals()[name] = value
        return value
    from dlcore.backend.names import no_attribute

    raise no_attribute(__name__, name, __all__)


def __dir__():
    return sorted(__all__)
