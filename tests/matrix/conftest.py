"""Models of the matrix, loaded by file name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.models import FILES


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """``load("turnover.net", settable={"kd"})``: a model of `FILES`, solved to eleven digits unless told otherwise."""
    from bnfhmc.model import load_model  # once the session has given bngsim its caches

    folder: Path = tmp_path_factory.mktemp("matrix")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")

    def load(name: str, rtol: float = 1e-11, atol: float = 1e-13, **options: object) -> object:
        return load_model(folder / name, name=name.partition(".")[0], rtol=rtol, atol=atol, **options)

    return load
