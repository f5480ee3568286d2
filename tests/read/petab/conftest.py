"""A folder to write PEtab problems into."""

from pathlib import Path

import pytest

from tests.read.petab.problems import Folder


@pytest.fixture
def petab(tmp_path: Path) -> Folder:
    """A folder for one problem; ``petab.load(version, table="…")`` writes and loads it."""
    return Folder(tmp_path)
