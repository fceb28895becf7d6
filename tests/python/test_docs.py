"""The code in the documentation runs and prints what is written below it."""

import doctest
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
