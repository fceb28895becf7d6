"""Sphinx's settings. `sphinx-build -W docs docs/_build` builds the site; api_pages.py writes the API's pages first."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import api_pages  # noqa: E402

import dlcore  # noqa: E402

project = "dlcore"
author = "the dlcore authors"
copyright = author  # noqa: A001, Sphinx's name
version = release = dlcore.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "api/keras_table.md"]
default_role = "py:obj"  # `name` in a docstring is a link where the name is known, else code
highlight_language = "python"
add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"dlcore {version}"
html_static_path = ["_static"]
html_css_files = ["dlcore.css"]
html_show_copyright = html_show_sphinx = html_copy_source = html_show_sourcelink = False


def link_to_pages(app, name, source):
    """Files of other folders that are pages here (measurements.md includes RESULTS.md)."""
    source[0] = source[0].replace("(../bench/RESULTS.md)", "(measurements.md)")


def setup(app):
    api_pages.write(HERE / "api")
    app.connect("autodoc-process-docstring", api_pages.prepare_docstring, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", api_pages.prepare_signature)
    app.connect("source-read", link_to_pages)
