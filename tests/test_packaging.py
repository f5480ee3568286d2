"""pyproject.toml, environment.yml and the package agree; the check of the machine names what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import bnfhmc

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# What a pip installation takes from the system and conda brings itself.
CONDA_ONLY = {"python", "pip", "make", "perl", "c-compiler"}


def parse(requirement: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """``name[extras]specifiers`` → (name, extras, specifiers)."""
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[([^\]]*)\])?\s*(.*)", requirement)
    assert match, requirement
    name, extras, specifiers = match.groups()
    return (
        re.sub(r"[-_.]+", "-", name).lower(),
        frozenset(e.strip() for e in (extras or "").split(",") if e.strip()),
        frozenset(s.strip() for s in specifiers.split(",") if s.strip()),
    )


def merge(requirements: list[str]) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """One entry per distribution: every extra and every specifier that is asked for it."""
    merged: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for name, extras, specifiers in map(parse, requirements):
        old_extras, old_specifiers = merged.get(name, (frozenset(), frozenset()))
        merged[name] = (old_extras | extras, old_specifiers | specifiers)
    return merged


def expand(extra: str) -> list[str]:
    """The requirements of `extra`, with ``bnfhmc[...]`` replaced by what it stands for."""
    requirements: list[str] = []
    for requirement in PROJECT["optional-dependencies"][extra]:
        name, extras, _ = parse(requirement)
        requirements += [r for e in sorted(extras) for r in expand(e)] if name == "bnfhmc" else [requirement]
    return requirements


def conda() -> tuple[list[str], list[str]]:
    """The requirements in environment.yml that conda installs, and those that pip installs."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    by_pip = [r for d in dependencies if isinstance(d, dict) for r in d["pip"]]
    return [d for d in dependencies if isinstance(d, str)], by_pip


def test_the_environment_names_what_the_project_names():
    by_conda, by_pip = conda()
    environment = merge(by_conda + by_pip)
    project = merge(PROJECT["dependencies"] + [r for e in ("bngl", "antimony", "test") for r in expand(e)])
    assert {n: r for n, r in environment.items() if n not in CONDA_ONLY} == project


def test_the_environment_brings_the_same_python_and_the_tools():
    by_conda, _ = conda()
    environment = merge(by_conda)
    assert environment.keys() >= CONDA_ONLY
    assert environment["python"][1] == {PROJECT["requires-python"]}


def test_all_is_every_other_extra():
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert parse(everything)[1] == PROJECT["optional-dependencies"].keys() - {"all"}


def test_the_package_has_the_version_of_the_project():
    assert bnfhmc.__version__ == PROJECT["version"]


def need(*arguments: str, path: Path | str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`.ci/need` with nothing on the PATH but `path`."""
    return subprocess.run(
        [shutil.which("sh") or "/bin/sh", str(ROOT / ".ci" / "need"), *arguments],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_machine_with_everything_needs_nothing():
    done = need(sys.executable, path=os.environ["PATH"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_everything_missing_is_named_at_once(tmp_path):
    done = need("python3", path=tmp_path)
    assert done.returncode == 1
    found = re.findall(r"^missing: (.*)$", done.stderr, re.MULTILINE)
    assert found == ["Python 3.11 or newer", "perl", "a C compiler"]
    for how in ("Debian, Ubuntu:  sudo apt-get install", "Fedora:          sudo dnf install", "macOS: "):
        assert done.stderr.count(how) == 3


@pytest.mark.parametrize(
    ("version_status", "venv_status", "said"),
    [("0", "0", None), ("1", "0", "Python 3.11 or newer"), ("0", "1", "Python's venv module")],
)
def test_an_old_python_and_one_without_venv_are_named(tmp_path, version_status, venv_status, said):
    answers = f"*version_info*) exit {version_status} ;; *ensurepip*) exit {venv_status} ;;"
    script(tmp_path / "python3", f'case "$*" in {answers} esac; echo Python 3.9.2')
    done = need("python3", path=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == (1 if said else 0)
    assert re.findall(r"^missing: (.*)$", done.stderr, re.MULTILINE) == ([said] if said else [])


def test_a_perl_without_its_modules_is_named(tmp_path):
    script(tmp_path / "perl", "exit 2")
    done = need(sys.executable, path=f"{tmp_path}:{os.environ['PATH']}")
    assert re.findall(r"^missing: (.*)$", done.stderr, re.MULTILINE) == ["perl's standard modules"]


def test_a_compiler_that_does_not_compile_is_named(tmp_path):
    script(tmp_path / "broken-cc", "exit 1")
    done = need(sys.executable, path=os.environ["PATH"], CC=str(tmp_path / "broken-cc"))
    assert re.findall(r"^missing: (.*)$", done.stderr, re.MULTILINE) == ["a C compiler"]
