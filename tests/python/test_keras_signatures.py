"""What Keras's functions, constructors and methods take, ours take: the same arguments in the same order with the same
defaults; and the public members of its classes are here.

keras_signatures.json holds Keras's (make_keras_api.py), docs/keras_api.md says what differs by design and why.
"""

import ast
import dis
import functools
import inspect
import json
import pathlib
import re

import pytest
from test_keras_api import by_design

import dlcore

ROOT = pathlib.Path(__file__).parents[2]
KERAS = json.loads((ROOT / "tests/golden/keras_signatures.json").read_text())
# A row of the table, | `Model.export(format)`, `.convert_weight` | reason |: a member or an argument of one; without a
# class before the dot, of any class that has such a member.
ROWS = re.findall(r"^\| (`[.A-Z][^|]*) \| ([^|]+) \|$", (ROOT / "docs/keras_api.md").read_text(), re.MULTILINE)
BY_DESIGN = {name: reason for names, reason in ROWS for name in re.findall(r"`([^`]+)`", names)}
# Arguments that several classes of a kind share and that are passed by name.
BY_NAME = {"name", "dtype", "dilation_rate", "weight_decay", "clipnorm"}
used = set()


def ours(name):
    return functools.reduce(getattr, name.split(".")[1:], dlcore)


def stored_attributes(cls):
    """The attributes that the methods of a class store in its objects."""
    functions = [
        value for base in cls.__mro__ for value in map(inspect.unwrap, vars(base).values()) if inspect.isfunction(value)
    ]
    return {step.argval for f in functions for step in dis.get_instructions(f) if step.opname == "STORE_ATTR"}


def constructor(cls):
    """The parameters a class is called with: those of its constructor and, by name only and where **kwargs are passed
    on, those of the constructors that it overrides.
    """
    found = {}
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            own = parameters(vars(base)["__init__"], bound=True)
            inherited = [p.replace(kind=p.VAR_KEYWORD if p.kind is p.VAR_KEYWORD else p.KEYWORD_ONLY) for p in own]
            for p in inherited if found else own:
                found.setdefault(p.name, p)
            if not any(p.kind is p.VAR_KEYWORD for p in own):
                break
    return list(found.values())


def parameters(function, bound):
    return list(inspect.signature(function).parameters.values())[1 if bound else 0 :]


def differences(expected, got):
    """(argument, what) of Keras's arguments, as make_keras_api.py writes them, that the parameters `got` don't have."""
    kinds = {p.kind for p in got}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds or "*args" in expected:
        return  # takes all that the call takes
    by_name = {p.name: p for p in got}
    in_order = [p for p in got if p.kind is p.POSITIONAL_OR_KEYWORD]
    is_in_order = not any(p.kind is p.VAR_POSITIONAL for p in got)
    for place, text in enumerate(expected):
        name, _, default = text.partition("=")
        if name.startswith("*"):
            is_in_order = False
        elif is_in_order and place < len(in_order) and in_order[place].name != name and not name.startswith("_"):
            yield name, f"argument {place} is {in_order[place].name}, not {name}"
            is_in_order = name in by_name
        elif is_in_order and place >= len(in_order) and name in by_name and name not in BY_NAME:
            yield name, f"{name} can't be passed without its name"
        elif name not in by_name and not name.startswith("_"):
            yield name, f"{name} is missing"
        elif default not in ("", "...") and not same(ast.literal_eval(default), by_name[name].default):
            yield name, f"{name} is {by_name[name].default!r} by default, not {default}"
        is_in_order = is_in_order and name not in BY_NAME
    for p in in_order[len(expected) :]:
        if p.default is p.empty:
            yield p.name, f"{p.name} is none of Keras's, and has to be passed"


def same(a, b):
    """Whether two defaults mean the same; one number stands for as many as there are axes."""
    if isinstance(a, (list, tuple)):
        return (len(a) == len(b) and all(map(same, a, b))) if isinstance(b, (list, tuple)) else all(x == b for x in a)
    return type(a) in (type(b), int) and a == b


def by_design_differs(path, argument=""):
    """Whether the documentation has the difference."""
    keys = {path, "." + path.rpartition(".")[2]}
    keys |= {f"{key}({argument})" for key in keys}
    found = keys & set(BY_DESIGN)
    used.update(found)
    return bool(found)


def found_differences(name):
    """Lines on what differs between Keras's function or class of the name and ours."""
    value, title = ours(name), name.rpartition(".")[2]
    for member, expected in KERAS[name].items():
        path = f"{title}.{member}" if member else title
        if not member and inspect.isclass(value):
            got = constructor(value)
        elif not member:
            got = parameters(value, bound=False)
        elif not hasattr(value, member):
            if member not in stored_attributes(value) and not by_design_differs(path):
                yield f"{path} is missing"
            continue
        elif expected is None:
            continue
        else:
            got = parameters(getattr(value, member), bound=inspect.isfunction(inspect.getattr_static(value, member)))
        for argument, text in differences(expected or [], got):
            if not by_design_differs(path, argument):
                yield f"{path}: {text}"


NAMES = [name for name in KERAS if not by_design(name)]


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    if name.startswith("keras.wrappers."):
        pytest.importorskip("sklearn")  # which the members come from
    assert not list(found_differences(name))


def test_the_list_holds_differences_only():
    used.clear()
    for name in NAMES:
        list(found_differences(name))
    assert used == set(BY_DESIGN)
