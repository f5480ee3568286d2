"""A problem from whatever file describes it."""

from __future__ import annotations

from pathlib import Path

from bnfhmc.problem import Problem
from bnfhmc.read import conf
from bnfhmc.read.loading import Loader

PETAB_SUFFIXES = (".yaml", ".yml")


def load(path: str | Path, *, load_model: Loader | None = None, allow_callable: bool = False) -> Problem:
    """The problem that a configuration (.conf) or the YAML file of a PEtab problem (.yaml, .yml) defines, with its data.

    ``load_model``: what opens a model file, `bnfhmc.model.load_model` where none is given. ``allow_callable``: whether a
    ``callable = …`` of a configuration may run the Python code it names. Files are named relative to the file's folder.

    Raises InputError with every mistake of every file, and MissingTool where that is all that is missing.
    """
    if Path(path).suffix.lower() in PETAB_SUFFIXES:
        from bnfhmc.read.petab import read_petab  # here, since petab and what it needs take seconds to import

        return read_petab(path, load_model=load_model)
    return conf.load(path, load_model=load_model, allow_callable=allow_callable)
