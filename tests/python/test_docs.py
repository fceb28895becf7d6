"""The code in the documentation runs and prints what is written below it."""

import doctest
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


def test_every_public_name_is_described(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    api_pages = importlib.import_module("api_pages")
    names = {name for entry in api_pages.entries() for name in (entry.name, *entry.aliases)}
    assert names == set(api_pages.public_names())
    assert not [entry.name for entry in api_pages.entries() if not inspect.getdoc(entry.value)]
    for entry in api_pages.entries():
        text = "\n".join(api_pages.page_lines(entry.page, [entry]))
        assert f":: {entry.name}\n" in text
