"""A target that is the user's Python function, which runs only where the command line allows it.

A reference is ``module:function`` for an installed module, or ``folder/file.py:function`` for a file in the
configuration's folder. Loading one executes its code with all the rights of the user, hence the flag; nothing in a
configuration can give the permission. The import path is left as it is, and no text is ever evaluated.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve, InputError, Mistake, nearest
from bnfhmc.model.protocol import FailureKind

FLAG = "--allow-callable"

# experiment → column → values, as a function gets its data
Tables = Mapping[str, Mapping[str, Float[np.ndarray, " row"]]]


def load_callable(reference: str, folder: Path, allow: bool) -> Callable[..., Any]:
    """The function a ``callable = …`` names.

    `folder`: the configuration's; `allow`: whether the command line carries the flag. Raises InputError, before
    anything is imported, where `allow` is false, the reference is malformed or a file lies outside `folder`; and where
    the code cannot be loaded or has no such function.
    """
    name, _, function = (part.strip() for part in reference.strip().rpartition(":"))
    if not allow:
        raise InputError(Mistake(f"'callable = {reference.strip()}' runs Python code, and that was not allowed",
                                 f"read the code, and if you trust it add {FLAG} to the command"))  # fmt: skip
    if not name or not function.isidentifier():
        raise InputError(Mistake(f"'callable = {reference.strip()}' names no function",
                                 "type 'callable = file.py:function' or 'callable = module:function'"))  # fmt: skip
    is_file = name.endswith(".py") or "/" in name or "\\" in name
    module = _file(name, folder) if is_file else _module(name, function, folder)
    found = getattr(module, function, None)
    if callable(found):
        return found
    defined = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
    if found is not None:
        raise InputError(Mistake(f"'{function}' in '{name}' is no function but {type(found).__name__}",
                                 nearest(function, defined)))  # fmt: skip
    raise InputError(Mistake(f"'{name}' has no function '{function}'", nearest(function, defined)
                             or f"define 'def {function}(params, data=None)' there"))  # fmt: skip


def _file(name: str, folder: Path) -> ModuleType:
    home = folder.resolve()
    try:
        path = (home / name).resolve()
        there = path.is_file()
    except (OSError, ValueError) as error:
        raise InputError(Mistake(f"callable: '{name}' is no file name: {error}")) from error
    if not path.is_relative_to(home):
        raise InputError(Mistake(f"callable: '{name}' lies outside the configuration's folder '{home}'",
                                 f"move it there and type 'callable = {path.name}:…'"))  # fmt: skip
    if path.suffix != ".py" or not there:
        beside = [p.name for p in home.glob("*.py")]
        what = f"file '{name}' not found in '{home}'" if path.suffix == ".py" else f"'{name}' is no .py file"
        raise InputError(Mistake(f"callable: {what}", nearest(Path(name).name, beside)))
    # dataclasses and pickle look a module up by its name, so it needs one that no other module has
    unique = f"_bnfhmc_callable_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise InputError(Mistake(f"callable: '{name}' cannot be loaded as Python"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[unique]
        raise InputError(Mistake(f"callable: '{name}' cannot be loaded: {_said(error)}")) from error
    return module


def _module(name: str, function: str, folder: Path) -> ModuleType:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
        raise InputError(Mistake(f"callable: '{name}' is neither a module nor a .py file",
                                 "type 'callable = file.py:function' or 'callable = module:function'"))  # fmt: skip
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        beside = name.replace(".", "/") + ".py"
        hint = f"type 'callable = {beside}:{function}' for the file beside the configuration"
        is_beside = isinstance(error, ModuleNotFoundError) and (folder / beside).is_file()
        raise InputError(Mistake(f"callable: module '{name}' cannot be loaded: {_said(error)}",
                                 hint if is_beside else "")) from error  # fmt: skip


@dataclass(frozen=True, slots=True)
class CallableTarget:
    """loss, or (loss, ∂loss/∂θ), from ``function(params, data=data)``.

    ``params`` is a dict of native values by name; the gradient is a mapping by name or a sequence in the order of
    ``names``. ``data`` is None or maps an experiment (the file's stem) to its columns; ``label`` is what errors call
    the function. Several threads may call it at once.

    An arithmetic or value error inside the function (log of a negative number) is a point without a value and raises
    FailedSolve; any other exception is a defect of the function and passes through. A result that is neither a loss nor
    a pair of loss and gradient raises InputError.
    """

    names: tuple[str, ...]
    function: Callable[..., Any]
    data: Tables | None = None
    label: str = "callable"

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self._call(theta)[0]

    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        loss, gradient = self._call(theta)
        if gradient is None:
            raise self._mistake("gives no gradient, and a gradient sampler needs one",
                                "return (loss, gradient), the gradient as a dict by parameter name, or use a method "
                                "that needs none")  # fmt: skip
        return loss, self._vector(gradient)

    def _call(self, theta: Float[np.ndarray, " d"]) -> tuple[float, Any]:
        params = dict(zip(self.names, np.asarray(theta, dtype=float).tolist(), strict=True))
        try:
            result = self.function(params, data=self.data)
        except (ArithmeticError, ValueError) as error:
            raise FailedSolve(FailureKind.NONFINITE, f"{self.label}: {_said(error)}") from error
        except Exception as error:
            error.add_note(f"in the objective {self.label}, called with {params}")
            raise
        loss, gradient = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        try:
            return _scalar(loss), gradient
        except (TypeError, ValueError):
            raise self._mistake(f"returned a loss of type {type(loss).__name__}, which is no number",
                                "return a number, or (loss, gradient)") from None  # fmt: skip

    def _vector(self, gradient: Any) -> Float[np.ndarray, " d"]:
        if isinstance(gradient, Mapping):
            wrong = sorted(gradient.keys() ^ set(self.names))
            if wrong:
                raise self._mistake(f"its gradient misses or does not know: {', '.join(map(str, wrong))}",
                                    f"give ∂loss/∂ of {', '.join(self.names)}")  # fmt: skip
            gradient = [gradient[n] for n in self.names]
        try:
            out = np.asarray(gradient, dtype=float)
        except (TypeError, ValueError):
            raise self._mistake("its gradient holds something that is no number", "return floats") from None
        if out.shape != (len(self.names),):
            raise self._mistake(f"its gradient has the shape {out.shape}, not ({len(self.names)},)",
                                f"give ∂loss/∂ of {', '.join(self.names)}, in this order")  # fmt: skip
        return out

    def _mistake(self, what: str, hint: str) -> InputError:
        return InputError(Mistake(f"{self.label}: {what}", hint))


def _scalar(value: Any) -> float:
    """A number or an array without axes as a float; TypeError or ValueError for anything else."""
    if isinstance(value, (str, bytes)) or np.ndim(value) != 0:
        raise TypeError
    return float(value)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
