"""Small standard data sets. Each module has `load_data()`.

Files are read from the folder named by the environment variable `DLCORE_DATASETS`, then `~/.dlcore/datasets`, then
`~/.keras/datasets`; a file found nowhere is downloaded and its SHA-256 checked. `digits` needs no file.
"""

import importlib

_MODULES = (
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
    "speech_commands",
    "spoken_digits",
)


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. Data sets: {', '.join(_MODULES)}")


def __dir__():
    return sorted(_MODULES)
