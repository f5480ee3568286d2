"""Sphinx configuration. BNFHMC_DOCS_EXAMPLES=0 builds without running the examples."""

import os
import re
import sys
import tomllib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "bnfhmc"
author = _project["authors"][0]["name"]
release = version = _project["version"]
copyright = f"2026, {author}"

extensions = ["myst_parser", "sphinx.ext.mathjax", "sphinx.ext.autodoc"]
autodoc_typehints = "none"    # shapes and units stand in the words
autodoc_member_order = "bysource"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "bnfhmc"

_ARGUMENT = re.compile(r"(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*): (?P<text>.*)")


def _as_list(app, what, name, obj, options, lines):
    """Lines such as ``cores: threads at once`` become a list; what continues them is indented in the source."""
    out = []
    for line in lines[:1] if what == "module" else lines:
        match = _ARGUMENT.fullmatch(line)
        if match:
            named = ", ".join(f"``{n}``" for n in match["names"].split(", "))
            out += ([] if out and out[-1].startswith("- ") else [""]) + [f"- {named}: {match['text']}"]
        elif line and out and out[-1].startswith("- "):
            out[-1] += " " + line.strip()
        else:
            out.append(line)
    lines[:] = out


def _run_examples(app):
    from executed import execute_pages

    if os.environ.get("BNFHMC_DOCS_EXAMPLES") != "0":
        execute_pages(Path(__file__).parent)


def setup(app):
    """Register what autodoc and the build call."""
    app.connect("autodoc-process-docstring", _as_list)
    app.connect("builder-inited", _run_examples)
