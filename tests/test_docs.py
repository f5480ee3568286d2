"""What runs the examples of the documentation: it finds them, and a wrong one ends the build."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def executed():
    spec = importlib.util.spec_from_file_location("executed", DOCS / "executed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_with_commands_or_python_is_run_or_says_why_not(executed):
    for path in DOCS.glob("*.md"):
        found = [b for b in executed.blocks(path.read_text()) if b.kind in ("sh", "python") and b.mark != "not run"]
        assert not found or path.stem in (executed.FIRST, *executed.PAGES), path.name


def test_files_are_written_commands_run_and_python_is_one_program(executed, tmp_path):
    page = "<!-- file: a.txt -->\n```text\nhello\n```\n```sh\nbnfhmc --version > version\nother command\n```\n"
    page += "<!-- not run: wrong -->\n```python\n1 / 0\n```\n"
    page += "```python\nx = open('a.txt').read()\n```\n```python\nassert x == 'hello\\n'\n```\n"
    (tmp_path / "page.md").write_text(page)
    executed.execute(tmp_path, "page", tmp_path)
    assert (tmp_path / "version").read_text().startswith("bnfhmc ")


@pytest.mark.parametrize(("page", "said"), [
    ("```sh\nbnfhmc nosuch\n```\n", "bnfhmc nosuch\nended with 2: .*No such command"),
    ("```python\n1 / 0\n```\n", "the Python of page.md\nended with 1: .*ZeroDivisionError"),
])  # fmt: skip
def test_an_example_that_does_not_run_ends_the_build(executed, tmp_path, page, said):
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(executed.Wrong, match="(?s)" + said):
        executed.execute(tmp_path, "page", tmp_path)
