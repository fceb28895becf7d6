"""Every public name of Keras is here or absent by design.

keras_api.json holds Keras's names (make_keras_api.py), docs/keras_api.md says what is absent by design and why.
"""

import functools
import json
import pathlib
import re

import pytest

import dlcore

ROOT = pathlib.Path(__file__).parents[2]
KERAS = json.loads((ROOT / "tests/golden/keras_api.json").read_text())
# A row of the table: | `keras.layers.TFSMLayer`, `keras.layers.JaxLayer` | reason |
ROWS = re.findall(r"^\| (`keras[^|]*) \| ([^|]+) \|$", (ROOT / "docs/keras_api.md").read_text(), re.MULTILINE)
BY_DESIGN = {name: reason for names, reason in ROWS for name in re.findall(r"`([^`]+)`", names)}


def by_design(name):
    """Whether the name, or a namespace that it is in, is absent by design."""
    return any(name == absent or name.startswith(absent + ".") for absent in BY_DESIGN)


def has(name):
    """Whether dlcore has what Keras calls `name`: listed by dir() and there when asked for."""
    path = name.split(".")[1:]
    try:
        space = functools.reduce(getattr, path[:-1], dlcore)
    except AttributeError:
        return False
    return path[-1] in dir(space) and getattr(space, path[-1]) is not None


def expected():
    return [f"{space}.{name}" for space, names in KERAS.items() for name in names if not by_design(f"{space}.{name}")]


@pytest.mark.parametrize("space", KERAS)
def test_names(space):
    names = [f"{space}.{name}" for name in KERAS[space]]
    assert not [name for name in names if not has(name) and not by_design(name)]


def test_the_list_holds_names_of_keras_only():
    known = {*KERAS, *(f"{space}.{name}" for space, names in KERAS.items() for name in names)}
    assert set(BY_DESIGN) <= known


def test_absent_by_design_is_absent():
    assert not [name for name in BY_DESIGN if has(name)]
