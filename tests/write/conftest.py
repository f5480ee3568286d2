"""A configuration with its files, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.write.building import HEAD, MODELS


@pytest.fixture
def conf(tmp_path: Path) -> Callable[..., Path]:
    """``conf("model: m.xml\\n…", {"d1.exp": "# time A\\n0 1\\n"})``: a configuration with its files, all models beside it."""

    def write(text: str, files: Mapping[str, str] | None = None, edition: str = HEAD) -> Path:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        for name, content in {**MODELS, **(files or {}), "fit.conf": edition + text}.items():
            (folder / name).write_text(content, encoding="utf-8")
        return folder / "fit.conf"

    return write
