"""The code in the documentation runs and prints what is written below it."""

import doctest
import functools
import importlib
import inspect
import pathlib
import re

import pytest

import dlcore as keras

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/guide").glob("*.md"))]
# A block of Python at the left margin, and the block of text that follows it at once, if one does.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
SKETCHES = {"adding_an_op.md"}  # pieces of files, not programs


def pages_with_code():
    return [page for page in PAGES if page.name not in SKETCHES and BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", pages_with_code(), ids=lambda page: page.stem)
def test_code(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.utils.clear_session()
    threads, names = keras.num_threads(), {}
    try:
        for code, expected in BLOCK.findall(page.read_text()):
            exec(compile(code, page.name, "exec"), names)
            printed = capsys.readouterr().out
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(expected, printed, flags)
            assert same or not expected, f"{code}\nprints\n{printed}\nexpected\n{expected}"
    finally:
        keras.set_num_threads(threads)
        keras.utils.clear_session()


def test_every_example_is_listed():
    table = (ROOT / "docs/guide/examples.md").read_text()
    listed = re.findall(r"^\| `(\w+\.py)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def test_every_public_name_is_described(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    api_pages = importlib.import_module("api_pages")
    names = {name for entry in api_pages.entries() for name in (entry.name, *entry.aliases)}
    assert names == set(api_pages.public_names())
    assert not [entry.name for entry in api_pages.entries() if not inspect.getdoc(entry.value)]
    for entry in api_pages.entries():
        text = "\n".join(api_pages.page_lines(entry.page, [entry]))
        assert f":: {entry.name}\n" in text


def test_pages_of_classes_say_what_their_constructors_raise(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    api_pages = importlib.import_module("api_pages")
    for page in ("dlcore.optimizers", "dlcore.layers.core"):
        assert api_pages.CONSTRUCTOR_ERRORS in "\n".join(api_pages.page_lines(page, []))
    assert "ValueError" not in "\n".join(api_pages.page_lines("dlcore.datasets", []))


def test_pages_of_the_reference(api_pages):
    """Every page has entries, every entry a signature and a sentence, and links in common texts lead somewhere."""
    pages = {entry.page for entry in api_pages.entries()}
    assert set(api_pages.PAGES) == pages
    names = {entry.name for entry in api_pages.entries()}
    assert {f"dlcore.errors.{name}" for name in keras.errors.__all__} <= names
    for entry in api_pages.entries():
        assert not inspect.getdoc(entry.value).startswith(f"{entry.short}("), entry.name
    assert set(re.findall(r":py:obj:`~([\w.]+)`", api_pages.DTYPES_AND_ERRORS)) <= names


# Arguments by groups: "kernel_, recurrent_ and bias_regularizer".
PART = re.compile(r"([a-z]+)_[,. ]")
CODE = re.compile(r"`([A-Za-z_][\w.]*)`")


@pytest.fixture
def api_pages(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("api_pages")


def texts(entry, found, depth=2):
    """The docstring of an entry and those it refers to, as in "Arguments as `Conv2D`"; `found`: (name, entry) pairs."""
    text = inspect.getdoc(entry.value)
    yield text
    for name in CODE.findall(text) if depth else ():
        places = [other for path, other in found if path.endswith(f".{name}") and other is not entry]
        if places:
            same_space = [other for other in places if other.space == entry.space]
            yield from texts((same_space or places)[0], found, depth - 1)


def described_in_bases(cls):
    return [inspect.getdoc(base) for base in cls.__mro__[1:] if base.__module__.startswith("dlcore") and base.__doc__]


def parameters_of(value):
    try:
        parameters = inspect.signature(value.__init__ if inspect.isclass(value) else value).parameters.values()
    except (TypeError, ValueError):
        return []
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [name for name in named if name not in ("self", "cls")]


def test_every_argument_is_described(api_pages):
    found = [(path, entry) for entry in api_pages.entries() for path in (entry.name, *entry.aliases)]
    unsaid = []
    for entry in api_pages.entries():
        names = parameters_of(entry.value)
        if len(names) < 2:  # what a single argument is the sentence says
            continue
        bases = described_in_bases(entry.value) if inspect.isclass(entry.value) else []
        text = "\n".join([*texts(entry, found), *bases])
        words = set(re.findall(r"\w+", text))
        parts = set(PART.findall(text))
        unsaid += [f"{entry.name}({name})" for name in names if name not in words and name.split("_")[0] not in parts]
    assert not unsaid


# Classes whose methods users call, or override.
DESCRIBED_METHODS = (
    "dlcore.GradientTape dlcore.Layer.add_weight dlcore.models.Model dlcore.models.Sequential "
    "dlcore.optimizers.Optimizer dlcore.metrics.Metric dlcore.saving.KerasFileEditor dlcore.utils.FeatureSpace "
    "dlcore.utils.batches.Batches"
).split()


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_every_argument_of_methods_is_described(name, api_pages):
    owner = functools.reduce(getattr, name.split(".")[1:], keras)
    methods = (
        {m: getattr(owner, m) for m in api_pages.documented_members(owner)} if inspect.isclass(owner) else {name: owner}
    )
    unsaid = []
    for title, method in methods.items():
        names = parameters_of(method) if inspect.isroutine(method) else []
        words = set(re.findall(r"\w+", inspect.getdoc(method) or ""))
        unsaid += [f"{title}({argument})" for argument in names if len(names) > 1 and argument not in words]
    assert not unsaid


def test_every_layer_says_its_shapes(api_pages):
    found = [(path, entry) for entry in api_pages.entries() for path in (entry.name, *entry.aliases)]
    classes = [e for e in api_pages.entries() if e.page.startswith("dlcore.layers") and inspect.isclass(e.value)]
    layers = [e for e in classes if issubclass(e.value, keras.layers.Layer)]
    assert len(layers) > 100
    assert not [e.name for e in layers if "shape" not in "\n".join(texts(e, found)).lower()]
